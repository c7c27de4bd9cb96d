/* What a gateway's question may cost when the instance that got it first does not take it. */
#include "libcommon/cmocka_call.h"

#include "libcommon/bus_instances.h"
#include "services/gateway/ask.h"
#include "services/gateway/gateway.h"
#include "services/gateway/load.h"

#define JAM_N 4 /* the socket and nng take some of them */
#define JAM_BYTES (3 * 1024 * 1024)

struct told {
	bool is_there;
	struct bus_reply reply;
	char body[16];
};

static void on_told(void *arg, const struct bus_reply *reply)
{
	struct told *told = arg;
	told->is_there = true;
	told->reply = *reply;
	size_t n = reply->body.n < sizeof(told->body) - 1 ? reply->body.n : 0;
	if (n) {
		memcpy(told->body, reply->body.data, n);
	}
	loop_stop(gateway.loop);
}

static void open_gateway(struct two *two)
{
	open_two(two);
	gateway.bus = two->client;
	gateway.loop = loop_new();
}

static void close_gateway(struct two *two)
{
	close_two(two);
	loop_free(gateway.loop);
}

static void lose(struct two *two, int i)
{
	end_instance(two->pids[i], SIGKILL);
	two->pids[i] = 0;
}

/* The only instance stops, and its line is so full that what is asked next stays here. */
static void jam(struct two *two, struct tally *tally)
{
	lose(two, 1);
	wait_up(two->client, 1);
	struct bus_request large = request_of("echo", "");
	large.body = (struct bytes){ arena_alloc(two->arena, JAM_BYTES), JAM_BYTES };
	large.timeout_ms = 2 * WAIT_MS;
	kill(two->pids[0], SIGSTOP);
	for (int i = 0; i < JAM_N; i++) {
		(void)bus_send(two->client, &large, on_reply, tally);
	}
}

/* Until another one can be asked; the breaker of the one that stopped may open meanwhile. */
static void start_other(struct two *two)
{
	struct bus_figures figures = { 0 };
	two->pids[1] = start_instance(urls[1]);
	for (int i = 0;
		i < WAIT_MS / 10 && figures.instances_up != (figures.breaker_opened ? 1 : 2); i++) {
		usleep(10000);
		bus_figures(two->client, &figures);
	}
}

static uint64_t requests_sent(struct bus *bus)
{
	struct bus_figures figures;
	bus_figures(bus, &figures);
	return figures.requests_sent;
}

static void what_stayed_here_until_its_time_was_over_is_not_sent_again(void **state)
{
	struct two two;
	struct tally tally = { 0 };
	struct told told = { 0 };
	open_gateway(&two);
	jam(&two, &tally);
	struct bus_request request = request_of("left", "");
	request.timeout_ms = 300;
	uint64_t before = requests_sent(two.client);
	(void)ask_send(&request, (struct ask_terms){ .may_retry = true }, on_told, &told);
	loop_run(gateway.loop);
	assert_int_equal(told.reply.err, ERR_UNAVAILABLE);
	assert_false(told.reply.executed);
	assert_int_equal(requests_sent(two.client), before + 1);
	close_gateway(&two);
}

static void what_is_sent_again_has_the_time_that_is_left(void **state)
{
	struct two two;
	struct tally tally = { 0 };
	struct told told = { 0 };
	open_gateway(&two);
	jam(&two, &tally);
	struct bus_request request = request_of("left", "");
	request.timeout_ms = WAIT_MS;
	(void)ask_send(&request, (struct ask_terms){ .may_retry = true }, on_told, &told);
	start_other(&two);
	lose(&two, 0);
	loop_run(gateway.loop);
	assert_int_equal(told.reply.err, OK);
	long left_ms = strtol(told.body, NULL, 10);
	assert_true(left_ms > 0 && left_ms < WAIT_MS);
	close_gateway(&two);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stayed_here_until_its_time_was_over_is_not_sent_again),
		cmocka_unit_test(what_is_sent_again_has_the_time_that_is_left),
	};
	if (is_instance(argc, argv)) {
		return serve_main(argv);
	}
	return cmocka_run_group_tests(tests, start, finish);
}
