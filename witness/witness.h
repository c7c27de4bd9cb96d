/*
 * manabiya-witness: signs that a log only ever grew. It keeps, for each log, the last checkpoint
 * that it signed, and signs another only with a proof that this one is its beginning (C2SP
 * tlog-witness). Whoever trusts the witness need not trust the log for that.
 *
 * It knows nothing of a log but its name and its public keys: a second installation can be witness
 * of the first.
 */
#ifndef MANABIYA_WITNESS_H
#define MANABIYA_WITNESS_H

#include "libcommon/note.h"

/* ---- whose logs (logs.c) ---- */

/*
 * Read the file once, at start: a verifier key a line (note.h), empty lines and those that begin
 * with `#` apart. A key whose name ends with a `*` speaks for every log whose name begins so, as an
 * installation has one log per contract. Logs the reason and returns INVALID.
 */
must_check enum err logs_load(const char *path);
void logs_free(void);

enum trust {
	TRUST_NONE, /* no key speaks for a log of that name */
	TRUST_UNSIGNED, /* none of its keys has signed */
	TRUST_SIGNED,
};
enum trust logs_trust(struct arena *arena, const struct note *note, const char *origin);

/* ---- what was signed (state.c) ---- */

/*
 * The directory holds the witness's key and one file per log. The key is made with an empty
 * directory and never without: a witness that lost what it signed has lost its name, too, and
 * cannot be made to sign another history. One process at a time. Logs the reason when it fails.
 */
must_check enum err state_open(const char *directory, const char *name);
void state_close(void);
const struct note_verifier *state_verifier(void);

struct signed_before {
	struct checkpoint checkpoint; /* of size 0 if there is none */
	uint64_t unix_s;
};
/* INTERNAL when there is a file that we did not sign: then nothing is known, and nothing signed. */
must_check enum err state_read(struct arena *arena, const char *origin, struct signed_before *out);

/* Sign, and return the signature line only when it is certain that it will be remembered. */
must_check enum err state_sign(struct arena *arena, const char *text,
	const struct checkpoint *checkpoint, uint64_t unix_s, const char **line);

/* ---- the protocol (add.c) ---- */

/* 63 hashes and the longest note that is looked at. */
#define REQUEST_SIZE_MAX (63 * 45 + NOTE_SIZE_MAX + 64)

struct answer {
	unsigned status;
	const char *content_type;
	const char *body;
};

/* The body of `POST /add-checkpoint`, with a NUL behind it. */
struct answer add_checkpoint(struct arena *arena, const char *body, size_t n);

#endif
