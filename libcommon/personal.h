/*
 * Personal data as it lies in the database: sealed under a key of its tenant, for one column of one
 * row. What is copied to another row, column or tenant does not open.
 *
 * The schema says what is personal (x-personal: domain/table.column). Such a field is a struct
 * personal, which fits into no DB_ARGS: personal_seal() is the way in. The way out is reading a row
 * by its shape, which opens what it finds; the statement gives it the row's id with SEALED():
 *
 *     "SELECT id, " SEALED("k.id", "k.text") " AS text FROM learning.comment k"
 *
 * Sealed: format 1, kind of key 0, version of the tenant's key (4 bytes), nonce, ciphertext, tag;
 * as base64url, because rows travel as text and within JSON: a third longer, bytea in text form
 * would be twice as long. Kind 1 is kept for keys of single users, whose id follows the version.
 */
#ifndef MANABIYA_PERSONAL_H
#define MANABIYA_PERSONAL_H

#include "libcommon/err.h"
#include "libcommon/shape.h"

struct call;

/* A sealed column of a statement, with the id that its row is sealed for. */
#define SEALED(row_id_, column_) row_id_ "::text || ':' || " column_

/* The parameter for a statement that writes the value into its row; NULL for one that is absent. */
must_check enum err personal_seal(
	struct call *c, const char *row_id, struct personal value, const char **sealed);

/* What SEALED() gave. Text that was not sealed here for this row and column is ERR_INTERNAL. */
must_check enum err personal_open(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const char **text);

/* The same for a row of another tenant: for jobs, which work for all of them. */
must_check enum err personal_open_of(struct call *c, const char *tenant_id,
	const struct personal_kind *kind, const char *row_and_sealed, const char **text);

#endif
