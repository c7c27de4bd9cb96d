/*
 * A sink: NDJSON on standard output, for platforms that collect it. The log is on standard error.
 *
 * Whoever reads has a line as soon as the pipe has it: what it loses by itself it has to ask for
 * again.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "services/audit/audit.h"
#include "services/audit/sink.h"

/* A pipe that can be written to takes at least PIPE_BUF without blocking. */
static enum err write_some(
	struct call *c, int64_t end_ms, const char *text, size_t n, size_t *written)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	int64_t left_ms = end_ms - clock_steady_ms();
	*written = 0;
	int ready = left_ms > 0 ? poll(&out, 1, (int)left_ms) : 0;
	if (ready < 0 && errno == EINTR)
		return OK;
	if (ready <= 0)
		return fail(c, ERR_UNAVAILABLE, "stdout: not read in time");
	ssize_t some = write(STDOUT_FILENO, text, n < PIPE_BUF ? n : PIPE_BUF);
	if (some < 0 && errno != EINTR)
		return fail(c, ERR_UNAVAILABLE, "stdout: %s", strerrordesc_np(errno));
	*written = some < 0 ? 0 : (size_t)some;
	return OK;
}

/* The next batch begins a line anew: what a failure cut off in the middle is no JSON, and comes
 * again as a whole. */
static enum err send_batch(struct call *c, const struct batch *batch)
{
	static bool is_cut;
	struct buf text = { .arena = c->arena };
	if (is_cut)
		buf_char(&text, '\n');
	batch_lines(batch, &text);
	int64_t end_ms =
		clock_steady_ms() + SINK_SEND_MS; /* of all, however little is read at once */
	enum err e = OK;
	size_t done = 0, some;
	while (!e && done < text.n) {
		e = write_some(c, end_ms, text.data + done, text.n - done, &some);
		done += some;
	}
	is_cut = done && done < text.n ? text.data[done - 1] != '\n' : is_cut && !done;
	return e;
}

struct sink sink_stdout = { .name = "stdout", .send = send_batch };

enum err sink_stdout_run(struct call *c, bool *more)
{
	return sink_conf.to_stdout ? pipeline_run(c, &sink_stdout, more) : OK;
}
