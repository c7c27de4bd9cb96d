/* Two keys and a clock; see ticket_key.h. The loop's thread alone. */
#include "services/gateway/ticket_key.h"

#include <string.h>

#include "libcommon/crypto.h"

/* In its place: no copy stays on the stack. */
static void make(struct ticket_key *key, int64_t now_ms)
{
	key->made_ms = now_ms;
	crypto_random(key->name, sizeof key->name);
	crypto_random(key->cipher, sizeof key->cipher);
	crypto_random(key->mac, sizeof key->mac);
}

struct ticket_keys *ticket_keys_new(int64_t lifetime_ms, int64_t now_ms)
{
	struct ticket_keys *keys = crypto_secret_alloc(sizeof *keys);
	keys->lifetime_ms = lifetime_ms;
	make(&keys->current, now_ms);
	make(&keys->previous, now_ms); /* a name that no ticket carries */
	return keys;
}

void ticket_keys_free(struct ticket_keys *keys)
{
	crypto_secret_free(keys);
}

const struct ticket_key *ticket_keys_current(struct ticket_keys *keys, int64_t now_ms)
{
	if (now_ms - keys->current.made_ms >= keys->lifetime_ms) {
		keys->previous = keys->current;
		make(&keys->current, now_ms);
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
