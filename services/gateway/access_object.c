/* Reads ids from parameters as libcommon/shape_params.c does; see access_object.h. What is no id is
 * left out: a record holds no text that somebody chose. */
#include "services/gateway/access_object.h"

#include <string.h>

#include "libcommon/uuid.h"
#include "services/gateway/path.h"

static const char *id_of(struct arena *arena, const char *value, size_t n)
{
	const char *text = path_decode(arena, value, n, true);
	return text && is_uuid(text) ? text : NULL;
}

static bool is_named(struct arena *arena, const char *name, size_t n, const char *wanted)
{
	const char *text = path_decode(arena, name, n, true);
	return text && strcmp(text, wanted) == 0;
}

/* The last id among `name=value&…`; of those of this name unless that is NULL. */
static const char *last_id(struct arena *arena, const char *params, const char *wanted)
{
	const char *last = NULL;
	while (*params) {
		size_t n = strcspn(params, "&"), name_n = strcspn(params, "&=");
		if (name_n < n && (!wanted || is_named(arena, params, name_n, wanted))) {
			const char *id = id_of(arena, params + name_n + 1, n - name_n - 1);
			last = id ? id : last;
		}
		params += n + (params[n] == '&');
	}
	return last;
}

const char *access_object(struct arena *arena, const char *const *subjects, const char *path_params,
	const char *query)
{
	const char *object = path_params ? last_id(arena, path_params, NULL) : NULL;
	if (object)
		return object;
	for (; subjects && *subjects; subjects++) {
		const char *id = last_id(arena, query, *subjects);
		object = id ? id : object;
	}
	return object ? object : "";
}
