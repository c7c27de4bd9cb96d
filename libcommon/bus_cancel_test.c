/*
 * A cancellation travels: the gateway asks provisioning, whose handler asks learning, which is busy
 * for ever. Once the gateway has lost interest, neither goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcommon/bus_world.h"

static char middle_url[128], middle_peers[160];

/* ---- three ends ---- */

/* The middle one: a worker that calls the last one twice for every request that it gets. */
struct middle {
	struct bus *bus;
	pthread_t thread;
	atomic_bool is_through;
	bool is_answered;
	struct bus_reply first, second;
};

struct three {
	struct bus *first, *last; /* nobody works at the last one: what it accepts, it keeps */
	struct middle middle;
	struct tally tally;
};

static void relay(struct middle *middle, struct arena *arena, struct bus_job *job)
{
	struct bus_request request = request_of("echo", "");
	struct frame reply = { .status = 200, .flags = FRAME_EXECUTED };
	request.timeout_ms = job->deadline_ms - clock_steady_ms();
	request.within = job;
	middle->is_answered = bus_call(middle->bus, arena, &request, &middle->first) == OK ||
		bus_call(middle->bus, arena, &request, &middle->second) == OK;
	reply.texts[TEXT_OPERATION] = frame_text("ok");
	bus_answer(middle->bus, job, &reply);
	middle->is_through = true;
}

static void *work(void *arg)
{
	struct middle *middle = arg;
	struct arena *arena = arena_new();
	for (struct bus_job *job; (job = bus_take(middle->bus));)
		relay(middle, arena, job);
	arena_free(arena);
	return NULL;
}

static struct bus *open_end(const char *name, const char *at, const char *whom)
{
	struct bus *bus = bus_open(&(struct bus_options){
		.name = name, .listen = at, .peers = whom, .key_directory = directory });
	assert_non_null(bus);
	return bus;
}

static void wait_link(struct bus *bus, const char *service)
{
	for (int i = 0; i < WAIT_MS / 10 && !bus_is_up(bus, service); i++)
		usleep(10000);
	assert_true(bus_is_up(bus, service));
}

static void open_three(struct three *three)
{
	*three = (struct three){ 0 };
	three->last = open_end("learning", url, NULL);
	three->middle.bus = open_end("provisioning", middle_url, peers);
	three->first = open_end("gateway", NULL, middle_peers);
	wait_link(three->middle.bus, "learning");
	wait_link(three->first, "provisioning");
	assert_int_equal(pthread_create(&three->middle.thread, NULL, work, &three->middle), 0);
}

static void close_three(struct three *three)
{
	bus_drain(three->middle.bus);
	pthread_join(three->middle.thread, NULL);
	bus_close(three->first);
	bus_close(three->middle.bus);
	bus_drain(three->last);
	bus_close(three->last);
}

static struct bus_ticket ask_through(struct three *three)
{
	struct bus_request request = request_of("relay", "");
	request.service = "provisioning";
	request.timeout_ms = WAIT_MS;
	return bus_send(three->first, &request, on_reply, &three->tally);
}

/* Until the middle one is through with what it was asked. */
static void wait_through(struct three *three)
{
	for (int i = 0; i < WAIT_MS / 10 && !three->middle.is_through; i++)
		usleep(10000);
	assert_true(three->middle.is_through);
}

/* ---- facts ---- */

static void a_cancellation_reaches_what_is_asked_on_the_way(void **state)
{
	struct three three;
	open_three(&three);
	struct bus_ticket ticket = ask_through(&three);
	wait_accepted(three.last, 1);
	assert_true(bus_cancel(ticket));
	wait_through(&three);
	assert_false(three.middle.is_answered);
	assert_true(three.middle.first.cancelled);
	assert_true(three.middle.first.executed); /* as far as anybody here can know */
	for (int i = 0; i < WAIT_MS / 10 && figures_of(three.last).queue_length; i++)
		usleep(10000);
	assert_int_equal(figures_of(three.last).cancelled, 1);
	assert_int_equal(figures_of(three.last).expired, 0);
	assert_int_equal(three.tally.answered + three.tally.refused, 0);
	close_three(&three);
}

static void nothing_more_is_asked_for_what_is_cancelled(void **state)
{
	struct three three;
	open_three(&three);
	struct bus_ticket ticket = ask_through(&three);
	wait_accepted(three.last, 1);
	assert_true(bus_cancel(ticket));
	wait_through(&three);
	assert_true(three.middle.second.cancelled);
	assert_false(three.middle.second.executed);
	assert_int_equal(figures_of(three.middle.bus).requests_sent, 1);
	close_three(&three);
}

/* The place in the window of the first one is free again. */
static void what_was_cancelled_is_answered_and_forgotten(void **state)
{
	struct three three;
	open_three(&three);
	for (int i = 0; i < 3; i++) {
		three.middle.is_through = false;
		struct bus_ticket ticket = ask_through(&three);
		wait_accepted(three.last, 1);
		assert_true(bus_cancel(ticket));
		wait_through(&three);
		for (int left = WAIT_MS / 10; left &&
			(figures_of(three.first).outstanding ||
				figures_of(three.last).queue_length);
			left--)
			usleep(10000);
		assert_int_equal(figures_of(three.first).outstanding, 0);
		assert_int_equal(figures_of(three.middle.bus).queue_bytes, 0);
	}
	close_three(&three);
}

/* ---- more keys ---- */

static void pair_path(char out[160], const char *pair)
{
	snprintf(out, 160, "%s/%s.key", directory, pair);
}

static int write_pair(const char *pair)
{
	char path[160];
	pair_path(path, pair);
	FILE *file = fopen(path, "w");
	if (!file)
		return -1;
	for (int i = 0; i < 2 * KEY_SIZE; i++)
		fputc('c', file);
	return fclose(file);
}

static int start_three(void **state)
{
	if (start(state) || write_pair("gateway-provisioning") ||
		write_pair("provisioning-learning"))
		return -1;
	snprintf(middle_url, sizeof(middle_url), "ipc://%s/provisioning.sock", directory);
	snprintf(middle_peers, sizeof(middle_peers), "provisioning=%s", middle_url);
	return 0;
}

static int finish_three(void **state)
{
	char path[160];
	pair_path(path, "gateway-provisioning");
	unlink(path);
	pair_path(path, "provisioning-learning");
	unlink(path);
	unlink(middle_url + strlen("ipc://"));
	return finish(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancellation_reaches_what_is_asked_on_the_way),
		cmocka_unit_test(nothing_more_is_asked_for_what_is_cancelled),
		cmocka_unit_test(what_was_cancelled_is_answered_and_forgotten),
	};
	return cmocka_run_group_tests(tests, start_three, finish_three);
}
