/*
 * provisioning: contracts, schools, people, classes, enrolments and function limits.
 *
 * What its files share.
 */
#ifndef MANABIYA_PROVISIONING_H
#define MANABIYA_PROVISIONING_H

#include "libcommon/db.h"
#include "libcommon/intent.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "libcommon/reseal.h"
#include "provisioning_proto.h"
#include "services/provisioning/csv.h"
#include "services/provisioning/purge.h"

/* Who asks, as SQL wants it. */
#define ACTOR(c_) (c_)->actor->user_id, role_name((c_)->actor->role)

/* A contract as people read it. */
#define CONTRACT_COLUMNS                                                                           \
	"id, customer_tenant_id AS tenant_id, code, name,"                                         \
	" tenancy.stamp(created_at) AS created_at, state,"                                         \
	" tenancy.stamp(coalesce(state_since, created_at)) AS state_since, reason,"                \
	" tenancy.stamp(due_at) AS due_at, hold_reason, tenancy.stamp(hold_since) AS hold_since,"  \
	" CASE WHEN state IN ('purging', 'erased') THEN purge_step END AS steps_done,"             \
	" CASE WHEN state IN ('purging', 'erased') THEN " PURGE_STEPS_TEXT " END AS steps,"        \
	" CASE WHEN state = 'purging' THEN waits_for END AS waits_for,"                            \
	" certificate IS NOT NULL AS certified,"                                                   \
	" (SELECT json_agg(json_build_object('store', s.store, 'removed', s.removed)"              \
	" ORDER BY s.store) FROM provisioning.contract_store s"                                    \
	" WHERE s.tenant_id = contract.tenant_id AND s.contract_id = contract.id) AS stores"

/* What is said of person `p` (migrations/0023_user_erasure.sql). */
#define PERSON_STATUS                                                                              \
	"CASE WHEN EXISTS (SELECT FROM provisioning.user_erasure x WHERE x.tenant_id = "           \
	"p.tenant_id"                                                                              \
	" AND x.user_id = p.id) THEN 'tobedeleted' ELSE p.status END"

/* A search by name leaves out in SQL whoever the session may not see: what the skeleton takes out
 * of a page leaves a gap there, which would say that the name was found. */
#define PERSON_SOUGHT(reach_)                                                                      \
	"(p.label IS NULL OR " reach_ "::text IS NULL OR p.label >= " reach_ "::text)"

/* Whether class `k` may be named beside somebody: not where that takes more than the person does.
 */
#define CLASS_NAMED "(k.label IS NULL OR k.label > 'II')"

/* Whether the session has proven what the class of class `k` takes; label_reach() is the parameter.
 */
#define CLASS_REACHED(reach_) "(k.label IS NULL OR k.label >= " reach_ "::text)"

/* Whether class `k` is shown: to contractors always, to an instructor while it is taught. */
#define CLASS_VISIBLE_TO(user_, role_)                                                             \
	"(" role_ " = 'contractor' OR EXISTS (SELECT FROM provisioning.effective_enrollment t"     \
	" WHERE t.tenant_id = k.tenant_id AND t.class_id = k.id AND t.user_id = " user_ "::uuid"   \
	" AND t.role = 'teacher'))"

/* ---- telling the consumers of events.yaml (event.c) ---- */

/* What the rows of these ids are now, in the call's transaction. Raise `version` first. */
must_check enum err people_tell(struct call *c, const char *const *ids, size_t n);
must_check enum err classes_tell(struct call *c, const char *const *ids, size_t n);
must_check enum err enrollments_tell(struct call *c, const char *const *ids, size_t n);

/* Ids, as a statement returns them in its first column. */
struct ids {
	const char **items;
	size_t n, capacity;
};
/* Run the statement and add the ids it returns. */
must_check enum err ids_collect(
	struct call *c, const char *sql, struct db_args args, struct ids *out);

/* ---- classes that were raised (class.c) ---- */

/* Have the answer say whether it lacks classes, or this one, that more proof would show. */
must_check enum err classes_hide(struct call *c, const char *class_id);

/* ---- before auth is asked (lock.c) ---- */

/* A code or the beginning of a login name as it is compared: lower case. */
const char *login_key(struct arena *arena, const char *text);

/* Nobody else has this lock before the transaction ends. Had with the next statement, which must be
 * a new one: it then sees what was committed meanwhile. */
must_check enum err lock_hold(struct call *c, const char *kind, const char *name);

/*
 * A legal hold of this tenant is put and answered when no deletion of its people is under way, and
 * what has the second then sees it. It is taken before the other locks here: who waits for it while
 * having one of those could wait for itself.
 */
must_check enum err lock_legal_hold(struct call *c, const char *tenant_id);
must_check enum err lock_legal_hold_share(struct call *c);

/*
 * Whoever makes or deletes people, schools, classes or enrolments of this contract. An import is
 * alone with them: it has no lock per name, PostgreSQL keeps no thousands of them. It waits for
 * those who share; they do not wait for it: CONFLICT. CONFLICT for both while the roster is held
 * for an archive (roster_hold.c), whose own lines come by the third.
 */
must_check enum err lock_roster(struct call *c);
must_check enum err lock_roster_share(struct call *c);
must_check enum err lock_roster_held(struct call *c);
must_check enum err roster_hold_check(struct call *c);

/* The intent (libcommon/intent.h) to make the person of this index of a login name. */
#define PERSON_INTENT(c_, index_) arena_printf((c_)->arena, "person/%s", (index_).value)

/* ---- names (name.c) ---- */

/* Family name, given name, and the readings of both. */
#define NAME_PARTS 4

/* The parameter for provisioning.person.name. */
must_check enum err name_seal(struct call *c, const char *user_id,
	const char *const parts[NAME_PARTS], const char **sealed);
/* The same for one whom nobody may name: who was deleted, or is only pretended to be. */
must_check enum err name_seal_nobody(struct call *c, const char *user_id,
	const char *const parts[NAME_PARTS], const char **sealed);

/* What SEALED("p.id", "p.name") gave. */
must_check enum err name_open(
	struct call *c, const char *row_and_sealed, const char *parts[NAME_PARTS]);

/* The parameter for provisioning.person.login; for one whom nobody may name; and what
 * SEALED("p.id", "p.login") gave. A login name is looked for by personal_index(). */
must_check enum err login_seal(
	struct call *c, const char *user_id, struct personal username, const char **sealed);
must_check enum err login_seal_nobody(
	struct call *c, const char *user_id, struct personal username, const char **sealed);
must_check enum err login_open(struct call *c, const char *row_and_sealed, const char **username);

/* ---- people in the order of their readings (roster.c) ---- */

/* The people whom a statement returns: in its first column what the list is of, in the second
 * SEALED("p.id", "p.name"), in a third, if there is one, SEALED("p.id", "p.login"), which may begin
 * with `q` too. */
struct roster {
	const char *q; /* NULL: all of them; else the start of a reading or a part of a name */
	const char **ids; /* of the first column, sorted */
	size_t n;
};
must_check enum err roster_read(
	struct call *c, const char *sql, struct db_args args, struct roster *out);

/* The part of a roster that a page shows, and the cursor to the next one or NULL. */
struct roster_page {
	const char *const *ids;
	size_t n;
	const char *next_cursor;
};
struct roster_page roster_cut(struct call *c, const struct roster *roster, const struct page *page);

/* The rows of a page, in its order, into the { items, n } at `list`: `sql` returns those whose ids
 * are in the array $1, of a shape that has an `id`. */
must_check enum err roster_rows(struct call *c, const char *sql, const struct roster_page *page,
	const struct shape *shape, void *list);

/* ---- people (user.c) ---- */

/*
 * 412 unless If-Match is the ETag of the version that `sql` finds for the id and locks: nobody
 * changes the row between this check and the change (version.c).
 */
must_check enum err version_check(
	struct call *c, const char *sql, const char *id, const char *if_match);

/* Keys of people who are new (libcommon/keyring_user.h): on the disk before their rows are written,
 * and before anybody hears of them. */
must_check enum err people_keys(struct call *c, const char *const *ids, size_t n);

/* ---- enrolments (enrollment.c) ---- */

#define CLASS_SIZE_MAX 500 /* of events.yaml's recipients and of a class board */

/* CONFLICT when one of the classes holds more than CLASS_SIZE_MAX people. */
must_check enum err class_size_check(struct call *c, const char *const *class_ids, size_t n);

/* Remove the enrolments that `sql` marks as deleted and returns, and tell. */
must_check enum err enrollments_remove(struct call *c, const char *sql, const char *id);

/* ---- import (import*.c) ---- */

#define IMPORT_ERRORS_MAX 1000 /* provisioning.yaml, errors */

struct import_class {
	const char *school, *title;
};

/* One person of the file. */
struct import_row {
	int64_t number;
	const char *id; /* of the person who is there already, else intended for the new one */
	bool is_new, is_changed, has_secret;
	struct provisioning_user_create_in user;
	const char *key; /* of the login name: lower case */
	struct blind_index index; /* of it, once the people are looked for */
	const char *school;
	struct import_class *classes;
	size_t classes_n;
};

struct import {
	struct call *c;
	struct import_row *rows; /* sorted by key once checked */
	size_t n;
	const char *role_column, *class_column; /* as the file calls them; the latter may be NULL */
	struct intent *intents; /* of the new people, in the order of the rows */
	size_t intents_n;
	struct provisioning_user_import_out *out;
};

/* Note an error of a cell; those past the limit of the answer are counted as errors, not listed. */
void import_refuse(struct import *import, const char *column, struct csv_fault fault);

/* From text to rows; whatever is wrong is in out->errors. */
void import_read(struct import *import, struct bytes text);

/* Which rows are people we have, and what changes; wrong ones are in out->errors. */
must_check enum err import_match(struct import *import);

/* Whether the classes can take their people; wrong rows are in out->errors. Rows without errors
 * only. */
must_check enum err import_check_places(struct import *import);

/* Ids for the new people: intended, or for a dry run only. */
must_check enum err import_intend(struct import *import);
void import_pretend(struct import *import);

/* Open the accounts of the new people; their secrets go into out->secrets. Writes nothing here. */
must_check enum err import_open_accounts(struct import *import);

/* Write all rows and tell. */
must_check enum err import_apply(struct import *import);

/* After many rows were written: let PostgreSQL plan again what it planned for few. */
must_check enum err import_replan(struct call *c);

/* The part of it that makes schools, classes and enrolments (import_place.c). */
must_check enum err import_place(struct import *import);

/* ---- how long things are kept (retention.c) ---- */

/* Let a part of what is over be removed in one contract. A job (service.h). */
must_check enum err retention_run(struct call *c, bool *more);

/* ---- keys ---- */

/* Every column that keeps something sealed under the tenants' keys (libcommon/reseal.h). */
#define PROVISIONING_SEALED_N 2
extern const struct sealed_column provisioning_sealed[PROVISIONING_SEALED_N];

#endif
