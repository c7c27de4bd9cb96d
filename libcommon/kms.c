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
#define TAKEN '*' /* in the place of a key; no letter of base64 */
#define REST_MS 200 /* before the second attempt, twice that before the third */

enum err kms_check(const struct kms *kms)
{
	return aws_is_resident(kms->region, kms->endpoint, kms->regions_allowed) ? OK : ERR_INVALID;
}

/* ---- one call ---- */

struct question {
	const char *action;
	struct buf body;
	unsigned char *key; /* NULL: none is answered */
	char *answer; /* ANSWER_MAX + 1 bytes of guarded memory */
};

static enum err post(const struct kms *kms, struct arena *arena, const struct question *question,
	struct http_client_reply *reply)
{
	struct aws_credentials who;
	enum err e = aws_credentials(arena, kms->credentials ? kms->credentials : "", &who);
	if (e)
		return e;
	struct http_client_signer signer = { who.access_key, who.secret_key, who.session_token,
		kms->region, "kms" };
	const char *const headers[] = { "Content-Type: application/x-amz-json-1.1",
		arena_printf(arena, "X-Amz-Target: TrentService.%s", question->action),
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
		.body = { (const unsigned char *)question->body.data, question->body.n },
		.signer = &signer,
		.timeout_ms = TIMEOUT_MS,
		.answer_max = ANSWER_MAX,
		.answer = question->answer,
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

/* Where in the answer the letters of the key are, and how many. */
static char *find_key(char *answer, size_t *n)
{
	static const char name[] = "\"Plaintext\"", space[] = " \t\r\n";
	char *at = strstr(answer, name);
	if (!at)
		return NULL;
	at += strlen(name);
	at += strspn(at, space);
	if (*at++ != ':')
		return NULL;
	at += strspn(at, space);
	if (*at++ != '"')
		return NULL;
	*n = strcspn(at, "\"");
	return at;
}

/* Out of the answer, before it is copied when it is read as JSON. In its place stays a word that
 * says so: key_is_taken(). */
static enum err take_key(const struct question *question)
{
	size_t n = 0;
	char *from = question->key ? find_key(question->answer, &n) : NULL;
	if (!from)
		return OK;
	enum err e = crypto_key_from_base64(from, n, question->key);
	memset(from, TAKEN, n);
	return e;
}

/* That it was this member, and not something that looks like it. */
static bool key_is_taken(const struct json *answer)
{
	const char *left = json_text(json_member(answer, "Plaintext"));
	return left && *left == TAKEN && left[strspn(left, (const char[]){ TAKEN, '\0' })] == '\0';
}

static enum err read_answer(struct arena *arena, const struct question *question,
	const struct http_client_reply *reply, const struct json **answer)
{
	*answer = NULL;
	enum err taken = take_key(question);
	enum err e = json_parse(arena, reply->body, reply->body_n, answer);
	if (reply->status != 200 || e)
		return refusal(question->action, reply->status, *answer);
	return !question->key || (!taken && key_is_taken(*answer)) ? OK : ERR_UNAVAILABLE;
}

static enum err ask(const struct kms *kms, struct arena *arena, struct question *question,
	const struct json **answer)
{
	struct http_client_reply reply = { 0 };
	enum err e = ERR_UNAVAILABLE;
	question->answer = crypto_secret_alloc(ANSWER_MAX + 1);
	for (int i = 0; i < ATTEMPTS; i++) {
		if (i)
			usleep((useconds_t)(REST_MS * 1000 * i));
		e = post(kms, arena, question, &reply);
		if (!e && !is_passing(&reply))
			break;
	}
	if (!e)
		e = read_answer(arena, question, &reply, answer);
	crypto_secret_free(question->answer);
	return e;
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

enum err kms_generate(const struct kms *kms, struct arena *arena, const char *tenant_id,
	unsigned char key[KEY_SIZE], struct bytes *wrapped)
{
	struct question question = {
		.action = "GenerateDataKey", .body = { .arena = arena }, .key = key
	};
	const struct json *answer;
	member(&question.body, "KeyId", kms->key_id);
	member(&question.body, "KeySpec", "AES_256");
	context(&question.body, "EncryptionContext", tenant_id);
	buf_text(&question.body, "}");
	enum err e = ask(kms, arena, &question, &answer);
	return e ? e : wrapped_of(arena, answer, wrapped);
}

enum err kms_open(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, unsigned char key[KEY_SIZE])
{
	struct question question = { .action = "Decrypt", .body = { .arena = arena }, .key = key };
	const struct json *answer;
	member(&question.body, "CiphertextBlob", crypto_base64(arena, wrapped.data, wrapped.n));
	context(&question.body, "EncryptionContext", tenant_id);
	buf_text(&question.body, "}");
	return ask(kms, arena, &question, &answer);
}

enum err kms_rewrap(const struct kms *kms, struct arena *arena, const char *tenant_id,
	struct bytes wrapped, struct bytes *again)
{
	struct question question = { .action = "ReEncrypt", .body = { .arena = arena } };
	const struct json *answer;
	member(&question.body, "CiphertextBlob", crypto_base64(arena, wrapped.data, wrapped.n));
	member(&question.body, "DestinationKeyId", kms->key_id);
	context(&question.body, "SourceEncryptionContext", tenant_id);
	context(&question.body, "DestinationEncryptionContext", tenant_id);
	buf_text(&question.body, "}");
	enum err e = ask(kms, arena, &question, &answer);
	return e ? e : wrapped_of(arena, answer, again);
}
