/*
 * What lies sealed under old versions of tenants' keys: sealing it anew in the background, and
 * counting it.
 *
 * What is written lies under the newest version anyway. The job takes tenant after tenant that has
 * more than one version, column after column, some hundred rows a turn, each only if nobody wrote
 * it meanwhile. Cut short, the next round finds what is left. When nothing lies under a version any
 * more, in any service, its key may be destroyed.
 */
#ifndef MANABIYA_RESEAL_H
#define MANABIYA_RESEAL_H

#include "libcommon/call.h"
#include "libcommon/personal.h"

/*
 * A column of sealed texts: its table, the table's key, the column, and what the texts are sealed
 * as (personal_kind). Every column whose table has a CHECK by tenancy.is_sealed() is in the list of
 * its service (tests/attack/sealed_test.py), or is in no need of it: mail, outboxes and kept
 * answers are empty soon.
 */
struct sealed_column {
	struct personal_kind kind;
	/* Statements: constants, as db.h wants them. */
	const char *old, *under, *put, *count, *count_under;
};

#define SEALED_COLUMN(table_, key_, column_, domain_, bound_)                                      \
	SEALED_FOUND(table_, key_, column_, domain_, bound_, NULL)

/* One with an index beside it (x-blind-index). */
#define SEALED_FOUND(table_, key_, column_, domain_, bound_, index_)                               \
	{                                                                                          \
		.kind = { .domain = (domain_), .column = (bound_), .index = (index_) },            \
		.old = "SELECT " key_ ", " SEALED(key_,                                            \
			column_) " FROM " table_ " WHERE " key_ " > $1::uuid AND left(" column_    \
				 ", 8) NOT IN ($2, $3) ORDER BY " key_ " LIMIT $4::integer",       \
		.under = "SELECT " key_ ", " SEALED(key_,                                          \
			column_) " FROM " table_ " WHERE " key_ " > $1::uuid AND left(" column_    \
				 ", 8) IN ($2, $3) ORDER BY " key_ " LIMIT $4::integer",           \
		.put = "UPDATE " table_ " SET " column_ " = $2 WHERE " key_                        \
		       " = $1::uuid AND " column_ " = $3",                                         \
		.count_under =                                                                     \
			"SELECT count(*) FROM " table_ " WHERE left(" column_ ", 8) IN ($1, $2)",  \
		.count = "SELECT '" table_ "." column_                                             \
			 "' AS column, get_byte(s.b, 2) * 16777216::bigint"                        \
			 " + get_byte(s.b, 3) * 65536 + get_byte(s.b, 4) * 256 + get_byte(s.b, 5)" \
			 " AS version,"                                                            \
			 " get_byte(s.b, 1) = 1 AS of_user, count(*) AS count FROM"                \
			 " (SELECT decode(translate(left(" column_ ", 8), '-_', '+/'), 'base64')"  \
			 " AS b FROM " table_ " WHERE " column_                                    \
			 " IS NOT NULL) s GROUP BY 2, 3 ORDER BY 2, 3",                            \
	}

/* A round that finds nothing reads a directory; what is found is taken at once. */
#define RESEAL_EVERY_MS 60000

/* Seal anew what is under an old version, in the columns of c->service. A job (service.h). */
must_check enum err reseal_run(struct call *c, bool *more);

/* How much lies under which version, in the call's tenant and the columns of c->service: into the
 * { items, n } at `list`, whose shape is that of common.yaml's SealedCount. */
must_check enum err reseal_count(struct call *c, const struct shape *shape, void *list);

/*
 * How much lies under one version, in the call's tenant: the columns of c->service, what waits
 * for delivery, and answers that are kept for a repetition (a day at most). *opens: some of it can
 * be read or may become readable, so that its key is needed; false when it is all of users who were
 * erased.
 */
must_check enum err reseal_left(struct call *c, uint32_t version, int64_t *count, bool *opens);

#endif
