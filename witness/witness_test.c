/* What is signed, and above all what is not: the file of logs, the memory on disk, the protocol. */
#include <fcntl.h>
#include <ftw.h>
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

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "witness/witness.h"

#define NAME "witness.example.net/w1"
#define ORIGIN "audit.example.jp/log/1"
#define LEAVES_MAX 64

static struct world {
	struct arena *arena;
	char directory[64];
	unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];
} world;

/* ---- a log ---- */

/* Leaf i is hashed from its number and `version`: another version is another history. */
struct history {
	int versions[LEAVES_MAX];
};

static const struct history HONEST = { { 0 } };

static struct merkle_hash leaf_of(const struct history *history, uint64_t i)
{
	struct merkle_hash hash;
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %d", (int)i, history->versions[i]);
	merkle_leaf(text, (size_t)n, &hash);
	return hash;
}

static enum err read_subtree(void *arg, unsigned level, uint64_t index, struct merkle_hash *out)
{
	struct merkle_peaks peaks = { 0 };
	for (uint64_t i = index << level; i < (index + 1) << level; i++) {
		const struct merkle_hash leaf = leaf_of(arg, i);
		merkle_append(&peaks, &leaf);
	}
	merkle_root(&peaks, out);
	return OK;
}

static struct merkle_hash root_of(const struct history *history, uint64_t size)
{
	struct merkle_hash root;
	struct merkle_peaks peaks = { 0 };
	for (uint64_t i = 0; i < size; i++) {
		const struct merkle_hash leaf = leaf_of(history, i);
		merkle_append(&peaks, &leaf);
	}
	merkle_root(&peaks, &root);
	return root;
}

static const char *checkpoint_of(const struct history *history, const char *origin, uint64_t size)
{
	const struct note_verifier log = note_verifier_of(origin, NOTE_ED25519, world.public_key);
	const struct checkpoint checkpoint = { origin, size, root_of(history, size) };
	const char *text = checkpoint_text(world.arena, &checkpoint);
	return arena_printf(
		world.arena, "%s\n%s", text, note_sign(world.arena, text, &log, world.signing_key));
}

static const char *request_of(
	const struct history *history, const char *origin, uint64_t from, uint64_t to)
{
	struct buf text = { .arena = world.arena };
	struct merkle_proof proof = { 0 };
	const struct merkle_tree tree = { read_subtree, (void *)(uintptr_t)history };
	if (from > 0 && from < to)
		assert_int_equal(merkle_prove_consistency(&tree, from, to, &proof), OK);
	buf_printf(&text, "old %llu\n", (unsigned long long)from);
	for (size_t i = 0; i < proof.n; i++)
		buf_printf(&text, "%s\n",
			crypto_base64(world.arena, proof.hashes[i].bytes, HASH_SIZE));
	buf_printf(&text, "\n%s", checkpoint_of(history, origin, to));
	return text.data;
}

/* ---- the witness ---- */

static const char *path_of(const char *name)
{
	return arena_printf(world.arena, "%s/%s", world.directory, name);
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *verifier_text(const char *name)
{
	const struct note_verifier key = note_verifier_of(name, NOTE_ED25519, world.public_key);
	return note_verifier_text(world.arena, &key);
}

static enum err open_state(void)
{
	return state_open(path_of("state"), NAME);
}

static int open_world(void **state)
{
	static const unsigned char seed[KEY_SIZE] = { 7 };
	crypto_start();
	log_open("test", LOG_LEVEL_ERROR + 1);
	world.arena = arena_new();
	strcpy(world.directory, "/tmp/witness-test-XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	assert_int_equal(mkdir(path_of("state"), 0700), 0);
	crypto_sign_keys(seed, world.public_key, world.signing_key);
	put_file("logs",
		arena_printf(world.arena, "# of the school\n\n%s\n", verifier_text(ORIGIN)));
	assert_int_equal(logs_load(path_of("logs")), OK);
	assert_int_equal(open_state(), OK);
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	return remove(path);
}

static int close_world(void **state)
{
	state_close();
	logs_free();
	assert_int_equal(nftw(world.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	arena_free(world.arena);
	clock_shift_ms(0);
	return 0;
}

static struct answer ask_text(const char *text)
{
	return add_checkpoint(world.arena, text, strlen(text));
}

static struct answer ask(const struct history *history, uint64_t from, uint64_t to)
{
	return ask_text(request_of(history, ORIGIN, from, to));
}

/* The time that was signed; fails unless the answer is a signature of exactly this checkpoint. */
static uint64_t signed_time(
	const struct answer *answer, const struct history *history, uint64_t size)
{
	struct note note;
	uint64_t unix_s = 0;
	assert_int_equal(answer->status, 200);
	const char *text = arena_printf(
		world.arena, "%s%s", checkpoint_of(history, ORIGIN, size), answer->body);
	assert_int_equal(note_read(world.arena, text, strlen(text), &note), OK);
	assert_true(note_is_signed(world.arena, &note, state_verifier(), &unix_s));
	return unix_s;
}

static void expect_signed(const struct history *history, uint64_t from, uint64_t to)
{
	const struct answer answer = ask(history, from, to);
	assert_true(signed_time(&answer, history, to) > 0);
}

static void expect_size(const struct answer *answer, const char *size)
{
	assert_int_equal(answer->status, 409);
	assert_string_equal(answer->content_type, "text/x.tlog.size");
	assert_string_equal(answer->body, size);
}

/* ---- facts ---- */

static void a_log_that_grows_is_signed(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 8, 8, 13, 64 };
	uint64_t before = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_signed(&HONEST, before, sizes[i]);
		before = sizes[i];
	}
}

static void whoever_knows_less_is_told_the_size(void **state)
{
	expect_signed(&HONEST, 0, 20);
	static const uint64_t starts[] = { 0, 7, 21 };
	for (size_t i = 0; i < 3; i++) {
		const struct answer answer = ask(&HONEST, starts[i], 30);
		expect_size(&answer, "20\n");
	}
	expect_signed(&HONEST, 20, 30);
}

static void a_fork_is_not_signed(void **state)
{
	const struct history forked = { { [5] = 1 } };
	expect_signed(&HONEST, 0, 20);
	assert_int_equal(ask(&forked, 20, 30).status, 422);
	struct answer answer = ask(&forked, 20, 20);
	expect_size(&answer, "20\n");
	answer = ask(&forked, 0, 30);
	expect_size(&answer, "20\n");
	expect_signed(&HONEST, 20, 30);
}

static void a_log_that_shrank_is_not_signed(void **state)
{
	expect_signed(&HONEST, 0, 20);
	static const uint64_t starts[] = { 0, 10 };
	for (size_t i = 0; i < 2; i++) {
		const struct answer answer = ask(&HONEST, starts[i], 10);
		expect_size(&answer, "20\n");
	}
	assert_int_equal(ask(&HONEST, 20, 10).status, 400);
}

static void what_was_signed_outlives_the_process(void **state)
{
	const struct history forked = { { [19] = 1 } };
	expect_signed(&HONEST, 0, 20);
	state_close();
	assert_int_equal(open_state(), OK);
	assert_int_equal(ask(&forked, 20, 30).status, 422);
	const struct answer answer = ask(&HONEST, 0, 30);
	expect_size(&answer, "20\n");
	expect_signed(&HONEST, 20, 21);
}

/* As after a kill between writing and renaming. */
static void a_draft_counts_for_nothing(void **state)
{
	expect_signed(&HONEST, 0, 20);
	put_file("state/draft", "half of a");
	state_close();
	assert_int_equal(open_state(), OK);
	expect_signed(&HONEST, 20, 21);
}

static const char *memory_of(const char *origin)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(origin, strlen(origin), hash);
	return arena_printf(world.arena, "state/%s", crypto_hex(world.arena, hash, sizeof(hash)));
}

static void a_memory_that_somebody_changed_signs_nothing(void **state)
{
	expect_signed(&HONEST, 0, 20);
	put_file(memory_of(ORIGIN), checkpoint_of(&HONEST, ORIGIN, 5));
	assert_int_equal(ask(&HONEST, 5, 30).status, 500);
	put_file(memory_of(ORIGIN), "");
	assert_int_equal(ask(&HONEST, 0, 30).status, 500);
}

/* Both the witness has signed itself: only the name tells them apart. */
static void a_memory_of_another_log_signs_nothing(void **state)
{
	put_file("logs",
		arena_printf(world.arena, "%s\n%s\n", verifier_text(ORIGIN),
			verifier_text("example.invalid/another")));
	assert_int_equal(logs_load(path_of("logs")), OK);
	expect_signed(&HONEST, 0, 20);
	const char *other = request_of(&HONEST, "example.invalid/another", 0, 5);
	assert_int_equal(ask_text(other).status, 200);
	assert_int_equal(
		rename(path_of(memory_of("example.invalid/another")), path_of(memory_of(ORIGIN))),
		0);
	assert_int_equal(ask(&HONEST, 5, 30).status, 500);
}

static void what_cannot_be_remembered_is_not_signed(void **state)
{
	/* Where the draft should be, there is a directory: works for root, too. */
	assert_int_equal(mkdir(path_of("state/draft"), 0700), 0);
	assert_int_equal(ask(&HONEST, 0, 20).status, 500);
	assert_int_equal(rmdir(path_of("state/draft")), 0);
	expect_signed(&HONEST, 0, 20);
}

static void a_key_is_never_made_anew_beside_what_was_signed(void **state)
{
	expect_signed(&HONEST, 0, 20);
	state_close();
	assert_int_equal(unlink(path_of("state/key")), 0);
	assert_int_not_equal(open_state(), OK);
}

static void there_is_one_process_at_a_time(void **state)
{
	/* Open file descriptions lock each other, even within one process. */
	assert_int_equal(open_state(), ERR_INTERNAL);
	expect_signed(&HONEST, 0, 3);
}

static void time_never_goes_back(void **state)
{
	struct answer answer = ask(&HONEST, 0, 20);
	uint64_t before = signed_time(&answer, &HONEST, 20);
	clock_shift_ms(-86400000);
	answer = ask(&HONEST, 20, 21);
	assert_true(signed_time(&answer, &HONEST, 21) >= before);
}

static void only_logs_that_were_named_are_signed(void **state)
{
	assert_int_equal(ask_text(request_of(&HONEST, ORIGIN "0", 0, 3)).status, 404);
	put_file("logs", verifier_text("audit.example.jp/log/*"));
	assert_int_equal(logs_load(path_of("logs")), OK);
	assert_int_equal(ask_text(request_of(&HONEST, ORIGIN "0", 0, 3)).status, 200);
	assert_int_equal(ask_text(request_of(&HONEST, "audit.example.jp/lo", 0, 3)).status, 404);
	expect_signed(&HONEST, 0, 3);
}

static void only_the_log_itself_is_heard(void **state)
{
	static const unsigned char seed[KEY_SIZE] = { 8 };
	crypto_sign_keys(seed, world.public_key, world.signing_key);
	assert_int_equal(ask(&HONEST, 0, 3).status, 403);
}

static void what_is_no_request_is_refused(void **state)
{
	const char *good = request_of(&HONEST, ORIGIN, 0, 3);
	const char *bad[] = { "", "old 0\n", "old 0\n\n", "old -1\n\n", good + 1,
		arena_printf(world.arena, "old 00%s", good + 5),
		arena_printf(world.arena, "old 0\nnot a hash\n%s", good + 6) };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask_text(bad[i]).status, 400);
	const char *surplus = arena_printf(world.arena, "old 0\n%s\n%s",
		crypto_base64(world.arena, world.public_key, HASH_SIZE), good + 6);
	assert_int_equal(ask_text(surplus).status, 422);
	assert_int_equal(ask_text(good).status, 200);
}

static void a_file_of_logs_that_is_none_stops_the_start(void **state)
{
	const struct note_verifier witness =
		note_verifier_of(NAME, NOTE_COSIGNATURE, world.public_key);
	const char *const texts[] = { "", "# nothing\n", "no key\n",
		note_verifier_text(world.arena, &witness) };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put_file("logs", texts[i]);
		assert_int_equal(logs_load(path_of("logs")), ERR_INVALID);
	}
	assert_int_equal(logs_load(path_of("none")), ERR_INVALID);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(a_log_that_grows_is_signed),
		FACT(whoever_knows_less_is_told_the_size),
		FACT(a_fork_is_not_signed),
		FACT(a_log_that_shrank_is_not_signed),
		FACT(what_was_signed_outlives_the_process),
		FACT(a_draft_counts_for_nothing),
		FACT(a_memory_that_somebody_changed_signs_nothing),
		FACT(a_memory_of_another_log_signs_nothing),
		FACT(what_cannot_be_remembered_is_not_signed),
		FACT(a_key_is_never_made_anew_beside_what_was_signed),
		FACT(there_is_one_process_at_a_time),
		FACT(time_never_goes_back),
		FACT(only_logs_that_were_named_are_signed),
		FACT(only_the_log_itself_is_heard),
		FACT(what_is_no_request_is_refused),
		FACT(a_file_of_logs_that_is_none_stops_the_start),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
