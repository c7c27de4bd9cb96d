/* Personal data: what opens, and everything that must not. No database: the statements that carry
 * it are tested by the services. */
#include "libcommon/personal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/call.h"
#include "libcommon/clock.h"
#include "libcommon/cmocka_call.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_user.h"
#include "libcommon/service.h"

#define TENANT "01920000-0000-7000-8000-00000000000a"
#define OTHER_TENANT "01920000-0000-7000-8000-00000000000b"
#define THIRD_TENANT "01920000-0000-7000-8000-00000000000d"
#define ROW "01920000-0000-7000-8000-000000000001"
#define OTHER_ROW "01920000-0000-7000-8000-000000000002"
#define CHILD "01920000-0000-7000-8000-0000000000c1"
#define OTHER_CHILD "01920000-0000-7000-8000-0000000000c2"
#define CANARY "逆上がりがこわい"

struct note {
	struct personal text;
};
struct notes {
	struct note *note;
	struct {
		struct note *items;
		size_t n;
	} items;
};

static const struct personal_kind kind = { .domain = "text", .column = "note.text" };
static const struct field note_fields[] = {
	{ .name = "text",
		.column = "text",
		.kind = KIND_STRING,
		.place = PLACE_BODY,
		.offset = offsetof(struct note, text),
		.has = NO_PRESENCE,
		.min = 1,
		.max = 8,
		.personal = &kind },
};
static const struct shape note_shape = { "note", sizeof(struct note), note_fields, 1, LABEL_NONE };
static const struct field notes_fields[] = {
	{ .name = "note",
		.column = "note",
		.kind = KIND_OBJECT,
		.offset = offsetof(struct notes, note),
		.has = NO_PRESENCE,
		.shape = &note_shape },
	{ .name = "items",
		.column = "items",
		.kind = KIND_ARRAY,
		.offset = offsetof(struct notes, items),
		.has = NO_PRESENCE,
		.max = 5,
		.shape = &note_shape },
};

static struct actor actor, other;
static struct call call;
#define ROOT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
static char directory[] = "/tmp/personal-test-XXXXXX";

static int set_up(void **state)
{
	crypto_start();
	if (!mkdtemp(directory))
		return -1;
	actor = (struct actor){ .tenant_id = TENANT, .user_id = "" };
	other = (struct actor){ .tenant_id = OTHER_TENANT, .user_id = "" };
	call = (struct call){ .arena = arena_new(), .actor = &actor };
	call.keyring = keyring_open(directory, ROOT);
	static const char *const children[] = { CHILD, OTHER_CHILD };
	return keyring_create(call.keyring, TENANT) || keyring_create(call.keyring, OTHER_TENANT) ||
		keyring_user_create(call.keyring, TENANT, children, 2);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "root.check", TENANT ".1.key", TENANT ".2.key",
		OTHER_TENANT ".1.key", TENANT ".users", TENANT ".index.key",
		OTHER_TENANT ".index.key", TENANT ".login", OTHER_TENANT ".login",
		"receipt." THIRD_TENANT ".1", THIRD_TENANT ".index.key", THIRD_TENANT ".login" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unlink(arena_printf(call.arena, "%s/%s", directory, names[i]));
	keyring_close(call.keyring);
	arena_free(call.arena);
	return rmdir(directory);
}

static const char *sealed_for(const char *row_id)
{
	const char *sealed = NULL;
	const struct personal value = { .text = CANARY, .kind = &kind };
	assert_int_equal(personal_seal(&call, row_id, value, &sealed), OK);
	return sealed;
}

/* As SEALED() gives it. */
static const char *from_row(const char *row_id, const char *sealed)
{
	return arena_printf(call.arena, "%s:%s", row_id, sealed);
}

static enum err open_with(const struct personal_kind *with, const char *row_and_sealed)
{
	const char *text = NULL;
	enum err e = personal_open(&call, with, row_and_sealed, &text);
	if (!e)
		assert_string_equal(text, CANARY);
	return e;
}

static void what_was_sealed_opens(void **state)
{
	const char *sealed = sealed_for(ROW);
	assert_null(strstr(sealed, CANARY));
	assert_string_not_equal(sealed, sealed_for(ROW));
	assert_int_equal(strncmp(sealed, "AQAA", 4), 0); /* what migrations ask for */
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), OK);
}

static void what_is_absent_stays_absent(void **state)
{
	const char *sealed = "something";
	assert_int_equal(personal_seal(&call, ROW, (struct personal){ 0 }, &sealed), OK);
	assert_null(sealed);
}

static void what_another_service_keeps_is_neither_sealed_nor_opened(void **state)
{
	const char *sealed = sealed_for(ROW);
	const struct personal value = { .text = CANARY, .kind = &kind };
	static const struct personal_kind found = {
		.domain = "media", .column = "note.login", .index = "note.login_index"
	};
	struct blind_index index;
	struct keyring *all = call.keyring;
	call.keyring = keyring_open(directory, ROOT);
	keyring_allow(call.keyring, "media");
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), ERR_INTERNAL);
	assert_int_equal(personal_seal(&call, ROW, value, &sealed), ERR_INTERNAL);
	assert_int_equal(
		personal_index(&call, (struct personal){ "a", &found }, &index), ERR_INTERNAL);
	keyring_allow(call.keyring, "text");
	assert_int_equal(open_with(&kind, from_row(ROW, sealed_for(ROW))), OK);
	keyring_close(call.keyring);
	call.keyring = all;
}

static void copied_elsewhere_it_does_not_open(void **state)
{
	static const struct personal_kind column = { .domain = "text", .column = "note.title" };
	static const struct personal_kind domain = { .domain = "roster", .column = "note.text" };
	const char *sealed = sealed_for(ROW);
	assert_int_equal(open_with(&kind, from_row(OTHER_ROW, sealed)), ERR_INTERNAL);
	assert_int_equal(open_with(&column, from_row(ROW, sealed)), ERR_INTERNAL);
	assert_int_equal(open_with(&domain, from_row(ROW, sealed)), ERR_INTERNAL);
	call.actor = &other;
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), ERR_INTERNAL);
	call.actor = &actor;
}

/* A statement that reads rows of another tenant says whose each is. */
static void a_row_of_another_tenant_opens_under_its_own_key(void **state)
{
	call.actor = &other;
	const char *sealed = sealed_for(ROW);
	call.actor = &actor;
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), ERR_INTERNAL);
	assert_int_equal(open_with(&kind, from_row(OTHER_TENANT "/" ROW, sealed)), OK);
	assert_int_equal(open_with(&kind, from_row(TENANT "/" ROW, sealed)), ERR_INTERNAL);
	assert_int_equal(open_with(&kind, from_row("/" ROW, sealed)), ERR_UNAVAILABLE);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct bytes sealed;
	assert_int_equal(crypto_from_base64url(call.arena, sealed_for(ROW), &sealed), OK);
	for (size_t i = 0; i < 8 * sealed.n; i++) {
		unsigned char *copy = arena_alloc(call.arena, sealed.n);
		memcpy(copy, sealed.data, sealed.n);
		copy[i / 8] ^= (unsigned char)(1 << i % 8);
		const char *text = crypto_base64url(call.arena, copy, sealed.n);
		assert_int_not_equal(open_with(&kind, from_row(ROW, text)), OK);
	}
}

static void what_is_not_sealed_is_refused(void **state)
{
	const char *sealed = sealed_for(ROW);
	const char *const broken[] = { "", ":", ROW, sealed, ROW ":", ROW ":" CANARY, ROW ":AQAA",
		from_row(ROW, arena_strndup(call.arena, sealed, strlen(sealed) - 4)) };
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_int_equal(open_with(&kind, broken[i]), ERR_INTERNAL);
}

static void json_shows_the_text_and_rows_do_not(void **state)
{
	static const char json[] = "{\"text\":\"" CANARY "\"}";
	struct note note = { 0 }, again = { 0 };
	assert_int_equal(shape_read_json(&call, &note_shape, json, strlen(json), &note), OK);
	assert_string_equal(note.text.text, CANARY);
	assert_ptr_equal(note.text.kind, &kind);
	const char *sealed;
	assert_int_equal(personal_seal(&call, ROW, note.text, &sealed), OK);
	assert_int_equal(shape_set_text(&call, &note_fields[0], from_row(ROW, sealed), &again), OK);
	struct buf out = { .arena = call.arena };
	shape_write_json(&note_shape, &again, &out);
	assert_string_equal(out.data, json);
}

/* json_build_object() and json_agg() in a statement. */
static void rows_within_json_are_opened(void **state)
{
	struct notes notes = { 0 };
	const char *object =
		arena_printf(call.arena, "{\"text\":\"%s\"}", from_row(ROW, sealed_for(ROW)));
	assert_int_equal(shape_set_text(&call, &notes_fields[0], object, &notes), OK);
	assert_string_equal(notes.note->text.text, CANARY);
	const char *list = arena_printf(call.arena, "[%s,%s]", object, object);
	assert_int_equal(shape_set_text(&call, &notes_fields[1], list, &notes), OK);
	assert_string_equal(notes.items.items[1].text.text, CANARY);
	assert_int_equal(
		shape_set_text(&call, &notes_fields[0], "{\"text\":\"" CANARY "\"}", &notes),
		ERR_INTERNAL);
}

static void a_new_version_seals_and_the_old_one_opens(void **state)
{
	const char *before = sealed_for(ROW);
	assert_int_equal(keyring_rotate(call.keyring, TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	const char *after = sealed_for(ROW);
	assert_int_equal(strncmp(before, "AQAAAAAB", 8), 0);
	assert_int_equal(strncmp(after, "AQAAAAAC", 8), 0);
	assert_int_equal(open_with(&kind, from_row(ROW, before)), OK);
	assert_int_equal(open_with(&kind, from_row(ROW, after)), OK);
}

/* ---- under a user's key ---- */

static const char *sealed_about(const char *user_id)
{
	const char *sealed = NULL;
	const struct personal value = { .text = CANARY, .kind = &kind };
	const struct personal_place place = { .row_id = ROW, .user_id = user_id };
	assert_int_equal(personal_seal_for(&call, &place, value, &sealed), OK);
	return sealed;
}

static void what_is_about_a_user_opens_by_the_users_key(void **state)
{
	const char *sealed = sealed_about(CHILD);
	assert_int_equal(strncmp(sealed, "AQEA", 4), 0); /* what migrations ask for */
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), OK);
	assert_int_equal(open_with(&kind, from_row(OTHER_ROW, sealed)), ERR_INTERNAL);
	const char *nobodys = sealed_about(NULL);
	assert_int_equal(strncmp(nobodys, "AQAA", 4), 0);
	assert_int_equal(open_with(&kind, from_row(ROW, nobodys)), OK);
}

/* The id stands in the clear in front: another child's does not do. */
static void under_another_users_name_it_does_not_open(void **state)
{
	struct bytes sealed, theirs;
	assert_int_equal(crypto_from_base64url(call.arena, sealed_about(CHILD), &sealed), OK);
	assert_int_equal(crypto_from_base64url(call.arena, sealed_about(OTHER_CHILD), &theirs), OK);
	unsigned char *mixed = arena_alloc(call.arena, sealed.n);
	memcpy(mixed, theirs.data, 22);
	memcpy(mixed + 22, sealed.data + 22, sealed.n - 22);
	const char *text = crypto_base64url(call.arena, mixed, sealed.n);
	assert_int_equal(open_with(&kind, from_row(ROW, text)), ERR_INTERNAL);
	for (size_t i = 0; i < 8 * sealed.n; i++) {
		memcpy(mixed, sealed.data, sealed.n);
		mixed[i / 8] ^= (unsigned char)(1 << i % 8);
		text = crypto_base64url(call.arena, mixed, sealed.n);
		assert_int_not_equal(open_with(&kind, from_row(ROW, text)), OK);
	}
}

static void of_an_erased_user_only_a_placeholder_is_read(void **state)
{
	static const char *const another = "01920000-0000-7000-8000-0000000000c3";
	const char *text, *parts[PERSONAL_PARTS_MAX];
	assert_int_equal(keyring_user_create(call.keyring, TENANT, &another, 1), OK);
	const char *row = from_row(ROW, sealed_about(another)), *rest = sealed_about(CHILD);
	assert_int_equal(keyring_user_erase(call.keyring, TENANT, another), OK);
	assert_int_equal(personal_open(&call, &kind, row, &text), OK);
	assert_string_equal(text, "削除済み");
	assert_int_equal(personal_open_parts(&call, &kind, row, parts), OK);
	assert_string_equal(parts[1], "削除済み");
	assert_int_equal(open_with(&kind, from_row(ROW, rest)), OK);
	const struct personal_place place = { .row_id = ROW, .user_id = another };
	assert_int_equal(personal_seal_for(&call, &place,
				 (struct personal){ .text = CANARY, .kind = &kind }, &text),
		ERR_NOT_FOUND);
}

/* ---- several texts in one column ---- */

struct person {
	struct personal family, given, both;
};

#define PART(part_, last_)                                                                         \
	&(const struct personal_kind)                                                              \
	{                                                                                          \
		.domain = "name", .column = "person.name", .part = (part_), .last = (last_),       \
		.of_user = true                                                                    \
	}
#define PERSON_FIELD(name_, part_, last_)                                                          \
	{                                                                                          \
		.name = #name_, .column = #name_, .kind = KIND_STRING,                             \
		.offset = offsetof(struct person, name_), .has = NO_PRESENCE, .required = true,    \
		.min = 1, .max = 8, .personal = PART(part_, last_)                                 \
	}
static const struct field person_fields[] = { PERSON_FIELD(family, 1, 1), PERSON_FIELD(given, 2, 2),
	PERSON_FIELD(both, 1, 2) };
static const struct shape person_shape = { "person", sizeof(struct person), person_fields, 3,
	LABEL_NONE };
static const struct field people_fields[] = {
	{ .name = "items",
		.column = "items",
		.kind = KIND_ARRAY,
		.has = NO_PRESENCE,
		.max = 5,
		.shape = &person_shape },
};

static enum err seal_name(const char *family, const char *given, const char **sealed)
{
	const struct personal_place place = { .row_id = CHILD, .user_id = CHILD };
	const struct personal parts[] = { { family, PART(1, 1) }, { given, PART(2, 2) } };
	return personal_seal_parts(&call, &place, parts, 2, sealed);
}

static void parts_of_a_column_are_sealed_and_read_together(void **state)
{
	const char *sealed;
	struct person person = { 0 };
	struct {
		struct person *items;
		size_t n;
	} people;
	assert_int_equal(seal_name("山田", "花子", &sealed), OK);
	const char *row = from_row(CHILD, sealed);
	assert_int_equal(shape_set_parts(&call, &person_shape, "name", row, &person), OK);
	assert_string_equal(person.family.text, "山田");
	assert_string_equal(person.given.text, "花子");
	assert_string_equal(person.both.text, "山田 花子");
	const char *list = arena_printf(call.arena, "[{\"name\":\"%s\"}]", row);
	assert_int_equal(shape_set_text(&call, &people_fields[0], list, &people), OK);
	assert_string_equal(people.items[0].both.text, "山田 花子");
	assert_int_equal(shape_set_text(&call, &people_fields[0], "[{\"name\":null}]", &people),
		ERR_INTERNAL);
	assert_int_equal(
		shape_set_parts(&call, &person_shape, "name", NULL, &person), ERR_INTERNAL);
	assert_int_equal(shape_set_text(&call, &person_fields[0], row, &person), ERR_INTERNAL);
}

static void of_an_erased_user_the_name_says_so_in_all_its_parts(void **state)
{
	static const char *const another = "01920000-0000-7000-8000-0000000000c5";
	const struct personal_place place = { .row_id = another, .user_id = another };
	const struct personal name[] = { { "山田", PART(1, 1) }, { "花子", PART(2, 2) } };
	struct person person = { 0 };
	const char *sealed;
	assert_int_equal(keyring_user_create(call.keyring, TENANT, &another, 1), OK);
	assert_int_equal(personal_seal_parts(&call, &place, name, 2, &sealed), OK);
	assert_int_equal(keyring_user_erase(call.keyring, TENANT, another), OK);
	const char *row = from_row(another, sealed);
	assert_int_equal(shape_set_parts(&call, &person_shape, "name", row, &person), OK);
	assert_string_equal(person.family.text, "削除済み");
	assert_string_equal(person.given.text, "利用者");
	assert_string_equal(person.both.text, "削除済み 利用者");
	assert_false(personal_leave_out(&person_shape, &person));
}

/* ---- what is no free text ---- */

/* An answer to a pupil: a word of a few, a number, and perhaps a text. */
struct answer {
	struct personal mark, count, note;
};

#define ANSWER(name_, kind_, part_, required_, min_, max_, values_)                                \
	{                                                                                          \
		.name = #name_, .column = #name_, .kind = (kind_),                                 \
		.offset = offsetof(struct answer, name_), .has = NO_PRESENCE,                      \
		.required = (required_), .min = (min_), .max = (max_), .values = (values_),        \
		.personal = &(const struct personal_kind)                                          \
		{                                                                                  \
			.domain = "text", .column = "answer.content", .part = (part_),             \
			.last = (part_), .of_user = true                                           \
		}                                                                                  \
	}
static const char *const marks[] = { "A", "B", NULL };
#define ANSWER_FIELDS(required_)                                                                   \
	{                                                                                          \
		ANSWER(mark, KIND_STRING, 1, required_, 1, 1, marks),                              \
			ANSWER(count, KIND_INTEGER, 2, required_, 1, 5, NULL),                     \
			ANSWER(note, KIND_STRING, 3, false, 1, 8, NULL)                            \
	}
static const struct field answer_fields[] = ANSWER_FIELDS(true);
static const struct field loose_fields[] = ANSWER_FIELDS(false);
static const struct shape answer_shape = { "answer", sizeof(struct answer), answer_fields, 3,
	LABEL_NONE };
static const struct shape loose_shape = { "loose", sizeof(struct answer), loose_fields, 3,
	LABEL_NONE };

static const char *sealed_answer(
	const char *user_id, const char *mark, const char *count, const char *note)
{
	const char *sealed = NULL;
	const struct personal_place place = { .row_id = ROW, .user_id = user_id };
	const struct personal parts[] = { { mark, answer_fields[0].personal },
		{ count, answer_fields[1].personal },
		{ note, note ? answer_fields[2].personal : NULL } };
	assert_int_equal(personal_seal_parts(&call, &place, parts, 3, &sealed), OK);
	return from_row(ROW, sealed);
}

static const char *read_answer(const char *row)
{
	struct answer answer = { 0 };
	struct buf out = { .arena = call.arena };
	enum err e = shape_set_parts(&call, &answer_shape, "content", row, &answer);
	if (e)
		return err_name(e);
	shape_write_json(&answer_shape, &answer, &out);
	return out.data;
}

static void a_mark_and_a_number_are_sealed_with_the_text_beside_them(void **state)
{
	static const char json[] = "{\"mark\":\"B\",\"count\":4,\"note\":\"高く\"}",
			  short_json[] = "{\"mark\":\"A\",\"count\":5}";
	struct answer answer = { 0 };
	assert_int_equal(shape_read_json(&call, &answer_shape, json, strlen(json), &answer), OK);
	assert_string_equal(read_answer(sealed_answer(
				    CHILD, answer.mark.text, answer.count.text, answer.note.text)),
		json);
	assert_string_equal(read_answer(sealed_answer(CHILD, "A", "5", NULL)), short_json);
}

/* On the way out as on the way in; the number in clear in a row is none that was sealed. */
static void what_does_not_fit_is_refused_on_the_way_out_too(void **state)
{
	struct answer answer = { 0 };
	static const char json[] = "{\"mark\":\"A\",\"count\":6}";
	const char *const no_answers[] = { sealed_answer(CHILD, "C", "4", NULL),
		sealed_answer(CHILD, "A", "6", NULL), sealed_answer(CHILD, "A", "x", NULL),
		sealed_answer(CHILD, "A", "", NULL),
		sealed_answer(CHILD, "A", "4", "九文字より長いので") };
	assert_int_equal(
		shape_read_json(&call, &answer_shape, json, strlen(json), &answer), ERR_INVALID);
	for (size_t i = 0; i < sizeof(no_answers) / sizeof(*no_answers); i++)
		assert_string_equal(read_answer(no_answers[i]), err_name(ERR_INTERNAL));
	assert_int_equal(shape_set_text(&call, &answer_fields[1], "4", &answer), ERR_INTERNAL);
	assert_int_equal(shape_set_text(&call, &answer_fields[0], "A", &answer), ERR_INTERNAL);
	const struct field nested = { .name = "answer",
		.column = "answer",
		.kind = KIND_OBJECT,
		.has = NO_PRESENCE,
		.shape = &answer_shape };
	struct answer *in_row = NULL;
	assert_int_equal(shape_set_text(&call, &nested, "{\"mark\":\"A\",\"count\":4}", &in_row),
		ERR_INTERNAL);
}

/* A text can say that it is gone, a mark cannot. */
static void of_an_erased_user_no_mark_is_made_up(void **state)
{
	static const char *const another = "01920000-0000-7000-8000-0000000000c4";
	struct answer answer = { 0 };
	assert_int_equal(keyring_user_create(call.keyring, TENANT, &another, 1), OK);
	const char *row = sealed_answer(another, "A", "4", "高く");
	assert_int_equal(keyring_user_erase(call.keyring, TENANT, another), OK);
	assert_int_equal(shape_set_parts(&call, &answer_shape, "content", row, &answer), OK);
	assert_null(answer.mark.text);
	assert_null(answer.count.text);
	assert_string_equal(answer.note.text, personal_erased[0]);
	assert_true(personal_leave_out(&answer_shape, &answer));
	assert_false(personal_leave_out(&loose_shape, &answer));
}

/* What must have a mark is left out wherever it stands; the rest stays in its order. */
static void what_lost_its_mark_is_left_out(void **state)
{
	static const struct personal_kind some = { .column = "answer.content" };
	struct answer answers[] = { { { "A", &some }, { "1", &some }, { 0 } },
		{ { 0 }, { 0 }, { "x", &some } }, { { "B", &some }, { "2", &some }, { 0 } } };
	const struct field fields[] = {
		{ .name = "one", .kind = KIND_OBJECT, .shape = &answer_shape },
		{ .name = "all",
			.kind = KIND_ARRAY,
			.offset = sizeof(void *),
			.shape = &answer_shape },
	};
	const struct shape shape = { "many", 0, fields, 2, LABEL_NONE };
	struct {
		struct answer *one;
		struct {
			struct answer *items;
			size_t n;
		} all;
	} many = { &(struct answer){ { 0 }, { 0 }, { 0 } }, { answers, 3 } };
	assert_false(personal_leave_out(&shape, &many));
	assert_null(many.one);
	assert_int_equal(many.all.n, 2);
	assert_string_equal(many.all.items[0].mark.text, "A");
	assert_string_equal(many.all.items[1].mark.text, "B");
	many.one = &(struct answer){ { 0 }, { 0 }, { 0 } };
	struct field must[2];
	memcpy(must, fields, sizeof(must));
	must[0].required = true;
	const struct shape demanding = { "many", 0, must, 2, LABEL_NONE };
	assert_true(personal_leave_out(&demanding, &many));
}

static void a_text_cannot_make_itself_two_parts(void **state)
{
	const char *sealed;
	assert_int_equal(seal_name("山\x1f田", "花子", &sealed), ERR_INVALID);
}

static void a_request_cannot_name_the_column(void **state)
{
	static const char json[] =
		"{\"name\":\"x\",\"family\":\"a\",\"given\":\"b\",\"both\":\"c\"}";
	struct person person = { 0 };
	struct field fields[3];
	memcpy(fields, person_fields, sizeof(fields));
	for (size_t i = 0; i < 3; i++)
		fields[i].place = PLACE_BODY;
	const struct shape shape = { "person", sizeof(struct person), fields, 3, LABEL_NONE };
	assert_int_equal(shape_read_json(&call, &shape, json, strlen(json), &person), ERR_INVALID);
}

static const struct personal_kind login = {
	.domain = "name", .column = "person.login", .of_user = true, .index = "person.login_index"
};

static const char *index_of(const struct personal_kind *of, const char *text)
{
	struct blind_index index = { NULL };
	assert_int_equal(personal_index(&call, (struct personal){ text, of }, &index), OK);
	return index.value;
}

static void the_same_text_has_the_same_index_whatever_its_case(void **state)
{
	const char *index = index_of(&login, "Y.Tanabe");
	assert_int_equal(strlen(index), 43);
	assert_string_equal(index, index_of(&login, "y.tanabe"));
	assert_string_not_equal(index, index_of(&login, "y.tanabe2"));
}

static void of_another_column_or_tenant_it_has_another(void **state)
{
	struct personal_kind elsewhere = login;
	elsewhere.index = "person.other_index";
	const char *index = index_of(&login, "y.tanabe");
	assert_string_not_equal(index, index_of(&elsewhere, "y.tanabe"));
	call.actor = &other;
	assert_string_not_equal(index, index_of(&login, "y.tanabe"));
	call.actor = &actor;
}

/* ---- a version that ended ---- */

/* Destroyed, altered and missing are told apart: only the first has a receipt. */
static void under_a_version_that_ended_nothing_opens(void **state)
{
	static const struct op reading = { .name = "note_get" },
			       writing = { .name = "note_put", .flags = OP_WRITES };
	const struct keyring_version first = { THIRD_TENANT, 1 };
	struct actor third = { .tenant_id = THIRD_TENANT, .user_id = "" };
	struct keyring_receipt receipt;
	const char *text, *parts[PERSONAL_PARTS_MAX];
	call.actor = &third;
	assert_int_equal(keyring_create(call.keyring, THIRD_TENANT), OK);
	const char *row = from_row(ROW, sealed_for(ROW));
	assert_int_equal(keyring_rotate(call.keyring, THIRD_TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(keyring_version_destroy(call.keyring, call.arena, &first, &receipt), OK);
	clock_shift_ms(KEYRING_TRUST_MS);

	call.lost.n = 0;
	call.op = &writing;
	assert_int_equal(personal_open(&call, &kind, row, &text), ERR_NOT_FOUND);
	assert_ptr_equal(call.failure.problem, &personal_gone);
	assert_int_equal(personal_gone.status, 410);
	assert_int_equal(call.lost.n, 0);
	call.op = &reading;
	assert_int_equal(personal_open(&call, &kind, row, &text), OK);
	assert_true(personal_is_lost(text));
	assert_string_equal(text, personal_ended[0]);
	assert_int_equal(personal_open_parts(&call, &kind, row, parts), OK);
	assert_string_equal(parts[1], personal_ended[0]);
	assert_int_equal(call.lost.n, 2);
	assert_string_equal(call.lost.column, kind.column);
	assert_string_equal(call.lost.row_id, ROW);
	third.role = ROLE_SERVICE;
	assert_int_equal(personal_open(&call, &kind, row, &text), ERR_NOT_FOUND);
	assert_int_equal(personal_reseal(&call, &kind, row, &text), OK);
	assert_null(text);

	third.role = ROLE_STUDENT;
	char *never = arena_strdup(call.arena, row);
	never[strlen(ROW ":AQAAAAA")] = 'J'; /* version 9 */
	assert_int_equal(personal_open(&call, &kind, never, &text), ERR_INTERNAL);
	const char *missing = from_row(ROW, sealed_for(ROW));
	const char *key = arena_printf(call.arena, "%s/" THIRD_TENANT ".2.key", directory);
	assert_int_equal(unlink(key), 0);
	clock_shift_ms(2 * KEYRING_TRUST_MS);
	assert_int_equal(personal_open(&call, &kind, missing, &text), ERR_INTERNAL);
	call.op = NULL;
	call.actor = &actor;
}

static void without_its_key_nothing_opens(void **state)
{
	const char *sealed = sealed_for(ROW);
	assert_int_equal(unlink(arena_printf(call.arena, "%s/" TENANT ".1.key", directory)), 0);
	assert_int_equal(unlink(arena_printf(call.arena, "%s/" TENANT ".2.key", directory)), 0);
	clock_shift_ms(2 * KEYRING_TRUST_MS);
	assert_int_equal(open_with(&kind, from_row(ROW, sealed)), ERR_INTERNAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_opens),
		cmocka_unit_test(what_is_absent_stays_absent),
		cmocka_unit_test(copied_elsewhere_it_does_not_open),
		cmocka_unit_test(a_row_of_another_tenant_opens_under_its_own_key),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(what_is_not_sealed_is_refused),
		cmocka_unit_test(json_shows_the_text_and_rows_do_not),
		cmocka_unit_test(rows_within_json_are_opened),
		cmocka_unit_test(a_new_version_seals_and_the_old_one_opens),
		cmocka_unit_test(what_is_about_a_user_opens_by_the_users_key),
		cmocka_unit_test(under_another_users_name_it_does_not_open),
		cmocka_unit_test(of_an_erased_user_only_a_placeholder_is_read),
		cmocka_unit_test(parts_of_a_column_are_sealed_and_read_together),
		cmocka_unit_test(of_an_erased_user_the_name_says_so_in_all_its_parts),
		cmocka_unit_test(a_text_cannot_make_itself_two_parts),
		cmocka_unit_test(a_mark_and_a_number_are_sealed_with_the_text_beside_them),
		cmocka_unit_test(what_does_not_fit_is_refused_on_the_way_out_too),
		cmocka_unit_test(of_an_erased_user_no_mark_is_made_up),
		cmocka_unit_test(what_lost_its_mark_is_left_out),
		cmocka_unit_test(a_request_cannot_name_the_column),
		cmocka_unit_test(the_same_text_has_the_same_index_whatever_its_case),
		cmocka_unit_test(of_another_column_or_tenant_it_has_another),
		cmocka_unit_test(what_another_service_keeps_is_neither_sealed_nor_opened),
		cmocka_unit_test(under_a_version_that_ended_nothing_opens),
		cmocka_unit_test(without_its_key_nothing_opens),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
