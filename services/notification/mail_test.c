/* Mail on its way out, to a real SMTP server that files what it gets (tools/smtp_sink.py). */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/testing.h"
#include "services/notification/notification.h"

static struct test test;

/* As auth mints them for the sender. */
static enum err mint(struct call *c, const char *tenant_id, const char **capability)
{
	const struct actor actor = test_actor(&test, tenant_id, "notification", ROLE_SERVICE);
	*capability = test_capability(&test, &actor);
	return OK;
}

static const struct service notification = { .name = "notification",
	.ops = notification_ops,
	.ops_n = NOTIFICATION_OPS_N,
	.keyring = KEYRING_READS,
	.sealed = notification_sealed,
	.sealed_n = NOTIFICATION_SEALED_N,
	.service_capability = mint };
static struct {
	pid_t pid;
	int port_holder;
	int port;
	const char *directory;
} sink;

/* A port that nobody else is given, also while no sink runs: a socket has it that does not listen,
 * beside which one that does may be bound. */
static int hold_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	sink.port_holder = fd;
	return ntohs(address.sin_port);
}

static bool is_listening(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons((uint16_t)sink.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	(void)close(fd);
	return is;
}

static void start_sink(void)
{
	const char *listen = arena_printf(test.arena, "127.0.0.1:%d", sink.port);
	const char *root = getenv("MANABIYA_TEST_SOURCE");
	assert_non_null(root);
	const char *script = arena_printf(test.arena, "%s/tools/smtp_sink.py", root);
	sink.pid = fork();
	if (sink.pid == 0) {
		(void)execl("/usr/bin/python3", "python3", script, "--listen", listen,
			"--directory", sink.directory, NULL);
		_exit(127);
	}
	for (int i = 0; i < 600 && !is_listening(); i++)
		(void)usleep(50000);
	assert_true(is_listening());
}

static void stop_sink(void)
{
	assert_int_equal(kill(sink.pid, SIGTERM), 0);
	assert_int_equal(waitpid(sink.pid, NULL, 0), sink.pid);
}

static int open_world(void **state)
{
	test_open(&test, &notification);
	assert_int_equal(smtp_start(), OK);
	sink.directory = test_directory(&test);
	sink.port = hold_port();
	notification_conf = (struct notification_conf){
		.smtp_url = arena_printf(test.arena, "smtp://127.0.0.1:%d", sink.port),
		.smtp_user = "",
		.smtp_password = "",
		.mail_from = "manabiya@example.jp",
		.operator_mail = "one@example.jp, two@example.jp",
	};
	start_sink();
	return 0;
}

static int close_world(void **state)
{
	stop_sink();
	(void)close(sink.port_holder);
	smtp_stop();
	test_close(&test);
	return 0;
}

static int empty(void **state)
{
	test_sql(&test, "DELETE FROM notification.mail; DELETE FROM notification.inbox");
	return 0;
}

static unsigned log_in(const char *event_id)
{
	struct reply reply;
	const struct actor service = test_actor(&test, TEST_TENANT, "auth", ROLE_SERVICE);
	const struct test_request request = { .operation = "event_accept",
		.actor = &service,
		.caller = "auth",
		.body = arena_printf(test.arena,
			"{\"events\":[{\"id\":\"%s\",\"type\":\"privileged.login\","
			"\"time\":\"2026-04-08T00:30:00.000Z\",\"data\":\"{\\\"userId\\\":\\\""
			"%s\\\",\\\"tenantCode\\\":\\\"nara\\\","
			"\\\"role\\\":\\\"contractor\\\",\\\"at\\\":"
			"\\\"2026-04-08T00:30:00.000Z\\\"}\"}]}",
			event_id, TEST_USER) };
	test_dispatch(&test, &request, &reply, NULL);
	return reply.status;
}

static void run_job(void)
{
	bool more = true;
	while (more) {
		struct call c = test_call(&test, NULL);
		more = false;
		assert_int_equal(mail_send_due(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
}

/* Every filed mail after another, decoded by Python's own reader. */
static const char *mailbox(void)
{
	static const char script[] =
		"import email, email.policy, pathlib, sys\n"
		"for path in sorted(pathlib.Path(sys.argv[1], 'new').iterdir()):\n"
		"    mail = email.message_from_bytes(path.read_bytes(), "
		"policy=email.policy.default)\n"
		"    print(mail['To'], mail['Message-ID'], mail['Subject'])\n"
		"    print(mail.get_content().replace('\\r', ''))\n"
		"    path.unlink()\n";
	const char *path = arena_printf(test.arena, "%s/mailbox", sink.directory);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (dup2(fd, STDOUT_FILENO) < 0)
			_exit(127);
		(void)execl("/usr/bin/python3", "python3", "-c", script, sink.directory, NULL);
		_exit(127);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	char *text = arena_alloc(test.arena, 65536);
	assert_true(pread(fd, text, 65535, 0) >= 0);
	(void)close(fd);
	return text;
}

static const char *left(const char *what)
{
	return test_sql_text(
		&test, arena_printf(test.arena, "SELECT %s FROM notification.mail", what));
}

static void administrators_hear_of_a_privileged_login(void **state)
{
	assert_int_equal(log_in(TEST_USER), 204);
	assert_int_equal(log_in(TEST_USER), 204); /* the same event again: no second mail */
	assert_string_equal(left("count(*)"), "2");
	run_job();
	const char *mails = mailbox();
	assert_non_null(strstr(mails, "one@example.jp <"));
	assert_non_null(strstr(mails, "two@example.jp <"));
	assert_non_null(strstr(mails, "【まなびや】契約管理者がログインしました"));
	assert_non_null(strstr(mails, "契約コード: nara\n"));
	assert_non_null(strstr(mails, "アカウントのID: " TEST_USER "（"));
	assert_non_null(strstr(mails, "日時: 2026年4月8日 09:30:00（日本時間）\n"));
	assert_string_equal(left("count(*)"), "0");
	run_job();
	assert_string_equal(mailbox(), "");
}

static void mail_waits_sealed_and_one_that_does_not_open_stops_nobody(void **state)
{
	assert_int_equal(log_in(TEST_USER), 204);
	assert_string_equal(left("bool_and(left(body, 4) = 'AQAA')"), "t");
	test_sql(&test,
		"UPDATE notification.mail SET recipient = recipient, body = (SELECT max(body)"
		" FROM notification.mail)");
	run_job();
	assert_string_equal(left("count(*) || ' ' || max(attempts)"), "1 1");
	assert_non_null(strstr(mailbox(), "アカウントのID: " TEST_USER));
}

static void without_addresses_there_is_no_mail(void **state)
{
	const char *addresses = notification_conf.operator_mail;
	notification_conf.operator_mail = "";
	assert_int_equal(log_in(TEST_USER), 204);
	notification_conf.operator_mail = addresses;
	assert_string_equal(left("count(*)"), "0");
}

static void a_dead_mail_server_is_tried_again(void **state)
{
	stop_sink();
	assert_int_equal(log_in(TEST_USER), 204);
	const char *before = test_sql_text(&test, "SELECT clock_timestamp()");
	run_job();
	assert_string_equal(
		left("count(*) || ' ' || min(attempts) || ' ' || count(dead_reason)"), "2 1 0");
	assert_string_equal(
		left(arena_printf(test.arena,
			"bool_and(due_at - interval '5 s' BETWEEN '%s' AND clock_timestamp())",
			before)),
		"t");
	/* A server may take longer to start. */
	test_sql(&test, "UPDATE notification.mail SET due_at = due_at + interval '1 hour'");
	start_sink();
	run_job();
	assert_string_equal(left("count(*)"), "2"); /* not due yet */
	test_sql(&test, "UPDATE notification.mail SET due_at = now()");
	run_job();
	assert_string_equal(left("count(*)"), "0");
	assert_non_null(strstr(mailbox(), "アカウントのID: " TEST_USER));
}

static void after_a_day_it_is_given_up(void **state)
{
	stop_sink();
	assert_int_equal(log_in(TEST_USER), 204);
	test_sql(&test, "UPDATE notification.mail SET created_at = now() - interval '25 hours'");
	run_job();
	assert_string_equal(left("count(dead_reason)"), "2");
	test_sql(&test, "UPDATE notification.mail SET due_at = now()");
	start_sink();
	run_job();
	assert_string_equal(left("count(*)"), "2");
	assert_string_equal(mailbox(), "");
}

static void a_duplicate_can_be_told_by_its_message_id(void **state)
{
	assert_int_equal(log_in(TEST_USER), 204);
	const char *id = left("min(id::text)");
	run_job();
	assert_non_null(strstr(mailbox(), arena_printf(test.arena, "<%s@example.jp>", id)));
}

static void handlers_cannot_read_mail(void **state)
{
	static const char read[] = "SELECT body FROM mail";
	const struct actor service = test_actor(&test, TEST_TENANT, "auth", ROLE_SERVICE);
	struct call c = test_call(&test, &service);
	assert_int_equal(db_exec(&c, read, DB_NONE), ERR_INTERNAL);
	db_rollback(c.db);
}

/* What an injected statement could call. */
static void handlers_cannot_take_mail(void **state)
{
	static const char *const statements[] = { "SELECT mail_take(20)",
		"SELECT mail_done('" TEST_TENANT "', '" TEST_USER "')",
		"SELECT mail_put_off('" TEST_TENANT "', '" TEST_USER "', 'x')" };
	const struct actor service = test_actor(&test, TEST_TENANT, "auth", ROLE_SERVICE);
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		struct call c = test_call(&test, &service);
		assert_int_equal(db_exec(&c, statements[i], DB_NONE), ERR_INTERNAL);
		db_rollback(c.db);
	}
}

#define FACT(test_) cmocka_unit_test_setup(test_, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(administrators_hear_of_a_privileged_login),
		FACT(mail_waits_sealed_and_one_that_does_not_open_stops_nobody),
		FACT(without_addresses_there_is_no_mail),
		FACT(a_dead_mail_server_is_tried_again),
		FACT(after_a_day_it_is_given_up),
		FACT(a_duplicate_can_be_told_by_its_message_id),
		FACT(handlers_cannot_read_mail),
		FACT(handlers_cannot_take_mail),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
