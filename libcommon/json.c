/* cJSON behind a strict door, its tree in the arena: nothing here is ever freed piece by piece. */
#include "libcommon/json.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/json_check.h"
#include "libcommon/utf8.h"

/* cJSON allocates through hooks of the whole process; each thread says which arena it means. */
static _Thread_local struct arena *current;

/* The address of `current` is set only while json_parse() runs: cJSON allocates nowhere else. */
static void *take_memory(size_t size)
{
	return arena_alloc(current, size);
}

static void keep_memory(void *memory)
{
}

static void set_hooks(void)
{
	cJSON_Hooks hooks = { .malloc_fn = take_memory, .free_fn = keep_memory };
	cJSON_InitHooks(&hooks);
}

/* `struct json` is cJSON under another name: callers see no member of it. */
static const cJSON *tree(const struct json *value)
{
	return (const cJSON *)(const void *)value;
}

static const struct json *json_of(const cJSON *value)
{
	return (const struct json *)(const void *)value;
}

enum err json_parse(struct arena *arena, const char *text, size_t n, const struct json **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	*out = NULL;
	if (!is_strict_json(text, n))
		return ERR_INVALID;
	(void)pthread_once(&once, set_hooks);
	current = arena;
	*out = json_of(cJSON_ParseWithLength(text, n));
	current = NULL;
	return *out == NULL ? ERR_INVALID : OK;
}

/* cJSON_Is…() take NULL for nothing, and so does everything here. */
enum json_kind json_kind(const struct json *value)
{
	const cJSON *at = tree(value);
	if (cJSON_IsString(at))
		return JSON_TEXT;
	if (cJSON_IsNumber(at))
		return JSON_NUMBER;
	if (cJSON_IsBool(at))
		return JSON_BOOLEAN;
	if (cJSON_IsArray(at))
		return JSON_ARRAY;
	return cJSON_IsObject(at) ? JSON_OBJECT : JSON_NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
	return json_of(cJSON_GetObjectItemCaseSensitive(tree(object), name));
}

const struct json *json_item(const struct json *array, size_t i)
{
	const struct json *at = json_first(array);
	while (at != NULL && i-- > 0)
		at = json_next(at);
	return at;
}

size_t json_count(const struct json *container)
{
	size_t n = 0;
	for (const struct json *at = json_first(container); at != NULL; at = json_next(at))
		n++;
	return n;
}

const char *json_text(const struct json *value)
{
	return cJSON_IsString(tree(value)) ? tree(value)->valuestring : NULL;
}

int64_t json_integer(const struct json *value, int64_t fallback)
{
	if (!cJSON_IsNumber(tree(value)))
		return fallback;
	double number = tree(value)->valuedouble;
	/* Beyond 2^53 - 1 a double no longer tells neighbours apart. */
	if (!(number >= -9007199254740991.0 && number <= 9007199254740991.0))
		return fallback;
	int64_t integer = (int64_t)number;
	return (double)integer == number ? integer : fallback;
}

bool json_is_true(const struct json *value)
{
	return cJSON_IsTrue(tree(value));
}

const struct json *json_first(const struct json *container)
{
	bool has_items = json_kind(container) >= JSON_ARRAY;
	return has_items ? json_of(tree(container)->child) : NULL;
}

const struct json *json_next(const struct json *value)
{
	return json_of(tree(value)->next);
}

const char *json_name(const struct json *member)
{
	return tree(member)->string;
}

/* Short escapes where JSON has them; the rest of the control characters as \u00xx. */
static void quote_ascii(struct buf *out, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = strchr(plain, c);
	if (found != NULL) {
		buf_char(out, '\\');
		buf_char(out, letters[found - plain]);
	} else if ((unsigned char)c < 0x20) {
		buf_printf(out, "\\u%04x", (unsigned)c);
	} else {
		buf_char(out, c);
	}
}

/* How many bytes from here on stand for themselves: most of most texts. */
static size_t plain_run(const char *text)
{
	size_t n = 0;
	while (text[n] >= ' ' && text[n] <= '~' && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

void json_quote(struct buf *out, const char *text)
{
	const char *end = text + strlen(text);
	buf_char(out, '"');
	while (text < end) {
		uint32_t code;
		size_t plain = plain_run(text);
		if (plain) {
			buf_add(out, text, plain);
			text += plain;
			continue;
		}
		size_t n = utf8_next(text, (size_t)(end - text), &code);
		if (n == 1)
			quote_ascii(out, *text);
		else if (n > 1)
			buf_add(out, text, n);
		else
			buf_text(out, "\xef\xbf\xbd");
		text += n == 0 ? 1 : n;
	}
	buf_char(out, '"');
}
