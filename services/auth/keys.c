/*
 * The keys that only auth holds, and what is made with them. Nothing here touches the database; of
 * the keyring only the tenants' salts and the users' slots are read, each time anew: it costs
 * microseconds beside an Argon2, and the end of a tenant or of a user is noticed at once.
 */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/capability.h"
#include "libcommon/clock.h"
#include "libcommon/keyring_salt.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "services/auth/auth.h"

/* A tenant key must outlive the capability that carries it by the longest transaction that may
 * begin at its last moment. */
#define TENANT_KEY_MARGIN_MS 60000

#define SECRET_GROUPS 4 /* 80 bit */
#define SECRET_LIFETIME_MS (30 * INT64_C(86400000)) /* of one on paper that nobody used */
#define SEAL_VERSION "3" /* rises when keys are made of something else */

struct auth_conf auth_conf;

/* One purpose each; all but the first two are derived from the password key. With those that seal
 * what lies in the database nothing is sealed as they are, but with a user's (user_key_find()): who
 * has this process's keys and a backup opens nothing of who is erased. */
static struct keys {
	unsigned char signing[SIGNING_KEY_SIZE];
	unsigned char tenant_mac[KEY_SIZE];
	unsigned char password_seal[KEY_SIZE];
	unsigned char totp_seal[KEY_SIZE];
	unsigned char secret_hash[KEY_SIZE];
	unsigned char throttle[KEY_SIZE];
	unsigned char cache_seal[KEY_SIZE];
	unsigned char login[KEY_SIZE];
} * keys;
static int salts = -1; /* the keyring's directory */
static struct keyring_users *slots;

static enum err read_key(const char *option, const char *hex, unsigned char out[KEY_SIZE])
{
	if (crypto_from_hex(hex, out, KEY_SIZE) == OK)
		return OK;
	log_event(
		LOG_LEVEL_ERROR, "a key is not 64 hexadecimal digits", LOG_TEXT("option", option));
	return ERR_INVALID;
}

static enum err open_salts(void)
{
	salts = open(auth_conf.keyring, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (salts >= 0) {
		slots = keyring_users_new(salts);
		return OK;
	}
	log_event(LOG_LEVEL_ERROR, "the keyring's directory cannot be opened",
		LOG_TEXT("directory", auth_conf.keyring));
	return ERR_INVALID;
}

enum err keys_open(void)
{
	auto_secret(seed, KEY_SIZE);
	auto_secret(password_key, KEY_SIZE);
	unsigned char public_key[PUBLIC_KEY_SIZE];
	keys = crypto_secret_alloc(sizeof *keys);
	enum err e = read_key("capability-key", auth_conf.capability_key, seed);
	if (!e)
		e = read_key("tenant-mac-key", auth_conf.tenant_mac_key, keys->tenant_mac);
	if (!e)
		e = read_key("password-key", auth_conf.password_key, password_key);
	if (!e)
		e = open_salts();
	if (e)
		return e;
	crypto_sign_keys(seed, public_key, keys->signing);
	crypto_derive(password_key, "password-seal", keys->password_seal);
	crypto_derive(password_key, "totp-seal", keys->totp_seal);
	crypto_derive(password_key, "secret-hash", keys->secret_hash);
	crypto_derive(password_key, "throttle", keys->throttle);
	crypto_derive(password_key, "cache-seal", keys->cache_seal);
	crypto_derive(password_key, "login", keys->login);
	return OK;
}

void keys_close(void)
{
	crypto_secret_free(keys);
	keys = NULL;
	keyring_users_free(slots);
	slots = NULL;
	if (salts >= 0)
		(void)close(salts);
	salts = -1;
}

enum err keys_drop_idle(struct call *c, bool *more)
{
	*more = false;
	keyring_users_drop_idle(slots);
	return OK;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

/* ---- tenants and capabilities ---- */

const char *tenant_key_of(struct call *c, const char *tenant_id)
{
	return capability_tenant_key(c->arena, keys->tenant_mac, tenant_id,
		clock_unix_ms() + CAPABILITY_LIFETIME_MS + TENANT_KEY_MARGIN_MS);
}

const char *capability_of(struct call *c, struct actor *actor)
{
	actor->tenant_key = tenant_key_of(c, actor->tenant_id);
	return capability_mint(c->arena, keys->signing, actor, clock_unix_ms());
}

/* ---- what lies in the cache ---- */

const char *entry_seal(struct call *c, const char *key, const char *text)
{
	size_t n = strlen(text);
	unsigned char *sealed = arena_alloc(c->arena, n + SEAL_OVERHEAD);
	crypto_seal(keys->cache_seal, bytes_of(key), text, n, sealed);
	return crypto_base64url(c->arena, sealed, n + SEAL_OVERHEAD);
}

enum err entry_open(struct call *c, const char *key, const char *sealed, const char **text)
{
	struct bytes bytes;
	enum err e = crypto_from_base64url(c->arena, sealed, &bytes);
	if (e)
		return e;
	char *plain = arena_alloc(c->arena, bytes.n + 1);
	*text = plain;
	return crypto_open(
		keys->cache_seal, bytes_of(key), bytes.data, bytes.n, (unsigned char *)plain);
}

/* ---- keys of one tenant ---- */

/* Of the process's key and the tenant's salt. NOT_FOUND, without a failure noted, when it has none:
 * `out` is then the key of no tenant, made by the same work. */
static enum err key_find(struct call *c, const unsigned char key[KEY_SIZE], const char *tenant_id,
	unsigned char out[KEY_SIZE])
{
	auto_secret(salt, KEY_SIZE);
	enum err e = keyring_salt_read(salts, tenant_id, salt);
	if (e && e != ERR_NOT_FOUND)
		return fail(c, ERR_UNAVAILABLE, "login salt of %s: %s", tenant_id, err_name(e));
	crypto_keyed_hash(key, salt, KEY_SIZE, out);
	return e;
}

/* The same where the tenant must have one. */
static enum err key_of(struct call *c, const unsigned char key[KEY_SIZE], const char *tenant_id,
	unsigned char out[KEY_SIZE])
{
	enum err e = key_find(c, key, tenant_id, out);
	return e == ERR_NOT_FOUND ? fail(c, ERR_UNAVAILABLE, "%s has no login salt", tenant_id) : e;
}

/* ---- keys of one user ---- */

/*
 * Of the process's key, the tenant's salt and the user's slot. NOT_FOUND when one of them is
 * erased, UNAVAILABLE when the user has no slot, no failure noted: `out` is then the key of nobody,
 * made by the same work. The provider's own people have none: they are in no roster, and never
 * erased.
 */
static enum err user_key_find(const unsigned char key[KEY_SIZE], const char *tenant_id,
	const char *user_id, unsigned char out[KEY_SIZE])
{
	auto_secret(both, 2 * KEY_SIZE);
	enum err of_tenant = keyring_salt_read(salts, tenant_id, both);
	enum err of_user = strcmp(tenant_id, OPERATOR_TENANT) == 0
		? OK
		: keyring_user_salt(slots, tenant_id, user_id, both + KEY_SIZE);
	crypto_keyed_hash(key, both, sizeof both, out);
	return of_tenant ? of_tenant : of_user;
}

static enum err has_no_key(struct call *c, const char *tenant_id, const char *user_id, enum err e)
{
	return fail(
		c, ERR_UNAVAILABLE, "salts of user %s of %s: %s", user_id, tenant_id, err_name(e));
}

/* The same where the user must have one. */
static enum err user_key_of(struct call *c, const unsigned char key[KEY_SIZE],
	const char *tenant_id, const char *user_id, unsigned char out[KEY_SIZE])
{
	enum err e = user_key_find(key, tenant_id, user_id, out);
	return e ? has_no_key(c, tenant_id, user_id, e) : OK;
}

/* ---- passwords ---- */

static struct bytes seal_context(
	struct call *c, const char *tenant_id, const char *user_id, const char *kind)
{
	return bytes_of(
		arena_printf(c->arena, "%s|%s|%s|%s", tenant_id, user_id, kind, SEAL_VERSION));
}

enum err password_seal(struct call *c, const char *tenant_id, const char *user_id, const char *phc,
	const char **out)
{
	auto_secret(key, KEY_SIZE);
	size_t n = strlen(phc);
	unsigned char *sealed = arena_alloc(c->arena, n + SEAL_OVERHEAD);
	enum err e = user_key_of(c, keys->password_seal, tenant_id, user_id, key);
	if (e)
		return e;
	crypto_seal(key, seal_context(c, tenant_id, user_id, "pwhash"), phc, n, sealed);
	*out = db_bytea(c, sealed, n + SEAL_OVERHEAD);
	return OK;
}

static enum err open_password(struct call *c, const unsigned char key[KEY_SIZE],
	struct bytes context, const char *sealed_hex, const char **phc)
{
	size_t n = strlen(sealed_hex) / 2;
	unsigned char *sealed = arena_alloc(c->arena, n + 1);
	char *plain = arena_alloc(c->arena, n + 1);
	enum err e = crypto_from_hex(sealed_hex, sealed, n);
	if (!e)
		e = crypto_open(key, context, sealed, n, (unsigned char *)plain);
	if (e)
		return fail(c, ERR_INTERNAL, "a stored password does not open with this key");
	*phc = plain;
	return OK;
}

enum err password_unseal(struct call *c, const char *tenant_id, const char *user_id,
	const char *sealed_hex, const char **phc)
{
	auto_secret(key, KEY_SIZE);
	*phc = NULL;
	enum err e = user_key_find(keys->password_seal, tenant_id, user_id, key);
	if (e == ERR_NOT_FOUND)
		return e;
	if (!sealed_hex) /* perhaps of nobody, who has no slot */
		return OK;
	if (e)
		return has_no_key(c, tenant_id, user_id, e);
	return open_password(
		c, key, seal_context(c, tenant_id, user_id, "pwhash"), sealed_hex, phc);
}

/* ---- secrets of authenticator apps ---- */

enum err totp_seal(struct call *c, const char *tenant_id, const char *user_id,
	const unsigned char secret[TOTP_SECRET_SIZE], const char **out)
{
	auto_secret(key, KEY_SIZE);
	unsigned char sealed[TOTP_SECRET_SIZE + SEAL_OVERHEAD];
	enum err e = user_key_of(c, keys->totp_seal, tenant_id, user_id, key);
	if (e)
		return e;
	crypto_seal(
		key, seal_context(c, tenant_id, user_id, "totp"), secret, TOTP_SECRET_SIZE, sealed);
	*out = db_bytea(c, sealed, sizeof sealed);
	return OK;
}

enum err totp_unseal(struct call *c, const char *tenant_id, const char *user_id,
	const char *sealed_hex, unsigned char secret[TOTP_SECRET_SIZE])
{
	auto_secret(key, KEY_SIZE);
	unsigned char sealed[TOTP_SECRET_SIZE + SEAL_OVERHEAD];
	enum err e = user_key_find(keys->totp_seal, tenant_id, user_id, key);
	if (e)
		return e == ERR_NOT_FOUND ? e : has_no_key(c, tenant_id, user_id, e);
	e = crypto_from_hex(sealed_hex, sealed, sizeof sealed);
	if (!e)
		e = crypto_open(key, seal_context(c, tenant_id, user_id, "totp"), sealed,
			sizeof sealed, secret);
	return e ? fail(c, ERR_INTERNAL, "a stored secret does not open with this key") : OK;
}

/* ---- one-time secrets ---- */

const char *secret_new(struct call *c)
{
	return crypto_readable_secret(c->arena, SECRET_GROUPS);
}

const char *secret_end(struct call *c)
{
	return db_integer(c, clock_unix_ms() + SECRET_LIFETIME_MS);
}

static void add_canonical(struct buf *out, const char *secret)
{
	for (; *secret; secret++)
		if (!isspace((unsigned char)*secret) && *secret != '-')
			buf_char(out, (char)tolower((unsigned char)*secret));
}

const char *secret_hash(
	struct call *c, const char *tenant_id, const char *user_id, const char *secret)
{
	struct buf text = { .arena = c->arena };
	unsigned char hash[HASH_SIZE];
	buf_printf(&text, "%s|%s|", tenant_id, user_id);
	add_canonical(&text, secret);
	crypto_keyed_hash(keys->secret_hash, text.data, text.n, hash);
	return crypto_hex(c->arena, hash, sizeof hash);
}

/* ---- login names ---- */

enum err login_key_find(struct call *c, const char *tenant_id, unsigned char key[KEY_SIZE])
{
	return key_find(c, keys->login, tenant_id, key);
}

enum err login_key_of(struct call *c, const char *tenant_id, unsigned char key[KEY_SIZE])
{
	return key_of(c, keys->login, tenant_id, key);
}

/* Names and codes are compared without case. */
static void add_lower(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_char(out, (char)tolower((unsigned char)*text));
}

const char *login_index(struct call *c, const unsigned char key[KEY_SIZE], const char *username)
{
	struct buf text = { .arena = c->arena };
	unsigned char hash[HASH_SIZE];
	add_lower(&text, username);
	crypto_hmac_sha256(key, text.data, text.n, hash);
	return crypto_base64url(c->arena, hash, sizeof hash);
}

void throttle_subject(struct call *c, const char *tenant_code, const char *login_index,
	unsigned char out[HASH_SIZE])
{
	struct buf text = { .arena = c->arena };
	add_lower(&text, tenant_code);
	buf_char(&text, '|');
	buf_text(&text, login_index);
	crypto_keyed_hash(keys->throttle, text.data, text.n, out);
}
