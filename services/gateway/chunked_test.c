#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/chunked.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

/* Reads all of it in pieces of `step` bytes; the data goes to `body`. */
static enum chunked_result decode(const char *data, size_t step, char *body, size_t *rest)
{
	struct chunked chunked = { 0 };
	size_t n = strlen(data), at = 0;
	enum chunked_result result = CHUNKED_MORE;
	while (at < n && result != CHUNKED_END && result != CHUNKED_MALFORMED) {
		size_t taken, piece_n, offered = n - at < step ? n - at : step;
		const char *piece;
		result = chunked_read(&chunked, data + at, offered, &taken, &piece, &piece_n);
		if (result == CHUNKED_DATA)
			strncat(body, piece, piece_n);
		at += taken;
	}
	*rest = n - at;
	return result;
}

static void bodies_are_decoded_in_any_pieces(void **state)
{
	static const char data[] =
		"3;a=b\r\nabc\r\n0A\r\n0123456789\r\n000\r\nA: b\r\nC:\r\n\r\nrest";
	for (size_t step = 1; step < sizeof data; step++) {
		char body[64] = "";
		size_t rest;
		assert_int_equal(decode(data, step, body, &rest), CHUNKED_END);
		assert_string_equal(body, "abc0123456789");
		assert_int_equal(rest, 4);
	}
}

static void every_doubt_is_malformed(void **state)
{
	static const char *const cases[] = { "g\r\n", "\r\n", " 1\r\n", "1 \r\n", "-1\r\n",
		"0x1\r\n", "1\nx", "1\rx", "1\r\nxy", "1\r\nx\n", "1\r\nx\rz", "1;a\nx",
		"1;\x7f\r\n", "0000000000000001\r\n", "ffffffffffffffff\r\n", "0\r\nA\r\n",
		"0\r\nA : b\r\n", "0\r\n: b\r\n", "0\r\nA: b\n", "0\r\nA: b\r\n c\r\n", "0\r\n\n",
		"0\r\n\rx" };
	for (size_t i = 0; i < N(cases); i++) {
		char body[64] = "";
		size_t rest;
		assert_int_equal(decode(cases[i], 100, body, &rest), CHUNKED_MALFORMED);
	}
}

static enum chunked_result decode_extension(size_t n)
{
	char data[512] = "1;";
	memset(data + 2, 'x', n);
	memcpy(data + 2 + n, "\r\na", 4);
	char body[8] = "";
	size_t rest;
	return decode(data, 512, body, &rest);
}

static void extensions_are_limited(void **state)
{
	assert_int_equal(decode_extension(CHUNKED_EXTENSION_MAX), CHUNKED_DATA);
	assert_int_equal(decode_extension(CHUNKED_EXTENSION_MAX + 1), CHUNKED_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_decoded_in_any_pieces),
		cmocka_unit_test(every_doubt_is_malformed),
		cmocka_unit_test(extensions_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
