/* Sealing and opening personal data; see personal.h. */
#include "libcommon/personal.h"

#include <assert.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/keyring.h"

#define FORMAT 1
#define KIND_TENANT 0
#define HEADER_SIZE 6 /* format, kind, version */

/* What a sealed text is bound to. */
struct sealed_place {
	const char *tenant_id;
	const struct personal_kind *kind;
	const char *row_id;
};

/* The header is in the associated data too: a seal does not commit to its key. */
static struct bytes associated(
	struct call *c, const struct sealed_place *place, const unsigned char header[HEADER_SIZE])
{
	const char *text = arena_printf(c->arena, "manabiya personal %s %s %s %s %s",
		crypto_hex(c->arena, header, HEADER_SIZE), place->tenant_id, place->kind->domain,
		place->kind->column, place->row_id);
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

/* A tenant without a key is one that was erased; without a keyring the service cannot start. */
static enum err data_key(struct call *c, const struct sealed_place *place, uint32_t version,
	unsigned char key[KEY_SIZE])
{
	assert(c->keyring); /* a service that has personal fields says so (service.h) */
	const struct data_key which = { .domain = place->kind->domain, .version = version };
	enum err e = keyring_data_key(c->keyring, place->tenant_id, which, key);
	if (e == ERR_NOT_FOUND)
		return fail(c, ERR_INTERNAL, "tenant %s has no key %u", place->tenant_id,
			(unsigned)version);
	return e ? fail(c, ERR_UNAVAILABLE, "keyring: %s", err_name(e)) : OK;
}

static void write_header(uint32_t version, unsigned char out[HEADER_SIZE])
{
	out[0] = FORMAT;
	out[1] = KIND_TENANT;
	for (size_t i = 0; i < 4; i++)
		out[2 + i] = (unsigned char)(version >> (24 - 8 * i));
}

static uint32_t version_of(const unsigned char header[HEADER_SIZE])
{
	uint32_t version = 0;
	for (size_t i = 0; i < 4; i++)
		version = version << 8 | header[2 + i];
	return version;
}

enum err personal_seal(
	struct call *c, const char *row_id, struct personal value, const char **sealed)
{
	auto_secret(key, KEY_SIZE);
	const struct sealed_place place = { c->actor->tenant_id, value.kind, row_id };
	uint32_t version = 0;
	*sealed = NULL;
	if (!value.text)
		return OK;
	assert(c->keyring);
	if (keyring_newest(c->keyring, place.tenant_id, &version))
		return fail(c, ERR_UNAVAILABLE, "no key of tenant %s", place.tenant_id);
	enum err e = data_key(c, &place, version, key);
	if (e)
		return e;
	size_t n = strlen(value.text);
	unsigned char *out = arena_alloc(c->arena, HEADER_SIZE + n + SEAL_OVERHEAD);
	write_header(version, out);
	crypto_seal(key, associated(c, &place, out), value.text, n, out + HEADER_SIZE);
	*sealed = crypto_base64url(c->arena, out, HEADER_SIZE + n + SEAL_OVERHEAD);
	return OK;
}

static bool is_sealed(struct bytes data)
{
	return data.n >= HEADER_SIZE + SEAL_OVERHEAD && data.data[0] == FORMAT &&
		data.data[1] == KIND_TENANT;
}

/* Names the column, never what is in it: it is logged. */
static enum err is_foreign(struct call *c, const struct personal_kind *kind)
{
	return fail(c, ERR_INTERNAL, "%s was not sealed for this row", kind->column);
}

enum err personal_open_of(struct call *c, const char *tenant_id, const struct personal_kind *kind,
	const char *row_and_sealed, const char **text)
{
	auto_secret(key, KEY_SIZE);
	struct bytes sealed;
	const char *colon = strchr(row_and_sealed, ':');
	if (!colon || crypto_from_base64url(c->arena, colon + 1, &sealed) || !is_sealed(sealed))
		return is_foreign(c, kind);
	const struct sealed_place place = { tenant_id, kind,
		arena_strndup(c->arena, row_and_sealed, (size_t)(colon - row_and_sealed)) };
	enum err e = data_key(c, &place, version_of(sealed.data), key);
	if (e)
		return e;
	size_t n = sealed.n - HEADER_SIZE;
	unsigned char *plain = arena_alloc(c->arena, n); /* the overhead leaves room for the NUL */
	if (crypto_open(
		    key, associated(c, &place, sealed.data), sealed.data + HEADER_SIZE, n, plain))
		return is_foreign(c, kind);
	*text = (const char *)plain;
	return OK;
}

enum err personal_open(struct call *c, const struct personal_kind *kind, const char *row_and_sealed,
	const char **text)
{
	return personal_open_of(c, c->actor->tenant_id, kind, row_and_sealed, text);
}
