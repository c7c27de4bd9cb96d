/* What becomes of a try or a unit that somebody raised, seen by everyone with what they have
 * proven. */
#include "services/learning/lesson_world.h"

#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/recorded.h"

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &learning_under_test);
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	add_words(&test);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static int calm_down(void **state)
{
	recorded_forget();
	test_sql(&test,
		"UPDATE learning.try SET label = NULL, label_by = NULL;"
		"UPDATE learning.member SET label = NULL;"
		"UPDATE learning.class SET label = NULL;"
		"UPDATE learning.unit SET label = NULL; DELETE FROM learning.outbox");
	return 0;
}

#define TRY(id_) "tryId=" id_
#define VIDEO(id_) "mediaId=" id_
#define DRAFT "{\"positionMs\":2400,\"text\":\"ひざ\"}"
#define GRADES                                                                                     \
	"{\"knowledgeAndSkills\":\"A\",\"thinkingJudgementExpression\":\"B\","                     \
	"\"proactiveAttitude\":\"C\"}"

/* What a session has proven. */
enum proof { ONE_FACTOR, STALE, FRESH, PROOFS };

static struct reply ask_with(
	enum who who, enum proof proof, const char *operation, const char *params, const char *body)
{
	static unsigned keys;
	struct reply reply;
	struct actor actor = person(&test, who);
	int64_t age_ms = proof == FRESH ? 0 : STEP_UP_LIFETIME_MS + 1;
	actor.needs_second_factor = actor.role == ROLE_INSTRUCTOR;
	actor.factors = proof == ONE_FACTOR ? 1 : 2;
	actor.authenticated_unix_ms = clock_unix_ms() - age_ms;
	const struct test_request request = { .operation = operation,
		.actor = &actor,
		.params = params,
		.body = body,
		.idempotency_key = arena_printf(test.arena, "label-%u", keys++) };
	test_dispatch(&test, &request, &reply, NULL);
	return reply;
}

/* "" where it was allowed, else the code of the problem. */
static const char *code_of(const struct reply *reply)
{
	const struct json *body;
	if (reply->status < 400)
		return "";
	assert_int_equal(
		json_parse(test.arena, (const char *)reply->body.data, reply->body.n, &body), OK);
	const char *code = json_text(json_member(body, "code"));
	return arena_strdup(test.arena, code ? code : "?");
}

static void expect_code(enum who who, enum proof proof, const char *operation, const char *params,
	const char *body, const char *code)
{
	struct reply reply = ask_with(who, proof, operation, params, body);
	if (strcmp(code_of(&reply), code) != 0)
		fail_msg("%s for %s with proof %d: %u, not '%s': %.*s", operation, people[who].name,
			(int)proof, reply.status, code, (int)reply.body.n,
			(const char *)reply.body.data);
}

static enum label class_of(
	enum who who, enum proof proof, const char *operation, const char *params)
{
	return ask_with(who, proof, operation, params, NULL).label;
}

static const char *seen_by(
	enum who who, enum proof proof, const char *operation, const char *params)
{
	struct reply reply = ask_with(who, proof, operation, params, NULL);
	return arena_strdup(test.arena, body_of(&test, &reply));
}

static void raise_try(const char *label)
{
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		arena_printf(test.arena, "{\"label\":\"%s\"}", label), "");
}

#define FACTOR "second_factor_required"
#define PASSWORD "step_up_required"

/* Everything that names the try or its video. */
static const struct {
	const char *operation, *params, *body;
	bool is_pupils;
} on_try[] = {
	{ "try_get", TRY(SHARED), NULL, true },
	{ "comment_list", TRY(SHARED), NULL, true },
	{ "media_content", VIDEO(SHARED_MEDIA), NULL, true },
	{ "comment_create", TRY(SHARED), DRAFT, false },
	{ "try_sharing_put", TRY(SHARED), "{\"shared\":true}", false },
	{ "try_label_put", TRY(SHARED), "{\"label\":\"I\"}", true },
	{ "evaluation_put", TRY(SHARED), GRADES, false },
};

static void a_raised_try_takes_what_its_class_takes(void **state)
{
	static const struct {
		const char *label, *one_factor, *stale;
	} classes[] = { { "II", FACTOR, "" }, { "I", FACTOR, PASSWORD } };
	for (size_t k = 0; k < 2; k++) {
		raise_try(classes[k].label);
		for (size_t i = 0; i < sizeof(on_try) / sizeof(on_try[0]); i++) {
			/* Raising to class I wants a fresh password itself: not from II. */
			if (k == 0 && strcmp(on_try[i].operation, "try_label_put") == 0)
				continue;
			expect_code(T, ONE_FACTOR, on_try[i].operation, on_try[i].params,
				on_try[i].body, classes[k].one_factor);
			expect_code(T, STALE, on_try[i].operation, on_try[i].params, on_try[i].body,
				classes[k].stale);
			expect_code(T, FRESH, on_try[i].operation, on_try[i].params, on_try[i].body,
				"");
		}
	}
}

static void its_pupil_sees_it_and_classmates_do_not(void **state)
{
	raise_try("II");
	for (size_t i = 0; i < sizeof(on_try) / sizeof(on_try[0]); i++) {
		if (!on_try[i].is_pupils)
			continue;
		expect_code(MATE, FRESH, on_try[i].operation, on_try[i].params, on_try[i].body,
			"not_found");
		expect_code(OTHER_T, FRESH, on_try[i].operation, on_try[i].params, on_try[i].body,
			"not_found");
		if (!on_try[i].body)
			expect_code(P, STALE, on_try[i].operation, on_try[i].params, NULL, "");
	}
	expect_code(MATE, FRESH, "peer_comment_create", TRY(SHARED), DRAFT, "not_found");
	expect_code(P, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"I\"}", "");
	expect_code(P, STALE, "try_get", TRY(SHARED), NULL, PASSWORD);
	expect_code(P, FRESH, "try_get", TRY(SHARED), NULL, "");
}

static void lists_leave_it_out(void **state)
{
	assert_non_null(strstr(seen_by(T, ONE_FACTOR, "try_list", NULL), SHARED));
	raise_try("II");
	assert_null(strstr(seen_by(T, ONE_FACTOR, "try_list", NULL), SHARED));
	assert_non_null(strstr(seen_by(T, ONE_FACTOR, "try_list", NULL), SUBMITTED));
	assert_non_null(strstr(seen_by(T, STALE, "try_list", NULL), "\"label\":\"II\""));
	assert_null(strstr(seen_by(MATE, FRESH, "try_list", NULL), SHARED));
	assert_non_null(strstr(seen_by(P, STALE, "try_list", NULL), SHARED));
	raise_try("I");
	assert_null(strstr(seen_by(P, STALE, "try_list", NULL), SHARED));
	assert_null(strstr(seen_by(T, STALE, "try_list", NULL), SHARED));
	assert_non_null(strstr(seen_by(T, FRESH, "try_list", NULL), SHARED));
}

static void expect_told(enum who who, enum proof proof, const char *operation, const char *params,
	const char *what);

/* How many wait for the teacher at home, who is told that this is not all where it is not. */
static void expect_waiting(enum proof proof, const char *waiting, const char *told)
{
	const char *part = strstr(seen_by(T, proof, "home_part", NULL), "\"waiting\":");
	assert_non_null(part);
	assert_string_equal(part, arena_printf(test.arena, "\"waiting\":%s}", waiting));
	expect_told(T, proof, "home_part", NULL, told);
}

static void expect_waiting_with(const char *raised, const char *one_factor, const char *stale)
{
	test_sql(&test, raised);
	expect_waiting(ONE_FACTOR, one_factor, "second-factor");
	expect_waiting(STALE, stale, strcmp(stale, "2") == 0 ? NULL : "step-up");
	expect_waiting(FRESH, "2", NULL);
	calm_down(NULL);
}

/* Or the number would tell of it, and of the next one that comes. */
static void home_counts_no_try_that_is_shut(void **state)
{
	test_sql(&test, "UPDATE learning.try SET answered_at = NULL");
	expect_waiting(ONE_FACTOR, "2", NULL);
	expect_waiting_with("UPDATE learning.try SET label = 'II', label_by = 'instructor'"
			    " WHERE id = '" SHARED "'",
		"1", "2");
	expect_waiting_with("UPDATE learning.try SET label = 'I', label_by = 'instructor'"
			    " WHERE id = '" SHARED "'",
		"1", "1");
	expect_waiting_with(
		"UPDATE learning.member SET label = 'I' WHERE id = '" PUPIL "'", "0", "0");
	expect_waiting_with(
		"UPDATE learning.class SET label = 'II' WHERE id = '" CLASS "'", "0", "2");
}

/* Neither the id nor that there is one. */
static void the_board_has_no_try_that_is_shut(void **state)
{
	static const char board[] = "assignmentId=" ASSIGNMENT;
	static const char latest[] = "latestTryId";
	assert_non_null(strstr(seen_by(T, ONE_FACTOR, "board_get", board), latest));
	test_sql(&test, "UPDATE learning.try SET label = 'II', label_by = 'instructor'");
	assert_null(strstr(seen_by(T, ONE_FACTOR, "board_get", board), latest));
	assert_null(strstr(seen_by(T, ONE_FACTOR, "board_get", board), "waiting"));
	expect_told(T, ONE_FACTOR, "board_get", board, "second-factor");
	assert_non_null(strstr(seen_by(T, STALE, "board_get", board), latest));
	expect_told(T, STALE, "board_get", board, NULL);
	test_sql(&test, "UPDATE learning.try SET label = 'I', label_by = 'instructor'");
	assert_null(strstr(seen_by(T, STALE, "board_get", board), latest));
	expect_told(T, STALE, "board_get", board, "step-up");
	assert_non_null(strstr(seen_by(T, FRESH, "board_get", board), latest));
}

static void expect_told(
	enum who who, enum proof proof, const char *operation, const char *params, const char *what)
{
	struct reply reply = ask_with(who, proof, operation, params, NULL);
	assert_int_equal(reply.status, 200);
	const char *headers = reply.headers.n ? reply.headers.data : "";
	const char *told = strstr(headers, "Manabiya-Withheld: ");
	if (!what)
		assert_null(told);
	else if (!told || strncmp(strchr(told, ' ') + 1, what, strlen(what)) != 0)
		fail_msg("%s for %s with proof %d does not say %s: '%s'", operation,
			people[who].name, (int)proof, what, headers);
}

static void an_answer_says_to_those_who_may_see_it_that_something_is_left_out(void **state)
{
	expect_told(T, ONE_FACTOR, "try_list", NULL, NULL);
	raise_try("II");
	expect_told(T, ONE_FACTOR, "try_list", NULL, "second-factor");
	expect_told(T, STALE, "try_list", NULL, NULL);
	raise_try("I");
	expect_told(T, ONE_FACTOR, "try_list", NULL, "second-factor");
	expect_told(T, STALE, "try_list", NULL, "step-up");
	expect_told(T, FRESH, "try_list", NULL, NULL);
	expect_told(P, STALE, "try_list", NULL, "step-up");
	expect_told(P, FRESH, "try_list", NULL, NULL);
	for (enum proof proof = ONE_FACTOR; proof < PROOFS; proof++) {
		expect_told(MATE, proof, "try_list", NULL, NULL);
		expect_told(OTHER_T, proof, "try_list", NULL, NULL);
	}
}

/* Or a teacher's password alone would tell, word by word, what stands in what is shut. */
static void a_search_says_the_same_whatever_is_in_what_is_shut(void **state)
{
	static const char *const texts[] = { "q=%E3%83%9E%E3%83%83%E3%83%88", "q=zzz" };
	for (int raised = 0; raised < 2; raised++) {
		for (size_t i = 0; i < 2; i++) {
			expect_told(T, ONE_FACTOR, "search_part", texts[i], "second-factor");
			expect_told(T, STALE, "search_part", texts[i], "step-up");
			expect_told(T, FRESH, "search_part", texts[i], NULL);
		}
		test_sql(&test, "UPDATE learning.unit SET label = 'II'");
	}
}

/* Between 19 newer units and an older one with the same word: that one is shown in its place. */
static void what_is_shut_leaves_no_gap_in_a_search(void **state)
{
	static const char older[] = ID("001");
	test_sql(&test,
		"INSERT INTO learning.unit (tenant_id, id, title)"
		" SELECT '" TEST_TENANT "'::uuid, format('01890000-0000-7000-9000-%s',"
		" lpad(i::text, 12, '0'))::uuid, 'マット' FROM generate_series(1, 19) i"
		" UNION ALL SELECT '" TEST_TENANT "', '" ID("001") "'::uuid, 'マット'");
	static const char q[] = "q=%E3%83%9E%E3%83%83%E3%83%88";
	assert_null(strstr(seen_by(T, ONE_FACTOR, "search_part", q), older));
	test_sql(&test, "UPDATE learning.unit SET label = 'II' WHERE id = '" UNIT "'");
	assert_non_null(strstr(seen_by(T, ONE_FACTOR, "search_part", q), older));
	assert_null(strstr(seen_by(T, STALE, "search_part", q), older));
	test_sql(&test, "DELETE FROM learning.unit WHERE title = 'マット'");
}

static void what_is_refused_has_changed_nothing(void **state)
{
	const char *comments = "SELECT count(*) FROM learning.comment";
	raise_try("II");
	const char *before = test_sql_text(&test, comments);
	expect_code(T, ONE_FACTOR, "comment_create", TRY(SHARED), DRAFT, FACTOR);
	expect_code(T, ONE_FACTOR, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", FACTOR);
	assert_string_equal(test_sql_text(&test, comments), before);
	assert_string_equal(
		test_sql_text(&test, "SELECT label FROM learning.try WHERE id = '" SHARED "'"),
		"II");
	/* Nor does anybody raise something above what the own session may see. */
	expect_code(T, ONE_FACTOR, "try_label_put", TRY(SUBMITTED), "{\"label\":\"II\"}", FACTOR);
	assert_string_equal(
		test_sql_text(
			&test, "SELECT count(label) FROM learning.try WHERE id = '" SUBMITTED "'"),
		"0");
}

/* An answer that is given again is one, too. */
static void a_repetition_takes_what_the_class_takes_by_now(void **state)
{
	struct reply reply;
	struct actor one_factor = person(&test, T);
	one_factor.needs_second_factor = true;
	one_factor.factors = 1;
	const struct test_request request = { .operation = "comment_create",
		.actor = &one_factor,
		.params = TRY(SHARED),
		.body = DRAFT,
		.idempotency_key = "again" };
	for (int i = 0; i < 2; i++) {
		test_dispatch(&test, &request, &reply, NULL);
		assert_int_equal(reply.status, 201);
	}
	raise_try("II");
	test_dispatch(&test, &request, &reply, NULL);
	assert_string_equal(code_of(&reply), FACTOR);
	assert_null(memmem(reply.body.data, reply.body.n, "tryId", 5));
}

static void lowering_takes_a_reason_and_the_one_who_raised(void **state)
{
	raise_try("II");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"III\"}",
		"label_reason_required");
	expect_code(P, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", "label_raised_by_teacher");
	/* Raising it further does not make it the pupil's. */
	expect_code(P, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"I\"}", "");
	expect_code(P, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", "label_raised_by_teacher");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", "");
	assert_non_null(strstr(seen_by(MATE, FRESH, "try_list", NULL), SHARED));
	expect_code(P, FRESH, "try_label_put", TRY(RECORDED), "{\"label\":\"II\"}", "");
	expect_code(P, FRESH, "try_label_put", TRY(RECORDED),
		"{\"label\":\"III\",\"reason\":\"raised_by_mistake\"}", "");
	expect_code(MATE, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"II\"}", "not_found");
	expect_code(
		FOREIGN_T, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"II\"}", "not_found");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"IV\"}", "invalid");
}

static void the_record_has_the_class_and_the_reason(void **state)
{
	raise_try("II");
	expect_code(T, FRESH, "media_content", VIDEO(SHARED_MEDIA), NULL, "");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"no_longer_sensitive\"}", "");
	static const char *const wanted[] = {
		"%try_label_put%\"unmapped\":{\"label\":\"II\",\"proof\":{\"at\":%}},"
		"\"metadata\"%\"labels\":[\"II\"]%",
		"%\"owner\":{\"uid\":\"" PUPIL "\"}}],%media_content%\"proof\":{\"at\":%}},"
		"\"metadata\"%\"labels\":[\"II\"]%",
		"%\"label\":\"III\",\"reason\":\"no_longer_sensitive\",\"proof\":{\"at\":%}},"
		"\"metadata\"%\"labels\":[\"II\"]%",
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_string_equal(
			test_sql_text(&test,
				arena_printf(test.arena,
					"SELECT count(*) FROM learning.outbox WHERE kind = 'audit'"
					" AND body LIKE '%s'",
					wanted[i])),
			"1");
}

/* A look at a video takes many windows, and its class is asked for the first: but who sees it at
 * all, each time. */
static void a_look_that_has_begun_goes_on(void **state)
{
	struct actor actor = person(&test, T);
	const struct test_request request = { .operation = "media_content",
		.actor = &actor,
		.params = VIDEO(SHARED_MEDIA),
		.continued = true };
	struct reply reply;
	actor.needs_second_factor = true;
	actor.factors = 1;
	raise_try("II");
	expect_code(T, ONE_FACTOR, "media_content", VIDEO(SHARED_MEDIA), NULL, FACTOR);
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	actor = person(&test, MATE);
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 404);
}

static void raise_unit(const char *label)
{
	expect_code(T, FRESH, "unit_label_put", "unitId=" UNIT,
		arena_printf(test.arena, "{\"label\":\"%s\"}", label), "");
}

/* For the access log: what was asked for, though it was refused, and what was told. */
static void an_answer_says_the_class_of_what_it_is_about(void **state)
{
	static const struct {
		enum who who;
		enum proof proof;
		const char *operation, *params;
		enum label before, after;
	} rows[] = {
		{ T, STALE, "try_get", TRY(SHARED), LABEL_III, LABEL_II },
		{ T, ONE_FACTOR, "try_get", TRY(SHARED), LABEL_III, LABEL_II },
		{ P, STALE, "try_get", TRY(SHARED), LABEL_III, LABEL_II },
		{ T, STALE, "comment_list", TRY(SHARED), LABEL_III, LABEL_II },
		{ T, ONE_FACTOR, "comment_list", TRY(SHARED), LABEL_III, LABEL_II },
		{ T, STALE, "media_content", VIDEO(SHARED_MEDIA), LABEL_III, LABEL_II },
		{ T, STALE, "try_list", NULL, LABEL_III, LABEL_II },
		{ T, ONE_FACTOR, "try_list", NULL, LABEL_III, LABEL_III }, /* left out */
		{ MATE, FRESH, "try_list", NULL, LABEL_III, LABEL_III },
		{ T, FRESH, "unit_get", "unitId=" UNIT, LABEL_IV, LABEL_I },
		{ T, STALE, "unit_get", "unitId=" UNIT, LABEL_IV, LABEL_I },
		{ T, FRESH, "unit_list", NULL, LABEL_IV, LABEL_I },
	};
	test_sql(&test, "DELETE FROM learning.evaluation");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(
			class_of(rows[i].who, rows[i].proof, rows[i].operation, rows[i].params),
			rows[i].before);
	expect_code(T, STALE, "evaluation_put", TRY(SHARED), GRADES, "");
	assert_int_equal(class_of(T, STALE, "try_get", TRY(SHARED)), LABEL_II);
	assert_int_equal(class_of(T, ONE_FACTOR, "try_get", TRY(SHARED)), LABEL_III);
	raise_try("II");
	raise_unit("I");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(
			class_of(rows[i].who, rows[i].proof, rows[i].operation, rows[i].params),
			rows[i].after);
}

static void a_raised_unit_is_not_for_pupils_nor_are_its_assignments(void **state)
{
	static const char *const on_unit[][2] = { { "unit_get", "unitId=" UNIT },
		{ "assignment_get", "assignmentId=" ASSIGNMENT },
		{ "media_content", VIDEO(MODEL) } };
	raise_unit("III");
	for (size_t i = 0; i < 3; i++)
		expect_code(P, STALE, on_unit[i][0], on_unit[i][1], NULL, "");
	raise_unit("II");
	for (size_t i = 0; i < 3; i++) {
		expect_code(P, FRESH, on_unit[i][0], on_unit[i][1], NULL, "not_found");
		expect_code(T, ONE_FACTOR, on_unit[i][0], on_unit[i][1], NULL, FACTOR);
		expect_code(T, STALE, on_unit[i][0], on_unit[i][1], NULL, "");
	}
	expect_code(T, ONE_FACTOR, "board_get", "assignmentId=" ASSIGNMENT, NULL, FACTOR);
	expect_code(P, FRESH, "goal_get", "assignmentId=" ASSIGNMENT, NULL, "not_found");
	static const struct {
		const char *operation, *params;
	} lists[] = { { "unit_list", NULL }, { "assignment_list", NULL }, { "home_part", NULL },
		{ "search_part", "q=%E3%83%9E%E3%83%83%E3%83%88" } };
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_null(strstr(
			seen_by(T, ONE_FACTOR, lists[i].operation, lists[i].params), "マット"));
		assert_non_null(
			strstr(seen_by(T, STALE, lists[i].operation, lists[i].params), "マット"));
	}
	assert_null(strstr(seen_by(P, FRESH, "home_part", NULL), "マット"));
	/* What pupils made in it is theirs. */
	expect_code(P, STALE, "try_get", TRY(RECORDED), NULL, "");
}

static void pupils_are_not_told_of_what_they_do_not_see(void **state)
{
	raise_unit("II");
	test_sql(&test, "DELETE FROM learning.outbox");
	expect_code(T, FRESH, "assignment_create", NULL,
		"{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}", "");
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM learning.outbox WHERE kind = 'event'"),
		"1");
	expect_code(T, ONE_FACTOR, "assignment_create", NULL,
		"{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}", FACTOR);
}

/* The newest that names this user. */
static const char *event_about(const char *user_id)
{
	return test_event(&test, "lesson.happened", user_id);
}

static const char *count_events(void)
{
	return test_sql_text(
		&test, "SELECT count(*) FROM learning.outbox WHERE type = 'lesson.happened'");
}

/* The newest; before it, of each thing that is shut now, that notices of it go. */
static void expect_change_of(const char *events, const char *watchers)
{
	assert_string_equal(count_events(), events);
	assert_string_equal(event_about(""),
		arena_printf(test.arena,
			"{\"kind\":\"change\",\"recipients\":[],\"watchers\":[%s]}", watchers));
	test_sql(&test, "DELETE FROM learning.outbox");
}

static void expect_change(const char *watchers)
{
	expect_change_of("1", watchers);
}

#define QUOTED(id_) "\"" id_ "\""
#define ITS_CLASS QUOTED(PUPIL) "," QUOTED(CLASSMATE) "," QUOTED(TEACHER)

/* The number of a transaction is another each time; it is the last member. */
static const char *without_xact(const char *event)
{
	const char *at = strstr(event, "\"xact\":\"");
	assert_non_null(at);
	return arena_strndup(test.arena, event, (size_t)(at - event));
}

static void pages_of_who_could_see_a_try_look_again_and_are_told_no_id(void **state)
{
	raise_try("II");
	assert_string_equal(without_xact(event_about(SHARED)),
		"{\"kind\":\"shut\",\"tryId\":\"" SHARED "\",\"recipients\":[\"" PUPIL "\"],");
	expect_change_of("2", ITS_CLASS);
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", "");
	expect_change(ITS_CLASS);
	/* Of what is not shared classmates are not even told that something happened to it. */
	expect_code(P, FRESH, "try_label_put", TRY(RECORDED), "{\"label\":\"II\"}", "");
	expect_change_of("2", QUOTED(PUPIL) "," QUOTED(TEACHER));
}

/* Teachers look again, by whatever session, and no notice names the try; its pupil has one. */
static void what_happens_to_a_raised_try_is_told_to_its_pupil_alone(void **state)
{
	raise_try("II");
	test_sql(&test, "DELETE FROM learning.outbox");
	expect_code(T, FRESH, "comment_create", TRY(SHARED), "{\"positionMs\":1,\"text\":\"よい\"}",
		"");
	assert_non_null(strstr(event_about(SHARED), "\"recipients\":[\"" PUPIL "\"]"));
	assert_null(strstr(event_about(SHARED), TEACHER));
	assert_null(strstr(event_about(TEACHER), SHARED));
	assert_non_null(strstr(event_about(TEACHER), "\"kind\":\"change\""));
}

static const char *member_of(const char *event, const char *name)
{
	const struct json *json;
	assert_int_equal(json_parse(test.arena, event, strlen(event), &json), OK);
	return json_text(json_member(json, name));
}

/* The newest event of a comment; all are forgotten. */
static const char *seen_by_a_comment(void)
{
	expect_code(T, FRESH, "comment_create", TRY(SHARED), "{\"positionMs\":1,\"text\":\"よい\"}",
		"");
	const char *seen = member_of(event_about(SHARED), "seen");
	test_sql(&test, "DELETE FROM learning.outbox");
	return seen;
}

static bool is_in(const char *snapshot, const char *xact)
{
	return *test_sql_text(&test,
		       arena_printf(test.arena,
			       "SELECT pg_visible_in_snapshot('%s'::xid8, '%s'::pg_snapshot)::text",
			       xact, snapshot)) == 't';
}

/* So that what was on its way meanwhile can be told from what happens when it is lowered again. */
static void what_happens_says_whether_it_had_seen_it_shut(void **state)
{
	const char *before = seen_by_a_comment();
	raise_try("II");
	const char *xact = member_of(event_about(SHARED), "xact");
	test_sql(&test, "DELETE FROM learning.outbox");
	assert_false(is_in(before, xact));
	assert_true(is_in(seen_by_a_comment(), xact));
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"III\",\"reason\":\"consent_given\"}", "");
	assert_true(is_in(seen_by_a_comment(), xact));
}

static void pages_of_the_class_look_again_when_a_try_is_shared_or_not_any_more(void **state)
{
	static const char *const shared[] = { "false", "true" };
	for (size_t i = 0; i < 2; i++) {
		expect_code(T, FRESH, "try_sharing_put", TRY(SHARED),
			arena_printf(test.arena, "{\"shared\":%s}", shared[i]), "");
		expect_change(ITS_CLASS);
	}
}

static void pages_of_all_teachers_and_of_its_classes_look_again_for_a_unit(void **state)
{
	raise_unit("II");
	expect_change_of("3", ITS_CLASS "," QUOTED(OTHER_TEACHER));
}

/* One event names 500 people at most. */
static void as_many_as_there_are_hear_of_a_unit(void **state)
{
	static const char many[] =
		"INSERT INTO learning.member (tenant_id, id, version, role, status, name)"
		" SELECT '" TEST_TENANT "', format('01890000-0000-7000-9000-%s',"
		" lpad(i::text, 12, '0'))::uuid, 1, 'instructor', 'active', m.name"
		" FROM generate_series(1, 996) i, learning.member m"
		" WHERE m.id = '" TEACHER "'";
	test_sql(&test, many);
	raise_unit("II");
	assert_string_equal(count_events(), "4"); /* two for its assignments */
	assert_true(*event_about("01890000-0000-7000-9000-000000000001"));
	assert_true(*event_about("01890000-0000-7000-9000-000000000996"));
	test_sql(&test,
		"DELETE FROM learning.member WHERE id > '01890000-0000-7000-9000-000000000000'");
}

/* ---- a user who was raised: what belongs to the user follows ---- */

static void raise_user(const char *user_id, const char *label)
{
	test_sql(&test,
		arena_printf(test.arena, "UPDATE learning.member SET label = '%s' WHERE id = '%s'",
			label, user_id));
}

static void what_a_raised_pupil_made_is_of_that_class(void **state)
{
	static const struct {
		const char *label, *stale;
	} classes[] = { { "II", "" }, { "I", PASSWORD } };
	for (size_t k = 0; k < 2; k++) {
		raise_user(PUPIL, classes[k].label);
		for (size_t i = 0; i < sizeof(on_try) / sizeof(on_try[0]); i++) {
			const char *at = on_try[i].operation, *params = on_try[i].params;
			if (strcmp(at, "try_label_put") == 0)
				continue;
			expect_code(T, ONE_FACTOR, at, params, on_try[i].body, FACTOR);
			expect_code(T, STALE, at, params, on_try[i].body, classes[k].stale);
			expect_code(T, FRESH, at, params, on_try[i].body, "");
			if (!on_try[i].is_pupils)
				continue;
			expect_code(MATE, FRESH, at, params, on_try[i].body, "not_found");
			expect_code(P, FRESH, at, params, on_try[i].body, "");
		}
		expect_code(MATE, FRESH, "peer_comment_create", TRY(SHARED), DRAFT, "not_found");
	}
	/* The graver of the two counts, whichever it is. */
	raise_user(PUPIL, "II");
	raise_try("I");
	expect_code(T, STALE, "try_get", TRY(SHARED), NULL, PASSWORD);
	expect_code(T, STALE, "try_get", TRY(SUBMITTED), NULL, "");
}

static void lists_leave_a_raised_pupil_out(void **state)
{
	static const struct {
		const char *operation, *params;
	} lists[] = { { "try_list", NULL }, { "board_get", "assignmentId=" ASSIGNMENT } };
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *at = lists[i].operation, *params = lists[i].params;
		test_sql(&test, "UPDATE learning.member SET label = NULL");
		assert_non_null(strstr(seen_by(T, ONE_FACTOR, at, params), PUPIL));
		expect_told(T, ONE_FACTOR, at, params, NULL);
		raise_user(PUPIL, "II");
		assert_null(strstr(seen_by(T, ONE_FACTOR, at, params), PUPIL));
		expect_told(T, ONE_FACTOR, at, params, "second-factor");
		assert_non_null(strstr(seen_by(T, STALE, at, params), PUPIL));
		raise_user(PUPIL, "I");
		assert_null(strstr(seen_by(T, STALE, at, params), PUPIL));
		expect_told(T, STALE, at, params, "step-up");
		assert_non_null(strstr(seen_by(T, FRESH, at, params), PUPIL));
	}
	assert_non_null(
		strstr(seen_by(T, ONE_FACTOR, "board_get", "assignmentId=" ASSIGNMENT), CLASSMATE));
	assert_null(strstr(seen_by(MATE, FRESH, "try_list", NULL), PUPIL));
	expect_told(MATE, FRESH, "try_list", NULL, NULL);
}

/* Under a classmate's video, too. */
static void what_a_raised_pupil_says_is_for_no_classmate(void **state)
{
	expect_code(MATE, FRESH, "peer_comment_create", TRY(SHARED), DRAFT, "");
	assert_non_null(strstr(seen_by(P, STALE, "comment_list", TRY(SHARED)), CLASSMATE));
	test_sql(&test, "DELETE FROM learning.outbox");
	raise_user(CLASSMATE, "II");
	assert_null(strstr(seen_by(P, FRESH, "comment_list", TRY(SHARED)), CLASSMATE));
	expect_told(P, FRESH, "comment_list", TRY(SHARED), NULL);
	assert_non_null(strstr(seen_by(MATE, STALE, "comment_list", TRY(SHARED)), CLASSMATE));
	assert_null(strstr(seen_by(T, ONE_FACTOR, "comment_list", TRY(SHARED)), CLASSMATE));
	expect_told(T, ONE_FACTOR, "comment_list", TRY(SHARED), "second-factor");
	assert_non_null(strstr(seen_by(T, STALE, "comment_list", TRY(SHARED)), CLASSMATE));
	/* Nor is the pupil of the video told that there is something. */
	expect_code(MATE, FRESH, "peer_comment_create", TRY(SHARED), DRAFT, "");
	assert_string_equal(count_events(), "1");
	assert_null(strstr(event_about(SHARED), PUPIL));
	assert_non_null(strstr(event_about(SHARED), "\"recipients\":[" QUOTED(TEACHER) "]"));
	/* A teacher's word stays. */
	raise_user(TEACHER, "II");
	expect_code(T, FRESH, "comment_create", TRY(SHARED), DRAFT, "");
	assert_non_null(strstr(seen_by(P, STALE, "comment_list", TRY(SHARED)), TEACHER));
	test_sql(&test, "DELETE FROM learning.comment");
}

static void a_try_is_not_lowered_below_its_pupil(void **state)
{
	static const char lower[] = "{\"label\":\"III\",\"reason\":\"consent_given\"}";
	raise_user(PUPIL, "II");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED), "{\"label\":\"I\"}", "");
	expect_code(T, STALE, "try_label_put", TRY(SHARED), lower, PASSWORD);
	expect_code(T, FRESH, "try_label_put", TRY(SHARED), lower, "label_followed");
	expect_code(T, FRESH, "try_label_put", TRY(SHARED),
		"{\"label\":\"II\",\"reason\":\"consent_given\"}", "");
	expect_code(T, STALE, "try_get", TRY(SHARED), NULL, "");
}

/* And are told no id. */
static void its_teachers_look_again_though_there_is_no_try(void)
{
	test_sql(&test, "DELETE FROM learning.outbox");
	expect_code(P, FRESH, "goal_put", "assignmentId=" ASSIGNMENT,
		"{\"goal\":\"高く\",\"condition\":5}", "");
	assert_non_null(strstr(event_about(TEACHER), "\"kind\":\"change\""));
	assert_null(strstr(event_about(TEACHER), ASSIGNMENT));
	assert_null(strstr(event_about(ASSIGNMENT), TEACHER));
	test_sql(&test, "DELETE FROM learning.goal WHERE id <> '" GOAL "'");
}

/* Its pupils are in it and see it; of the staff it takes what its class takes. */
static void what_is_made_in_a_raised_class_is_of_that_class(void **state)
{
	test_sql(&test,
		"UPDATE learning.class SET label = 'II' WHERE id = '" CLASS "';"
		"DELETE FROM learning.outbox");
	static const char *const rows[][2] = { { "try_get", TRY(SHARED) },
		{ "comment_list", TRY(SHARED) }, { "media_content", VIDEO(SHARED_MEDIA) },
		{ "assignment_get", "assignmentId=" ASSIGNMENT } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_code(T, ONE_FACTOR, rows[i][0], rows[i][1], NULL, FACTOR);
		expect_code(T, STALE, rows[i][0], rows[i][1], NULL, "");
		expect_code(P, STALE, rows[i][0], rows[i][1], NULL, "");
		expect_code(MATE, STALE, rows[i][0], rows[i][1], NULL, "");
		expect_code(OUT, FRESH, rows[i][0], rows[i][1], NULL, "not_found");
	}
	expect_code(T, ONE_FACTOR, "board_get", "assignmentId=" ASSIGNMENT, NULL, FACTOR);
	static const char *const lists[] = { "assignment_list", "home_part", "try_list" };
	for (size_t i = 0; i < 3; i++) {
		assert_null(strstr(seen_by(T, ONE_FACTOR, lists[i], NULL), ASSIGNMENT));
		expect_told(T, ONE_FACTOR, lists[i], NULL, "second-factor");
		assert_non_null(strstr(seen_by(T, STALE, lists[i], NULL), ASSIGNMENT));
		assert_non_null(strstr(seen_by(MATE, STALE, lists[i], NULL), ASSIGNMENT));
	}
	/* They are told of a new assignment, too. */
	expect_code(T, FRESH, "assignment_create", NULL,
		"{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}", "");
	assert_non_null(strstr(event_about(CLASSMATE), "\"recipients\":[\""));
	test_sql(&test, "DELETE FROM learning.assignment WHERE id <> '" ASSIGNMENT "'");
	its_teachers_look_again_though_there_is_no_try();
	assert_string_equal(
		test_sql_text(&test,
			"SELECT string_agg(DISTINCT label, ' ') FROM learning.kept_record"
			" WHERE assignment_id = '" ASSIGNMENT "'"),
		"II");
}

static void expect_kept(const char *user_id, const char *kinds_and_labels)
{
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT string_agg(DISTINCT concat_ws(' ', kind, label), ', ')"
				" FROM learning.kept_record WHERE user_id = '%s'",
				user_id)),
		kinds_and_labels);
}

/* How long things are kept goes by their class, so it follows, too: also of what was not sent. */
static void what_is_kept_of_a_raised_pupil_is_of_that_class(void **state)
{
	raise_user(PUPIL, "II");
	expect_kept(PUPIL, "try II");
	test_sql(&test,
		"INSERT INTO learning.goal (tenant_id, id, assignment_id, user_id, content)"
		" VALUES ('" TEST_TENANT
		"', '" ID("305") "', '" ASSIGNMENT "', '" CLASSMATE "', " NO_MEDIA_KEY ");"
				 "INSERT INTO learning.media (tenant_id, id, uploader_id, "
				 "uploader_role, size,"
				 " received, content_type, completed_at, sealed_key) VALUES "
				 "('" TEST_TENANT
				 "', '" ID("405") "', '" CLASSMATE
						  "', 'student', 9, 9, 'video/mp4', now(),"
						  " " NO_MEDIA_KEY ")");
	expect_kept(CLASSMATE, "goal III, media III");
	raise_user(CLASSMATE, "II");
	expect_kept(CLASSMATE, "goal II, media II");
	test_sql(&test, "UPDATE learning.class SET label = 'I' WHERE id = '" CLASS "'");
	expect_kept(CLASSMATE, "goal I, media II");
	test_sql(&test,
		"DELETE FROM learning.goal WHERE id = '" ID(
			"305") "';"
			       "DELETE FROM learning.media WHERE id = '" ID("405") "'");
}

int main(void)
{
#define AS_IT_WAS(fact_) cmocka_unit_test_teardown(fact_, calm_down)
	static const struct CMUnitTest tests[] = {
		AS_IT_WAS(a_raised_try_takes_what_its_class_takes),
		AS_IT_WAS(its_pupil_sees_it_and_classmates_do_not),
		AS_IT_WAS(lists_leave_it_out),
		AS_IT_WAS(home_counts_no_try_that_is_shut),
		AS_IT_WAS(the_board_has_no_try_that_is_shut),
		AS_IT_WAS(an_answer_says_to_those_who_may_see_it_that_something_is_left_out),
		AS_IT_WAS(a_search_says_the_same_whatever_is_in_what_is_shut),
		AS_IT_WAS(what_is_shut_leaves_no_gap_in_a_search),
		AS_IT_WAS(what_is_refused_has_changed_nothing),
		AS_IT_WAS(a_repetition_takes_what_the_class_takes_by_now),
		AS_IT_WAS(lowering_takes_a_reason_and_the_one_who_raised),
		AS_IT_WAS(the_record_has_the_class_and_the_reason),
		AS_IT_WAS(a_look_that_has_begun_goes_on),
		AS_IT_WAS(an_answer_says_the_class_of_what_it_is_about),
		AS_IT_WAS(a_raised_unit_is_not_for_pupils_nor_are_its_assignments),
		AS_IT_WAS(pupils_are_not_told_of_what_they_do_not_see),
		AS_IT_WAS(pages_of_who_could_see_a_try_look_again_and_are_told_no_id),
		AS_IT_WAS(what_happens_to_a_raised_try_is_told_to_its_pupil_alone),
		AS_IT_WAS(what_happens_says_whether_it_had_seen_it_shut),
		AS_IT_WAS(pages_of_the_class_look_again_when_a_try_is_shared_or_not_any_more),
		AS_IT_WAS(pages_of_all_teachers_and_of_its_classes_look_again_for_a_unit),
		AS_IT_WAS(as_many_as_there_are_hear_of_a_unit),
		AS_IT_WAS(what_a_raised_pupil_made_is_of_that_class),
		AS_IT_WAS(lists_leave_a_raised_pupil_out),
		AS_IT_WAS(what_a_raised_pupil_says_is_for_no_classmate),
		AS_IT_WAS(a_try_is_not_lowered_below_its_pupil),
		AS_IT_WAS(what_is_made_in_a_raised_class_is_of_that_class),
		AS_IT_WAS(what_is_kept_of_a_raised_pupil_is_of_that_class),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
