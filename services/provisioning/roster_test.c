/* Facts about lists of people whose names lie sealed. */
#include <time.h>

#include "libcommon/keyring_user.h"
#include "services/provisioning/provisioning_test.h"

#define MANY 2000

/* People without accounts: what is asked here is not about those. */
static const char *add_named(const char *username, const char *role, const char *kana_family)
{
	const char *id = uuid_make(test.arena);
	const char *const name[] = { "姓", "名", kana_family, "あ" };
	test_people(&test, TEST_TENANT, &id, 1);
	const struct test_login login = test_login(&test, TEST_TENANT, id, username);
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO provisioning.person (tenant_id, id, login, login_index, role,"
			" name) VALUES ('" TEST_TENANT "', '%s', '%s', '%s', '%s', '%s')",
			id, login.sealed, login.index, role,
			test_sealed_name(&test, TEST_TENANT, id, name)));
	return id;
}

static struct answer page_of(const char *cursor)
{
	return expect(200, &head, "user_list",
		arena_printf(test.arena, "role=instructor&limit=2%s%s", cursor ? "&cursor=" : "",
			cursor ? cursor : ""),
		NULL);
}

static const char *kana_at(const struct answer *page, size_t i)
{
	return json_text(json_member(json_item(items_of(page), i), "kanaFamilyName"));
}

/* Between two pages the last one that was shown, and nobody else, goes. */
static void a_page_goes_on_where_somebody_was(void **state)
{
	static const char *const readings[] = { "あ", "イ", "ｳ", "え", "お" };
	const char *ids[5];
	for (size_t i = 5; i-- > 0;)
		ids[i] = add_named(arena_printf(test.arena, "p%zu", i), "instructor", readings[i]);
	struct answer page = page_of(NULL);
	assert_string_equal(kana_at(&page, 1), "イ");
	const char *cursor = text_of(&page, "nextCursor");
	test_sql(&test,
		arena_printf(
			test.arena, "DELETE FROM provisioning.person WHERE id = '%s'", ids[1]));
	page = page_of(cursor);
	assert_string_equal(kana_at(&page, 0), "ｳ");
	assert_string_equal(kana_at(&page, 1), "え");
	page = page_of(text_of(&page, "nextCursor"));
	assert_string_equal(kana_at(&page, 0), "お");
	assert_null(text_of(&page, "nextCursor"));
}

/* Cursors stand in addresses, and addresses in histories and logs of proxies. */
static void a_cursor_holds_no_name(void **state)
{
	struct answer page = page_of(NULL);
	struct bytes cursor;
	assert_int_equal(
		crypto_from_base64url(test.arena, text_of(&page, "nextCursor"), &cursor), OK);
	for (size_t i = 0; i < cursor.n; i++)
		assert_true(cursor.data[i] < 0x80); /* no kana */
	const char *id = json_text(json_member(json_item(items_of(&page), 1), "id"));
	assert_non_null(memmem(cursor.data, cursor.n, id, strlen(id)));
}

static void search_finds_by_reading_part_and_login_name(void **state)
{
	static const struct {
		const char *q;
		size_t n;
	} rows[] = {
		{ "%E3%82%A6", 1 }, /* ウ */
		{ "%EF%BD%B3%E3%81%82", 1 }, /* ｳあ, without the space between */
		{ "%E5%90%8D", 4 }, /* 名 */
		{ "P3", 1 },
		{ "%E3%83%BC", 0 }, /* ー */
		{ "%25", 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answer found = expect(200, &head, "search_part",
			arena_printf(test.arena, "q=%s", rows[i].q), NULL);
		assert_int_equal(json_count(json_member(found.json, "users")), rows[i].n);
	}
}

/* An erased key, and the row still there: the others are listed, this one without a name. */
static void one_who_is_erased_stops_no_list(void **state)
{
	const char *id = add_named("gone", "instructor", "き");
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, id), OK);
	struct answer page = expect(200, &head, "user_list", "role=instructor", NULL);
	assert_int_equal(json_count(items_of(&page)), 5);
	assert_non_null(strstr(body_text(&page), "さくじょずみ"));
}

static void add_many(void)
{
	static const char *ids[MANY];
	struct buf rows = { .arena = test.arena };
	for (size_t i = 0; i < MANY; i++)
		ids[i] = uuid_make(test.arena);
	test_people(&test, TEST_TENANT, ids, MANY);
	buf_text(&rows,
		"INSERT INTO provisioning.person (tenant_id, id, login, login_index, role, name)"
		" VALUES");
	for (size_t i = 0; i < MANY; i++) {
		const char *kana = arena_printf(test.arena, "かな%04zu", i * 7919 % MANY);
		const char *const name[] = { "姓", "名", kana, "あ" };
		const struct test_login login =
			test_login(&test, TEST_TENANT, ids[i], arena_printf(test.arena, "m%zu", i));
		buf_printf(&rows, "%s('" TEST_TENANT "', '%s', '%s', '%s', 'student', '%s')",
			i ? ", " : " ", ids[i], login.sealed, login.index,
			test_sealed_name(&test, TEST_TENANT, ids[i], name));
	}
	test_sql(&test, rows.data);
}

/* Of this process, PostgreSQL's not included. */
static int64_t cpu_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* All of them, so many at a time. */
static void list_all(const char *limit)
{
	const char *cursor = "";
	size_t seen = 0;
	while (cursor) {
		struct answer page = expect(200, &head, "user_list",
			arena_printf(test.arena, "role=student&limit=%s%s", limit, cursor), NULL);
		for (size_t i = 0; i < json_count(items_of(&page)); i++)
			assert_string_equal(
				kana_at(&page, i), arena_printf(test.arena, "かな%04zu", seen++));
		const char *next = text_of(&page, "nextCursor");
		cursor = next ? arena_printf(test.arena, "&cursor=%s", next) : NULL;
	}
	assert_int_equal(seen, MANY);
}

/* The figures are printed: what a machine under load takes says nothing about us. */
static void two_thousand_are_listed_by_reading(void **state)
{
	static const char *const limits[] = { "2000", "200" };
	add_many();
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int64_t begin_us = clock_steady_us(), cpu_begin_us = cpu_us();
		list_all(limits[i]);
		print_message("# %d sealed names by reading, %s at a time: %lld us, of it %lld of "
			      "CPU here\n",
			MANY, limits[i], (long long)(clock_steady_us() - begin_us),
			(long long)(cpu_us() - cpu_begin_us));
	}
}

/* Not more: an answer has a bound. */
static void more_than_that_are_not_asked_for_at_once(void **state)
{
	expect(422, &head, "user_list", "limit=2001", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_goes_on_where_somebody_was),
		cmocka_unit_test(a_cursor_holds_no_name),
		cmocka_unit_test(search_finds_by_reading_part_and_login_name),
		cmocka_unit_test(one_who_is_erased_stops_no_list),
		cmocka_unit_test(two_thousand_are_listed_by_reading),
		cmocka_unit_test(more_than_that_are_not_asked_for_at_once),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
