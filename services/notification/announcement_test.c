/* Announcements: who may write to whom, and who reads what. */
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/keyring.h"
#include "libcommon/testing.h"
#include "services/notification/notification.h"

static const struct service notification = { .name = "notification",
	.ops = notification_ops,
	.ops_n = NOTIFICATION_OPS_N,
	.keyring = KEYRING_READS,
	.sealed = notification_sealed,
	.sealed_n = NOTIFICATION_SEALED_N };

enum who { OPERATOR, CONTRACTOR, TEACHER, PUPIL, OTHER_CONTRACTOR, OTHER_PUPIL, WHO_COUNT };

static struct test test;
static struct actor actors[WHO_COUNT];

static int open_world(void **state)
{
	static const struct {
		const char *tenant;
		enum role role;
	} rows[WHO_COUNT] = {
		[OPERATOR] = { TEST_OPERATOR_TENANT, ROLE_OPERATOR },
		[CONTRACTOR] = { TEST_TENANT, ROLE_CONTRACTOR },
		[TEACHER] = { TEST_TENANT, ROLE_INSTRUCTOR },
		[PUPIL] = { TEST_TENANT, ROLE_STUDENT },
		[OTHER_CONTRACTOR] = { TEST_OTHER_TENANT, ROLE_CONTRACTOR },
		[OTHER_PUPIL] = { TEST_OTHER_TENANT, ROLE_STUDENT },
	};
	test_open(&test, &notification);
	for (unsigned i = 0; i < WHO_COUNT; i++)
		actors[i] = test_actor(&test, rows[i].tenant,
			arena_printf(test.arena, "01890000-0000-7000-8000-00000000010%u", i),
			rows[i].role);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static int empty(void **state)
{
	test_sql(&test,
		"DELETE FROM notification.announcement; DELETE FROM notification.idempotency");
	return 0;
}

static unsigned announce_keyed(
	enum who who, const char *title, const char *audience, const char *key, struct call *c)
{
	struct reply reply;
	const struct test_request request = { .operation = "announcement_create",
		.actor = &actors[who],
		.idempotency_key = key,
		.body = arena_printf(test.arena,
			"{\"title\":\"%s\",\"body\":\"本文\",\"audience\":\"%s\"}", title,
			audience) };
	test_dispatch(&test, &request, &reply, c);
	return reply.status;
}

static unsigned announce(enum who who, const char *title, const char *audience, struct call *c)
{
	return announce_keyed(who, title, audience,
		arena_printf(test.arena, "key-%s-%d-0123456789", title, (int)who), c);
}

static const char *ask_for(enum who who, const char *operation, const char *params)
{
	struct reply reply;
	const struct test_request request = {
		.operation = operation, .actor = &actors[who], .params = params
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	return arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
}

static const char *ask(enum who who, const char *operation)
{
	return ask_for(who, operation, NULL);
}

static void it_reaches_whom_it_is_for(void **state)
{
	const struct {
		const char *title;
		enum who writer;
		const char *audience;
		bool seen[WHO_COUNT];
	} rows[] = {
		{ "a", OPERATOR, "everyone",
			{ [OPERATOR] = true,
				[CONTRACTOR] = true,
				[TEACHER] = true,
				[PUPIL] = true,
				[OTHER_CONTRACTOR] = true,
				[OTHER_PUPIL] = true } },
		{ "b", OPERATOR, "contractor",
			{ [OPERATOR] = true, [CONTRACTOR] = true, [OTHER_CONTRACTOR] = true } },
		{ "c", CONTRACTOR, "everyone",
			{ [CONTRACTOR] = true, [TEACHER] = true, [PUPIL] = true } },
		{ "d", CONTRACTOR, "student", { [CONTRACTOR] = true, [PUPIL] = true } },
		{ "e", OTHER_CONTRACTOR, "instructor", { [OTHER_CONTRACTOR] = true } },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			announce(rows[i].writer, rows[i].title, rows[i].audience, NULL), 201);
	for (unsigned who = 0; who < WHO_COUNT; who++) {
		const char *list = ask(who, "announcement_list");
		for (size_t i = 0; i < n; i++) {
			const char *title =
				arena_printf(test.arena, "\"title\":\"%s\"", rows[i].title);
			assert_int_equal(strstr(list, title) != NULL, rows[i].seen[who]);
		}
	}
	assert_non_null(strstr(ask(PUPIL, "announcement_list"), "\"fromOperator\":true"));
	assert_null(strstr(ask(OTHER_PUPIL, "announcement_list"), "\"fromOperator\":false"));
}

static void the_newest_comes_first_and_home_shows_five(void **state)
{
	for (int i = 0; i < 7; i++)
		assert_int_equal(
			announce(CONTRACTOR, arena_printf(test.arena, "n%d", i), "everyone", NULL),
			201);
	const char *home = ask(PUPIL, "home_part");
	assert_non_null(strstr(home, "\"unreadCount\":0"));
	assert_true(strstr(home, "\"n6\"") < strstr(home, "\"n2\""));
	assert_non_null(strstr(home, "\"n2\""));
	assert_null(strstr(home, "\"n1\""));
}

/* Own and the operator's among one another, to the first that was ever written. */
static void a_list_goes_on_to_its_end(void **state)
{
	struct buf titles = { .arena = test.arena };
	const char *params = "limit=2";
	for (int i = 0; i < 5; i++)
		assert_int_equal(announce(i % 2 ? OPERATOR : CONTRACTOR,
					 arena_printf(test.arena, "n%d", i), "everyone", NULL),
			201);
	for (int page = 0; params != NULL; page++) {
		const char *list = ask_for(PUPIL, "announcement_list", params);
		const struct json *json;
		assert_int_equal(json_parse(test.arena, list, strlen(list), &json), OK);
		const struct json *items = json_member(json, "items");
		for (size_t i = 0; i < json_count(items); i++)
			buf_text(&titles, json_text(json_member(json_item(items, i), "title")));
		const char *next = json_text(json_member(json, "nextCursor"));
		params = next ? arena_printf(test.arena, "limit=2&cursor=%s", next) : NULL;
		assert_true(page < 3);
	}
	assert_string_equal(titles.data, "n4n3n2n1n0");
}

static void open_pages_of_the_audience_are_told(void **state)
{
	struct call c;
	assert_int_equal(announce(CONTRACTOR, "a", "student", &c), 201);
	assert_non_null(strstr(
		c.pushes->json, "{\"tenant\":\"" TEST_TENANT "\",\"audience\":\"student\","));
	assert_int_equal(announce(OPERATOR, "b", "everyone", &c), 201);
	assert_string_equal(c.pushes->topic, "announcement");
	assert_non_null(strstr(c.pushes->json, "{\"tenant\":null,\"audience\":\"everyone\","));
}

static void a_repeated_key_announces_once(void **state)
{
	struct call c;
	assert_int_equal(
		announce_keyed(CONTRACTOR, "a", "student", "same-key-0123456789", NULL), 201);
	assert_int_equal(
		announce_keyed(CONTRACTOR, "a", "student", "same-key-0123456789", &c), 201);
	assert_null(c.pushes);
	assert_int_equal(
		announce_keyed(CONTRACTOR, "b", "student", "same-key-0123456789", NULL), 422);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM notification.announcement"), "1");
}

static void what_may_not_be_is_refused(void **state)
{
	assert_int_equal(announce(TEACHER, "a", "student", NULL), 403);
	assert_int_equal(announce(PUPIL, "a", "student", NULL), 403);
	assert_int_equal(announce(CONTRACTOR, "a", "nobody", NULL), 422);
	assert_int_equal(announce(CONTRACTOR, "", "student", NULL), 422);
	assert_int_equal(announce_keyed(CONTRACTOR, "a", "student", NULL, NULL), 400);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM notification.announcement"), "0");
}

static void nobody_changes_what_the_operator_wrote(void **state)
{
	static const char change[] = "UPDATE announcement SET audience = 'student'";
	static const char delete[] = "DELETE FROM announcement";
	int64_t n = -1;
	assert_int_equal(announce(OPERATOR, "a", "everyone", NULL), 201);
	struct call c = test_call(&test, &actors[CONTRACTOR]);
	assert_int_equal(db_count(&c, change, DB_NONE, &n), OK);
	assert_int_equal(n, 0);
	assert_int_equal(db_count(&c, delete, DB_NONE, &n), OK);
	assert_int_equal(n, 0);
	db_rollback(c.db);
}

#define LABEL "announcement_label_put"

/* Its class by id of the newest announcement, as the code of a refusal or "". */
static const char *change_label(const struct actor *actor, const char *id, const char *body)
{
	struct reply reply;
	const struct json *json;
	const struct test_request request = { .operation = LABEL,
		.actor = actor,
		.params = arena_printf(test.arena, "announcementId=%s", id),
		.body = body };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(
		json_parse(test.arena, (const char *)reply.body.data, reply.body.n, &json), OK);
	return reply.status < 400 ? "" : json_text(json_member(json, "code"));
}

static const char *newest(void)
{
	return test_sql_text(
		&test, "SELECT id FROM notification.announcement ORDER BY id DESC LIMIT 1");
}

/* Lists, home and search alike; one factor is asked of the staff by the skeleton. */
static void a_raised_one_is_for_the_staff_with_two_factors(void **state)
{
	static const char *const places[] = { "announcement_list", "home_part" };
	struct actor before = actors[TEACHER];
	assert_int_equal(announce(CONTRACTOR, "himitsu", "everyone", NULL), 201);
	assert_non_null(strstr(ask(PUPIL, places[0]), "himitsu"));
	assert_string_equal(change_label(&actors[CONTRACTOR], newest(), "{\"label\":\"II\"}"), "");
	for (size_t i = 0; i < 2; i++) {
		assert_null(strstr(ask(PUPIL, places[i]), "himitsu"));
		assert_non_null(strstr(ask(TEACHER, places[i]), "himitsu"));
		actors[TEACHER].needs_second_factor = true;
		actors[TEACHER].factors = 1;
		assert_null(strstr(ask(TEACHER, places[i]), "himitsu"));
		assert_null(strstr(ask_for(TEACHER, "search_part", "q=himitsu"), "himitsu"));
		actors[TEACHER] = before;
	}
	assert_non_null(strstr(ask_for(TEACHER, "search_part", "q=himitsu"), "himitsu"));
}

static void only_its_own_tenant_changes_a_class_and_lowers_it_with_a_reason(void **state)
{
	assert_int_equal(announce(OPERATOR, "a", "everyone", NULL), 201);
	const char *id = newest(), *body = "{\"label\":\"II\"}";
	assert_string_equal(change_label(&actors[CONTRACTOR], id, body), "not_found");
	assert_string_equal(change_label(&actors[TEACHER], id, body), "forbidden");
	assert_string_equal(change_label(&actors[OPERATOR], id, body), "");
	assert_string_equal(
		change_label(&actors[OPERATOR], id, "{\"label\":\"IV\"}"), "label_reason_required");
	assert_null(strstr(ask(OTHER_PUPIL, "announcement_list"), "\"a\""));
	assert_non_null(strstr(ask(OTHER_CONTRACTOR, "announcement_list"), "\"label\":\"II\""));
	assert_string_equal(change_label(&actors[OPERATOR], id,
				    "{\"label\":\"IV\",\"reason\":\"raised_by_mistake\"}"),
		"");
	assert_non_null(strstr(ask(OTHER_PUPIL, "announcement_list"), "\"a\""));
}

/* The hints that a request makes. */
static const char *hint_of(const struct test_request *request, unsigned status)
{
	struct reply reply;
	struct call c;
	test_dispatch(&test, request, &reply, &c);
	assert_int_equal(reply.status, status);
	assert_null(c.pushes->next);
	return c.pushes->json;
}

static const char *hint_of_label(const char *body)
{
	const struct test_request request = { .operation = LABEL,
		.actor = &actors[CONTRACTOR],
		.params = arena_printf(test.arena, "announcementId=%s", newest()),
		.body = body };
	return hint_of(&request, 200);
}

/* Pupils hear the hint, too. */
static void a_raised_one_is_named_to_nobody(void **state)
{
	const char *unnamed = "{\"tenant\":\"" TEST_TENANT "\",\"audience\":\"everyone\"}";
	const struct test_request raised_at_once = { .operation = "announcement_create",
		.actor = &actors[CONTRACTOR],
		.idempotency_key = "raised-0123456789",
		.body = "{\"title\":\"a\",\"body\":\"b\",\"audience\":\"everyone\","
			"\"label\":\"II\"}" };
	assert_string_equal(hint_of(&raised_at_once, 201), unnamed);
	assert_non_null(strstr(
		hint_of_label("{\"label\":\"III\",\"reason\":\"raised_by_mistake\"}"), newest()));
	assert_string_equal(hint_of_label("{\"label\":\"II\"}"), unnamed);
}

#define FACT(test_) cmocka_unit_test_setup(test_, empty)

static void of_what_others_keep_there_is_no_key(void **state)
{
	assert_true(test_has_key(&test, "outbox", 1));
	assert_true(test_has_key(&test, "text", 1));
	assert_false(test_has_key(&test, "name", 1));
	assert_false(test_has_key(&test, "media", 1));
	assert_false(test_has_key(&test, "index person.login_index", KEYRING_INDEX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(it_reaches_whom_it_is_for),
		FACT(of_what_others_keep_there_is_no_key),
		FACT(the_newest_comes_first_and_home_shows_five),
		FACT(a_list_goes_on_to_its_end),
		FACT(open_pages_of_the_audience_are_told),
		FACT(a_repeated_key_announces_once),
		FACT(what_may_not_be_is_refused),
		FACT(nobody_changes_what_the_operator_wrote),
		FACT(a_raised_one_is_for_the_staff_with_two_factors),
		FACT(a_raised_one_is_named_to_nobody),
		FACT(only_its_own_tenant_changes_a_class_and_lowers_it_with_a_reason),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
