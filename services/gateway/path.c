/* Percent-encoding and the refusal of ambiguous paths and queries; see path.h. */
#include "services/gateway/path.h"

#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at text[0], encoded or not, and in *used how long it is; -1 if the encoding is broken.
 */
static int byte_at(const char *text, size_t n, size_t *used)
{
	*used = 1;
	if (text[0] != '%') {
		return (unsigned char)text[0];
	}
	if (n < 3 || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0) {
		return -1;
	}
	*used = 3;
	return hex_digit(text[1]) * 16 + hex_digit(text[2]);
}

static bool segment_is_sound(const char *segment, size_t n)
{
	size_t dots = 0, length = 0, used;
	for (size_t i = 0; i < n; i += used) {
		int byte = byte_at(segment + i, n - i, &used);
		bool is_hidden = used == 3 && (byte == '/' || byte == '\\');
		bool is_plain_high = used == 1 && (byte > 0x7e || byte == '\\');
		if (byte < 0x20 || byte == 0x7f || is_hidden || is_plain_high) {
			return false;
		}
		dots += byte == '.';
		length++;
	}
	return length > 0 && !(dots == length && dots <= 2);
}

bool path_is_sound(const char *path)
{
	if (path[0] != '/') {
		return false;
	}
	if (!path[1]) {
		return true;
	}
	for (const char *at = path; *at == '/';) {
		at++;
		size_t n = strcspn(at, "/");
		if (!segment_is_sound(at, n)) {
			return false;
		}
		at += n;
	}
	return true;
}

char *path_decode(struct arena *arena, const char *text, size_t n, bool plus_is_space)
{
	char *out = arena_alloc(arena, n + 1);
	size_t used, length = 0;
	for (size_t i = 0; i < n; i += used) {
		int byte = byte_at(text + i, n - i, &used);
		if (byte <= 0) {
			return NULL;
		}
		out[length++] = plus_is_space && used == 1 && byte == '+' ? ' ' : (char)byte;
	}
	return out;
}

static bool is_taken(const char *name, const char *taken)
{
	size_t n = strlen(name);
	while (*taken) {
		if (!strncmp(taken, name, n) && taken[n] == '=') {
			return true;
		}
		taken += strcspn(taken, "&");
		taken += *taken == '&';
	}
	return false;
}

bool query_is_sound(struct arena *arena, const char *query, const char *taken)
{
	while (*query) {
		size_t n = strcspn(query, "&");
		size_t name_n = strcspn(query, "&=");
		char *name = path_decode(arena, query, name_n, true);
		if (!name || !path_decode(arena, query + name_n, n - name_n, true) ||
			is_taken(name, taken)) {
			return false;
		}
		query += n;
		query += *query == '&';
	}
	return true;
}
