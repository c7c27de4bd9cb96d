/*
 * Personal data as it lies in the database: sealed under a key of its tenant or of the one user
 * whom it is about, for one column of one row. What is copied to another row, column or tenant does
 * not open.
 *
 * The schema says what is personal (x-personal: domain/table.column). Such a field is a struct
 * personal, which fits into no DB_ARGS: personal_seal() is the way in. The way out is reading a row
 * by its shape, which opens what it finds; the statement gives it the row's id with SEALED():
 *
 *     "SELECT id, " SEALED("k.id", "k.text") " AS text FROM learning.comment k"
 *
 * A column of several values (x-personal: name/person.name:1) is one to the statement, under the
 * column's own name, and several members of the shape: texts, one of a few words (an enum), and
 * integers as their digits. They are checked on the way out as on the way in.
 *
 * What must be found again by its text has an index beside it (x-blind-index: a column of the same
 * table): a keyed hash, which says nothing to who has the database alone. personal_index() makes
 * it.
 *
 * Sealed: format 1, kind of key (0 the tenant's, 1 a user's), version of the tenant's key (4
 * bytes), for kind 1 the user's id (16 bytes), nonce, ciphertext, tag; as base64url, because rows
 * travel as text and within JSON: a third longer, bytea in text form would be twice as long. Parts
 * are joined by U+001F, which no text of a request may hold.
 */
#ifndef MANABIYA_PERSONAL_H
#define MANABIYA_PERSONAL_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/err.h"
#include "libcommon/shape.h"

struct call;

/* A sealed column of a statement, with the id that its row is sealed for. */
#define SEALED(row_id_, column_) row_id_ "::text || ':' || " column_

/* The same where rows of another tenant are read too: row security says which. */
#define SEALED_OF(tenant_id_, row_id_, column_)                                                    \
	tenant_id_ "::text || '/' || " SEALED(row_id_, column_)

#define PERSONAL_PARTS_MAX 4

/* The parameter for a statement that writes the value into its row; NULL for one that is absent. */
must_check enum err personal_seal(
	struct call *c, const char *row_id, struct personal value, const char **sealed);

/* Whom a text is about, and where it goes. */
struct personal_place {
	const char *row_id;
	const char *user_id; /* NULL: nobody in particular (any more), under the tenant's key */
	const char *tenant_id; /* NULL: the actor's */
};
must_check enum err personal_seal_for(struct call *c, const struct personal_place *place,
	struct personal value, const char **sealed);

/* The parts of a column in their order, as one. Those at the end may be absent, the first not. */
must_check enum err personal_seal_parts(struct call *c, const struct personal_place *place,
	const struct personal *parts, size_t n, const char **sealed);

/*
 * What SEALED() gave. Text that was not sealed here for this row and column is ERR_INTERNAL. What
 * lies under a key that was destroyed is counted (c->lost), and another text stands for it: of a
 * user who was erased personal_erased. Of a version of the tenant's key that ended it is
 * personal_ended, for people who read; whatever would write it on, a call that changes something
 * or a service, is personal_gone: an older backup of the keyring may still have the key.
 */
must_check enum err personal_open(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char **text);

/* The same for all parts of a column; those it does not have are NULL. */
must_check enum err personal_open_parts(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char *parts[PERSONAL_PARTS_MAX]);

/* The same for a row of another tenant: for jobs, which work for all of them. */
must_check enum err personal_open_of(struct call *c, const char *tenant_id,
	const struct personal_kind *kind, const char *row_and_sealed, const char **text);

/* What SEALED() gave, under the newest version of the same key; NULL when its key is destroyed. */
must_check enum err personal_reseal(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char **again);

/*
 * What the index column of a text holds: HMAC-SHA-256 over the text in lower case (ASCII), under a
 * key of the tenant for this column that no rotation changes, as base64url. It is good for being
 * stored and compared there, and a type of its own so that nobody takes the text for it.
 */
#define PERSONAL_INDEX_DOMAIN "index %s" /* of the key, with the column (table.column) */
struct blind_index {
	const char *value;
};
must_check enum err personal_index(struct call *c, struct personal value, struct blind_index *out);

/* What a text begins with that is sealed under this version: format, kind and version are six
 * bytes, and so eight letters. */
#define PERSONAL_PREFIX_SIZE 9
void personal_prefix(uint32_t version, bool of_user, char out[PERSONAL_PREFIX_SIZE]);

/* What stands for the parts of a name whose key is destroyed while its row is still there; the
 * first one stands for any other text. For what is no free text nothing does: it is NULL. */
extern const char *const personal_erased[PERSONAL_PARTS_MAX];
extern const char *const personal_ended[PERSONAL_PARTS_MAX];
bool personal_is_lost(const char *text); /* one of the first two, as opening gave it */

/* 410: the key was destroyed. */
extern const struct problem personal_gone;

/* Whether an object lacks a member that it must have, because its key is destroyed; what is merely
 * in it and lacks one is taken out. */
bool personal_leave_out(const struct shape *shape, void *object);

#endif
