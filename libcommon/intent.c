/* Ids that are committed before their effect; see intent.h. */
#include "libcommon/intent.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/db.h"
#include "libcommon/uuid.h"

/* The update is there for RETURNING, which is silent about rows that were left alone. */
static const char DECLARE[] =
	"INSERT INTO intent (name_hash, id)"
	" SELECT decode(w.name_hash, 'hex'), w.id"
	" FROM unnest($1::text[], $2::uuid[]) AS w (name_hash, id)"
	" ON CONFLICT (tenant_id, name_hash) DO UPDATE SET asked_at = excluded.asked_at"
	" RETURNING encode(name_hash, 'hex'), id";

static const char FULFIL[] =
	"DELETE FROM intent WHERE name_hash = ANY (SELECT decode(w.name_hash, 'hex')"
	" FROM unnest($1::text[]) AS w (name_hash))";

/* A hash and whose it is; sorted, so that two declarations with names in common do not wait for one
 * another in a circle. */
struct hashed {
	const char *hash;
	struct intent *intent;
};

struct hashes {
	struct hashed *items;
	size_t n;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct hashed *)a)->hash, ((const struct hashed *)b)->hash);
}

static const char *hash_of(struct call *c, const char *name)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(name, strlen(name), hash);
	return crypto_hex(c->arena, hash, sizeof(hash));
}

static struct hashes hashes_of(struct call *c, struct intent *intents, size_t n)
{
	struct hashes hashes = { arena_array(c->arena, n, sizeof(*hashes.items)), n };
	for (size_t i = 0; i < n; i++)
		hashes.items[i] = (struct hashed){ hash_of(c, intents[i].name), &intents[i] };
	qsort(hashes.items, n, sizeof(*hashes.items), compare);
	return hashes;
}

static enum err take_id(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct hashes *hashes = arg;
	const struct hashed key = { .hash = columns[0] };
	const struct hashed *found = bsearch(&key, hashes->items, hashes->n, sizeof(key), compare);
	if (found == NULL)
		return fail(c, ERR_INTERNAL, "an intent that nobody declared");
	found->intent->id = columns[1];
	return OK;
}

enum err intent_declare(struct call *c, struct intent *intents, size_t n)
{
	if (n == 0)
		return OK;
	struct hashes hashes = hashes_of(c, intents, n);
	const char **names = arena_array(c->arena, n, sizeof(*names));
	const char **ids = arena_array(c->arena, n, sizeof(*ids));
	for (size_t i = 0; i < n; i++) {
		names[i] = hashes.items[i].hash;
		ids[i] = uuid_make(c->arena);
	}
	db_apart_begin(c);
	enum err e = db_each(c, DECLARE,
		DB_ARGS(db_text_array(c, names, n), db_text_array(c, ids, n)), take_id, &hashes);
	return db_apart_end(c, e);
}

enum err intent_fulfil(struct call *c, const struct intent *intents, size_t n)
{
	if (n == 0)
		return OK;
	const char **names = arena_array(c->arena, n, sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = hash_of(c, intents[i].name);
	return db_exec(c, FULFIL, DB_ARGS(db_text_array(c, names, n)));
}
