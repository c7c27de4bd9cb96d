/* Sealing and opening personal data; see personal.h. */
#include "libcommon/personal.h"

#include <assert.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_user.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

#define FORMAT 1
enum { KIND_TENANT, KIND_USER };
#define HEADER_SIZE 6 /* format, kind, version */
#define HEADER_MAX (HEADER_SIZE + UUID_BYTES)
#define BETWEEN "\x1f"

const char *const personal_erased[PERSONAL_PARTS_MAX] = { "削除済み", "利用者", "さくじょずみ",
	"りようしゃ" };

/* An administrator who reads it can write the name anew. */
const char *const personal_ended[PERSONAL_PARTS_MAX] = { "復元不可", "利用者", "ふくげんふか",
	"りようしゃ" };

const struct problem personal_gone = { ERR_NOT_FOUND, 410, "content_gone",
	"この内容は、鍵が破棄されているため、読むことができません。",
	"The key of this was destroyed, so nobody can read it any more." };

#define ERASED_LOGIN "erased" /* what has an index is a login name, and those are ASCII */

/* What a sealed text begins with. */
struct header {
	unsigned char bytes[HEADER_MAX];
	size_t n;
};

/* What a sealed text is bound to. */
struct sealed_place {
	const char *tenant_id;
	const struct personal_kind *kind;
	const char *row_id;
	struct header header;
	const char *const *lost; /* what stands for it where its key is destroyed */
};

/* The header is in the associated data too: a seal does not commit to its key. */
static struct bytes associated(struct call *c, const struct sealed_place *place)
{
	const char *text = arena_printf(c->arena, "manabiya personal %s %s %s %s %s",
		crypto_hex(c->arena, place->header.bytes, place->header.n), place->tenant_id,
		place->kind->domain, place->kind->column, place->row_id);
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

/* ---- header ---- */

static void write_header(uint32_t version, const char *user_id, struct header *out)
{
	out->bytes[0] = FORMAT;
	out->bytes[1] = user_id ? KIND_USER : KIND_TENANT;
	for (size_t i = 0; i < 4; i++)
		out->bytes[2 + i] = (unsigned char)(version >> (24 - 8 * i));
	if (user_id)
		uuid_to_bytes(user_id, out->bytes + HEADER_SIZE);
	out->n = user_id ? HEADER_MAX : HEADER_SIZE;
}

/* Whether it is a sealed text; the shortest has no text at all. */
static bool read_header(struct bytes sealed, struct header *out)
{
	if (sealed.n < HEADER_SIZE || sealed.data[0] != FORMAT || sealed.data[1] > KIND_USER)
		return false;
	out->n = sealed.data[1] == KIND_USER ? HEADER_MAX : HEADER_SIZE;
	if (sealed.n < out->n + SEAL_OVERHEAD)
		return false;
	memcpy(out->bytes, sealed.data, out->n);
	return true;
}

static uint32_t version_of(const struct header *header)
{
	uint32_t version = 0;
	for (size_t i = 0; i < 4; i++)
		version = version << 8 | header->bytes[2 + i];
	return version;
}

/* ---- keys ---- */

static enum err user_key(struct call *c, const struct sealed_place *place, struct data_key which,
	unsigned char key[KEY_SIZE])
{
	char user_id[UUID_SIZE];
	uuid_from_bytes(place->header.bytes + HEADER_SIZE, user_id);
	return keyring_user_key(c->keyring, place->tenant_id, which, user_id, key);
}

static bool has_ended(struct call *c, const struct sealed_place *place, uint32_t version)
{
	struct keyring_version which = { .version = version };
	memcpy(which.tenant_id, place->tenant_id, UUID_SIZE); /* the keyring knows it as an id */
	return keyring_version_has_ended(c->keyring, &which);
}

/*
 * NOT_FOUND, without a failure noted: it was destroyed, and place->lost stands for it. A tenant
 * without a key that did not end is one that was erased whole, or its keyring is not whole; without
 * a keyring the service cannot start.
 */
static enum err data_key(struct call *c, struct sealed_place *place, unsigned char key[KEY_SIZE])
{
	assert(c->keyring); /* a service that has personal fields says so (service.h) */
	const struct data_key which = { .domain = place->kind->domain,
		.version = version_of(&place->header) };
	enum err e = ERR_NOT_FOUND;
	if (place->header.n == HEADER_MAX)
		e = user_key(c, place, which, key);
	if (e == ERR_NOT_FOUND) {
		enum err tenants = keyring_data_key(c->keyring, place->tenant_id, which, key);
		if (!tenants && place->header.n == HEADER_MAX)
			place->lost = personal_erased;
		else if (tenants == ERR_NOT_FOUND && has_ended(c, place, which.version))
			place->lost = personal_ended;
		if (place->lost)
			return ERR_NOT_FOUND;
		e = tenants;
	}
	if (e == ERR_NOT_FOUND)
		return fail(c, ERR_INTERNAL, "tenant %s has no key %u", place->tenant_id,
			(unsigned)which.version);
	if (e == ERR_FORBIDDEN)
		return fail(c, ERR_INTERNAL, "%s is not of this service", place->kind->column);
	return e ? fail(c, ERR_UNAVAILABLE, "keyring: %s", err_name(e)) : OK;
}

/* ---- sealing ---- */

static enum err seal(struct call *c, struct sealed_place *place, const char *user_id,
	const char *text, const char **sealed)
{
	auto_secret(key, KEY_SIZE);
	uint32_t version = 0;
	assert(c->keyring);
	if (keyring_newest(c->keyring, place->tenant_id, &version))
		return fail(c, ERR_UNAVAILABLE, "no key of tenant %s", place->tenant_id);
	write_header(version, user_id, &place->header);
	enum err e = data_key(c, place, key);
	if (e == ERR_NOT_FOUND)
		return fail(c, ERR_NOT_FOUND, "the key of %s is destroyed", place->row_id);
	if (e)
		return e;
	size_t n = strlen(text), header_n = place->header.n;
	unsigned char *out = arena_alloc(c->arena, header_n + n + SEAL_OVERHEAD);
	memcpy(out, place->header.bytes, header_n);
	crypto_seal(key, associated(c, place), text, n, out + header_n);
	*sealed = crypto_base64url(c->arena, out, header_n + n + SEAL_OVERHEAD);
	return OK;
}

static const char *tenant_of(const struct call *c, const struct personal_place *place)
{
	return place->tenant_id ? place->tenant_id : c->actor->tenant_id;
}

enum err personal_seal_for(struct call *c, const struct personal_place *place,
	struct personal value, const char **sealed)
{
	*sealed = NULL;
	if (!value.text)
		return OK;
	assert(!value.kind->part); /* else its other parts would be lost */
	struct sealed_place at = {
		.tenant_id = tenant_of(c, place), .kind = value.kind, .row_id = place->row_id
	};
	return seal(c, &at, place->user_id, value.text, sealed);
}

enum err personal_seal(
	struct call *c, const char *row_id, struct personal value, const char **sealed)
{
	const struct personal_place place = { .row_id = row_id };
	assert(!value.text || !value.kind->of_user); /* personal_seal_for() */
	return personal_seal_for(c, &place, value, sealed);
}

enum err personal_seal_parts(struct call *c, const struct personal_place *place,
	const struct personal *parts, size_t n, const char **sealed)
{
	struct buf text = { .arena = c->arena };
	struct sealed_place at = {
		.tenant_id = tenant_of(c, place), .kind = parts[0].kind, .row_id = place->row_id
	};
	while (n > 1 && !parts[n - 1].text)
		n--;
	for (size_t i = 0; i < n; i++) {
		assert(parts[i].text && parts[i].kind->part == i + 1);
		assert(strcmp(parts[i].kind->column, parts[0].kind->column) == 0);
		if (strchr(parts[i].text, *BETWEEN))
			return fail(c, ERR_INVALID, "a text holds a control character");
		if (i)
			buf_text(&text, BETWEEN);
		buf_text(&text, parts[i].text);
	}
	return seal(c, &at, place->user_id, text.data ? text.data : "", sealed);
}

/* ---- finding ---- */

enum err personal_index(struct call *c, struct personal value, struct blind_index *out)
{
	auto_secret(key, KEY_SIZE);
	unsigned char hash[HASH_SIZE];
	assert(value.kind->index && c->keyring);
	const struct data_key which = {
		.domain = arena_printf(c->arena, PERSONAL_INDEX_DOMAIN, value.kind->index),
		.version = KEYRING_INDEX,
	};
	enum err e = keyring_data_key(c->keyring, c->actor->tenant_id, which, key);
	if (e == ERR_FORBIDDEN)
		return fail(c, ERR_INTERNAL, "%s is not of this service", value.kind->column);
	if (e)
		return fail(c, ERR_UNAVAILABLE, "no index key of tenant %s", c->actor->tenant_id);
	char *text = arena_strdup(c->arena, value.text);
	for (char *at = text; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
	crypto_hmac_sha256(key, text, strlen(text), hash);
	out->value = crypto_base64url(c->arena, hash, sizeof(hash));
	return OK;
}

/* ---- opening ---- */

/* Names the column, never what is in it: it is logged. */
static enum err is_foreign(struct call *c, const struct personal_kind *kind)
{
	return fail(c, ERR_INTERNAL, "%s was not sealed for this row", kind->column);
}

/* *text is NULL when its key is destroyed. */
static enum err open_sealed(
	struct call *c, struct sealed_place *place, struct bytes sealed, const char **text)
{
	auto_secret(key, KEY_SIZE);
	size_t header_n = place->header.n, n = sealed.n - header_n;
	enum err e = data_key(c, place, key);
	*text = NULL;
	if (e)
		return place->lost ? OK : e;
	unsigned char *plain = arena_alloc(c->arena, n); /* the overhead leaves room for the NUL */
	if (crypto_open(key, associated(c, place), sealed.data + header_n, n, plain))
		return is_foreign(c, place->kind);
	*text = (const char *)plain;
	return OK;
}

static enum err read_place(struct call *c, const char *row_and_sealed, struct sealed_place *place,
	struct bytes *sealed)
{
	const char *colon = strchr(row_and_sealed, ':'), *slash = strchr(row_and_sealed, '/');
	if (slash) { /* SEALED_OF() */
		place->tenant_id =
			arena_strndup(c->arena, row_and_sealed, (size_t)(slash - row_and_sealed));
		row_and_sealed = slash + 1;
	}
	if (!colon || crypto_from_base64url(c->arena, colon + 1, sealed) ||
		!read_header(*sealed, &place->header))
		return is_foreign(c, place->kind);
	place->row_id = arena_strndup(c->arena, row_and_sealed, (size_t)(colon - row_and_sealed));
	return OK;
}

/* Who reads, and writes nothing on from it. */
static bool is_reader(const struct call *c)
{
	return c->op && !(c->op->flags & OP_WRITES) && c->actor->role != ROLE_SERVICE;
}

static enum err note_lost(struct call *c, const struct sealed_place *place)
{
	if (place->lost == personal_ended && !is_reader(c))
		return fail_with(c, &personal_gone, "%s of %s", place->kind->column, place->row_id);
	if (!c->lost.n++) {
		c->lost.column = place->kind->column;
		c->lost.row_id = place->row_id;
	}
	return OK;
}

/* *text, or else *lost. */
static enum err open_row(
	struct call *c, struct sealed_place *place, const char *row_and_sealed, const char **text)
{
	struct bytes sealed = { 0 };
	enum err e = read_place(c, row_and_sealed, place, &sealed);
	if (!e)
		e = open_sealed(c, place, sealed, text);
	return !e && place->lost ? note_lost(c, place) : e;
}

enum err personal_open_of(struct call *c, const char *tenant_id, const struct personal_kind *kind,
	const char *row_and_sealed, const char **text)
{
	const char *opened = NULL;
	struct sealed_place place = { .tenant_id = tenant_id, .kind = kind };
	enum err e = open_row(c, &place, row_and_sealed, &opened);
	if (!e && place.lost)
		opened = kind->index ? ERASED_LOGIN : place.lost[0];
	if (!e)
		*text = opened;
	return e;
}

enum err personal_open(struct call *c, const struct personal_kind *kind, const char *row_and_sealed,
	const char **text)
{
	return personal_open_of(c, c->actor->tenant_id, kind, row_and_sealed, text);
}

static enum err split(struct call *c, const struct personal_kind *kind, const char *text,
	const char *parts[PERSONAL_PARTS_MAX])
{
	for (size_t i = 0; text; i++) {
		const char *end = strchr(text, *BETWEEN);
		if (i == PERSONAL_PARTS_MAX)
			return is_foreign(c, kind);
		parts[i] = end ? arena_strndup(c->arena, text, (size_t)(end - text)) : text;
		text = end ? end + 1 : NULL;
	}
	return OK;
}

enum err personal_open_parts(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char *parts[PERSONAL_PARTS_MAX])
{
	const char *text = NULL;
	struct sealed_place place = { .tenant_id = c->actor->tenant_id, .kind = kind };
	enum err e = open_row(c, &place, row_and_sealed, &text);
	if (e)
		return e;
	memset(parts, 0, PERSONAL_PARTS_MAX * sizeof(*parts));
	if (text)
		return split(c, kind, text, parts);
	bool is_name = strcmp(kind->domain, "name") == 0;
	for (size_t i = 0; i < PERSONAL_PARTS_MAX; i++)
		parts[i] = place.lost[is_name ? i : 0];
	return OK;
}

/* ---- what nobody can open any more ---- */

bool personal_is_lost(const char *text)
{
	return text == personal_erased[0] || text == personal_ended[0];
}

static bool is_missing(const struct field *field, const char *at)
{
	struct personal value = { 0 };
	if (field->personal && field->required)
		memcpy(&value, at, sizeof(value));
	return field->personal && field->required && !value.text;
}

static void leave_out_items(const struct shape *shape, struct list *list)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->n; i++) {
		char *item = (char *)list->items + i * shape->size;
		if (personal_leave_out(shape, item))
			continue;
		if (kept != i)
			memcpy((char *)list->items + kept * shape->size, item, shape->size);
		kept++;
	}
	list->n = kept;
}

/* Whether the whole lacks it. */
static bool leave_out_member(const struct field *field, char *at)
{
	static void *const nothing = NULL;
	void *object;
	struct list list;
	if (field->kind == KIND_ARRAY) {
		memcpy(&list, at, sizeof(list));
		leave_out_items(field->shape, &list);
		memcpy(at, &list, sizeof(list));
		return false;
	}
	memcpy(&object, at, sizeof(object));
	if (!object || !personal_leave_out(field->shape, object))
		return false;
	if (!field->required)
		memcpy(at, &nothing, sizeof(nothing));
	return field->required;
}

bool personal_leave_out(const struct shape *shape, void *object)
{
	bool lacks = false;
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		char *at = (char *)object + field->offset;
		if (is_missing(field, at) || (field->shape && leave_out_member(field, at)))
			lacks = true;
	}
	return lacks;
}

/* ---- another version of the key ---- */

enum err personal_reseal(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char **again)
{
	const char *text = NULL;
	char user_id[UUID_SIZE];
	struct bytes sealed = { 0 };
	struct sealed_place place = { .tenant_id = c->actor->tenant_id, .kind = kind };
	*again = NULL;
	enum err e = read_place(c, row_and_sealed, &place, &sealed);
	if (!e)
		e = open_sealed(c, &place, sealed, &text);
	if (e || !text)
		return e;
	bool is_of_user = place.header.n == HEADER_MAX;
	if (is_of_user)
		uuid_from_bytes(place.header.bytes + HEADER_SIZE, user_id);
	return seal(c, &place, is_of_user ? user_id : NULL, text, again);
}

void personal_prefix(uint32_t version, bool of_user, char out[PERSONAL_PREFIX_SIZE])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t bits = (uint64_t)FORMAT << 40 | (uint64_t)of_user << 32 | version;
	for (unsigned i = 0; i < PERSONAL_PREFIX_SIZE - 1; i++)
		out[i] = alphabet[bits >> (42 - 6 * i) & 63];
	out[PERSONAL_PREFIX_SIZE - 1] = '\0';
}
