/*
 * Witnesses: others who sign that a log only grew (witness/ is ours; any that speaks C2SP's
 * tlog-witness will do). A job of its own asks them for each checkpoint that has been signed, one
 * log after the other, and keeps what they answer with the checkpoint.
 *
 * A witness that is slow or away delays nothing: checkpoints are signed and served without it, and
 * it is left alone for longer and longer. No transaction is open while one thinks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/http_client.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"
#include "services/audit/tile.h"

#define WITNESSES_MAX 4 /* more would not make a log more trustworthy, only later */
#define BATCH 32 /* logs of a turn */
#define TIMEOUT_MS 2000 /* a witness writes one small file */
#define TURN_LEFT_MS (2 * WITNESSES_MAX * TIMEOUT_MS) /* what one more log can take */
#define REST_MIN_MS 1000 /* after the first failure; doubled with each */
#define REST_MAX_MS 60000
#define NOBODY "00000000-0000-0000-0000-000000000000"

static const char TAKE[] = "SELECT tenant_id, witnessed, size, note"
			   " FROM audit.witness_take($1::uuid, $2::integer)";
static const char PUT[] = "SELECT audit.witness_put($1::uuid, $2::bigint, $3)";

struct witness {
	const char *url;
	struct note_verifier verifier;
	int64_t rest_ms, rest_until_ms; /* of clock_steady_ms() */
};

/* Made at start; only the job's thread uses it after. */
static struct {
	struct arena *arena;
	size_t n;
	struct witness list[WITNESSES_MAX];
	const char *ca_file;
	char after[UUID_SIZE]; /* the tenant that the last turn ended with */
} witnesses;

/* ---- start ---- */

static enum err complain(const char *text, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "not a witness", LOG_TEXT("text", text),
		LOG_TEXT("reason", reason));
	return ERR_INVALID;
}

static void go_on_after(const char *tenant_id)
{
	(void)snprintf(witnesses.after, sizeof(witnesses.after), "%s", tenant_id);
}

static enum err add_witness(const char *url, const char *key)
{
	struct witness *witness = &witnesses.list[witnesses.n];
	if (witnesses.n == WITNESSES_MAX)
		return complain(url, "too many");
	if (!http_client_is_safe(url))
		return complain(url, "neither https:// nor this machine");
	if (!key || note_verifier_read(witnesses.arena, key, &witness->verifier) ||
		witness->verifier.kind != NOTE_COSIGNATURE)
		return complain(key ? key : url, "without a verifier key of a witness");
	witness->url = arena_printf(witnesses.arena, "%s/add-checkpoint", url);
	witness->rest_ms = REST_MIN_MS;
	witnesses.n++;
	return OK;
}

enum err witness_open(const struct witness_conf *conf)
{
	witness_close();
	if (!*conf->urls && !*conf->keys)
		return OK;
	witnesses.arena = arena_new();
	witnesses.ca_file = conf->ca_file;
	go_on_after(NOBODY);
	char *urls = arena_strdup(witnesses.arena, conf->urls);
	char *keys = arena_strdup(witnesses.arena, conf->keys);
	enum err e = http_client_start();
	for (char *url; !e && (url = strsep(&urls, ","));)
		e = add_witness(url, strsep(&keys, ","));
	return e || !keys ? e : complain(keys, "a key without a URL");
}

void witness_close(void)
{
	if (witnesses.arena)
		arena_free(witnesses.arena);
	witnesses.arena = NULL;
	witnesses.n = 0;
}

/* ---- asking one ---- */

/* A signed log and what became of it in this turn. */
struct signed_log {
	const char *tenant_id;
	uint64_t witnessed, size;
	const char *note;
	struct buf signatures;
};

static enum err request_text(
	struct call *c, const struct signed_log *log, uint64_t from, struct buf *out)
{
	struct merkle_proof proof = { 0 };
	if (from > 0 && from < log->size) {
		const struct merkle_tree tree = tile_tree(c);
		enum err e = merkle_prove_consistency(&tree, from, log->size, &proof);
		if (e)
			return e;
	}
	buf_printf(out, "old %llu\n", (unsigned long long)from);
	for (size_t i = 0; i < proof.n; i++)
		buf_printf(out, "%s\n", crypto_base64(c->arena, proof.hashes[i].bytes, HASH_SIZE));
	buf_printf(out, "\n%s", log->note);
	return OK;
}

static enum err ask(struct call *c, const struct witness *witness, const struct signed_log *log,
	uint64_t from, struct http_client_reply *reply)
{
	struct buf text = { .arena = c->arena };
	enum err e = request_text(c, log, from, &text);
	if (e)
		return e;
	const struct http_client_request request = {
		.method = "POST",
		.url = witness->url,
		.body = { (const unsigned char *)text.data, text.n },
		.ca_file = witnesses.ca_file,
		.timeout_ms = TIMEOUT_MS,
		.answer_max = NOTE_SIZE_MAX,
	};
	return http_client_send(c->arena, &request, reply);
}

/* The witness's own signature among what it answered; the rest is nobody's that we know. */
static bool take_signature(struct call *c, const struct witness *witness, struct signed_log *log,
	const struct http_client_reply *reply)
{
	struct note answered, note;
	if (memchr(reply->body, '\0', reply->body_n) ||
		note_read_signatures(c->arena, reply->body, &answered) ||
		note_read(c->arena, log->note, strlen(log->note), &note))
		return false;
	note.signatures_n = answered.signatures_n;
	memcpy(note.signatures, answered.signatures, sizeof(note.signatures));
	if (!note_is_signed(c->arena, &note, &witness->verifier, NULL))
		return false;
	for (size_t i = 0; i < note.signatures_n; i++)
		if (strcmp(note.signatures[i].name, witness->verifier.name) == 0)
			buf_text(&log->signatures, note.signatures[i].line);
	return true;
}

static void log_refusal(const struct witness *witness, const struct signed_log *log,
	const struct http_client_reply *reply)
{
	/* It has signed what we do not have, or it does not believe us: a person has to look. */
	log_event(LOG_LEVEL_ERROR, "a witness does not sign",
		LOG_TEXT("witness", witness->verifier.name), LOG_TEXT("tenant", log->tenant_id),
		LOG_INT("status", reply->status), LOG_INT("size", (int64_t)log->size));
}

/* 409 names the size that the witness knows: it was away, or its answer was lost. */
static enum err ask_again(struct call *c, const struct witness *witness,
	const struct signed_log *log, struct http_client_reply *reply)
{
	uint64_t known;
	const char *rest;
	if (reply->status != 409 || !note_number(reply->body, '\n', &known, &rest) ||
		known > log->size)
		return OK;
	return ask(c, witness, log, known, reply);
}

static enum err ask_for(struct call *c, struct witness *witness, struct signed_log *log)
{
	struct http_client_reply reply;
	int64_t now_ms = clock_steady_ms();
	if (witness->rest_until_ms > now_ms)
		return OK;
	enum err e = ask(c, witness, log, log->witnessed, &reply);
	if (!e)
		e = ask_again(c, witness, log, &reply);
	if (e == ERR_UNAVAILABLE || (!e && reply.status >= 500)) {
		witness->rest_until_ms = now_ms + witness->rest_ms;
		if (witness->rest_ms < REST_MAX_MS)
			witness->rest_ms *= 2;
		return OK;
	}
	if (e)
		return e;
	witness->rest_ms = REST_MIN_MS;
	if (reply.status != 200 || !take_signature(c, witness, log, &reply))
		log_refusal(witness, log, &reply);
	return OK;
}

/* ---- the job ---- */

struct batch {
	size_t n;
	struct signed_log logs[BATCH];
};

static enum err on_log(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct batch *batch = arg;
	batch->logs[batch->n++] = (struct signed_log){
		.tenant_id = arena_strdup(c->arena, columns[0]),
		.witnessed = strtoull(columns[1], NULL, 10),
		.size = strtoull(columns[2], NULL, 10),
		.note = arena_strdup(c->arena, columns[3]),
		.signatures = { .arena = c->arena },
	};
	return OK;
}

static enum err have_witnessed(struct call *c, struct signed_log *log)
{
	enum err e = service_enter_tenant(c, log->tenant_id);
	for (size_t i = 0; i < witnesses.n && !e; i++)
		e = ask_for(c, &witnesses.list[i], log);
	if (e || !log->signatures.n)
		return e;
	return db_exec(c, PUT,
		DB_ARGS(log->tenant_id, db_integer(c, (int64_t)log->size),
			arena_printf(c->arena, "%s%s", log->note, log->signatures.data)));
}

static bool all_rest(void)
{
	for (size_t i = 0; i < witnesses.n; i++)
		if (witnesses.list[i].rest_until_ms <= clock_steady_ms())
			return false;
	return true;
}

/* Nobody is left to ask, or the turn has taken as long as it may. */
static bool is_over(const struct call *c)
{
	return all_rest() || c->deadline_ms - clock_steady_ms() < TURN_LEFT_MS;
}

enum err witness_run(struct call *c, bool *more)
{
	if (all_rest())
		return OK;
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	/* Each statement is its own transaction. */
	db_rollback(c->db);
	db_begin(c->db, NULL, false);
	enum err e =
		db_each(c, TAKE, DB_ARGS(witnesses.after, db_integer(c, BATCH)), on_log, batch);
	go_on_after(NOBODY);
	for (size_t i = 0; i < batch->n && !e && !is_over(c); i++) {
		*more = batch->n == BATCH || i + 1 < batch->n;
		if (*more)
			go_on_after(batch->logs[i].tenant_id);
		e = have_witnessed(c, &batch->logs[i]);
	}
	*more = *more && !e && !all_rest();
	return e;
}
