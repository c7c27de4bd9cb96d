#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/json.h"
#include "libcommon/log.h"

/* stderr goes into a pipe in packet mode: each read(2) gives back exactly one write(2). */
static int pipe_ends[2], kept_stderr;

static int catch_stderr(void **state)
{
	if (pipe2(pipe_ends, O_DIRECT | O_NONBLOCK) != 0)
		return -1;
	kept_stderr = dup(STDERR_FILENO);
	dup2(pipe_ends[1], STDERR_FILENO);
	log_open("unit", LOG_LEVEL_INFO);
	return 0;
}

static int release_stderr(void **state)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return 0;
}

/* The next write to stderr; "" if there was none. */
static const char *next_write(void)
{
	static char line[8192];
	ssize_t n = read(pipe_ends[0], line, sizeof line - 1);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

static const struct json *parse_line(struct arena *arena, const char *line)
{
	const struct json *json = NULL;
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_int_equal(json_parse(arena, line, strlen(line) - 1, &json), OK);
	return json;
}

static void line_is_one_json_object_in_one_write(void **state)
{
	struct arena *arena = arena_new();
	log_event(LOG_LEVEL_WARNING, "slow call", LOG_TEXT("op", "home_get"), LOG_INT("ms", -1200),
		LOG_TEXT("left_out", NULL));
	const char *line = next_write();
	const struct json *json = parse_line(arena, line);
	assert_string_equal(json_text(json_member(json, "level")), "warning");
	assert_string_equal(json_text(json_member(json, "service")), "unit");
	assert_string_equal(json_text(json_member(json, "message")), "slow call");
	assert_string_equal(json_text(json_member(json, "op")), "home_get");
	assert_int_equal(json_integer(json_member(json, "ms"), 0), -1200);
	assert_int_equal(strlen(json_text(json_member(json, "time"))), 24);
	assert_null(json_member(json, "left_out"));
	assert_string_equal(next_write(), "");
	arena_free(arena);
}

/* A caller's text can neither end the line nor the string. */
static void text_is_escaped(void **state)
{
	struct arena *arena = arena_new();
	log_event(LOG_LEVEL_INFO, "x", LOG_TEXT("a", "\"\\\n\r\t\x01\x7f"), LOG_TEXT("b", "跳び箱"),
		LOG_TEXT("c", "\xc3(\xff\xe8\xb7"),
		LOG_TEXT("d", "\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80"));
	const char *line = next_write();
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	const struct json *json = parse_line(arena, line);
	assert_string_equal(json_text(json_member(json, "a")), "\"\\\n\r\t\x01\x7f");
	assert_string_equal(json_text(json_member(json, "b")), "跳び箱");
	assert_string_equal(json_text(json_member(json, "c")),
		"\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_null(strchr(json_text(json_member(json, "d")), '\xed'));
	arena_free(arena);
}

static void long_lines_are_cut_but_whole(void **state)
{
	struct arena *arena = arena_new();
	char text[3000];
	memset(text, '"', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_event(LOG_LEVEL_ERROR, text, LOG_TEXT("one", text), LOG_TEXT("two", text),
		LOG_TEXT("three", text));
	const char *line = next_write();
	assert_true(strlen(line) <= 4096);
	const struct json *json = parse_line(arena, line);
	assert_string_equal(json_text(json_member(json, "level")), "error");
	assert_null(json_member(json, "three"));
	assert_string_equal(next_write(), "");
	arena_free(arena);
}

static void lower_levels_are_silent(void **state)
{
	log_write(LOG_LEVEL_DEBUG, "nobody hears", NULL, 0);
	assert_string_equal(next_write(), "");
	log_open("unit", LOG_LEVEL_ERROR);
	log_info("nobody %s", "hears");
	log_warning("nobody %s", "hears");
	assert_string_equal(next_write(), "");
	log_error("%s hears %d", "somebody", 7);
	assert_non_null(strstr(next_write(), "\"somebody hears 7\""));
}

static void errno_is_kept(void **state)
{
	errno = ENOENT;
	log_info("x");
	assert_int_equal(errno, ENOENT);
}

#define THREADS 4
#define LINES 200

static void *write_lines(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		log_event(LOG_LEVEL_INFO, "line", LOG_TEXT("filler", arg), LOG_INT("i", i));
	return NULL;
}

static void threads_do_not_mix(void **state)
{
	struct arena *arena = arena_new();
	pthread_t threads[THREADS];
	static char filler[500];
	memset(filler, 'x', sizeof filler - 1);
	/* The pipe must block, or the writers would lose lines when it is full. */
	assert_int_equal(fcntl(pipe_ends[1], F_SETFL, O_DIRECT), 0);
	assert_int_equal(fcntl(pipe_ends[0], F_SETFL, O_DIRECT), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, filler), 0);
	for (unsigned i = 0; i < THREADS * LINES; i++) {
		const struct json *json = parse_line(arena, next_write());
		assert_int_equal(strlen(json_text(json_member(json, "filler"))), 499);
		arena_reset(arena);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	arena_free(arena);
}

/* A pipe with room for one write, of which nobody takes any. */
static void a_reader_that_hangs_holds_nobody_up(void **state)
{
	struct arena *arena = arena_new();
	assert_int_equal(fcntl(pipe_ends[1], F_SETFL, O_DIRECT), 0);
	assert_true(fcntl(pipe_ends[1], F_SETPIPE_SZ, 4096) > 0);
	alarm(20); /* instead of a test that hangs, too */
	for (int i = 0; i < 5; i++)
		log_info("line %d", i);
	alarm(0);
	assert_non_null(strstr(next_write(), "\"line 0\""));
	assert_string_equal(next_write(), "");
	log_info("again"); /* there is room for what was lost alone */
	const struct json *lost = parse_line(arena, next_write());
	assert_string_equal(json_text(json_member(lost, "level")), "warning");
	assert_int_equal(json_integer(json_member(lost, "lines"), 0), 4);
	assert_true(fcntl(pipe_ends[1], F_SETPIPE_SZ, 65536) > 0);
	log_info("at last");
	lost = parse_line(arena, next_write());
	assert_int_equal(json_integer(json_member(lost, "lines"), 0), 1);
	assert_non_null(strstr(next_write(), "\"at last\""));
	arena_free(arena);
}

/* While nothing is gathered here: a fork may not meet the lock in another thread's hands. */
static void a_crash_writes_what_waits(void **state)
{
	const struct rlimit no_core = { 0 };
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		log_gather();
		log_info("last words");
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(next_write(), "last words"));
}

/* Gathering cannot be switched off again: these come last. */
static void a_warning_takes_along_what_waits(void **state)
{
	struct arena *arena = arena_new();
	struct buf seen = { .arena = arena };
	log_gather();
	log_info("first");
	log_info("second");
	log_warning("third");
	const char *written = next_write();
	do
		buf_text(&seen, written);
	while (*(written = next_write()));
	const char *first = strstr(seen.data, "first"), *second = strstr(seen.data, "second");
	assert_non_null(first);
	assert_true(second > first);
	assert_true(strstr(seen.data, "third") > second);
	arena_free(arena);
}

static void gathered_lines_are_written_without_a_warning(void **state)
{
	log_info("fourth");
	assert_int_equal(fcntl(pipe_ends[0], F_SETFL, O_DIRECT), 0); /* wait for it */
	assert_non_null(strstr(next_write(), "fourth"));
}

static void gathered_lines_share_writes(void **state)
{
	struct arena *arena = arena_new();
	char filler[1000] = { 0 };
	memset(filler, 'x', sizeof filler - 1);
	for (int i = 0; i < 20; i++)
		log_event(LOG_LEVEL_INFO, "line", LOG_TEXT("filler", filler));
	log_flush();
	int lines = 0, writes = 0;
	for (char *write; *(write = (char *)next_write()); writes++) {
		assert_true(strlen(write) <= 4096);
		for (char *line = strtok(write, "\n"); line; line = strtok(NULL, "\n"), lines++) {
			const struct json *json = NULL;
			assert_int_equal(json_parse(arena, line, strlen(line), &json), OK);
		}
	}
	assert_int_equal(lines, 20);
	assert_true(writes < lines);
	arena_free(arena);
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, catch_stderr, release_stderr)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(line_is_one_json_object_in_one_write),
		FACT(text_is_escaped),
		FACT(long_lines_are_cut_but_whole),
		FACT(lower_levels_are_silent),
		FACT(errno_is_kept),
		FACT(threads_do_not_mix),
		FACT(a_reader_that_hangs_holds_nobody_up),
		FACT(a_crash_writes_what_waits),
		FACT(a_warning_takes_along_what_waits),
		FACT(gathered_lines_are_written_without_a_warning),
		FACT(gathered_lines_share_writes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
