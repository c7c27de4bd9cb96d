/* Schools, and the district that a contract begins with. */
#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const struct problem NAME_TAKEN = { ERR_CONFLICT, 409, "org_name_taken",
	"同じ名前の学校があります。", "There is a school of this name." };

static const char ORG_CREATE[] =
	"INSERT INTO provisioning.org (id, name, type) VALUES ($1::uuid, $2, 'school')";

/* An instructor's schools are those where there is a class to teach today. */
static const char ORG_LIST[] =
	"SELECT o.id, o.name, o.type FROM provisioning.org o"
	" WHERE ($2 = 'contractor' OR EXISTS (SELECT FROM provisioning.class k"
	"  JOIN provisioning.effective_enrollment e"
	"   ON e.tenant_id = k.tenant_id AND e.class_id = k.id"
	"  WHERE k.tenant_id = o.tenant_id AND k.org_id = o.id AND e.user_id = $1::uuid"
	"  AND e.role = 'teacher'))"
	" AND ($5::uuid IS NULL OR (o.type, o.name, o.id) > ($3, $4, $5::uuid))"
	" ORDER BY o.type, o.name, o.id LIMIT $6::integer";

enum err provisioning_org_create(
	struct call *c, const struct provisioning_org_create_in *in, struct provisioning_org *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = lock_roster_share(c);
	if (e)
		return e;
	e = db_exec(c, ORG_CREATE, DB_ARGS(id, in->name));
	if (e == ERR_CONFLICT)
		return fail_as(c, &NAME_TAKEN);
	*out = (struct provisioning_org){ .id = id, .name = in->name, .type = "school" };
	return e;
}

enum err provisioning_org_list(struct call *c, const struct provisioning_org_list_in *in,
	struct provisioning_org_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 3, &page);
	if (!e)
		e = db_rows(c, ORG_LIST,
			DB_ARGS(ACTOR(c), page.after[0], page.after[1], page.after[2], page.rows),
			&provisioning_org_shape, &out->items);
	if (e || !page_goes_on(&page, &out->items.n))
		return e;
	const struct provisioning_org *last = &out->items.items[out->items.n - 1];
	const char *const parts[] = { last->type, last->name, last->id };
	out->next_cursor = cursor_make(c, parts, 3);
	return OK;
}
