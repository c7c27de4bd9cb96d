/* The table behind algorithms.h. A row for each use: who changes a cipher changes its row. */
#include "libcommon/algorithms.h"

#include <string.h>

#include "libcommon/buf.h"
#include "libcommon/capability.h"
#include "libcommon/crypto.h"
#include "libcommon/keyring_slots.h"

#define BITS(bytes_) ((int64_t)(bytes_)*8)
#define TAG_SIZE STREAM_SEAL_OVERHEAD /* Poly1305 */
#define KEY_FIGURE                                                                                 \
	{                                                                                          \
		"key", BITS(KEY_SIZE)                                                              \
	}
#define SEAL_FIGURES                                                                               \
	KEY_FIGURE, { "nonce", BITS(SEAL_OVERHEAD - TAG_SIZE) },                                   \
	{                                                                                          \
		"tag", BITS(TAG_SIZE)                                                              \
	}
#define SEAL "XChaCha20-Poly1305"
#define PASSWORD_KEY_AND_SALTS                                                                     \
	"derived from `password.key`, the tenant's login salt and the user's random bytes in the " \
	"keyring, which go with tenant and user"

const struct algorithm algorithms[] = {
	{ "passwordStaff", "Argon2id (RFC 9106)", "passwords of staff", ", sealed with " SEAL,
		PASSWORD_KEY_AND_SALTS,
		{ { "memory", PASSWORD_STAFF_MIB }, { "passes", PASSWORD_STAFF_PASSES } } },
	{ "passwordStudent", "Argon2id (RFC 9106)", "passwords of pupils", ", sealed with " SEAL,
		PASSWORD_KEY_AND_SALTS,
		{ { "memory", PASSWORD_STUDENT_MIB }, { "passes", PASSWORD_STUDENT_PASSES } } },
	{ "oneTimeSecret", "BLAKE2b", "one-time secrets, recovery codes, names in the throttle",
		" with a key", "derived from `password.key`",
		{ KEY_FIGURE, { "hash", BITS(HASH_SIZE) } } },
	{ "secondFactor", "HMAC-SHA-1 (RFC 6238)", "codes of the second factor",
		", what apps know, sealed with " SEAL,
		"random for each account; sealed under a key " PASSWORD_KEY_AND_SALTS,
		{ { "key", BITS(TOTP_SECRET_SIZE) }, { "digits", TOTP_DIGITS },
			{ "seconds", TOTP_STEP_MS / 1000 } } },
	{ "sessionToken", "SHA-256", "session tokens", " of a random token", "none",
		{ { "random", BITS(SESSION_TOKEN_SIZE) }, { "hash", BITS(HASH_SIZE) } } },
	{ "sessionCache", SEAL, "capabilities in Redis", ", bound to the session",
		"derived from `password.key`", { SEAL_FIGURES } },
	{ "capability", "PASETO v4.public (Ed25519)", "capabilities", "",
		"`capability.key`, auth only",
		{ KEY_FIGURE, { "seconds", CAPABILITY_LIFETIME_MS / 1000 } } },
	{ "tenantEntry", "HMAC-SHA-256", "entering a tenant in the database", "",
		"`tenant-mac.key`: auth, and a table that no service can read",
		{ KEY_FIGURE, { "hash", BITS(HASH_SIZE) } } },
	{ "logTree", "SHA-256 (RFC 6962)", "the state of a log", " as a Merkle tree", "none",
		{ { "hash", BITS(HASH_SIZE) } } },
	{ "checkpoint", "Ed25519", "the signature under a state of a log, certificates and exports",
		" over C2SP checkpoints", "`checkpoint.key`, audit only", { KEY_FIGURE } },
	{ "witness", "Ed25519", "a witness's signature",
		" over time and checkpoint (C2SP tlog-cosignature)",
		"made by the witness, in its own directory", { KEY_FIGURE } },
	{ "bus", "ChaCha20-Poly1305 (RFC 8439)", "messages between processes",
		", a key per link and direction", "`bus/<name>/`",
		{ KEY_FIGURE, { "tag", BITS(TAG_SIZE) } } },
	{ "busHandshake", "BLAKE2b", "the beginning of a link between processes",
		", keyed: who is there, and a key for this link", "`bus/<name>/`",
		{ KEY_FIGURE, { "hash", BITS(HASH_SIZE) } } },
	{ "eventProof", "HMAC-SHA-256", "proofs of events between services",
		", made by the database",
		"`tenant-mac.key`: auth, and a table that no service can read",
		{ KEY_FIGURE, { "hash", BITS(HASH_SIZE) } } },
	{ "tenantKey", SEAL, "tenant keys at rest",
		" under the root key, bound to the file's name; or wrapped by AWS KMS, bound to the"
		" tenant; sealed anew when the root changes",
		"`keyring-root.key`, which may lie sealed under a passphrase (Argon2id), or the "
		"service's",
		{ SEAL_FIGURES } },
	{ "tenantText", SEAL, "texts of lessons",
		", bound to tenant, column, row and version of the key; their length can be seen",
		"derived from the tenant's key", { SEAL_FIGURES } },
	{ "userText", SEAL, "names of people, texts of a child", ", bound like texts of lessons",
		"of that one user: BLAKE2b, keyed with the tenant's, over the user's id and random"
		" bytes in the keyring, which are overwritten when the user is erased",
		{ SEAL_FIGURES, { "random", BITS(USER_SALT_SIZE) } } },
	{ "waiting", SEAL, "what waits for delivery: events and mail",
		", bound like texts of lessons",
		"derived from the tenant's key, or of the one user whom it is about",
		{ SEAL_FIGURES } },
	{ "repetition", SEAL ", HMAC-SHA-256", "answers kept for a repetition",
		", sealed twice; found by a hash with a key",
		"of the tenant or the user whom it is about, and of the caller's Idempotency-Key",
		{ SEAL_FIGURES } },
	{ "loginIndex", "HMAC-SHA-256", "finding login names", "",
		"of each tenant, in the keyring: an index key in provisioning; in auth BLAKE2b, "
		"keyed"
		" from `password.key`, over the tenant's login salt",
		{ KEY_FIGURE, { "hash", BITS(HASH_SIZE) } } },
	{ "erasureLedger", "SHA-256", "the ledger of erasures",
		" over the line before and this one", "none; certificates name its last hash",
		{ { "hash", BITS(HASH_SIZE) } } },
	{ "media", SEAL, "videos", " in chunks, bound to tenant, video, place and end",
		"random for each video; sealed in its row under the key of the pupil who made it, "
		"or"
		" the tenant's for what the staff uploads",
		{ SEAL_FIGURES, { "chunk", MEDIA_CHUNK_SIZE } } },
	{ "archive", SEAL, "exports, and archives that are taken in", " in chunks like videos",
		"random for each; sealed in its row under the tenant's key",
		{ SEAL_FIGURES, { "chunk", MEDIA_CHUNK_SIZE } } },
	{ "outbound", "TLS 1.3", "receivers of the log, witnesses, mail, AWS KMS",
		"; 1.2 where they have no other",
		"theirs; a certificate of our own where one is demanded", { { NULL, 0 } } },
	{ "kmsRequest", "HMAC-SHA-256 (AWS SigV4)", "requests to AWS KMS", "",
		"the deployment's credentials at AWS", { { NULL, 0 } } },
	{ "browser", "TLS 1.3", "browsers", "; 1.2 with forward secrecy and AEAD on request",
		"the gateway's certificate", { { NULL, 0 } } },
	{ "ticket", "AES-256-CBC, HMAC-SHA-256", "session tickets", "",
		"random, in memory, an hour", { KEY_FIGURE } },
};
const size_t algorithms_n = sizeof(algorithms) / sizeof(algorithms[0]);

/* How a figure reads behind its unit. */
static const struct {
	const char *unit, *behind;
} WORDS[] = {
	{ "memory", " MiB" },
	{ "passes", "" },
	{ "digits", "" },
	{ "seconds", "" },
	{ "chunk", " bytes" },
};

static const char *behind(const char *unit)
{
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (strcmp(WORDS[i].unit, unit) == 0)
			return WORDS[i].behind;
	return " bit";
}

const char *algorithm_parameters(struct arena *arena, const struct algorithm *algorithm)
{
	struct buf out = { .arena = arena };
	const struct algorithm_figure *figure = algorithm->figures;
	for (size_t i = 0; i < ALGORITHM_FIGURES_MAX && figure[i].unit; i++)
		buf_printf(&out, "%s%s %lld%s", i ? ", " : "", figure[i].unit,
			(long long)figure[i].value, behind(figure[i].unit));
	return out.n ? out.data : "";
}
