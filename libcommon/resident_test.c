/* Facts about resident memory: what is given back reads as zero, its neighbours are left alone. */
#include "libcommon/resident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void whole_pages_read_as_zero(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 5 * page;
	unsigned char *at =
		mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(at != MAP_FAILED);
	memset(at, 1, n);
	resident_release(at + 10, 3 * page);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(at[i], i < page || i >= 3 * page);
	munmap(at, n);
}

static void less_than_a_page_is_left_alone(void **state)
{
	unsigned char *at = malloc(3000);
	memset(at, 7, 3000);
	resident_release(at, 3000);
	resident_release(at + 1, 0);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(at[i], 7);
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_pages_read_as_zero),
		cmocka_unit_test(less_than_a_page_is_left_alone),
	};
	return cmocka_run_group_tests_name("resident", tests, NULL, NULL);
}
