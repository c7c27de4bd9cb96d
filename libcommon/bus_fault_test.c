/*
 * The bus while things go wrong: instances that stop, die, drain, come and go; tenants that flood.
 * Serving ends that must stop or die are processes of their own.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcommon/bus_instances.h"

static struct bus_request echo(bool may_retry)
{
	struct bus_request request = request_of("echo", "x");
	request.may_retry = may_retry;
	return request;
}

/* How many of n calls, one after the other, were answered. */
static int answered_of(struct two *two, int n, struct bus_request request)
{
	int answered = 0;
	for (int i = 0; i < n; i++) {
		struct bus_reply reply;
		answered += bus_call(two->client, two->arena, &request, &reply) == OK;
	}
	return answered;
}

/* ---- facts ---- */

static void a_stopped_instance_harms_only_what_it_has(void **state)
{
	struct two two;
	open_two(&two);
	kill(two.pids[0], SIGSTOP);
	/* Calls one after the other: at most those until the breaker opens meet the stopped one. */
	struct bus_request brief = echo(false);
	brief.timeout_ms = 2000; /* each of those costs it */
	assert_true(answered_of(&two, 60, brief) >= 60 - 5);
	wait_up(two.client, 1);
	assert_int_equal(answered_of(&two, 60, echo(false)), 60);
	kill(two.pids[0], SIGCONT);
	wait_up(two.client, 2);
	assert_int_equal(answered_of(&two, 60, echo(false)), 60);
	close_two(&two);
}

struct ending {
	atomic_bool is_there, may_have_run;
};

static void on_ending(void *arg, const struct bus_reply *reply)
{
	struct ending *ending = arg;
	ending->may_have_run = reply->err == ERR_UNAVAILABLE && reply->executed;
	ending->is_there = true;
}

/* Until the only instance has begun so many that are slow or stuck; its other worker tells. */
static void wait_for_runs(struct two *two, unsigned char n)
{
	struct bus_reply reply = { 0 };
	for (int i = 0; i < WAIT_MS / 10; i++) {
		assert_int_equal(ask(two->client, two->arena, "runs", "", &reply), OK);
		if (reply.body.data[0] == n)
			return;
		usleep(10000);
	}
	assert_int_equal(reply.body.data[0], n);
}

static void one_killed_in_the_middle_fails_what_it_had_and_says_it_may_have_run(void **state)
{
	struct two two;
	struct bus_reply reply;
	open_two(&two);
	end_instance(two.pids[1], SIGKILL);
	two.pids[1] = 0;
	wait_up(two.client, 1);
	struct ending ending = { 0 };
	struct bus_request stuck = request_of("stuck", "");
	stuck.timeout_ms = 3 * WAIT_MS;
	(void)bus_send(two.client, &stuck, on_ending, &ending);
	wait_for_runs(&two, '1');
	end_instance(two.pids[0], SIGKILL);
	for (int i = 0; i < WAIT_MS / 10 && !ending.is_there; i++)
		usleep(10000);
	assert_true(ending.may_have_run); /* so nobody may simply repeat it */
	two.pids[0] = start_instance(urls[0]);
	wait_up(two.client, 1);
	assert_int_equal(ask(two.client, two.arena, "echo", "again", &reply), OK);
	close_two(&two);
}

static void a_slow_handler_runs_once(void **state)
{
	struct two two;
	struct bus_reply reply;
	open_two(&two);
	struct bus_request request = request_of("slow", "");
	for (int i = 0; i < 4; i++)
		assert_int_equal(bus_call(two.client, two.arena, &request, &reply), OK);
	int runs = 0;
	for (int i = 0; i < 2; i++) {
		/* The less loaded of two in turn: both are asked. */
		assert_int_equal(ask(two.client, two.arena, "runs", "", &reply), OK);
		runs += reply.body.data[0] - '0';
	}
	assert_int_equal(runs, 4);
	close_two(&two);
}

static void what_is_too_large_is_refused_before_it_is_sent(void **state)
{
	struct two two;
	struct bus_reply reply;
	open_two(&two);
	struct bus_request request = request_of("echo", "");
	request.body = (struct bytes){ arena_alloc(two.arena, FRAME_MAX), FRAME_MAX };
	assert_int_equal(bus_call(two.client, two.arena, &request, &reply), ERR_INVALID);
	assert_int_equal(reply.status, 413);
	assert_int_equal(answered_of(&two, 10, echo(false)), 10);
	close_two(&two);
}

/* While the other one answers, so that nobody would notice: what it had to tell is lost. */
static void a_link_that_comes_back_is_counted(void **state)
{
	struct two two;
	open_two(&two);
	assert_int_equal(bus_links_made(two.client, "learning"), 2);
	assert_int_equal(bus_links_made(two.client, "auth"), 0);
	end_instance(two.pids[0], SIGKILL);
	two.pids[0] = start_instance(urls[0]);
	for (int i = 0; i < WAIT_MS / 10 && bus_links_made(two.client, "learning") < 3; i++) {
		assert_true(bus_is_up(two.client, "learning"));
		usleep(10000);
	}
	assert_int_equal(bus_links_made(two.client, "learning"), 3);
	close_two(&two);
}

static void a_storm_of_restarts_is_survived(void **state)
{
	struct two two;
	open_two(&two);
	for (int round = 0; round < 10; round++) {
		end_instance(two.pids[round % 2], SIGKILL);
		two.pids[round % 2] = start_instance(urls[round % 2]);
		assert_true(answered_of(&two, 20, echo(true)) > 0);
		wait_up(two.client, 2);
	}
	assert_int_equal(answered_of(&two, 20, echo(false)), 20);
	close_two(&two);
}

/* ---- draining ---- */

struct caller_thread {
	struct two *two;
	atomic_bool is_over;
	atomic_int answered, failed;
};

static void *call_all_the_time(void *arg)
{
	struct caller_thread *caller = arg;
	struct arena *arena = arena_new();
	while (!caller->is_over) {
		struct bus_reply reply;
		struct bus_request request = request_of("echo", "x");
		request.may_retry = true;
		enum err e = bus_call(caller->two->client, arena, &request, &reply);
		atomic_fetch_add(e ? &caller->failed : &caller->answered, 1);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static void instances_are_replaced_without_a_failed_call(void **state)
{
	struct two two;
	open_two(&two);
	struct caller_thread caller = { .two = &two };
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, call_all_the_time, &caller), 0);
	for (int round = 0; round < 4; round++) {
		int i = round % 2;
		usleep(50000);
		end_instance(two.pids[i], SIGTERM);
		two.pids[i] = start_instance(urls[i]);
		wait_up(two.client, 2);
	}
	caller.is_over = true;
	pthread_join(thread, NULL);
	assert_int_equal(caller.failed, 0);
	assert_true(caller.answered > 0);
	close_two(&two);
}

#define HELD_BYTES (512 * 1024) /* more than the socket's buffer holds: its end is read later */

/* argv: read PEERS KEYS: a caller that is a process of its own, so that it can be stopped. Ends
 * well if what it asks for is answered. */
static int read_main(char **argv)
{
	struct arena *arena = arena_new();
	struct bus_reply reply = { .err = ERR_UNAVAILABLE };
	char *body = arena_alloc(arena, HELD_BYTES + 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	crypto_start();
	memset(body, 'x', HELD_BYTES);
	struct bus *bus = bus_open(&(struct bus_options){
		.name = "gateway", .peers = argv[2], .key_directory = argv[3] });
	for (int i = 0; bus && i < WAIT_MS / 10 && !bus_is_up(bus, "learning"); i++)
		usleep(10000);
	enum err e = bus ? ask(bus, arena, "held", body, &reply) : ERR_INTERNAL;
	bus_close(bus);
	arena_free(arena);
	return e ? 1 : 0;
}

static bool is_reader(int argc, char **argv)
{
	return argc == 4 && strcmp(argv[1], "read") == 0;
}

static pid_t start_reader(void)
{
	char *const arguments[] = { "reader", "read", peers, directory, NULL };
	pid_t pid = 0;
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
	return pid;
}

static atomic_int workers_ended;

static void *serve_and_tell(void *arg)
{
	serve(arg);
	workers_ended++;
	return NULL;
}

static void *close_bus(void *arg)
{
	bus_close(arg);
	return NULL;
}

static void stop_reader(pid_t reader)
{
	int status;
	kill(reader, SIGSTOP);
	assert_int_equal(waitpid(reader, &status, WUNTRACED), reader);
}

/* Handed to the socket is not read: closing it loses what lies in its buffers. */
static void the_last_reply_is_read_before_the_end(void **state)
{
	struct end server = { open_idle((struct bus_options){ .window = 64 }), { 0 } };
	pthread_t closing;
	workers_ended = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&server.threads[i], NULL, serve_and_tell, server.bus), 0);
	pid_t reader = start_reader();
	wait_received(server.bus, 1);
	bus_drain(server.bus);
	while (workers_ended < 1) /* the other one ends when the caller knows */
		usleep(1000);
	stop_reader(reader);
	let_go = true;
	for (int i = 0; i < 2; i++)
		pthread_join(server.threads[i], NULL);
	assert_int_equal(pthread_create(&closing, NULL, close_bus, server.bus), 0);
	usleep(100000); /* one that does not wait is closed by now */
	end_instance(reader, SIGCONT);
	pthread_join(closing, NULL);
	let_go = false;
}

/* ---- shares, cancelling ---- */

static void one_tenant_leaves_the_others_room(void **state)
{
	struct tally flood = { 0 }, other = { 0 };
	struct end server = { .bus = open_idle((struct bus_options){ 0 }) };
	struct bus *client = bus_open(&(struct bus_options){ .name = "gateway",
		.peers = peers,
		.key_directory = directory,
		.window = 16,
		.tenant_share = 50 });
	wait_until(client, true);
	struct bus_request request = request_of("slow", "");
	request.timeout_ms = WAIT_MS;
	request.tenant = "one";
	for (int i = 0; i < 16; i++)
		(void)bus_send(client, &request, on_reply, &flood);
	assert_int_equal(flood.refused, 8); /* at once: nobody works yet */
	request.tenant = "another";
	for (int i = 0; i < 8; i++)
		(void)bus_send(client, &request, on_reply, &other);
	assert_int_equal(other.refused, 0);
	start_workers(&server);
	for (int i = 0; i < WAIT_MS / 10 && flood.answered + other.answered < 16; i++)
		usleep(10000);
	assert_int_equal(flood.answered, 8);
	assert_int_equal(other.answered, 8);
	bus_close(client);
	close_server(&server);
}

static void what_nobody_waits_for_is_not_run(void **state)
{
	struct tally tally = { 0 };
	struct bus_ticket tickets[8];
	struct end server = { .bus = open_idle((struct bus_options){ 0 }) };
	struct bus *client = open_client("gateway");
	wait_until(client, true);
	atomic_store(&slow_runs, 0);
	struct bus_request request = request_of("slow", "");
	request.timeout_ms = WAIT_MS;
	for (int i = 0; i < 8; i++)
		tickets[i] = bus_send(client, &request, on_reply, &tally);
	wait_accepted(server.bus, 8);
	for (int i = 2; i < 8; i++)
		assert_true(bus_cancel(tickets[i]));
	wait_accepted(server.bus, 2);
	start_workers(&server);
	for (int i = 0; i < WAIT_MS / 10 && tally.answered < 2; i++)
		usleep(10000);
	assert_int_equal(tally.answered, 2);
	assert_int_equal(atomic_load(&slow_runs), 2);
	bus_close(client);
	close_server(&server);
}

/* ---- names ---- */

static atomic_int addresses_n;

/* A name server in which instances come and go. */
static int find_addresses(const char *host, char (*out)[BUS_ADDRESS_MAX], int max)
{
	int n = addresses_n < max ? addresses_n : max;
	if (strcmp(host, "learning") != 0)
		return -1;
	for (int i = 0; i < n; i++)
		snprintf(out[i], BUS_ADDRESS_MAX, "127.0.0.%d", i + 2);
	return n;
}

/*
 * A port of the instances' addresses that no other process gets as long as `holders` are open: they
 * are bound and do not listen, and share it with a listener that asks to share, as libnng's does.
 */
static int hold_port(int holders[3])
{
	struct sockaddr_in address = { .sin_family = AF_INET }; /* the first takes any free one */
	for (int i = 0; i < 3; i++) {
		socklen_t size = sizeof(address);
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)i);
		holders[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(holders[i] >= 0);
		assert_int_equal(
			setsockopt(holders[i], SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)),
			0);
		assert_int_equal(bind(holders[i], (struct sockaddr *)&address, size), 0);
		assert_int_equal(getsockname(holders[i], (struct sockaddr *)&address, &size), 0);
	}
	return ntohs(address.sin_port);
}

static void a_name_stands_for_all_its_addresses_as_they_come_and_go(void **state)
{
	char whom[64];
	pid_t pids[3];
	int holders[3], port = hold_port(holders);
	for (int i = 0; i < 3; i++) {
		char at[64];
		snprintf(at, sizeof(at), "tcp://127.0.0.%d:%d", i + 2, port);
		pids[i] = start_instance(at);
	}
	snprintf(whom, sizeof(whom), "learning=tcp://learning:%d", port);
	atomic_store(&addresses_n, 1);
	struct bus *client = bus_open(&(struct bus_options){ .name = "gateway",
		.peers = whom,
		.key_directory = directory,
		.resolve = find_addresses,
		.resolve_every_ms = 100 });
	wait_up(client, 1);
	atomic_store(&addresses_n, 3);
	wait_up(client, 3);
	atomic_store(&addresses_n, 2);
	wait_up(client, 2);
	bus_close(client);
	for (int i = 0; i < 3; i++) {
		end_instance(pids[i], SIGKILL);
		close(holders[i]);
	}
}

/* ---- who is at the other end ---- */

static void a_process_of_another_user_is_not_heard(void **state)
{
	char stranger[16];
	struct end server;
	snprintf(stranger, sizeof(stranger), "%u", (unsigned)getuid() + 1);
	open_server(&server);
	struct bus *client = bus_open(&(struct bus_options){ .name = "gateway",
		.peers = peers,
		.key_directory = directory,
		.peer_uids = stranger });
	usleep(500000); /* long enough for the ones that are wanted */
	assert_false(bus_is_up(client, "learning"));
	bus_close(client);
	close_server(&server);
}

static void set_keys(const char *in_directory, const char *lines)
{
	char path[160];
	key_path(path, in_directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(lines, file);
	assert_int_equal(fclose(file), 0);
}

static void call_for(struct bus *client, int64_t ms)
{
	struct arena *arena = arena_new();
	struct bus_reply reply;
	for (int64_t until_ms = clock_steady_ms() + ms; clock_steady_ms() < until_ms;) {
		assert_int_equal(ask(client, arena, "echo", "x", &reply), OK);
		arena_reset(arena);
		usleep(10000);
	}
	arena_free(arena);
}

/* What is logged goes to a file from here on; until tell_again(). */
static int log_fd, kept_stderr;

static void listen_to_log(void)
{
	char path[] = "/tmp/bus_fault_test.XXXXXX";
	log_fd = mkstemp(path);
	assert_true(log_fd >= 0);
	unlink(path);
	kept_stderr = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
}

static void tell_again(void)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(log_fd);
}

static bool was_logged(const char *text)
{
	static char log[65536];
	ssize_t n = pread(log_fd, log, sizeof(log) - 1, 0);
	log[n > 0 ? n : 0] = '\0';
	return strstr(log, text);
}

static void a_key_is_replaced_while_both_are_known(void **state)
{
	char old[65] = { 0 }, new[65] = { 0 }, both[132];
	struct end server;
	memset(old, 'a', 64);
	memset(new, 'b', 64); /* what other_directory has */
	snprintf(both, sizeof(both), "%s\n%s\n", new, old);
	set_keys(directory, both);
	open_server(&server); /* the callee knows both, the new one first */
	struct bus *with_new = open_client_with("gateway", other_directory);
	wait_until(with_new, true);
	set_keys(directory, old);
	struct bus *with_old = open_client("gateway");
	wait_until(with_old, true);
	listen_to_log();
	set_keys(directory, both);
	/* Its file has the new key first: it greets again on the link that it has, within seconds.
	 */
	for (int i = 0; i < 600 && !was_logged("bus link has a new key"); i++)
		call_for(with_old, 100);
	assert_true(was_logged("bus link has a new key"));
	call_for(with_old, 100);
	tell_again();
	bus_close(with_old);
	bus_close(with_new);
	close_server(&server);
	set_keys(directory, old);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_instance_harms_only_what_it_has),
		cmocka_unit_test(
			one_killed_in_the_middle_fails_what_it_had_and_says_it_may_have_run),
		cmocka_unit_test(a_slow_handler_runs_once),
		cmocka_unit_test(what_is_too_large_is_refused_before_it_is_sent),
		cmocka_unit_test(a_link_that_comes_back_is_counted),
		cmocka_unit_test(a_storm_of_restarts_is_survived),
		cmocka_unit_test(instances_are_replaced_without_a_failed_call),
		cmocka_unit_test(the_last_reply_is_read_before_the_end),
		cmocka_unit_test(one_tenant_leaves_the_others_room),
		cmocka_unit_test(what_nobody_waits_for_is_not_run),
		cmocka_unit_test(a_name_stands_for_all_its_addresses_as_they_come_and_go),
		cmocka_unit_test(a_process_of_another_user_is_not_heard),
		cmocka_unit_test(a_key_is_replaced_while_both_are_known),
	};
	if (is_instance(argc, argv))
		return serve_main(argv);
	if (is_reader(argc, argv))
		return read_main(argv);
	return cmocka_run_group_tests(tests, start, finish);
}
