/* For tests of the tree: a log of some length, signed, and questions to it. */
#ifndef MANABIYA_AUDIT_LOG_WORLD_H
#define MANABIYA_AUDIT_LOG_WORLD_H

#include "libcommon/db.h"
#include "services/audit/audit_world.h"

#define LOG_NAME "audit.example.jp"
#define LOG_ORIGIN LOG_NAME "/log/" TEST_TENANT
#define LOG_KEY "0102030000000000000000000000000000000000000000000000000000000000"
#define LOG_KEY_NEXT "0909090000000000000000000000000000000000000000000000000000000000"
#define LINES_PER_CALL 250

/* One turn of the job. */
static inline void sign_log(struct test *test)
{
	bool more = false;
	struct call c = test_call(test, NULL);
	assert_int_equal(checkpoint_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
}

/* n more events of TEST_TENANT. */
static inline void grow_log(struct test *test, int n)
{
	const struct happening what = { .tenant_id = TEST_TENANT, .actor_id = TEST_USER };
	while (n > 0) {
		const char *lines[LINES_PER_CALL];
		int some = n < LINES_PER_CALL ? n : LINES_PER_CALL;
		for (int i = 0; i < some; i++)
			lines[i] = line_of(test->arena, &what);
		assert_int_equal(append_lines(test, lines, (size_t)some).status, 204);
		n -= some;
	}
}

/* What the tenant's administrator is answered. */
static inline struct reply ask_log(struct test *test, const char *operation, const char *params)
{
	struct reply reply;
	const struct actor actor = test_actor(test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	const struct test_request request = {
		.operation = operation, .actor = &actor, .params = params
	};
	test_dispatch(test, &request, &reply, NULL);
	return reply;
}

static inline const char *text_of(struct test *test, const struct reply *reply)
{
	return arena_strndup(test->arena, (const char *)reply->body.data, reply->body.n);
}

static inline const char *ask_text(struct test *test, const char *operation, const char *params)
{
	const struct reply reply = ask_log(test, operation, params);
	assert_int_equal(reply.status, 200);
	return text_of(test, &reply);
}

/* Who signs the log of TEST_TENANT with this seed. */
static inline struct note_verifier verifier_of(const char *seed_hex)
{
	unsigned char seed[KEY_SIZE], key[SIGNING_KEY_SIZE], public_key[PUBLIC_KEY_SIZE];
	assert_int_equal(crypto_from_hex(seed_hex, seed, sizeof(seed)), OK);
	crypto_sign_keys(seed, public_key, key);
	return note_verifier_of(LOG_ORIGIN, NOTE_ED25519, public_key);
}

/* A checkpoint's text, checked as anybody would. */
static inline struct checkpoint read_checkpoint(struct test *test, const char *text)
{
	struct note note;
	struct checkpoint checkpoint;
	const struct note_verifier verifier = verifier_of(LOG_KEY);
	assert_int_equal(note_read(test->arena, text, strlen(text), &note), OK);
	assert_true(note_is_signed(test->arena, &note, &verifier, NULL));
	assert_int_equal(checkpoint_read(test->arena, note.text, &checkpoint), OK);
	assert_string_equal(checkpoint.origin, LOG_ORIGIN);
	return checkpoint;
}

static inline struct checkpoint latest_checkpoint(struct test *test)
{
	return read_checkpoint(test, ask_text(test, "log_checkpoint", NULL));
}

/* The tree over the lines as they are stored, made from the definition alone. */
static inline struct merkle_peaks stored_tree(struct test *test, uint64_t size)
{
	struct merkle_peaks peaks = { 0 };
	const char *lines = test_sql_text(test,
		arena_printf(test->arena,
			"SELECT string_agg(line, chr(10) ORDER BY sequence) || chr(10) FROM"
			" audit.event WHERE tenant_id = '" TEST_TENANT "' AND sequence <= %llu",
			(unsigned long long)size));
	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		struct merkle_hash leaf;
		merkle_leaf(lines, (size_t)(end - lines), &leaf);
		merkle_append(&peaks, &leaf);
	}
	assert_int_equal(peaks.size, size);
	return peaks;
}

#endif
