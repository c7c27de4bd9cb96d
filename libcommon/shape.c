/* Limits of single values, and how they lie in a struct. Reads no syntax. */
#include "libcommon/shape.h"

#include <assert.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/shape_impl.h"
#include "libcommon/utf8.h"
#include "libcommon/uuid.h"

const struct complaint shape_unknown = { "この項目はありません。", "is not known here", 0 };
const struct complaint shape_duplicate = { "二度書かれています。", "stands here twice", 0 };
const struct complaint shape_wants_integer = { "整数で入力してください。", "must be an integer",
	0 };
const struct complaint shape_wants_boolean = { "true か false で入力してください。",
	"must be true or false", 0 };

const struct problem shape_malformed = { ERR_INVALID, 400, "malformed",
	"送られたデータを読み取れません。", "The request cannot be read." };

/* ---- formats ---- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_code(const char *text)
{
	while (is_alnum(*text))
		text++;
	return *text == '\0';
}

static bool is_username(const char *text)
{
	if (!is_alnum(*text))
		return false;
	while (is_alnum(*text) || (*text != '\0' && strchr("._@-", *text) != NULL))
		text++;
	return *text == '\0';
}

/* Reads digits where the pattern has 0 and the same character elsewhere. */
static bool is_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; text++, pattern++) {
		bool fits = *pattern == '0' ? *text >= '0' && *text <= '9' : *text == *pattern;
		if (!fits)
			return false;
	}
	return true;
}

static int two(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

/* To PostgreSQL there is no year 0, and an offset makes the first and the last into others. */
#define YEAR_MIN 2
#define YEAR_MAX 9998
#define OFFSET_HOURS_MAX 15 /* PostgreSQL's; no clock on earth is farther off than 14 */

/* The text is known to be digits in these places. */
static bool is_day(const char *text)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = two(text) * 100 + two(text + 2), month = two(text + 5), day = two(text + 8);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool is_date(const char *text)
{
	return is_like(text, "0000-00-00") && text[10] == '\0' && is_day(text);
}

/* RFC 3339 with a fraction of up to nine digits; a leap second is not accepted. */
static bool is_date_time(const char *text)
{
	if (!is_like(text, "0000-00-00T00:00:00") || !is_day(text))
		return false;
	if (two(text + 11) > 23 || two(text + 14) > 59 || two(text + 17) > 59)
		return false;
	const char *at = text + 19;
	if (*at == '.') {
		size_t n = strspn(++at, "0123456789");
		if (n < 1 || n > 9)
			return false;
		at += n;
	}
	if (strcmp(at, "Z") == 0)
		return true;
	return (is_like(at, "+00:00") || is_like(at, "-00:00")) && at[6] == '\0' &&
		two(at + 1) <= OFFSET_HOURS_MAX && two(at + 4) <= 59;
}

/* Line feed and tab are what people type into forms; the rest is for terminals. */
static bool is_free_of_controls(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t') ||
			*text == 0x7f)
			return false;
	return true;
}

static const struct {
	bool (*fits)(const char *text);
	struct complaint complaint;
} formats[] = {
	[FORMAT_NONE] = { is_free_of_controls,
		{ "使えない文字が含まれています。", "has control characters", 0 } },
	[FORMAT_UUID] = { is_uuid,
		{ "IDの形が正しくありません。", "must be a lower-case UUID", 0 } },
	[FORMAT_DATE_TIME] = { is_date_time,
		{ "日時の形が正しくありません。", "must be an RFC 3339 timestamp", 0 } },
	[FORMAT_DATE] = { is_date,
		{ "日付の形が正しくありません。", "must be a date as 2026-04-08", 0 } },
	[FORMAT_USERNAME] = { is_username,
		{ "半角英数字で始め、半角英数字と . _ @ - だけを使ってください。",
			"must start with a letter or digit and have only those and . _ @ -", 0 } },
	[FORMAT_CODE] = { is_code,
		{ "半角英数字だけを使ってください。", "must have only letters and digits", 0 } },
};

/* ---- limits ---- */

static bool refuse(struct complaint *out, const char *ja, const char *en, int64_t number)
{
	*out = (struct complaint){ ja, en, number };
	return false;
}

static bool is_one_of(const char *text, const char *const *values)
{
	for (; *values != NULL; values++)
		if (strcmp(text, *values) == 0)
			return true;
	return false;
}

/* Enum values need no further limit. What is empty is told as that, not as too short. */
bool shape_fits_text(const struct field *field, const char *text, struct complaint *out)
{
	if (field->values != NULL)
		return is_one_of(text, field->values) ||
			refuse(out, "選べない値です。", "is not one of the values allowed", 0);
	int64_t n = utf8_count(text, strlen(text));
	if (n < 0)
		return refuse(out, "文字コードが正しくありません。", "is not UTF-8", 0);
	if (n == 0 && field->min > 0)
		return refuse(out, "入力してください。", "must not be empty", 0);
	if (!formats[field->format].fits(text)) {
		*out = formats[field->format].complaint;
		return false;
	}
	if (n < field->min)
		return refuse(out, "%lld文字以上にしてください。",
			"must have at least %lld characters", field->min);
	if (n > field->max)
		return refuse(out, "%lld文字以内にしてください。",
			"must have at most %lld characters", field->max);
	return true;
}

bool shape_fits_integer(const struct field *field, int64_t value, struct complaint *out)
{
	if (value < field->min)
		return refuse(out, "%lld以上にしてください。", "must be at least %lld", field->min);
	if (value > field->max)
		return refuse(out, "%lld以下にしてください。", "must be at most %lld", field->max);
	return true;
}

bool shape_fits_count(const struct field *field, size_t n, struct complaint *out)
{
	if (n < (size_t)field->min)
		return refuse(
			out, "%lld個以上必要です。", "must have at least %lld items", field->min);
	if (n > (size_t)field->max)
		return refuse(out, "%lld個以内にしてください。", "must have at most %lld items",
			field->max);
	return true;
}

/* ---- structs ---- */

/* By memcpy: the struct is the generated one, only its offsets are known here. */
static void store(const struct field *field, const void *value, size_t size, void *out)
{
	memcpy((char *)out + field->offset, value, size);
	if (field->has != NO_PRESENCE)
		memcpy((char *)out + field->has, &(bool){ true }, sizeof(bool));
}

void shape_store_text(const struct field *field, const char *text, void *out)
{
	const struct personal personal = { .text = text, .kind = field->personal };
	if (field->personal)
		store(field, &personal, sizeof(personal), out);
	else
		store(field, &text, sizeof(text), out);
}

void shape_store_integer(const struct field *field, int64_t value, void *out)
{
	store(field, &value, sizeof(value), out);
}

void shape_store_boolean(const struct field *field, bool value, void *out)
{
	store(field, &value, sizeof(value), out);
}

const struct field *shape_find(const struct shape *shape, enum place place, const char *name)
{
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		if (field->place == place && field->kind != KIND_BYTES &&
			strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

/* An assert, not an error: the generator would have to change first. */
uint64_t shape_bit(const struct shape *shape, const struct field *field)
{
	size_t i = (size_t)(field - shape->fields);
	assert(i < SHAPE_FIELDS_MAX);
	return (uint64_t)1 << i;
}

const struct field *shape_bytes_field(const struct shape *shape)
{
	for (size_t i = 0; i < shape->fields_n; i++)
		if (shape->fields[i].kind == KIND_BYTES)
			return &shape->fields[i];
	return NULL;
}

/* ---- complaints ---- */

/* JSON Pointer (RFC 6901): `~` and `/` within names are escaped. */
static const char *pointer(struct arena *arena, const struct path *path)
{
	if (path == NULL)
		return "";
	const char *up = pointer(arena, path->up);
	if (path->name == NULL)
		return arena_printf(arena, "%s/%zu", up, path->i);
	struct buf buf = { .arena = arena };
	buf_printf(&buf, "%s/", up);
	for (const char *at = path->name; *at != '\0'; at++)
		if (*at == '~' || *at == '/')
			buf_text(&buf, *at == '~' ? "~0" : "~1");
		else
			buf_char(&buf, *at);
	return buf.data;
}

/* The text with its one number, where it has one. */
static const char *filled(struct arena *arena, const char *text, int64_t number)
{
	const char *mark = strstr(text, "%lld");
	if (mark == NULL)
		return text;
	return arena_printf(arena, "%.*s%lld%s", (int)(mark - text), text, (long long)number,
		mark + strlen("%lld"));
}

/* FieldError's limits: a name that somebody made up must not make our answer invalid. */
#define POINTER_MAX 256

enum err shape_refuse(struct call *c, const struct path *path, struct complaint complaint)
{
	const char *at = pointer(c->arena, path);
	if (utf8_count(at, strlen(at)) > POINTER_MAX)
		at = path->up == NULL ? "" : pointer(c->arena, path->up);
	return fail_field(c, at, filled(c->arena, complaint.ja, complaint.number),
		filled(c->arena, complaint.en, complaint.number));
}

enum err shape_require(const struct target *target, enum place place)
{
	static const struct complaint missing = { "必須です。", "is required", 0 };
	const struct shape *shape = target->shape;
	enum err e = OK;
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		bool is_seen = target->seen & shape_bit(shape, field);
		if (is_seen || !field->required || field->place != place ||
			field->kind == KIND_BYTES)
			continue;
		struct path at = { .up = target->path, .name = field->name };
		e = shape_refuse(target->c, &at, missing);
	}
	return e;
}
