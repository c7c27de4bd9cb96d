#include "libcommon/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct cidr range_of(const char *text)
{
	struct cidr range;
	assert_int_equal(cidr_read(text, strlen(text), &range), OK);
	return range;
}

static void ranges_hold_what_lies_within(void **state)
{
	static const struct {
		const char *range, *other;
		bool is_held;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7/32", "192.0.2.6", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "ffff::", true },
		{ "2001:db8::1", "2001:DB8:0::1", true },
		/* ranges within ranges */
		{ "10.0.0.0/8", "10.1.0.0/16", true },
		{ "10.1.0.0/16", "10.0.0.0/8", false },
		/* one client, one address */
		{ "192.0.2.0/24", "::ffff:192.0.2.1", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.1", true },
		/* families are apart */
		{ "::/0", "192.0.2.1", false },
		{ "::/0", "::ffff:192.0.2.1", false },
		{ "0.0.0.0/0", "::1", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr range = range_of(cases[i].range), other = range_of(cases[i].other);
		if (cidr_has(&range, &other) != cases[i].is_held)
			fail_msg("%s and %s", cases[i].range, cases[i].other);
	}
}

static void slips_are_refused(void **state)
{
	static const char *const texts[] = { "", "/", "/8", "x", "10", "10.0.0/8", "10.0.0.0/",
		"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/ 8",
		"10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0.0/4294967304", "10.0.0.1/8",
		"010.0.0.0/8", "0x0a.0.0.0/8", "256.0.0.0/8", "2001:db8::/129", "2001:db8::1/64",
		":::/0", "fe80::1%eth0", "[::1]", "::ffff:192.0.2.1/95",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct cidr range;
		if (cidr_read(texts[i], strlen(texts[i]), &range) != ERR_INVALID)
			fail_msg("'%s' was taken", texts[i]);
	}
	struct cidr range;
	assert_int_equal(cidr_read("10.0.0.0\0/8", 11, &range), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_hold_what_lies_within),
		cmocka_unit_test(slips_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
