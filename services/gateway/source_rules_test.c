#include "services/gateway/source_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct source_rules rules;

static unsigned bad_line_of(const char *text)
{
	unsigned line;
	return source_rules_read(&rules, text, strlen(text), &line) ? line : 0;
}

static bool is_admitted(const char *text)
{
	struct cidr address;
	assert_int_equal(cidr_read(text, strlen(text), &address), OK);
	return source_rules_admit(&rules, &address);
}

static void the_first_that_holds_it_decides(void **state)
{
	assert_int_equal(bad_line_of("# the schools\r\n"
				     "deny  192.0.2.66 # lost\n"
				     "\n"
				     "\tallow 192.0.2.0/24\n"
				     "allow 2001:db8::/32\n"
				     "deny 0.0.0.0/0\n"
				     "deny ::/0"),
		0);
	assert_int_equal(rules.n, 5);
	assert_false(is_admitted("192.0.2.66"));
	assert_true(is_admitted("192.0.2.67"));
	assert_true(is_admitted("2001:db8::1"));
	assert_false(is_admitted("198.51.100.1"));
	assert_false(is_admitted("2001:db9::1"));
}

static void whom_none_holds_is_let_in(void **state)
{
	assert_int_equal(bad_line_of("deny 192.0.2.0/24\n"), 0);
	assert_false(is_admitted("::ffff:192.0.2.1"));
	assert_true(is_admitted("192.0.3.1"));
	assert_true(is_admitted("2001:db8::1"));
	assert_int_equal(bad_line_of(""), 0);
	assert_true(is_admitted("192.0.2.1"));
}

static void a_slip_is_told_with_its_line(void **state)
{
	assert_int_equal(bad_line_of("permit 192.0.2.0/24"), 1);
	assert_int_equal(bad_line_of("allow 192.0.2.0/24\ndeny"), 2);
	assert_int_equal(bad_line_of("\n\nallow192.0.2.0/24\n"), 3);
	assert_int_equal(bad_line_of("allow 192.0.2.1/24\n"), 1);
	assert_int_equal(bad_line_of("allow 192.0.2.0/24 198.51.100.0/24\n"), 1);
	assert_int_equal(bad_line_of("deny all\n"), 1);
}

static void a_file_may_not_be_endless(void **state)
{
	static const char line[] = "deny ::1\n";
	static char text[(SOURCE_RULES_MAX + 1) * sizeof line];
	for (size_t i = 0; i <= SOURCE_RULES_MAX; i++)
		memcpy(text + i * (sizeof line - 1), line, sizeof line);
	assert_int_equal(bad_line_of(text), SOURCE_RULES_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_holds_it_decides),
		cmocka_unit_test(whom_none_holds_is_let_in),
		cmocka_unit_test(a_slip_is_told_with_its_line),
		cmocka_unit_test(a_file_may_not_be_endless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
