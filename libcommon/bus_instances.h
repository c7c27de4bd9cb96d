/* Serving ends that are processes of their own, for tests of the bus: the test's program started
 * again, so that they can be stopped and killed. The test's main() begins with
 * `if (is_instance(argc, argv)) return serve_main(argv);`. */
#ifndef MANABIYA_BUS_INSTANCES_H
#define MANABIYA_BUS_INSTANCES_H

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "libcommon/bus_world.h"

static struct bus *served;

static inline void *wait_for_term(void *arg)
{
	int signal = 0;
	if (!sigwait((sigset_t *)arg, &signal))
		bus_drain(served);
	return NULL;
}

/* argv: serve URL KEYS: until SIGTERM, then drains. */
static inline int serve_main(char **argv)
{
	sigset_t signals;
	pthread_t waiter, workers[2];
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a fact that fails leaves nobody behind */
	crypto_start();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	served = bus_open(&(struct bus_options){
		.name = "learning", .listen = argv[2], .key_directory = argv[3] });
	if (!served || pthread_create(&waiter, NULL, wait_for_term, &signals))
		return 1;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&workers[i], NULL, serve, served))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(workers[i], NULL);
	pthread_join(waiter, NULL);
	bus_close(served);
	return 0;
}

static inline bool is_instance(int argc, char **argv)
{
	return argc == 4 && strcmp(argv[1], "serve") == 0;
}

static inline pid_t start_instance(const char *at)
{
	char *const arguments[] = { "instance", "serve", (char *)(uintptr_t)at, directory, NULL };
	pid_t pid = 0;
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
	return pid;
}

static inline void end_instance(pid_t pid, int signal)
{
	int status = 0;
	kill(pid, signal);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (signal != SIGKILL)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- two of them, and one who calls ---- */

static char urls[2][128];

static inline void name_urls(char out[320])
{
	for (int i = 0; i < 2; i++)
		snprintf(urls[i], sizeof(urls[i]), "ipc://%s/%d.sock", directory, i);
	snprintf(out, 320, "learning=%s,learning=%s", urls[0], urls[1]);
}

static inline void forget_sockets(void)
{
	for (int i = 0; i < 2; i++)
		unlink(urls[i] + strlen("ipc://"));
}

static inline uint64_t instances_up(struct bus *bus)
{
	struct bus_figures figures;
	bus_figures(bus, &figures);
	return figures.instances_up;
}

static inline void wait_up(struct bus *bus, uint64_t n)
{
	for (int i = 0; i < WAIT_MS / 10 && instances_up(bus) != n; i++)
		usleep(10000);
	assert_int_equal(instances_up(bus), n);
}

static inline struct bus *open_caller(const char *whom)
{
	struct bus *bus = bus_open(&(struct bus_options){
		.name = "gateway", .peers = whom, .key_directory = directory });
	assert_non_null(bus);
	return bus;
}

struct two {
	struct bus *client;
	pid_t pids[2];
	struct arena *arena;
};

static inline void open_two(struct two *two)
{
	char whom[320];
	name_urls(whom);
	for (int i = 0; i < 2; i++)
		two->pids[i] = start_instance(urls[i]);
	two->client = open_caller(whom);
	two->arena = arena_new();
	wait_up(two->client, 2);
}

static inline void close_two(struct two *two)
{
	bus_close(two->client);
	for (int i = 0; i < 2; i++)
		if (two->pids[i])
			end_instance(two->pids[i], SIGKILL);
	arena_free(two->arena);
	forget_sockets();
}

#endif
