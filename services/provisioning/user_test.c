/* Facts about users: who may, what auth and the others hear, and what a list shows. */
#include <libpq-fe.h>

#include "libcommon/keyring_user.h"
#include "services/provisioning/access_ask.h"
#include "services/provisioning/erasure.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/turn_test.h"

static const char *account_status(const char *id)
{
	return test_sql_text(&test,
		arena_printf(test.arena, "SELECT status FROM auth.account WHERE id = '%s'", id));
}

static void a_user_is_created_with_an_account_and_a_secret(void **state)
{
	struct answer answer = expect(
		201, &head, "user_create", NULL, user_body("taro", "student", "さとう", "たろう"));
	const struct json *user = json_member(answer.json, "user");
	const char *id = json_text(json_member(user, "id"));
	assert_int_equal(json_integer(json_member(user, "version"), 0), 1);
	assert_true(strlen(text_of(&answer, "initialSecret")) >= 19);
	assert_string_equal(account_status(id), "active");
	const struct json *event = event_of(&event_user_changed, id);
	assert_string_equal(json_text(json_member(event, "status")), "active");
	assert_int_equal(json_integer(json_member(event, "version"), 0), 1);
}

/* In clear it is told to those who may see it, and lies nowhere. */
static void a_login_name_is_told_and_lies_nowhere(void **state)
{
	const char *id = add_user(&head, "Sora.Canary", "student", "そ", "ら");
	const struct actor own = test_actor(&test, TEST_TENANT, id, ROLE_STUDENT);
	struct answer answer = expect(200, &own, "self_get", NULL, NULL);
	assert_string_equal(text_of(&answer, "username"), "Sora.Canary");
	answer = expect(200, &operator, "self_get", NULL, NULL);
	assert_string_equal(text_of(&answer, "username"), "operator");
	answer = expect(200, &head, "user_get", params_of("userId", id), NULL);
	assert_string_equal(text_of(&answer, "username"), "Sora.Canary");
	assert_string_equal(person_of("SORA.canary"), id);
	static const char *const tables[] = { "provisioning.person", "provisioning.intent",
		"provisioning.outbox", "auth.account", "auth.outbox" };
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		assert_string_equal(test_sql_text(&test,
					    arena_printf(test.arena,
						    "SELECT count(*) FROM %s t WHERE t::text ILIKE "
						    "'%%canary%%'",
						    tables[i])),
			"0");
}

static void a_failed_commit_is_taken_up_by_any_repetition(void **state)
{
	break_commits();
	(void)expect(500, &head, "user_create", NULL, user_body("mayu", "student", "ま", "ゆ"));
	const char *id = account_of("mayu");
	assert_string_equal(account_status(id), "active");
	mend_commits();
	/* With another Idempotency-Key, another role, and the name written otherwise. */
	struct answer answer = expect(
		201, &head, "user_create", NULL, user_body("MAYU", "instructor", "ま", "ゆ"));
	assert_string_equal(json_text(json_member(json_member(answer.json, "user"), "id")), id);
	assert_true(strlen(text_of(&answer, "initialSecret")) >= 19);
	assert_string_equal(account_of("mayu"), id);
	expect_no_person_intent("mayu");
	assert_string_equal(test_sql_text(&test,
				    arena_printf(test.arena,
					    "SELECT role FROM auth.account WHERE id = '%s'", id)),
		"instructor");
}

static void nobody_is_created_while_an_import_runs(void **state)
{
	PGconn *import = PQconnectdb(test.superuser);
	assert_int_equal(PQstatus(import), CONNECTION_OK);
	PQclear(PQexec(import,
		"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('" TEST_TENANT
		"/roster/', 0))"));
	struct answer answer =
		expect(409, &head, "user_create", NULL, user_body("matsu", "student", "ま", "つ"));
	assert_string_equal(text_of(&answer, "code"), "import_running");
	(void)add_user(&other_head, "matsu", "student", "ま", "つ");
	PQclear(PQexec(import, "COMMIT"));
	PQfinish(import);
	(void)add_user(&head, "matsu", "student", "ま", "つ");
}

/* A request on another connection, while auth is made to wait for its table. */
struct held {
	const char *operation, *params, *body;
	unsigned status;
	const struct actor *actor;
};

static void *ask_beside(void *arg)
{
	struct held *held = arg;
	struct test beside = test;
	struct reply reply;
	beside.arena = arena_new();
	beside.db = db_open(test.database, "provisioning");
	const struct test_request request = { .operation = held->operation,
		.actor = held->actor,
		.params = held->params,
		.body = held->body,
		.idempotency_key = uuid_make(beside.arena) };
	test_dispatch(&beside, &request, &reply, NULL);
	held->status = reply.status;
	db_close(beside.db);
	arena_free(beside.arena);
	capability_cache_free();
	return NULL;
}

/* The transaction id that provisioning has while it waits for auth. */
static const char *id_while_auth_waits(void)
{
	const char *id = "";
	for (int i = 0; i < 2000 && !*id; i++) {
		id = test_sql_text(&test,
			"SELECT coalesce((SELECT coalesce(p.backend_xid::text, 'none')"
			" FROM pg_stat_activity p JOIN pg_stat_activity a ON a.datname = p.datname"
			" WHERE p.datname = current_database() AND p.usename = "
			"'manabiya_provisioning'"
			" AND p.state = 'idle in transaction' AND a.usename = 'manabiya_auth'"
			" AND a.wait_event_type = 'Lock' LIMIT 1), '')");
		(void)usleep(10000);
	}
	return id;
}

#define MACHIMI                                                                                    \
	"username,role,familyName,givenName,kanaFamilyName,kanaGivenName\n"                        \
	"machimi,student,町,美,まち,み\n"
#define VILLAGE "{\"name\":\"村\",\"code\":\"mura\",\"administratorUsername\":\"admin\"}"

/* Ask, and let auth go on only after what happens meanwhile. The id of the transaction. */
static const char *ask_slowly(struct held *held, const char *meanwhile)
{
	pthread_t thread;
	PGconn *superuser = PQconnectdb(test.superuser);
	assert_int_equal(PQstatus(superuser), CONNECTION_OK);
	PQclear(PQexec(superuser, "BEGIN; LOCK auth.account IN EXCLUSIVE MODE"));
	assert_int_equal(pthread_create(&thread, NULL, ask_beside, held), 0);
	const char *xid = id_while_auth_waits();
	if (meanwhile != NULL)
		test_sql(&test, meanwhile);
	PQclear(PQexec(superuser, "COMMIT"));
	PQfinish(superuser);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return xid;
}

static void nothing_is_written_while_auth_is_asked(void **state)
{
	const char *id = add_user(&head, "machi", "student", "まち", "まち");
	const char *params = params_of("userId", id);
	const struct actor *provider = &operator;
	struct held held[] = {
		{ "user_create", NULL, user_body("machiko", "student", "まち", "こ"), 201, &head },
		{ "user_suspend", params, NULL, 204, &head },
		{ "user_restore", params, NULL, 204, &head },
		{ "user_delete", params, NULL, 204, &head },
		{ "user_import", "dryRun=false", MACHIMI, 200, &head },
		{ "contract_create", NULL, VILLAGE, 201, provider },
	};
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		unsigned wanted = held[i].status;
		assert_string_equal(ask_slowly(&held[i], NULL), "none");
		assert_int_equal(held[i].status, wanted);
	}
}

static void a_lost_connection_is_taken_up_by_any_repetition(void **state)
{
	struct held held = { "user_create", NULL, user_body("kiri", "student", "き", "り"), 0,
		&head };
	assert_string_equal(ask_slowly(&held,
				    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
				    " WHERE datname = current_database() AND state = 'idle in "
				    "transaction'"
				    " AND usename = 'manabiya_provisioning'"),
		"none");
	assert_int_equal(held.status, 503);
	const char *id = account_of("kiri");
	assert_string_equal(account_status(id), "active");
	assert_string_equal(add_user(&head, "kiri", "student", "き", "り"), id);
	assert_string_equal(account_of("kiri"), id);
}

static void a_login_name_is_unique_whatever_its_case(void **state)
{
	(void)add_user(&head, "Hanako", "student", "すずき", "はなこ");
	struct answer answer =
		expect(409, &head, "user_create", NULL, user_body("hANAKO", "student", "い", "ろ"));
	assert_string_equal(text_of(&answer, "code"), "username_taken");
	(void)add_user(&other_head, "hanako", "student", "すずき", "はなこ");
}

static void a_change_needs_the_version_that_was_read(void **state)
{
	const char *id = add_user(&head, "jiro", "student", "たなか", "じろう");
	const char *params = params_of("userId", id);
	struct answer answer = expect(200, &head, "user_get", params, NULL);
	assert_string_equal(answer.reply.headers.data, "ETag: \"v1\"\r\n");
	const char *good = arena_printf(test.arena, "%s&ifMatch=%%22v1%%22", params);
	answer = expect(
		200, &head, "user_update", good, "{\"familyName\":\"田中\",\"grade\":\"P5\"}");
	assert_string_equal(answer.reply.headers.data, "ETag: \"v2\"\r\n");
	assert_string_equal(text_of(&answer, "familyName"), "田中");
	assert_string_equal(text_of(&answer, "givenName"), "名");
	answer = expect(412, &head, "user_update", good, "{\"grade\":\"P6\"}");
	assert_string_equal(text_of(&answer, "code"), "stale");
	assert_int_equal(
		json_integer(json_member(event_of(&event_user_changed, id), "version"), 0), 2);
	(void)expect(422, &head, "user_update", params, "{}");
}

/* How many there are to be erased now, beside those that only wait for their certificate. */
static int erasures_due(void)
{
	test_sql(&test, "DELETE FROM provisioning.user_erasure WHERE erased_at IS NOT NULL");
	return (int)strtol(test_sql_text(&test,
				   "SELECT count(*) FROM provisioning.user_erasure_next("
				   "'00000000-0000-0000-0000-000000000000')"),
		NULL, 10);
}

/* As the job does it when what there is was counted. */
static void erase_user(const struct actor *admin, const char *id)
{
	(void)expect(204, admin, "user_delete", params_of("userId", id), NULL);
	struct call c = test_call(&test, NULL);
	assert_int_equal(service_enter_tenant(&c, admin->tenant_id), OK);
	assert_int_equal(user_erase(&c, id), OK);
	assert_int_equal(db_commit(&c), OK);
}

static void suspension_and_restoring_reach_auth_and_the_others(void **state)
{
	const char *id = add_user(&head, "saburo", "instructor", "ひめの", "さぶろう");
	const char *params = params_of("userId", id);
	(void)expect(204, &head, "user_suspend", params, NULL);
	assert_string_equal(account_status(id), "suspended");
	assert_string_equal(
		json_text(json_member(event_of(&event_user_changed, id), "status")), "suspended");
	(void)expect(204, &head, "user_restore", params, NULL);
	assert_string_equal(account_status(id), "active");
	const struct json *event = event_of(&event_user_changed, id);
	assert_int_equal(json_integer(json_member(event, "version"), 0), 3);
}

static void who_is_deleted_can_be_restored_until_the_day(void **state)
{
	const char *id = add_user(&head, "modorin", "student", "もどり", "ん");
	const char *params = params_of("userId", id);
	(void)expect(409, &head, "user_erasure_hasten", params, NULL);
	(void)expect(204, &head, "user_delete", params, NULL);
	(void)expect(204, &head, "user_delete", params, NULL);
	struct answer answer = expect(200, &head, "user_get", params, NULL);
	assert_string_equal(text_of(&answer, "status"), "tobedeleted");
	assert_non_null(text_of(&answer, "eraseAt"));
	assert_string_equal(account_status(id), "suspended");
	assert_string_equal(
		json_text(json_member(event_of(&event_user_changed, id), "status")), "suspended");
	answer = expect(409, &head, "user_suspend", params, NULL);
	assert_string_equal(text_of(&answer, "code"), "user_tobedeleted");
	assert_int_equal(erasures_due(), 0);
	(void)expect(404, &other_head, "user_restore", params, NULL);
	(void)expect(204, &head, "user_restore", params, NULL);
	answer = expect(200, &head, "user_get", params, NULL);
	assert_string_equal(text_of(&answer, "status"), "active");
	assert_null(text_of(&answer, "eraseAt"));
	assert_string_equal(account_status(id), "active");
	(void)expect(409, &head, "user_erasure_hasten", params, NULL);
}

static void an_erased_user_is_gone_everywhere(void **state)
{
	const char *class_id = add_class(&head, "東小", "5-1");
	const char *id = add_user(&head, "shiro", "student", "もり", "しろう");
	struct answer enrolled =
		expect(201, &head, "enrollment_create", params_of("classId", class_id),
			arena_printf(test.arena, "{\"userId\":\"%s\"}", id));
	erase_user(&head, id);
	(void)expect(404, &head, "user_get", params_of("userId", id), NULL);
	(void)expect(404, &head, "user_delete", params_of("userId", id), NULL);
	(void)expect(404, &head, "user_restore", params_of("userId", id), NULL);
	assert_string_equal(account_status(id), "deleted");
	const struct json *event = event_of(&event_user_changed, id);
	assert_string_equal(json_text(json_member(event, "status")), "deleted");
	assert_string_equal(json_text(json_member(event, "familyName")), "削除済み");
	event = event_of(&event_enrollment_changed, text_of(&enrolled, "id"));
	assert_string_equal(json_text(json_member(event, "status")), "deleted");
	assert_int_equal(json_integer(json_member(event, "version"), 0), 2);
	(void)add_user(&head, "shiro", "student", "もり", "しろう");
}

static void an_erasure_is_listed_for_its_own_tenant(void **state)
{
	const char *id = add_user(&head, "nagare", "student", "なが", "れ");
	(void)expect(204, &head, "user_delete", params_of("userId", id), NULL);
	struct answer list = expect(200, &head, "user_erasure_list", "limit=1", NULL);
	const struct json *first = json_item(items_of(&list), 0);
	assert_string_equal(json_text(json_member(first, "userId")), id);
	assert_string_equal(json_text(json_member(first, "state")), "tobedeleted");
	const char *params = params_of("erasureId", json_text(json_member(first, "id")));
	struct answer answer = expect(404, &head, "user_erasure_certificate", params, NULL);
	assert_string_equal(text_of(&answer, "code"), "certificate_not_ready");
	list = expect(200, &other_head, "user_erasure_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&list)), 0);
	(void)expect(204, &head, "user_erasure_hasten", params_of("userId", id), NULL);
	list = expect(200, &head, "user_erasure_list", "limit=1", NULL);
	first = json_item(items_of(&list), 0);
	assert_string_equal(json_text(json_member(first, "state")), "erasing");
	(void)expect(204, &head, "user_restore", params_of("userId", id), NULL);
}

static void nobody_shuts_themselves_out(void **state)
{
	struct answer answer = expect(409, &head, "user_suspend", "userId=" HEAD, NULL);
	assert_string_equal(text_of(&answer, "code"), "own_account");
	(void)expect(409, &head, "user_delete", "userId=" HEAD, NULL);
}

static void a_new_secret_replaces_the_one_before(void **state)
{
	const char *id = add_user(&head, "goro", "student", "やまだ", "ごろう");
	struct answer one = expect(200, &head, "user_secret_issue", params_of("userId", id), NULL);
	struct answer two = expect(200, &head, "user_secret_issue", params_of("userId", id), NULL);
	assert_string_not_equal(text_of(&one, "initialSecret"), text_of(&two, "initialSecret"));
	(void)expect(404, &head, "user_secret_issue", "userId=" OTHER_HEAD, NULL);
}

static void a_list_goes_by_reading_page_by_page(void **state)
{
	static const char *const readings[] = { "ｱｵｷ", "いのうえ", "ウエダ", "えんどう", "おおた" };
	for (size_t i = 0; i < 5; i++)
		(void)add_user(&other_head, arena_printf(test.arena, "k%zu", 4 - i), "instructor",
			readings[4 - i], "あ");
	const char *cursor = "";
	size_t seen = 0;
	do {
		struct answer page = expect(200, &other_head, "user_list",
			arena_printf(test.arena, "limit=2&role=instructor%s", cursor), NULL);
		for (size_t i = 0; i < json_count(items_of(&page)); i++)
			assert_string_equal(json_text(json_member(json_item(items_of(&page), i),
						    "kanaFamilyName")),
				readings[seen++]);
		const char *next = text_of(&page, "nextCursor");
		cursor = next ? arena_printf(test.arena, "&cursor=%s", next) : NULL;
	} while (cursor);
	assert_int_equal(seen, 5);
	(void)expect(422, &other_head, "user_list", "cursor=AQAAAAA", NULL);
}

static void a_list_is_searched_by_reading_or_part_of_the_name(void **state)
{
	static const struct {
		const char *q;
		size_t n;
	} rows[] = { { "%E3%82%A8%E3%83%B3", 1 } /* エン */,
		{ "%E3%81%8A%E3%81%8A%E3%81%9F%E3%81%82", 1 } /* おおたあ */,
		{ "%E5%A7%93", 5 } /* 姓 */, { "%25", 0 }, { "_", 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer page = expect(200, &other_head, "user_list",
			arena_printf(test.arena, "role=instructor&q=%s", rows[i].q), NULL);
		assert_int_equal(json_count(items_of(&page)), rows[i].n);
	}
}

static void another_tenant_sees_none_of_it(void **state)
{
	const char *id = add_user(&head, "rokuro", "student", "きむら", "ろくろう");
	const char *params = params_of("userId", id);
	(void)expect(404, &other_head, "user_get", params, NULL);
	(void)expect(404, &other_head, "user_update",
		arena_printf(test.arena, "%s&ifMatch=%%22v1%%22", params), "{\"grade\":\"P1\"}");
	(void)expect(404, &other_head, "user_delete", params, NULL);
	(void)expect(404, &other_head, "user_suspend", params, NULL);
	(void)expect(404, &other_head, "user_secret_issue", params, NULL);
	(void)expect(404, &other_head, "user_feature_list", params, NULL);
	(void)expect(
		404, &other_head, "user_feature_put", params, "{\"denied\":[\"video_upload\"]}");
	assert_string_equal(account_status(id), "active");
}

#define HELD_CONTRACT "01890000-0000-7000-8000-0000000000e3"

static void nobody_is_deleted_while_the_contract_is_held(void **state)
{
	const char *due = add_user(&head, "hikitome", "student", "まつ", "ひと");
	(void)expect(204, &head, "user_delete", params_of("userId", due), NULL);
	(void)expect(204, &head, "user_erasure_hasten", params_of("userId", due), NULL);
	assert_int_equal(erasures_due(), 1);
	const char *id = add_user(&head, "nokoru", "student", "のこり", "のこる");
	const char *params = params_of("userId", id);
	test_sql(&test,
		"INSERT INTO provisioning.contract (tenant_id, id, customer_tenant_id, code, name,"
		" hold_reason, hold_since) VALUES ('" TEST_OPERATOR_TENANT "', '" HELD_CONTRACT
		"', '" TEST_TENANT "', 'held', 'Held', '訴訟', now())");
	struct answer answer = expect(409, &head, "user_delete", params, NULL);
	assert_string_equal(text_of(&answer, "code"), "contract_held");
	assert_string_equal(account_status(id), "active");
	assert_int_equal(erasures_due(), 0);
	answer = expect(200, &head, "user_get", params_of("userId", due), NULL);
	assert_null(text_of(&answer, "eraseAt"));
	answer = expect(200, &head, "user_erasure_list", NULL, NULL);
	assert_null(json_text(json_member(json_item(items_of(&answer), 0), "eraseAt")));
	assert_string_equal(
		json_text(json_member(json_item(items_of(&answer), 0), "state")), "tobedeleted");
	(void)expect(409, &head, "user_erasure_hasten", params_of("userId", due), NULL);
	test_sql(&test, "DELETE FROM provisioning.contract WHERE code = 'held'");
	assert_int_equal(erasures_due(), 1);
	(void)expect(204, &head, "user_restore", params_of("userId", due), NULL);
	(void)expect(204, &head, "user_delete", params, NULL);
}

static void settle(void)
{
	struct call c = test_call(&test, NULL);
	bool more = false;
	test_sql(
		&test, "UPDATE provisioning.access_ask SET asked_at = now() - interval '1 minute'");
	assert_int_equal(access_ask_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_true(more);
}

/* Answered, a hold is true: what was being deleted is gone before, and nothing else goes. */
static void a_hold_waits_for_what_is_being_deleted(void **state)
{
	struct turn job;
	pthread_t holds;
	const char *id = add_user(&head, "mori", "student", "もり", "きえる");
	test_sql(&test, "DELETE FROM provisioning.user_erasure"); /* of other tests */
	(void)expect(204, &head, "user_delete", params_of("userId", id), NULL);
	(void)expect(204, &head, "user_erasure_hasten", params_of("userId", id), NULL);
	test_sql(&test, "UPDATE provisioning.user_erasure SET counted_at = now()");
	test_sql(&test,
		"INSERT INTO provisioning.contract (tenant_id, id, customer_tenant_id, code, name)"
		" VALUES ('" TEST_OPERATOR_TENANT "', '" HELD_CONTRACT "', '" TEST_TENANT
		"', 'held', 'Held')");
	struct held held = { "contract_hold_put", "contractId=" HELD_CONTRACT "&ifMatch=%22v1%22",
		"{\"held\":true,\"reason\":\"訴訟\"}", 0, &operator};
	PGconn *superuser = PQconnectdb(test.superuser);
	PQclear(PQexec(superuser, "BEGIN; LOCK auth.account IN EXCLUSIVE MODE"));
	begin_turn(&job, user_erasure_run);
	const char *xid = id_while_auth_waits();
	assert_int_equal(pthread_create(&holds, NULL, ask_beside, &held), 0);
	bool waits = waits_for_lock();
	PQclear(PQexec(superuser, "COMMIT"));
	PQfinish(superuser);
	assert_int_equal(end_turn(&job), OK);
	assert_int_equal(pthread_join(holds, NULL), 0);
	const char *is_before = test_sql_text(&test,
		"SELECT x.erased_at < k.hold_since FROM provisioning.user_erasure x,"
		" provisioning.contract k WHERE k.code = 'held'");
	test_sql(&test, "DELETE FROM provisioning.contract WHERE code = 'held'");
	assert_string_equal(xid, "none");
	assert_true(waits);
	assert_int_equal(held.status, 200);
	assert_string_equal(is_before, "t");
}

/* Of one who is restored half way nobody would know that he is in until the erasure. */
static void what_failed_half_way_is_made_to_agree(void **state)
{
	static const char BREAK[] =
		"CREATE FUNCTION provisioning.breaks() RETURNS trigger LANGUAGE plpgsql AS"
		" 'BEGIN RAISE EXCEPTION ''the disk is gone''; END';"
		"CREATE CONSTRAINT TRIGGER breaks AFTER UPDATE ON provisioning.person"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
		" EXECUTE FUNCTION provisioning.breaks()";
	const char *id = add_user(&head, "hanbun", "student", "はんぶん", "ひと");
	const char *params = params_of("userId", id);
	(void)expect(204, &head, "user_delete", params, NULL);
	test_sql(&test, BREAK);
	(void)expect(500, &head, "user_restore", params, NULL);
	assert_string_equal(account_status(id), "active");
	test_sql(&test, "DROP FUNCTION provisioning.breaks CASCADE");
	settle();
	assert_string_equal(account_status(id), "suspended");
	(void)expect(204, &head, "user_restore", params, NULL);
	assert_string_equal(account_status(id), "active");
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM provisioning.access_ask"), "0");
}

static void only_contractors_manage_users(void **state)
{
	struct actor teacher = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_INSTRUCTOR);
	(void)expect(403, &teacher, "user_list", NULL, NULL);
	(void)expect(403, &operator, "user_list", NULL, NULL);
	(void)expect(401, NULL, "user_list", NULL, NULL);
}

static void an_erased_user_has_no_key_and_stands_in_the_ledger(void **state)
{
	struct erasure erasure;
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = "name", .version = 1 };
	const char *id = add_user(&head, "kieru", "student", "きえ", "る");
	assert_int_equal(keyring_user_key(test.keyring, TEST_TENANT, which, id, key), OK);
	erase_user(&head, id);
	assert_int_equal(
		keyring_user_key(test.keyring, TEST_TENANT, which, id, key), ERR_NOT_FOUND);
	assert_int_equal(
		erasure_find(keyring_ledger(test.keyring), test.arena, TEST_TENANT, id, &erasure),
		OK);
	assert_int_equal(strncmp(erasure.keys, "user=", 5), 0);
	assert_int_equal(strlen(erasure.keys), 5 + 32);
	assert_string_equal(erasure.hash,
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT ledger_hash FROM provisioning.user_erasure WHERE user_id ="
				" '%s'",
				id)));
}

static bool is_here(const char *id)
{
	return *test_sql_text(&test,
		       arena_printf(test.arena,
			       "SELECT count(*) FROM provisioning.person WHERE id = '%s'", id)) ==
		'1';
}

/* Who is in the ledger, and in the database as if a backup had been restored. */
static const char *bring_back(const struct actor *admin, const char *username)
{
	const char *id = add_user(admin, username, "student", "もど", "る");
	const struct erasure erasure = { .tenant_id = admin->tenant_id,
		.user_id = id,
		.at = clock_now_text(test.arena),
		.keys = "-" };
	assert_int_equal(erasure_add(keyring_ledger(test.keyring), &erasure), OK);
	return id;
}

static void replay_turns(unsigned n)
{
	bool more;
	for (; n > 0; n--) {
		struct call c = test_call(&test, NULL);
		enum err e = erasure_replay(&c, &more);
		assert_true(e == OK || e == ERR_CONFLICT);
		if (e)
			db_rollback(c.db);
		else
			assert_int_equal(db_commit(&c), OK);
	}
}

static void who_cannot_go_again_yet_holds_up_nobody(void **state)
{
	const char *held = bring_back(&head, "modoru"), *other = bring_back(&other_head, "modoru");
	test_sql(&test,
		"INSERT INTO provisioning.roster_hold (tenant_id, import_id) VALUES ('" TEST_TENANT
		"', gen_random_uuid())");
	replay_turns(10);
	assert_true(is_here(held));
	assert_false(is_here(other));
	test_sql(&test, "DELETE FROM provisioning.roster_hold");
	replay_turns(40);
	assert_false(is_here(held));
}

static void of_what_others_keep_there_is_no_key(void **state)
{
	assert_true(test_has_key(&test, "outbox", 1));
	assert_true(test_has_key(&test, "name", 1));
	assert_true(test_has_key(&test, "index person.login_index", KEYRING_INDEX));
	assert_false(test_has_key(&test, "text", 1));
	assert_false(test_has_key(&test, "media", 1));
}

int main(void)
{
	lifecycle_conf.user_grace_days = 30;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_created_with_an_account_and_a_secret),
		cmocka_unit_test(a_login_name_is_told_and_lies_nowhere),
		cmocka_unit_test(a_failed_commit_is_taken_up_by_any_repetition),
		cmocka_unit_test(nobody_is_created_while_an_import_runs),
		cmocka_unit_test(nothing_is_written_while_auth_is_asked),
		cmocka_unit_test(a_lost_connection_is_taken_up_by_any_repetition),
		cmocka_unit_test(a_login_name_is_unique_whatever_its_case),
		cmocka_unit_test(a_change_needs_the_version_that_was_read),
		cmocka_unit_test(suspension_and_restoring_reach_auth_and_the_others),
		cmocka_unit_test(who_is_deleted_can_be_restored_until_the_day),
		cmocka_unit_test(an_erased_user_is_gone_everywhere),
		cmocka_unit_test(an_erasure_is_listed_for_its_own_tenant),
		cmocka_unit_test(nobody_shuts_themselves_out),
		cmocka_unit_test(a_new_secret_replaces_the_one_before),
		cmocka_unit_test(a_list_goes_by_reading_page_by_page),
		cmocka_unit_test(a_list_is_searched_by_reading_or_part_of_the_name),
		cmocka_unit_test(another_tenant_sees_none_of_it),
		cmocka_unit_test(nobody_is_deleted_while_the_contract_is_held),
		cmocka_unit_test(a_hold_waits_for_what_is_being_deleted),
		cmocka_unit_test(what_failed_half_way_is_made_to_agree),
		cmocka_unit_test(only_contractors_manage_users),
		cmocka_unit_test(of_what_others_keep_there_is_no_key),
		cmocka_unit_test(an_erased_user_has_no_key_and_stands_in_the_ledger),
		cmocka_unit_test(who_cannot_go_again_yet_holds_up_nobody),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
