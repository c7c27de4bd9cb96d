/* What the tests of the bus share: a folder with keys, ends that answer, calls that wait. Included
 * by them with cmocka before it. */
#ifndef MANABIYA_BUS_WORLD_H
#define MANABIYA_BUS_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/bus.h"
#include "libcommon/bus_leak.h"
#include "libcommon/clock.h"
#include "libcommon/crypto.h"

#define LARGE_BYTES (4 * 1024 * 1024)

#define WAIT_MS 20000 /* for what must come; a busy machine may need it */

static char directory[64], other_directory[64];
static char url[128], peers[160];
static atomic_int slow_runs; /* how often a slow request was worked on here */
static atomic_bool let_go; /* may the answers that are held leave? */
static unsigned char zeros[LARGE_BYTES];

/* What the serving end does with a request whose operation is… */
static inline void answer(struct bus *bus, struct bus_job *job)
{
	struct frame reply = { .status = 200, .flags = FRAME_EXECUTED };
	const struct bytes *name = &job->frame.texts[TEXT_OPERATION];
	reply.texts[TEXT_OPERATION] = frame_text("ok");
	reply.texts[TEXT_BODY] = job->frame.texts[TEXT_BODY];
	if (name->n == 4 && memcmp(name->data, "slow", 4) == 0) {
		atomic_fetch_add(&slow_runs, 1);
		usleep(300000);
	}
	while (name->n == 4 && memcmp(name->data, "held", 4) == 0 && !let_go)
		usleep(1000);
	if (name->n == 5 && memcmp(name->data, "stuck", 5) == 0) {
		atomic_fetch_add(&slow_runs, 1);
		pause(); /* until the process is killed */
	}
	char runs = (char)('0' + atomic_load(&slow_runs));
	if (name->n == 4 && memcmp(name->data, "runs", 4) == 0)
		reply.texts[TEXT_BODY] = (struct bytes){ (unsigned char *)&runs, 1 };
	char left_ms[16];
	snprintf(left_ms, sizeof(left_ms), "%u", (unsigned)job->frame.time_left_ms);
	if (name->n == 4 && memcmp(name->data, "left", 4) == 0)
		reply.texts[TEXT_BODY] = frame_text(left_ms);
	if (name->n == 5 && memcmp(name->data, "large", 5) == 0) /* as many bytes as one asks for */
		reply.texts[TEXT_BODY] = (struct bytes){ zeros, (size_t)job->frame.window_length };
	if (name->n == 6 && memcmp(name->data, "caller", 6) == 0)
		reply.texts[TEXT_BODY] = frame_text(job->caller);
	if (name->n == 5 && memcmp(name->data, "class", 5) == 0) /* of a number */
		reply.time_left_ms = (uint32_t)job->frame.window_length;
	bus_answer(bus, job, &reply);
}

static inline void *serve(void *arg)
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

static inline void open_server_with(struct end *end, int64_t queue_max)
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

static inline void open_server(struct end *end)
{
	open_server_with(end, 1024);
}

static inline void close_server(struct end *end)
{
	bus_drain(end->bus);
	for (int i = 0; i < 2; i++)
		pthread_join(end->threads[i], NULL);
	bus_close(end->bus);
}

/* One that accepts, and works only when start_workers() says so. */
static inline struct bus *open_idle(struct bus_options options)
{
	options.name = "learning";
	options.listen = url;
	options.key_directory = directory;
	struct bus *bus = bus_open(&options);
	assert_non_null(bus);
	return bus;
}

static inline void start_workers(struct end *end)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&end->threads[i], NULL, serve, end->bus), 0);
}

static inline struct bus *open_client_with(const char *name, const char *key_directory)
{
	struct bus *bus = bus_open(&(struct bus_options){
		.name = name, .peers = peers, .key_directory = key_directory, .window = 64 });
	assert_non_null(bus);
	return bus;
}

static inline struct bus *open_client(const char *name)
{
	return open_client_with(name, directory);
}

static inline void wait_until(struct bus *bus, bool up)
{
	for (int i = 0; i < WAIT_MS / 10 && bus_is_up(bus, "learning") != up; i++)
		usleep(10000);
	assert_int_equal(bus_is_up(bus, "learning"), up);
}

static inline struct bus_figures figures_of(const struct bus *bus)
{
	struct bus_figures figures;
	bus_figures(bus, &figures);
	return figures;
}

/* Until so many requests have come to the serving end, taken or not. */
static inline void wait_received(const struct bus *bus, uint64_t n)
{
	for (int i = 0; i < WAIT_MS / 10 && figures_of(bus).requests_received < n; i++)
		usleep(10000);
	assert_int_equal(figures_of(bus).requests_received, n);
}

/* Until so many requests wait there for a worker. */
static inline void wait_accepted(const struct bus *bus, uint64_t n)
{
	for (int i = 0; i < WAIT_MS / 10 && figures_of(bus).queue_length != n; i++)
		usleep(10000);
	assert_int_equal(figures_of(bus).queue_length, n);
}

static inline struct bus_request request_of(const char *operation, const char *body)
{
	return (struct bus_request){
		.service = "learning",
		.operation = operation,
		.body = frame_text(body),
		.timeout_ms = WAIT_MS,
	};
}

static inline enum err ask(struct bus *bus, struct arena *arena, const char *operation,
	const char *body, struct bus_reply *reply)
{
	struct bus_request request = request_of(operation, body);
	return bus_call(bus, arena, &request, reply);
}

static inline void key_path(char out[160], const char *in_directory)
{
	snprintf(out, 160, "%s/gateway-learning.key", in_directory);
}

static inline int write_key(char in_directory[64], char digit)
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

/* Many requests at once: every one is answered exactly once. */
struct tally {
	atomic_int answered, refused;
};

static inline void on_reply(void *arg, const struct bus_reply *reply)
{
	struct tally *tally = arg;
	atomic_fetch_add(reply->err == OK ? &tally->answered : &tally->refused, 1);
}

static inline int start(void **state)
{
	crypto_start();
	if (write_key(directory, 'a') || write_key(other_directory, 'b'))
		return -1;
	snprintf(url, sizeof(url), "ipc://%s/learning.sock", directory);
	snprintf(peers, sizeof(peers), "learning=%s", url);
	return 0;
}

static inline int finish(void **state)
{
	char path[160];
	unlink(url + strlen("ipc://"));
	key_path(path, directory);
	unlink(path);
	key_path(path, other_directory);
	unlink(path);
	return rmdir(directory) || rmdir(other_directory);
}

#endif
