/* Reading an archive that lies in the media store; see import.h. */
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/uuid.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/oneroster.h"

/* In the order in which lines may refer to each other. */
static const char *const TYPES[] = { "org", "user", "class", "enrollment", "feature", "skill",
	"media", "unit", "assignment", "goal", "try", "comment", "evaluation", "reflection",
	"announcement" };
#define TYPES_N (sizeof(TYPES) / sizeof(*TYPES))

enum { RANK_ONEROSTER = TYPES_N, RANK_LOG, RANK_MEDIA };

enum err import_bytes(struct call *c, const struct import *import, int64_t offset, int64_t length,
	struct bytes *out)
{
	const struct media_range range = {
		.size = import->size, .offset = offset, .length = length
	};
	return media_store_read(c, learning_media, &import->name, &range, out);
}

/* ---- names ---- */

/* What stands between the two; NULL if the name does not begin and end so. */
static const char *between(
	struct arena *arena, const char *name, const char *before, const char *after)
{
	size_t n = strlen(name), before_n = strlen(before), after_n = strlen(after);
	if (n <= before_n + after_n || strncmp(name, before, before_n) != 0 ||
		strcmp(name + n - after_n, after) != 0)
		return NULL;
	return arena_strndup(arena, name + before_n, n - before_n - after_n);
}

static struct import_name data_name(const char *type)
{
	for (unsigned i = 0; i < TYPES_N; i++)
		if (strcmp(TYPES[i], type) == 0)
			return (struct import_name){
				.kind = IMPORT_DATA, .rank = i, .type = TYPES[i]
			};
	return (struct import_name){ .kind = IMPORT_UNKNOWN };
}

struct import_name import_name_of(struct arena *arena, const char *name)
{
	const char *type = between(arena, name, "data/", ".jsonl");
	const char *id = between(arena, name, "media/", "");
	if (type)
		return data_name(type);
	if (id && is_uuid(id))
		return (struct import_name){
			.kind = IMPORT_MEDIA, .rank = RANK_MEDIA, .media_id = id
		};
	const char *roster = between(arena, name, "oneroster/", "");
	if (roster && oneroster_find(roster))
		return (struct import_name){ .kind = IMPORT_OTHER, .rank = RANK_ONEROSTER };
	if (between(arena, name, "log/", ""))
		return (struct import_name){ .kind = IMPORT_OTHER, .rank = RANK_LOG };
	return (struct import_name){ .kind = IMPORT_UNKNOWN };
}

/* ---- entries ---- */

enum err import_header(
	struct call *c, const struct import *import, enum tar_block *block, struct tar_entry *out)
{
	struct bytes header;
	enum err e = import_bytes(c, import, import->entry, TAR_BLOCK, &header);
	if (e)
		return e;
	*block = header.n == TAR_BLOCK ? tar_read(header.data, out) : TAR_DAMAGED;
	return OK;
}

void import_next(struct import *import, const struct tar_entry *entry)
{
	import->entry += TAR_BLOCK + tar_padded(entry->size);
	import->position = import->entry + TAR_BLOCK;
	import->line = 0;
}
