/* Facts about imports: which cells are wrong, that nothing is applied then, and how long 10,000
 * people take. */
#include "services/provisioning/provisioning_test.h"

#define HEADER "利用者ID,ロール,姓,名,せい,めい,学年,学校,クラス\r\n"
#define TARO "taro,生徒,佐藤,太郎,さとう,たろう,P5,東小,5-1\r\n"
#define SENSEI "sensei,指導者,山田,花子,ヤマダ,ハナコ,,東小,5-1;5-2\r\n"

static struct answer import(const char *csv, bool is_dry)
{
	return expect(200, &head, "user_import", is_dry ? "dryRun=true" : "dryRun=false", csv);
}

static int64_t number_of(const struct answer *answer, const char *name)
{
	return json_integer(json_member(answer->json, name), -1);
}

static const char *rows_of(const char *table)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT count(*) FROM provisioning.%s WHERE tenant_id = '" TEST_TENANT "'",
			table));
}

static void a_dry_run_tells_and_does_nothing(void **state)
{
	struct answer answer = import("\xef\xbb\xbf" HEADER TARO SENSEI, true);
	assert_false(json_is_true(json_member(answer.json, "applied")));
	assert_int_equal(number_of(&answer, "rows"), 2);
	assert_int_equal(number_of(&answer, "creates"), 2);
	assert_int_equal(json_count(json_member(answer.json, "errors")), 0);
	assert_string_equal(rows_of("person"), "1");
	assert_string_equal(rows_of("org"), "0");
	assert_string_equal(
		test_sql_text(
			&test, "SELECT count(*) FROM provisioning.outbox WHERE kind = 'event'"),
		"0");
}

static void bad_cells_are_told_and_nothing_is_applied(void **state)
{
	static const struct {
		const char *csv, *column, *code;
		int64_t row;
	} rows[] = {
		{ "", "", "empty", 1 },
		{ "\xff\xff\xff", "", "encoding", 1 },
		{ HEADER "\"a", "", "csv_quote_open", 2 },
		{ "利用者ID\n", "ロール", "missing_column", 1 },
		{ "利用者ID,ID,ロール,姓,名,せい,めい\n", "ID", "unknown_column", 1 },
		{ "利用者ID,username,ロール,姓,名,せい,めい\n", "username", "duplicate_column", 1 },
		{ HEADER ",生徒,佐藤,太郎,さとう,たろう,,,\n", "利用者ID", "required", 2 },
		{ HEADER "た,生徒,佐藤,太郎,さとう,たろう,,,\n", "利用者ID", "invalid", 2 },
		{ HEADER "a,先生,佐藤,太郎,さとう,たろう,,,\n", "ロール", "invalid", 2 },
		{ HEADER "a,生徒,,太郎,さとう,たろう,,,\n", "姓", "required", 2 },
		{ HEADER "a,生徒,佐藤,太郎,sato,たろう,,,\n", "せい", "not_kana", 2 },
		{ HEADER "a,生徒,佐藤,太郎,さとう,たろう,7,,\n", "学年", "invalid", 2 },
		{ HEADER "a,生徒,佐藤,太郎,さとう,たろう,,,5-1\n", "学校", "required", 2 },
		{ HEADER "a,生徒,佐藤,太郎,さとう,たろう,,東小,1;2\n", "クラス", "one_class", 2 },
		{ HEADER "a,契約者,佐藤,太郎,さとう,たろう,,東小,1\n", "クラス",
			"contractor_in_class", 2 },
		{ HEADER TARO "\r\nTARO,生徒,佐藤,太郎,さとう,たろう,,,\n", "利用者ID",
			"duplicate_username", 4 },
		{ HEADER "head,生徒,佐藤,太郎,さとう,たろう,,,\n", "ロール", "role_change", 2 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer answer = import(rows[i].csv, false);
		const struct json *error = json_item(json_member(answer.json, "errors"), 0);
		if (json_text(json_member(error, "code")) == NULL ||
			strcmp(json_text(json_member(error, "code")), rows[i].code) != 0)
			print_error("%s: %s\n", rows[i].csv, body_text(&answer));
		assert_string_equal(json_text(json_member(error, "code")), rows[i].code);
		assert_string_equal(json_text(json_member(error, "column")), rows[i].column);
		assert_int_equal(json_integer(json_member(error, "row"), 0), rows[i].row);
		assert_false(json_is_true(json_member(answer.json, "applied")));
	}
	assert_string_equal(rows_of("person"), "1");
}

static void good_rows_become_people_classes_and_accounts(void **state)
{
	struct answer answer = import(HEADER TARO SENSEI, false);
	assert_true(json_is_true(json_member(answer.json, "applied")));
	const struct json *secrets = json_member(answer.json, "secrets");
	assert_int_equal(json_count(secrets), 2);
	assert_string_equal(json_text(json_member(json_item(secrets, 0), "classTitle")), "5-1");
	assert_string_equal(rows_of("person"), "3");
	assert_string_equal(rows_of("org"), "1");
	assert_string_equal(rows_of("class"), "2");
	assert_string_equal(rows_of("enrollment"), "3");
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena, "SELECT role FROM auth.account WHERE id = '%s'",
				account_of("taro"))),
		"student");
	assert_string_equal(
		test_sql_text(&test, "SELECT grade FROM provisioning.class WHERE title = '5-1'"),
		"P5");
	const char *id = person_of("taro");
	assert_string_equal(
		json_text(json_member(event_of(&event_user_changed, id), "givenName")), "太郎");
}

static void the_same_file_again_changes_nothing(void **state)
{
	struct answer answer = import(HEADER TARO SENSEI, false);
	assert_int_equal(number_of(&answer, "creates"), 0);
	assert_int_equal(number_of(&answer, "updates"), 0);
	assert_int_equal(json_count(json_member(answer.json, "secrets")), 0);
	assert_string_equal(rows_of("enrollment"), "3");
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT max(version) FROM provisioning.person WHERE id = '%s'",
				person_of("taro"))),
		"1");
}

static const char *name_of(const char *username)
{
	return test_name(&test, "provisioning.person", person_of(username));
}

static void a_changed_row_changes_the_person(void **state)
{
	struct answer answer =
		import(HEADER "TARO,生徒,佐藤,次郎,さとう,じろう,,東小,5-2\r\n", false);
	assert_int_equal(number_of(&answer, "updates"), 1);
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT grade || version FROM provisioning.person WHERE id = '%s'",
				person_of("taro"))),
		"P52");
	assert_string_equal(name_of("taro"), "佐藤 次郎 さとう じろう");
	assert_string_equal(rows_of("enrollment"), "4");
}

#define LOST "lost1,生徒,佐藤,太郎,さとう,たろう,,,\r\nlost2,生徒,佐藤,次郎,さとう,じろう,,,\r\n"

static const char *both(const char *(*of)(const char *username))
{
	const char *first = of("lost1"), *second = of("lost2");
	return arena_printf(test.arena, "%s %s", first ? first : "", second ? second : "");
}

static void a_failed_commit_is_taken_up_again(void **state)
{
	break_commits();
	(void)expect(500, &head, "user_import", "dryRun=false", HEADER LOST);
	const char *ids = both(account_of);
	assert_int_equal(strlen(ids), 2 * 36 + 1);
	assert_string_equal(both(person_of), " ");
	mend_commits();
	/* One of them by hand: both ways come to the same account. */
	(void)add_user(&head, "Lost2", "student", "ろ", "す");
	struct answer answer = import(HEADER LOST, false);
	assert_int_equal(number_of(&answer, "creates"), 1);
	assert_int_equal(json_count(json_member(answer.json, "secrets")), 1);
	assert_string_equal(both(person_of), ids);
	assert_string_equal(both(account_of), ids);
	expect_no_person_intent("lost1");
	expect_no_person_intent("lost2");
}

static const char *first_error(const struct answer *answer)
{
	const struct json *error = json_item(json_member(answer->json, "errors"), 0);
	return arena_printf(test.arena, "%s %s %lld", json_text(json_member(error, "column")),
		json_text(json_member(error, "code")),
		(long long)json_integer(json_member(error, "row"), 0));
}

static void set_class_status(const char *title, const char *operation)
{
	const char *id = test_sql_text(&test,
		arena_printf(
			test.arena, "SELECT id FROM provisioning.class WHERE title = '%s'", title));
	(void)expect(204, &head, operation, params_of("classId", id), NULL);
}

static void nobody_new_comes_into_a_suspended_class(void **state)
{
#define NEWCOMER "shin,生徒,新,人,しん,じん,P5,東小,5-1\r\n"
	set_class_status("5-1", "class_suspend");
	/* Who is in it already may stand in the file, and somebody new in another class. */
	struct answer answer = import(
		HEADER TARO SENSEI "shin0,生徒,新,人,しん,じん,P5,東小,5-2\r\n" NEWCOMER, false);
	assert_string_equal(first_error(&answer), "クラス class_suspended 5");
	assert_int_equal(json_count(json_member(answer.json, "errors")), 1);
	assert_false(json_is_true(json_member(answer.json, "applied")));
	answer = import(HEADER NEWCOMER, true);
	assert_string_equal(first_error(&answer), "クラス class_suspended 2");
	/* The same title at another school is another class. */
	answer = import(HEADER "nishi,生徒,西,人,にし,ひと,P5,西小,5-1\r\n", true);
	assert_int_equal(json_count(json_member(answer.json, "errors")), 0);
	set_class_status("5-1", "class_restore");
	answer = import(HEADER NEWCOMER, false);
	assert_true(json_is_true(json_member(answer.json, "applied")));
}

static void a_class_too_large_is_refused_before_auth_is_asked(void **state)
{
	struct buf csv = { .arena = test.arena };
	buf_text(&csv, HEADER);
	for (int i = 0; i < 501; i++)
		buf_printf(&csv, "full%03d,生徒,姓,名,せい,めい,P1,東小,大組\r\n", i);
	struct answer answer = import(csv.data, false);
	assert_string_equal(first_error(&answer), "クラス class_full 502");
	const char *first = account_of("full000");
	assert_string_equal(first ? first : "", "");
}

static void shift_jis_is_taken(void **state)
{
	/* username,role,familyName,givenName,kanaFamilyName,kanaGivenName /
	 * sj,student,佐藤,一,さとう,はじめ */
	struct answer answer =
		import("username,role,familyName,givenName,kanaFamilyName,kanaGivenName\r\n"
		       "sj,student,\x8d\xb2\x93\xa1,\x88\xea,\x82\xb3\x82\xc6\x82\xa4,"
		       "\x82\xcd\x82\xb6\x82\xdf\r\n",
			false);
	assert_true(json_is_true(json_member(answer.json, "applied")));
	assert_string_equal(name_of("sj"), "佐藤 一 さとう はじめ");
}

/* Of this process and of PostgreSQL's backends here, auth's too: what else the machine does makes
 * it wait, not work. */
static int64_t cpu_ms(void)
{
	struct timespec now;
	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	const char *backends = test_sql_text(&test,
		"SELECT sum(split_part(pg_read_file('/proc/' || pid || '/schedstat', 0, 99, true),"
		" ' ', 1)::numeric / 1000000)::bigint"
		" FROM pg_stat_activity WHERE datname = current_database()");
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + strtoll(backends, NULL, 10);
}

static void ten_thousand_people_take_seconds(void **state)
{
	struct buf csv = { .arena = test.arena };
	buf_text(&csv, HEADER);
	for (int i = 0; i < 10000; i++)
		buf_printf(&csv, "p%05d,生徒,姓%d,名%d,さとう,たろう,P%d,第%d小,%d組\r\n", i, i, i,
			i % 6 + 1, i / 500, i / 30);
	int64_t begin_ms = cpu_ms();
	struct answer answer = import(csv.data, false);
	int64_t took_ms = cpu_ms() - begin_ms;
	assert_int_equal(number_of(&answer, "creates"), 10000);
	assert_int_equal(json_count(json_member(answer.json, "secrets")), 10000);
	print_message("# 10,000 people: %lld ms of CPU\n", (long long)took_ms);
	assert_true(took_ms > 0);
	assert_true(took_ms < 30000); /* half of the gateway's patience, with the sanitizers */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dry_run_tells_and_does_nothing),
		cmocka_unit_test(bad_cells_are_told_and_nothing_is_applied),
		cmocka_unit_test(good_rows_become_people_classes_and_accounts),
		cmocka_unit_test(the_same_file_again_changes_nothing),
		cmocka_unit_test(a_changed_row_changes_the_person),
		cmocka_unit_test(a_failed_commit_is_taken_up_again),
		cmocka_unit_test(nobody_new_comes_into_a_suspended_class),
		cmocka_unit_test(a_class_too_large_is_refused_before_auth_is_asked),
		cmocka_unit_test(shift_jis_is_taken),
		cmocka_unit_test(ten_thousand_people_take_seconds),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
