/* A recognizer by recursive descent; it builds nothing. */
#include "libcommon/json_check.h"

#include <stdint.h>
#include <string.h>

#include "libcommon/utf8.h"

struct scan {
	const char *at, *end;
	int depth;
};

static bool value(struct scan *scan);

/* RFC 8259, section 2: these four and no other. */
static void space(struct scan *scan)
{
	while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4) != NULL)
		scan->at++;
}

static bool take(struct scan *scan, char wanted)
{
	if (scan->at == scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

static bool word(struct scan *scan, const char *wanted)
{
	size_t n = strlen(wanted);
	if ((size_t)(scan->end - scan->at) < n || memcmp(scan->at, wanted, n) != 0)
		return false;
	scan->at += n;
	return true;
}

static bool digits(struct scan *scan)
{
	const char *start = scan->at;
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > start;
}

/* Section 6: no leading zero, no leading plus, digits on both sides of the point. */
static bool number(struct scan *scan)
{
	(void)take(scan, '-');
	if (!take(scan, '0') && !digits(scan))
		return false;
	if (take(scan, '.') && !digits(scan))
		return false;
	if (!take(scan, 'e') && !take(scan, 'E'))
		return true;
	if (!take(scan, '+'))
		(void)take(scan, '-');
	return digits(scan);
}

/* Four hexadecimal digits, or -1. */
static int32_t unit(struct scan *scan)
{
	int32_t out = 0;
	for (int i = 0; i < 4; i++) {
		static const char hex[] = "0123456789abcdef";
		if (scan->at == scan->end || *scan->at == '\0')
			return -1;
		char c = *scan->at++;
		const char *found = strchr(hex, c >= 'A' && c <= 'F' ? c + 32 : c);
		if (found == NULL)
			return -1;
		out = out * 16 + (int32_t)(found - hex);
	}
	return out;
}

/* Section 7. \u0000 would end our C strings early; a lone surrogate has no UTF-8. */
static bool escape(struct scan *scan)
{
	if (scan->at == scan->end || *scan->at == '\0')
		return false;
	char c = *scan->at++;
	if (c != 'u')
		return strchr("\"\\/bfnrt", c) != NULL;
	int32_t first = unit(scan);
	if (first <= 0 || (first >= 0xdc00 && first <= 0xdfff))
		return false;
	if (first < 0xd800 || first > 0xdbff)
		return true;
	if (!word(scan, "\\u"))
		return false;
	int32_t second = unit(scan);
	return second >= 0xdc00 && second <= 0xdfff;
}

/* How many bytes from here on stand for themselves: most of most strings. */
static size_t plain_run(const struct scan *scan)
{
	const char *at = scan->at;
	while (at < scan->end && *at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - scan->at);
}

/* Raw control characters are refused, code points are whole. */
static bool string(struct scan *scan)
{
	if (!take(scan, '"'))
		return false;
	while (scan->at < scan->end) {
		if (take(scan, '"'))
			return true;
		if (take(scan, '\\')) {
			if (!escape(scan))
				return false;
			continue;
		}
		uint32_t code;
		size_t n = plain_run(scan);
		if (n == 0)
			n = utf8_next(scan->at, (size_t)(scan->end - scan->at), &code);
		if (n == 0 || (n == 1 && (unsigned char)*scan->at < 0x20))
			return false;
		scan->at += n;
	}
	return false;
}

/* `"name": value` of an object. */
static bool member(struct scan *scan)
{
	space(scan);
	if (!string(scan))
		return false;
	space(scan);
	return take(scan, ':') && value(scan);
}

/* What stands between the brackets, separated by commas. */
static bool items(struct scan *scan, char close, bool (*item)(struct scan *scan))
{
	if (++scan->depth > JSON_DEPTH_MAX)
		return false;
	space(scan);
	if (!take(scan, close)) {
		do
			if (!item(scan))
				return false;
		while (take(scan, ','));
		if (!take(scan, close))
			return false;
	}
	scan->depth--;
	return true;
}

static bool value(struct scan *scan)
{
	bool fits;
	space(scan);
	if (scan->at == scan->end)
		return false;
	if (take(scan, '{'))
		fits = items(scan, '}', member);
	else if (take(scan, '['))
		fits = items(scan, ']', value);
	else if (*scan->at == '"')
		fits = string(scan);
	else
		fits = word(scan, "true") || word(scan, "false") || word(scan, "null") ||
			number(scan);
	space(scan);
	return fits;
}

bool is_strict_json(const char *text, size_t n)
{
	if (n == 0)
		return false;
	struct scan scan = { .at = text, .end = text + n };
	return value(&scan) && scan.at == scan.end;
}
