/* The KMS protocol; see kms.h. What goes over the wire is in http_client.c, who signs in aws.c. */
#include "libcommon/kms.h"

#include <string.h>
#include <unistd.h>

#include "libcommon/aws.h"
#include "libcommon/http_client.h"
#include "libcommon/json.h"
#include "libcommon/log.h"

#define TIMEOUT_MS 3000
#define ANSWER_MAX 16384
#define ATTEMPTS 3 /* AWS asks clients to retry what is throttled or ends in 5xx */
#define REST_MS 200 /* before the second attempt, twice that before the third */

enum err kms_check(const struct kms *kms)
{
	return aws_is_resident(kms->region, kms->endpoint, kms->regions_allowed) ? OK : ERR_INVALID;
}

/* ---- one call ---- */

static enum err post(const struct kms *kms, struct arena *arena, const char *action,
	const struct buf *body, struct http_client_reply *reply)
{
	struct aws_credentials who;
	enum err e = aws_credentials(arena, kms->credentials ? kms->credentials : "", &who);
	if (e)
		return e;
	struct http_client_signer signer = { who.access_key, who.secret_key, who.session_token,
		kms->region, "kms" };
	const char *const headers[] = { "Content-Type: application/x-amz-json-1.1",
		arena_printf(arena, "X-Amz-Target: TrentService.%s", action),
		*who.session_token
			? arena_printf(arena, "X-Amz-Security-Token: %s", who.session_token)
			: NULL,
		NULL };
	struct http_client_request request = {
		.method = "POST",
		.url = *kms->endpoint
			? kms->endpoint
			: arena_printf(arena, "https://kms.%s.amazonaws.com/", kms->region),
		.headers = headers,
		.body = { (const unsigned char *)body->data, body->n },
		.signer = &signer,
		.timeout_ms = TIMEOUT_MS,
		.answer_max = ANSWER_MAX,
	};
	return http_client_send(arena, &request, reply);
}

static bool is_passing(const struct http_client_reply *reply)
{
	return reply->status >= 500 || strstr(reply->body, "ThrottlingException");
}

/* The kinds of refusal that mean something to us; the rest is UNAVAILABLE. */
static const struct {
	const char *type;
	enum err err;
} REFUSALS[] = {
	{ "InvalidCiphertextException", ERR_INVALID },
	{ "IncorrectKeyException", ERR_INVALID },
	{ "AccessDeniedException", ERR_FORBIDDEN },
	{ "DisabledException", ERR_FORBIDDEN },
	{ "KMSInvalidStateException", ERR_FORBIDDEN },
	{ "NotFoundException", ERR_FORBIDDEN },
};

/* `__type` is the bare name or ends in `#` and the name. */
static enum err refusal(const char *action, unsigned status, const struct json *answer)
{
	const char *type = json_text(json_member(answer, "__type"));
	const char *name = type ? type : "no type";
	if (strrchr(name, '#'))
		name = strrchr(name, '#') + 1;
	log_event(LOG_LEVEL_ERROR, "the key service refused", LOG_TEXT("action", action),
		LOG_INT("status", status), LOG_TEXT("type", name));
	for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++)
		if (strcmp(name, REFUSALS[i].type) == 0)
			return REFUSALS[i].err;
	return ERR_UNAVAILABLE;
}

static enum err ask(const struct kms *kms, struct arena *arena, const char *action,
	const struct buf *body, const struct json **answer)
{
	struct http_client_reply reply = { 0 };
	enum err e = ERR_UNAVAILABLE;
	for (int i = 0; i < ATTEMPTS; i++) {
		if (i)
			usleep((useconds_t)(REST_MS * 1000 * i));
		e = post(kms, arena, action, body, &reply);
		if (!e && !is_passing(&reply))
			break;
	}
	if (e)
		return e;
	*answer = NULL;
	e = json_parse(arena, reply.body, reply.body_n, answer);
	return reply.status == 200 && !e ? OK : refusal(action, reply.status, *answer);
}

/* ---- what it is asked ---- */

static void member(struct buf *body, const char *name, const char *value)
{
	buf_printf(body, "%s\"%s\":", body->n ? "," : "{", name);
	json_quote(body, value);
}

static void context(struct buf *body, const char *name, const char *tenant_id)
{
	buf_printf(body, ",\"%s\":{\"tenant\":", name);
	json_quote(body, tenant_id);
	buf_text(body, "}");
}

static enum err wrapped_of(struct arena *arena, const struct json *answer, struct bytes *out)
{
	const char *text = json_text(json_member(answer, "CiphertextBlob"));
	enum err e = text ? crypto_from_base64(arena, text, out) : ERR_INVALID;
	return !e && out->n >= 1 && out->n <= KMS_WRAPPED_MAX ? OK : ERR_UNAVAILABLE;
}

static enum err key_of(struct arena *arena, const struct json *answer, unsigned char key[KEY_SIZE])
{
	struct bytes plain = { NULL, 0 };
	const char *text = json_text(json_member(answer, "Plaintext"));
	enum err e = text ? crypto_from_base64(arena, text, &plain) : ERR_INVALID;
	if (e || plain.n != KEY_SIZE)
		return ERR_UNAVAILABLE;
	memcpy(key, plain.data, KEY_SIZE);
	return OK; /* the arena is wiped when it is freed or reset */
}

enum err kms_generate(const struct kms *kms, struct arena *arena, const char *tenant_id,
	unsigned char key[KEY_SIZE], struct bytes *wrapped)
{
	struct buf body = { .arena = arena };
	const struct json *answer;
	member(&body, "KeyId", kms->key_id);
	member(&body, "KeySpec", "AES_256");
	context(&body, "EncryptionContext", tenant_id);
	buf_text(&body, "}");
	enum err e = ask(kms, arena, "GenerateDataKey", &body, &answer);
	if (!e)
		e = wrapped_of(arena, answer, wrapped);
	return e ? e : key_of(arena, answer, key);
}

enum err kms_open(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, unsigned char key[KEY_SIZE])
{
	struct buf body = { .arena = arena };
	const struct json *answer;
	member(&body, "CiphertextBlob", crypto_base64(arena, wrapped.data, wrapped.n));
	context(&body, "EncryptionContext", tenant_id);
	buf_text(&body, "}");
	enum err e = ask(kms, arena, "Decrypt", &body, &answer);
	return e ? e : key_of(arena, answer, key);
}

enum err kms_rewrap(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, struct bytes *again)
{
	struct buf body = { .arena = arena };
	const struct json *answer;
	member(&body, "CiphertextBlob", crypto_base64(arena, wrapped.data, wrapped.n));
	member(&body, "DestinationKeyId", kms->key_id);
	context(&body, "SourceEncryptionContext", tenant_id);
	context(&body, "DestinationEncryptionContext", tenant_id);
	buf_text(&body, "}");
	enum err e = ask(kms, arena, "ReEncrypt", &body, &answer);
	return e ? e : wrapped_of(arena, answer, again);
}
