/* Range and entity tags. A malformed Range is ignored, as RFC 9110 (14.2) wants. */
#include "services/gateway/range.h"

#include <string.h>

/* Digits to a number; more than 15 digits are no offset of ours. Returns how many were read. */
static size_t read_number(const char *text, int64_t *out)
{
	size_t n = strspn(text, "0123456789");
	*out = 0;
	for (size_t i = 0; i < n && i < 16; i++) {
		*out = *out * 10 + (text[i] - '0');
	}
	return n > 15 ? 0 : n;
}

struct range range_parse(const char *header)
{
	static const struct range none = { .kind = RANGE_NONE };
	if (!header || strncmp(header, "bytes=", 6) != 0) {
		return none;
	}
	const char *at = header + 6;
	struct range range = { .kind = RANGE_FROM, .last = INT64_MAX };
	size_t n = read_number(at, &range.first);
	if (at[n] != '-') {
		return none;
	}
	at += n + 1;
	size_t last_n = read_number(at, &range.last);
	if (at[last_n] || (!n && !last_n)) {
		return none;
	}
	if (!n) {
		range.kind = RANGE_SUFFIX;
	} else if (!last_n) {
		range.last = INT64_MAX;
	} else if (range.last < range.first) {
		return none;
	}
	return range;
}

bool range_resolve(struct range range, int64_t total, int64_t *first, int64_t *length)
{
	int64_t end = total; /* the byte after the last */
	*first = 0;
	if (range.kind == RANGE_FROM) {
		*first = range.first;
		end = range.last < total ? range.last + 1 : total;
	} else if (range.kind == RANGE_SUFFIX) {
		*first = range.last < total ? total - range.last : 0;
	}
	*length = end - *first;
	return range.kind == RANGE_NONE || *length > 0;
}

static const char *opaque(const char *etag)
{
	return !strncmp(etag, "W/", 2) ? etag + 2 : etag;
}

bool etag_is_listed(const char *list, const char *etag)
{
	const char *wanted = opaque(etag);
	size_t wanted_n = strlen(wanted);
	while (*list) {
		list += strspn(list, " \t,");
		if (*list == '*') {
			return true;
		}
		const char *tag = opaque(list);
		const char *end = *tag == '"' ? strchr(tag + 1, '"') : NULL;
		if (!end) {
			return false;
		}
		size_t n = (size_t)(end + 1 - tag);
		if (n == wanted_n && !memcmp(tag, wanted, n)) {
			return true;
		}
		list = end + 1;
	}
	return false;
}

bool range_is_current(const char *if_range, const char *etag)
{
	if (!if_range) {
		return true;
	}
	return etag && if_range[0] == '"' && !strcmp(if_range, etag);
}
