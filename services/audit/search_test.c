/* Searching: filters, pages, and nothing of another tenant. */
#include "libcommon/ocsf.h"
#include "services/audit/audit_world.h"

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	for (int i = 0; i < 5; i++)
		happen(&test,
			(struct happening){ .tenant_id = TEST_TENANT,
				.minute = i,
				.operation = i % 2 ? "auth.session_create" : NULL,
				.actor_id = i == 4 ? TEST_OTHER_USER : TEST_USER,
				.failed = i == 3 });
	happen(&test, (struct happening){ .tenant_id = TEST_OTHER_TENANT, .actor_id = TEST_USER });
	happen(&test, (struct happening){ .operation = "auth.session_create", .failed = true });
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static const char *search(const char *tenant_id, enum role role, const char *params)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, tenant_id, TEST_USER, role);
	const struct test_request request = {
		.operation = "audit_search", .actor = &actor, .params = params
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	return arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
}

/* The sequences found, as "5 4 3". */
static const char *found(const char *body)
{
	struct buf out = { .arena = test.arena };
	for (const char *at = body; (at = strstr(at, "\",\"sequence\":")); at++) {
		at += strlen("\",\"sequence\":");
		buf_printf(&out, "%s%.*s", out.n ? " " : "", (int)strspn(at, "0123456789"), at);
	}
	return out.data ? out.data : "";
}

static void filters_leave_what_they_name(void **state)
{
	static const struct {
		const char *params, *found;
	} searches[] = {
		{ NULL, "5 4 3 2 1" },
		{ "operation=auth.session_create", "4 2" },
		{ "outcome=failure", "4" },
		{ "outcome=success&operation=auth.session_create", "2" },
		{ "actorId=" TEST_OTHER_USER, "5" },
		{ "from=2026-04-08T00:31:00.000Z&until=2026-04-08T00:33:00.000Z", "3 2" },
		{ "until=2026-04-08T09:31:00.000%2B09:00", "1" },
		{ "operation=auth.account_put", "" },
	};
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
		assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR, searches[i].params)),
			searches[i].found);
}

/* What the line says of itself: class and activity, what was touched, and the object. */
static void lines_are_found_by_what_they_say(void **state)
{
	static const struct {
		const char *params, *found;
	} searches[] = {
		{ "label=III", "6" },
		{ "label=III&verb=read", "6" },
		{ "label=II", "" },
		{ "verb=read", "6" },
		{ "verb=update", "7" },
		{ "verb=logon", "" },
		{ "objectId=the+%22thing%22", "5 4 3 2 1" },
		{ "objectId=\"labels\":[\"II\"]", "7" },
	};
	/* An object whose name looks like a member passes for none. */
	static const char *const heads[] = { "\"type_uid\":300402,\"entity\":{\"uid\":\"x\"}",
		"\"type_uid\":300403,\"entity\":{\"uid\":\"\\\"labels\\\":[\\\"II\\\"]\"}" };
	for (int i = 0; i < 2; i++) {
		const char *line = arena_printf(test.arena,
			"{\"class_uid\":3004,%s,\"time\":1,\"status_id\":1,\"api\":{\"operation\":"
			"\"learning.try_create\"},\"metadata\":{%s\"tenant_uid\":\"" TEST_TENANT
			"\",\"uid\":\"%s\"}}",
			heads[i], i ? "" : "\"labels\":[\"III\"],", uuid_make(test.arena));
		assert_int_equal(append_lines(&test, &line, 1).status, 204);
	}
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
		assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR, searches[i].params)),
			searches[i].found);
}

#define TRY "01900000-0000-7000-8000-00000000000a"
#define OTHER_TRY "01900000-0000-7000-8000-00000000000b"
#define CALL "01900000-0000-7000-8000-00000000000c"

/* An event of two requests of two people, each for a try of its own. */
static void access_try(int minute, bool failed, const char *user_id, const char *try_id)
{
	const char *line = arena_printf(test.arena,
		"{\"class_uid\":6003,\"type_uid\":600302,\"time\":%lld,\"status_id\":%d,"
		"\"actor\":{\"app_name\":\"gateway\"},\"api\":{\"operation\":\"" ACCESS_OPERATION
		"\"},\"unmapped\":{\"actors\":[{\"uid\":\"" TEST_USER
		"\"},{\"type\":\"anonymous\"},{\"uid\":\"%s\"}],\"requests\":[{\"uid\":"
		"\"%s\",\"object\":\"" OTHER_TRY
		"\"},{\"code\":401},{\"object\":\"%s\"}]},\"metadata\":{\"tenant_"
		"uid\":\"" TEST_TENANT "\",\"uid\":\"%s\"}}",
		(long long)TIME_MS + minute * 60000LL, failed ? 2 : 1, user_id,
		failed ? CALL : uuid_make(test.arena), try_id, uuid_make(test.arena));
	assert_int_equal(append_as(&test, "gateway", &line, 1).status, 204);
}

/* Requests are found by whoever asks for them, and by each of those whom an event is about. */
static void accesses_are_found_when_asked_for(void **state)
{
	static const struct {
		const char *params, *found;
	} searches[] = {
		{ NULL, "8 5 4 3 2 1" },
		{ "kind=activity", "8 5 4 3 2 1" },
		{ "kind=access", "7 6" },
		{ "kind=all", "8 7 6 5 4 3 2 1" },
		{ "kind=access&outcome=failure", "7" },
		{ "kind=access&verb=read", "7 6" },
		{ "kind=access&actorId=" TEST_OTHER_USER, "7" },
		{ "kind=access&actorId=" TEST_USER, "7 6" },
		{ "kind=access&objectId=" TRY, "6" },
		{ "kind=access&objectId=" OTHER_TRY, "7 6" },
		{ "kind=access&objectId=nothing", "" },
		{ "kind=access&requestId=" CALL, "7" },
		{ "kind=all&requestId=" CALL, "8 7" },
		{ "requestId=" CALL, "8" },
		{ "kind=all&requestId=" TRY, "" }, /* the id of something else */
		{ "kind=all&actorId=" TEST_OTHER_USER, "7 5" },
		{ "kind=all&limit=3&actorId=" TEST_USER, "7 6 4" },
		/* An event may go on for a second, so one may begin before what is asked for. */
		{ "kind=access&from=2026-04-08T00:36:01.000Z", "7" },
		{ "kind=access&from=2026-04-08T00:36:01.001Z", "" },
	};
	access_try(5, false, TEST_USER, TRY);
	access_try(6, true, TEST_OTHER_USER, OTHER_TRY);
	const char *call = arena_printf(test.arena,
		"{\"class_uid\":3004,\"time\":1,\"status_id\":1,\"entity\":{\"uid\":\"" TRY
		"\"},\"api\":{\"operation\":\"learning.try_create\",\"request\":{\"uid\":\"" CALL
		"\"}},\"metadata\":{\"tenant_uid\":\"" TEST_TENANT "\",\"uid\":\"%s\"}}",
		uuid_make(test.arena));
	assert_int_equal(append_lines(&test, &call, 1).status, 204);
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
		assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR, searches[i].params)),
			searches[i].found);
}

static void pages_follow_each_other(void **state)
{
	const char *params = "limit=2", *pages[] = { "5 4", "3 2", "1" };
	for (int i = 0; i < 3; i++) {
		const char *body = search(TEST_TENANT, ROLE_CONTRACTOR, params);
		const char *next = strstr(body, "\"nextCursor\":\"");
		assert_string_equal(found(body), pages[i]);
		assert_int_equal(next != NULL, i < 2);
		if (next)
			params = arena_printf(test.arena, "limit=2&cursor=%.*s",
				(int)strcspn(next + 14, "\""), next + 14);
	}
}

static void a_tenant_finds_only_its_own(void **state)
{
	const char *other = search(TEST_OTHER_TENANT, ROLE_CONTRACTOR, NULL);
	assert_string_equal(found(other), "1");
	assert_null(strstr(other, TEST_TENANT));
}

/* A login to a contract that does not exist belongs to no tenant: the operator sees it. */
static void the_operator_finds_what_is_nobodys(void **state)
{
	const char *body = search(TEST_OPERATOR_TENANT, ROLE_OPERATOR, NULL);
	assert_string_equal(found(body), "1");
	assert_null(strstr(body, TEST_TENANT));
}

static void the_line_comes_as_it_is_stored(void **state)
{
	const char *body = search(TEST_TENANT, ROLE_CONTRACTOR, "limit=1");
	assert_non_null(strstr(body, "\\\"sequence\\\":5}}\""));
}

static void pupils_and_teachers_do_not_search(void **state)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_INSTRUCTOR);
	const struct test_request request = { .operation = "audit_search", .actor = &actor };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(filters_leave_what_they_name),
		FACT(lines_are_found_by_what_they_say),
		FACT(accesses_are_found_when_asked_for),
		FACT(pages_follow_each_other),
		FACT(a_tenant_finds_only_its_own),
		FACT(the_operator_finds_what_is_nobodys),
		FACT(the_line_comes_as_it_is_stored),
		FACT(pupils_and_teachers_do_not_search),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
