/*
 * The bus alone: a caller and a serving process, echoing 1 KiB bodies, at several numbers of
 * requests outstanding. Prints round trips a second and, per round trip and for both processes
 * together, CPU time and context switches, which stay meaningful on a busy machine.
 *
 *     bus-bench [SECONDS a row]
 *     bus-bench serve URL KEYS          the serving process, started by the other
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/bus.h"
#include "libcommon/clock.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"

#define WORKERS 4 /* as a service has them */
#define BODY_BYTES 1024
#define TIMEOUT_MS 10000
#define OUTSTANDING_MAX 64

static char directory[32];

struct usage {
	int64_t us, switches;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static struct usage usage_of(const struct rusage *r)
{
	return (struct usage){
		.us = (r->ru_utime.tv_sec + r->ru_stime.tv_sec) * INT64_C(1000000) +
			r->ru_utime.tv_usec + r->ru_stime.tv_usec,
		.switches = r->ru_nvcsw + r->ru_nivcsw,
	};
}

/* ---- the serving process ---- */

static void *serve(void *arg)
{
	struct bus *bus = arg;
	for (struct bus_job *job; (job = bus_take(bus));) {
		struct frame reply = { .status = 200, .flags = FRAME_EXECUTED };
		reply.texts[TEXT_OPERATION] = frame_text("ok");
		reply.texts[TEXT_BODY] = job->frame.texts[TEXT_BODY];
		bus_answer(bus, job, &reply);
	}
	return NULL;
}

static int run_server(const char *url, const char *keys)
{
	pthread_t threads[WORKERS];
	sigset_t signals;
	int signal;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	struct bus *bus = bus_open(&(struct bus_options){ .name = "learning",
		.listen = url,
		.key_directory = keys,
		.window = 64,
		.queue_max = 256 });
	if (!bus)
		return EXIT_FAILURE;
	for (int i = 0; i < WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, serve, bus))
			die("pthread_create");
	}
	sigwait(&signals, &signal);
	bus_drain(bus);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	bus_close(bus);
	return EXIT_SUCCESS;
}

/* ---- the calling process ---- */

/* Keeps a fixed number of requests under way: each reply sends the next. */
struct run {
	struct bus *bus;
	struct bus_request request;
	atomic_bool is_over;
	atomic_int under_way;
	atomic_llong answered, failed;
};

static void on_reply(void *arg, const struct bus_reply *reply)
{
	struct run *run = arg;
	atomic_fetch_add(reply->err ? &run->failed : &run->answered, 1);
	if (atomic_load(&run->is_over) || reply->err)
		atomic_fetch_sub(&run->under_way, 1);
	else
		bus_send(run->bus, &run->request, on_reply, run);
}

static void run_for(struct run *run, int outstanding, double seconds)
{
	atomic_store(&run->under_way, outstanding);
	for (int i = 0; i < outstanding; i++)
		bus_send(run->bus, &run->request, on_reply, run);
	usleep((useconds_t)(seconds * 1e6));
	atomic_store(&run->is_over, true);
	while (atomic_load(&run->under_way))
		usleep(1000);
}

static void wait_until_up(struct bus *bus)
{
	for (int i = 0; i < 1000 && !bus_is_up(bus, "learning"); i++)
		usleep(10000);
}

static struct usage measure(const char *url, int outstanding, double seconds, long long *answered)
{
	static const unsigned char body[BODY_BYTES];
	char peers[160];
	struct rusage before, after;
	snprintf(peers, sizeof(peers), "learning=%s", url);
	struct run run = {
		.bus = bus_open(&(struct bus_options){ .name = "gateway",
			.peers = peers,
			.key_directory = directory,
			.window = OUTSTANDING_MAX }),
		.request = { .service = "learning",
			.operation = "unit_list",
			.body = { body, sizeof(body) },
			.timeout_ms = TIMEOUT_MS },
	};
	if (!run.bus)
		exit(EXIT_FAILURE);
	wait_until_up(run.bus);
	getrusage(RUSAGE_SELF, &before);
	run_for(&run, outstanding, seconds);
	getrusage(RUSAGE_SELF, &after);
	bus_close(run.bus);
	*answered = atomic_load(&run.answered);
	struct usage a = usage_of(&before), b = usage_of(&after);
	return (struct usage){ b.us - a.us, b.switches - a.switches };
}

/* One row; the server's share is known when it has ended. */
static void row(const char *transport, const char *url, int outstanding, double seconds)
{
	struct rusage server;
	int status;
	long long answered;
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) { /* a program of its own: nng does not survive a fork */
		execl("/proc/self/exe", "bus-bench", "serve", url, directory, (char *)NULL);
		_exit(EXIT_FAILURE);
	}
	int64_t began_us = clock_steady_us();
	struct usage caller = measure(url, outstanding, seconds, &answered);
	int64_t took_us = clock_steady_us() - began_us;
	kill(pid, SIGTERM);
	if (wait4(pid, &status, 0, &server) != pid || !answered)
		die("the server");
	struct usage callee = usage_of(&server);
	double n = (double)answered;
	printf("%-4s %12d %12.0f %14.1f %10.1f %10.1f %14.2f\n", transport, outstanding,
		n * 1e6 / (double)took_us, (double)(caller.us + callee.us) / n,
		(double)caller.us / n, (double)callee.us / n,
		(double)(caller.switches + callee.switches) / n);
}

static void write_key(const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file)
		die(path);
	for (int i = 0; i < 64; i++)
		fputc('a', file);
	fclose(file);
}

int main(int argc, char **argv)
{
	static const int outstanding[] = { 1, 4, 16, 64 };
	crypto_start();
	log_open("bus-bench", LOG_LEVEL_ERROR);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return run_server(argv[2], argv[3]);
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
	char key[96], ipc[96], tcp[64];
	snprintf(directory, sizeof(directory), "/tmp/bus-bench.XXXXXX");
	if (!mkdtemp(directory))
		die("mkdtemp");
	snprintf(key, sizeof(key), "%s/gateway-learning.key", directory);
	snprintf(ipc, sizeof(ipc), "ipc://%s/learning.sock", directory);
	snprintf(tcp, sizeof(tcp), "tcp://127.0.0.1:%d", 20000 + (int)(getpid() % 20000));
	write_key(key);
	printf("%-4s %12s %12s %14s %10s %10s %14s\n", "", "outstanding", "round trips/s",
		"CPU us each", "caller", "callee", "switches each");
	for (size_t i = 0; i < 2 * sizeof(outstanding) / sizeof(outstanding[0]); i++) {
		size_t n = sizeof(outstanding) / sizeof(outstanding[0]);
		row(i < n ? "ipc" : "tcp", i < n ? ipc : tcp, outstanding[i % n], seconds);
	}
	unlink(key);
	unlink(ipc + strlen("ipc://"));
	rmdir(directory);
	return EXIT_SUCCESS;
}
