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

#include "libcommon/json.h"
#include "libcommon/uuid.h"

#define TENANT "01900000-0000-7000-8000-000000000001"
#define USER "01900000-0000-7000-8000-000000000002"
#define SESSION "01900000-0000-7000-8000-000000000003"
#define CALL "0123456789abcdef0123456789abcdef"

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

static void add(struct access_ring *ring, unsigned status)
{
	/* What a visit lends is gone when it is over. */
	char tenant[] = TENANT, user[] = USER, session[] = SESSION, call[] = CALL,
	     source[] = "2001:db8::17";
	const struct ocsf_access access = {
		.call_id = call,
		.source = source,
		.actor = { .tenant_id = tenant,
			.user_id = user,
			.session_id = session,
			.role = ROLE_STUDENT },
		.method = "GET",
		.route = "/v1/tries/{tryId}",
		.status = status,
		.unix_ms = 1775608200000,
		.session_us = 40,
		.service_us = 5000,
		.total_us = 7000,
	};
	access_ring_add(ring, &access);
	memset(tenant, 'x', sizeof tenant - 1);
	memset(user, 'x', sizeof user - 1);
	memset(source, 'x', sizeof source - 1);
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

static int64_t status_of(const struct json *line)
{
	return json_integer(json_member(json_member(line, "http_response"), "code"), -1);
}

static const char *batch(struct access_ring *ring, size_t max)
{
	return access_ring_batch(ring, arena, max);
}

static void a_record_becomes_an_event(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	add(ring, 404);
	const struct json *line = line_at(lines_of(batch(ring, 4)), 0);
	const struct json *actor = json_member(line, "actor");
	assert_int_equal(json_integer(json_member(line, "type_uid"), 0), 600302);
	assert_int_equal(json_integer(json_member(line, "status_id"), 0), 2);
	assert_int_equal(json_integer(json_member(line, "duration"), 0), 7);
	assert_int_equal(status_of(line), 404);
	assert_string_equal(text_at(actor, "user", "uid"), USER);
	assert_string_equal(text_at(actor, "user", "type"), "student");
	assert_string_equal(text_at(actor, "session", "uid"), SESSION);
	assert_string_equal(text_at(line, "src_endpoint", "ip"), "2001:db8::17");
	assert_string_equal(text_at(line, "api", "operation"), ACCESS_OPERATION);
	assert_string_equal(
		text_at(json_member(line, "http_request"), "url", "path"), "/v1/tries/{tryId}");
	assert_string_equal(text_at(line, "metadata", "tenant_uid"), TENANT);
	assert_true(is_uuid(text_at(line, "metadata", "uid")));
	access_ring_free(ring);
}

static void a_batch_is_the_same_until_it_is_stored(void **state)
{
	struct access_ring *ring = access_ring_new(8);
	assert_null(batch(ring, 8));
	for (unsigned i = 0; i < 5; i++)
		add(ring, 200 + i);
	const char *first = batch(ring, 3);
	assert_int_equal(json_count(lines_of(first)), 3);
	assert_string_equal(batch(ring, 3), first);
	assert_int_equal(access_ring_n(ring), 5);
	access_ring_stored(ring);
	const struct json *lines = lines_of(batch(ring, 3));
	assert_int_equal(json_count(lines), 2);
	assert_int_equal(status_of(line_at(lines, 0)), 203);
	access_ring_stored(ring);
	assert_null(batch(ring, 3));
	access_ring_free(ring);
}

static void records_go_round_in_their_order(void **state)
{
	struct access_ring *ring = access_ring_new(3);
	for (unsigned i = 0; i < 20; i += 2) {
		add(ring, 200 + i);
		add(ring, 201 + i);
		const struct json *lines = lines_of(batch(ring, 9));
		assert_int_equal(json_count(lines), 2);
		assert_int_equal(status_of(line_at(lines, 0)), 200 + i);
		assert_int_equal(status_of(line_at(lines, 1)), 201 + i);
		access_ring_stored(ring);
	}
	access_ring_free(ring);
}

static void assert_loss(const struct json *line, int64_t n)
{
	assert_string_equal(text_at(line, "api", "operation"), ACCESS_LOST_OPERATION);
	assert_int_equal(json_integer(json_member(line, "count"), -1), n);
	assert_string_equal(text_at(line, "metadata", "tenant_uid"), "");
	assert_true(is_uuid(text_at(line, "metadata", "uid")));
}

static void what_did_not_fit_is_told_once(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	for (unsigned i = 0; i < 11; i++)
		add(ring, 200 + i);
	const char *body = batch(ring, 4);
	const struct json *lines = lines_of(body);
	assert_int_equal(json_count(lines), 5);
	assert_int_equal(status_of(line_at(lines, 3)), 203);
	assert_loss(line_at(lines, 4), 7);
	add(ring, 299); /* while the batch is under way there is still no room */
	assert_string_equal(batch(ring, 4), body);
	access_ring_stored(ring);
	lines = lines_of(batch(ring, 4));
	assert_int_equal(json_count(lines), 1);
	assert_loss(line_at(lines, 0), 1);
	access_ring_stored(ring);
	assert_null(batch(ring, 4));
	access_ring_free(ring);
}

static void a_refused_batch_is_told_as_lost(void **state)
{
	struct access_ring *ring = access_ring_new(4);
	for (unsigned i = 0; i < 3; i++)
		add(ring, 200);
	assert_int_equal(json_count(lines_of(batch(ring, 2))), 2);
	access_ring_refused(ring);
	const struct json *lines = lines_of(batch(ring, 2));
	assert_int_equal(json_count(lines), 2);
	assert_loss(line_at(lines, 1), 2);
	access_ring_free(ring);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		FACT(a_record_becomes_an_event),
		FACT(a_batch_is_the_same_until_it_is_stored),
		FACT(records_go_round_in_their_order),
		FACT(what_did_not_fit_is_told_once),
		FACT(a_refused_batch_is_told_as_lost),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
