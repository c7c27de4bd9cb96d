#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/headers.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void headers_of_the_application_are_sifted(void **state)
{
	static const struct header good[] = { { "content-type", "text/plain" }, { "etag", "\"a\"" },
		{ "x", "" }, { "x", "tab\tand \xe3\x81\x82" } };
	static const struct header bad[] = { { "x", "a\r\nb: c" }, { "x", "a\nb" }, { "x", "\x01" },
		{ "x", "\x7f" }, { "", "a" }, { "X-Upper", "a" }, { "a b", "c" }, { "a:", "c" },
		{ "a\r\nb", "c" }, { "connection", "close" }, { "content-length", "1" },
		{ "transfer-encoding", "chunked" }, { "date", "now" }, { "server", "me" },
		{ "content-security-policy", "default-src *" },
		{ "strict-transport-security", "max-age=0" } };
	for (size_t i = 0; i < N(good); i++)
		assert_true(headers_is_allowed(&good[i]));
	for (size_t i = 0; i < N(bad); i++)
		assert_false(headers_is_allowed(&bad[i]));
}

static void lines_hold_every_security_header(void **state)
{
	size_t n;
	const char *lines = headers_security_lines(&n);
	for (size_t i = 0; i < headers_security_n; i++)
		assert_non_null(memmem(
			lines, n, headers_security[i].value, strlen(headers_security[i].value)));
	assert_memory_equal(lines + n - 2, "\r\n", 2);
}

static void statuses_have_their_names(void **state)
{
	assert_string_equal(headers_reason(404), "Not Found");
	assert_string_equal(headers_reason(421), "Misdirected Request");
	assert_string_equal(headers_reason(299), "Status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_the_application_are_sifted),
		cmocka_unit_test(lines_hold_every_security_header),
		cmocka_unit_test(statuses_have_their_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
