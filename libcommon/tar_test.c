/* Facts about tar headers: what is written is read, and every form that could surprise is refused.
 */
#include "libcommon/tar.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/cmocka_call.h"

/* Offsets of fields (POSIX ustar). */
enum { NAME = 0, SIZE = 124, CHECKSUM = 148, TYPE = 156, LINK = 157, MAGIC = 257, PREFIX = 345 };

static void sign(unsigned char *block)
{
	char text[8];
	unsigned sum = 0;
	memset(block + CHECKSUM, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	(void)snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + CHECKSUM, text, 7);
}

static void header(const char *name, int64_t size, unsigned char *block)
{
	struct tar_entry entry = { .size = size };
	memcpy(entry.name, name, strlen(name));
	tar_write(&entry, 1700000000, block);
}

static enum tar_block with(int at, const char *text)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry;
	header("data/org.jsonl", 5, block);
	memcpy(block + at, text, strlen(text));
	sign(block);
	return tar_read(block, &entry);
}

static void what_is_written_is_read(void **state)
{
	static const int64_t sizes[] = { 0, 1, 511, 512, 513, TAR_SIZE_MAX };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned char block[TAR_BLOCK];
		struct tar_entry entry;
		header("media/0189-a_b.mp4", sizes[i], block);
		assert_int_equal(tar_read(block, &entry), TAR_ENTRY);
		assert_string_equal(entry.name, "media/0189-a_b.mp4");
		assert_int_equal(entry.size, sizes[i]);
	}
	assert_int_equal(tar_padded(0), 0);
	assert_int_equal(tar_padded(1), 512);
	assert_int_equal(tar_padded(512), 512);
	assert_int_equal(tar_padded(TAR_SIZE_MAX), TAR_SIZE_MAX + 1);
}

static void a_name_may_fill_its_field(void **state)
{
	unsigned char block[TAR_BLOCK];
	char name[TAR_NAME_MAX + 1] = { 0 };
	struct tar_entry entry;
	memset(name, 'n', TAR_NAME_MAX);
	header(name, 5, block);
	assert_int_equal(tar_read(block, &entry), TAR_ENTRY);
	assert_string_equal(entry.name, name);
}

/* Python's tarfile, format USTAR_FORMAT, of a file `data/org.jsonl` with 3 bytes. */
static void what_others_write_is_read(void **state)
{
	unsigned char block[TAR_BLOCK] = "data/org.jsonl";
	struct tar_entry entry;
	memcpy(block + 100,
		"0000644\0"
		"0000000\0"
		"0000000\0"
		"00000000003\0"
		"00000000000\0",
		48);
	memcpy(block + TYPE, "0", 1);
	memcpy(block + MAGIC, "ustar\00000", 8);
	sign(block);
	assert_int_equal(tar_read(block, &entry), TAR_ENTRY);
	assert_int_equal(entry.size, 3);
}

static void zeroes_are_the_end(void **state)
{
	const unsigned char zeroes[TAR_BLOCK] = { 0 };
	struct tar_entry entry;
	assert_int_equal(tar_read(zeroes, &entry), TAR_ZEROES);
}

static void every_flipped_bit_is_seen(void **state)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry;
	header("data/org.jsonl", 5, block);
	for (int i = 0; i < TAR_BLOCK; i++) {
		bool may_vary = i == CHECKSUM + 6 || i == CHECKSUM + 7; /* what ends the checksum */
		block[i] ^= 1;
		if (!may_vary)
			assert_int_equal(tar_read(block, &entry), TAR_DAMAGED);
		block[i] ^= 1;
	}
}

static void only_plain_files_are_taken(void **state)
{
	/* hard and symbolic link, device, directory, FIFO, contiguous, pax, GNU long names, sparse
	 */
	for (const char *type = "1234567xgLKSVM"; *type; type++)
		assert_int_equal(with(TYPE, (char[]){ *type, '\0' }), TAR_NOT_PLAIN);
	assert_int_equal(with(LINK, "/etc/passwd"), TAR_NOT_PLAIN);
	assert_int_equal(with(PREFIX, "etc"), TAR_NOT_PLAIN);
	assert_int_equal(with(MAGIC, "ustar  "), TAR_DAMAGED);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = { "/etc/passwd", "../passwd/////", "data/../../etc",
		"data//org.json", "./ata/org.jsonl", "data/.hidden..", "da\ta/org.jsonl",
		"data\\org.jsonl", "data/org.json/", "\xe3\x83\x87/org.jsonl" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(with(NAME, names[i]), TAR_BAD_NAME);
}

static void sizes_that_are_no_octal_number_are_refused(void **state)
{
	/* GNU's base-256 among them: eight bytes of a number that overflows */
	static const char *const sizes[] = { "-0000000005", "9", "0x000000005", "\x80\x01",
		"\xff\xff\xff\xff", "           5", "000000000059" };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		assert_int_equal(with(SIZE, sizes[i]), TAR_BAD_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_name_may_fill_its_field),
		cmocka_unit_test(what_others_write_is_read),
		cmocka_unit_test(zeroes_are_the_end),
		cmocka_unit_test(every_flipped_bit_is_seen),
		cmocka_unit_test(only_plain_files_are_taken),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(sizes_that_are_no_octal_number_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
