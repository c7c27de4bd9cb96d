/*
 * How long a contract keeps what its people make, by kind and class: its own setting, what would go
 * by it, and the job that has it removed.
 *
 * The rules are kept here and nowhere else: services that hold the objects are told with each step
 * of what to remove, so there are no copies that could differ, and what stops a removal (a contract
 * that is not active, a legal hold) is asked in one place. A rule that keeps less waits two weeks,
 * so that a mistyped number destroys nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "learning_proto.h"
#include "libcommon/db.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "notification_proto.h"
#include "services/provisioning/provisioning.h"

#define NO_ID "00000000-0000-0000-0000-000000000000"

/* Of kinds and classes; provisioning.yaml. */
#define RULES_MAX 8

/* Things go by whole days, with the night in Japan: what was told of today is true until tonight,
 * and an export ends once a day at most. */
#define TODAY "(date_trunc('day', now() AT TIME ZONE 'Asia/Tokyo') AT TIME ZONE 'Asia/Tokyo')"

/* Longer than the longest holidays in which nobody looks (the turn of the year, May), and the rest
 * of the day on which it was set. */
#define GRACE "interval '15 days'"

/* What people are told of beforehand: the least that anything is kept. */
#define FORECAST_DAYS "30"

/* The days that count now; NULL: kept until deleted. */
#define IN_FORCE "CASE WHEN r.in_force_at > now() THEN r.former_days ELSE r.days END"

static const char SETTING_MAKE[] =
	"INSERT INTO provisioning.retention DEFAULT VALUES ON CONFLICT (tenant_id) DO NOTHING";

static const char VERSION[] =
	"SELECT version FROM provisioning.retention WHERE tenant_id = $1::uuid FOR UPDATE";

/* What has changed is looked at today, whether or not something was before. */
static const char SETTING_CHANGED[] =
	"UPDATE provisioning.retention SET version = version + 1, done_on = NULL";

static const char RULES_DROP[] =
	"DELETE FROM provisioning.retention_rule r WHERE NOT EXISTS (SELECT"
	" FROM unnest($1::text[], $2::text[]) AS n (kind, label)"
	" WHERE n.kind = r.kind AND n.label = r.label)";

/* A number that is saved again does not begin to wait again. */
static const char RULES_PUT[] =
	"INSERT INTO provisioning.retention_rule AS r (kind, label, days, in_force_at)"
	" SELECT n.kind, n.label, n.days, " TODAY " + " GRACE
	" FROM unnest($1::text[], $2::text[], $3::integer[]) AS n (kind, label, days)"
	" ON CONFLICT (tenant_id, kind, label) DO UPDATE SET days = excluded.days,"
	" former_days = " IN_FORCE ", in_force_at ="
	" CASE WHEN excluded.days = r.days THEN r.in_force_at"
	" WHEN excluded.days < (" IN_FORCE ") OR (" IN_FORCE ") IS NULL"
	" THEN excluded.in_force_at ELSE now() END";

/* A tenant that has never set any has no row. */
static const char RETENTION_GET[] =
	"SELECT '\"v' || coalesce((SELECT version FROM provisioning.retention), 0) || '\"' AS etag,"
	" provisioning.held_since() IS NOT NULL AS held, (SELECT "
	"coalesce(json_agg(json_strip_nulls("
	"json_build_object('kind', r.kind, 'label', r.label, 'days', r.days,"
	" 'formerDays', CASE WHEN r.in_force_at > now() THEN r.former_days END, 'inForceAt',"
	" CASE WHEN r.in_force_at > now() THEN tenancy.stamp(r.in_force_at) END))"
	" ORDER BY r.kind, r.label), '[]') FROM provisioning.retention_rule r) AS rules";

/* Before which moment what goes by then was last changed. */
static const char FORECAST[] = "SELECT tenancy.stamp(" TODAY " + interval '" FORECAST_DAYS " days'"
			       " - make_interval(days => d.days))"
			       " FROM unnest($1::integer[]) WITH ORDINALITY AS d (days, place)"
			       " ORDER BY d.place";
static const char FORECAST_UNTIL[] =
	"SELECT tenancy.stamp(" TODAY " + interval '" FORECAST_DAYS " days')";

static const char NEXT[] =
	"SELECT contract_id, tenant_id FROM provisioning.retention_next($1::uuid)";
static const char MAY_GO[] = "SELECT (state = 'active' AND hold_since IS NULL)::text"
			     " FROM provisioning.contract WHERE id = $1::uuid";
static const char RULES_IN_FORCE[] =
	"SELECT r.kind, r.label, tenancy.stamp(" TODAY " - make_interval(days => " IN_FORCE "))"
	" FROM provisioning.retention_rule r WHERE " IN_FORCE " IS NOT NULL";
static const char VERSION_SEEN[] = "SELECT version FROM provisioning.retention";

/* Unless the rules were changed meanwhile: what has changed is looked at anew. */
static const char DONE[] = "UPDATE provisioning.retention SET"
			   " done_on = (now() AT TIME ZONE 'Asia/Tokyo')::date"
			   " WHERE version = $1::bigint";

/* ---- the setting ---- */

enum err provisioning_retention_get(struct call *c, struct provisioning_retention_get_out *out)
{
	return db_row(c, RETENTION_GET, DB_NONE, &provisioning_retention_get_out_shape, out);
}

/* The columns of rules, as arrays for SQL. */
struct rule_columns {
	const char *kinds, *labels, *days;
};

static struct rule_columns columns_of(
	struct call *c, const struct provisioning_retention_rule *rules, size_t n)
{
	const char *kinds[RULES_MAX], *labels[RULES_MAX], *days[RULES_MAX];
	for (size_t i = 0; i < n; i++) {
		kinds[i] = rules[i].kind;
		labels[i] = rules[i].label;
		days[i] = db_integer(c, rules[i].days);
	}
	return (struct rule_columns){ db_text_array(c, kinds, n), db_text_array(c, labels, n),
		db_text_array(c, days, n) };
}

static bool has_class(const char *kind, const char *label)
{
	bool is_least = strcmp(label, "IV") == 0;
	if (strcmp(kind, "record") == 0)
		return !is_least;
	return strcmp(kind, "notice") != 0 || is_least;
}

static bool comes_before(const struct provisioning_retention_rule *rules, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (strcmp(rules[i].kind, rules[place].kind) == 0 &&
			strcmp(rules[i].label, rules[place].label) == 0)
			return true;
	return false;
}

static enum err check_rules(
	struct call *c, const struct provisioning_retention_rule *rules, size_t n)
{
	enum err e = OK;
	for (size_t i = 0; i < n; i++) {
		const char *at = arena_printf(c->arena, "/rules/%zu/label", i);
		if (!has_class(rules[i].kind, rules[i].label))
			e = fail_field(c, at, "この種類にはない分類です。",
				"This kind has no such class.");
		else if (comes_before(rules, i))
			e = fail_field(c, at, "同じ種類と分類の保存期間が二つあります。",
				"There are two rules of this kind and class.");
	}
	return e;
}

static enum err put_rules(struct call *c, const struct rule_columns *rules)
{
	enum err e = db_exec(c, RULES_DROP, DB_ARGS(rules->kinds, rules->labels));
	if (!e)
		e = db_exec(c, RULES_PUT, DB_ARGS(rules->kinds, rules->labels, rules->days));
	return e ? e : db_exec(c, SETTING_CHANGED, DB_NONE);
}

enum err provisioning_retention_put(struct call *c, const struct provisioning_retention_put_in *in,
	struct provisioning_retention_put_out *out)
{
	c->object_id = c->actor->tenant_id;
	enum err e = check_rules(c, in->rules.items, in->rules.n);
	if (!e)
		e = db_exec(c, SETTING_MAKE, DB_NONE);
	if (!e)
		e = version_check(c, VERSION, c->actor->tenant_id, in->if_match);
	if (e)
		return e;
	const struct rule_columns rules = columns_of(c, in->rules.items, in->rules.n);
	e = put_rules(c, &rules);
	return e ? e
		 : db_row(c, RETENTION_GET, DB_NONE, &provisioning_retention_put_out_shape, out);
}

/* ---- what would go ---- */

/* What of a kind and class was last changed before a moment: to be counted, or to be removed. */
struct over {
	const char *kind, *label, *before;
};

static bool is_record(const struct over *over)
{
	return strcmp(over->kind, "record") == 0;
}

static enum err count(struct call *c, const struct over *over, int64_t *n)
{
	struct common_retention_count counted = { 0 };
	const struct learning_retention_count_in records = { .label = over->label,
		.before = over->before };
	const struct notification_retention_count_in others = {
		.kind = over->kind, .label = over->label, .before = over->before
	};
	enum err e = is_record(over) ? learning_retention_count_call(c, &records, &counted)
				     : notification_retention_count_call(c, &others, &counted);
	*n = counted.count;
	return e;
}

struct moments {
	const char *items[RULES_MAX];
	size_t n;
};

static enum err on_moment(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct moments *moments = arg;
	moments->items[moments->n++] = arena_strdup(c->arena, columns[0]);
	return OK;
}

enum err provisioning_retention_forecast(struct call *c,
	const struct provisioning_retention_forecast_in *in,
	struct provisioning_retention_forecast_out *out)
{
	struct moments before = { .n = 0 };
	const struct rule_columns rules = columns_of(c, in->rules.items, in->rules.n);
	enum err e = check_rules(c, in->rules.items, in->rules.n);
	if (!e)
		e = db_each(c, FORECAST, DB_ARGS(rules.days), on_moment, &before);
	if (!e)
		e = db_text(c, FORECAST_UNTIL, DB_NONE, &out->until);
	out->items.items = arena_array(c->arena, RULES_MAX, sizeof(*out->items.items));
	for (size_t i = 0; i < before.n && !e; i++) {
		struct provisioning_retention_forecast *item = &out->items.items[out->items.n++];
		const struct over over = { in->rules.items[i].kind, in->rules.items[i].label,
			before.items[i] };
		item->kind = over.kind;
		item->label = over.label;
		e = count(c, &over, &item->count);
	}
	return e;
}

/* ---- removing it ---- */

/* One contract's turn. */
struct turn {
	const char *contract_id, *tenant_id;
	struct over rules[RULES_MAX];
	size_t n;
};

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct turn *turn = arg;
	turn->contract_id = arena_strdup(c->arena, columns[0]);
	turn->tenant_id = arena_strdup(c->arena, columns[1]);
	return OK;
}

static enum err on_rule(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct turn *turn = arg;
	turn->rules[turn->n++] = (struct over){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]), arena_strdup(c->arena, columns[2]) };
	return OK;
}

static enum err remove_part(struct call *c, const struct over *over, bool *more)
{
	struct common_retention_step step = { 0 };
	const struct learning_retention_step_in records = { .label = over->label,
		.before = over->before };
	const struct notification_retention_step_in others = {
		.kind = over->kind, .label = over->label, .before = over->before
	};
	enum err e = is_record(over) ? learning_retention_step_call(c, &records, &step)
				     : notification_retention_step_call(c, &others, &step);
	*more |= step.more;
	return e;
}

/* No transaction that has written is open while another service is asked. */
static enum err remove_parts(struct call *c, struct turn *turn)
{
	bool more = false;
	const char *version = NULL;
	enum err e = service_enter_tenant(c, turn->tenant_id);
	if (!e)
		e = db_text(c, VERSION_SEEN, DB_NONE, &version);
	if (!e)
		e = db_each(c, RULES_IN_FORCE, DB_NONE, on_rule, turn);
	for (size_t i = 0; i < turn->n && !e; i++)
		e = remove_part(c, &turn->rules[i], &more);
	return e || more ? e : db_exec(c, DONE, DB_ARGS(version));
}

/*
 * One part of each rule of one contract after the other, so that one that fails or has much holds
 * up no other. Whoever moves the contract or holds it (lifecycle.c) waits for the part that is
 * under way, and no other begins. Only the one job thread comes here.
 */
enum err retention_run(struct call *c, bool *more)
{
	static char last[UUID_SIZE] = NO_ID;
	struct turn turn = { .n = 0 };
	const char *may_go = "";
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, NEXT, DB_ARGS(last), on_next, &turn);
	if (e || !turn.contract_id)
		return e;
	memcpy(last, turn.contract_id, UUID_SIZE);
	*more = true;
	e = lock_hold(c, "contract", turn.contract_id);
	if (!e)
		e = db_text(c, MAY_GO, DB_ARGS(turn.contract_id), &may_go);
	return e || strcmp(may_go, "true") != 0 ? e : remove_parts(c, &turn);
}
