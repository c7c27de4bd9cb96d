#include "libcommon/cmocka_call.h"

#include <string.h>

#include "libcommon/call.h"
#include "libcommon/shape.h"

/* Shapes as the generator writes them, with one field of every kind. */
struct point {
	int64_t x;
	bool has_y;
	int64_t y;
};
static const struct field point_fields[] = {
	{ .name = "x",
		.column = "x",
		.kind = KIND_INTEGER,
		.min = 0,
		.max = 9,
		.required = true,
		.offset = offsetof(struct point, x),
		.has = NO_PRESENCE },
	{ .name = "y",
		.column = "y",
		.kind = KIND_INTEGER,
		.min = -5,
		.max = 5,
		.offset = offsetof(struct point, y),
		.has = offsetof(struct point, has_y) },
};
static const struct shape point_shape = {
	.name = "point", .size = sizeof(struct point), .fields = point_fields, .fields_n = 2
};

struct thing {
	const char *id;
	const char *name;
	const char *area;
	bool has_shared;
	bool shared;
	struct point *at;
	struct {
		struct point *items;
		size_t n;
	} points;
	struct {
		const char **items;
		size_t n;
	} tags;
	struct {
		int64_t *items;
		size_t n;
	} counts;
	const char *set_cookie;
	const char *user_id;
	bool has_limit;
	int64_t limit;
	bool dry_run;
	struct bytes body;
};
#define AT(member_) .offset = offsetof(struct thing, member_)
static const struct field thing_fields[] = {
	{ .name = "id",
		.column = "id",
		.kind = KIND_STRING,
		.format = FORMAT_UUID,
		.min = 36,
		.max = 36,
		.required = true,
		AT(id),
		.has = NO_PRESENCE },
	{ .name = "name",
		.column = "name",
		.kind = KIND_STRING,
		.min = 2,
		.max = 5,
		AT(name),
		.has = NO_PRESENCE },
	{ .name = "area",
		.column = "area",
		.kind = KIND_STRING,
		.values = (const char *const[]){ "mat", "vault", NULL },
		AT(area),
		.has = NO_PRESENCE },
	{ .name = "shared",
		.column = "shared",
		.kind = KIND_BOOLEAN,
		AT(shared),
		.has = offsetof(struct thing, has_shared) },
	{ .name = "at",
		.column = "at",
		.kind = KIND_OBJECT,
		.shape = &point_shape,
		AT(at),
		.has = NO_PRESENCE },
	{ .name = "points",
		.column = "points",
		.kind = KIND_ARRAY,
		.min = 1,
		.max = 2,
		.shape = &point_shape,
		AT(points),
		.has = NO_PRESENCE },
	{ .name = "tags",
		.column = "tags",
		.kind = KIND_ARRAY,
		.max = 3,
		.item = &(const struct field){ .name = "",
			.kind = KIND_STRING,
			.min = 1,
			.max = 4,
			.has = NO_PRESENCE },
		AT(tags),
		.has = NO_PRESENCE },
	{ .name = "counts",
		.column = "counts",
		.kind = KIND_ARRAY,
		.max = 3,
		.item = &(const struct field){ .name = "",
			.kind = KIND_INTEGER,
			.min = 1,
			.max = 4,
			.has = NO_PRESENCE },
		AT(counts),
		.has = NO_PRESENCE },
	{ .name = "Set-Cookie",
		.column = "set_cookie",
		.kind = KIND_STRING,
		.place = PLACE_HEADER,
		.max = 64,
		AT(set_cookie),
		.has = NO_PRESENCE },
	{ .name = "userId",
		.column = "user_id",
		.kind = KIND_STRING,
		.place = PLACE_PARAM,
		.min = 1,
		.max = 8,
		.required = true,
		AT(user_id),
		.has = NO_PRESENCE },
	{ .name = "limit",
		.column = "limit",
		.kind = KIND_INTEGER,
		.place = PLACE_PARAM,
		.min = 1,
		.max = 200,
		AT(limit),
		.has = offsetof(struct thing, has_limit) },
	{ .name = "dryRun",
		.column = "dry_run",
		.kind = KIND_BOOLEAN,
		.place = PLACE_PARAM,
		AT(dry_run),
		.has = NO_PRESENCE },
	{ .name = "body",
		.column = "body",
		.kind = KIND_BYTES,
		.required = true,
		AT(body),
		.has = NO_PRESENCE },
};
static const struct shape thing_shape = { .name = "thing",
	.size = sizeof(struct thing),
	.fields = thing_fields,
	.fields_n = sizeof(thing_fields) / sizeof(thing_fields[0]) };

#define ID "0190b6a0-0000-7000-8000-000000000001"

static int new_call(void **state)
{
	struct arena *arena = arena_new();
	struct call *c = arena_alloc(arena, sizeof(*c));
	c->arena = arena;
	*state = c;
	return 0;
}

static int free_call(void **state)
{
	struct call *c = *state;
	arena_free(c->arena);
	return 0;
}

static struct thing read_well(struct call *c, const char *json)
{
	struct thing out = { 0 };
	enum err e = shape_read_json(c, &thing_shape, json, strlen(json), &out);
	if (e)
		fail_msg("%s: %s", json, failure_json(c));
	return out;
}

static void every_kind_is_read(void **state)
{
	struct thing out = read_well(*state,
		"{\"id\":\"" ID "\",\"name\":\"跳び箱\",\"area\":\"mat\",\"shared\":false,"
		"\"at\":{\"x\":3,\"y\":-5},\"points\":[{\"x\":1},{\"x\":2}],\"tags\":[\"a\",\"b\"],"
		"\"counts\":[4,1]}");
	assert_string_equal(out.id, ID);
	assert_string_equal(out.name, "跳び箱");
	assert_true(out.has_shared);
	assert_false(out.shared);
	assert_int_equal(out.at->y, -5);
	assert_true(out.at->has_y);
	assert_int_equal(out.points.n, 2);
	assert_int_equal(out.points.items[1].x, 2);
	assert_false(out.points.items[1].has_y);
	assert_string_equal(out.tags.items[1], "b");
	assert_int_equal(out.counts.items[0], 4);
}

static void absent_and_null_read_alike(void **state)
{
	struct thing out = read_well(*state, "{\"id\":\"" ID "\",\"name\":null,\"shared\":null}");
	assert_null(out.name);
	assert_false(out.has_shared);
	assert_null(out.at);
	assert_int_equal(out.points.n, 0);
}

static void broken_limits_name_their_field(void **state)
{
	static const struct {
		const char *json, *pointer;
	} rows[] = {
		{ "{\"name\":\"ab\"}", "/id" },
		{ "{\"id\":null}", "/id" },
		{ "{\"id\":\"x\"}", "/id" },
		{ "{\"id\":1}", "/id" },
		{ "{\"id\":\"" ID "\",\"id\":\"" ID "\"}", "/id" },
		{ "{\"id\":\"" ID "\",\"name\":\"a\"}", "/name" },
		{ "{\"id\":\"" ID "\",\"name\":\"abcdef\"}", "/name" },
		{ "{\"id\":\"" ID "\",\"name\":\"a\\u0007b\"}", "/name" },
		{ "{\"id\":\"" ID "\",\"area\":\"bar\"}", "/area" },
		{ "{\"id\":\"" ID "\",\"shared\":\"true\"}", "/shared" },
		{ "{\"id\":\"" ID "\",\"shared\":1}", "/shared" },
		{ "{\"id\":\"" ID "\",\"at\":[]}", "/at" },
		{ "{\"id\":\"" ID "\",\"at\":{}}", "/at/x" },
		{ "{\"id\":\"" ID "\",\"at\":{\"x\":10}}", "/at/x" },
		{ "{\"id\":\"" ID "\",\"at\":{\"x\":1.5}}", "/at/x" },
		{ "{\"id\":\"" ID "\",\"at\":{\"x\":1,\"y\":-6}}", "/at/y" },
		{ "{\"id\":\"" ID "\",\"points\":[]}", "/points" },
		{ "{\"id\":\"" ID "\",\"points\":{}}", "/points" },
		{ "{\"id\":\"" ID "\",\"points\":[{\"x\":1},{\"x\":1},{\"x\":1}]}", "/points" },
		{ "{\"id\":\"" ID "\",\"points\":[{\"x\":1},{\"x\":\"1\"}]}", "/points/1/x" },
		{ "{\"id\":\"" ID "\",\"tags\":[\"a\",\"\"]}", "/tags/1" },
		{ "{\"id\":\"" ID "\",\"counts\":[5]}", "/counts/0" },
		{ "{\"id\":\"" ID "\",\"a/b~\":1}", "/a~1b~0" },
		{ "{\"id\":\"" ID "\",\"userId\":\"x\"}", "/userId" },
		{ "{\"id\":\"" ID "\",\"body\":\"x\"}", "/body" },
		{ "[]", "" },
	};
	struct call *c = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thing out = { 0 };
		c->failure = (struct failure){ 0 };
		enum err e =
			shape_read_json(c, &thing_shape, rows[i].json, strlen(rows[i].json), &out);
		if (e != ERR_INVALID || c->failure.fields_n != 1 ||
			strcmp(c->failure.fields[0].pointer, rows[i].pointer) != 0)
			fail_msg("%s: %s", rows[i].json, failure_json(c));
		assert_int_equal(c->failure.problem->status, 422);
	}
}

static void every_broken_field_is_told_at_once(void **state)
{
	struct call *c = *state;
	struct thing out = { 0 };
	static const char json[] = "{\"name\":\"\",\"at\":{\"z\":1},\"q\":1}";
	assert_int_equal(
		shape_read_json(c, &thing_shape, json, sizeof(json) - 1, &out), ERR_INVALID);
	assert_int_equal(c->failure.fields_n, 5);
}

static void what_is_not_json_is_malformed(void **state)
{
	struct call *c = *state;
	struct thing out = { 0 };
	assert_int_equal(shape_read_json(c, &thing_shape, "{", 1, &out), ERR_INVALID);
	assert_int_equal(c->failure.problem->status, 400);
	assert_string_equal(c->failure.problem->code, "malformed");
	c->failure = (struct failure){ 0 };
	assert_int_equal(shape_read_json(c, &thing_shape, "", 0, &out), ERR_INVALID);
	assert_string_equal(c->failure.problem->code, "malformed");
}

static void no_body_is_fine_where_none_is_wanted(void **state)
{
	static const struct shape only_params = {
		.name = "only_params", .fields = thing_fields + 9, .fields_n = 2
	};
	struct thing out = { 0 };
	assert_int_equal(shape_read_json(*state, &only_params, NULL, 0, &out), OK);
	assert_int_equal(shape_read_json(*state, &only_params, "{}", 2, &out), OK);
	assert_int_equal(shape_read_json(*state, &only_params, "{\"a\":1}", 7, &out), ERR_INVALID);
}

static void hundreds_of_mistakes_are_cut_off(void **state)
{
	struct call *c = *state;
	struct thing out = { 0 };
	struct buf json = { .arena = c->arena };
	buf_char(&json, '{');
	for (int i = 0; i < 500; i++)
		buf_printf(&json, "\"x%d\":1,", i);
	buf_text(&json, "\"id\":1}");
	assert_int_equal(shape_read_json(c, &thing_shape, json.data, json.n, &out), ERR_INVALID);
	assert_int_equal(c->failure.fields_n, FIELD_ERRORS_MAX);
	assert_non_null(failure_json(c));
}

static void a_long_unknown_name_does_not_travel(void **state)
{
	struct call *c = *state;
	struct thing out = { 0 };
	char *name = arena_alloc(c->arena, 1001);
	memset(name, 'a', 1000);
	const char *json = arena_printf(c->arena, "{\"id\":\"" ID "\",\"%s\":1}", name);
	assert_int_equal(shape_read_json(c, &thing_shape, json, strlen(json), &out), ERR_INVALID);
	assert_string_equal(c->failure.fields[0].pointer, "");
}

static void parameters_are_read(void **state)
{
	struct thing out = { 0 };
	static const char params[] = "userId=a%20%E3%81%82+b&limit=200&dryRun=true";
	assert_int_equal(shape_read_params(*state, &thing_shape, params, strlen(params), &out), OK);
	assert_string_equal(out.user_id, "a あ b");
	assert_int_equal(out.limit, 200);
	assert_true(out.has_limit);
	assert_true(out.dry_run);
}

static void broken_parameters_are_refused(void **state)
{
	static const struct {
		const char *params;
		unsigned status;
	} rows[] = {
		{ "", 422 },
		{ "userId=", 422 },
		{ "userId=a&userId=b", 422 },
		{ "userId=a&other=1", 422 },
		{ "userId=a&id=" ID, 422 },
		{ "userId=a&limit=0", 422 },
		{ "userId=a&limit=201", 422 },
		{ "userId=a&limit=01", 422 },
		{ "userId=a&limit=+1", 422 },
		{ "userId=a&limit=%2B1", 422 },
		{ "userId=a&limit=1e1", 422 },
		{ "userId=a&limit=9999999999999999999", 422 },
		{ "userId=a&limit", 422 },
		{ "userId=a&dryRun=1", 422 },
		{ "userId=%00", 400 },
		{ "userId=%e3%81", 400 },
		{ "userId=%", 400 },
		{ "userId=%4", 400 },
		{ "userId=%zz", 400 },
	};
	struct call *c = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thing out = { 0 };
		c->failure = (struct failure){ 0 };
		enum err e = shape_read_params(
			c, &thing_shape, rows[i].params, strlen(rows[i].params), &out);
		if (e != ERR_INVALID || c->failure.problem->status != rows[i].status)
			fail_msg("%s: %s", rows[i].params, failure_json(c));
	}
}

static void what_is_written_reads_back(void **state)
{
	struct call *c = *state;
	static const char json[] =
		"{\"id\":\"" ID "\",\"name\":\"\\\"跳\\\"\",\"shared\":true,\"at\":{\"x\":3},"
		"\"points\":[{\"x\":1,\"y\":0},{\"x\":2}],\"tags\":[\"a\"],\"counts\":[4,1]}";
	struct thing out = read_well(c, json);
	struct buf text = { .arena = c->arena };
	shape_write_json(&thing_shape, &out, &text);
	assert_string_equal(text.data, json);
}

static void nothing_writes_as_an_empty_object(void **state)
{
	struct call *c = *state;
	static const struct shape empty = {
		.name = "empty", .fields = point_fields + 1, .fields_n = 1
	};
	struct buf text = { .arena = c->arena };
	shape_write_json(&empty, &(struct point){ 0 }, &text);
	assert_string_equal(text.data, "{}");
}

static void parameters_and_headers_are_written(void **state)
{
	struct call *c = *state;
	struct thing in = {
		.user_id = "あ &=", .has_limit = true, .limit = 7, .set_cookie = "a=b"
	};
	struct buf params = { .arena = c->arena }, headers = { .arena = c->arena };
	shape_write_params(&thing_shape, &in, &params);
	assert_string_equal(params.data, "userId=%E3%81%82%20%26%3D&limit=7&dryRun=false");
	shape_write_headers(&thing_shape, &in, &headers);
	assert_string_equal(headers.data, "Set-Cookie: a=b\r\n");
	struct thing back = { 0 };
	assert_int_equal(shape_read_params(c, &thing_shape, params.data, params.n, &back), OK);
	assert_string_equal(back.user_id, in.user_id);
}

static enum err set(struct call *c, size_t i, const char *text, struct thing *out)
{
	return shape_set_text(c, &thing_fields[i], text, out);
}

static void sql_text_is_set(void **state)
{
	struct thing out = { 0 };
	assert_int_equal(set(*state, 0, ID, &out), OK);
	assert_int_equal(set(*state, 1, NULL, &out), OK);
	assert_int_equal(set(*state, 3, "t", &out), OK);
	assert_int_equal(set(*state, 4, "{\"x\": 4}", &out), OK);
	assert_int_equal(set(*state, 6, "[\"a\", \"b\"]", &out), OK);
	assert_int_equal(set(*state, 10, "12", &out), OK);
	assert_string_equal(out.id, ID);
	assert_null(out.name);
	assert_true(out.has_shared && out.shared);
	assert_int_equal(out.at->x, 4);
	assert_string_equal(out.tags.items[1], "b");
	assert_int_equal(out.limit, 12);
}

static void sql_text_that_does_not_fit_is_our_bug(void **state)
{
	struct thing out = { 0 };
	assert_int_equal(set(*state, 0, NULL, &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 0, "no uuid", &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 2, "bar", &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 3, "true", &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 4, "{\"x\":44}", &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 4, "{", &out), ERR_INTERNAL);
	assert_int_equal(set(*state, 10, "x", &out), ERR_INTERNAL);
	assert_int_equal(((struct call *)*state)->failure.fields_n, 0);
}

static void formats_are_checked(void **state)
{
	static const struct {
		enum format format;
		const char *good[6], *bad[12];
	} rows[] = {
		{ FORMAT_DATE, { "2026-04-08", "2024-02-29" },
			{ "2026-4-8", "2026-02-29", "2026-13-01", "2026-00-01", "2026-04-31",
				"2026-04-08 ", "20260408", "0000-01-01", "9999-12-31" } },
		{ FORMAT_DATE_TIME,
			{ "2026-04-08T00:30:00.000Z", "2026-04-08T09:30:00+09:00",
				"2026-04-08T00:30:00Z", "0002-01-01T00:00:00+15:59" },
			{ "2026-04-08", "2026-04-08T24:00:00Z", "2026-04-08T00:60:00Z",
				"2026-04-08T00:00:60Z", "2026-04-08T00:00:00",
				"2026-04-08T00:00:00.Z", "2026-04-08 00:00:00Z",
				"2026-04-08T00:00:00+9:00", "2026-04-08T00:00:00+16:00",
				"9999-12-31T23:59:59-01:00" } },
		{ FORMAT_USERNAME, { "a", "t.sato@city-1_x", "0" },
			{ "-a", ".a", "a b", "佐藤", "a/b", "a'" } },
		{ FORMAT_CODE, { "82G02C3211000000" }, { "82-G", "a b", "あ" } },
		{ FORMAT_NONE, { "a\nb\tc", "あ" }, { "a\rb", "\x7f", "\x1b" } },
	};
	struct call *c = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct field field = { .name = "f",
			.column = "f",
			.kind = KIND_STRING,
			.format = rows[i].format,
			.max = 40,
			.has = NO_PRESENCE };
		const char *out = NULL;
		for (const char *const *text = rows[i].good; *text != NULL; text++)
			if (shape_set_text(c, &field, *text, &out))
				fail_msg("refused: %s", *text);
		for (const char *const *text = rows[i].bad; *text != NULL; text++)
			if (!shape_set_text(c, &field, *text, &out))
				fail_msg("accepted: %s", *text);
	}
}

static void the_bytes_field_is_found(void **state)
{
	assert_ptr_equal(shape_bytes_field(&thing_shape), &thing_fields[12]);
	assert_null(shape_bytes_field(&point_shape));
}

#define IN_CALL(test_) cmocka_unit_test_setup_teardown(test_, new_call, free_call)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_CALL(every_kind_is_read),
		IN_CALL(absent_and_null_read_alike),
		IN_CALL(broken_limits_name_their_field),
		IN_CALL(every_broken_field_is_told_at_once),
		IN_CALL(what_is_not_json_is_malformed),
		IN_CALL(no_body_is_fine_where_none_is_wanted),
		IN_CALL(hundreds_of_mistakes_are_cut_off),
		IN_CALL(a_long_unknown_name_does_not_travel),
		IN_CALL(parameters_are_read),
		IN_CALL(broken_parameters_are_refused),
		IN_CALL(what_is_written_reads_back),
		IN_CALL(nothing_writes_as_an_empty_object),
		IN_CALL(parameters_and_headers_are_written),
		IN_CALL(sql_text_is_set),
		IN_CALL(sql_text_that_does_not_fit_is_our_bug),
		IN_CALL(formats_are_checked),
		IN_CALL(the_bytes_field_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
