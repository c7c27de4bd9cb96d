/* Who keeps the root of the tenant keys; see keyring_conf.h. */
#include "libcommon/keyring_conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/idempotency.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/reseal.h"
#include "libcommon/service.h"

#define AT(field_) offsetof(struct keyring_conf, field_)

const struct option keyring_options[KEYRING_OPTIONS_N] = {
	{ "keyring", OPTION_READS, NULL, AT(directory), 1, 4096,
		"directory of the tenant keys, outside the database's backups" },
	{ "erasure-ledger", OPTION_READS, "", AT(ledger), 0, 4096,
		"file that says what was erased, outside all backups; empty for erased.ledger in "
		"the keyring" },
	{ "keyring-root", OPTION_SECRET, "", AT(root), 0, KEYRING_ROOT_TEXT_MAX,
		"file with the root key, 32 bytes as hex or sealed; may be left out with aws-kms" },
	{ "keyring-root-before", OPTION_SECRET, "", AT(root_before), 0, KEYRING_ROOT_TEXT_MAX,
		"the one that it replaces: what that sealed still opens, until manabiyactl keyring "
		"reseal has run" },
	{ "keyring-passphrase", OPTION_SECRET, "", AT(passphrase), 0, KEYRING_PASSPHRASE_MAX,
		"file with the passphrase under which both lie sealed (manabiyactl keyring seal), "
		"such as a credential of systemd's; empty: they lie open" },
	{ "keyring-provider", OPTION_TEXT, "local", AT(provider), 5, 7,
		"who keeps the root: local (--keyring-root) or aws-kms" },
	{ "kms-key-id", OPTION_TEXT, "", AT(kms.key_id), 0, 2048,
		"aws-kms: ARN, id or alias/NAME of the key" },
	{ "kms-credentials", OPTION_RELOADS, "", AT(kms.credentials), 0, 4096,
		"aws-kms: file with the credentials, as AWS's tools write it (profile default); "
		"empty: they come from the environment, the container or the instance" },
	{ "kms-region", OPTION_TEXT, "", AT(kms.region), 0, 32,
		"aws-kms: ap-northeast-1, for one" },
	{ "kms-endpoint", OPTION_TEXT, "", AT(kms.endpoint), 0, 2048,
		"aws-kms: another URL than the region's public one" },
	{ "regions-allowed", OPTION_TEXT, "", AT(kms.regions_allowed), 0, 1024,
		"aws-kms: where keys may lie, comma separated; an endpoint outside stops the "
		"process" },
};

static struct keyring *open_keyring(const struct keyring_conf *conf)
{
	struct keyring_root root = {
		.text = conf->root, .before_text = conf->root_before, .passphrase = conf->passphrase
	};
	if (strcmp(conf->provider, "local") == 0)
		return keyring_open_rooted(conf->directory, &root);
	root.kms = &conf->kms;
	if (strcmp(conf->provider, "aws-kms") == 0 && *conf->kms.key_id)
		return keyring_open_rooted(conf->directory, &root);
	log_error("--keyring-provider is neither local nor aws-kms with a --kms-key-id");
	return NULL;
}

struct keyring *keyring_conf_open(const struct keyring_conf *conf)
{
	struct keyring *keyring = open_keyring(conf);
	if (!keyring || !*conf->ledger || !keyring_ledger_at(keyring, conf->ledger))
		return keyring;
	keyring_close(keyring);
	return NULL;
}

/* The list that sealing anew goes by: who leaves a column out of it cannot fill it either. */
void keyring_conf_allow(struct keyring *keyring, const struct service *service)
{
	keyring_allow(keyring, outbox_body.domain); /* idempotency_body's too */
	keyring_allow(keyring, IDEMPOTENCY_DOMAIN);
	for (size_t i = 0; i < service->sealed_n; i++) {
		const struct personal_kind *kind = &service->sealed[i].kind;
		char index[KEYRING_DOMAIN_SIZE];
		keyring_allow(keyring, kind->domain);
		if (!kind->index)
			continue;
		(void)snprintf(index, sizeof(index), PERSONAL_INDEX_DOMAIN, kind->index);
		keyring_allow(keyring, index);
	}
}
