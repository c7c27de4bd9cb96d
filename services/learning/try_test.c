/* Who sees what of a lesson, and how a try goes its way. */
#include "services/learning/lesson_world.h"

#include "libcommon/json.h"
#include "libcommon/keyring_user.h"

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

#define TRY(id_) "tryId=" id_
#define ON(id_) "assignmentId=" id_
#define VIDEO(id_) "mediaId=" id_
#define HEAD(id_) "mediaId=" id_ "&tusResumable=1.0.0"

/* The whole table: reads down, people across. 403 is the role, before anything is looked for. */
static const struct {
	const char *operation, *params;
	unsigned status[WHO];
} reads[] = {
	{ "try_get", TRY(RECORDED), { 200, 404, 404, 404, 404, 403, 404, 404 } },
	{ "try_get", TRY(SUBMITTED), { 200, 404, 404, 200, 404, 403, 404, 404 } },
	{ "try_get", TRY(SHARED), { 200, 200, 404, 200, 404, 403, 404, 404 } },
	{ "comment_list", TRY(RECORDED), { 200, 404, 404, 404, 404, 403, 404, 404 } },
	{ "comment_list", TRY(SUBMITTED), { 200, 404, 404, 200, 404, 403, 404, 404 } },
	{ "comment_list", TRY(SHARED), { 200, 200, 404, 200, 404, 403, 404, 404 } },
	{ "assignment_get", ON(ASSIGNMENT), { 200, 200, 404, 200, 404, 403, 404, 404 } },
	{ "board_get", ON(ASSIGNMENT), { 403, 403, 403, 200, 404, 403, 404, 403 } },
	{ "goal_get", ON(ASSIGNMENT), { 200, 404, 404, 403, 403, 403, 403, 404 } },
	{ "unit_get", "unitId=" UNIT, { 200, 200, 404, 200, 200, 403, 404, 404 } },
	{ "media_content", VIDEO(RECORDED_MEDIA), { 200, 404, 404, 404, 404, 403, 404, 404 } },
	{ "media_content", VIDEO(SUBMITTED_MEDIA), { 200, 404, 404, 200, 404, 403, 404, 404 } },
	{ "media_content", VIDEO(SHARED_MEDIA), { 200, 200, 404, 200, 404, 403, 404, 404 } },
	{ "media_content", VIDEO(MODEL), { 200, 200, 404, 200, 200, 403, 404, 404 } },
	{ "media_head", HEAD(SHARED_MEDIA), { 200, 404, 404, 404, 404, 403, 404, 404 } },
	{ "media_head", HEAD(MODEL), { 404, 404, 404, 200, 404, 403, 404, 404 } },
};

static void each_read_shows_what_the_person_may_see(void **state)
{
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		for (enum who who = 0; who < WHO; who++) {
			struct reply reply =
				ask(&test, who, reads[i].operation, reads[i].params, NULL);
			expect_status(&reply, reads[i].status[who], reads[i].operation, who);
		}
	}
}

/* The body without the trace id, the only thing that may differ. */
static const char *telling(const struct reply *reply)
{
	char *text = arena_strndup(test.arena, (const char *)reply->body.data, reply->body.n);
	char *trace = strstr(text, "\"traceId\":\"");
	assert_non_null(trace);
	memset(trace + 11, '-', 36);
	return text;
}

static void what_is_hidden_looks_like_what_is_missing(void **state)
{
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		char *missing = arena_strdup(test.arena, reads[i].params);
		memcpy(strchr(missing, '=') + 1, MISSING, sizeof(MISSING) - 1);
		for (enum who who = 0; who < WHO; who++) {
			if (reads[i].status[who] != 404)
				continue;
			struct reply hidden =
				ask(&test, who, reads[i].operation, reads[i].params, NULL);
			struct reply none = ask(&test, who, reads[i].operation, missing, NULL);
			assert_string_equal(telling(&hidden), telling(&none));
			assert_int_equal(hidden.headers.n, none.headers.n);
		}
	}
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void lists_hold_what_the_person_may_see(void **state)
{
	static const struct {
		const char *operation;
		size_t items[WHO];
	} lists[] = {
		{ "try_list", { 3, 1, 0, 2, 0, 0, 0, 0 } },
		{ "assignment_list", { 1, 1, 0, 1, 0, 0, 0, 0 } },
		{ "skill_list", { 1, 1, 1, 1, 1, 0, 0, 0 } },
	};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (enum who who = 0; who < WHO; who++) {
			struct reply reply = ask(&test, who, lists[i].operation, NULL, NULL);
			expect_status(&reply, who == STAFF ? 403 : 200, lists[i].operation, who);
			assert_int_equal(
				count(body_of(&test, &reply), "{\"id\":"), lists[i].items[who]);
		}
	}
}

static void a_classmate_does_not_read_goal_and_reflection(void **state)
{
	struct reply own = ask(&test, P, "try_get", TRY(SHARED), NULL);
	struct reply seen = ask(&test, MATE, "try_get", TRY(SHARED), NULL);
	assert_non_null(strstr(body_of(&test, &own), "\"reflection\""));
	assert_non_null(strstr(body_of(&test, &own), "\"goal\""));
	assert_null(strstr(body_of(&test, &seen), "\"reflection\""));
	assert_null(strstr(body_of(&test, &seen), "\"goal\""));
	assert_non_null(strstr(body_of(&test, &seen), "\"modelMediaId\":\"" MODEL "\""));
}

#define DRAFT "{\"positionMs\":2400,\"text\":\"ひざ\"}"
#define MARKS                                                                                      \
	"\"knowledgeAndSkills\":\"A\",\"thinkingJudgementExpression\":\"B\","                      \
	"\"proactiveAttitude\":\"C\""
#define GRADES "{" MARKS "}"

static void writing_needs_more_than_seeing(void **state)
{
	static const struct {
		const char *operation, *params, *body;
		unsigned status[WHO];
	} writes[] = {
		{ "comment_create", TRY(SUBMITTED), DRAFT,
			{ 403, 403, 403, 201, 404, 403, 404, 403 } },
		{ "comment_create", TRY(RECORDED), DRAFT,
			{ 403, 403, 403, 404, 404, 403, 404, 403 } },
		{ "evaluation_put", TRY(RECORDED), GRADES,
			{ 403, 403, 403, 404, 404, 403, 404, 403 } },
		{ "try_sharing_put", TRY(RECORDED), "{\"shared\":true}",
			{ 403, 403, 403, 404, 404, 403, 404, 403 } },
		{ "peer_comment_create", TRY(SHARED), DRAFT,
			{ 403, 201, 404, 403, 403, 403, 403, 404 } },
		{ "peer_comment_create", TRY(SUBMITTED), DRAFT,
			{ 403, 404, 404, 403, 403, 403, 403, 404 } },
		{ "try_submit", TRY(SHARED), NULL, { 200, 404, 404, 403, 403, 403, 403, 404 } },
		{ "reflection_put", TRY(SHARED), "{\"feeling\":3}",
			{ 200, 404, 404, 403, 403, 403, 403, 404 } },
		{ "reflection_put", TRY(RECORDED), "{\"feeling\":3}",
			{ 409, 404, 404, 403, 403, 403, 403, 404 } },
		{ "goal_put", ON(ASSIGNMENT), "{\"goal\":\"高く\",\"condition\":5}",
			{ 200, 200, 404, 403, 403, 403, 403, 404 } },
		{ "assignment_create", NULL, "{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}",
			{ 403, 403, 403, 201, 404, 403, 404, 403 } },
		{ "try_create", NULL,
			"{\"assignmentId\":\"" ASSIGNMENT "\",\"skillId\":\"" SKILL
			"\",\"mediaId\":\"" SHARED_MEDIA "\"}",
			{ 409, 404, 404, 403, 403, 403, 403, 404 } },
		{ "unit_model_put", "unitId=" UNIT "&skillId=" SKILL, "{\"mediaId\":\"" MODEL "\"}",
			{ 403, 403, 403, 204, 204, 403, 404, 403 } },
		{ "unit_model_put", "unitId=" UNIT "&skillId=" SKILL,
			"{\"mediaId\":\"" SHARED_MEDIA "\"}",
			{ 403, 403, 403, 404, 404, 403, 404, 403 } },
	};
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		for (enum who who = 0; who < WHO; who++) {
			struct reply reply = ask(
				&test, who, writes[i].operation, writes[i].params, writes[i].body);
			expect_status(&reply, writes[i].status[who], writes[i].operation, who);
		}
	}
}

/* ---- a lesson ---- */

#define NEW_MEDIA ID("410")

static const char *state_seen(enum who who, const char *try_id)
{
	struct reply reply =
		ask(&test, who, "try_get", arena_printf(test.arena, "tryId=%s", try_id), NULL);
	if (reply.status != 200)
		return "";
	const char *state = strstr(body_of(&test, &reply), "\"state\":\"") + 9;
	return arena_strndup(test.arena, state, (size_t)(strchr(state, '"') - state));
}

static const char *last_event(void)
{
	return test_event(&test, "lesson.happened", "");
}

static const char *make_try(void)
{
	test_sql(&test,
		"INSERT INTO learning.media (tenant_id, id, uploader_id, uploader_role,"
		" size, received, content_type, completed_at, sealed_key) VALUES ('" TEST_TENANT
		"', '" NEW_MEDIA "', '" PUPIL "', 'student', 10, 10, 'video/webm',"
		" now(), " NO_MEDIA_KEY ")");
	struct reply reply = ask(&test, P, "try_create", NULL,
		"{\"assignmentId\":\"" ASSIGNMENT "\",\"skillId\":\"" SKILL
		"\",\"mediaId\":\"" NEW_MEDIA "\"}");
	expect_status(&reply, 201, "try_create", P);
	return arena_strndup(test.arena, strstr(body_of(&test, &reply), "{\"id\":\"") + 7, 36);
}

static void expect_event(const char *kind, const char *recipients, const char *watchers)
{
	const char *body = last_event();
	assert_non_null(strstr(body, arena_printf(test.arena, "\"kind\":\"%s\"", kind)));
	assert_non_null(strstr(body, arena_printf(test.arena, "\"recipients\":[%s]", recipients)));
	if (*watchers)
		assert_non_null(
			strstr(body, arena_printf(test.arena, "\"watchers\":[%s]", watchers)));
	else
		assert_null(strstr(body, "\"watchers\":[\""));
}

static void a_try_goes_from_recorded_to_reflected(void **state)
{
	const char *id = make_try(), *params = arena_printf(test.arena, "tryId=%s", id);
	assert_string_equal(state_seen(P, id), "recorded");
	assert_string_equal(state_seen(T, id), "");
	expect_event("submission", "", "\"" TEACHER "\"");

	(void)ask(&test, P, "try_submit", params, NULL);
	assert_string_equal(state_seen(T, id), "waiting");
	expect_event("submission", "\"" TEACHER "\"", "");

	(void)ask(&test, T, "comment_create", params, DRAFT);
	assert_string_equal(state_seen(P, id), "commented");
	expect_event("comment", "\"" PUPIL "\"", "\"" TEACHER "\"");
	assert_non_null(strstr(last_event(), "\"positionMs\":2400"));

	struct reply graded = ask(&test, T, "evaluation_put", params, GRADES);
	assert_non_null(strstr(body_of(&test, &graded), MARKS));
	assert_non_null(strstr(body_of(&test, &graded), "\"evaluatedAt\":\"20"));
	assert_string_equal(state_seen(P, id), "evaluated");
	expect_event("evaluation", "\"" PUPIL "\"", "\"" TEACHER "\"");

	(void)ask(&test, P, "reflection_put", params, "{\"feeling\":3,\"text\":\"できた\"}");
	assert_string_equal(state_seen(T, id), "reflected");
	expect_event("reflection", "\"" TEACHER "\"", "");
	struct reply detail = ask(&test, T, "try_get", params, NULL);
	assert_non_null(strstr(body_of(&test, &detail), MARKS));
	assert_non_null(strstr(body_of(&test, &detail), "\"feeling\":3,\"text\":\"できた\""));
	assert_non_null(strstr(body_of(&test, &detail), "\"goal\":\"まっすぐ\",\"condition\":4"));

	(void)ask(&test, T, "try_sharing_put", params, "{\"shared\":true}");
	(void)ask(&test, MATE, "peer_comment_create", params, DRAFT);
	expect_event("peer_comment", "\"" PUPIL "\",\"" TEACHER "\"", "");
	struct reply comments = ask(&test, P, "comment_list", params, NULL);
	assert_non_null(strstr(body_of(&test, &comments), "\"authorName\":\"青木 健\""));
}

/* Between the end of the key and that of the rows. */
static void what_an_erased_pupil_wrote_is_not_there(void **state)
{
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	struct reply detail = ask(&test, T, "try_get", TRY(SHARED), NULL);
	static const char *const words[] = { "\"goal\"", "\"evaluation\"", "\"reflection\"",
		"\"condition\"", "\"feeling\"" };
	expect_status(&detail, 200, "try_get", T);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_null(strstr(body_of(&test, &detail), words[i]));
	assert_non_null(strstr(body_of(&test, &detail), "\"familyName\":\"削除済み\""));
	struct reply board = ask(&test, T, "board_get", ON(ASSIGNMENT), NULL);
	expect_status(&board, 200, "board_get", T);
	assert_null(strstr(body_of(&test, &board), "\"condition\""));
}

/* The try is of class III, its evaluation of class II. */
static void an_evaluation_is_shown_to_two_factors_only(void **state)
{
	struct actor teacher = test_actor(&test, TEST_TENANT, TEACHER, ROLE_INSTRUCTOR);
	(void)ask(&test, T, "evaluation_put", TRY(SUBMITTED), GRADES);
	for (unsigned factors = 1; factors <= 2; factors++) {
		const struct test_request request = { .operation = "try_get",
			.actor = &teacher,
			.caller = "gateway",
			.params = TRY(SUBMITTED) };
		struct reply reply;
		struct call call;
		teacher.needs_second_factor = true;
		teacher.factors = factors;
		test_dispatch(&test, &request, &reply, &call);
		assert_int_equal(reply.status, 200);
		assert_int_equal(
			strstr(body_of(&test, &reply), "evaluatedAt") != NULL, factors == 2);
		assert_non_null(strstr(body_of(&test, &reply), "mediaId"));
	}
}

static void what_the_teacher_has_not_answered_waits(void **state)
{
	(void)ask(&test, P, "reflection_put", TRY(SUBMITTED), "{\"feeling\":1}");
	test_sql(&test, "DELETE FROM learning.comment WHERE try_id = '" SUBMITTED "'");
	assert_string_equal(state_seen(T, SUBMITTED), "waiting");
	struct reply home = ask(&test, T, "home_part", NULL, NULL);
	assert_non_null(strstr(body_of(&test, &home), "\"waiting\":2"));
}

static void sending_twice_tells_once(void **state)
{
	const char *count_events = "SELECT count(*) FROM learning.outbox WHERE kind = 'event'";
	const char *before = test_sql_text(&test, count_events);
	struct reply reply = ask(&test, P, "try_submit", TRY(SUBMITTED), NULL);
	expect_status(&reply, 200, "try_submit", P);
	assert_string_equal(before, test_sql_text(&test, count_events));
}

static void the_board_is_in_kana_order(void **state)
{
	struct reply reply = ask(&test, T, "board_get", ON(ASSIGNMENT), NULL);
	const char *body = body_of(&test, &reply);
	const char *first = strstr(body, CLASSMATE), *second = strstr(body, PUPIL);
	assert_non_null(first);
	assert_true(first < second);
	assert_null(strstr(body, OUTSIDER));
	assert_non_null(strstr(second, "\"state\":\"waiting\""));
	assert_non_null(strstr(second, "\"tryCount\":3"));
	assert_non_null(strstr(second, "\"latestTryId\":\"" SHARED "\""));
}

/* Each list to its end, two at a time: every item once, in the order told by their names. */
static void pages_follow_each_other(void **state)
{
	static const struct {
		const char *operation, *member, *order;
		enum who who;
	} lists[] = {
		{ "try_list", "id", SHARED " " SUBMITTED " " RECORDED " ", P },
		{ "skill_list", "name", "前転 m2 m10 v0 v0 o0 ", P },
		{ "unit_list", "title", "u3 u2 u1 マット運動 ", T },
		{ "assignment_list", "unitTitle", "u3 u2 u1 マット運動 ", P },
	};
	test_sql(&test,
		"INSERT INTO learning.skill (tenant_id, id, name, area, position)"
		" SELECT '" TEST_TENANT "', gen_random_uuid(), name, area, position"
		" FROM (VALUES ('o0', 'other', 0), ('v0', 'vault', 0), ('m10', 'mat', 10),"
		" ('v0', 'vault', 0), ('m2', 'mat', 2)) AS s (name, area, position);"
		"INSERT INTO learning.unit (tenant_id, id, title) SELECT '" TEST_TENANT
		"', ('01890000-0000-7000-8000-0000000009' || n)::uuid, 'u' || (n - 10)"
		" FROM generate_series(11, 13) n;"
		"INSERT INTO learning.assignment (tenant_id, id, unit_id, class_id, created_by)"
		" SELECT '" TEST_TENANT "', id, id, '" CLASS "', '" TEACHER
		"' FROM learning.unit WHERE title LIKE 'u%'");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct buf seen = { .arena = test.arena };
		const char *next = "";
		while (next) {
			struct reply page = ask(&test, lists[i].who, lists[i].operation,
				arena_printf(test.arena, "limit=2%s", next), NULL);
			const struct json *json;
			expect_status(&page, 200, lists[i].operation, lists[i].who);
			assert_int_equal(
				json_parse(test.arena, body_of(&test, &page), page.body.n, &json),
				OK);
			const struct json *items = json_member(json, "items");
			for (size_t n = 0; n < json_count(items); n++)
				buf_printf(&seen, "%s ",
					json_text(
						json_member(json_item(items, n), lists[i].member)));
			const char *cursor = json_text(json_member(json, "nextCursor"));
			next = cursor ? arena_printf(test.arena, "&cursor=%s", cursor) : NULL;
		}
		assert_string_equal(seen.data, lists[i].order);
		struct reply forged =
			ask(&test, lists[i].who, lists[i].operation, "cursor=AAAA", NULL);
		expect_status(&forged, 422, lists[i].operation, lists[i].who);
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(each_read_shows_what_the_person_may_see),
		FACT(what_is_hidden_looks_like_what_is_missing),
		FACT(lists_hold_what_the_person_may_see),
		FACT(a_classmate_does_not_read_goal_and_reflection),
		FACT(writing_needs_more_than_seeing),
		FACT(a_try_goes_from_recorded_to_reflected),
		FACT(what_an_erased_pupil_wrote_is_not_there),
		FACT(an_evaluation_is_shown_to_two_factors_only),
		FACT(what_the_teacher_has_not_answered_waits),
		FACT(sending_twice_tells_once),
		FACT(the_board_is_in_kana_order),
		FACT(pages_follow_each_other),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
