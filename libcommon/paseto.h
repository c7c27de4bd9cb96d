/*
 * PASETO v4.public: a payload with an Ed25519 signature as one line of text, without footer and
 * without implicit assertion. What the payload means is the business of capability.h.
 */
#ifndef MANABIYA_PASETO_H
#define MANABIYA_PASETO_H

#include "libcommon/crypto.h"

const char *paseto_sign(
	struct arena *arena, const unsigned char key[SIGNING_KEY_SIZE], struct bytes payload);

/* The payload in the arena, with a NUL behind it. ERR_UNAUTHENTICATED for anything that this key
 * did not sign. */
must_check enum err paseto_verify(struct arena *arena, const unsigned char key[PUBLIC_KEY_SIZE],
	const char *token, struct bytes *payload);

#endif
