/*
 * Signed notes and the checkpoints of transparency logs, as C2SP describes them (signed-note,
 * tlog-checkpoint, tlog-cosignature): text that people can read, signed with Ed25519, checked by
 * anybody's tools.
 *
 * A note is its text, an empty line, and signatures. A checkpoint is a note whose text names the
 * log, its size and its root. A cosignature is a witness's: it signs the time as well.
 */
#ifndef MANABIYA_NOTE_H
#define MANABIYA_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/merkle.h"

#define NOTE_KEY_ID_SIZE 4
#define NOTE_SIGNATURES_MAX 16 /* two keys while one follows the other, and witnesses */
#define NOTE_NAME_MAX 200 /* bytes of a signer's name or a log's origin */
#define NOTE_SIZE_MAX 16384 /* bytes of a note that are looked at */

enum note_kind {
	NOTE_ED25519 = 1, /* a log's own signature */
	NOTE_COSIGNATURE = 4, /* a witness's, with the time */
};

/* Who signs, as everybody may know: `name+<key id>+<base64 of kind and key>`. */
struct note_verifier {
	const char *name;
	enum note_kind kind;
	unsigned char id[NOTE_KEY_ID_SIZE];
	unsigned char public_key[PUBLIC_KEY_SIZE];
};

/* The key id follows from the rest. The name is kept, not copied. */
struct note_verifier note_verifier_of(
	const char *name, enum note_kind kind, const unsigned char public_key[PUBLIC_KEY_SIZE]);
const char *note_verifier_text(struct arena *arena, const struct note_verifier *verifier);
/* INVALID for anything but the one text of a verifier of a known kind. */
must_check enum err note_verifier_read(
	struct arena *arena, const char *text, struct note_verifier *out);

/* A name may stand in a signature line: no white space, no `+`, not empty, not too long. */
bool note_is_name(const char *name);

/* ---- signing ---- */

/* A signature line with its newline over the note's text (which ends with a newline). */
const char *note_sign(struct arena *arena, const char *text, const struct note_verifier *verifier,
	const unsigned char signing_key[SIGNING_KEY_SIZE]);
/* The same by a witness, at a time in seconds since 1970. */
const char *note_cosign(struct arena *arena, const char *text, const struct note_verifier *verifier,
	const unsigned char signing_key[SIGNING_KEY_SIZE], uint64_t unix_s);

/* ---- reading ---- */

struct note_signature {
	const char *name;
	unsigned char id[NOTE_KEY_ID_SIZE];
	struct bytes signature;
	const char *line; /* whole, with its newline */
};

struct note {
	const char *text; /* with its last newline */
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
	size_t signatures_n;
};

/* Signature lines alone, as a witness answers them, or behind a note's text. */
must_check enum err note_read_signatures(struct arena *arena, const char *text, struct note *out);
must_check enum err note_read(struct arena *arena, const char *text, size_t n, struct note *out);

/* Signed by this verifier: at least one signature with its name and key id, and every such one is
 * right. *unix_s is the time of a cosignature, 0 for others; it may be NULL. */
bool note_is_signed(struct arena *arena, const struct note *note,
	const struct note_verifier *verifier, uint64_t *unix_s);

struct checkpoint {
	const char *origin;
	uint64_t size;
	struct merkle_hash root;
};

const char *checkpoint_text(struct arena *arena, const struct checkpoint *checkpoint);
/* Of a note's text. Lines behind the third are extensions and are skipped. */
must_check enum err checkpoint_read(struct arena *arena, const char *text, struct checkpoint *out);

/* A decimal number without leading zeroes up to MERKLE_SIZE_MAX, ended by `end`; *rest follows it.
 */
must_check bool note_number(const char *text, char end, uint64_t *out, const char **rest);
/* A line of base64 that is one hash; *rest follows its newline. */
must_check bool note_hash(
	struct arena *arena, const char *text, struct merkle_hash *out, const char **rest);
/* Lines of hashes up to an empty one, which is skipped. */
must_check bool note_proof(
	struct arena *arena, const char *text, struct merkle_proof *out, const char **rest);

#endif
