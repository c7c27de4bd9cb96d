/* Facts about the outbox: what commits is shipped, nothing is lost, nobody blocks anybody. */
#include "libcommon/outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/bus_leak.h"
#include "libcommon/json.h"
#include "libcommon/keyring_user.h"
#include "libcommon/testing.h"

static struct test test;
static struct actor as_relay;

static enum err own_capability(struct call *c, const char *tenant_id, const char **capability)
{
	/* The relay's own proves it to the database; of others it is enough to see for whom it is.
	 */
	*capability = strcmp(tenant_id, OUTBOX_RELAY) == 0 ? test_capability(&test, &as_relay)
							   : tenant_id;
	return OK;
}

static const struct service learning = {
	.name = "learning", .keyring = KEYRING_READS, .service_capability = own_capability
};
static struct actor actor, other;

struct fact {
	const char *text;
};
static const struct field fact_fields[] = { { .name = "text",
	.column = "text",
	.kind = KIND_STRING,
	.required = true,
	.offset = offsetof(struct fact, text),
	.has = NO_PRESENCE,
	.max = 100 } };
static const struct shape fact_shape = { "fact", sizeof(struct fact), fact_fields, 1, LABEL_NONE };
static const struct event_type fact_told = { "fact.told", &fact_shape,
	(const char *const[]){ "notification", NULL } };

/* ---- a consumer on a real bus: keeps what it was sent ---- */

static struct consumer {
	struct bus *bus;
	pthread_t thread;
	atomic_int batches;
	pthread_mutex_t lock;
	char seen[16384]; /* one line per row: "<operation> <capability> <id or line>" */
	const char *url;
} consumer = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep(const struct frame *frame, const char *text)
{
	size_t n = strlen(consumer.seen);
	const struct bytes *texts = frame->texts;
	(void)snprintf(consumer.seen + n, sizeof(consumer.seen) - n, "%.*s %.*s %s\n",
		(int)texts[TEXT_OPERATION].n, (const char *)texts[TEXT_OPERATION].data,
		(int)texts[TEXT_CAPABILITY].n, (const char *)texts[TEXT_CAPABILITY].data, text);
}

/* Refuses a batch that holds the word poison, takes any other. */
static enum err take_batch(struct arena *arena, const struct frame *frame)
{
	const struct json *body;
	struct bytes bytes = frame->texts[TEXT_BODY];
	if (json_parse(arena, (const char *)bytes.data, bytes.n, &body))
		return ERR_INVALID;
	if (memmem(bytes.data, bytes.n, "poison", 6))
		return ERR_INVALID;
	const struct json *events = json_member(body, "events");
	const struct json *rows = events ? events : json_member(body, "lines");
	for (size_t i = 0; i < json_count(rows); i++) {
		const struct json *row = json_item(rows, i);
		keep(frame, events ? json_text(json_member(row, "data")) : json_text(row));
	}
	return OK;
}

static void *consume(void *arg)
{
	struct arena *arena = arena_new();
	for (struct bus_job *job; (job = bus_take(consumer.bus));) {
		pthread_mutex_lock(&consumer.lock);
		enum err e = take_batch(arena, &job->frame);
		pthread_mutex_unlock(&consumer.lock);
		struct frame reply = { .status = e ? 422 : 204, .flags = FRAME_EXECUTED };
		reply.texts[TEXT_OPERATION] = frame_text(err_name(e));
		atomic_fetch_add(&consumer.batches, 1);
		bus_answer(consumer.bus, job, &reply);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static void write_key(const char *directory, const char *pair)
{
	FILE *file = fopen(arena_printf(test.arena, "%s/%s.key", directory, pair), "we");
	assert_non_null(file);
	for (int i = 0; i < KEY_SIZE; i++)
		assert_int_equal(fprintf(file, "%02x", 0x40 + i), 2);
	assert_int_equal(fclose(file), 0);
}

static struct bus *open_end(
	const char *name, const char *directory, const char *listen, const char *peers)
{
	struct bus *bus = bus_open(&(struct bus_options){ .name = name,
		.listen = listen,
		.peers = peers,
		.key_directory = directory,
		.window = 8,
		.queue_max = 64 });
	assert_non_null(bus);
	return bus;
}

static void start_consumer(const char *directory)
{
	consumer.bus = open_end("notification", directory, consumer.url, NULL);
	assert_int_equal(pthread_create(&consumer.thread, NULL, consume, NULL), 0);
}

static void stop_consumer(void)
{
	bus_drain(consumer.bus);
	assert_int_equal(pthread_join(consumer.thread, NULL), 0);
	bus_close(consumer.bus);
}

static void wait_for_consumer(bool up)
{
	for (int i = 0; i < 2000 && bus_is_up(test.bus, "notification") != up; i++)
		usleep(10000);
	assert_int_equal(bus_is_up(test.bus, "notification"), up);
}

static int open_world(void **state)
{
	test_open(&test, &learning);
	actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_STUDENT);
	as_relay = test_actor(&test, OUTBOX_RELAY, "learning", ROLE_SERVICE);
	other = test_actor(&test, TEST_OTHER_TENANT, TEST_OTHER_USER, ROLE_STUDENT);
	const char *directory = test_directory(&test);
	write_key(directory, "learning-notification");
	write_key(directory, "learning-audit");
	consumer.url = arena_printf(test.arena, "ipc://%s/notification", directory);
	start_consumer(directory);
	bus_drain(test.bus);
	bus_close(test.bus);
	/* The stopped test of outages needs a second name for the same place: audit is nowhere. */
	test.bus = open_end("learning", directory, NULL,
		arena_printf(test.arena, "notification=%s,audit=ipc://%s/audit", consumer.url,
			directory));
	wait_for_consumer(true);
	return 0;
}

static int close_world(void **state)
{
	stop_consumer();
	test_close(&test);
	return 0;
}

static int empty(void **state)
{
	test_sql(&test, "DELETE FROM learning.outbox; DELETE FROM learning.inbox");
	consumer.seen[0] = '\0';
	atomic_store(&consumer.batches, 0);
	return 0;
}

static void tell_about(const struct actor *who, const char *text, const char *user_id)
{
	struct call c = test_call(&test, who);
	assert_int_equal(event_emit_about(&c, &fact_told, user_id, &(struct fact){ text }), OK);
	assert_int_equal(db_commit(&c), OK);
}

static void tell(const struct actor *who, const char *text)
{
	tell_about(who, text, NULL);
}

static const char *left(const char *what)
{
	return test_sql_text(
		&test, arena_printf(test.arena, "SELECT %s FROM learning.outbox", what));
}

/* Transactions of other test programs hold the watermark back, too: it is the cluster's. */
static void wait_for_watermark(void)
{
	static const char behind[] =
		"count(*) FILTER (WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()))";
	for (int i = 0; i < 3000 && strcmp(left(behind), "0") != 0; i++)
		(void)usleep(20000); /* they may be making a database, on a slow disk */
	assert_string_equal(left(behind), "0");
}

static int64_t relay_now(void)
{
	int64_t shipped = -1;
	struct call c = test_call(&test, NULL);
	assert_int_equal(outbox_relay(&c, &shipped), OK);
	assert_int_equal(db_commit(&c), OK);
	return shipped;
}

static int64_t relay(void)
{
	wait_for_watermark();
	return relay_now();
}

static void an_event_is_shipped_when_it_commits(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(event_emit(&c, &fact_told, &(struct fact){ "rolled back" }), OK);
	db_rollback(c.db);
	tell(&actor, "kept");
	assert_int_equal(relay(), 1);
	assert_string_equal(consumer.seen, "event_accept " TEST_TENANT " {\"text\":\"kept\"}\n");
	assert_string_equal(left("count(*)"), "0");
	assert_int_equal(relay(), 0);
}

static void tenants_never_share_a_batch(void **state)
{
	tell(&actor, "a1");
	tell(&other, "b1");
	tell(&actor, "a2");
	assert_int_equal(relay(), 3);
	assert_int_equal(atomic_load(&consumer.batches), 2);
	assert_non_null(strstr(consumer.seen, TEST_TENANT " {\"text\":\"a2\"}"));
	assert_non_null(strstr(consumer.seen, TEST_OTHER_TENANT " {\"text\":\"b1\"}"));
}

static const char *now_text(void)
{
	return test_sql_text(&test, "SELECT clock_timestamp()");
}

/* Was what is left put off for so long, at some time since? */
static const char *put_off_since(const char *since, const char *interval)
{
	return arena_printf(test.arena,
		"bool_and(due_at - interval '%s' BETWEEN '%s' AND clock_timestamp())", interval,
		since);
}

static void a_poison_row_blocks_nobody(void **state)
{
	tell(&actor, "one");
	tell(&actor, "poison");
	tell(&actor, "two");
	const char *before = now_text();
	assert_int_equal(relay(), 2);
	assert_non_null(strstr(consumer.seen, "one"));
	assert_non_null(strstr(consumer.seen, "two"));
	assert_string_equal(
		left("count(*) || ' ' || min(attempts) || ' ' || count(dead_reason)"), "1 1 0");
	assert_string_equal(left(put_off_since(before, "1 second")), "t");
	/* A second may be over before it is looked for again. */
	test_sql(&test, "UPDATE learning.outbox SET due_at = due_at + interval '5 minutes'");
	assert_int_equal(relay(), 0);
	assert_string_equal(left("min(attempts)"), "1");
}

static void it_dies_after_twelve_attempts_with_a_reason(void **state)
{
	tell(&actor, "poison");
	for (int i = 0; i < 12; i++) {
		assert_int_equal(relay(), 0);
		assert_string_equal(left("due_at <= now() + interval '5 minutes'"), "t");
		test_sql(&test, "UPDATE learning.outbox SET due_at = now()");
	}
	assert_string_equal(
		left("attempts || ' ' || dead_reason"), "12 notification answered invalid (422)");
	int batches = atomic_load(&consumer.batches);
	assert_int_equal(relay(), 0);
	assert_int_equal(atomic_load(&consumer.batches), batches);
}

static const struct op telling = { .name = "told" };

static void an_outage_does_not_count(void **state)
{
	struct call c = test_call(&test, &actor);
	c.op = &telling;
	assert_int_equal(outbox_audit(&c, TEST_USER, "{}"), OK);
	assert_int_equal(db_commit(&c), OK);
	const char *before = now_text();
	assert_int_equal(relay(), 0);
	assert_string_equal(left("attempts"), "0");
	assert_string_equal(left(put_off_since(before, "2 seconds")), "t");
}

static void a_dead_consumer_costs_the_others_nothing(void **state)
{
	test_sql(&test,
		"INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body)"
		" SELECT NULL, 'audit', 'audit', 'audit.line', gen_random_uuid(), '{}'"
		" FROM generate_series(1, 2000)");
	tell(&actor, "behind them");
	assert_int_equal(relay(), 1);
	assert_non_null(strstr(consumer.seen, "behind them"));
	tell(&actor, "and again");
	assert_int_equal(relay(), 1);
	assert_string_equal(left("count(*) || ' ' || max(attempts)"), "2000 0");
}

/* The longest data there is, of quotes, which take twice their room in a batch. */
static void a_batch_fits_into_a_frame(void **state)
{
	test_sql(&test,
		"INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body)"
		" SELECT '" TEST_TENANT
		"', 'notification', 'event', 'fact.told', gen_random_uuid(),"
		" '{' || repeat('\"', 65535) FROM generate_series(1, 100)");
	assert_int_equal(relay(), 100);
	assert_int_equal(atomic_load(&consumer.batches), 4);
	assert_string_equal(left("count(*)"), "0");
}

static void a_refused_login_leaves_an_audit_line_without_tenant(void **state)
{
	struct call c = test_call(&test, NULL);
	c.op = &telling;
	assert_int_equal(outbox_audit(&c, TEST_USER, "{}"), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(left("count(*) || ' ' || count(tenant_id)"), "1 0");
	c = test_call(&test, NULL);
	assert_int_equal(
		event_emit(&c, &fact_told, &(struct fact){ "of nobody" }), ERR_UNAVAILABLE);
	assert_int_equal(
		db_exec(&c,
			"INSERT INTO outbox (consumer, kind, type, event_id, body)"
			" VALUES ('notification', 'event', 'fact.told', gen_random_uuid(), '{}')",
			DB_NONE),
		ERR_INTERNAL);
	db_rollback(c.db);
}

/* bigserial is not commit order: the row that commits later may have the smaller id. */
static void a_row_that_commits_late_is_not_lost(void **state)
{
	struct test late = test;
	late.db = db_open(test.database, "learning");
	struct call slow = test_call(&late, &actor);
	assert_int_equal(event_emit(&slow, &fact_told, &(struct fact){ "slow" }), OK);
	assert_int_equal(db_savepoint(&slow), OK);
	assert_int_equal(db_exec(&slow, "SELECT 1", DB_NONE), OK); /* now it is written */
	tell(&actor, "fast");
	/* The fast row is behind the watermark: it waits rather than overtake. */
	assert_int_equal(relay_now(), 0);
	assert_int_equal(db_commit(&slow), OK);
	assert_int_equal(relay(), 2);
	assert_non_null(strstr(consumer.seen, "slow"));
	assert_true(strstr(consumer.seen, "slow") < strstr(consumer.seen, "fast"));
	db_close(late.db);
}

/* Another relay of the service takes rows, and does not come to settle them. */
static struct test take_elsewhere(void)
{
	static const char take[] = "SELECT count(*) FROM outbox_take(100)";
	const char *text = NULL;
	struct test elsewhere = test;
	elsewhere.db = db_open(test.database, "learning");
	struct call c = test_call(&elsewhere, &as_relay);
	assert_int_equal(db_text(&c, take, DB_NONE, &text), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(text, "1");
	return elsewhere;
}

static void a_relay_that_hangs_is_followed_by_another(void **state)
{
	tell(&actor, "left behind");
	wait_for_watermark();
	struct test elsewhere = take_elsewhere();
	assert_int_equal(relay(), 0);
	test_sql(&test, "UPDATE tenancy.relay_lease SET held_until = held_until - interval '30 s'");
	assert_int_equal(relay(), 1);
	db_close(elsewhere.db);
}

static void a_relay_that_died_is_followed_at_once(void **state)
{
	tell(&actor, "left behind");
	wait_for_watermark();
	struct test elsewhere = take_elsewhere();
	assert_int_equal(relay(), 0);
	db_close(elsewhere.db);
	for (int i = 0; i < 1000 && !relay(); i++)
		(void)usleep(20000); /* its backend ends a moment later */
	assert_string_equal(left("count(*)"), "0");
}

/* Who ships nothing holds nothing: the relays of two instances take turns. */
static void a_round_that_is_over_leaves_the_outbox_to_others(void **state)
{
	tell(&actor, "first");
	assert_int_equal(relay(), 1);
	tell(&actor, "second");
	wait_for_watermark();
	struct test elsewhere = take_elsewhere();
	db_close(elsewhere.db);
}

/* Rows from before carry times that are far ahead then. */
static void a_clock_that_was_set_back_delays_nothing(void **state)
{
	tell(&actor, "from tomorrow");
	tell(&actor, "put off");
	test_sql(&test,
		"UPDATE learning.outbox SET due_at = now() + CASE WHEN id ="
		" (SELECT min(id) FROM learning.outbox) THEN interval '1 day' ELSE interval '5"
		" minutes' END");
	test_sql(&test,
		"UPDATE tenancy.relay_lease SET holder = pg_backend_pid(),"
		" held_until = now() + interval '1 day'");
	assert_int_equal(relay(), 1);
	assert_string_equal(left("due_at > now() + interval '4 minutes'"), "t");
}

/* What an injected statement could call: it is refused, in a tenant, without one, and in the
 * relay's name without its key. */
static void a_handler_gets_at_no_row_of_the_outbox(void **state)
{
	static const char *const statements[] = { "SELECT outbox_take(100)",
		"SELECT outbox_done(ARRAY[1])", "SELECT outbox_wait(ARRAY[1])",
		"SELECT outbox_put_off(ARRAY[1], 'x')", "SELECT outbox_release()",
		"SELECT tenancy.relay_hold('learning')", "SELECT tenancy.demand_relay()",
		"WITH x AS (SELECT set_config('app.tenant', '" OUTBOX_RELAY
		".9999999999.' || repeat('0', 64), true)) SELECT outbox_take(100) FROM x" };
	tell(&other, "of somebody else");
	wait_for_watermark();
	for (size_t i = 0; i < 2 * sizeof(statements) / sizeof(*statements); i++) {
		struct call c = test_call(&test, i % 2 ? &actor : NULL);
		assert_int_equal(db_exec(&c, statements[i / 2], DB_NONE), ERR_INTERNAL);
		db_rollback(c.db);
	}
	assert_int_equal(relay(), 1);
}

static void what_waits_is_sealed(void **state)
{
	tell(&actor, "a canary");
	assert_string_equal(left("count(*) FILTER (WHERE body LIKE '%canary%')"), "0");
	assert_non_null(strstr(test_event(&test, "fact.told", ""), "a canary"));
	assert_int_equal(relay(), 1);
	assert_non_null(strstr(consumer.seen, "a canary"));
}

/* The key of its tenant was destroyed, or somebody exchanged the body: the others go on. */
static void a_row_that_does_not_open_stops_nobody(void **state)
{
	tell(&other, "exchanged");
	test_sql(&test, "UPDATE learning.outbox SET body = 'AQ' || substr(body, 3, 30) || 'xx'");
	tell(&actor, "whole");
	assert_int_equal(relay(), 1);
	assert_non_null(strstr(consumer.seen, "whole"));
	assert_string_equal(left("max(attempts)"), "1");
}

/* Who was erased before their events were shipped holds nothing up and leaves nothing behind. */
static void of_an_erased_user_nobody_is_told(void **state)
{
	static const char *const users[] = { TEST_USER, TEST_OTHER_USER };
	test_people(&test, TEST_TENANT, users, 2);
	tell_about(&actor, "gone", TEST_USER);
	tell_about(&actor, "stays", TEST_OTHER_USER);
	assert_string_equal(left("string_agg(left(body, 4), ' ')"), "AQEA AQEA");
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, TEST_USER), OK);
	assert_int_equal(relay(), 1);
	assert_non_null(strstr(consumer.seen, "stays"));
	assert_string_equal(left("count(*)"), "0");
}

static void a_stopped_consumer_gets_all_of_it_later(void **state)
{
	stop_consumer();
	wait_for_consumer(false);
	tell(&actor, "patience");
	assert_int_equal(relay(), 0);
	start_consumer(
		strndupa(consumer.url + 6, strlen(consumer.url + 6) - strlen("/notification")));
	wait_for_consumer(true);
	test_sql(&test, "UPDATE learning.outbox SET due_at = now()");
	assert_int_equal(relay(), 1);
	assert_non_null(strstr(consumer.seen, "patience"));
}

static void an_event_is_taken_once_per_tenant(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(event_take(&c, TEST_USER, NULL), OK);
	assert_int_equal(event_take(&c, TEST_USER, NULL), ERR_CONFLICT);
	assert_int_equal(db_commit(&c), OK);
	c = test_call(&test, &actor);
	assert_int_equal(event_take(&c, TEST_USER, NULL), ERR_CONFLICT);
	db_rollback(c.db);
	c = test_call(&test, &other);
	assert_int_equal(event_take(&c, TEST_USER, NULL), OK);
	db_rollback(c.db);
}

/* What the ledger says is the reason of a copy, and what of its proof is kept. */
static const char *reason_for(const char *proof)
{
	struct call c = test_call(&test, &actor);
	test_sql(&test, "DELETE FROM learning.ledger; DELETE FROM learning.inbox");
	assert_int_equal(event_take(&c, TEST_USER, proof), OK);
	assert_int_equal(db_commit(&c), OK);
	return test_sql_text(&test,
		"SELECT (SELECT count(*) FROM learning.ledger WHERE kind = 'copy'"
		"  AND event_id = '" TEST_USER
		"') || ' ' || (SELECT count(proof) FROM learning.inbox)");
}

static const char *proof_of(const char *name, const char *tenant_id, const char *event_id)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT tenancy.event_mac(k, '%s', '%s', '%s')"
			" FROM tenancy.mac_key k",
			name, tenant_id, event_id));
}

static void only_what_a_relay_sent_is_the_reason_of_a_copy(void **state)
{
	assert_string_equal(reason_for(proof_of("learning", TEST_TENANT, TEST_USER)), "1 0");
	assert_string_equal(reason_for(NULL), "0 0");
	assert_string_equal(reason_for(""), "0 0");
	assert_string_equal(reason_for(proof_of("learning", TEST_TENANT, TEST_OTHER_USER)), "0 0");
	assert_string_equal(reason_for(proof_of("learning", TEST_OTHER_TENANT, TEST_USER)), "0 0");
	assert_string_equal(reason_for(proof_of("notification", TEST_TENANT, TEST_USER)), "0 0");
}

static void handlers_make_no_proofs(void **state)
{
	static const char *const tries[] = {
		"SELECT tenancy.event_proof('learning', '" TEST_TENANT "', '" TEST_USER "')",
		"SELECT tenancy.event_mac(NULL, 'learning', '" TEST_TENANT "', '" TEST_USER "')",
	};
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct call c = test_call(&test, &actor);
		assert_int_equal(db_exec(&c, tries[i], DB_NONE), ERR_INTERNAL);
		db_rollback(c.db);
	}
}

static char told[64];

static enum err hear(struct call *c, const struct event_text *event, const void *data)
{
	const struct fact *fact = data;
	(void)snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s.", fact->text);
	return OK;
}

static enum err accept_one(struct call *c, const char *id, const char *type, const char *data)
{
	static const struct event_taker takers[] = { { &fact_told, hear }, { 0 } };
	return event_accept(
		c, takers, &(struct event_text){ .id = id, .type = type, .data = data });
}

static void an_event_goes_to_the_taker_of_its_type_once(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(accept_one(&c, TEST_USER, "fact.told", "{\"text\":\"one\"}"), OK);
	assert_int_equal(accept_one(&c, TEST_USER, "fact.told", "{\"text\":\"again\"}"), OK);
	assert_int_equal(accept_one(&c, TEST_OTHER_USER, "fact.told", "{\"text\":\"two\"}"), OK);
	assert_string_equal(told, "one.two.");
	assert_int_equal(db_commit(&c), OK);
	c = test_call(&test, &actor);
	assert_int_equal(accept_one(&c, TEST_TENANT, "fact.gone", "{}"), ERR_INVALID);
	db_rollback(c.db);
	c = test_call(&test, &actor);
	assert_int_equal(accept_one(&c, TEST_TENANT, "fact.told", "{\"text\":7}"), ERR_INVALID);
	db_rollback(c.db);
	assert_string_equal(told, "one.two.");
}

static void handlers_cannot_read_the_outbox(void **state)
{
	static const char read[] = "SELECT count(*) FROM outbox";
	static const char forge[] =
		"INSERT INTO outbox (tenant_id, consumer, kind, type, event_id, "
		"body) VALUES ($1, 'x', 'event', 'x', $1, '')";
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, read, DB_NONE), ERR_INTERNAL);
	db_rollback(c.db);
	c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, forge, DB_ARGS(TEST_OTHER_TENANT)), ERR_INTERNAL);
	db_rollback(c.db);
}

static void stored_answers_expire_after_a_day(void **state)
{
	static const char keep_answer[] =
		"INSERT INTO idempotency (user_id, operation, key, fingerprint) VALUES "
		"('u', 'o', $1, 'f')";
	static const char expire[] = "SELECT idempotency_expire()";
	const char *text = NULL;
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, keep_answer, DB_ARGS("old")), OK);
	assert_int_equal(db_exec(&c, keep_answer, DB_ARGS("new")), OK);
	assert_int_equal(db_commit(&c), OK);
	test_sql(&test,
		"UPDATE learning.idempotency SET created_at = now() - interval '25 hours'"
		" WHERE key = 'old'");
	c = test_call(&test, NULL);
	assert_int_equal(db_text(&c, expire, DB_NONE, &text), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(text, "1");
}

#define FACT(test_) cmocka_unit_test_setup(test_, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(an_event_is_shipped_when_it_commits),
		FACT(tenants_never_share_a_batch),
		FACT(a_poison_row_blocks_nobody),
		FACT(it_dies_after_twelve_attempts_with_a_reason),
		FACT(an_outage_does_not_count),
		FACT(a_dead_consumer_costs_the_others_nothing),
		FACT(a_batch_fits_into_a_frame),
		FACT(a_refused_login_leaves_an_audit_line_without_tenant),
		FACT(a_row_that_commits_late_is_not_lost),
		FACT(a_relay_that_hangs_is_followed_by_another),
		FACT(a_relay_that_died_is_followed_at_once),
		FACT(a_round_that_is_over_leaves_the_outbox_to_others),
		FACT(a_clock_that_was_set_back_delays_nothing),
		FACT(a_handler_gets_at_no_row_of_the_outbox),
		FACT(what_waits_is_sealed),
		FACT(a_row_that_does_not_open_stops_nobody),
		FACT(of_an_erased_user_nobody_is_told),
		FACT(a_stopped_consumer_gets_all_of_it_later),
		FACT(an_event_is_taken_once_per_tenant),
		FACT(only_what_a_relay_sent_is_the_reason_of_a_copy),
		FACT(handlers_make_no_proofs),
		FACT(an_event_goes_to_the_taker_of_its_type_once),
		FACT(handlers_cannot_read_the_outbox),
		FACT(stored_answers_expire_after_a_day),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
