/* What a session may see of an answer. Refuses nothing: that was done before the handler ran. */
#include "libcommon/label.h"

#include <stddef.h>
#include <string.h>

const char *label_name(enum label label)
{
	static const char *const names[] = { "", "I", "II", "III", "IV" };
	return names[label];
}

bool label_is_open(const struct actor *actor, enum label label)
{
	return label == LABEL_NONE || label > LABEL_II || !actor->needs_second_factor ||
		actor->factors >= 2;
}

static void withhold_object(const struct actor *actor, const struct field *field, char *at)
{
	static void *const nothing = NULL;
	void *object;
	memcpy(&object, at, sizeof object);
	if (!object)
		return;
	if (!field->required && !label_is_open(actor, field->shape->label))
		memcpy(at, &nothing, sizeof nothing);
	else
		label_withhold(actor, field->shape, object);
}

static void withhold_items(const struct actor *actor, const struct field *field, const char *at)
{
	struct list list;
	memcpy(&list, at, sizeof list);
	for (size_t i = 0; i < list.n; i++)
		label_withhold(actor, field->shape, (char *)list.items + i * field->shape->size);
}

void label_withhold(const struct actor *actor, const struct shape *shape, void *out)
{
	if (label_is_open(actor, LABEL_I))
		return; /* nothing is shut to this one */
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		char *at = (char *)out + field->offset;
		if (field->kind == KIND_OBJECT)
			withhold_object(actor, field, at);
		else if (field->kind == KIND_ARRAY && field->shape)
			withhold_items(actor, field, at);
	}
}
