/* Facts about the bus: two ends in one process, over a real ipc socket. */
#include "libcommon/bus.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"

static char directory[64], other_directory[64];
static char url[128], peers[160];

/* What the serving end does with a request whose operation is… */
static void answer(struct bus *bus, struct bus_job *job)
{
	struct frame reply = { .status = 200, .flags = FRAME_EXECUTED };
	const struct bytes *name = &job->frame.texts[TEXT_OPERATION];
	reply.texts[TEXT_OPERATION] = frame_text("ok");
	reply.texts[TEXT_BODY] = job->frame.texts[TEXT_BODY];
	if (name->n == 4 && memcmp(name->data, "slow", 4) == 0)
		usleep(300000);
	if (name->n == 6 && memcmp(name->data, "caller", 6) == 0)
		reply.texts[TEXT_BODY] = frame_text(job->caller);
	bus_answer(bus, job, &reply);
}

static void *serve(void *arg)
{
	struct bus *bus = arg;
	for (struct bus_job *job; (job = bus_take(bus));)
		answer(bus, job);
	return NULL;
}

struct end {
	struct bus *bus;
	pthread_t threads[2];
};

static void open_server_with(struct end *end, int64_t queue_max)
{
	end->bus = bus_open(&(struct bus_options){ .name = "learning",
		.listen = url,
		.key_directory = directory,
		.window = 64,
		.queue_max = queue_max });
	assert_non_null(end->bus);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&end->threads[i], NULL, serve, end->bus), 0);
}

static void open_server(struct end *end)
{
	open_server_with(end, 1024);
}

static void close_server(struct end *end)
{
	bus_drain(end->bus);
	for (int i = 0; i < 2; i++)
		pthread_join(end->threads[i], NULL);
	bus_close(end->bus);
}

static struct bus *open_client_with(const char *name, const char *key_directory)
{
	struct bus *bus = bus_open(&(struct bus_options){
		.name = name, .peers = peers, .key_directory = key_directory, .window = 64 });
	assert_non_null(bus);
	return bus;
}

static struct bus *open_client(const char *name)
{
	return open_client_with(name, directory);
}

static void wait_until(struct bus *bus, bool up)
{
	for (int i = 0; i < 500 && bus_is_up(bus, "learning") != up; i++)
		usleep(10000);
	assert_int_equal(bus_is_up(bus, "learning"), up);
}

static struct bus_request request_of(const char *operation, const char *body)
{
	return (struct bus_request){
		.service = "learning",
		.operation = operation,
		.body = frame_text(body),
		.timeout_ms = 2000,
	};
}

static enum err ask(struct bus *bus, struct arena *arena, const char *operation, const char *body,
	struct bus_reply *reply)
{
	struct bus_request request = request_of(operation, body);
	return bus_call(bus, arena, &request, reply);
}

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
	struct bus_request request = request_of("slow", "");
	request.timeout_ms = 60;
	assert_int_equal(bus_call(client, arena, &request, &reply), ERR_UNAVAILABLE);
	assert_int_equal(reply.status, 504);
	assert_true(reply.executed); /* it may have been: nobody may simply repeat it */
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

/* Many requests at once: every one is answered exactly once. */
struct tally {
	atomic_int answered, refused;
};

static void on_reply(void *arg, const struct bus_reply *reply)
{
	struct tally *tally = arg;
	atomic_fetch_add(reply->err == OK ? &tally->answered : &tally->refused, 1);
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
	for (int i = 0; i < 500 && tally.answered + tally.refused < 8000; i++)
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
	for (int i = 0; i < 500 && tally.answered + tally.refused < 16; i++)
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
	usleep(100000);
	bus_drain(server.bus);
	for (int i = 0; i < 2; i++)
		pthread_join(server.threads[i], NULL);
	for (int i = 0; i < 200 && tally.answered < 4; i++)
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
		for (int i = 0; i < 200 && heard < round; i++) {
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

static void key_path(char out[160], const char *in_directory)
{
	snprintf(out, 160, "%s/gateway-learning.key", in_directory);
}

static int write_key(char in_directory[64], char digit)
{
	char path[160], hex[2 * KEY_SIZE + 1] = { 0 };
	snprintf(in_directory, 64, "/tmp/bus_test.XXXXXX");
	if (!mkdtemp(in_directory))
		return -1;
	key_path(path, in_directory);
	memset(hex, digit, 2 * KEY_SIZE);
	FILE *file = fopen(path, "w");
	if (!file)
		return -1;
	fputs(hex, file);
	return fclose(file);
}

static int start(void **state)
{
	crypto_start();
	if (write_key(directory, 'a') || write_key(other_directory, 'b'))
		return -1;
	snprintf(url, sizeof(url), "ipc://%s/learning.sock", directory);
	snprintf(peers, sizeof(peers), "learning=%s", url);
	return 0;
}

static int finish(void **state)
{
	char path[160];
	unlink(url + strlen("ipc://"));
	key_path(path, directory);
	unlink(path);
	key_path(path, other_directory);
	unlink(path);
	return rmdir(directory) || rmdir(other_directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_answered),
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
