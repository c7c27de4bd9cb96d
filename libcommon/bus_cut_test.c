/*
 * A peer that dies in the middle of a message. Between the two ends stands a wire that stops after
 * so many bytes, so that it is the middle on every machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libcommon/bus_instances.h"

#define PASSES_BYTES (1024 * 1024) /* of what the serving end says */

/* ---- the wire: urls[1] stands for urls[0] ---- */

struct wire {
	int listener, near, far;
	pthread_t thread;
	size_t passed;
	atomic_bool is_stuck, is_cut;
};

static struct sockaddr_un address_of(const char *at)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s",
		(int)sizeof(address.sun_path) - 1, at + strlen("ipc://"));
	return address;
}

static int connect_to(const char *at)
{
	struct sockaddr_un address = address_of(at);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		usleep(10000);
	}
	close(fd);
	return -1;
}

/* False: that side has ended. */
static bool pass_on(int from, int to, size_t *passed)
{
	char bytes[16384];
	ssize_t n = read(from, bytes, sizeof(bytes));
	for (ssize_t at = 0; at < n;) {
		ssize_t written = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (written <= 0)
			return false;
		at += written;
	}
	*passed += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void carry(struct wire *wire)
{
	size_t said = 0;
	struct pollfd ends[] = { { wire->near, POLLIN, 0 }, { wire->far, POLLIN, 0 } };
	while (wire->passed < PASSES_BYTES && poll(ends, 2, -1) > 0) {
		if (ends[0].revents && !pass_on(wire->near, wire->far, &said))
			return;
		if (ends[1].revents && !pass_on(wire->far, wire->near, &wire->passed))
			return;
	}
}

static void *be_wire(void *arg)
{
	struct wire *wire = arg;
	wire->near = accept(wire->listener, NULL, NULL);
	wire->far = connect_to(urls[0]);
	if (wire->near >= 0 && wire->far >= 0)
		carry(wire);
	wire->is_stuck = true;
	while (!wire->is_cut)
		usleep(1000);
	close(wire->near);
	close(wire->far);
	return NULL;
}

static void open_wire(struct wire *wire)
{
	struct sockaddr_un address = address_of(urls[1]);
	*wire = (struct wire){ .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(wire->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(wire->listener, 1), 0);
	assert_int_equal(pthread_create(&wire->thread, NULL, be_wire, wire), 0);
}

/* Its socket goes too, so that something else can stand there. */
static void cut_wire(struct wire *wire)
{
	wire->is_cut = true;
	pthread_join(wire->thread, NULL);
	close(wire->listener);
	unlink(urls[1] + strlen("ipc://"));
}

/* ---- the fact ---- */

struct end_of_call {
	atomic_bool is_there;
	struct bus_reply reply;
};

static void on_end(void *arg, const struct bus_reply *reply)
{
	struct end_of_call *end = arg;
	end->reply = *reply;
	end->is_there = true;
}

static void one_that_dies_within_a_large_answer_fails_it_and_harms_nothing_else(void **state)
{
	char both[320], whom[160];
	struct wire wire;
	struct end_of_call end = { 0 };
	struct bus_reply reply;
	struct arena *arena = arena_new();
	name_urls(both);
	snprintf(whom, sizeof(whom), "learning=%s", urls[1]);
	pid_t pid = start_instance(urls[0]);
	open_wire(&wire);
	struct bus *client = open_caller(whom);
	wait_up(client, 1);
	struct bus_request request = request_of("large", "");
	request.window_length = LARGE_BYTES;
	request.timeout_ms = 3 * WAIT_MS;
	(void)bus_send(client, &request, on_end, &end);
	for (int i = 0; i < WAIT_MS / 10 && !wire.is_stuck; i++)
		usleep(10000);
	assert_true(wire.is_stuck);
	assert_false(end.is_there);
	end_instance(pid, SIGKILL);
	cut_wire(&wire);
	for (int i = 0; i < WAIT_MS / 10 && !end.is_there; i++)
		usleep(10000);
	assert_true(end.is_there);
	assert_int_equal(end.reply.err, ERR_UNAVAILABLE);
	assert_true(end.reply.executed); /* it was */
	pid = start_instance(urls[1]);
	wait_up(client, 1);
	request.timeout_ms = WAIT_MS;
	assert_int_equal(bus_call(client, arena, &request, &reply), OK);
	assert_int_equal(reply.body.n, LARGE_BYTES);
	bus_close(client);
	end_instance(pid, SIGKILL);
	forget_sockets();
	arena_free(arena);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			one_that_dies_within_a_large_answer_fails_it_and_harms_nothing_else),
	};
	if (is_instance(argc, argv))
		return serve_main(argv);
	return cmocka_run_group_tests(tests, start, finish);
}
