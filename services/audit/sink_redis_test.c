/* Facts about a Redis that is far away; tests/flow/pipeline_flow_test.py has a near one. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/audit/audit_world.h"
#include "services/audit/sink.h"

/* To another region and back. */
#define ROUND_TRIP_US 150000

static struct arena *arena;
static char directory[] = "/tmp/manabiya-far-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener;

static int open_server(void **state)
{
	arena = arena_new();
	assert_non_null(mkdtemp(directory));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/redis", directory);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	sink_conf.redis = address.sun_path;
	sink_conf.redis_password = "secret";
	sink_conf.redis_stream = "t:far";
	sink_conf.redis_max_length = 100;
	return 0;
}

static int close_server(void **state)
{
	close(listener);
	unlink(address.sun_path);
	rmdir(directory);
	arena_free(arena);
	return 0;
}

/* Once the word has come: what it is answered, a round trip later. False: there is nobody. */
static bool answer(int link, const char *word, const char *text)
{
	static char had[4096];
	size_t n = 0;
	do {
		ssize_t more = read(link, had + n, sizeof(had) - 1 - n);
		if (more <= 0)
			return false;
		n += (size_t)more;
		had[n] = '\0';
	} while (!strstr(had, word));
	usleep(ROUND_TRIP_US);
	return send(link, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static void *be_far(void *arg)
{
	int link = accept(listener, NULL, NULL);
	(void)(answer(link, "AUTH", "+OK\r\n") && answer(link, "MULTI", "+OK\r\n") &&
		answer(link, "EXEC", "+QUEUED\r\n*1\r\n$3\r\n1-1\r\n"));
	close(link);
	return NULL;
}

static void one_that_is_far_away_gets_it(void **state)
{
	pthread_t thread;
	static struct batch batch = { .n = 1,
		.events = { { .tenant_id = TEST_TENANT,
			.id = TEST_USER,
			.sequence = "1",
			.operation = "auth.session_create",
			.line = "{}" } } };
	struct call c = { .arena = arena };
	assert_int_equal(pthread_create(&thread, NULL, be_far, NULL), 0);
	enum err e = sink_redis.send(&c, &batch);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(e, OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_that_is_far_away_gets_it, open_server, close_server),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
