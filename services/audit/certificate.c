/*
 * Certificates of erasure: what was removed of a tenant, which keys were destroyed, and the proof
 * that the operator's log says so, as one signed note (C2SP signed-note) that outlives the tenant.
 *
 * It is signed with the keys that sign checkpoints, as the operator's log and as the tenant's: who
 * kept the verifier key of the own log while the contract ran can check it. The text begins with a
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

static const char *text_of(struct call *c, const struct audit_erasure_certify_in *in,
	const char *line, const char *proof)
{
	struct buf out = { .arena = c->arena };
	buf_text(&out, HEAD "削除証明書 / Certificate of erasure\n");
	buf_printf(&out, "log %s\n", checkpoint_origin(c->arena, OPERATOR_TENANT));
	buf_printf(&out, "contract %s\ntenant %s\ncode %s\nname %s\n", in->contract_id,
		in->tenant_id, in->code, one_line(c->arena, in->name));
	buf_printf(&out, "keys-destroyed %s\nledger %s\n", in->keys_at,
		one_line(c->arena, in->ledger_hash));
	add_keys(c, &out, in->keys);
	for (size_t i = 0; i < in->stores.n; i++)
		buf_printf(&out, "removed %lld %s\n", (long long)in->stores.items[i].removed,
			one_line(c->arena, in->stores.items[i].store));
	buf_printf(&out, "event %s\n", line);
	add_proof(&out, proof);
	return out.data;
}

enum err audit_erasure_certify(struct call *c, const struct audit_erasure_certify_in *in,
	struct audit_erasure_certify_out *out)
{
	const char *const signers[] = { OPERATOR_TENANT, in->tenant_id };
	const char *line;
	struct buf proof = { .arena = c->arena };
	if (strcmp(c->actor->tenant_id, OPERATOR_TENANT) != 0)
		return fail(c, ERR_FORBIDDEN, "erasures are in the operator's log");
	enum err e = db_text(c, EVENT_LINE, DB_ARGS(in->event_id), &line);
	if (!e)
		e = proof_of_event(c, in->event_id, &proof);
	if (!e)
		out->certificate = checkpoint_sign(c, text_of(c, in, line, proof.data), signers, 2);
	return e;
}
