/*
 * A sink: a file of NDJSON, every event once, in each tenant's order.
 *
 * A batch is made durable in the file, then its positions are committed. Should that fail, or the
 * process die between the two, the file is ahead by at most that batch: whoever goes on first reads
 * the lines that the database may not know yet, and cuts off a line that was written in part. So no
 * line is lost, and none stands twice.
 *
 * The file may be renamed away at any time (it is opened anew for each batch); a line is never
 * changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/json.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"
#include "services/audit/sink.h"

/* What an unfinished batch can leave to be read again. */
#define AHEAD_MAX ((off_t)BATCH_MAX * LINE_MAX_BYTES)

static enum err fail_system(struct call *c, const char *what)
{
	return fail(c, ERR_UNAVAILABLE, "pipeline file: %s: %s", what, strerrordesc_np(errno));
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* ---- what the file has already ---- */

static enum err read_end(struct call *c, int fd, off_t from, off_t size, char **text)
{
	size_t n = (size_t)(size - from), done = 0;
	*text = arena_alloc(c->arena, n + 1);
	while (done < n) {
		ssize_t got = pread(fd, *text + done, n - done, from + (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail_system(c, "read");
		done += (size_t)got;
	}
	return OK;
}

/* Note a line that is in the file; anything else there is not ours and is left alone. */
static void note_line(struct call *c, const char *line, size_t n, struct batch *known)
{
	const struct json *event;
	if (json_parse(c->arena, line, n, &event))
		return;
	const char *tenant = event_tenant(event);
	const char *id = json_text(json_member(json_member(event, "metadata"), "uid"));
	if (!tenant || !id || !is_uuid(id))
		return;
	known->events[known->n++] = (struct sink_event){ .tenant_id = tenant, .id = id };
}

/* The last BATCH_MAX whole lines; `*whole` is how much of the text they end. */
static void note_lines(struct call *c, char *text, size_t n, struct batch *known, size_t *whole)
{
	const char *newline = memrchr(text, '\n', n);
	*whole = newline ? (size_t)(newline - text) + 1 : 0;
	size_t end = *whole;
	while (end > 0 && known->n < BATCH_MAX) {
		const char *before = memrchr(text, '\n', end - 1);
		size_t begin = before ? (size_t)(before - text) + 1 : 0;
		note_line(c, text + begin, end - begin - 1, known);
		end = begin;
	}
}

/* Readable by the group: the collector is another user. A pipe would have the process wait for who
 * reads it, and could not be read back. */
static enum err open_file(struct call *c, int *fd, struct stat *status)
{
	*fd = open(sink_conf.file,
		O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	if (*fd < 0)
		return fail_system(c, "open");
	if (fstat(*fd, status))
		return fail_system(c, "stat");
	return S_ISREG(status->st_mode)
		? OK
		: fail(c, ERR_UNAVAILABLE, "pipeline file: is no ordinary file");
}

static enum err resume(struct call *c, struct batch *known)
{
	struct stat status = { 0 };
	char *text;
	size_t whole;
	auto_descriptor fd = -1;
	enum err e = open_file(c, &fd, &status);
	if (e)
		return e;
	off_t from = status.st_size > AHEAD_MAX ? status.st_size - AHEAD_MAX : 0;
	e = read_end(c, fd, from, status.st_size, &text);
	if (e)
		return e;
	note_lines(c, text, (size_t)(status.st_size - from), known, &whole);
	off_t end = from + (off_t)whole;
	return end < status.st_size && ftruncate(fd, end) ? fail_system(c, "cut") : OK;
}

/* ---- what it has not ---- */

static enum err write_all(struct call *c, int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->n;) {
		ssize_t n = write(fd, text->data + done, text->n - done);
		if (n < 0 && errno != EINTR)
			return fail_system(c, "write");
		done += n < 0 ? 0 : (size_t)n;
	}
	return fdatasync(fd) ? fail_system(c, "sync") : OK;
}

static enum err send_batch(struct call *c, const struct batch *batch)
{
	struct buf text = { .arena = c->arena };
	struct stat status;
	auto_descriptor fd = -1;
	batch_lines(batch, &text);
	enum err e = open_file(c, &fd, &status);
	return e ? e : write_all(c, fd, &text);
}

struct sink sink_file = { .name = "file", .resume = resume, .send = send_batch };

enum err sink_file_run(struct call *c, bool *more)
{
	return *sink_conf.file ? pipeline_run(c, &sink_file, more) : OK;
}
