/*
 * Log lines in a fixed buffer on the stack: logging allocates nothing.
 *
 * What does not fit is cut: a text at TEXT_MAX bytes, the line by leaving out its last members.
 * After log_gather() lines wait in one more buffer, which a thread of its own empties. A process
 * that crashes writes it too; only SIGKILL, or a forbidden system call, takes up to 20 ms of lines
 * along.
 */
#include "libcommon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/err.h"
#include "libcommon/utf8.h"

/* A write(2) to a pipe is atomic up to PIPE_BUF, which is 4096 on Linux. */
#define LINE_MAX_BYTES 4096
#define LINE_TAIL 2 /* "}\n" */
#define TEXT_MAX 1024 /* of a member, before escaping */
#define MESSAGE_MAX 512
#define GATHER_MS 20 /* what a process that is killed may leave unsaid */
#define HUNG_MS 1000 /* who reads nothing for so long is not waited for any more */

static const char *service_name = "";
static enum log_level least_level = LOG_LEVEL_INFO;

static const char *const LEVELS[] = { "debug", "info", "warning", "error" };

struct line {
	char data[LINE_MAX_BYTES];
	size_t n;
	bool full;
};

enum log_level log_level_of(const char *name)
{
	for (unsigned i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++)
		if (strcmp(name, LEVELS[i]) == 0)
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

void log_open(const char *service, enum log_level least)
{
	service_name = service;
	least_level = least;
}

static void put(struct line *line, const char *bytes, size_t n)
{
	if (n > sizeof line->data - LINE_TAIL - line->n)
		line->full = true;
	if (line->full)
		return;
	memcpy(line->data + line->n, bytes, n);
	line->n += n;
}

static void put_escape(struct line *line, unsigned char byte)
{
	char escape[8];
	int n = snprintf(escape, sizeof escape, "\\u%04x", byte);
	put(line, escape, (size_t)n);
}

/* One character of a JSON string; says how many bytes of the text it took. */
static size_t put_character(struct line *line, const char *text, size_t n)
{
	uint32_t code = 0;
	size_t taken = utf8_next(text, n, &code);
	if (taken == 0) {
		put(line, "\xef\xbf\xbd", 3); /* U+FFFD for a broken byte */
		return 1;
	}
	if (code < 0x20 || code == 0x7f)
		put_escape(line, (unsigned char)code);
	else if (code == '"' || code == '\\')
		put(line, (const char[]){ '\\', *text }, 2);
	else
		put(line, text, taken);
	return taken;
}

/* Bytes in front that stand for themselves; a text is hardly ever anything else. */
static size_t plain_length(const char *text, size_t n)
{
	size_t i = 0;
	while (i < n && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\')
		i++;
	return i;
}

static void put_quoted(struct line *line, const char *text)
{
	size_t n = strnlen(text, TEXT_MAX);
	put(line, "\"", 1);
	for (size_t at = 0; at < n;) {
		size_t plain = plain_length(text + at, n - at);
		put(line, text + at, plain);
		at += plain;
		if (at < n)
			at += put_character(line, text + at, n - at);
	}
	put(line, "\"", 1);
}

/* A member that does not fit whole is taken back. */
static void put_pair(struct line *line, const struct log_pair *pair)
{
	size_t before = line->n;
	if (before > 1)
		put(line, ",", 1);
	put_quoted(line, pair->name);
	put(line, ":", 1);
	if (pair->is_integer) {
		char number[24];
		int n = snprintf(number, sizeof number, "%" PRId64, pair->integer);
		put(line, number, (size_t)n);
	} else {
		put_quoted(line, pair->text);
	}
	if (line->full)
		line->n = before;
}

static void begin_line(struct line *line, enum log_level level, const char *message)
{
	char time[TIMESTAMP_SIZE];
	clock_format(clock_unix_ms(), time);
	put(line, "{", 1);
	put_pair(line, &LOG_TEXT("time", time));
	put_pair(line, &LOG_TEXT("level", LEVELS[level]));
	put_pair(line, &LOG_TEXT("service", service_name));
	put_pair(line, &LOG_TEXT("message", message));
}

static void end_line(struct line *line)
{
	memcpy(line->data + line->n, "}\n", LINE_TAIL);
	line->n += LINE_TAIL;
}

/* ---- a reader that hangs ---- */

static atomic_bool is_hung;
static atomic_uint lost_lines;

/* Whether one write goes through: what can be written to takes PIPE_BUF without blocking. Everybody
 * who logs waits here, but once. */
static bool is_read(void)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	int ready;
	do
		ready = poll(&out, 1, is_hung ? 0 : HUNG_MS);
	while (ready < 0 && errno == EINTR);
	is_hung = ready == 0;
	return !is_hung;
}

static void write_all(const char *data, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t written = write(STDERR_FILENO, data + done, n - done);
		if (written < 0 && errno != EINTR)
			return; /* there is nowhere left to say so */
		if (written > 0)
			done += (size_t)written;
	}
}

static void tell_lost(void)
{
	struct line line = { .n = 0 };
	begin_line(&line, LOG_LEVEL_WARNING, "nobody has read the log: lines were lost");
	put_pair(&line, &LOG_INT("lines", atomic_exchange(&lost_lines, 0)));
	end_line(&line);
	write_all(line.data, line.n);
}

static void write_out(const char *data, size_t n)
{
	if (lost_lines && is_read()) {
		tell_lost();
		is_hung = true; /* the room may have been for that line alone */
	}
	if (n == 0 || is_read()) {
		write_all(data, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		lost_lines += data[i] == '\n';
}

/* ---- lines that wait for others ---- */

/* Whole lines, no more than one atomic write holds. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	atomic_bool is_on;
	size_t n;
	char data[LINE_MAX_BYTES];
} gathered = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

/* With the lock held. */
static void write_gathered(void)
{
	write_out(gathered.data, gathered.n);
	gathered.n = 0;
}

static void gather(const struct line *line, bool at_once)
{
	pthread_mutex_lock(&gathered.lock);
	if (line->n > sizeof gathered.data - gathered.n)
		write_gathered();
	if (gathered.n == 0 && !at_once)
		pthread_cond_signal(&gathered.filled);
	memcpy(gathered.data + gathered.n, line->data, line->n);
	gathered.n += line->n;
	if (at_once)
		write_gathered();
	pthread_mutex_unlock(&gathered.lock);
}

static void *empty_gathered(void *arg)
{
	const struct timespec pause = { .tv_nsec = GATHER_MS * 1000000L };
	for (;;) {
		pthread_mutex_lock(&gathered.lock);
		while (gathered.n == 0)
			pthread_cond_wait(&gathered.filled, &gathered.lock);
		pthread_mutex_unlock(&gathered.lock);
		nanosleep(&pause, NULL);
		log_flush();
	}
	return NULL;
}

void log_flush(void)
{
	pthread_mutex_lock(&gathered.lock);
	write_gathered();
	pthread_mutex_unlock(&gathered.lock);
}

/* ---- the last words of a process that crashes ---- */

static const int CRASHES[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
#define CRASHES_N (sizeof CRASHES / sizeof *CRASHES)
static struct sigaction before_us[CRASHES_N];

/* Without the lock, which the crashed thread may hold: at worst a line is cut or there twice. Then
 * the crash goes on as if nobody had listened: the instruction, or abort(3), fails once more. */
static void on_crash(int signal_number)
{
	for (size_t i = 0; i < CRASHES_N; i++)
		sigaction(CRASHES[i], &before_us[i], NULL);
	write_gathered();
	(void)signal_number;
}

static enum err listen_for_crashes(void)
{
	struct sigaction action = { .sa_handler = on_crash };
	for (size_t i = 0; i < CRASHES_N; i++)
		if (sigaction(CRASHES[i], NULL, &before_us[i]) != 0)
			return ERR_UNAVAILABLE;
	for (size_t i = 0; i < CRASHES_N; i++)
		if (sigaction(CRASHES[i], &action, NULL) != 0)
			return ERR_UNAVAILABLE;
	return OK;
}

void log_gather(void)
{
	pthread_t thread;
	sigset_t all, before;
	if (gathered.is_on)
		return;
	gathered.is_on = true;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (listen_for_crashes() || atexit(log_flush) ||
		pthread_create(&thread, NULL, empty_gathered, NULL) || pthread_detach(thread))
		gathered.is_on = false; /* then line by line */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void log_write(
	enum log_level level, const char *message, const struct log_pair *pairs, unsigned pairs_n)
{
	if (level < least_level)
		return;
	int saved_errno = errno;
	struct line line = { .n = 0 };
	begin_line(&line, level, message);
	for (unsigned i = 0; i < pairs_n && !line.full; i++)
		if (pairs[i].is_integer || pairs[i].text)
			put_pair(&line, &pairs[i]);
	end_line(&line);
	if (gathered.is_on)
		gather(&line, level >= LOG_LEVEL_WARNING);
	else
		write_out(line.data, line.n);
	errno = saved_errno;
}

static void write_formatted(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void write_formatted(enum log_level level, const char *format, va_list args)
{
	char message[MESSAGE_MAX];
	vsnprintf(message, sizeof message, format, args);
	log_write(level, message, NULL, 0);
}

void log_info(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_formatted(LOG_LEVEL_INFO, format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_formatted(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_formatted(LOG_LEVEL_ERROR, format, args);
	va_end(args);
}
