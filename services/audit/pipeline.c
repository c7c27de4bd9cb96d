/*
 * The log pipeline: every event once, as one line of NDJSON, in each tenant's order.
 *
 * The file and the database cannot commit together. A batch is made durable in the file, then its
 * positions are committed. Should that fail, or the process die between the two, the file is ahead
 * by at most that batch: every run first reads the lines that the database may not know yet and
 * moves the positions over them, and cuts off a line that was written in part. So no line is lost,
 * and none stands twice.
 *
 * The file may be renamed away at any time (it is opened for each batch); a line is never changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

/* Events of a batch: what an unfinished one can leave to be read again is this times the longest
 * line, its sequence number and newline included. */
#define BATCH_MAX 500
#define LINE_MAX_BYTES 8193
#define AHEAD_MAX ((off_t)BATCH_MAX * LINE_MAX_BYTES)

const char *pipeline_file = "";

/* One instance at a time: the lock goes with the transaction. */
static const char LOCK[] = "SELECT pg_try_advisory_xact_lock(hashtext('audit.pipeline'))";
/* When the file is ahead of the database, there is news: nothing is read for nothing. */
static const char HAS_NEWS[] = "SELECT EXISTS (SELECT FROM audit.pipeline_take(1))";
static const char TAKE[] = "SELECT tenant_id, id, line FROM audit.pipeline_take($1::integer)";
static const char DONE[] = "SELECT audit.pipeline_done($1::uuid[], $2::uuid[])";

/* Lines and whose they are. */
struct batch {
	size_t n;
	const char *tenants[BATCH_MAX];
	const char *ids[BATCH_MAX];
	struct buf text;
};

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

static struct batch *batch_new(struct call *c)
{
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	batch->text.arena = c->arena;
	return batch;
}

/* *moved: the database did not know all of it. */
static enum err batch_done(struct call *c, const struct batch *batch, bool *moved)
{
	const char *tenants;
	*moved = false;
	if (batch->n == 0)
		return OK;
	enum err e = db_text(c, DONE,
		DB_ARGS(db_text_array(c, batch->tenants, batch->n),
			db_text_array(c, batch->ids, batch->n)),
		&tenants);
	*moved = !e && strcmp(tenants, "0") != 0;
	return e;
}

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
static void note_line(struct call *c, const char *line, size_t n, struct batch *batch)
{
	const struct json *event;
	if (json_parse(c->arena, line, n, &event))
		return;
	const char *tenant = event_tenant(event);
	const char *id = json_text(json_member(json_member(event, "metadata"), "uid"));
	if (!tenant || !id || !is_uuid(id))
		return;
	batch->tenants[batch->n] = tenant;
	batch->ids[batch->n++] = id;
}

/* The last BATCH_MAX whole lines; `*whole` is how much of the text they end. */
static void note_lines(struct call *c, char *text, size_t n, struct batch *batch, size_t *whole)
{
	const char *newline = memrchr(text, '\n', n);
	*whole = newline ? (size_t)(newline - text) + 1 : 0;
	size_t end = *whole;
	while (end > 0 && batch->n < BATCH_MAX) {
		const char *before = memrchr(text, '\n', end - 1);
		size_t begin = before ? (size_t)(before - text) + 1 : 0;
		note_line(c, text + begin, end - begin - 1, batch);
		end = begin;
	}
}

static enum err catch_up(struct call *c, int fd, bool *moved)
{
	struct stat status;
	char *text;
	size_t whole;
	if (fstat(fd, &status))
		return fail_system(c, "stat");
	off_t from = status.st_size > AHEAD_MAX ? status.st_size - AHEAD_MAX : 0;
	enum err e = read_end(c, fd, from, status.st_size, &text);
	if (e)
		return e;
	struct batch *batch = batch_new(c);
	note_lines(c, text, (size_t)(status.st_size - from), batch, &whole);
	off_t end = from + (off_t)whole;
	if (end < status.st_size && ftruncate(fd, end))
		return fail_system(c, "cut");
	return batch_done(c, batch, moved);
}

/* ---- what it has not ---- */

static enum err on_event(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct batch *batch = arg;
	batch->tenants[batch->n] = arena_strdup(c->arena, columns[0]);
	batch->ids[batch->n++] = arena_strdup(c->arena, columns[1]);
	buf_text(&batch->text, columns[2]);
	buf_char(&batch->text, '\n');
	return OK;
}

static enum err write_batch(struct call *c, int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->n;) {
		ssize_t n = write(fd, text->data + done, text->n - done);
		if (n < 0 && errno != EINTR)
			return fail_system(c, "write");
		done += n < 0 ? 0 : (size_t)n;
	}
	return fdatasync(fd) ? fail_system(c, "sync") : OK;
}

static enum err ship(struct call *c, int fd, bool *more)
{
	struct batch *batch = batch_new(c);
	enum err e = db_each(c, TAKE, DB_ARGS(db_integer(c, BATCH_MAX)), on_event, batch);
	if (!e && batch->n)
		e = write_batch(c, fd, &batch->text);
	return e ? e : batch_done(c, batch, more);
}

enum err pipeline_run(struct call *c, bool *more)
{
	const char *answer;
	if (!*pipeline_file)
		return OK;
	enum err e = db_text(c, HAS_NEWS, DB_NONE, &answer);
	if (!e && *answer == 't')
		e = db_text(c, LOCK, DB_NONE, &answer);
	if (e || *answer != 't')
		return e;
	/* Readable by the group: the collector is another user. */
	auto_descriptor fd =
		open(pipeline_file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return fail_system(c, "open");
	/* What was found is committed before more is written: never more than one batch is ahead.
	 */
	e = catch_up(c, fd, more);
	return e || *more ? e : ship(c, fd, more);
}
