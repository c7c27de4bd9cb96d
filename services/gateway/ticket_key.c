/* Two keys and a clock; see ticket_key.h. The loop's thread alone. */
#include "services/gateway/ticket_key.h"

#include <string.h>

#include "libcommon/crypto.h"

static struct ticket_key make(int64_t now_ms)
{
	struct ticket_key key = { .made_ms = now_ms };
	crypto_random(key.name, sizeof key.name);
	crypto_random(key.cipher, sizeof key.cipher);
	crypto_random(key.mac, sizeof key.mac);
	return key;
}

void ticket_keys_init(struct ticket_keys *keys, int64_t lifetime_ms, int64_t now_ms)
{
	*keys = (struct ticket_keys){ .current = make(now_ms), .lifetime_ms = lifetime_ms };
	keys->previous = make(now_ms); /* a name that no ticket carries */
}

void ticket_keys_fini(struct ticket_keys *keys)
{
	crypto_wipe(keys, sizeof *keys);
}

const struct ticket_key *ticket_keys_current(struct ticket_keys *keys, int64_t now_ms)
{
	if (now_ms - keys->current.made_ms >= keys->lifetime_ms) {
		keys->previous = keys->current;
		keys->current = make(now_ms);
	}
	return &keys->current;
}

const struct ticket_key *ticket_keys_find(
	struct ticket_keys *keys, const unsigned char name[TICKET_NAME_SIZE], int64_t now_ms)
{
	(void)ticket_keys_current(keys, now_ms);
	if (memcmp(name, keys->current.name, TICKET_NAME_SIZE) == 0)
		return &keys->current;
	bool is_old = now_ms - keys->previous.made_ms >= 2 * keys->lifetime_ms;
	return !is_old && memcmp(name, keys->previous.name, TICKET_NAME_SIZE) == 0 ? &keys->previous
										   : NULL;
}
