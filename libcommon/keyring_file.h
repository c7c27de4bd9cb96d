/*
 * For keyring*.c: the files of a keyring, one secret each. A byte says who keeps the root; then
 * comes the secret, sealed under the root key for exactly that name, or wrapped by the key
 * management service for that tenant. `root.check` is an empty text sealed under the root key, so
 * that a wrong one is seen at start rather than at the first pupil's video.
 *
 * While a root key is replaced both are known: what either sealed opens, what is written is sealed
 * under the new one.
 */
#ifndef MANABIYA_KEYRING_FILE_H
#define MANABIYA_KEYRING_FILE_H

#include <stdbool.h>

#include "libcommon/crypto.h"
#include "libcommon/err.h"
#include "libcommon/keyring.h"
#include "libcommon/uuid.h"

struct keyring_files {
	int directory;
	unsigned char *root, *root_before; /* crypto_secret_alloc(); NULL: there is none */
	const struct kms *kms; /* NULL: keys are sealed under `root` */
};

const struct keyring_files *keyring_files_of(const struct keyring *keyring);

/* NULL, or why it cannot be used. To be closed in any case. */
const char *keyring_files_open(
	struct keyring_files *files, const char *directory, const struct keyring_root *root);
void keyring_files_close(struct keyring_files *files);

/* The KEK in the file, whoever keeps its root. NOT_FOUND; INTERNAL for one that does not open. */
must_check enum err keyring_file_load(const struct keyring_files *files, const char *tenant_id,
	const char *name, unsigned char kek[KEY_SIZE]);

/* A new random KEK. OK, too, when another was first: the file's is the one that counts. Durable
 * when it returns. */
must_check enum err keyring_file_make(
	const struct keyring_files *files, const char *tenant_id, const char *name);

/* The first key of a keyring fixes its root. */
must_check enum err keyring_file_fix_root(const struct keyring_files *files);

/* The file under the root of today in the place of the one that another root sealed, or wrapped
 * anew by the service under its key of today; a reader finds the one or the other. *changed: false
 * when it is there already. `tenant_id` NULL for root.check. */
must_check enum err keyring_file_reseal(
	const struct keyring_files *files, const char *tenant_id, const char *name, bool *changed);

/* A new login salt (keyring_salt.h), readable by whoever may read the directory: OK, too, when
 * there is one. Durable when it returns. */
must_check enum err keyring_file_make_salt(
	const struct keyring_files *files, const char *tenant_id);

/* With noise, on the medium as far as the file system writes in place; where it does not (copy on
 * write, flash) the old blocks are sealed under the root all the same. OK when there is none. */
must_check enum err keyring_file_overwrite(int directory, const char *name);

#define KEYRING_VERSIONS_MAX                                                                       \
	999999 /* one a minute for two years; ends a walk over strange names                       \
		*/
#define KEYRING_CHECK "root.check"
#define KEYRING_NAME_SIZE 64 /* uuid, version, ".key"; temporary names add 21 */

/* The tenant and the version in the name of a key's file; false for every other. KEYRING_INDEX for
 * `<tenant>.index.key`. */
bool keyring_file_parse(const char *name, char tenant_id[UUID_SIZE], uint32_t *version);
void keyring_file_name(const char *tenant_id, uint32_t version, char out[KEYRING_NAME_SIZE]);

#endif
