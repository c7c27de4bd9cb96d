#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/conf.h"

static struct {
	const char *name;
	int64_t workers;
	bool is_open;
	const char *secret;
} conf;

#define AT(member_) offsetof(__typeof__(conf), member_)

static const struct option OPTIONS[] = {
	{ "school-name", OPTION_TEXT, "none", AT(name), 1, 10, "A name." },
	{ "workers", OPTION_INTEGER, "8", AT(workers), 1, 64, "Threads." },
	{ "is-open", OPTION_BOOLEAN, "false", AT(is_open), 0, 0, "Open." },
	{ "key", OPTION_SECRET, "", AT(secret), 4, 8, "A key." },
};
static const struct option REQUIRED[] = {
	{ "workers", OPTION_INTEGER, NULL, AT(workers), 1, 64, "Threads." },
};

static char conf_path[64], secret_path[64];
static char *said; /* what the last conf_read() wrote to stderr */

static void write_file(const char *path, const char *text, size_t n)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, text, n), (ssize_t)n);
	close(file);
}

static enum err read_quietly(int argc, char **argv, const struct option_set *set)
{
	char path[] = "/tmp/conf-test-stderr-XXXXXX";
	int file = mkstemp(path);
	int kept = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
	enum err e = conf_read(argc, argv, set, 1);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	free(said);
	said = calloc(1, 1024);
	assert_true(pread(file, said, 1023, 0) >= 0);
	close(file);
	unlink(path);
	return e;
}

static enum err run_options(const struct option *options, size_t n, char **argv)
{
	int argc = 0;
	while (argv[argc])
		argc++;
	memset(&conf, 0, sizeof conf);
	struct option_set set = { options, n, &conf };
	return read_quietly(argc, argv, &set);
}

#define run(...)                                                                                   \
	run_options(OPTIONS, sizeof OPTIONS / sizeof *OPTIONS,                                     \
		(char *[]){ "/usr/bin/manabiya-test", __VA_ARGS__, NULL })
#define run_bare()                                                                                 \
	run_options(OPTIONS, sizeof OPTIONS / sizeof *OPTIONS, (char *[]){ "manabiya-test", NULL })

static int prepare(void **state)
{
	snprintf(conf_path, sizeof conf_path, "/tmp/conf-test-%d.conf", (int)getpid());
	snprintf(secret_path, sizeof secret_path, "/tmp/conf-test-%d.key", (int)getpid());
	return unsetenv("MANABIYA_SCHOOL_NAME") | unsetenv("MANABIYA_WORKERS") |
		unsetenv("MANABIYA_IS_OPEN") | unsetenv("MANABIYA_CONF");
}

static int clean(void **state)
{
	unlink(conf_path);
	unlink(secret_path);
	free(said);
	said = NULL;
	return prepare(state);
}

static void defaults_hold(void **state)
{
	assert_int_equal(run_bare(), OK);
	assert_string_equal(conf.name, "none");
	assert_int_equal(conf.workers, 8);
	assert_false(conf.is_open);
	assert_string_equal(conf.secret, "");
}

static void command_beats_environment_beats_file_beats_default(void **state)
{
	static const char text[] =
		"# comment\n\n  school-name = file \nworkers=2\nis-open = true\n";
	write_file(conf_path, text, sizeof text - 1);
	assert_int_equal(run("--conf", conf_path), OK);
	assert_string_equal(conf.name, "file");
	assert_int_equal(conf.workers, 2);
	assert_true(conf.is_open);
	setenv("MANABIYA_SCHOOL_NAME", "env", 1);
	setenv("MANABIYA_WORKERS", "3", 1);
	assert_int_equal(run("--conf", conf_path), OK);
	assert_string_equal(conf.name, "env");
	assert_int_equal(conf.workers, 3);
	assert_int_equal(run("--workers=4", "--conf", conf_path), OK);
	assert_string_equal(conf.name, "env");
	assert_int_equal(conf.workers, 4);
	assert_true(conf.is_open);
}

static void both_forms_of_a_value_are_read(void **state)
{
	assert_int_equal(run("--workers", "5", "--school-name=a=b"), OK);
	assert_int_equal(conf.workers, 5);
	assert_string_equal(conf.name, "a=b");
	assert_int_equal(run("--school-name", "--x"), OK);
	assert_string_equal(conf.name, "--x");
}

static void mistakes_stop_with_one_line(void **state)
{
	static const struct {
		const char *argument, *said;
	} rows[] = {
		{ "--worker=1", "manabiya-test: unknown option: --worker (see --help)\n" },
		{ "workers=1", "manabiya-test: unexpected argument: workers=1\n" },
		{ "--workers", "manabiya-test: --workers needs a value\n" },
		{ "--workers=0",
			"manabiya-test: --workers: 0 is not a whole number within 1..64\n" },
		{ "--workers=65",
			"manabiya-test: --workers: 65 is not a whole number within 1..64\n" },
		{ "--workers=", "manabiya-test: --workers:  is not a whole number within 1..64\n" },
		{ "--workers=8x",
			"manabiya-test: --workers: 8x is not a whole number within 1..64\n" },
		{ "--workers= 8",
			"manabiya-test: --workers:  8 is not a whole number within 1..64\n" },
		{ "--workers=99999999999999999999",
			"manabiya-test: --workers: 99999999999999999999 is not a whole number "
			"within 1..64\n" },
		{ "--is-open=yes", "manabiya-test: --is-open: yes is neither true nor false\n" },
		{ "--school-name=",
			"manabiya-test: --school-name: the value has 0 bytes, not 1..10\n" },
		{ "--school-name=elevenchars",
			"manabiya-test: --school-name: the value has 11 bytes, not 1..10\n" },
		{ "--key=/nowhere", "manabiya-test: --key: /nowhere: No such file or directory\n" },
		{ "--conf=/nowhere", "manabiya-test: /nowhere: No such file or directory\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *argument = strdup(rows[i].argument);
		assert_int_equal(run(argument), ERR_INVALID);
		assert_string_equal(said, rows[i].said);
		free(argument);
	}
}

static void file_with_an_unknown_name_is_refused(void **state)
{
	write_file(conf_path, "workers = 2\nwrokers = 3\n", 24);
	assert_int_equal(run("--conf", conf_path), ERR_INVALID);
	assert_non_null(strstr(said, ".conf:2: unknown option: wrokers\n"));
	write_file(conf_path, "workers 2\n", 10);
	assert_int_equal(run("--conf", conf_path), ERR_INVALID);
	assert_non_null(strstr(said, ".conf:1: not of the form name = value\n"));
}

static void required_option_is_missed(void **state)
{
	char *argv[] = { "manabiya-test", NULL };
	assert_int_equal(run_options(REQUIRED, 1, argv), ERR_INVALID);
	assert_string_equal(said, "manabiya-test: --workers is required\n");
	setenv("MANABIYA_WORKERS", "3", 1);
	assert_int_equal(run_options(REQUIRED, 1, argv), OK);
	assert_int_equal(conf.workers, 3);
}

static void secret_is_the_content_of_its_file(void **state)
{
	write_file(secret_path, "abcdefgh\n", 9);
	assert_int_equal(run("--key", secret_path), OK);
	assert_string_equal(conf.secret, "abcdefgh");
	write_file(secret_path, "abc\n\n", 5);
	assert_int_equal(run("--key", secret_path), OK);
	assert_string_equal(conf.secret, "abc\n");
	write_file(secret_path, "abc", 3);
	assert_int_equal(run("--key", secret_path), ERR_INVALID);
	write_file(secret_path, "abcdefghi", 9);
	assert_int_equal(run("--key", secret_path), ERR_INVALID);
	assert_null(strstr(said, "abcdef"));
	write_file(secret_path, "ab\0cdef", 7);
	assert_int_equal(run("--key", secret_path), ERR_INVALID);
}

static void help_prints_the_table_and_exits_0(void **state)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		struct option_set set = { OPTIONS, 4, &conf };
		char *argv[] = { "manabiya-test", "--help", NULL };
		_exit(conf_read(2, argv, &set, 1) == OK ? 3 : 4);
	}
	close(ends[1]);
	char text[4096] = "";
	size_t n = 0;
	for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
		n += (size_t)got;
	close(ends[0]);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "--school-name TEXT"));
	assert_non_null(strstr(text, "[1..64] (default: 8)"));
	assert_non_null(strstr(text, "MANABIYA_SCHOOL_NAME"));
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, prepare, clean)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(defaults_hold),
		FACT(command_beats_environment_beats_file_beats_default),
		FACT(both_forms_of_a_value_are_read),
		FACT(mistakes_stop_with_one_line),
		FACT(file_with_an_unknown_name_is_refused),
		FACT(required_option_is_missed),
		FACT(secret_is_the_content_of_its_file),
		FACT(help_prints_the_table_and_exits_0),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
