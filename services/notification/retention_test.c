/* Announcements and notices that were kept long enough go by their class; the operator's and
 * another tenant's stay. */
#include <string.h>

#include "libcommon/service.h"
#include "libcommon/testing.h"
#include "services/notification/notification.h"

#define ID(end_) "01890000-0000-7000-8000-000000000" end_
#define PLAIN ID("601")
#define GRAVE ID("602")
#define OF_OPERATOR ID("603")
#define TRY ID("501")

static const struct service notification = { .name = "notification",
	.ops = notification_ops,
	.ops_n = NOTIFICATION_OPS_N,
	.keyring = KEYRING_READS,
	.sealed = notification_sealed,
	.sealed_n = NOTIFICATION_SEALED_N };
static struct test test;

static const char ROWS[] =
	"INSERT INTO notification.announcement (tenant_id, id, writer_id, text, audience, label,"
	" created_at) SELECT tenant::uuid, id::uuid, '" TEST_USER "',"
	" 'AQAAAAAB' || repeat('A', 140), 'student', label, now() - interval '100 days'"
	" FROM (VALUES ('" TEST_TENANT "', '" PLAIN "', NULL), ('" TEST_TENANT "', '" GRAVE
	"', 'II'), ('" TEST_OPERATOR_TENANT "', '" OF_OPERATOR "', NULL)) AS a (tenant, id, label);"
	"INSERT INTO notification.notice (tenant_id, id, user_id, kind, try_id, created_at)"
	" VALUES ('" TEST_TENANT "', gen_random_uuid(), '" TEST_USER "', 'comment', '" TRY
	"', now() - interval '100 days'), ('" TEST_TENANT "', gen_random_uuid(), '" TEST_USER
	"', 'comment', '" TRY "', now())";

static int open_world(void **state)
{
	test_open(&test, &notification);
	test_sql(&test, ROWS);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* Once; *c is the finished call. */
static bool step(
	const char *tenant_id, const char *kind, const char *label, int days, struct call *c)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, tenant_id, "provisioning", ROLE_SERVICE);
	const struct test_request request = { .operation = "retention_step",
		.actor = &actor,
		.caller = "provisioning",
		.body = test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT json_build_object('kind', '%s', 'label', '%s', 'before',"
				" tenancy.stamp(now() - interval '%d days'))",
				kind, label, days)) };
	test_dispatch(&test, &request, &reply, c);
	assert_int_equal(reply.status, 200);
	return memmem(reply.body.data, reply.body.n, "true", 4) != NULL;
}

static const char *announcements(void)
{
	return test_sql_text(&test,
		"SELECT coalesce(string_agg(right(id::text, 3), ' ' ORDER BY "
		"id), '') FROM notification.announcement");
}

static const char *notices(void)
{
	return test_sql_text(&test, "SELECT count(*) FROM notification.notice");
}

static void an_announcement_goes_by_its_class_and_pages_look_again(void **state)
{
	struct call c;
	assert_true(step(TEST_TENANT, "announcement", "IV", 90, &c));
	assert_non_null(c.pushes);
	assert_string_equal(c.pushes->topic, "announcement");
	assert_non_null(strstr(c.pushes->json, PLAIN));
	assert_false(step(TEST_TENANT, "announcement", "IV", 90, NULL));
	assert_string_equal(announcements(), "602 603");
	assert_true(step(TEST_TENANT, "announcement", "II", 90, NULL));
	assert_string_equal(announcements(), "603");
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(body::json->'metadata'->>'labels', ' '"
				    " ORDER BY id) FROM notification.outbox WHERE type ="
				    " 'notification.announcement_expire'"),
		"[\"IV\"] [\"II\"]");
}

static void what_is_younger_stays(void **state)
{
	assert_false(step(TEST_TENANT, "announcement", "IV", 110, NULL));
	test_sql(&test,
		"UPDATE notification.announcement SET created_at = now() - interval '29 "
		"days'");
	assert_false(step(TEST_TENANT, "announcement", "IV", 1, NULL)); /* a month at least */
	assert_string_equal(announcements(), "601 602 603");
}

static void another_tenant_keeps_its_own(void **state)
{
	assert_false(step(TEST_OTHER_TENANT, "announcement", "IV", 90, NULL));
	assert_false(step(TEST_OTHER_TENANT, "notice", "IV", 90, NULL));
	assert_string_equal(announcements(), "601 602 603");
	assert_string_equal(notices(), "2");
}

static void old_notices_go_with_one_event(void **state)
{
	assert_true(step(TEST_TENANT, "notice", "IV", 90, NULL));
	assert_false(step(TEST_TENANT, "notice", "IV", 90, NULL));
	assert_string_equal(notices(), "1");
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM notification.outbox WHERE"
				    " type = 'notification.notice_expire'"),
		"1");
}

/* Where learning has removed the try. */
static void notices_of_a_try_go_with_it(void **state)
{
	struct reply reply;
	struct call c;
	const struct actor actor = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	const struct test_request request = { .operation = "event_accept",
		.actor = &actor,
		.caller = "learning",
		.body = "{\"events\":[{\"id\":\"" ID(
			"701") "\",\"type\":\"lesson.happened\","
			       "\"time\":\"2026-04-08T00:30:00.000Z\",\"data\":\"{\\\"kind\\\":"
			       "\\\"removal\\\",\\\"tryId\\\":\\\"" TRY "\\\",\\\"recipients\\\":"
			       "[\\\"" TEST_USER "\\\"]}\"}]}" };
	test_dispatch(&test, &request, &reply, &c);
	assert_int_equal(reply.status, 204);
	assert_string_equal(notices(), "0");
	assert_non_null(c.pushes);
	assert_non_null(strstr(c.pushes->json, "\"tryId\":\"" TRY "\""));
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(an_announcement_goes_by_its_class_and_pages_look_again),
		FACT(what_is_younger_stays),
		FACT(another_tenant_keeps_its_own),
		FACT(old_notices_go_with_one_event),
		FACT(notices_of_a_try_go_with_it),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
