/*
 * People and classes of an archive on their way in (libcommon/arrival.h), under the ids that they
 * had. Accounts are opened in auth before the people are written, as for a CSV file; the one-time
 * secrets that auth gives are dropped, because nobody waits for the answer: the administrator asks
 * for new ones when all is here.
 */
#include "libcommon/arrival.h"

#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"

/* The tenant's district, made with the contract, takes over the archive's. */
static const char DISTRICT_PUT[] =
	"UPDATE provisioning.org SET id = $1::uuid, name = $2, created_at = $3::timestamptz"
	" WHERE type = 'district'";

static const char SCHOOL_PUT[] = "INSERT INTO provisioning.org (id, name, type, created_at)"
				 " VALUES ($1::uuid, $2, 'school', $3::timestamptz)"
				 " ON CONFLICT (tenant_id, id) DO NOTHING";

static const char PERSON_PUT[] =
	"INSERT INTO provisioning.person (id, login, login_index, role, name, grade, status,"
	" created_at, label) VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::timestamptz,"
	" nullif($9, 'III'))"
	" ON CONFLICT (tenant_id, id) DO NOTHING";

/* Whose end had begun where they come from: it begins anew. */
static const char MARK[] = "INSERT INTO provisioning.user_erasure (id, user_id, due_at) VALUES"
			   " ($1::uuid, $2::uuid, now() + make_interval(days => $3::integer))"
			   " ON CONFLICT (tenant_id, user_id) DO NOTHING";

static const char ARRIVED[] = "INSERT INTO provisioning.arrival (user_id)"
			      " SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

static const char CLASS_PUT[] =
	"INSERT INTO provisioning.class (id, org_id, title, grade, status, created_at,"
	" label) VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6::timestamptz, $7)"
	" ON CONFLICT (tenant_id, id) DO NOTHING";

static const char ENROLLMENT_PUT[] =
	"INSERT INTO provisioning.enrollment (id, class_id, user_id, role, is_primary, begin_date,"
	" end_date, status) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5::boolean, $6::date,"
	" $7::date, $8) ON CONFLICT (tenant_id, id) DO NOTHING";

static const char FEATURE_PUT[] = "INSERT INTO provisioning.tenant_feature (feature)"
				  " SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";

static const char USER_FEATURE_PUT[] =
	"INSERT INTO provisioning.person_feature (user_id, feature)"
	" SELECT $1::uuid, unnest($2::text[]) ON CONFLICT DO NOTHING";

/* ---- what clashes ---- */

static const struct arrival_clash ORG_CLASHES[] = {
	ARRIVAL_ID_CLASH("provisioning.org", "id"),
	{ "name",
		"SELECT g.nth - 1 FROM unnest($1::text[]) WITH ORDINALITY AS g (name, nth)"
		" JOIN provisioning.org o ON o.name = g.name WHERE o.type = 'school'"
		" OR EXISTS (SELECT FROM provisioning.class k WHERE k.org_id = o.id) ORDER BY 1",
		{ "org_name_taken", "同じ名前の学校があります。",
			"There is a school of this name." } },
	{ 0 },
};

static const struct arrival_clash USER_CLASHES[] = {
	ARRIVAL_ID_CLASH("provisioning.person", "id"),
	{ "username",
		"SELECT g.nth - 1 FROM unnest($1::text[]) WITH ORDINALITY AS g (login_index, nth)"
		" JOIN provisioning.person p USING (login_index) ORDER BY 1",
		{ "username_taken", "この利用者IDはすでに使われています。",
			"This login name is taken." } },
	{ 0 },
};

static const struct arrival_clash CLASS_CLASHES[] = {
	ARRIVAL_ID_CLASH("provisioning.class", "id"),
	{ 0 },
};

static const struct arrival_clash ENROLLMENT_CLASHES[] = {
	ARRIVAL_ID_CLASH("provisioning.enrollment", "id"),
	{ 0 },
};

/* ---- schools ---- */

static enum err put_orgs(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct provisioning_archived_org *org = arrival_at(arrivals, i);
		bool is_district = strcmp(org->type, "district") == 0;
		e = db_later(c, is_district ? DISTRICT_PUT : SCHOOL_PUT,
			DB_ARGS(org->id, org->name, org->created_at));
	}
	return e;
}

/* ---- people ---- */

/* Every row's id, its first member. */
static const char **ids_of(struct call *c, const struct arrivals *arrivals)
{
	const char **ids = arena_array(c->arena, arrivals->n, sizeof(*ids));
	for (size_t i = 0; i < arrivals->n; i++)
		memcpy(&ids[i], arrival_at(arrivals, i), sizeof(ids[i]));
	return ids;
}

static enum err shut_accounts(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct provisioning_archived_user *user = arrival_at(arrivals, i);
		const struct auth_account_status_put_in in = { .user_id = user->id,
			.status = "suspended" };
		if (strcmp(user->status, "active") != 0)
			e = auth_account_status_put_call(c, &in);
	}
	return e;
}

static enum err open_accounts(struct call *c, const struct arrivals *arrivals)
{
	struct auth_account *accounts = arena_array(c->arena, arrivals->n, sizeof(*accounts));
	const struct auth_account_put_in in = { .accounts = { accounts, arrivals->n } };
	struct auth_account_put_out put = { 0 };
	for (size_t i = 0; i < arrivals->n; i++) {
		const struct provisioning_archived_user *user = arrival_at(arrivals, i);
		accounts[i] = (struct auth_account){ user->id, user->username.text, user->role };
	}
	enum err e = auth_account_put_call(c, &in, &put);
	return e ? e : shut_accounts(c, arrivals);
}

static enum err put_person(struct call *c, const struct provisioning_archived_user *user)
{
	const char *const parts[NAME_PARTS] = { user->family_name.text, user->given_name.text,
		user->kana_family_name.text, user->kana_given_name.text };
	const char *name, *login;
	struct blind_index index;
	enum err e = name_seal(c, user->id, parts, &name);
	if (!e)
		e = login_seal(c, user->id, user->username, &login);
	if (!e)
		e = personal_index(c, user->username, &index);
	const bool is_active = strcmp(user->status, "active") == 0;
	if (!e)
		e = db_later(c, PERSON_PUT,
			DB_ARGS(user->id, login, index.value, user->role, name, user->grade,
				is_active ? "active" : "suspended", user->created_at, user->label));
	if (!e && strcmp(user->status, "tobedeleted") == 0)
		e = db_later(c, MARK,
			DB_ARGS(uuid_make(c->arena), user->id,
				db_integer(c, lifecycle_conf.user_grace_days)));
	return e;
}

static enum err put_users(struct call *c, const struct arrivals *arrivals)
{
	const char **ids = ids_of(c, arrivals);
	enum err e = lock_roster_held(c);
	if (!e)
		e = open_accounts(c, arrivals);
	if (!e)
		e = people_keys(c, ids, arrivals->n);
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_person(c, arrival_at(arrivals, i));
	if (!e)
		e = db_later(c, ARRIVED, DB_ARGS(db_text_array(c, ids, arrivals->n)));
	return e ? e : people_tell(c, ids, arrivals->n);
}

/* ---- classes ---- */

static enum err put_classes(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct provisioning_archived_class *row = arrival_at(arrivals, i);
		e = db_later(c, CLASS_PUT,
			DB_ARGS(row->id, row->org_id, row->title, row->grade, row->status,
				row->created_at, row->label));
	}
	return e ? e : classes_tell(c, ids_of(c, arrivals), arrivals->n);
}

/* What the table refuses, so that it is told before anything is written. */
static const struct arrival_reason *enrollment_fault(const void *row)
{
	static const struct arrival_reason primary = { "not_a_teacher", "主担当は指導者だけです。",
		"Only a teacher is the primary one." };
	static const struct arrival_reason span = { "empty_span",
		"終わりの日は始まりの日より後にしてください。", "It ends before it begins." };
	const struct provisioning_archived_enrollment *enrollment = row;
	if (enrollment->primary && strcmp(enrollment->role, "teacher") != 0)
		return &primary;
	bool is_span = enrollment->begin_date && enrollment->end_date;
	return is_span && strcmp(enrollment->begin_date, enrollment->end_date) >= 0 ? &span : NULL;
}

static enum err put_enrollments(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct provisioning_archived_enrollment *row = arrival_at(arrivals, i);
		e = db_later(c, ENROLLMENT_PUT,
			DB_ARGS(row->id, row->class_id, row->user_id, row->role,
				db_boolean(row->primary), row->begin_date, row->end_date,
				row->status));
	}
	return e ? e : enrollments_tell(c, ids_of(c, arrivals), arrivals->n);
}

/* ---- function limits ---- */

static enum err put_limit(struct call *c, const struct provisioning_archived_feature *row)
{
	const struct auth_feature_put_in in = { .user_id = row->user_id,
		.denied = { row->denied.items, row->denied.n } };
	const char *denied = db_text_array(c, row->denied.items, row->denied.n);
	enum err e = auth_feature_put_call(c, &in);
	if (e)
		return e;
	return row->user_id ? db_later(c, USER_FEATURE_PUT, DB_ARGS(row->user_id, denied))
			    : db_later(c, FEATURE_PUT, DB_ARGS(denied));
}

static enum err put_features(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_limit(c, arrival_at(arrivals, i));
	return e;
}

/* ---- the operations ---- */

static const struct arrival_type TYPES[] = {
	{ "org", &provisioning_archived_org_shape, ORG_CLASHES, put_orgs, NULL },
	{ "user", &provisioning_archived_user_shape, USER_CLASHES, put_users, NULL },
	{ "class", &provisioning_archived_class_shape, CLASS_CLASHES, put_classes, NULL },
	{ "enrollment", &provisioning_archived_enrollment_shape, ENROLLMENT_CLASHES,
		put_enrollments, enrollment_fault },
	{ "feature", &provisioning_archived_feature_shape, NULL, put_features, NULL },
};

enum err provisioning_archive_write(struct call *c, const struct provisioning_archive_write_in *in,
	struct common_archive_faults *out)
{
	const struct arrival_lines lines = { in->type, in->lines.items, in->lines.n, in->check };
	struct arrivals arrivals;
	enum err e = arrivals_take(c, TYPES, sizeof(TYPES) / sizeof(*TYPES), &lines, &arrivals);
	return e ? e : arrivals_tell(&arrivals, &common_archive_fault_shape, &out->faults);
}
