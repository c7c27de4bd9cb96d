/* Facts about what a record says, field by field, for each class of what was touched. */
#include "libcommon/ocsf.h"

#include <string.h>

#include "libcommon/json.h"
#include "libcommon/service.h"
#include "libcommon/testing.h"

#define SESSION "01890000-0000-7000-8000-0000000000f1"
#define OBJECT "01890000-0000-7000-8000-00000000000d"
#define CALL "01234567-89ab-cdef-0123-456789abcdef"
#define EVENT "01890000-0000-7000-8000-0000000000e1"
#define NOW_MS 1775608200000

#define PROOF "\"proof\":{\"at\":1775608140000}"
#define STEP_UP "\"proof\":{\"at\":1775608140000,\"by\":\"password\",\"factors\":2}"

static const struct actor teacher = { .tenant_id = TEST_TENANT,
	.user_id = TEST_USER,
	.role = ROLE_INSTRUCTOR,
	.session_id = SESSION,
	.factors = 2,
	.authenticated_unix_ms = NOW_MS - 60000 };
static const struct actor stranger = {
	.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
};

static struct arena *arena;

static int open_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

/* ---- requests ---- */

static struct ocsf_access access_of(enum label label, const struct actor *actor)
{
	return (struct ocsf_access){ .call_id = CALL,
		.source = "192.0.2.9",
		.actor = *actor,
		.service = "learning",
		.operation = "try_get",
		.label = label,
		.method = "GET",
		.route = "/v1/tries/{tryId}",
		.object_id = OBJECT,
		.status = 200,
		.unix_ms = NOW_MS,
		.session_us = 1,
		.service_us = 2,
		.total_us = 3 };
}

/* `unmapped` of the line of these requests, as it stands there. */
static const char *told_of(const struct ocsf_access *accesses, size_t n)
{
	const struct ocsf_access **list = arena_array(arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = &accesses[i];
	size_t taken = n;
	const char *line = ocsf_access_line(arena, EVENT, list, &taken);
	assert_int_equal(taken, n);
	const char *from = strstr(line, "\"unmapped\":"), *until = strstr(line, ",\"metadata\":");
	assert_non_null(from);
	return arena_strndup(arena, from, (size_t)(until - from));
}

static const char *told(enum label label, const struct actor *actor)
{
	const struct ocsf_access access = access_of(label, actor);
	return told_of(&access, 1);
}

#define ROUTE                                                                                      \
	"\"routes\":[{\"operation\":\"learning.try_get\",\"method\":\"GET\","                      \
	"\"path\":\"/v1/tries/{tryId}\"}]"
#define REQUEST(object_)                                                                           \
	"\"requests\":[{\"uid\":\"" CALL "\"," object_                                             \
	"\"ms\":0,\"actor\":0,\"route\":0,\"code\":200,\"us\":[1,2,3]}]}"
#define NAMED REQUEST("\"object\":\"" OBJECT "\",")
#define WHO "\"unmapped\":{\"actors\":[{\"type\":\"instructor\",\"uid\":\"" TEST_USER "\""
#define WHENCE ",\"session\":\"" SESSION "\",\"is_mfa\":true,\"ip\":\"192.0.2.9\""

static void a_request_says_more_of_what_is_graver(void **state)
{
	assert_string_equal(told(LABEL_IV, &teacher), WHO "}]," ROUTE "," REQUEST(""));
	assert_string_equal(told(LABEL_III, &teacher), WHO WHENCE "}]," ROUTE "," NAMED);
	assert_string_equal(told(LABEL_II, &teacher), WHO WHENCE "," PROOF "}]," ROUTE "," NAMED);
	assert_string_equal(told(LABEL_I, &teacher), WHO WHENCE "," STEP_UP "}]," ROUTE "," NAMED);
	assert_string_equal(told(LABEL_NONE, &teacher), WHO WHENCE "}]," ROUTE "," NAMED);
}

/* There is nothing else by which he could be found. */
static void of_a_stranger_it_says_whence_whatever_the_class(void **state)
{
	static const char whence[] =
		"\"unmapped\":{\"actors\":[{\"type\":\"anonymous\",\"ip\":\"192.0.2.9\"}],";
	for (enum label label = LABEL_NONE; label <= LABEL_IV; label++)
		assert_memory_equal(told(label, &stranger), whence, sizeof(whence) - 1);
}

/* Who differs only in what is not said is the same one. */
static void one_who_asks_from_two_places_is_one_where_that_is_not_said(void **state)
{
	for (enum label label = LABEL_I; label <= LABEL_IV; label++) {
		struct ocsf_access two[] = { access_of(label, &teacher),
			access_of(label, &teacher) };
		two[1].source = "192.0.2.10";
		bool are_two = strstr(told_of(two, 2), "\"actor\":1") != NULL;
		assert_int_equal(are_two, label != LABEL_IV);
		two[1].source = two[0].source;
		two[1].actor.authenticated_unix_ms++; /* proven again between the two */
		are_two = strstr(told_of(two, 2), "\"actor\":1") != NULL;
		assert_int_equal(are_two, label <= LABEL_II);
	}
}

/* ---- changes, and reads that are recorded ---- */

static const struct service learning = { .name = "learning" };

static const char *event_of(
	enum label of_type, enum label of_object, const struct actor *actor, const char *recorded)
{
	const struct op op = { .name = "try_update",
		.label = of_type,
		.audit = { "entity_management.update", 3004, 3 } };
	const struct call c = { .arena = arena,
		.service = &learning,
		.op = &op,
		.actor = actor,
		.call_id = CALL,
		.source = "192.0.2.9",
		.object_id = OBJECT,
		.label = of_object,
		.recorded = recorded };
	return ocsf_line(&c, EVENT, NOW_MS);
}

static void assert_event(const char *line, const char *unmapped, const char *label)
{
	const char *wanted = arena_printf(arena,
		"\"actor\":{\"user\":{\"uid\":\"" TEST_USER "\",\"type\":\"instructor\"},"
		"\"session\":{\"uid\":\"" SESSION
		"\",\"is_mfa\":true}},\"entity\":{\"uid\":\"" OBJECT
		"\"},\"api\":{\"operation\":\"learning.try_update\",\"request\":{\"uid\":\"" CALL
		"\"}},\"src_endpoint\":{\"ip\":\"192.0.2.9\"},%s\"metadata\":{\"version\":\"1.8."
		"0\","
		"\"product\":{\"name\":\"Manabiya\",\"vendor_name\":\"Manabiya\"},\"labels\":[\"%"
		"s\"],"
		"\"tenant_uid\":\"" TEST_TENANT "\",\"uid\":\"" EVENT "\"}}",
		unmapped, label);
	assert_string_equal(strstr(line, "\"actor\":"), wanted);
}

/* A change says who, from where and of what, whatever the class. */
static void a_change_says_more_of_what_is_graver(void **state)
{
	static const char codes[] = "{\"reason\":\"mistake\"}";
	const char *proof = "\"unmapped\":{" PROOF "},", *step_up = "\"unmapped\":{" STEP_UP "},";
	assert_event(event_of(LABEL_IV, LABEL_NONE, &teacher, NULL), "", "IV");
	assert_event(event_of(LABEL_III, LABEL_NONE, &teacher, NULL), "", "III");
	assert_event(event_of(LABEL_II, LABEL_NONE, &teacher, NULL), proof, "II");
	assert_event(event_of(LABEL_I, LABEL_NONE, &teacher, NULL), step_up, "I");
	assert_event(event_of(LABEL_III, LABEL_NONE, &teacher, codes),
		"\"unmapped\":{\"reason\":\"mistake\"},", "III");
	assert_event(event_of(LABEL_II, LABEL_NONE, &teacher, codes),
		"\"unmapped\":{\"reason\":\"mistake\"," PROOF "},", "II");
}

static void what_was_raised_is_told_of_as_of_its_class(void **state)
{
	assert_event(
		event_of(LABEL_III, LABEL_I, &teacher, NULL), "\"unmapped\":{" STEP_UP "},", "I");
	assert_event(
		event_of(LABEL_III, LABEL_II, &teacher, NULL), "\"unmapped\":{" PROOF "},", "II");
}

static void who_has_not_logged_in_has_proven_nothing(void **state)
{
	struct actor service = teacher;
	service.role = ROLE_SERVICE;
	service.session_id = "";
	assert_null(strstr(event_of(LABEL_I, LABEL_NONE, &service, NULL), "unmapped"));
	assert_null(strstr(told(LABEL_I, &stranger), "proof"));
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		FACT(a_request_says_more_of_what_is_graver),
		FACT(of_a_stranger_it_says_whence_whatever_the_class),
		FACT(one_who_asks_from_two_places_is_one_where_that_is_not_said),
		FACT(a_change_says_more_of_what_is_graver),
		FACT(what_was_raised_is_told_of_as_of_its_class),
		FACT(who_has_not_logged_in_has_proven_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
