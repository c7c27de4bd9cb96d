/* Options of the keyring, for every service that has one (service.h). */
#ifndef MANABIYA_KEYRING_CONF_H
#define MANABIYA_KEYRING_CONF_H

#include "libcommon/conf.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_root.h"

struct service;

struct keyring_conf {
	const char *directory, *ledger, *root, *root_before, *passphrase, *provider;
	struct kms kms;
};

#define KEYRING_OPTIONS_N 11
#define KEYRING_PATHS_N 2 /* the first two are the directory and the ledger, only read */
extern const struct option keyring_options[KEYRING_OPTIONS_N];

/* NULL with a logged reason. `conf` must outlive the keyring. */
struct keyring *keyring_conf_open(const struct keyring_conf *conf);

/* Bind it to the domains of what the service keeps sealed (service.h): its columns, their indexes
 * and its outbox. */
void keyring_conf_allow(struct keyring *keyring, const struct service *service);

#endif
