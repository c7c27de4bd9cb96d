/*
 * AWS Key Management Service as keeper of the root: it makes, opens and re-seals key-encryption
 * keys that only its own hardware can open. Three calls of its JSON 1.1 protocol, signed by SigV4:
 * GenerateDataKey, Decrypt, ReEncrypt.
 *
 * The encryption context of every call is the tenant, so a wrapped key that is moved to another
 * tenant does not open, and CloudTrail names the tenant of every use. Erasure never relies on KMS:
 * its keys live on for 7 to 30 days; the wrapped key is what is destroyed.
 *
 * A key that the service answers is taken out of the answer where that came in, in memory that is
 * neither dumped nor swapped; the rest is read as JSON.
 *
 * Source: AWS KMS API Reference, actions GenerateDataKey, Decrypt, ReEncrypt.
 */
#ifndef MANABIYA_KMS_H
#define MANABIYA_KMS_H

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/crypto.h"
#include "libcommon/err.h"

struct kms {
	const char *key_id; /* ARN, key id or alias/NAME of a symmetric key */
	const char *region; /* "ap-northeast-1" */
	const char *endpoint; /* "" for the region's public one */
	const char *credentials; /* file with them (aws.h); NULL or "" for the other sources */
	const char *regions_allowed; /* where this deployment's keys may lie, comma separated */
};

#define KMS_WRAPPED_MAX 1024 /* bytes; KMS says up to 6,144, a 256-bit key takes some 180 */

/* Refuses with a logged reason a region or an endpoint outside those allowed. At start. */
must_check enum err kms_check(const struct kms *kms);

/* A new KEK: in the clear, and wrapped (in the arena). UNAVAILABLE with a logged reason. */
must_check enum err kms_generate(const struct kms *kms, struct arena *arena, const char *tenant_id,
	unsigned char key[KEY_SIZE], struct bytes *wrapped);

/* INVALID: not wrapped by this service for this tenant. FORBIDDEN: the key is disabled, pending
 * deletion, or not for us. UNAVAILABLE: try later. Reasons are logged. */
must_check enum err kms_open(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, unsigned char key[KEY_SIZE]);

/* The same KEK, wrapped under kms->key_id as it is now; it is never in the clear here. */
must_check enum err kms_rewrap(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, struct bytes *again);

#endif
