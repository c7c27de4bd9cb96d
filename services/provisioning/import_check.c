/*
 * From the text of a file to rows of people, every cell checked against the shape of user_create,
 * so that a file and a form have the same limits and the same words.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/utf8.h"
#include "services/provisioning/provisioning.h"

enum column {
	USERNAME,
	ROLE,
	FAMILY_NAME,
	GIVEN_NAME,
	KANA_FAMILY_NAME,
	KANA_GIVEN_NAME,
	GRADE,
	SCHOOL,
	CLASS,
	COLUMNS
};

static const struct {
	const char *name, *ja;
	bool is_required; /* in the header */
} columns[COLUMNS] = {
	[USERNAME] = { "username", "利用者ID", true },
	[ROLE] = { "role", "ロール", true },
	[FAMILY_NAME] = { "familyName", "姓", true },
	[GIVEN_NAME] = { "givenName", "名", true },
	[KANA_FAMILY_NAME] = { "kanaFamilyName", "せい", true },
	[KANA_GIVEN_NAME] = { "kanaGivenName", "めい", true },
	[GRADE] = { "grade", "学年", false },
	[SCHOOL] = { "school", "学校", false },
	[CLASS] = { "class", "クラス", false },
};

/* What people write in a cell, and what it means. */
struct word {
	const char *written, *meant;
};
static const struct word roles[] = {
	{ "指導者", "instructor" },
	{ "生徒", "student" },
	{ "契約者", "contractor" },
	{ NULL, NULL },
};
static const struct word grades[] = {
	{ "小1", "P1" },
	{ "小2", "P2" },
	{ "小3", "P3" },
	{ "小4", "P4" },
	{ "小5", "P5" },
	{ "小6", "P6" },
	{ "中1", "J1" },
	{ "中2", "J2" },
	{ "中3", "J3" },
	{ NULL, NULL },
};

/* Where each column stands in the file, and its name there; -1: nowhere. */
struct header {
	int at[COLUMNS];
	const char *names[COLUMNS];
};

struct checker {
	struct import *import;
	struct header header;
	const struct csv_row *row;
	struct call scratch; /* reads one row at a time, with an arena of its own */
};

static void refuse(struct checker *checker, enum column column, const char *code, const char *ja,
	const char *en)
{
	const char *name = checker->header.names[column];
	import_refuse(checker->import, name != NULL ? name : columns[column].ja,
		(struct csv_fault){ checker->row->number, code, ja, en });
}

static const char *meaning(const struct word *words, const char *written)
{
	for (; words->written != NULL; words++)
		if (strcmp(words->written, written) == 0)
			return words->meant;
	return written;
}

/* The cell's text; "" where the column or the cell is not there. */
static const char *cell(const struct checker *checker, enum column column)
{
	int at = checker->header.at[column];
	if (at < 0 || (size_t)at >= checker->row->n)
		return "";
	const char *text = checker->row->cells[at];
	if (column == ROLE)
		return meaning(roles, text);
	return column == GRADE ? meaning(grades, text) : text;
}

/* ---- header ---- */

static enum column column_of(const char *name)
{
	enum column column = 0;
	while (column < COLUMNS && strcmp(name, columns[column].name) != 0 &&
		strcmp(name, columns[column].ja) != 0)
		column++;
	return column;
}

#define COLUMN_NAME_MAX 100 /* CellError.column */

/* A name to show, cut where it is longer than an answer may hold. */
static const char *shown(struct arena *arena, const char *name)
{
	size_t at = 0, n = strlen(name);
	uint32_t code;
	for (int i = 0; i < COLUMN_NAME_MAX && at < n; i++)
		at += utf8_next(name + at, n - at, &code);
	return arena_strndup(arena, name, at);
}

static void read_name(struct checker *checker, size_t i)
{
	struct import *import = checker->import;
	const char *name = shown(import->c->arena, checker->row->cells[i]);
	enum column column = column_of(name);
	if (column == COLUMNS) {
		import_refuse(import, name,
			(struct csv_fault){ checker->row->number, "unknown_column",
				"この列名はありません。", "There is no such column." });
	} else if (checker->header.at[column] >= 0) {
		import_refuse(import, name,
			(struct csv_fault){ checker->row->number, "duplicate_column",
				"同じ列が二つあります。", "The column is there twice." });
	} else {
		checker->header.at[column] = (int)i;
		checker->header.names[column] = name;
	}
}

static void read_header(struct checker *checker)
{
	for (enum column i = 0; i < COLUMNS; i++)
		checker->header.at[i] = -1;
	for (size_t i = 0; i < checker->row->n; i++)
		if (*checker->row->cells[i] != '\0')
			read_name(checker, i);
	for (enum column i = 0; i < COLUMNS; i++)
		if (columns[i].is_required && checker->header.at[i] < 0)
			refuse(checker, i, "missing_column", "この列が必要です。",
				"This column is required.");
	checker->import->role_column = checker->header.names[ROLE];
	checker->import->class_column = checker->header.names[CLASS];
}

/* ---- a row's person ---- */

static const char *json_of(struct checker *checker)
{
	struct buf json = { .arena = checker->scratch.arena };
	char before = '{';
	for (enum column i = USERNAME; i <= GRADE; i++) {
		const char *text = cell(checker, i);
		if (*text == '\0')
			continue;
		buf_printf(&json, "%c\"%s\":", before, columns[i].name);
		json_quote(&json, text);
		before = ',';
	}
	if (before == '{')
		buf_char(&json, before);
	buf_char(&json, '}');
	return json.data;
}

static void take_complaints(struct checker *checker)
{
	struct arena *arena = checker->import->c->arena;
	const struct failure *failure = &checker->scratch.failure;
	for (unsigned i = 0; i < failure->fields_n; i++) {
		enum column column = column_of(failure->fields[i].pointer + 1);
		if (column == COLUMNS)
			continue;
		bool is_empty = *cell(checker, column) == '\0';
		refuse(checker, column, is_empty ? "required" : "invalid",
			arena_strdup(arena, failure->fields[i].ja),
			arena_strdup(arena, failure->fields[i].en));
	}
}

/* Lives on in the import's arena; the scratch one is wiped after every row. */
static const char *kept(const struct checker *checker, const char *text)
{
	return text == NULL ? NULL : arena_strdup(checker->import->c->arena, text);
}

static struct personal kept_personal(const struct checker *checker, struct personal value)
{
	return (struct personal){ .text = kept(checker, value.text), .kind = value.kind };
}

static void read_user(struct checker *checker, struct provisioning_user_create_in *out)
{
	struct provisioning_user_create_in in = { 0 };
	struct call *scratch = &checker->scratch;
	scratch->failure.problem = NULL;
	const char *json = json_of(checker);
	if (shape_read_json(scratch, &provisioning_user_create_in_shape, json, strlen(json), &in))
		take_complaints(checker);
	*out = (struct provisioning_user_create_in){
		.username = kept_personal(checker, in.username),
		.role = kept(checker, in.role),
		.family_name = kept_personal(checker, in.family_name),
		.given_name = kept_personal(checker, in.given_name),
		.kana_family_name = kept_personal(checker, in.kana_family_name),
		.kana_given_name = kept_personal(checker, in.kana_given_name),
		.grade = kept(checker, in.grade),
	};
	arena_reset(scratch->arena);
}

/* Hiragana, katakana (also half width), and what stands between names. */
static bool is_kana(const char *text)
{
	uint32_t code;
	for (size_t n; *text != '\0'; text += n) {
		n = utf8_next(text, strlen(text), &code);
		bool fits = (code >= 0x3041 && code <= 0x30ff) ||
			(code >= 0xff65 && code <= 0xff9f) || code == ' ' || code == 0x3000 ||
			code == '-' || code == '\'';
		if (n == 0 || !fits)
			return false;
	}
	return true;
}

static void check_kana(struct checker *checker, enum column column, const char *text)
{
	if (text != NULL && !is_kana(text))
		refuse(checker, column, "not_kana", "ひらがなかカタカナで入力してください。",
			"must be hiragana or katakana");
}

/* ---- school and classes ---- */

#define CLASSES_PER_ROW 50 /* a specialist teaches every class of a large school */
#define PLACE_NAME_MAX 100 /* common.yaml, Name */

static bool is_name(struct checker *checker, enum column column, const char *text)
{
	int64_t n = utf8_count(text, strlen(text));
	if (n >= 1 && n <= PLACE_NAME_MAX && strpbrk(text, "\r\n\t") == NULL)
		return true;
	refuse(checker, column, "invalid", "100文字以内の名前にしてください。",
		"must be a name of at most 100 characters");
	return false;
}

static const char *trimmed(struct arena *arena, const char *text, size_t n)
{
	while (n > 0 && *text == ' ') {
		text++;
		n--;
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	return arena_strndup(arena, text, n);
}

/* Titles separated by `;`, half or full width. */
static void read_classes(struct checker *checker, struct import_row *row)
{
	struct arena *arena = checker->import->c->arena;
	const char *at = cell(checker, CLASS);
	row->classes = arena_array(arena, CLASSES_PER_ROW, sizeof(*row->classes));
	while (*at != '\0') {
		const char *half = strchr(at, ';'), *full = strstr(at, "；");
		const char *end = half != NULL && (full == NULL || half < full) ? half : full;
		size_t n = end == NULL ? strlen(at) : (size_t)(end - at);
		const char *title = trimmed(arena, at, n);
		at += n + (end == NULL ? 0 : end == half ? 1 : strlen("；"));
		if (*title == '\0')
			continue;
		if (row->classes_n == CLASSES_PER_ROW) {
			refuse(checker, CLASS, "too_many_classes", "クラスが多すぎます（50まで）。",
				"There are too many classes (50 at most).");
			return;
		}
		if (is_name(checker, CLASS, title))
			row->classes[row->classes_n++] =
				(struct import_class){ row->school, title };
	}
}

static void read_place(struct checker *checker, struct import_row *row)
{
	const char *school = cell(checker, SCHOOL);
	bool is_contractor = row->user.role != NULL && strcmp(row->user.role, "contractor") == 0;
	bool is_student = row->user.role != NULL && strcmp(row->user.role, "student") == 0;
	row->school = *school != '\0' && is_name(checker, SCHOOL, school) ? school : NULL;
	if (*cell(checker, CLASS) == '\0')
		return;
	if (*school == '\0')
		refuse(checker, SCHOOL, "required", "クラスがある行には学校が必要です。",
			"is required where there is a class");
	if (is_contractor)
		refuse(checker, CLASS, "contractor_in_class", "契約者はクラスに入れません。",
			"A contractor is in no class.");
	read_classes(checker, row);
	if (is_student && row->classes_n > 1)
		refuse(checker, CLASS, "one_class", "生徒のクラスは一つにしてください。",
			"A student is in one class.");
}

static void read_person(struct checker *checker, struct import_row *out)
{
	struct import *import = checker->import;
	out->number = checker->row->number;
	read_user(checker, &out->user);
	check_kana(checker, KANA_FAMILY_NAME, out->user.kana_family_name.text);
	check_kana(checker, KANA_GIVEN_NAME, out->user.kana_given_name.text);
	read_place(checker, out);
	const char *username = out->user.username.text;
	out->key = login_key(import->c->arena, username ? username : "");
}

/* ---- the file ---- */

static int by_key(const void *a, const void *b)
{
	const struct import_row *left = a, *right = b;
	int order = strcmp(left->key, right->key);
	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static void check_unique(struct checker *checker)
{
	struct import *import = checker->import;
	const char *name = checker->header.names[USERNAME];
	if (import->n > 1)
		qsort(import->rows, import->n, sizeof(*import->rows), by_key);
	for (size_t i = 1; i < import->n; i++)
		if (*import->rows[i].key != '\0' &&
			strcmp(import->rows[i].key, import->rows[i - 1].key) == 0)
			import_refuse(import, name,
				(struct csv_fault){ import->rows[i].number, "duplicate_username",
					"同じ利用者IDの行があります。",
					"Another row has this login name." });
}

static void read_people(struct checker *checker, const struct csv *csv)
{
	struct import *import = checker->import;
	import->rows = arena_array(import->c->arena, csv->n, sizeof(*import->rows));
	import->n = csv->n - 1;
	for (size_t i = 1; i < csv->n; i++) {
		checker->row = &csv->rows[i];
		read_person(checker, &import->rows[i - 1]);
	}
	check_unique(checker);
}

void import_read(struct import *import, struct bytes text)
{
	struct csv csv;
	struct csv_fault fault = { 0 };
	if (csv_parse(import->c->arena, text, &csv, &fault)) {
		import_refuse(import, "", fault);
		return;
	}
	if (csv.n == 0) {
		import_refuse(import, "",
			(struct csv_fault){
				1, "empty", "ファイルが空です。", "The file is empty." });
		return;
	}
	struct checker *checker = arena_alloc(import->c->arena, sizeof(*checker));
	checker->import = import;
	checker->row = &csv.rows[0];
	checker->scratch = (struct call){ .arena = arena_new() };
	read_header(checker);
	if (import->out->errors.n == 0)
		read_people(checker, &csv);
	arena_free(checker->scratch.arena);
}
