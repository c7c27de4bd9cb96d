/* Facts about the bus: two ends in one process, over a real ipc socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcommon/bus_world.h"

static void a_call_is_answered(void **state)
{
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	assert_int_equal(ask(client, arena, "echo", "ping", &reply), OK);
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.body.n, 4);
	assert_memory_equal(reply.body.data, "ping", 4);
	assert_int_equal(ask(client, arena, "caller", "", &reply), OK);
	assert_memory_equal(reply.body.data, "gateway", 7);
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

static void an_answer_says_of_which_class_it_is(void **state)
{
	static const enum label wanted[] = { LABEL_NONE, LABEL_I, LABEL_II, LABEL_III, LABEL_IV,
		LABEL_NONE }; /* what a newer one may say is not known here */
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		struct bus_request request = request_of("class", "");
		request.window_length = (int64_t)i;
		assert_int_equal(bus_call(client, arena, &request, &reply), OK);
		assert_int_equal(reply.label, wanted[i]);
	}
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

static void without_a_peer_calls_fail_at_once(void **state)
{
	struct arena *arena = arena_new();
	struct bus_reply reply;
	struct bus *client = open_client("gateway");
	assert_int_equal(ask(client, arena, "echo", "x", &reply), ERR_UNAVAILABLE);
	assert_int_equal(reply.status, 503);
	assert_false(reply.executed);
	bus_close(client);
	arena_free(arena);
}

static void a_peer_that_appears_late_is_used(void **state)
{
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	struct bus *client = open_client("gateway");
	usleep(100000);
	open_server(&server);
	wait_until(client, true);
	assert_int_equal(ask(client, arena, "echo", "late", &reply), OK);
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

static void a_peer_with_another_key_gets_nothing(void **state)
{
	struct end server;
	open_server(&server);
	struct bus *client = open_client_with("gateway", other_directory);
	usleep(300000);
	assert_false(bus_is_up(client, "learning"));
	bus_close(client);
	close_server(&server);
}

static void a_late_answer_is_a_timeout(void **state)
{
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	let_go = false;
	struct bus_request request = request_of("held", "");
	request.timeout_ms = 500; /* enough for it to leave on a slow machine */
	assert_int_equal(bus_call(client, arena, &request, &reply), ERR_UNAVAILABLE);
	assert_int_equal(reply.status, 504);
	assert_true(reply.executed); /* it may have been: nobody may simply repeat it */
	let_go = true;
	assert_int_equal(ask(client, arena, "echo", "after", &reply), OK);
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

static void a_restarted_peer_is_found_again(void **state)
{
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	close_server(&server);
	wait_until(client, false);
	assert_int_equal(ask(client, arena, "echo", "gone", &reply), ERR_UNAVAILABLE);
	open_server(&server);
	wait_until(client, true);
	assert_int_equal(ask(client, arena, "echo", "back", &reply), OK);
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

static void *flood(void *arg)
{
	void **args = arg;
	struct bus_request request = request_of("echo", "0123456789");
	for (int i = 0; i < 2000; i++)
		bus_send(args[0], &request, on_reply, args[1]);
	return NULL;
}

static void a_flood_is_answered_or_refused_but_never_lost(void **state)
{
	struct end server;
	struct tally tally = { 0 };
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	void *args[] = { client, &tally };
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, args), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WAIT_MS / 10 && tally.answered + tally.refused < 8000; i++)
		usleep(10000);
	assert_int_equal(tally.answered + tally.refused, 8000);
	assert_true(tally.answered >= 64);
	bus_close(client);
	close_server(&server);
}

static void beyond_the_queue_callers_are_refused(void **state)
{
	struct end server;
	struct tally tally = { 0 };
	open_server_with(&server, 1);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	struct bus_request request = request_of("slow", "");
	for (int i = 0; i < 16; i++)
		bus_send(client, &request, on_reply, &tally);
	for (int i = 0; i < WAIT_MS / 10 && tally.answered + tally.refused < 16; i++)
		usleep(10000);
	assert_int_equal(tally.answered + tally.refused, 16);
	assert_true(tally.refused > 0);
	assert_true(tally.answered > 0);
	bus_close(client);
	close_server(&server);
}

static void draining_finishes_what_was_accepted(void **state)
{
	struct end server;
	struct tally tally = { 0 };
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	struct bus_request request = request_of("slow", "");
	for (int i = 0; i < 4; i++)
		bus_send(client, &request, on_reply, &tally);
	wait_received(server.bus, 4);
	bus_drain(server.bus);
	for (int i = 0; i < 2; i++)
		pthread_join(server.threads[i], NULL);
	for (int i = 0; i < WAIT_MS / 10 && tally.answered < 4; i++)
		usleep(10000);
	assert_int_equal(tally.answered, 4);
	bus_close(server.bus);
	bus_close(client);
}

static void on_event(void *arg, const char *topic, struct bytes body)
{
	if (strcmp(topic, "notice") == 0 && body.n == 2)
		atomic_fetch_add((atomic_int *)arg, 1);
}

static void events_reach_subscribers_also_after_a_reconnect(void **state)
{
	struct end server;
	atomic_int heard = 0;
	open_server(&server);
	struct bus *client = open_client("gateway");
	bus_subscribe(client, "learning", on_event, &heard);
	for (int round = 1; round <= 2; round++) {
		wait_until(client, true);
		for (int i = 0; i < WAIT_MS / 10 && heard < round; i++) {
			bus_push(server.bus, "notice", frame_text("{}"));
			usleep(10000);
		}
		assert_true(heard >= round);
		close_server(&server);
		wait_until(client, false);
		heard = 1;
		open_server(&server);
	}
	bus_close(client);
	close_server(&server);
}

static void a_large_body_arrives_whole(void **state)
{
	struct arena *arena = arena_new();
	struct end server;
	struct bus_reply reply;
	size_t n = 4 * 1024 * 1024;
	char *body = arena_alloc(arena, n + 1);
	memset(body, 'x', n);
	open_server(&server);
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	assert_int_equal(ask(client, arena, "echo", body, &reply), OK);
	assert_int_equal(reply.body.n, n);
	assert_memory_equal(reply.body.data, body, n);
	bus_close(client);
	close_server(&server);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_answered),
		cmocka_unit_test(an_answer_says_of_which_class_it_is),
		cmocka_unit_test(without_a_peer_calls_fail_at_once),
		cmocka_unit_test(a_peer_that_appears_late_is_used),
		cmocka_unit_test(a_peer_with_another_key_gets_nothing),
		cmocka_unit_test(a_late_answer_is_a_timeout),
		cmocka_unit_test(a_restarted_peer_is_found_again),
		cmocka_unit_test(a_flood_is_answered_or_refused_but_never_lost),
		cmocka_unit_test(beyond_the_queue_callers_are_refused),
		cmocka_unit_test(draining_finishes_what_was_accepted),
		cmocka_unit_test(events_reach_subscribers_also_after_a_reconnect),
		cmocka_unit_test(a_large_body_arrives_whole),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
