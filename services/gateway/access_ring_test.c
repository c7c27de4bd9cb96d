/* Facts about the queue of access records: what a batch holds, again and again, and what is lost.
 */
#include "services/gateway/access_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* call.h has one of another kind */

#include "libcommon/buf.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"

#define TENANT "01900000-0000-7000-8000-000000000001"
#define USER "01900000-0000-7000-8000-000000000002"
#define SESSION "01900000-0000-7000-8000-000000000003"
#define OTHER_TENANT "01900000-0000-7000-8000-000000000004"
#define TRY "01900000-0000-7000-8000-000000000005"
#define CALL "01234567-89ab-cdef-0123-456789abcdef"
#define BEGAN_MS 1775608200000

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

/* A request to one try of the pupil's, but for what differs. */
struct access {
	unsigned status;
	const char *tenant_id, *user_id, *method;
	enum label label;
	int64_t after_ms;
};

static void add_access(struct access_ring *ring, struct access differs)
{
	/* What a visit lends is gone when it is over. */
	char tenant[] = TENANT, user[] = USER, session[] = SESSION, call[] = CALL,
	     source[] = "2001:db8::17", try[] = TRY;
	const struct ocsf_access access = {
		.call_id = call,
		.source = source,
		.actor = { .tenant_id = differs.tenant_id ? differs.tenant_id : tenant,
			.user_id = differs.user_id ? differs.user_id : user,
			.session_id = session,
			.role = ROLE_STUDENT,
			.factors = 2 },
		.service = "learning",
		.operation = "try_get",
		.label = differs.label ? differs.label : LABEL_III,
		.method = differs.method ? differs.method : "GET",
		.route = "/v1/tries/{tryId}",
		.object_id = try,
		.status = differs.status,
		.unix_ms = BEGAN_MS + differs.after_ms,
		.session_us = 40,
		.service_us = 5000,
		.total_us = 7000,
	};
	access_ring_add(ring, &access);
	memset(tenant, 'x', sizeof tenant - 1);
	memset(user, 'x', sizeof user - 1);
	memset(source, 'x', sizeof source - 1);
	memset(try, 'x', sizeof try - 1);
}

static void add(struct access_ring *ring, unsigned status)
{
	add_access(ring, (struct access){ .status = status });
}

/* The lines of a batch, parsed. */
static const struct json *lines_of(const char *body)
{
	const struct json *batch;
	assert_non_null(body);
	assert_int_equal(json_parse(arena, body, strlen(body), &batch), OK);
	return json_member(batch, "lines");
}

static const struct json *line_at(const struct json *lines, size_t i)
{
	const struct json *line;
	const char *text = json_text(json_item(lines, i));
	assert_non_null(text);
	assert_int_equal(json_parse(arena, text, strlen(text), &line), OK);
	return line;
}

static const char *text_at(const struct json *line, const char *one, const char *other)
{
	const char *text = json_text(json_member(json_member(line, one), other));
	return text ? text : "";
}

static const struct json *requests_of(const struct json *line)
{
	return json_member(json_member(line, "unmapped"), "requests");
}

/* The statuses that the lines of a batch tell, in their order: "200 201, 404". */
static const char *told(const struct json *lines)
{
	struct buf out = { .arena = arena };
	for (size_t i = 0; i < json_count(lines); i++) {
		const struct json *line = line_at(lines, i), *requests = requests_of(line);
		for (const struct json *at = json_first(requests); at; at = json_next(at))
			buf_printf(&out, "%s%lld",
				!out.n                               ? ""
					: at == json_first(requests) ? ", "
								     : " ",
				(long long)json_integer(json_member(at, "code"), -1));
		if (requests)
			assert_int_equal(
				json_integer(json_member(line, "count"), 0), json_count(requests));
	}
	return out.data ? out.data : "";
}

static void a_record_says_who_asked_for_what_and_how_it_went(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	add(ring, 404);
	const struct json *lines = lines_of(access_ring_batch(ring, 4));
	assert_int_equal(json_count(lines), 1);
	const struct json *line = line_at(lines, 0), *told_of = json_member(line, "unmapped");
	const struct json *actor = json_item(json_member(told_of, "actors"), 0);
	const struct json *route = json_item(json_member(told_of, "routes"), 0);
	const struct json *request = json_item(requests_of(line), 0);
	assert_int_equal(json_integer(json_member(line, "type_uid"), 0), 600302);
	assert_int_equal(json_integer(json_member(line, "status_id"), 0), 2);
	assert_int_equal(json_integer(json_member(line, "time"), 0), BEGAN_MS);
	assert_string_equal(text_at(line, "api", "operation"), ACCESS_OPERATION);
	assert_string_equal(text_at(line, "metadata", "tenant_uid"), TENANT);
	assert_string_equal(
		json_text(json_item(json_member(json_member(line, "metadata"), "labels"), 0)),
		"III");
	assert_true(is_uuid(text_at(line, "metadata", "uid")));
	assert_string_equal(json_text(json_member(actor, "uid")), USER);
	assert_string_equal(json_text(json_member(actor, "type")), "student");
	assert_string_equal(json_text(json_member(actor, "session")), SESSION);
	assert_true(json_is_true(json_member(actor, "is_mfa")));
	assert_string_equal(json_text(json_member(actor, "ip")), "2001:db8::17");
	assert_string_equal(json_text(json_member(route, "operation")), "learning.try_get");
	assert_string_equal(json_text(json_member(route, "method")), "GET");
	assert_string_equal(json_text(json_member(route, "path")), "/v1/tries/{tryId}");
	assert_string_equal(json_text(json_member(request, "uid")), CALL);
	assert_string_equal(json_text(json_member(request, "object")), TRY);
	assert_int_equal(json_integer(json_member(request, "code"), 0), 404);
	assert_int_equal(json_integer(json_item(json_member(request, "us"), 2), 0), 7000);
	access_ring_free(ring);
}

/* The line is of one tenant, kind, class and outcome, so that it is found by them as any other. */
static void requests_that_are_alike_share_a_line(void **state)
{
	static const struct access differing[] = { { .status = 200, .after_ms = 900 },
		{ .status = 201, .tenant_id = OTHER_TENANT }, { .status = 202, .method = "POST" },
		{ .status = 503 }, { .status = 203, .user_id = OTHER_TENANT },
		{ .status = 204, .after_ms = 1001 }, { .status = 205, .method = "HEAD" },
		{ .status = 206, .label = LABEL_II } };
	struct access_ring *ring = access_ring_new(8);
	for (size_t i = 0; i < sizeof differing / sizeof differing[0]; i++)
		add_access(ring, differing[i]);
	const struct json *lines = lines_of(access_ring_batch(ring, 8));
	assert_string_equal(told(lines), "202, 206, 203 205 200, 204, 503, 201");
	const struct json *line = line_at(lines, 2), *shared = json_member(line, "unmapped");
	assert_int_equal(json_count(json_member(shared, "actors")), 2);
	assert_int_equal(json_count(json_member(shared, "routes")), 2);
	const struct json *late = json_item(requests_of(line), 2);
	assert_int_equal(json_integer(json_member(late, "ms"), -1), 900);
	assert_int_equal(json_integer(json_member(late, "actor"), -1), 1);
	assert_int_equal(json_integer(json_member(late, "route"), -1), 0);
	access_ring_free(ring);
}

static void a_line_never_grows_too_long(void **state)
{
	struct access_ring *ring = access_ring_new(500);
	size_t n = 0;
	for (unsigned i = 0; i < 500; i++) { /* everybody is somebody else */
		const char *user = arena_printf(arena, "01900000-0000-7000-8000-%012u", i);
		add_access(ring, (struct access){ .status = 200, .user_id = user });
	}
	const struct json *lines = lines_of(access_ring_batch(ring, 500));
	for (size_t i = 0; i < json_count(lines); i++) {
		assert_true(strlen(json_text(json_item(lines, i))) <= OCSF_LINE_MAX);
		n += json_count(requests_of(line_at(lines, i)));
	}
	assert_int_equal(n, 500);
	assert_in_range(json_count(lines), 10, 30);
	access_ring_free(ring);
}

static void a_batch_is_the_same_until_it_is_stored(void **state)
{
	struct access_ring *ring = access_ring_new(8);
	assert_null(access_ring_batch(ring, 8));
	for (unsigned i = 0; i < 5; i++)
		add(ring, 200 + i);
	const char *first = arena_strdup(arena, access_ring_batch(ring, 3));
	assert_string_equal(told(lines_of(first)), "200 201 202");
	add(ring, 205);
	assert_string_equal(access_ring_batch(ring, 8), first);
	assert_int_equal(access_ring_n(ring), 6);
	access_ring_stored(ring);
	assert_string_equal(told(lines_of(access_ring_batch(ring, 3))), "203 204 205");
	access_ring_stored(ring);
	assert_null(access_ring_batch(ring, 3));
	access_ring_free(ring);
}

static void records_go_round_in_their_order(void **state)
{
	struct access_ring *ring = access_ring_new(3);
	for (unsigned i = 0; i < 20; i += 2) {
		add(ring, 200 + i);
		add(ring, 201 + i);
		assert_string_equal(told(lines_of(access_ring_batch(ring, 9))),
			arena_printf(arena, "%u %u", 200 + i, 201 + i));
		access_ring_stored(ring);
	}
	access_ring_free(ring);
}

static const char *label_of(const struct json *line)
{
	return json_text(json_item(json_member(json_member(line, "metadata"), "labels"), 0));
}

static void assert_loss_of(
	const struct json *line, const char *tenant_id, const char *label, int64_t n)
{
	assert_string_equal(text_at(line, "api", "operation"), ACCESS_LOST_OPERATION);
	assert_int_equal(json_integer(json_member(line, "count"), -1), n);
	assert_string_equal(text_at(line, "metadata", "tenant_uid"), tenant_id);
	assert_string_equal(label_of(line), label);
	assert_true(is_uuid(text_at(line, "metadata", "uid")));
}

static void assert_loss(const struct json *line, int64_t n)
{
	assert_loss_of(line, TENANT, "III", n);
}

static void what_did_not_fit_is_told_once(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	for (unsigned i = 0; i < 11; i++)
		add(ring, 200 + i);
	const char *body = arena_strdup(arena, access_ring_batch(ring, 4));
	const struct json *lines = lines_of(body);
	assert_int_equal(json_count(lines), 2);
	assert_string_equal(told(lines), "200 201 202 203");
	assert_loss(line_at(lines, 1), 7);
	add(ring, 299); /* while the batch is under way there is still no room */
	assert_string_equal(access_ring_batch(ring, 4), body);
	access_ring_stored(ring);
	lines = lines_of(access_ring_batch(ring, 4));
	assert_int_equal(json_count(lines), 1);
	assert_loss(line_at(lines, 0), 1);
	access_ring_stored(ring);
	assert_null(access_ring_batch(ring, 4));
	access_ring_free(ring);
}

static void a_refused_batch_is_told_as_lost(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	for (unsigned i = 0; i < 3; i++)
		add(ring, 200);
	assert_string_equal(told(lines_of(access_ring_batch(ring, 2))), "200 200");
	access_ring_refused(ring);
	const struct json *lines = lines_of(access_ring_batch(ring, 2));
	assert_int_equal(json_count(lines), 2);
	assert_loss(line_at(lines, 1), 2);
	access_ring_free(ring);
}

/* Of class III and above a record is promised: what is below it goes first, the newest of it. */
static void what_is_below_class_iii_makes_room(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	const struct access other = { .status = 204, .label = LABEL_IV };
	add_access(ring, (struct access){ .status = 200, .label = LABEL_IV });
	add_access(ring, other);
	add(ring, 201);
	const char *body = arena_strdup(arena, access_ring_batch(ring, 1)); /* that is under way */
	assert_string_equal(told(lines_of(body)), "200");
	add_access(ring, other);
	add(ring, 202);
	add_access(ring, (struct access){ .status = 203, .label = LABEL_I });
	add_access(ring, other);
	add(ring, 299); /* nothing is left to make room */
	assert_string_equal(access_ring_batch(ring, 9), body);
	access_ring_stored(ring);
	const struct json *lines = lines_of(access_ring_batch(ring, 9));
	assert_string_equal(told(lines), "203, 201 202");
	assert_int_equal(json_count(lines), 4);
	assert_loss_of(line_at(lines, 2), TENANT, "III", 1);
	assert_loss_of(line_at(lines, 3), TENANT, "IV", 3);
	access_ring_free(ring);
}

/* In its own log, strangers' in the operator's, which is no tenant's. */
static void each_tenant_is_told_of_its_own(void **state)
{
	struct access_ring *ring = access_ring_new(1);
	add(ring, 200);
	for (int i = 0; i < 3; i++)
		add_access(ring, (struct access){ .status = 200, .tenant_id = OTHER_TENANT });
	add_access(ring, (struct access){ .status = 401, .tenant_id = "", .label = LABEL_II });
	add(ring, 200);
	const struct json *lines = lines_of(access_ring_batch(ring, 1));
	assert_int_equal(json_count(lines), 4);
	assert_loss_of(line_at(lines, 1), "", "III", 1);
	assert_loss_of(line_at(lines, 2), TENANT, "III", 1);
	assert_loss_of(line_at(lines, 3), OTHER_TENANT, "III", 3);
	access_ring_free(ring);
}

/* What is lost of many at once fits into a batch, one after the other. */
static void losses_of_many_come_one_batch_after_the_other(void **state)
{
	struct access_ring *ring = access_ring_new(1);
	size_t n = 0;
	add(ring, 200);
	for (unsigned i = 0; i < 500; i++) {
		const char *tenant = arena_printf(arena, "01900000-0000-7000-8000-%012u", i);
		add_access(ring, (struct access){ .status = 200, .tenant_id = tenant });
	}
	for (const char *body; (body = access_ring_batch(ring, 1)); access_ring_stored(ring)) {
		size_t lines = json_count(lines_of(body));
		assert_in_range(lines, 1, 300);
		n += lines;
	}
	assert_int_equal(n, 501);
	access_ring_free(ring);
}

static const struct json *body_of(const char *body)
{
	const struct json *parsed;
	assert_int_equal(json_parse(arena, body, strlen(body), &parsed), OK);
	return parsed;
}

static void assert_run(const struct json *body, const char *run, int64_t stored, bool is_end)
{
	assert_string_equal(json_text(json_member(body, "runId")), run);
	assert_int_equal(json_integer(json_member(body, "stored"), -1), stored);
	assert_int_equal(json_is_true(json_member(body, "ended")), is_end);
}

static void a_run_says_which_it_is_and_how_much_it_has_handed_in(void **state)
{
	struct access_ring *ring = access_ring_new(4), *other = access_ring_new(4);
	assert_false(access_ring_has_spoken(ring));
	assert_false(access_ring_is_open(ring, TENANT));
	const struct json *opening = body_of(access_ring_opening(ring, arena, TENANT));
	const char *run = json_text(json_member(opening, "runId"));
	assert_true(is_uuid(run));
	assert_string_equal(json_text(json_member(opening, "tenantId")), TENANT);
	assert_true(access_ring_has_spoken(ring));
	assert_false(access_ring_is_open(ring, TENANT)); /* not before audit has said so */
	access_ring_opened(ring, TENANT);
	assert_true(access_ring_is_open(ring, TENANT));
	assert_false(access_ring_is_open(ring, OTHER_TENANT));
	assert_string_not_equal(
		json_text(json_member(body_of(access_ring_word(other, arena, false)), "runId")),
		run);
	assert_run(body_of(access_ring_word(ring, arena, false)), run, 0, false);
	for (unsigned i = 0; i < 3; i++) {
		add(ring, 200);
		assert_run(body_of(access_ring_batch(ring, 4)), run, i, false);
		access_ring_stored(ring);
	}
	add(ring, 200);
	assert_run(body_of(access_ring_batch(ring, 4)), run, 3, false);
	access_ring_refused(ring);
	access_ring_stored(ring); /* a word was */
	assert_run(body_of(access_ring_word(ring, arena, true)), run, 3, true);
	access_ring_free(ring);
	access_ring_free(other);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		FACT(a_record_says_who_asked_for_what_and_how_it_went),
		FACT(requests_that_are_alike_share_a_line),
		FACT(a_line_never_grows_too_long),
		FACT(a_batch_is_the_same_until_it_is_stored),
		FACT(records_go_round_in_their_order),
		FACT(what_did_not_fit_is_told_once),
		FACT(a_refused_batch_is_told_as_lost),
		FACT(what_is_below_class_iii_makes_room),
		FACT(each_tenant_is_told_of_its_own),
		FACT(losses_of_many_come_one_batch_after_the_other),
		FACT(a_run_says_which_it_is_and_how_much_it_has_handed_in),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
