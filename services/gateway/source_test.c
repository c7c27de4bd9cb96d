#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "services/gateway/source.h"

static struct source of(const char *text, char out[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	void *into = strchr(text, ':') ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr;
	assert_int_equal(inet_pton(address.ss_family, text, into), 1);
	return source_of(&address, out);
}

static void addresses_are_grouped(void **state)
{
	char text[INET6_ADDRSTRLEN];
	struct source v4 = of("192.0.2.1", text);
	assert_string_equal(text, "192.0.2.1");
	struct source mapped = of("::ffff:192.0.2.1", text);
	assert_string_equal(text, "192.0.2.1");
	assert_true(v4.prefix == mapped.prefix && v4.is_v4 && mapped.is_v4);
	struct source one = of("2001:db8::1", text), same = of("2001:db8::ffff:1", text);
	struct source other = of("2001:db8:0:1::1", text);
	assert_string_equal(text, "2001:db8:0:1::1");
	assert_true(one.prefix == same.prefix);
	assert_false(one.prefix == other.prefix);
}

/* The same numbers in every run. */
static unsigned next_number(void)
{
	static uint64_t number = 1;
	number = number * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(number >> 33);
}

static void counts_are_exact_while_sources_come_and_go(void **state)
{
	enum { SOURCES = 500 };
	static unsigned expected[SOURCES];
	struct sources *sources = sources_new();
	for (unsigned i = 0; i < 100000; i++) {
		unsigned at = next_number() % SOURCES;
		struct source source = { .prefix = at * 65536, .is_v4 = at % 2 };
		if (expected[at] && next_number() % 2) {
			sources_leave(sources, source);
			expected[at]--;
		} else {
			assert_int_equal(sources_join(sources, source), ++expected[at]);
		}
	}
	for (unsigned at = 0; at < SOURCES; at++) {
		struct source source = { .prefix = at * 65536, .is_v4 = at % 2 };
		assert_int_equal(sources_join(sources, source), expected[at] + 1);
	}
	sources_free(sources);
}

static void a_name_stands_for_a_whole_customer(void **state)
{
	struct arena *arena = arena_new();
	assert_string_equal(source_prefix(arena, "192.0.2.1"), "192.0.2.1");
	assert_string_equal(source_prefix(arena, ""), "");
	assert_string_equal(source_prefix(arena, "2001:db8::1"), "2001:0db8:0000:0000");
	assert_string_equal(source_prefix(arena, "2001:db8:0:1::1"), "2001:0db8:0000:0001");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_stands_for_a_whole_customer),
		cmocka_unit_test(addresses_are_grouped),
		cmocka_unit_test(counts_are_exact_while_sources_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
