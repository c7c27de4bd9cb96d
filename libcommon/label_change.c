/* The class of a row; apart from label.c, which the gateway has too, and which knows no database.
 */
#include "libcommon/db.h"
#include "libcommon/label.h"

enum err label_change_row(struct call *c, const char *sql, const char *id,
	struct label_change *change, const char **raised)
{
	const char *label;
	enum err e = db_text(c, sql, DB_ARGS(id), &label);
	if (e)
		return e;
	change->from = label_from_name(label);
	*raised = label_raised_name(change->to, change->of_type);
	return label_change_check(c, change);
}
