/*
 * The inventory of cryptography: what is used for what, with which parameters, under which key.
 *
 * Parameters that no module of libcommon fixes stand here, so that the code that uses them and the
 * inventory that tells of them have one source. docs/security.md is made from it
 * (tools/algorithms.py), administrators see it in the client.
 */
#ifndef MANABIYA_ALGORITHMS_H
#define MANABIYA_ALGORITHMS_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/arena.h"

/* Argon2id. Staff pay more for a login, a whole school year of pupils logs in within minutes. */
#define PASSWORD_STAFF_PASSES 3
#define PASSWORD_STAFF_MIB 64
#define PASSWORD_STUDENT_PASSES 2
#define PASSWORD_STUDENT_MIB 19

/* What every authenticator app knows (RFC 6238). */
#define TOTP_SECRET_SIZE 20 /* RFC 4226, 4: as long as the hash */
#define TOTP_DIGITS 6
#define TOTP_STEP_MS 30000

#define SESSION_TOKEN_SIZE 32 /* random bytes */
#define MEDIA_CHUNK_SIZE 65536 /* what a ranged read opens at least */

/* One parameter, as in "key 256 bit". */
struct algorithm_figure {
	const char *unit; /* of provisioning.yaml's AlgorithmFigure */
	int64_t value;
};

#define ALGORITHM_FIGURES_MAX 4
struct algorithm {
	const char *use; /* of provisioning.yaml's Algorithm, for translations */
	const char *name; /* of algorithm and standard, the same in every language */
	const char *purpose, *how, *key; /* for the page; `how` is read behind the name */
	struct algorithm_figure figures[ALGORITHM_FIGURES_MAX]; /* up to one without a unit */
};

extern const struct algorithm algorithms[];
extern const size_t algorithms_n;

/* "key 256 bit, nonce 192 bit". */
const char *algorithm_parameters(struct arena *arena, const struct algorithm *algorithm);

#endif
