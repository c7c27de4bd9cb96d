/*
 * Facts about the way into a handler: who is let through, and that nothing runs for the others. The
 * operations here touch no database, so none is started; what happens inside transactions is tested
 * with the services.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours is of another kind */

#include "libcommon/capability_cache.h"
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/service.h"

static unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];
static int runs;

static enum err count_runs(struct call *c, const void *in, void *out)
{
	runs++;
	return OK;
}

static enum err refuse(struct call *c, const void *in, void *out)
{
	return fail(c, ERR_CONFLICT, "no");
}

static const char *const by_gateway[] = { "gateway", NULL };
static const char *const by_learning[] = { "learning", NULL };

#define STAFF (ROLE_CONTRACTOR | ROLE_INSTRUCTOR)

/* Sorted by name, as the generator does. */
static const struct op ops[] = {
	{ .name = "carry",
		.handler = count_runs,
		.allow = STAFF,
		.flags = OP_CLOSED,
		.label = LABEL_I,
		.status = 204,
		.callers = by_gateway },
	{ .name = "delete",
		.handler = count_runs,
		.allow = STAFF,
		.flags = OP_STEP_UP,
		.status = 204,
		.callers = by_gateway },
	{ .name = "early",
		.handler = count_runs,
		.allow = STAFF,
		.flags = OP_INITIAL,
		.status = 204,
		.callers = by_gateway },
	{ .name = "grades",
		.handler = count_runs,
		.allow = STAFF | ROLE_STUDENT,
		.label = LABEL_II,
		.status = 204,
		.callers = by_gateway },
	{ .name = "internal",
		.handler = count_runs,
		.flags = OP_INTERNAL | OP_NO_CAPABILITY,
		.status = 204,
		.callers = by_learning },
	{ .name = "keyed",
		.handler = count_runs,
		.allow = STAFF,
		.flags = OP_IDEMPOTENT_KEY,
		.status = 204,
		.callers = by_gateway },
	{ .name = "public",
		.handler = count_runs,
		.allow = ROLE_ANONYMOUS,
		.status = 204,
		.callers = by_gateway },
	{ .name = "record",
		.handler = count_runs,
		.allow = STAFF,
		.label = LABEL_I,
		.status = 204,
		.callers = by_gateway },
	{ .name = "refuse",
		.handler = refuse,
		.allow = ROLE_ANONYMOUS,
		.status = 204,
		.callers = by_gateway },
	{ .name = "staff",
		.handler = count_runs,
		.allow = STAFF,
		.feature = FEATURE_VIDEO_UPLOAD,
		.label = LABEL_III,
		.status = 204,
		.callers = by_gateway },
};

static const struct service service = {
	.name = "learning",
	.ops = ops,
	.ops_n = sizeof(ops) / sizeof(ops[0]),
};

/* One row: who calls what, and what comes of it. */
struct attempt {
	const char *name;
	const char *operation;
	const char *caller;
	enum role role; /* 0: no capability */
	unsigned denied;
	bool initial;
	unsigned factors; /* 0: one, and none more is wanted */
	int64_t age_ms; /* of the capability */
	int64_t time_left_ms;
	const char *params;
	unsigned status;
	const char *code;
};

static unsigned char frame_flags; /* of the attempts that follow */
static bool is_closed; /* the contract, for the attempts that follow */

#define HOUR_MS 3600000
#define AMPLE_MS 60000 /* nothing here takes long, except on a machine that stands still */
static const struct attempt attempts[] = {
	{ "anyone may use a public operation", "public", "gateway", 0, 0, false, 0, 0, AMPLE_MS, "",
		204, "" },
	{ "an unknown operation is not found", "nothing", "gateway", 0, 0, false, 0, 0, AMPLE_MS,
		"", 404, "unknown_operation" },
	{ "a name that is only a prefix is not found", "publi", "gateway", 0, 0, false, 0, 0,
		AMPLE_MS, "", 404, "unknown_operation" },
	{ "another service may not use a public operation", "public", "audit", 0, 0, false, 0, 0,
		AMPLE_MS, "", 403, "caller_forbidden" },
	{ "the gateway may not use an internal operation", "internal", "gateway", ROLE_CONTRACTOR,
		0, false, 0, 0, AMPLE_MS, "", 403, "caller_forbidden" },
	{ "a named caller may use an internal operation", "internal", "learning", 0, 0, false, 0, 0,
		AMPLE_MS, "", 204, "" },
	{ "without a capability one has to log in", "staff", "gateway", 0, 0, false, 0, 0, AMPLE_MS,
		"", 401, "unauthenticated" },
	{ "an allowed role is let in", "staff", "gateway", ROLE_INSTRUCTOR, 0, false, 0, 0,
		AMPLE_MS, "", 204, "" },
	{ "another role is not", "staff", "gateway", ROLE_STUDENT, 0, false, 0, 0, AMPLE_MS, "",
		403, "forbidden" },
	{ "an expired capability is no capability", "staff", "gateway", ROLE_INSTRUCTOR, 0, false,
		0, HOUR_MS, AMPLE_MS, "", 401, "unauthenticated" },
	{ "a denied feature is refused", "staff", "gateway", ROLE_INSTRUCTOR, FEATURE_VIDEO_UPLOAD,
		false, 0, 0, AMPLE_MS, "", 403, "feature_denied" },
	{ "another denied feature does not matter", "staff", "gateway", ROLE_INSTRUCTOR,
		FEATURE_PEER_COMMENT, false, 0, 0, AMPLE_MS, "", 204, "" },
	{ "the initial password comes first", "staff", "gateway", ROLE_INSTRUCTOR, 0, true, 0, 0,
		AMPLE_MS, "", 403, "password_change_required" },
	{ "what is needed to change it is open", "early", "gateway", ROLE_INSTRUCTOR, 0, true, 0, 0,
		AMPLE_MS, "", 204, "" },
	{ "a missing idempotency key is refused", "keyed", "gateway", ROLE_INSTRUCTOR, 0, false, 0,
		0, AMPLE_MS, "", 400, "idempotency_key_missing" },
	{ "a call that is too late does not run", "public", "gateway", 0, 0, false, 0, 0, 0, "",
		504, "deadline_exceeded" },
	{ "parameters that nobody declared are refused", "public", "gateway", 0, 0, false, 0, 0,
		AMPLE_MS, "a=b", 422, "invalid" },
	{ "a handler's refusal is told", "refuse", "gateway", 0, 0, false, 0, 0, AMPLE_MS, "", 409,
		"conflict" },
};

static const char *capability_for(
	struct arena *arena, const struct attempt *attempt, int64_t password_age_ms)
{
	const struct actor actor = {
		.tenant_id = "00000000-0000-7000-8000-00000000000a",
		.user_id = "00000000-0000-7000-8000-0000000000a1",
		.role = attempt->role,
		.denied = attempt->denied,
		.session_id = "00000000-0000-7000-8000-0000000000b1",
		.authenticated_unix_ms = clock_unix_ms() - password_age_ms,
		.factors = attempt->factors ? attempt->factors : 1,
		.needs_second_factor = attempt->factors > 0,
		.initial = attempt->initial,
		.closed = is_closed,
		.tenant_key = "x",
	};
	return attempt->role
		? capability_mint(arena, signing_key, &actor, clock_unix_ms() - attempt->age_ms)
		: "";
}

static void attempt(
	const struct attempt *attempt, int64_t password_age_ms, struct arena *arena, struct db *db)
{
	struct frame request = { .kind = FRAME_REQUEST, .flags = frame_flags };
	struct reply reply;
	struct call c = {
		.arena = arena,
		.db = db,
		.service = &service,
		.caller = attempt->caller,
		.deadline_ms = clock_steady_ms() + attempt->time_left_ms,
	};
	request.texts[TEXT_OPERATION] = frame_text(attempt->operation);
	request.texts[TEXT_CAPABILITY] =
		frame_text(capability_for(arena, attempt, password_age_ms));
	request.texts[TEXT_PARAMS] = frame_text(attempt->params);
	runs = 0;
	service_dispatch(&c, public_key, &request, &reply);
	assert_int_equal(reply.status, attempt->status);
	assert_int_equal(reply.label, c.op ? c.op->label : LABEL_NONE); /* a refusal's, too */
	if (*attempt->code) {
		const char *code = arena_printf(arena, "\"code\":\"%s\"", attempt->code);
		assert_non_null(strstr((const char *)reply.body.data, code));
		assert_string_equal(reply.content_type, "application/problem+json");
	}
	assert_int_equal(runs, attempt->status == 204);
}

static void each_attempt_ends_as_it_must(void **state)
{
	struct arena *arena = arena_new();
	struct db *db = db_open("host=/nonexistent", "learning");
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		attempt(&attempts[i], 0, arena, db);
		arena_reset(arena);
	}
	db_close(db);
	arena_free(arena);
	capability_cache_free();
}

static void what_is_dangerous_wants_a_password_proven_just_now(void **state)
{
	static const struct attempt base = { .caller = "gateway",
		.role = ROLE_INSTRUCTOR,
		.time_left_ms = AMPLE_MS,
		.params = "",
		.status = 204,
		.code = "" };
	struct arena *arena = arena_new();
	struct db *db = db_open("host=/nonexistent", "learning");
	struct attempt fresh = base, stale = base, safe = base, pupil = base, window = base;
	fresh.operation = stale.operation = pupil.operation = window.operation = "delete";
	safe.operation = "staff";
	stale.status = pupil.status = 403;
	stale.code = "step_up_required";
	/* Who may not do it anyway is not asked for a password. */
	pupil.role = ROLE_STUDENT;
	pupil.code = "forbidden";
	/* A slow machine loses nothing of a minute. */
	attempt(&fresh, STEP_UP_LIFETIME_MS - 60000, arena, db);
	attempt(&stale, STEP_UP_LIFETIME_MS + 1, arena, db);
	attempt(&safe, HOUR_MS, arena, db);
	attempt(&pupil, HOUR_MS, arena, db);
	frame_flags = FRAME_CONTINUED; /* what has begun may last */
	attempt(&window, HOUR_MS, arena, db);
	frame_flags = 0;
	db_close(db);
	arena_free(arena);
}

/* As many factors as the class of what is touched wants, and no more. */
static void what_is_large_wants_a_second_factor(void **state)
{
	static const struct {
		const char *operation;
		enum role role;
		unsigned factors;
		int64_t password_age_ms;
		unsigned status;
		const char *code;
	} rows[] = {
		{ "grades", ROLE_INSTRUCTOR, 1, 0, 403, "second_factor_required" },
		{ "grades", ROLE_INSTRUCTOR, 2, HOUR_MS, 204, "" },
		{ "grades", ROLE_INSTRUCTOR, 0, HOUR_MS, 204, "" }, /* not wanted of this one */
		{ "grades", ROLE_OPERATOR, 1, 0, 403, "forbidden" },
		{ "staff", ROLE_INSTRUCTOR, 1, HOUR_MS, 204, "" }, /* class III */
		{ "early", ROLE_INSTRUCTOR, 1, HOUR_MS, 204, "" }, /* no class */
		{ "record", ROLE_INSTRUCTOR, 1, 0, 403, "second_factor_required" },
		{ "record", ROLE_INSTRUCTOR, 2, HOUR_MS, 403, "step_up_required" },
		{ "record", ROLE_INSTRUCTOR, 0, HOUR_MS, 403, "step_up_required" },
		{ "record", ROLE_INSTRUCTOR, 2, 0, 204, "" },
	};
	struct arena *arena = arena_new();
	struct db *db = db_open("host=/nonexistent", "learning");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct attempt row = { .operation = rows[i].operation,
			.caller = "gateway",
			.role = rows[i].role,
			.factors = rows[i].factors,
			.time_left_ms = AMPLE_MS,
			.params = "",
			.status = rows[i].status,
			.code = rows[i].code };
		attempt(&row, rows[i].password_age_ms, arena, db);
		frame_flags = FRAME_CONTINUED; /* of what has begun only the password may be old */
		if (row.status == 204 || rows[i].factors == 1)
			attempt(&row, rows[i].password_age_ms, arena, db);
		frame_flags = 0;
	}
	db_close(db);
	arena_free(arena);
}

/* Whatever else is missing, that the contract has ended is what one is told. */
static void a_closed_contract_is_open_for_what_says_so_and_nothing_else(void **state)
{
	static const struct {
		const char *operation;
		bool initial, closed;
		int64_t password_age_ms;
		unsigned status;
		const char *code;
	} rows[] = {
		{ "carry", false, true, 0, 204, "" },
		{ "carry", false, true, HOUR_MS, 403, "step_up_required" },
		{ "carry", true, true, 0, 403, "password_change_required" },
		{ "staff", false, true, 0, 403, "contract_closed" },
		{ "delete", false, true, HOUR_MS, 403, "contract_closed" },
		{ "early", true, true, 0, 403, "contract_closed" },
		{ "staff", false, false, 0, 204, "" },
	};
	struct arena *arena = arena_new();
	struct db *db = db_open("host=/nonexistent", "learning");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct attempt row = { .operation = rows[i].operation,
			.caller = "gateway",
			.role = ROLE_INSTRUCTOR,
			.initial = rows[i].initial,
			.time_left_ms = AMPLE_MS,
			.params = "",
			.status = rows[i].status,
			.code = rows[i].code };
		is_closed = rows[i].closed;
		attempt(&row, rows[i].password_age_ms, arena, db);
	}
	is_closed = false;
	db_close(db);
	arena_free(arena);
	capability_cache_free();
}

static void a_capability_of_another_key_is_refused(void **state)
{
	struct arena *arena = arena_new();
	const struct attempt staff = { .role = ROLE_INSTRUCTOR };
	const struct actor *actor;
	unsigned char other_public[PUBLIC_KEY_SIZE], other_signing[SIGNING_KEY_SIZE];
	const unsigned char seed[KEY_SIZE] = { 2 };
	const char *text = capability_for(arena, &staff, 0);
	crypto_sign_keys(seed, other_public, other_signing);
	assert_int_equal(
		capability_check(other_public, text, clock_unix_ms(), &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(capability_check(public_key, text, clock_unix_ms(), &actor), OK);
	/* Remembered now, and still refused once it has expired. */
	assert_int_equal(capability_check(public_key, text, clock_unix_ms() + HOUR_MS, &actor),
		ERR_UNAUTHENTICATED);
	capability_cache_free();
	arena_free(arena);
}

static int start(void **state)
{
	const unsigned char seed[KEY_SIZE] = { 1 };
	crypto_start();
	crypto_sign_keys(seed, public_key, signing_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_attempt_ends_as_it_must),
		cmocka_unit_test(what_is_dangerous_wants_a_password_proven_just_now),
		cmocka_unit_test(what_is_large_wants_a_second_factor),
		cmocka_unit_test(a_closed_contract_is_open_for_what_says_so_and_nothing_else),
		cmocka_unit_test(a_capability_of_another_key_is_refused),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
