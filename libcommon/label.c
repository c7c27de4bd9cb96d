/* What a session may see of an answer, and who may change the class of an object. */
#include "libcommon/label.h"

#include <stddef.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/clock.h"

static const char *const NAMES[] = { "", "I", "II", "III", "IV" };

static const struct problem REASON_REQUIRED = { ERR_INVALID, 422, "label_reason_required",
	"分類を下げるには、理由を選んでください。", "Say why the class may be lower." };
static const struct problem RAISED_BY_TEACHER = { ERR_FORBIDDEN, 403, "label_raised_by_teacher",
	"先生が上げた分類は、先生だけが下げられます。",
	"A teacher has raised this class, so only a teacher can lower it." };

const char *label_name(enum label label)
{
	return NAMES[label];
}

enum label label_from_name(const char *name)
{
	for (enum label label = LABEL_I; name && label <= LABEL_IV; label++)
		if (strcmp(NAMES[label], name) == 0)
			return label;
	return LABEL_NONE;
}

bool label_is_for_pupils(enum label label)
{
	return label == LABEL_NONE || label > LABEL_II;
}

enum label label_gravest(enum label a, enum label b)
{
	if (a == LABEL_NONE || b == LABEL_NONE)
		return a == LABEL_NONE ? b : a;
	return a < b ? a : b;
}

enum label_bar label_bar(const struct actor *actor, enum label label, int64_t now_unix_ms)
{
	if (label == LABEL_NONE || label > LABEL_II)
		return LABEL_OPEN;
	if (actor->needs_second_factor && actor->factors < 2)
		return LABEL_WANTS_FACTOR;
	bool is_stale = now_unix_ms - actor->authenticated_unix_ms > STEP_UP_LIFETIME_MS;
	return label == LABEL_I && is_stale ? LABEL_WANTS_PASSWORD : LABEL_OPEN;
}

const char *label_reach(const struct call *c)
{
	enum label label = LABEL_I;
	while (label_bar(c->actor, label, clock_unix_ms()) != LABEL_OPEN)
		label++;
	return label_name(label);
}

const char *label_raised_name(enum label label, enum label of_type)
{
	return label == of_type ? NULL : label_name(label);
}

void label_bar_header(enum label_bar bar, struct buf *headers)
{
	static const char *const names[] = { NULL, "second-factor", "step-up" };
	if (names[bar])
		buf_printf(headers, "Manabiya-Withheld: %s\r\n", names[bar]);
}

/* ---- answers ---- */

enum label label_raised(const struct shape *shape, const void *object)
{
	const char *name = NULL;
	for (size_t i = 0; i < shape->fields_n; i++)
		if (shape->fields[i].raised)
			memcpy(&name, (const char *)object + shape->fields[i].offset, sizeof(name));
	return label_from_name(name);
}

static enum label held_by_items(const struct shape *shape, const struct list *list)
{
	enum label label = LABEL_NONE;
	for (size_t i = 0; i < list->n; i++)
		label = label_gravest(
			label, label_held(shape, (const char *)list->items + i * shape->size));
	return label;
}

static enum label held_by_object(const struct shape *shape, const void *object)
{
	return object ? label_gravest(shape->label, label_held(shape, object)) : LABEL_NONE;
}

static enum label held_by_field(const struct field *field, const char *at)
{
	const void *object;
	struct list list;
	if (field->kind == KIND_OBJECT) {
		memcpy(&object, at, sizeof object);
		return held_by_object(field->shape, object);
	}
	if (field->kind != KIND_ARRAY || !field->shape)
		return LABEL_NONE;
	memcpy(&list, at, sizeof list);
	return held_by_items(field->shape, &list);
}

enum label label_held(const struct shape *shape, const void *out)
{
	enum label label = label_raised(shape, out);
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		label = label_gravest(
			label, held_by_field(field, (const char *)out + field->offset));
	}
	return label;
}

/* Who looks, when, and what stood before the part that was left out: of one session this is always
 * the same, since with one factor the password is not asked for yet. */
struct eye {
	const struct actor *actor;
	int64_t now_unix_ms;
	enum label_bar left_out;
};

static enum label withhold(struct eye *eye, const struct shape *shape, void *out);

static bool is_open(const struct eye *eye, enum label label)
{
	return label_bar(eye->actor, label, eye->now_unix_ms) == LABEL_OPEN;
}

static void leave_out(struct eye *eye, enum label label)
{
	eye->left_out = label_bar(eye->actor, label, eye->now_unix_ms);
}

static enum label withhold_object(struct eye *eye, const struct field *field, char *at)
{
	static void *const nothing = NULL;
	void *object;
	memcpy(&object, at, sizeof object);
	if (!object)
		return LABEL_NONE;
	enum label shut = withhold(eye, field->shape, object);
	if (field->required)
		return shut;
	shut = label_gravest(shut, field->shape->label);
	if (!is_open(eye, shut)) {
		leave_out(eye, shut);
		memcpy(at, &nothing, sizeof nothing);
	}
	return LABEL_NONE;
}

/* The items that stay move together. */
static void withhold_items(struct eye *eye, const struct field *field, char *at)
{
	struct list list;
	memcpy(&list, at, sizeof list);
	size_t size = field->shape->size, kept = 0;
	for (size_t i = 0; i < list.n; i++) {
		char *item = (char *)list.items + i * size;
		enum label shut = withhold(eye, field->shape, item);
		if (shut) {
			leave_out(eye, shut);
			continue;
		}
		if (kept != i)
			memcpy((char *)list.items + kept * size, item, size);
		kept++;
	}
	list.n = kept;
	memcpy(at, &list, sizeof list);
}

static enum label withhold(struct eye *eye, const struct shape *shape, void *out)
{
	enum label shut = label_raised(shape, out);
	if (is_open(eye, shut))
		shut = LABEL_NONE;
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		char *at = (char *)out + field->offset;
		if (field->kind == KIND_OBJECT)
			shut = label_gravest(shut, withhold_object(eye, field, at));
		else if (field->kind == KIND_ARRAY && field->shape)
			withhold_items(eye, field, at);
	}
	return shut;
}

enum label label_withhold(const struct actor *actor, int64_t now_unix_ms, const struct shape *shape,
	void *out, enum label_bar *left_out)
{
	struct eye eye = { .actor = actor, .now_unix_ms = now_unix_ms };
	enum label shut = is_open(&eye, LABEL_I) ? LABEL_NONE : withhold(&eye, shape, out);
	*left_out = eye.left_out;
	return shut;
}

/* ---- changes ---- */

enum err label_change_check(struct call *c, const struct label_change *change)
{
	enum label from = label_gravest(change->of_type, change->from);
	if (change->to <= from)
		return OK;
	if (change->by_student && !change->raised_by_student)
		return fail_as(c, &RAISED_BY_TEACHER);
	return change->reason ? OK : fail_as(c, &REASON_REQUIRED);
}
