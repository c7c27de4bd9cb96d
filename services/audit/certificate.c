/*
 * Certificates of erasure: what was removed of a tenant or of one user, which keys were destroyed,
 * and the proof that the log says so, as one signed note (C2SP signed-note) that outlives both.
 *
 * It is signed with the keys that sign checkpoints. A tenant's erasure is in the operator's log and
 * signed as that and as the tenant's: who kept the verifier key of the own log while the contract
 * ran can check it. A user's is in the tenant's own log. The text begins with a
 * line of its own, so it passes for no checkpoint; and it is put together here from ids and
 * numbers, so that nobody gets anything else signed.
 */
#include <string.h>

#include "libcommon/db.h"
#include "services/audit/audit.h"

#define HEAD "manabiya-erasure-certificate@v1\n"

static const char EVENT_LINE[] = "SELECT line FROM audit.event WHERE id = $1::uuid";

/* A name cannot begin a line of its own. */
static const char *one_line(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	return copy;
}

static void add_keys(struct call *c, struct buf *out, const char *keys)
{
	while (*keys) {
		size_t n = strcspn(keys, ",");
		const char *key = arena_strndup(c->arena, keys, n);
		if (strcmp(key, "-") != 0)
			buf_printf(out, "key %s\n", one_line(c->arena, key));
		keys += n + (keys[n] == ',');
	}
}

/* Each line behind a mark, so that the empty ones do not end the text. */
static void add_proof(struct buf *out, const char *proof)
{
	while (*proof) {
		size_t n = strcspn(proof, "\n");
		buf_printf(out, "> %.*s\n", (int)n, proof);
		proof += n + (proof[n] == '\n');
	}
}

/* What both kinds of certificate have behind whom they are about. */
struct erased {
	const char *event_id, *keys, *keys_at, *ledger_hash;
	const struct common_purged_store *stores;
	size_t stores_n;
};

/* Of a replica of the keyring is known that nothing is there any more, not that all of it ever was:
 * it may be younger than the key, or have lost its disk. */
static const char *verb_of(const struct common_purged_store *store)
{
	return strncmp(store->store, "keyring.", 8) == 0 ? "gone" : "removed";
}

static void add_erased(
	struct call *c, struct buf *out, const struct erased *erased, const char *line)
{
	buf_printf(out, "keys-destroyed %s\nledger %s\n", erased->keys_at,
		one_line(c->arena, erased->ledger_hash));
	add_keys(c, out, erased->keys);
	for (size_t i = 0; i < erased->stores_n; i++)
		buf_printf(out, "%s %lld %s\n", verb_of(&erased->stores[i]),
			(long long)erased->stores[i].removed,
			one_line(c->arena, erased->stores[i].store));
	buf_printf(out, "event %s\n", line);
}

/* `text` is complete up to `erased`; the call is in the tenant whose log has the event. */
static enum err certify(struct call *c, struct buf *text, const struct erased *erased,
	const char *const *signers, size_t signers_n, const char **out)
{
	const char *line;
	struct buf proof = { .arena = c->arena };
	enum err e = db_text(c, EVENT_LINE, DB_ARGS(erased->event_id), &line);
	if (!e)
		e = proof_of_event(c, erased->event_id, &proof);
	if (e)
		return e;
	add_erased(c, text, erased, line);
	add_proof(text, proof.data);
	*out = checkpoint_sign(c, text->data, signers, signers_n);
	return OK;
}

static struct buf begin(struct call *c)
{
	struct buf text = { .arena = c->arena };
	buf_printf(&text, HEAD "削除証明書 / Certificate of erasure\nlog %s\n",
		checkpoint_origin(c->arena, c->actor->tenant_id));
	return text;
}

enum err audit_erasure_certify(struct call *c, const struct audit_erasure_certify_in *in,
	struct audit_erasure_certify_out *out)
{
	const char *const signers[] = { OPERATOR_TENANT, in->tenant_id };
	const struct erased erased = { in->event_id, in->keys, in->keys_at, in->ledger_hash,
		in->stores.items, in->stores.n };
	if (strcmp(c->actor->tenant_id, OPERATOR_TENANT) != 0)
		return fail(c, ERR_FORBIDDEN, "erasures are in the operator's log");
	struct buf text = begin(c);
	buf_printf(&text, "contract %s\ntenant %s\ncode %s\nname %s\n", in->contract_id,
		in->tenant_id, in->code, one_line(c->arena, in->name));
	return certify(c, &text, &erased, signers, 2, &out->certificate);
}

enum err audit_user_erasure_certify(struct call *c, const struct audit_user_erasure_certify_in *in,
	struct audit_user_erasure_certify_out *out)
{
	const struct erased erased = { in->event_id, in->keys, in->keys_at, in->ledger_hash,
		in->stores.items, in->stores.n };
	struct buf text = begin(c);
	buf_printf(&text, "tenant %s\nuser %s\n", c->actor->tenant_id, in->user_id);
	return certify(c, &text, &erased, &c->actor->tenant_id, 1, &out->certificate);
}
