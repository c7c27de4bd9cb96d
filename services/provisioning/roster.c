/*
 * Lists of people in the order of their readings. Names lie sealed, so PostgreSQL can neither sort
 * nor search by them: a list reads the ids and names of all whom it is about, opens and sorts them
 * here, and asks for the rest of the few that a page shows. Nothing that was opened is kept.
 *
 * A cursor holds no name, only how many stood in front and the id of the last of them. The next
 * page begins behind that id, wherever it stands by now; if it is gone, at the same number, so
 * that nobody is skipped or shown twice unless more has changed than that.
 *
 * Reading and sorting is most of what a page costs, however many it shows, so who wants all of a
 * school asks for them at once (RosterLimit in common.yaml).
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/kana.h"
#include "libcommon/page.h"
#include "services/provisioning/provisioning.h"

struct reader {
	const char *id, *key;
};

struct reading {
	struct reader *people;
	size_t n, capacity;
	const char *q, *q_key; /* as it was typed, and as readings are compared */
	struct call scratch; /* opens one name at a time: a district's would fill the arena */
};

/* ---- who is looked for ---- */

static const char *without_spaces(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, text), *end = out;
	for (const char *at = text; *at; at++)
		if (*at != ' ')
			*end++ = *at;
	*end = '\0';
	return out;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* With or without the space between family and given name. */
static bool is_wanted(struct call *c, const struct reading *reading, const char *key,
	const char *const parts[NAME_PARTS])
{
	struct arena *arena = c->arena;
	if (!reading->q || starts_with(key, reading->q_key))
		return true;
	return starts_with(without_spaces(arena, key), without_spaces(arena, reading->q_key)) ||
		strstr(arena_printf(arena, "%s %s", parts[0], parts[1]), reading->q) ||
		strstr(arena_printf(arena, "%s%s", parts[0], parts[1]), reading->q);
}

/* ---- reading and sorting ---- */

static void add(struct call *c, struct reading *reading, struct reader person)
{
	if (reading->n == reading->capacity) {
		reading->capacity = reading->capacity ? 2 * reading->capacity : 64;
		struct reader *people = arena_array(c->arena, reading->capacity, sizeof(*people));
		if (reading->n > 0)
			memcpy(people, reading->people, reading->n * sizeof(*people));
		reading->people = people;
	}
	reading->people[reading->n++] = person;
}

static enum err has_login(
	struct call *c, const struct reading *reading, const char *sealed, bool *is_so)
{
	const char *username;
	enum err e = login_open(c, sealed, &username);
	if (!e)
		*is_so =
			starts_with(login_key(c->arena, username), login_key(c->arena, reading->q));
	return e;
}

static enum err on_person(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct reading *reading = arg;
	struct call *scratch = &reading->scratch;
	struct arena *arena = scratch->arena;
	const char *parts[NAME_PARTS];
	enum err e = name_open(scratch, columns[1], parts);
	if (e)
		return fail(c, e, "%s", scratch->failure.detail);
	const char *key = kana_key(arena, arena_printf(arena, "%s %s", parts[2], parts[3]));
	bool is_found = is_wanted(scratch, reading, key, parts);
	if (!is_found && n > 2)
		e = has_login(scratch, reading, columns[2], &is_found);
	if (e)
		return fail(c, e, "%s", scratch->failure.detail);
	if (is_found)
		add(c, reading, (struct reader){ columns[0], arena_strdup(c->arena, key) });
	arena_reset(arena);
	return OK;
}

static int compare(const void *a, const void *b)
{
	const struct reader *left = a, *right = b;
	int order = strcmp(left->key, right->key);
	return order ? order : strcmp(left->id, right->id);
}

enum err roster_read(struct call *c, const char *sql, struct db_args args, struct roster *out)
{
	struct reading reading = {
		.q = out->q, .q_key = out->q ? kana_key(c->arena, out->q) : "", .scratch = *c
	};
	reading.scratch.arena = arena_new();
	enum err e = db_each(c, sql, args, on_person, &reading);
	arena_free(reading.scratch.arena);
	if (e)
		return e;
	if (reading.n > 1)
		qsort(reading.people, reading.n, sizeof(*reading.people), compare);
	out->n = reading.n;
	out->ids = arena_array(c->arena, reading.n + 1, sizeof(*out->ids));
	for (size_t i = 0; i < reading.n; i++)
		out->ids[i] = reading.people[i].id;
	return OK;
}

/* ---- pages ---- */

/* Where the page of a cursor { number, id } begins. */
static size_t start_of(const struct roster *roster, const struct page *page)
{
	if (!page->after[1])
		return 0;
	for (size_t i = 0; i < roster->n; i++)
		if (strcmp(roster->ids[i], page->after[1]) == 0)
			return i + 1;
	unsigned long long passed = page->after[0] ? strtoull(page->after[0], NULL, 10) : 0;
	size_t start = passed > 0 ? (size_t)passed - 1 : 0;
	return start < roster->n ? start : roster->n;
}

struct roster_page roster_cut(struct call *c, const struct roster *roster, const struct page *page)
{
	size_t start = start_of(roster, page), left = roster->n - start;
	struct roster_page out = { .ids = roster->ids + start,
		.n = left < page->limit ? left : page->limit };
	if (left > page->limit) {
		size_t end = start + out.n;
		const char *parts[2] = { db_integer(c, (int64_t)end), roster->ids[end - 1] };
		out.next_cursor = cursor_make(c, parts, 2);
	}
	return out;
}

/* ---- rows ---- */

struct found {
	const char *id;
	const void *row;
};

static int by_id(const void *a, const void *b)
{
	const struct found *left = a, *right = b;
	return strcmp(left->id, right->id);
}

/* Of who went since the page was cut there is no row. */
static void arrange(struct call *c, const struct roster_page *page, const struct shape *shape,
	struct list *rows)
{
	const struct field *id = shape_find(shape, PLACE_BODY, "id");
	struct found *found = arena_array(c->arena, rows->n, sizeof(*found));
	char *next = arena_array(c->arena, rows->n, shape->size), *ordered = next;
	for (size_t i = 0; i < rows->n; i++) {
		const char *row = (const char *)rows->items + i * shape->size;
		memcpy(&found[i].id, row + id->offset, sizeof(found[i].id));
		found[i].row = row;
	}
	qsort(found, rows->n, sizeof(*found), by_id);
	for (size_t i = 0; i < page->n; i++) {
		const struct found key = { page->ids[i], NULL };
		const struct found *one = bsearch(&key, found, rows->n, sizeof(*found), by_id);
		if (one) {
			memcpy(next, one->row, shape->size);
			next += shape->size;
		}
	}
	rows->items = ordered;
}

/* Not by a join with the array that says the order: until PostgreSQL has statistics of the table,
 * it looks through all of it for each. */
enum err roster_rows(struct call *c, const char *sql, const struct roster_page *page,
	const struct shape *shape, void *list)
{
	enum err e = db_rows(c, sql, DB_ARGS(db_text_array(c, page->ids, page->n)), shape, list);
	if (!e)
		arrange(c, page, shape, list);
	return e;
}
