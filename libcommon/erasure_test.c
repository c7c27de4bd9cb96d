/* Facts about the ledger of erasures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/buf.h"
#include "libcommon/crypto.h"
#include "libcommon/erasure.h"

#define A "01920000-0000-7000-8000-00000000000a"
#define B "01920000-0000-7000-8000-00000000000b"
#define PUPIL "01920000-0000-7000-8000-0000000000a1"
#define AT "2026-11-26T00:00:00.000Z"

static char path[64];
static struct arena *arena;

static int open_world(void **state)
{
	crypto_start();
	snprintf(path, sizeof path, "/tmp/erasure-test-XXXXXX");
	int fd = mkstemp(path);
	arena = arena_new();
	return fd < 0 || close(fd) || unlink(path) ? -1 : 0;
}

static int close_world(void **state)
{
	(void)unlink(path);
	arena_free(arena);
	return 0;
}

static enum err add(struct erasure_ledger *ledger, const char *tenant, const char *user)
{
	const struct erasure erasure = {
		.tenant_id = tenant, .user_id = user, .at = AT, .keys = "1.key=ab"
	};
	return erasure_add(ledger, &erasure);
}

static enum err on_line(void *arg, const struct erasure *erasure)
{
	struct buf *out = arg;
	buf_printf(out, "%.8s/%.8s ", erasure->tenant_id + 28, erasure->user_id);
	return OK;
}

static const char *lines_of(struct erasure_ledger *ledger)
{
	struct buf out = { .arena = arena };
	buf_text(&out, "");
	assert_int_equal(erasure_each(ledger, arena, on_line, &out), OK);
	return out.data;
}

static char *content(size_t *n)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = arena_alloc(arena, 4096);
	*n = fread(text, 1, 4095, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void put_content(const char *text, size_t n)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static void what_was_added_is_found_in_its_order(void **state)
{
	struct erasure found;
	struct erasure_ledger *ledger = erasure_open(path);
	assert_string_equal(lines_of(ledger), ""); /* there is no file yet */
	assert_int_equal(add(ledger, A, PUPIL), OK);
	assert_int_equal(add(ledger, B, ERASURE_ALL), OK);
	assert_int_equal(add(ledger, A, PUPIL), OK); /* stays as it is */
	assert_string_equal(lines_of(ledger), "0000000a/01920000 0000000b/- ");
	assert_int_equal(erasure_find(ledger, arena, B, ERASURE_ALL, &found), OK);
	assert_string_equal(found.at, AT);
	assert_string_equal(found.keys, "1.key=ab");
	assert_int_equal(erasure_find(ledger, arena, A, ERASURE_ALL, &found), ERR_NOT_FOUND);
	assert_int_equal(erasure_find(ledger, arena, A, PUPIL, &found), OK);
	erasure_close(ledger);
}

static void what_is_no_line_is_not_added(void **state)
{
	struct erasure_ledger *ledger = erasure_open(path);
	assert_int_equal(add(ledger, "somebody", ERASURE_ALL), ERR_INVALID);
	assert_int_equal(add(ledger, A, "-\n"), ERR_INVALID);
	const struct erasure spaced = {
		.tenant_id = A, .user_id = ERASURE_ALL, .at = "to day", .keys = "-"
	};
	assert_int_equal(erasure_add(ledger, &spaced), ERR_INVALID);
	erasure_close(ledger);
}

static void a_line_cut_short_never_was(void **state)
{
	size_t n;
	struct erasure_ledger *ledger = erasure_open(path);
	assert_int_equal(add(ledger, A, ERASURE_ALL), OK);
	char *text = content(&n);
	memcpy(text + n, text, n / 2);
	put_content(text, n + n / 2);
	assert_string_equal(lines_of(ledger), "0000000a/- ");
	assert_int_equal(add(ledger, B, ERASURE_ALL), OK);
	assert_string_equal(lines_of(ledger), "0000000a/- 0000000b/- ");
	erasure_close(ledger);
}

/* Every byte of two lines, one after the other. */
static void every_change_is_noticed(void **state)
{
	size_t n;
	struct erasure_ledger *ledger = erasure_open(path);
	assert_int_equal(add(ledger, A, ERASURE_ALL), OK);
	assert_int_equal(add(ledger, B, ERASURE_ALL), OK);
	erasure_close(ledger);
	char *text = content(&n);
	for (size_t i = 0; i < n - 1; i++) {
		text[i] = (char)(text[i] ^ 1);
		put_content(text, n);
		ledger = erasure_open(path);
		assert_null(ledger);
		text[i] = (char)(text[i] ^ 1);
	}
	size_t first = (size_t)(strchr(text, '\n') - text) + 1;
	put_content(text + first, n - first); /* the first line taken out */
	assert_null(erasure_open(path));
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(what_was_added_is_found_in_its_order),
		FACT(what_is_no_line_is_not_added),
		FACT(a_line_cut_short_never_was),
		FACT(every_change_is_noticed),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
