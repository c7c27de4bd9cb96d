#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/head.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static const struct head_limits LIMITS = { .bytes = 32 * 1024, .fields = 100 };

static enum head_result scan(const char *data, size_t n, size_t *head_n)
{
	struct head head = { 0 };
	enum head_result result = head_scan(&head, &LIMITS, data, n);
	*head_n = head.n;
	return result;
}

static void lines_are_told_apart(void **state)
{
	static const struct {
		const char *data;
		enum head_result result;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nA: b\r\n\r\n", HEAD_COMPLETE },
		{ "\r\nGET / HTTP/1.1\r\n\r\n", HEAD_COMPLETE },
		{ "GET / HTTP/1.1\r\nA: \t\xe3\x81\x82\r\n\r\n", HEAD_COMPLETE },
		{ "GET / HTTP/1.1\r\nA: b\r\n", HEAD_INCOMPLETE },
		{ "GET / HTTP/1.1\r\nA: b\r\n\r", HEAD_INCOMPLETE },
		{ "", HEAD_INCOMPLETE },
		{ "\r\n\r\nGET / HTTP/1.1\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\nA: b\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\nA: b\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\rA: b\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\n A: b\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\nA: b\r\n\rx", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", HEAD_MALFORMED },
		{ "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", HEAD_MALFORMED },
		{ " GET / HTTP/1.1\r\n\r\n", HEAD_MALFORMED },
	};
	for (size_t i = 0; i < N(cases); i++) {
		size_t n;
		assert_int_equal(scan(cases[i].data, strlen(cases[i].data), &n), cases[i].result);
	}
}

static void nothing_behind_the_head_is_read(void **state)
{
	static const char data[] = "GET / HTTP/1.1\r\n\r\n\0\x01 body";
	size_t n;
	assert_int_equal(scan(data, sizeof data - 1, &n), HEAD_COMPLETE);
	assert_int_equal(n, strlen(data));
}

static void the_result_does_not_depend_on_the_pieces(void **state)
{
	static const char data[] = "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nrest";
	struct head head = { 0 };
	size_t i = 0;
	while (head_scan(&head, &LIMITS, data, ++i) == HEAD_INCOMPLETE)
		assert_true(i < sizeof data);
	assert_int_equal(i, sizeof data - 1 - strlen("rest"));
}

/* A request line and `fields_n` fields of `field_n` bytes each, CR LF not counted. */
static enum head_result scan_fields(size_t fields_n, size_t field_n)
{
	size_t n = 0;
	char *data = malloc(16 + fields_n * (field_n + 2) + 2);
	memcpy(data, "GET / HTTP/1.1\r\n", 16);
	n += 16;
	for (size_t i = 0; i < fields_n; i++) {
		memset(data + n, 'a', field_n);
		memcpy(data + n + field_n, "\r\n", 2);
		n += field_n + 2;
	}
	memcpy(data + n, "\r\n", 2);
	size_t head_n;
	enum head_result result = scan(data, n + 2, &head_n);
	free(data);
	return result;
}

static void sizes_are_limited(void **state)
{
	assert_int_equal(scan_fields(LIMITS.fields, 5), HEAD_COMPLETE);
	assert_int_equal(scan_fields(LIMITS.fields + 1, 5), HEAD_MALFORMED);
	assert_int_equal(scan_fields(1, HEAD_LINE_MAX), HEAD_COMPLETE);
	assert_int_equal(scan_fields(1, HEAD_LINE_MAX + 1), HEAD_MALFORMED);
	assert_int_equal(scan_fields(4, HEAD_LINE_MAX - 100), HEAD_COMPLETE);
	assert_int_equal(scan_fields(5, HEAD_LINE_MAX - 100), HEAD_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_told_apart),
		cmocka_unit_test(nothing_behind_the_head_is_read),
		cmocka_unit_test(the_result_does_not_depend_on_the_pieces),
		cmocka_unit_test(sizes_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
