/* Anomalies: what is told, what is not, once for each window, and to its own tenant only. */
#include <stdlib.h>

#include "libcommon/db.h"
#include "services/audit/audit_world.h"

static struct test test;

/* There is no auth here: the tenant's service capability is made by the test. */
static enum err mint(struct call *c, const char *tenant_id, const char **capability)
{
	const struct actor actor = test_actor(&test, tenant_id, TEST_USER, ROLE_SERVICE);
	*capability = test_capability(&test, &actor);
	return OK;
}

static struct service audit_that_mints;

static int open_world(void **state)
{
	audit_that_mints = audit_under_test;
	audit_that_mints.service_capability = mint;
	test_open(&test, &audit_that_mints);
	anomaly_limits = (struct anomaly_limits){
		.videos = 5, .failures = 4, .night_from = 23, .night_until = 5
	};
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* TIME_MS is half past nine in the morning in Japan. */
#define MORNING 0
#define NIGHT (14 * 60) /* 23:30 */

struct visit {
	const char *tenant_id, *operation, *user_id, *role, *object_id;
	int minute;
	bool failed;
};

static void tell(struct visit visit)
{
	const char *line = arena_printf(test.arena,
		"{\"class_uid\":6005,\"time\":%lld,\"status_id\":%d,"
		"\"actor\":{\"user\":{\"uid\":\"%s\",\"type\":\"%s\"}},"
		"\"resources\":[{\"uid\":\"%s\"}],\"api\":{\"operation\":\"%s\"},"
		"\"metadata\":{\"version\":\"1.8.0\",\"tenant_uid\":\"%s\",\"uid\":\"%s\"}}",
		(long long)TIME_MS + visit.minute * 60000LL, visit.failed ? 2 : 1, visit.user_id,
		visit.role, visit.object_id ? visit.object_id : uuid_make(test.arena),
		visit.operation, visit.tenant_id, uuid_make(test.arena));
	const char *service =
		arena_strndup(test.arena, visit.operation, strcspn(visit.operation, "."));
	assert_int_equal(append_as(&test, service, &line, 1).status, 204);
}

static void view(const char *tenant_id, const char *object_id, int minute)
{
	tell((struct visit){ .tenant_id = tenant_id,
		.operation = "learning.media_content",
		.user_id = TEST_USER,
		.role = "instructor",
		.object_id = object_id,
		.minute = minute });
}

static void log_in(const char *role, int minute, bool failed)
{
	tell((struct visit){ .tenant_id = TEST_TENANT,
		.operation = "auth.session_create",
		.user_id = failed ? "" : TEST_USER,
		.role = role,
		.minute = minute,
		.failed = failed });
}

static void look(void)
{
	bool more = false;
	struct call c = test_call(&test, NULL);
	assert_int_equal(anomaly_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_false(more);
}

static const char *ask(
	const char *tenant_id, const char *operation, const char *params, unsigned status)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, tenant_id, TEST_USER, ROLE_CONTRACTOR);
	const struct test_request request = {
		.operation = operation, .actor = &actor, .params = params
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, status);
	return arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
}

/* The text of a field of one anomaly, which ends with its object. */
static const char *field(const char *anomaly, const char *name)
{
	const char *mark = arena_printf(test.arena, "\"%s\":\"", name);
	const char *at = strstr(anomaly, mark), *end = strchr(anomaly, '}');
	return at && at < end ? at + strlen(mark) : NULL;
}

/* What has been told so far, as "kind count user began, …", newest first. The user is "he", or "-"
 * for nobody; the begin is "08T00:31", day, hour and minute. */
static const char *told(const char *tenant_id)
{
	struct buf out = { .arena = test.arena };
	const char *body = ask(tenant_id, "anomaly_list", NULL, 200);
	for (const char *at = body; (at = strstr(at, "{\"id\":")); at++) {
		const char *kind = field(at, "kind"), *user = field(at, "userId");
		if (user && strncmp(user, TEST_USER, strlen(TEST_USER)) == 0)
			user = "he\"";
		buf_printf(&out, "%s%.*s %d %.*s %.8s", out.n ? ", " : "", (int)strcspn(kind, "\""),
			kind,
			(int)strtol(strstr(at, "\"count\":") + strlen("\"count\":"), NULL, 10),
			user ? (int)strcspn(user, "\"") : 1, user ? user : "-",
			field(at, "beganAt") + strlen("2026-04-"));
	}
	return out.data ? out.data : "";
}

/* How many there are in the log from the begin to the end of each that is told, oldest first. */
static const char *behind(void)
{
	return test_sql_text(&test,
		"SELECT string_agg(n::text, ' ' ORDER BY id) FROM (SELECT a.id,"
		" CASE a.kind WHEN 'many_videos' THEN count(DISTINCT e.object_id) ELSE count(*) END"
		" AS n FROM audit.anomaly a JOIN audit.event e ON e.tenant_id = a.tenant_id"
		" AND e.time >= a.began_at AND e.time < a.ended_at AND CASE a.kind"
		" WHEN 'many_videos' THEN e.operation = 'learning.media_content'"
		" AND e.actor_id = a.user_id ELSE e.outcome = 'failure' END GROUP BY a.id, a.kind) "
		"AS b");
}

static void many_videos_of_one_hour_are_told_once(void **state)
{
	for (int i = 0; i < 4; i++)
		view(TEST_TENANT, NULL, MORNING + i);
	for (int i = 0; i < 9; i++) /* the same one again and again, and others an hour later */
		view(TEST_TENANT, "01890000-0000-7000-8000-0000000000aa", MORNING + 60);
	for (int i = 0; i < 3; i++)
		view(TEST_TENANT, NULL, MORNING + 70);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	view(TEST_TENANT, NULL, MORNING + 5);
	look();
	assert_string_equal(told(TEST_TENANT), "many_videos 5 he 08T00:30");
	view(TEST_TENANT, NULL, MORNING + 6);
	look();
	assert_string_equal(told(TEST_TENANT), "many_videos 6 he 08T00:30");
}

/* Fixed hours would let nearly twice as many pass around their turn. */
static void nor_does_the_turn_of_an_hour_hide_them(void **state)
{
	const int turn = MORNING + 30; /* ten o'clock */
	for (int i = 0; i < 3; i++) {
		view(TEST_TENANT, NULL, turn - 2);
		view(TEST_TENANT, NULL, turn + 2);
	}
	look();
	assert_string_equal(told(TEST_TENANT), "many_videos 6 he 08T00:58");
	for (int i = 0; i < 2; i++) {
		log_in("anonymous", turn - 1, true);
		log_in("anonymous", turn + 1, true);
	}
	look();
	assert_string_equal(
		told(TEST_TENANT), "many_failures 4 - 08T00:59, many_videos 6 he 08T00:58");
}

/* What goes on for hours is told about once an hour. */
static void what_goes_on_is_told_again_each_hour(void **state)
{
	for (int i = 0; i < 50; i++) {
		view(TEST_TENANT, NULL, MORNING + 3 * i);
		if (i % 10 == 9)
			look();
	}
	assert_string_equal(
		told(TEST_TENANT), "many_videos 20 he 08T01:30, many_videos 20 he 08T00:30");
}

/* One anomaly that moves along with what grows would be told once, and only its last hour. */
static void nor_is_it_told_once_because_it_grows(void **state)
{
	for (int i = 0; i < 120; i++) {
		view(TEST_TENANT, NULL, MORNING + (i < 20 ? 2 * i : 20 + i));
		if (i % 10 == 9)
			look();
	}
	assert_string_equal(
		told(TEST_TENANT), "many_videos 60 he 08T01:30, many_videos 60 he 08T01:10");
	assert_string_equal(behind(), "60 60");
}

/* Few at first, then many within the hour after it, as far as the windows overlap. */
static void what_is_told_lies_behind_the_link(void **state)
{
	for (int i = 0; i < 5; i++)
		view(TEST_TENANT, NULL, MORNING + 1);
	look();
	for (int i = 0; i < 40; i++)
		view(TEST_TENANT, NULL, MORNING + 55 + i / 2);
	look();
	assert_string_equal(told(TEST_TENANT), "many_videos 40 he 08T01:25");
	for (int i = 0; i < 4; i++)
		log_in("anonymous", MORNING, true);
	look();
	for (int i = 0; i < 12; i++)
		log_in("anonymous", MORNING + 8 + i / 2, true);
	look();
	assert_string_equal(
		told(TEST_TENANT), "many_failures 12 - 08T00:38, many_videos 40 he 08T01:25");
	assert_string_equal(behind(), "40 12");
}

/* Guessing the password in somebody's session. */
static void so_do_passwords_that_are_asked_for_again(void **state)
{
	for (int i = 0; i < 4; i++)
		tell((struct visit){ .tenant_id = TEST_TENANT,
			.operation = "auth.session_step_up",
			.user_id = TEST_USER,
			.role = "instructor",
			.minute = MORNING,
			.failed = true });
	look();
	assert_string_equal(told(TEST_TENANT), "many_failures 4 - 08T00:30");
}

static void many_failures_are_told_and_some_are_not(void **state)
{
	for (int i = 0; i < 3; i++)
		log_in("anonymous", MORNING, true);
	log_in("instructor", MORNING, false);
	log_in("anonymous", MORNING + 30, true);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	log_in("anonymous", MORNING + 1, true);
	look();
	assert_string_equal(told(TEST_TENANT), "many_failures 4 - 08T00:30");
}

static void nights_are_told_of_the_staff_alone(void **state)
{
	log_in("student", NIGHT, false);
	log_in("instructor", MORNING, false);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	log_in("contractor", NIGHT, false);
	look();
	assert_string_equal(told(TEST_TENANT), "odd_hours 1 he 08T14:00");
	for (int i = 1; i < 3; i++) { /* each in a look of its own */
		log_in("contractor", NIGHT + i, false);
		look();
	}
	assert_string_equal(told(TEST_TENANT), "odd_hours 3 he 08T14:00");
}

static void taking_all_of_a_contract_away_is_told(void **state)
{
	struct visit download = { .tenant_id = TEST_TENANT,
		.operation = "learning.export_archive",
		.user_id = TEST_USER,
		.role = "contractor",
		.minute = MORNING };
	download.failed = true;
	tell(download);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	download.failed = false;
	for (int i = 0; i < 2; i++) {
		tell(download);
		look();
	}
	assert_string_equal(told(TEST_TENANT), "bulk_download 2 he 08T00:00");
}

/* With a second factor a login has two steps; who is in only the second knows. */
static void both_steps_of_a_login_count(void **state)
{
	struct visit step = { .tenant_id = TEST_TENANT,
		.operation = "auth.session_create",
		.user_id = "",
		.role = "anonymous",
		.minute = NIGHT };
	tell(step);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	step.operation = "auth.session_second_factor";
	step.user_id = TEST_USER;
	step.role = "contractor";
	tell(step);
	look();
	assert_string_equal(told(TEST_TENANT), "odd_hours 1 he 08T14:00");
	step.user_id = "";
	step.failed = true;
	step.minute = NIGHT + 60;
	for (int i = 0; i < 4; i++)
		tell(step);
	look();
	assert_string_equal(
		told(TEST_TENANT), "many_failures 4 - 08T15:30, odd_hours 1 he 08T14:00");
}

static void a_night_may_be_ordinary(void **state)
{
	anomaly_limits.night_until = anomaly_limits.night_from;
	log_in("contractor", NIGHT, false);
	look();
	assert_string_equal(told(TEST_TENANT), "");
}

static void a_night_may_lie_within_a_day(void **state)
{
	anomaly_limits.night_from = 1;
	anomaly_limits.night_until = 5;
	log_in("contractor", NIGHT + 60, false); /* 00:30 */
	log_in("contractor", NIGHT + 330, false); /* 05:00 */
	look();
	assert_string_equal(told(TEST_TENANT), "");
	log_in("contractor", NIGHT + 329, false);
	look();
	assert_string_equal(told(TEST_TENANT), "odd_hours 1 he 08T19:00");
}

static void nobody_hears_of_another_tenant(void **state)
{
	for (int i = 0; i < 3; i++) {
		view(TEST_TENANT, NULL, MORNING);
		view(TEST_OTHER_TENANT, NULL, MORNING);
	}
	look();
	assert_string_equal(told(TEST_TENANT), "");
	for (int i = 0; i < 2; i++)
		view(TEST_OTHER_TENANT, NULL, MORNING);
	look();
	assert_string_equal(told(TEST_TENANT), "");
	assert_string_equal(told(TEST_OTHER_TENANT), "many_videos 5 he 08T00:30");
}

static void what_was_seen_is_not_counted_any_more(void **state)
{
	log_in("contractor", NIGHT, false);
	look();
	const char *body = ask(TEST_TENANT, "anomaly_list", NULL, 200);
	assert_non_null(strstr(body, "\"unseenCount\":1"));
	const char *id =
		arena_strndup(test.arena, strstr(body, "\"id\":\"") + strlen("\"id\":\""), 36);
	const char *params = arena_printf(test.arena, "anomalyId=%s", id);
	ask(TEST_OTHER_TENANT, "anomaly_see", params, 404);
	ask(TEST_TENANT, "anomaly_see", params, 204);
	ask(TEST_TENANT, "anomaly_see", params, 204);
	body = ask(TEST_TENANT, "anomaly_list", NULL, 200);
	assert_non_null(strstr(body, "\"unseenCount\":0"));
	assert_non_null(strstr(body, "\"seen\":true"));
}

/* However slowly: twice what it was when somebody looked. */
static void what_has_doubled_is_to_be_looked_at_again(void **state)
{
	for (int i = 0; i < 5; i++)
		view(TEST_TENANT, NULL, MORNING);
	look();
	const char *body = ask(TEST_TENANT, "anomaly_list", NULL, 200);
	const char *params =
		arena_printf(test.arena, "anomalyId=%.36s", field(strchr(body, '['), "id"));
	ask(TEST_TENANT, "anomaly_see", params, 204);
	for (int i = 0; i < 5; i++) {
		body = ask(TEST_TENANT, "anomaly_list", NULL, 200);
		assert_non_null(strstr(body, "\"unseenCount\":0"));
		assert_non_null(strstr(body, "\"seen\":true"));
		view(TEST_TENANT, NULL, MORNING + 1);
		look();
	}
	body = ask(TEST_TENANT, "anomaly_list", NULL, 200);
	assert_non_null(strstr(body, "\"unseenCount\":1"));
	assert_non_null(strstr(body, "\"seen\":false"));
	ask(TEST_TENANT, "anomaly_see", params, 204);
	assert_non_null(strstr(ask(TEST_TENANT, "anomaly_list", NULL, 200), "\"unseenCount\":0"));
}

/* As libcommon/audit_stop.c tells it. */
/* As libcommon/audit_stop.c tells it. */
static void told_stop(const char *service, int day)
{
	const char *line = arena_printf(test.arena,
		"{\"class_uid\":6002,\"time\":%lld,\"status_id\":1,"
		"\"actor\":{\"user\":{\"uid\":\"%s\",\"type\":\"service\"}},"
		"\"api\":{\"operation\":\"%s.audit_stop\"},\"unmapped\":{"
		"\"from\":\"2026-11-%dT00:00:00.000Z\",\"until\":\"2026-11-%dT00:10:00.000Z\","
		"\"refused\":0},\"metadata\":{\"version\":\"1.8.0\",\"tenant_uid\":\"" TEST_TENANT
		"\",\"uid\":\"%s\"}}",
		(long long)TIME_MS, service, service, day, day, uuid_make(test.arena));
	assert_int_equal(append_as(&test, service, &line, 1).status, 204);
}

static void a_time_without_a_log_is_told_whoever_noticed(void **state)
{
	static const char *const services[] = { "auth", "provisioning", "learning", "notification",
		"audit" };
	for (int i = 0; i < 5; i++)
		told_stop(services[i], 20 + i);
	look();
	assert_string_equal(told(TEST_TENANT),
		"audit_stopped 0 - 24T00:00, audit_stopped 0 - 23T00:00, audit_stopped 0 - "
		"22T00:00, audit_stopped 0 - 21T00:00, audit_stopped 0 - 20T00:00");
}

static void a_time_without_a_log_is_told_with_its_end(void **state)
{
	told_stop("learning", 26);
	look();
	assert_string_equal(told(TEST_TENANT), "audit_stopped 0 - 26T00:00");
	assert_string_equal(
		test_sql_text(&test, "SELECT ended_at - began_at FROM audit.anomaly"), "00:10:00");
	assert_string_equal(told(TEST_OTHER_TENANT), "");
}

/* As libcommon/key_use.c tells it. */
static void told_keys(const char *operation, const char *what, int n)
{
	const char *service = arena_strndup(test.arena, operation, strcspn(operation, "."));
	const char *line = arena_printf(test.arena,
		"{\"class_uid\":3004,\"time\":%lld,\"status_id\":1,"
		"\"actor\":{\"user\":{\"uid\":\"%s\",\"type\":\"service\"}},"
		"\"entity\":{\"uid\":\"keyring\"},\"api\":{\"operation\":\"%s\"},\"unmapped\":{"
		"\"from\":\"2026-11-26T10:00:00.000Z\",\"until\":\"2026-11-26T10:10:00.000Z\","
		"\"%s\":%d},\"metadata\":{\"version\":\"1.8.0\",\"tenant_uid\":\"" TEST_TENANT
		"\",\"uid\":\"%s\"}}",
		(long long)TIME_MS, service, operation, what, n, uuid_make(test.arena));
	assert_int_equal(append_as(&test, service, &line, 1).status, 204);
}

static void keys_are_told_with_the_most_of_their_hour(void **state)
{
	told_keys("learning.keys_opened", "opened", 2000);
	look();
	told_keys("learning.keys_opened", "opened", 4000);
	look();
	assert_string_equal(told(TEST_TENANT), "many_keys 4000 - 26T10:00");
	told_keys("learning.keys_refused", "refused", 1);
	look();
	assert_string_equal(
		told(TEST_TENANT), "refused_keys 1 - 26T10:00, many_keys 4000 - 26T10:00");
	told_keys("learning.keys_foreign", "foreign", 2);
	look();
	assert_string_equal(told(TEST_TENANT),
		"foreign_keys 2 - 26T10:00, refused_keys 1 - 26T10:00, many_keys 4000 - 26T10:00");
}

static void keys_are_told_whoever_opened_them(void **state)
{
	static const char *const services[] = { "provisioning", "notification" };
	for (int i = 0; i < 2; i++) {
		told_keys(
			arena_printf(test.arena, "%s.keys_opened", services[i]), "opened", 10 + i);
		told_keys(arena_printf(test.arena, "%s.keys_refused", services[i]), "refused",
			10 + i);
		told_keys(arena_printf(test.arena, "%s.keys_foreign", services[i]), "foreign",
			10 + i);
		look();
		static const char *const all = "foreign_keys %d - 26T10:00, refused_keys %d - "
					       "26T10:00, many_keys %d - 26T10:00";
		assert_string_equal(
			told(TEST_TENANT), arena_printf(test.arena, all, 10 + i, 10 + i, 10 + i));
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(many_videos_of_one_hour_are_told_once),
		FACT(nor_does_the_turn_of_an_hour_hide_them),
		FACT(what_goes_on_is_told_again_each_hour),
		FACT(nor_is_it_told_once_because_it_grows),
		FACT(what_is_told_lies_behind_the_link),
		FACT(many_failures_are_told_and_some_are_not),
		FACT(so_do_passwords_that_are_asked_for_again),
		FACT(nights_are_told_of_the_staff_alone),
		FACT(taking_all_of_a_contract_away_is_told),
		FACT(both_steps_of_a_login_count),
		FACT(a_night_may_be_ordinary),
		FACT(a_night_may_lie_within_a_day),
		FACT(a_time_without_a_log_is_told_with_its_end),
		FACT(a_time_without_a_log_is_told_whoever_noticed),
		FACT(keys_are_told_with_the_most_of_their_hour),
		FACT(keys_are_told_whoever_opened_them),
		FACT(nobody_hears_of_another_tenant),
		FACT(what_was_seen_is_not_counted_any_more),
		FACT(what_has_doubled_is_to_be_looked_at_again),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
