/* Headers as POSIX has them, byte by byte. */
#include "services/learning/tar_write.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/cmocka_call.h"

static void a_header_says_what_the_entry_is(void **state)
{
	unsigned char header[TAR_BLOCK];
	tar_header("media/x", 1234, 1000000000, header);
	assert_string_equal((const char *)header, "media/x");
	assert_string_equal((const char *)header + 100, "0000600");
	assert_string_equal((const char *)header + 124, "00000002322");
	assert_string_equal((const char *)header + 136, "07346545000");
	assert_int_equal(header[156], '0');
	assert_memory_equal(header + 257,
		"ustar\0"
		"00",
		8);
}

static void the_sum_is_of_a_header_with_spaces_in_its_place(void **state)
{
	unsigned char header[TAR_BLOCK];
	unsigned sum = 0;
	tar_header("files", 0, 0, header);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : header[i];
	assert_int_equal(strtoul((const char *)header + 148, NULL, 8), sum);
	assert_memory_equal(header + 154, "\0 ", 2);
}

static void the_largest_size_fits(void **state)
{
	unsigned char header[TAR_BLOCK];
	tar_header("log/log.jsonl", TAR_SIZE_MAX, 0, header);
	assert_string_equal((const char *)header + 124, "77777777777");
}

static void an_entry_is_whole_blocks(void **state)
{
	static const int64_t rooms[][2] = { { 0, 512 }, { 1, 1024 }, { 511, 1024 }, { 512, 1024 },
		{ 513, 1536 } };
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		assert_int_equal(tar_room(rooms[i][0]), rooms[i][1]);
		assert_int_equal((rooms[i][0] + tar_padding(rooms[i][0])) % TAR_BLOCK, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_says_what_the_entry_is),
		cmocka_unit_test(the_sum_is_of_a_header_with_spaces_in_its_place),
		cmocka_unit_test(the_largest_size_fits),
		cmocka_unit_test(an_entry_is_whole_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
