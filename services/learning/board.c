/* The class board: every pupil of a class at a glance. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/kana.h"
#include "libcommon/label.h"
#include "libcommon/personal.h"
#include "services/learning/learning.h"

static const char ASSIGNMENT_GET[] = DB_PLAN_ONCE
	"SELECT " ASSIGNMENT_COLUMNS
	" FROM learning.visible_assignment($1::uuid, $2::text) a WHERE a.id = $3::uuid";

/*
 * A pupil stands where the try stands that concerns the teacher most: one that waits before the
 * others, a submitted one before one that is only recorded, then the newest. A try that was not
 * submitted is the pupil's own: the board counts it but does not name it. A try that is shut to the
 * session is as if there were none.
 */
static const char BOARD[] = "SELECT m.id AS user_id, " SEALED("m.id",
	"m.name") " AS name, m.label,"
		  " coalesce(w.state, CASE WHEN g.goal IS NULL THEN 'none' ELSE 'goal' END) AS "
		  "state,"
		  " " SEALED("g.id",
			  "g.goal") " AS content, coalesce(t.try_count, 0) AS try_count,"
				    " CASE WHEN t.submitted_at IS NOT NULL THEN t.id END AS "
				    "latest_try_id,"
				    " tenancy.stamp(t.submitted_at) AS submitted_at"
				    " FROM learning.assignment a"
				    " CROSS JOIN LATERAL (SELECT DISTINCT e.user_id FROM "
				    "learning.effective_enrollment e"
				    "  WHERE e.tenant_id = a.tenant_id AND e.class_id = a.class_id"
				    "   AND e.role = 'student') p"
				    " JOIN learning.member m ON m.tenant_id = a.tenant_id AND m.id "
				    "= "
				    "p.user_id"
				    "  AND m.status <> 'deleted'"
				    " LEFT JOIN LATERAL (SELECT l.id, l.content AS goal FROM "
				    "learning.goal "
				    "l"
				    "  WHERE l.tenant_id = a.tenant_id AND l.assignment_id = a.id "
				    "AND "
				    "l.user_id = m.id"
				    "  ORDER BY l.id DESC LIMIT 1) g ON true"
				    " LEFT JOIN LATERAL (SELECT s.id, s.submitted_at, count(*) "
				    "OVER () AS "
				    "try_count,"
				    "   s.submitted_at IS NOT NULL AND s.answered_at IS NULL AS "
				    "is_waiting"
				    "  FROM learning.labelled_try s"
				    "  WHERE s.tenant_id = a.tenant_id AND s.assignment_id = a.id "
				    "AND "
				    "s.user_id = m.id AND "
				    "(s.label IS NULL OR s.label >= $2)"
				    "  ORDER BY is_waiting DESC, (s.submitted_at IS NOT NULL) "
				    "DESC, s.id DESC"
				    "  LIMIT 1) t ON true"
				    " LEFT JOIN learning.try_state w ON w.tenant_id = a.tenant_id "
				    "AND w.id = "
				    "t.id"
				    " WHERE a.id = $1::uuid LIMIT 500";

/* The gravest class of what is shut of it. */
static const char SHUT[] = "SELECT min(s.label) FROM learning.labelled_try s"
			   " WHERE s.assignment_id = $1::uuid AND s.label < $2";

/* ---- the order of readings: names are opened here only ---- */

struct ordered {
	const char *key;
	struct learning_board_row row;
};

static int compare(const void *a, const void *b)
{
	const struct ordered *left = a, *right = b;
	int order = strcmp(left->key, right->key);
	return order ? order : strcmp(left->row.user_id, right->row.user_id);
}

static void sort(struct call *c, struct learning_board_get_out *out)
{
	size_t n = out->items.n;
	struct ordered *rows = arena_array(c->arena, n + 1, sizeof(*rows));
	for (size_t i = 0; i < n; i++) {
		const struct learning_board_row *row = &out->items.items[i];
		rows[i].row = *row;
		rows[i].key = kana_key(c->arena,
			arena_printf(c->arena, "%s %s", row->kana_family_name.text,
				row->kana_given_name.text));
	}
	qsort(rows, n, sizeof(*rows), compare);
	for (size_t i = 0; i < n; i++)
		out->items.items[i] = rows[i].row;
}

/* What is shut stands there as a row of its class, which the skeleton takes out and tells of. */
static enum err add_shut(
	struct call *c, const char *assignment_id, struct learning_board_get_out *out)
{
	struct learning_board_row *rows = arena_array(c->arena, out->items.n + 1, sizeof(*rows));
	const char *label = NULL;
	enum err e = db_text(c, SHUT, DB_ARGS(assignment_id, label_reach(c)), &label);
	if (e || !label)
		return e;
	if (out->items.n)
		memcpy(rows, out->items.items, out->items.n * sizeof(*rows));
	rows[out->items.n] = (struct learning_board_row){ .label = label };
	out->items.items = rows;
	out->items.n++;
	return OK;
}

enum err learning_board_get(
	struct call *c, const struct learning_board_get_in *in, struct learning_board_get_out *out)
{
	out->assignment = arena_alloc(c->arena, sizeof(*out->assignment));
	enum err e = db_row(c, ASSIGNMENT_GET, DB_ARGS(ACTOR(c), in->assignment_id),
		&learning_assignment_shape, out->assignment);
	if (e)
		return e;
	e = db_rows(c, BOARD, DB_ARGS(in->assignment_id, label_reach(c)), &learning_board_row_shape,
		&out->items);
	if (e)
		return e;
	sort(c, out);
	return add_shut(c, in->assignment_id, out);
}
