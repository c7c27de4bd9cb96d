/*
 * Every memory of the bus is bounded: what goes beyond is refused, and what was taken is answered.
 * Besides, what has become too old in the queue is not run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcommon/bus_instances.h"

#define MIB (1024 * 1024)
#define PIECE_BYTES (400 * 1024) /* two go into a MiB, three do not */
#define UNREAD_BYTES (256 * 1024) /* a message each */
#define OLD_MS 400 /* enough to leave and come on a slow machine */
#define CALLS_N 120 /* more than are ever under way to a caller that does not read */
#define HEADS_BYTES (CALLS_N * 128) /* of as many short frames */

static void wait_told(const struct tally *tally, int n)
{
	for (int i = 0; i < WAIT_MS / 10 && tally->answered + tally->refused < n; i++)
		usleep(10000);
	assert_int_equal(tally->answered + tally->refused, n);
}

static void send_bytes(struct bus *client, size_t n, struct tally *tally)
{
	struct bus_request request = request_of("echo", "");
	request.body = (struct bytes){ zeros, n };
	request.timeout_ms = WAIT_MS;
	(void)bus_send(client, &request, on_reply, tally);
}

/* ---- facts ---- */

static void what_a_caller_holds_for_an_instance_is_bounded(void **state)
{
	struct tally large = { 0 }, small = { 0 };
	struct end server = { .bus = open_idle((struct bus_options){ 0 }) };
	struct bus *client = bus_open(&(struct bus_options){
		.name = "gateway", .peers = peers, .key_directory = directory, .bytes_max = MIB });
	wait_until(client, true);
	for (int i = 0; i < 3; i++)
		send_bytes(client, PIECE_BYTES, &large);
	assert_int_equal(large.refused, 1); /* at once: nobody works yet */
	assert_in_range(figures_of(client).outstanding_bytes, 2 * PIECE_BYTES, MIB);
	assert_int_equal(figures_of(client).refused_full, 1);
	send_bytes(client, 100, &small);
	start_workers(&server);
	wait_told(&large, 3);
	wait_told(&small, 1);
	assert_int_equal(large.answered + small.answered, 3);
	send_bytes(client, 2 * MIB, &small); /* alone, so that nothing is too large for ever */
	wait_told(&small, 2);
	assert_int_equal(small.answered, 2);
	assert_int_equal(figures_of(client).outstanding_bytes, 0);
	bus_close(client);
	close_server(&server);
}

static void what_a_service_has_accepted_is_bounded(void **state)
{
	struct tally tally = { 0 };
	struct end server = { .bus = open_idle((struct bus_options){ .queue_bytes_max = MIB }) };
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	for (int i = 0; i < 3; i++)
		send_bytes(client, PIECE_BYTES, &tally);
	wait_told(&tally, 1); /* while nobody works */
	wait_accepted(server.bus, 2);
	assert_int_equal(tally.refused, 1);
	assert_int_equal(figures_of(server.bus).refused_full, 1);
	assert_in_range(figures_of(server.bus).queue_bytes, 2 * PIECE_BYTES, MIB);
	start_workers(&server);
	wait_told(&tally, 3);
	assert_int_equal(tally.answered, 2);
	assert_int_equal(figures_of(server.bus).queue_bytes, 0);
	bus_close(client);
	close_server(&server);
}

static void what_became_too_old_in_the_queue_is_counted_and_not_run(void **state)
{
	struct tally old = { 0 }, young = { 0 };
	struct end server = { .bus = open_idle((struct bus_options){ 0 }) };
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	atomic_store(&slow_runs, 0);
	struct bus_request request = request_of("slow", "");
	request.timeout_ms = OLD_MS;
	(void)bus_send(client, &request, on_reply, &old);
	wait_accepted(server.bus, 1);
	int64_t came_ms = clock_steady_ms(); /* or before */
	send_bytes(client, 1, &young);
	wait_accepted(server.bus, 2);
	wait_told(&old, 1);
	while (clock_steady_ms() <= came_ms + OLD_MS)
		usleep(10000); /* its deadline there began when it came */
	start_workers(&server);
	wait_told(&young, 1);
	assert_int_equal(young.answered, 1);
	assert_int_equal(old.refused, 1);
	assert_int_equal(figures_of(server.bus).expired, 1);
	assert_int_equal(atomic_load(&slow_runs), 0);
	bus_close(client);
	close_server(&server);
}

/* ---- a caller that does not read ---- */

static void on_first_reply(void *arg, const struct bus_reply *reply)
{
	on_reply(arg, reply);
	raise(SIGSTOP);
}

/* argv: call URL KEYS: asks for much, stops at the first answer, and when it goes on counts the
 * rest. */
static int call_main(char **argv)
{
	char whom[160];
	struct tally tally = { 0 };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	crypto_start();
	snprintf(whom, sizeof(whom), "learning=%s", argv[2]);
	struct bus *bus = bus_open(&(struct bus_options){
		.name = "gateway", .peers = whom, .key_directory = argv[3] });
	wait_until(bus, true);
	struct bus_request request = request_of("large", "");
	request.window_length = UNREAD_BYTES;
	request.timeout_ms = 3 * WAIT_MS;
	bus_gather_begin(); /* they leave together, before any answer */
	for (int i = 0; i < CALLS_N; i++)
		(void)bus_send(bus, &request, i ? on_reply : on_first_reply, &tally);
	bus_gather_end();
	wait_told(&tally, CALLS_N);
	bus_close(bus);
	return tally.answered > 0 && tally.refused > 0 ? 0 : 1;
}

static pid_t start_caller(void)
{
	char *const arguments[] = { "instance", "call", url, directory, NULL };
	pid_t pid = 0;
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
	return pid;
}

static void what_a_caller_leaves_unread_is_bounded(void **state)
{
	int status = 0;
	struct end server = { .bus = open_idle((struct bus_options){ .session_bytes_max = MIB }) };
	pid_t caller = start_caller();
	wait_accepted(server.bus, CALLS_N);
	start_workers(&server);
	assert_int_equal(waitpid(caller, &status, WUNTRACED), caller);
	assert_true(WIFSTOPPED(status));
	for (int i = 0; i < WAIT_MS / 10 && figures_of(server.bus).queue_bytes; i++)
		usleep(10000);
	assert_int_equal(figures_of(server.bus).queue_bytes, 0); /* all are answered */
	assert_true(figures_of(server.bus).unread_bytes <= MIB + HEADS_BYTES);
	kill(caller, SIGCONT);
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close_server(&server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_caller_holds_for_an_instance_is_bounded),
		cmocka_unit_test(what_a_service_has_accepted_is_bounded),
		cmocka_unit_test(what_a_caller_leaves_unread_is_bounded),
		cmocka_unit_test(what_became_too_old_in_the_queue_is_counted_and_not_run),
	};
	if (argc == 4 && strcmp(argv[1], "call") == 0)
		return call_main(argv);
	return cmocka_run_group_tests(tests, start, finish);
}
