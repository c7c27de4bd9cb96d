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
		"\"},{\"type\":\"anonymous\"},{\"uid\":\"%s\"}],\"routes\":[{\"operation\":"
		"\"learning.try_list\",\"method\":\"GET\",\"path\":\"/v1/tries\"},{\"operation\":"
		"\"%s\",\"method\":\"GET\",\"path\":\"/\"}],\"requests\":[{\"uid\":"
		"\"%s\",\"object\":\"" OTHER_TRY
		"\"},{\"code\":401},{\"object\":\"%s\"}]},\"metadata\":{\"labels\":[\"%s\"],"
		"\"tenant_uid\":\"" TEST_TENANT "\",\"uid\":\"%s\"}}",
		(long long)TIME_MS + minute * 60000LL, failed ? 2 : 1, user_id,
		failed ? "learning.media_content" : "learning.try_get",
		failed ? CALL : uuid_make(test.arena), try_id, failed ? "II" : "III",
		uuid_make(test.arena));
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
		{ "kind=access&operation=learning.try_list", "7 6" },
		{ "kind=access&operation=learning.try_get", "6" },
		{ "kind=all&operation=learning.try_create", "8 5 3 1" },
		{ "kind=access&label=II", "7" },
		{ "kind=all&label=III&verb=read", "6" },
		{ "kind=access&label=III&outcome=failure", "" },
		{ "kind=access&objectId=" OTHER_TRY "&actorId=" TEST_OTHER_USER "&verb=read", "7" },
		{ "kind=access&until=2026-04-08T00:36:00.000Z", "6" },
		{ "kind=all&from=2026-04-08T03:00:00.000Z", "" },
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

/* The thing is a pupil's: found by whose it is, whoever did it to whatever. */
static void whose_it_is_can_be_asked(void **state)
{
	const char *line = arena_printf(test.arena,
		"{\"class_uid\":6005,\"type_uid\":600501,\"time\":%lld,\"status_id\":1,"
		"\"resources\":[{\"uid\":\"" TRY "\",\"owner\":{\"uid\":\"" TEST_OTHER_USER
		"\"}}],\"api\":{\"operation\":\"learning.media_content\"},"
		"\"metadata\":{\"tenant_uid\":\"" TEST_TENANT "\",\"uid\":\"%s\"}}",
		(long long)TIME_MS, uuid_make(test.arena));
	assert_int_equal(append_lines(&test, &line, 1).status, 204);
	assert_string_equal(
		found(search(TEST_TENANT, ROLE_CONTRACTOR, "ownerId=" TEST_OTHER_USER)), "6");
	assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR,
				    "ownerId=" TEST_OTHER_USER "&verb=read")),
		"6");
	assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR, "ownerId=" TEST_USER)), "");
}

static const char *next_of(const char *body)
{
	const char *next = strstr(body, "\"nextCursor\":\"");
	return next ? arena_strndup(test.arena, next + 14, strcspn(next + 14, "\"")) : NULL;
}

#define SEEN_TWICE "01900000-0000-7000-8000-0000000000aa"
#define SEEN_ONCE "01900000-0000-7000-8000-0000000000bb"

/* A hundred tiles. In each stand a person and a thing, but together in the oldest only; another
 * person in that one alone. */
static void grow_a_hundred_tiles(void)
{
	test_sql(&test,
		"INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, "
		"actor_id,"
		" object_id, line) SELECT '" TEST_TENANT
		"', gen_random_uuid(), 256 * (t + 1) + n, now(),"
		" 'learning.try_list', 'success', CASE WHEN n = 3 THEN '" SEEN_ONCE "'::uuid"
		" WHEN n = 1 OR t = 0 THEN '" SEEN_TWICE "'::uuid END,"
		" CASE WHEN n = 2 OR t = 0 THEN '" TRY "' END, '{}'"
		" FROM generate_series(0, 99) AS t, generate_series(1, 3) AS n"
		" WHERE n < 3 OR t = 0;"
		"UPDATE audit.head SET sequence = 256 * 101 WHERE tenant_id = '" TEST_TENANT "'");
}

/* A page that looked in vain at all it may look at says where to go on. */
static void what_few_events_have_takes_pages_and_not_time(void **state)
{
	const char *params = "objectId=" TRY "&actorId=" SEEN_TWICE;
	grow_a_hundred_tiles();
	for (int is_noted = 0; is_noted < 2; is_noted++) {
		const char *body = search(TEST_TENANT, ROLE_CONTRACTOR, params);
		const char *next = next_of(body);
		assert_string_equal(found(body), "");
		assert_non_null(next);
		body = search(TEST_TENANT, ROLE_CONTRACTOR,
			arena_printf(test.arena, "%s&cursor=%s", params, next));
		assert_string_equal(found(body), "258 257");
		assert_null(next_of(body));
		note_terms(&test);
	}
}

static void what_one_tile_has_is_found_at_once_when_it_is_noted(void **state)
{
	grow_a_hundred_tiles();
	assert_string_equal(found(search(TEST_TENANT, ROLE_CONTRACTOR, "actorId=" SEEN_ONCE)), "");
	note_terms(&test);
	assert_string_equal(
		found(search(TEST_TENANT, ROLE_CONTRACTOR, "actorId=" SEEN_ONCE)), "259");
}

/* In a tile that is not full beside those that are noted. */
static void what_is_new_is_found_without_terms(void **state)
{
	grow_a_hundred_tiles();
	note_terms(&test);
	happen(&test, (struct happening){ .tenant_id = TEST_TENANT, .actor_id = SEEN_ONCE });
	assert_string_equal(
		found(search(TEST_TENANT, ROLE_CONTRACTOR, "actorId=" SEEN_ONCE)), "25857 259");
}

static void pages_follow_each_other(void **state)
{
	const char *params = "limit=2", *pages[] = { "5 4", "3 2", "1" };
	for (int i = 0; i < 3; i++) {
		const char *body = search(TEST_TENANT, ROLE_CONTRACTOR, params);
		const char *next = next_of(body);
		assert_string_equal(found(body), pages[i]);
		assert_int_equal(next != NULL, i < 2);
		if (next)
			params = arena_printf(test.arena, "limit=2&cursor=%s", next);
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
		FACT(whose_it_is_can_be_asked),
		FACT(what_few_events_have_takes_pages_and_not_time),
		FACT(what_one_tile_has_is_found_at_once_when_it_is_noted),
		FACT(what_is_new_is_found_without_terms),
		FACT(pages_follow_each_other),
		FACT(a_tenant_finds_only_its_own),
		FACT(the_operator_finds_what_is_nobodys),
		FACT(the_line_comes_as_it_is_stored),
		FACT(pupils_and_teachers_do_not_search),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
