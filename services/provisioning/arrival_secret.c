/*
 * One-time secrets for those who came with an archive: made when the administrator asks, page by
 * page, by the way that a CSV import takes. auth gives one to whom has set no password yet, so
 * whoever asks again, because a page was lost, voids only what nobody uses.
 */
#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

#define SECRETS_PAGE 200 /* provisioning.yaml, arrival_secret_issue */

struct arrived {
	const char *id, *username, *role, *class_title;
	const char *name[NAME_PARTS];
};

struct arrived_page {
	struct arrived items[SECRETS_PAGE + 1];
	size_t n;
};

static const char ARRIVED_PAGE[] = "SELECT p.id, " SEALED("p.id", "p.login") ", p.role, " SEALED(
	"p.id",
	"p.name") ", (SELECT k.title"
		  "  FROM provisioning.effective_enrollment e JOIN provisioning.class k"
		  "   ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
		  "  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id ORDER BY k.title, k.id "
		  "LIMIT 1)"
		  " FROM provisioning.arrival a JOIN provisioning.person p"
		  "  ON p.tenant_id = a.tenant_id AND p.id = a.user_id"
		  " WHERE p.status = 'active' AND ($1::uuid IS NULL OR a.user_id > $1::uuid)"
		  " ORDER BY a.user_id LIMIT $2::integer";

static enum err on_arrived(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct arrived_page *page = arg;
	struct arrived *arrived = &page->items[page->n++];
	arrived->id = arena_strdup(c->arena, columns[0]);
	arrived->role = arena_strdup(c->arena, columns[2]);
	arrived->class_title = columns[4] ? arena_strdup(c->arena, columns[4]) : NULL;
	enum err e = login_open(c, columns[1], &arrived->username);
	return e ? e : name_open(c, columns[3], arrived->name);
}

static const struct arrived *arrived_find(const struct arrived_page *page, const char *id)
{
	for (size_t i = 0; i < page->n; i++)
		if (strcmp(page->items[i].id, id) == 0)
			return &page->items[i];
	return NULL;
}

static enum err issue(struct call *c, const struct arrived_page *page,
	struct provisioning_arrival_secret_issue_out *out)
{
	struct auth_account accounts[SECRETS_PAGE];
	const struct auth_account_put_in in = { .accounts = { accounts, page->n } };
	struct auth_account_put_out put = { 0 };
	for (size_t i = 0; i < page->n; i++)
		accounts[i] = (struct auth_account){ page->items[i].id, page->items[i].username,
			page->items[i].role };
	enum err e = page->n ? auth_account_put_call(c, &in, &put) : OK;
	out->items.items = arena_array(c->arena, put.secrets.n, sizeof(*out->items.items));
	for (size_t i = 0; i < put.secrets.n && !e; i++) {
		const struct arrived *of = arrived_find(page, put.secrets.items[i].user_id);
		if (!of)
			return fail(c, ERR_INTERNAL, "auth issued a secret that nobody asked for");
		out->items.items[out->items.n++] = (struct provisioning_issued_secret){
			.username = { .text = of->username },
			.family_name = { .text = of->name[0] },
			.given_name = { .text = of->name[1] },
			.class_title = of->class_title,
			.secret = put.secrets.items[i].secret,
		};
	}
	return e;
}

enum err provisioning_arrival_secret_issue(struct call *c,
	const struct provisioning_arrival_secret_issue_in *in,
	struct provisioning_arrival_secret_issue_out *out)
{
	struct page page;
	struct arrived_page *arrived = arena_alloc(c->arena, sizeof(*arrived));
	enum err e = lock_roster_share(c); /* nobody enters before all of the lesson is there */
	if (!e)
		e = page_read(c, in->cursor, true, SECRETS_PAGE, 1, &page);
	if (!e)
		e = db_each(
			c, ARRIVED_PAGE, DB_ARGS(page.after[0], page.rows), on_arrived, arrived);
	if (e)
		return e;
	if (page_goes_on(&page, &arrived->n))
		out->next_cursor = cursor_make(c, &arrived->items[arrived->n - 1].id, 1);
	return issue(c, arrived, out);
}
