/*
 * Certificates of erasure: asked for as soon as the log proves the erasure, then kept.
 *
 * audit signs them (services/audit/certificate.c); those of contracts are here, rows of the
 * operator's own tenant; those of users in user_erasure.c.
 */
#include <string.h>

#include "audit_proto.h"
#include "libcommon/db.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "services/provisioning/erasure.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"

static const struct problem NOT_READY = { ERR_NOT_FOUND, 404, "certificate_not_ready",
	"削除証明書はまだありません。", "There is no certificate of erasure yet." };

/* What the log calls it. */
static const struct op CERTIFY = { .name = "contract_certify",
	.audit = { "entity_management.update", 3004, 3 } };

static const char NEXT[] =
	"SELECT id, customer_tenant_id, code, name, erased_event_id, erased_keys,"
	" tenancy.stamp(erased_keys_at), ledger_hash FROM provisioning.contract"
	" WHERE state = 'erased' AND certificate IS NULL ORDER BY id LIMIT 1";

static const char STORES[] = "SELECT store, removed FROM provisioning.contract_store"
			     " WHERE contract_id = $1::uuid ORDER BY store";

static const char PUT[] = "UPDATE provisioning.contract SET certificate = $2, version = version + 1"
			  " WHERE id = $1::uuid";

static const char GET[] = "SELECT certificate FROM provisioning.contract WHERE id = $1::uuid";

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct audit_erasure_certify_in *in = arg;
	*in = (struct audit_erasure_certify_in){
		.contract_id = columns[0],
		.tenant_id = columns[1],
		.code = columns[2],
		.name = columns[3],
		.event_id = columns[4],
		.keys = columns[5],
		.keys_at = columns[6],
		.ledger_hash = columns[7],
	};
	return OK;
}

/* The event travels through the outbox, and is signed a moment later. */
static bool is_early(enum err e)
{
	return e == ERR_NOT_FOUND || e == ERR_CONFLICT;
}

enum err certificate_run(struct call *c, bool *more)
{
	struct audit_erasure_certify_in in = { 0 };
	struct audit_erasure_certify_out out = { 0 };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, NEXT, DB_NONE, on_next, &in);
	if (e || !in.contract_id)
		return e;
	e = db_rows(c, STORES, DB_ARGS(in.contract_id), &common_purged_store_shape, &in.stores);
	if (!e)
		e = audit_erasure_certify_call(c, &in, &out);
	if (e)
		return is_early(e) ? OK : e;
	*more = true;
	e = db_exec(c, PUT, DB_ARGS(in.contract_id, out.certificate));
	return e ? e : outbox_record(c, &CERTIFY, in.contract_id);
}

enum err certificate_get(struct call *c, const char *sql, const char *id, struct bytes *out)
{
	const char *text;
	enum err e = db_text(c, sql, DB_ARGS(id), &text);
	if (e)
		return e;
	if (!text)
		return fail_as(c, &NOT_READY);
	*out = (struct bytes){ (const unsigned char *)text, strlen(text) };
	return OK;
}

enum err provisioning_contract_certificate(struct call *c,
	const struct provisioning_contract_certificate_in *in,
	struct provisioning_contract_certificate_out *out)
{
	return certificate_get(c, GET, in->contract_id, &out->body);
}
