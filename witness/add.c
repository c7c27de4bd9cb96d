/* `add-checkpoint` of C2SP's tlog-witness: read, compare with what was signed before, sign. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "witness/witness.h"

static const char PLAIN[] = "text/plain; charset=utf-8";
static const char SIZE[] = "text/x.tlog.size";

struct request {
	uint64_t old_size;
	struct merkle_proof proof;
	struct note note;
	struct checkpoint checkpoint;
};

static enum err read_request(
	struct arena *arena, const char *body, size_t n, struct request *request)
{
	static const char head[] = "old ";
	const char *rest = body + strlen(head);
	if (strlen(body) != n || strncmp(body, head, strlen(head)) != 0 ||
		!note_number(rest, '\n', &request->old_size, &rest) ||
		!note_proof(arena, rest, &request->proof, &rest) ||
		note_read(arena, rest, strlen(rest), &request->note))
		return ERR_INVALID;
	return checkpoint_read(arena, request->note.text, &request->checkpoint);
}

static struct answer refuse(unsigned status, const char *reason)
{
	return (struct answer){ status, PLAIN, reason };
}

static struct answer conflict(struct arena *arena, uint64_t size)
{
	return (struct answer){ 409, SIZE,
		arena_printf(arena, "%llu\n", (unsigned long long)size) };
}

/* Worth waking somebody. */
static void accuse(enum log_level level, const struct request *request,
	const struct checkpoint *before, const char *what)
{
	log_event(level, what, LOG_TEXT("log", request->checkpoint.origin),
		LOG_INT("signed", (int64_t)before->size),
		LOG_INT("offered", (int64_t)request->checkpoint.size));
}

static bool is_continued(const struct request *request, const struct checkpoint *before)
{
	if (before->size == 0)
		return request->proof.n == 0;
	return merkle_is_beginning(&before->root, before->size, &request->checkpoint.root,
		request->checkpoint.size, &request->proof);
}

/* The clock may have been set back; what was signed later must say so. */
static uint64_t time_after(uint64_t before_s)
{
	uint64_t now_s = (uint64_t)(clock_unix_ms() / 1000);
	return now_s > before_s ? now_s : before_s;
}

static struct answer sign(
	struct arena *arena, const struct request *request, const struct signed_before *before)
{
	struct answer answer = { 200, PLAIN, NULL };
	if (state_sign(arena, request->note.text, &request->checkpoint, time_after(before->unix_s),
		    &answer.body))
		return refuse(500, "cannot remember it\n");
	return answer;
}

static struct answer compare(struct arena *arena, const struct request *request)
{
	struct signed_before before;
	const struct checkpoint *checkpoint = &request->checkpoint;
	if (state_read(arena, checkpoint->origin, &before))
		return refuse(500, "cannot remember this log\n");
	const struct checkpoint *known = &before.checkpoint;
	if (request->old_size != known->size)
		return conflict(arena, known->size);
	if (checkpoint->size == known->size && !merkle_equal(&checkpoint->root, &known->root)) {
		accuse(LOG_LEVEL_ERROR, request, known, "a log has two histories");
		return conflict(arena, known->size);
	}
	if (!is_continued(request, known)) {
		/* Anybody can send a wrong proof. */
		accuse(LOG_LEVEL_WARNING, request, known, "a log is not shown to continue");
		return refuse(422, "the proof does not show that the log was only added to\n");
	}
	return sign(arena, request, &before);
}

struct answer add_checkpoint(struct arena *arena, const char *body, size_t n)
{
	struct request *request = arena_alloc(arena, sizeof(*request));
	if (read_request(arena, body, n, request))
		return refuse(400, "not a request of add-checkpoint\n");
	switch (logs_trust(arena, &request->note, request->checkpoint.origin)) {
	case TRUST_NONE:
		return refuse(404, "no log of this witness\n");
	case TRUST_UNSIGNED:
		return refuse(403, "not signed by the log\n");
	case TRUST_SIGNED:
		break;
	}
	if (request->old_size > request->checkpoint.size)
		return refuse(400, "smaller than its own beginning\n");
	return compare(arena, request);
}
