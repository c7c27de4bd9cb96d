/*
 * Tenant keys, kept outside the database and its backups.
 *
 * A directory holds one file per version of a tenant's key-encryption key (KEK), sealed under the
 * root key, which comes from a file that the operator guards, or wrapped by AWS KMS (kms.h). Data
 * keys are derived from a KEK, one for each domain. Destroying a tenant's files makes its data
 * unreadable wherever copies of it lie: within a second, for that long a process believes what it
 * remembers.
 *
 * What is remembered lies in guarded memory and is dropped after five minutes without use.
 *
 * A handle does all of this until it is bound (keyring_allow(), keyring_only_reads()). That keeps a
 * service from what is not its own by mistake, or led astray by a request. It is no wall against
 * somebody who runs code of his own in the process: the root, which is there, opens everything.
 */
#ifndef MANABIYA_KEYRING_H
#define MANABIYA_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/crypto.h"
#include "libcommon/erasure.h"
#include "libcommon/err.h"
#include "libcommon/kms.h"
#include "libcommon/uuid.h"

struct keyring;

#define KEYRING_DOMAIN_SIZE 64 /* with the NUL; of an index: table and column */

/* One version of one tenant's key. */
struct keyring_version {
	char tenant_id[UUID_SIZE];
	uint32_t version;
};

#define KEYRING_TRUST_MS 1000 /* as long as an ended session may live on */
#define KEYRING_IDLE_MS 300000 /* a lesson's pauses are shorter */
#define KEYRING_FINGERPRINT_SIZE 16 /* bytes of a SHA-256: enough to tell copies of a key */

/* `root` is KEY_SIZE bytes as hex. NULL with a logged reason if the directory cannot be used. */
struct keyring *keyring_open(const char *directory, const char *root_hex);

/*
 * Who keeps the root. With `kms`, which must outlive the keyring, new keys are made and wrapped
 * there; with a root key too, files from before still open. Opening a key that is not remembered
 * asks the service: some ten milliseconds, once per tenant and five idle minutes. With
 * `before_text`, what that root sealed opens too.
 */
struct keyring_root {
	const char *text, *before_text; /* as in their files (keyring_root.h); "" for none */
	const char *passphrase; /* "" for none */
	const struct kms *kms; /* NULL: the root key */
};
struct keyring *keyring_open_rooted(const char *directory, const struct keyring_root *root);

/* By which the root that new keys are put under is told from others, without a hint of what it is:
 * "local:" or "aws-kms:" and 32 hex digits. */
#define KEYRING_ROOT_NAME_SIZE 41
void keyring_root_name(const struct keyring *keyring, char out[KEYRING_ROOT_NAME_SIZE]);
void keyring_close(struct keyring *keyring);

/* From the first call on the handle gives data keys of the domains that it was allowed, eight at
 * most, and of no others. Before threads. */
void keyring_allow(struct keyring *keyring, const char *domain);

/* From now on what changes something in the directory is FORBIDDEN, and logged. Before threads. */
void keyring_only_reads(struct keyring *keyring);

/* For keyring*.c: FORBIDDEN after keyring_only_reads(). */
must_check enum err keyring_check_writes(const struct keyring *keyring);

/* The ledger of erasures lies in the directory as KEYRING_LEDGER, unless it is told to lie
 * elsewhere, before the first use. INVALID when it cannot be used, with a logged reason. */
#define KEYRING_LEDGER "erased.ledger"
must_check enum err keyring_ledger_at(struct keyring *keyring, const char *path);
struct erasure_ledger *keyring_ledger(const struct keyring *keyring);

/* For keyring_destroy.c and what else lies beside the keys of tenants: the open directory. What
 * belongs to a tenant has a name that begins with its id and a dot, and goes with its keys. */
int keyring_directory(const struct keyring *keyring);

/* A new random KEK for a tenant, its index key and its login salt (keyring_salt.h); what is there
 * already is left alone. Durable when it returns. Provisioning only. CONFLICT for a tenant that was
 * erased, for ever. */
must_check enum err keyring_create(struct keyring *keyring, const char *tenant_id);

/* One version more: everybody seals under it within KEYRING_TRUST_MS, what was sealed before still
 * opens. Durable when it returns. Provisioning only. */
must_check enum err keyring_rotate(struct keyring *keyring, const char *tenant_id);

/*
 * The end of a tenant: a line in the ledger, durable, then every file of the tenant overwritten,
 * synced and removed, then a receipt in their place (`receipt.<tenant>`). Again after a crash it
 * goes on and gives the same receipt. Within KEYRING_TRUST_MS no process knows the keys any more.
 * Provisioning only.
 */
must_check enum err keyring_destroy(struct keyring *keyring, struct arena *arena,
	const char *tenant_id, struct erasure *receipt);

/*
 * The end of one version under which nothing lies any more: a receipt first
 * (`receipt.<tenant>.<version>`), durable, then its file overwritten, synced and removed. Again
 * after a crash it goes on and gives the same receipt. CONFLICT for the newest, NOT_FOUND for one
 * that never was. Provisioning only.
 */
struct keyring_receipt {
	const char *at; /* when, as a time stamp */
	const char *key; /* which: as in the ledger, but of one file */
};
must_check enum err keyring_version_destroy(struct keyring *keyring, struct arena *arena,
	const struct keyring_version *which, struct keyring_receipt *out);

/* Whether this version came to its end: its receipt lies here and its key does not. What is merely
 * missing did not end. */
bool keyring_version_has_ended(const struct keyring *keyring, const struct keyring_version *which);

/* Destroy what the ledger says is erased: a backup of the store may have brought it back. At
 * start. */
must_check enum err keyring_destroy_again(struct keyring *keyring);

/* The number of the newest version, from 1. NOT_FOUND when the tenant has no key. */
must_check enum err keyring_newest(
	struct keyring *keyring, const char *tenant_id, uint32_t *version);

/* All that are here, by tenant, then version. A walk
 * through the directory: for jobs, not for calls. */
struct keyring_list {
	struct keyring_version *items;
	size_t n;
};
must_check enum err keyring_list(
	struct keyring *keyring, struct arena *arena, struct keyring_list *out);

/* When this version was made, as milliseconds since 1970. NOT_FOUND. */
must_check enum err keyring_made(
	struct keyring *keyring, const char *tenant_id, uint32_t version, int64_t *unix_ms);

/* The version of the key that blind indexes are made with (personal.h): the one that no rotation
 * changes, or what was found by it would be lost. It seals nothing. */
#define KEYRING_INDEX UINT32_MAX

/* A data key of a tenant, for what was or will be sealed under this version of its KEK. NOT_FOUND
 * when there is no such version (any more). FORBIDDEN, logged and counted, for a domain that is not
 * this handle's. Thread-safe. */
struct data_key {
	const char *domain; /* "media", "text" … */
	uint32_t version;
};
must_check enum err keyring_data_key(struct keyring *keyring, const char *tenant_id,
	struct data_key which, unsigned char out[KEY_SIZE]);

/*
 * Every file under the root of today: sealed anew under the root key, or wrapped anew by the
 * service under its key of today. Readers that know both roots see no difference; cut short, the
 * next call goes on. Files that another process destroys meanwhile stay destroyed.
 */
struct keyring_tally {
	uint64_t resealed, unchanged;
};
must_check enum err keyring_reseal(struct keyring *keyring, struct keyring_tally *tally);

/* Wipe what was not used for KEYRING_IDLE_MS, and what was destroyed. */
void keyring_drop(struct keyring *keyring);

/*
 * What opening KEKs came to since the start: how many were opened, and how often a file was there
 * and did not open, because it was altered, is another tenant's, or was sealed by another root; not
 * one that is being destroyed. The tenants that this happened to last have a place each, in any
 * order, "" for none; of more, a keyring with a wrong root, the number says enough. Then how often
 * a key of a domain that is not the handle's was asked for, and which one last. For key_use.h.
 */
#define KEYRING_REFUSED_MAX 16
struct keyring_refused {
	char tenant_id[UUID_SIZE];
	uint64_t n;
};
struct keyring_openings {
	uint64_t opened, refused;
	struct keyring_refused tenants[KEYRING_REFUSED_MAX];
	size_t tenants_n; /* ever */
	uint64_t foreign;
	char foreign_domain[KEYRING_DOMAIN_SIZE];
};
struct keyring_openings keyring_openings(struct keyring *keyring);

#endif
