/* Options of the keyring, for every service that has one (service.h). */
#ifndef MANABIYA_KEYRING_CONF_H
#define MANABIYA_KEYRING_CONF_H

#include "libcommon/conf.h"
#include "libcommon/keyring.h"

struct keyring_conf {
	const char *directory, *root, *provider;
	struct kms kms;
};

#define KEYRING_OPTIONS_N 7
extern const struct option keyring_options[KEYRING_OPTIONS_N]; /* the first is the directory */

/* NULL with a logged reason. `conf` must outlive the keyring. */
struct keyring *keyring_conf_open(const struct keyring_conf *conf);

#endif
