/* The payload of a capability, and the names of roles and features. */
#include "libcommon/capability.h"

#include <inttypes.h>
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/paseto.h"

/* How far auth's clock may be ahead of ours before its tokens are refused as not yet valid. */
#define CLOCK_SKEW_MS 5000

struct bit_name {
	unsigned bit;
	const char *name;
};

static const struct bit_name ROLES[] = {
	{ ROLE_ANONYMOUS, "anonymous" },
	{ ROLE_OPERATOR, "operator" },
	{ ROLE_CONTRACTOR, "contractor" },
	{ ROLE_INSTRUCTOR, "instructor" },
	{ ROLE_STUDENT, "student" },
	{ ROLE_SERVICE, "service" },
};
#define ROLES_N (sizeof ROLES / sizeof *ROLES)

static const struct bit_name FEATURES[] = {
	{ FEATURE_VIDEO_UPLOAD, "video_upload" },
	{ FEATURE_PEER_COMMENT, "peer_comment" },
};
#define FEATURES_N (sizeof FEATURES / sizeof *FEATURES)

static unsigned bit_from_name(const struct bit_name *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].bit;
	return 0;
}

static const char *name_of_bit(const struct bit_name *table, size_t n, unsigned bit)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].bit == bit)
			return table[i].name;
	return "";
}

const char *role_name(enum role role)
{
	return name_of_bit(ROLES, ROLES_N, role);
}

enum role role_from_name(const char *name)
{
	return bit_from_name(ROLES, ROLES_N, name);
}

enum feature feature_from_name(const char *name)
{
	return bit_from_name(FEATURES, FEATURES_N, name);
}

const char *feature_name(enum feature feature)
{
	return name_of_bit(FEATURES, FEATURES_N, feature);
}

/* ---- minting ---- */

static void add_text(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	json_quote(out, value ? value : "");
	buf_char(out, ',');
}

static void add_denied(struct buf *out, unsigned denied)
{
	buf_text(out, "\"denied\":[");
	const char *separator = "";
	for (size_t i = 0; i < FEATURES_N; i++) {
		if (!(denied & FEATURES[i].bit))
			continue;
		buf_printf(out, "%s\"%s\"", separator, FEATURES[i].name);
		separator = ",";
	}
	buf_text(out, "],");
}

const char *capability_mint(struct arena *arena, const unsigned char key[SIGNING_KEY_SIZE],
	const struct actor *actor, int64_t now_unix_ms)
{
	int64_t expires = now_unix_ms + CAPABILITY_LIFETIME_MS;
	if (actor->expires_unix_ms > 0 && actor->expires_unix_ms < expires)
		expires = actor->expires_unix_ms;
	struct buf payload = { .arena = arena };
	buf_char(&payload, '{');
	add_text(&payload, "tenant", actor->tenant_id);
	add_text(&payload, "user", actor->user_id);
	add_text(&payload, "role", role_name(actor->role));
	add_denied(&payload, actor->denied);
	add_text(&payload, "session", actor->session_id);
	add_text(&payload, "tenantKey", actor->tenant_key);
	buf_printf(&payload, "\"authenticated\":%" PRId64 ",", actor->authenticated_unix_ms);
	buf_printf(&payload, "\"factors\":%u,\"secondFactor\":%d,", actor->factors,
		actor->needs_second_factor);
	buf_printf(&payload, "\"initial\":%d,\"closed\":%d,", actor->initial, actor->closed);
	buf_printf(&payload, "\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now_unix_ms, expires);
	return paseto_sign(
		arena, key, (struct bytes){ (const unsigned char *)payload.data, payload.n });
}

/* ---- verifying ---- */

/* Features that this binary does not know are left out: it cannot offer them. */
static unsigned read_denied(const struct json *names)
{
	unsigned denied = 0;
	for (size_t i = 0; i < json_count(names); i++) {
		const char *name = json_text(json_item(names, i));
		if (name)
			denied |= feature_from_name(name);
	}
	return denied;
}

static bool is_timely(const struct json *payload, int64_t now)
{
	int64_t issued = json_integer(json_member(payload, "iat"), -1);
	int64_t expires = json_integer(json_member(payload, "exp"), -1);
	if (issued < 0 || expires < issued || expires - issued > CAPABILITY_LIFETIME_MS)
		return false;
	return now < expires && issued <= now + CLOCK_SKEW_MS;
}

bool capability_is_timely(int64_t expires_unix_ms, int64_t now_unix_ms)
{
	int64_t left_ms = expires_unix_ms - now_unix_ms;
	return left_ms > 0 && left_ms <= CAPABILITY_LIFETIME_MS + CLOCK_SKEW_MS;
}

static bool read_actor(const struct json *payload, struct actor *out)
{
	const char *role = json_text(json_member(payload, "role"));
	*out = (struct actor){
		.tenant_id = json_text(json_member(payload, "tenant")),
		.user_id = json_text(json_member(payload, "user")),
		.role = role ? role_from_name(role) : 0,
		.denied = read_denied(json_member(payload, "denied")),
		.session_id = json_text(json_member(payload, "session")),
		.authenticated_unix_ms = json_integer(json_member(payload, "authenticated"), 0),
		.factors = json_integer(json_member(payload, "factors"), 0) == 2 ? 2 : 1,
		/* What is missing or odd counts as set: it only takes rights away. */
		.needs_second_factor = json_integer(json_member(payload, "secondFactor"), 1) != 0,
		.initial = json_integer(json_member(payload, "initial"), 1) != 0,
		/* Without this mark nobody of a closed contract comes in. */
		.closed = json_integer(json_member(payload, "closed"), 0) != 0,
		.tenant_key = json_text(json_member(payload, "tenantKey")),
		.expires_unix_ms = json_integer(json_member(payload, "exp"), 0),
	};
	return out->role && out->tenant_id && out->user_id && out->session_id && out->tenant_key;
}

enum err capability_verify(struct arena *arena, const unsigned char key[PUBLIC_KEY_SIZE],
	const char *text, int64_t now_unix_ms, struct actor *out)
{
	struct bytes bytes;
	enum err e = paseto_verify(arena, key, text, &bytes);
	if (e)
		return e;
	const struct json *payload;
	e = json_parse(arena, (const char *)bytes.data, bytes.n, &payload);
	if (e || !is_timely(payload, now_unix_ms))
		return ERR_UNAUTHENTICATED;
	struct actor actor;
	if (!read_actor(payload, &actor))
		return ERR_UNAUTHENTICATED;
	*out = actor;
	return OK;
}

const char *capability_tenant_key(struct arena *arena, const unsigned char mac_key[KEY_SIZE],
	const char *tenant_id, int64_t expires_unix_ms)
{
	const char *text = arena_printf(arena, "%s.%" PRId64, tenant_id, expires_unix_ms / 1000);
	unsigned char mac[HASH_SIZE];
	crypto_hmac_sha256(mac_key, text, strlen(text), mac);
	return arena_printf(arena, "%s.%s", text, crypto_hex(arena, mac, sizeof mac));
}
