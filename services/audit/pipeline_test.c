/* Facts about what all sinks share: each goes on where it stopped, and none waits for another. */
#include <resolv.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "services/audit/audit_world.h"
#include "services/audit/sink.h"

#define HOUR_MS 3600000

static struct test test;

/* A receiver in memory. */
static struct receiver {
	struct buf text;
	bool is_dead;
	bool is_set_back; /* by somebody while a batch is under way */
	const char *in_transaction; /* sessions, while it is waited for */
	int asked;
} one, other;

static enum err receive(struct call *c, const struct batch *batch, struct receiver *receiver)
{
	receiver->asked++;
	if (receiver->is_dead)
		return fail(c, ERR_UNAVAILABLE, "dead");
	batch_lines(batch, &receiver->text);
	if (receiver->is_set_back)
		test_sql(&test, "UPDATE audit.sink_position SET sequence = 1");
	receiver->is_set_back = false;
	receiver->in_transaction = test_sql_text(&test,
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
		" AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
		" AND xact_start IS NOT NULL");
	return OK;
}

static enum err send_one(struct call *c, const struct batch *batch)
{
	return receive(c, batch, &one);
}

static enum err send_other(struct call *c, const struct batch *batch)
{
	return receive(c, batch, &other);
}

static struct sink to_one = { .name = "one", .send = send_one };
static struct sink to_other = { .name = "other", .send = send_other };

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	assert_int_equal(pipeline_open(), OK);
	one = other = (struct receiver){ .text = { .arena = test.arena } };
	to_one.rest_ms = to_one.rest_until_ms = to_other.rest_ms = to_other.rest_until_ms = 0;
	to_one.most = to_other.most = 0;
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static void happen_many(int n)
{
	for (int i = 0; i < n; i++)
		happen(&test,
			(struct happening){ .tenant_id = i % 3 ? TEST_TENANT : TEST_OTHER_TENANT });
}

/* One turn of the job; with `crash`, the process dies before the last commit. */
static enum err turn(struct sink *sink, bool crash, bool *more)
{
	struct call c = test_call(&test, NULL);
	enum err e = pipeline_run(&c, sink, more);
	if (e || crash)
		db_rollback(test.db);
	else
		assert_int_equal(db_commit(&c), OK);
	return e;
}

static void drain(struct sink *sink)
{
	bool more = true;
	while (more)
		assert_int_equal(turn(sink, false, &more), OK);
}

static const char *stored(void)
{
	return test_sql_text(
		&test, "SELECT string_agg(line || chr(10), '' ORDER BY arrival) FROM audit.event");
}

static void each_sink_gets_all_of_it(void **state)
{
	happen_many(7);
	drain(&to_one);
	happen_many(5);
	drain(&to_one);
	drain(&to_other);
	assert_string_equal(one.text.data, stored());
	assert_string_equal(other.text.data, stored());
}

static void a_dead_one_holds_up_no_other(void **state)
{
	bool more;
	happen_many(6);
	one.is_dead = true;
	assert_int_equal(turn(&to_one, false, &more), ERR_UNAVAILABLE);
	drain(&to_other);
	assert_string_equal(other.text.data, stored());
	one.is_dead = false;
	happen_many(3);
	to_one.rest_until_ms = 0;
	drain(&to_one);
	assert_string_equal(one.text.data, stored());
}

/* It is let alone longer and longer, but never for long. */
static void a_dead_one_is_asked_seldom(void **state)
{
	bool more;
	happen_many(1);
	one.is_dead = true;
	int64_t before_ms = clock_steady_ms();
	assert_int_equal(turn(&to_one, false, &more), ERR_UNAVAILABLE);
	assert_true(to_one.rest_ms > 0);
	assert_true(to_one.rest_until_ms >= before_ms + to_one.rest_ms);
	to_one.rest_until_ms += HOUR_MS; /* its rest may be over before the next turn */
	assert_int_equal(turn(&to_one, false, &more), OK);
	assert_int_equal(one.asked, 1);
	for (int i = 0; i < 10; i++) {
		to_one.rest_until_ms = 0;
		assert_int_equal(turn(&to_one, false, &more), ERR_UNAVAILABLE);
	}
	assert_in_range(to_one.rest_ms, 4000, 5000);
	one.is_dead = false;
	to_one.rest_until_ms = 0;
	drain(&to_one);
	assert_int_equal(to_one.rest_ms, 0);
	assert_string_equal(one.text.data, stored());
}

static void what_a_crash_cut_off_comes_again(void **state)
{
	bool more;
	happen_many(4);
	assert_int_equal(turn(&to_one, true, &more), OK);
	drain(&to_one);
	assert_string_equal(one.text.data, arena_printf(test.arena, "%s%s", stored(), stored()));
}

static void a_batch_under_way_does_not_undo_a_rewind(void **state)
{
	bool more;
	const struct happening what = { .tenant_id = TEST_TENANT };
	for (int i = 0; i < 3; i++)
		happen(&test, what);
	drain(&to_one);
	happen(&test, what);
	one.is_set_back = true;
	assert_int_equal(turn(&to_one, false, &more), OK);
	one.text.n = 0;
	drain(&to_one);
	assert_string_equal(one.text.data,
		test_sql_text(&test,
			"SELECT string_agg(line || chr(10), '' ORDER BY arrival) FROM audit.event"
			" WHERE sequence > 1"));
}

/* It could be waited for long, and what has been deleted meanwhile must not be kept for it. */
static void no_transaction_is_open_while_it_is_waited_for(void **state)
{
	happen_many(4);
	drain(&to_one);
	assert_string_equal(one.in_transaction, "0");
}

/* A new sink, long after the beginning. */
static void a_log_need_not_begin_at_its_first_event(void **state)
{
	for (int i = 0; i < 4; i++)
		happen(&test, (struct happening){ .tenant_id = TEST_TENANT });
	happen(&test, (struct happening){ .tenant_id = TEST_OTHER_TENANT });
	test_sql(&test,
		"DELETE FROM audit.event WHERE sequence < 3 AND tenant_id = '" TEST_TENANT "';"
		"DELETE FROM audit.event WHERE tenant_id = '" TEST_OTHER_TENANT "'");
	drain(&to_one);
	assert_string_equal(one.text.data, stored());
	drain(&to_one);
	assert_int_equal(one.asked, 1);
}

static void one_process_sends_at_a_time(void **state)
{
	bool more;
	happen_many(2);
	test_sql(&test,
		"INSERT INTO audit.sink VALUES ('one', 'another', now() + interval '1 minute')");
	assert_int_equal(turn(&to_one, false, &more), OK);
	assert_int_equal(one.asked, 0);
	/* It died, and its time is over. */
	test_sql(&test,
		"UPDATE audit.sink SET held_until = now() - interval '1 second'"
		" WHERE name = 'one'");
	drain(&to_one);
	assert_string_equal(one.text.data, stored());
	assert_string_equal(
		test_sql_text(&test, "SELECT held_until FROM audit.sink WHERE name = 'one'"),
		"-infinity");
}

/* Of two hundred tenants, of whom the first sixteen have always more to tell. */
static void nobody_is_kept_waiting_by_those_who_tell_much(void **state)
{
	bool more = true;
	test_sql(&test,
		"INSERT INTO audit.head (tenant_id, sequence)"
		" SELECT md5(n::text)::uuid, CASE WHEN n < 16 THEN 2000 ELSE 1 END"
		" FROM generate_series(1, 200) n;"
		"INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, line)"
		" SELECT tenant_id, gen_random_uuid(), n, now(), 'a.b', 'success', '{}'"
		" FROM audit.head, generate_series(1, sequence) n");
	for (int turns = 0; turns < 60; turns++)
		assert_int_equal(turn(&to_one, false, &more), OK);
	assert_true(more);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM audit.sink_position"), "200");
}

/* getaddrinfo() cannot be stopped: what is looked up must be given up by itself. */
static void a_name_server_that_is_away_is_not_waited_for_long(void **state)
{
	struct __res_state resolver = { 0 };
	assert_int_equal(res_ninit(&resolver), 0);
	assert_int_equal(resolver.retrans, 1); /* seconds */
	assert_int_equal(resolver.retry, 2);
	res_nclose(&resolver);
}

/* The log goes over no network that others read, and a header is one. */
static void what_would_tell_others_stops_the_start(void **state)
{
	static const struct {
		struct sink_conf conf;
		enum err err;
	} rows[] = {
		{ { .otlp_url = "https://logs.example.jp/v1/logs" }, OK },
		{ { .otlp_url = "http://127.0.0.1:4318/v1/logs" }, OK },
		{ { .otlp_url = "http://logs.example.jp/v1/logs" }, ERR_INVALID },
		{ { .otlp_header = "Authorization: Bearer x" }, OK },
		{ { .otlp_header = "Authorization: Bearer x\r\nHost: y" }, ERR_INVALID },
		{ { .otlp_header = "Authorization: Bearer x\nHost: y" }, ERR_INVALID },
		{ { .syslog = "logs.example.jp:6514" }, OK },
		{ { .syslog = "logs.example.jp" }, ERR_INVALID },
		{ { .syslog_certificate = "/own.pem" }, ERR_INVALID },
		{ { .syslog_key = "/own.key" }, ERR_INVALID },
	};
	const struct sink_conf before = sink_conf;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct sink_conf *conf = &rows[i].conf;
		if (conf->otlp_url)
			sink_conf.otlp_url = conf->otlp_url;
		if (conf->otlp_header)
			sink_conf.otlp_header = conf->otlp_header;
		if (conf->syslog)
			sink_conf.syslog = conf->syslog;
		if (conf->syslog_certificate)
			sink_conf.syslog_certificate = conf->syslog_certificate;
		if (conf->syslog_key)
			sink_conf.syslog_key = conf->syslog_key;
		enum err e = pipeline_open();
		sink_conf = before;
		assert_int_equal(e, rows[i].err);
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(each_sink_gets_all_of_it),
		FACT(a_dead_one_holds_up_no_other),
		FACT(a_dead_one_is_asked_seldom),
		FACT(what_a_crash_cut_off_comes_again),
		FACT(a_batch_under_way_does_not_undo_a_rewind),
		FACT(no_transaction_is_open_while_it_is_waited_for),
		FACT(a_log_need_not_begin_at_its_first_event),
		FACT(one_process_sends_at_a_time),
		FACT(nobody_is_kept_waiting_by_those_who_tell_much),
		FACT(a_name_server_that_is_away_is_not_waited_for_long),
		FACT(what_would_tell_others_stops_the_start),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
