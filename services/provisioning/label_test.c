/* What becomes of a user whose class was raised, for each session that may administer users. */
#include "services/provisioning/provisioning_test.h"

#include "libcommon/recorded.h"

static const char *child, *other, *class_id, *child_place, *teacher_id;

#define FACTOR "second_factor_required"
#define PASSWORD "step_up_required"
#define CHILD (params_of("userId", child))

static int open_class(void **state)
{
	open_world(state);
	child = add_user(&head, "mamoru", "student", "まもる", "いち");
	other = add_user(&head, "tomo", "student", "とも", "に");
	teacher_id = add_user(&head, "sensei", "instructor", "せん", "せい");
	class_id = add_class(&head, "みなと小", "5年1組");
	const char *const ids[] = { child, other, teacher_id };
	for (size_t i = 0; i < 3; i++) {
		struct answer answer =
			expect(201, &head, "enrollment_create", params_of("classId", class_id),
				arena_printf(test.arena, "{\"userId\":\"%s\"}", ids[i]));
		if (i == 0)
			child_place = text_of(&answer, "id");
	}
	return 0;
}

static int calm_down(void **state)
{
	recorded_forget();
	test_sql(&test,
		"UPDATE provisioning.person SET label = NULL;"
		"UPDATE provisioning.class SET label = NULL");
	return 0;
}

/* What a session has proven. */
enum proof { ONE_FACTOR, STALE, FRESH };

static struct actor with(const struct actor *who, enum proof proof)
{
	struct actor actor = *who;
	actor.needs_second_factor = true;
	actor.factors = proof == ONE_FACTOR ? 1 : 2;
	actor.authenticated_unix_ms =
		clock_unix_ms() - (proof == FRESH ? 0 : STEP_UP_LIFETIME_MS + 1);
	return actor;
}

static struct answer as(const struct actor *who, enum proof proof, const char *operation,
	const char *params, const char *body)
{
	const struct actor actor = with(who, proof);
	return ask(&actor, operation, params, body);
}

/* "" where it was allowed, else the code of the problem. */
static const char *code_for(const struct actor *who, enum proof proof, const char *operation,
	const char *params, const char *body)
{
	struct answer answer = as(who, proof, operation, params, body);
	return answer.reply.status < 400 ? "" : text_of(&answer, "code");
}

static const char *put_label(enum proof proof, const char *body)
{
	return code_for(&head, proof, "user_label_put", CHILD, body);
}

static void raise_child(const char *label)
{
	assert_string_equal(
		put_label(FRESH, arena_printf(test.arena, "{\"label\":\"%s\"}", label)), "");
}

static bool shows(const struct actor *who, enum proof proof, const char *operation,
	const char *params, const char *id)
{
	struct answer answer = as(who, proof, operation, params, NULL);
	assert_int_equal(answer.reply.status, 200);
	return strstr(body_text(&answer), id) != NULL;
}

static bool is_told(const struct actor *who, enum proof proof, const char *operation,
	const char *params, const char *proof_name)
{
	struct answer answer = as(who, proof, operation, params, NULL);
	const char *headers = answer.reply.headers.data ? answer.reply.headers.data : "";
	return strstr(headers, arena_printf(test.arena, "Manabiya-Withheld: %s\r\n", proof_name)) !=
		NULL;
}

static struct actor teacher(void)
{
	return test_actor(&test, TEST_TENANT, teacher_id, ROLE_INSTRUCTOR);
}

/* Everything that names the child by its own id or by that of its place in a class. */
static void what_names_the_user_takes_what_the_class_takes(void **state)
{
	const char *place = params_of("enrollmentId", child_place);
	const struct {
		const char *operation, *params, *body;
		bool wants_factor, wants_password; /* whatever the class of the user */
	} rows[] = {
		{ "user_get", CHILD, NULL, false, false },
		{ "user_feature_list", CHILD, NULL, false, false },
		{ "enrollment_get", place, NULL, false, false },
		{ "enrollment_suspend", place, NULL, false, false },
		{ "enrollment_restore", place, NULL, false, false },
		{ "user_suspend", CHILD, NULL, true, false },
		{ "user_restore", CHILD, NULL, true, false },
		{ "user_secret_issue", CHILD, NULL, true, true },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = rows[i].operation, *params = rows[i].params;
		calm_down(state);
		assert_string_equal(code_for(&head, ONE_FACTOR, at, params, rows[i].body),
			rows[i].wants_factor ? FACTOR : "");
		raise_child("II");
		assert_string_equal(code_for(&head, ONE_FACTOR, at, params, rows[i].body), FACTOR);
		assert_string_equal(code_for(&head, STALE, at, params, rows[i].body),
			rows[i].wants_password ? PASSWORD : "");
		raise_child("I");
		assert_string_equal(code_for(&head, ONE_FACTOR, at, params, rows[i].body), FACTOR);
		assert_string_equal(code_for(&head, STALE, at, params, rows[i].body), PASSWORD);
		assert_string_equal(code_for(&head, FRESH, at, params, rows[i].body), "");
		assert_string_equal(
			code_for(&other_head, FRESH, at, params, rows[i].body), "not_found");
	}
}

static void lists_leave_the_user_out_and_say_so_to_who_could_see_more(void **state)
{
	const struct actor own = teacher();
	const char *in_class = params_of("classId", class_id);
	const struct {
		const struct actor *who;
		const char *operation, *params;
	} lists[] = {
		{ &head, "user_list", NULL },
		{ &head, "user_list", in_class },
		{ &head, "enrollment_list", in_class },
		{ &own, "enrollment_list", in_class },
	};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct actor *who = lists[i].who;
		const char *at = lists[i].operation, *params = lists[i].params;
		calm_down(state);
		assert_true(shows(who, ONE_FACTOR, at, params, child));
		assert_false(is_told(who, ONE_FACTOR, at, params, "second-factor"));
		raise_child("II");
		assert_false(shows(who, ONE_FACTOR, at, params, child));
		assert_true(shows(who, ONE_FACTOR, at, params, other));
		assert_true(is_told(who, ONE_FACTOR, at, params, "second-factor"));
		assert_true(shows(who, STALE, at, params, child));
		raise_child("I");
		assert_false(shows(who, STALE, at, params, child));
		assert_true(is_told(who, STALE, at, params, "step-up"));
		assert_true(shows(who, FRESH, at, params, child));
	}
}

static int64_t count_in(const struct actor *who, enum proof proof, const char *operation,
	const char *params, const char *name)
{
	const struct answer answer = as(who, proof, operation, params, NULL);
	const struct json *of = answer.json;
	if (strcmp(operation, "class_list") == 0)
		of = json_first(items_of(&answer));
	return json_integer(json_member(of, name), -1);
}

/* With the length of the list beside it a count would say how many are left out. */
static void counts_are_of_whom_the_session_may_see(void **state)
{
	const struct actor own = teacher();
	const char *in_class = params_of("classId", class_id);
	const struct {
		const struct actor *who;
		const char *operation, *params, *name;
	} counts[] = {
		{ &head, "class_get", in_class, "studentCount" },
		{ &own, "class_get", in_class, "studentCount" },
		{ &head, "class_list", NULL, "studentCount" },
		{ &own, "class_list", NULL, "studentCount" },
		{ &head, "home_part", NULL, "userCount" },
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const struct actor *who = counts[i].who;
		const char *at = counts[i].operation, *params = counts[i].params;
		const char *name = counts[i].name;
		calm_down(state);
		int64_t all = count_in(who, ONE_FACTOR, at, params, name);
		assert_true(all > 1);
		raise_child("II");
		assert_int_equal(count_in(who, ONE_FACTOR, at, params, name), all - 1);
		assert_int_equal(count_in(who, STALE, at, params, name), all);
		raise_child("I");
		assert_int_equal(count_in(who, STALE, at, params, name), all - 1);
		assert_int_equal(count_in(who, FRESH, at, params, name), all);
	}
}

/* Neither a gap in a page nor a header says that a name was found. */
static void a_search_says_the_same_whether_the_user_is_here_or_not(void **state)
{
	static const char *const words[] = { "q=%E3%81%BE%E3%82%82%E3%82%8B&limit=1",
		"q=%E3%81%AA%E3%81%84%E3%81%AA&limit=1" };
	raise_child("II");
	for (enum proof proof = ONE_FACTOR; proof <= FRESH; proof++) {
		struct answer here = as(&head, proof, "user_list", words[0], NULL);
		struct answer nobody = as(&head, proof, "user_list", words[1], NULL);
		assert_int_equal(json_count(items_of(&here)), proof == ONE_FACTOR ? 0 : 1);
		if (proof == ONE_FACTOR)
			assert_string_equal(body_text(&here), body_text(&nobody));
		assert_string_equal(here.reply.headers.data ? here.reply.headers.data : "",
			nobody.reply.headers.data ? nobody.reply.headers.data : "");
	}
	/* A page of one goes on where it would without the child: 名 is a part of every name. */
	static const char all[] = "q=%E5%90%8D&limit=1";
	struct answer first = as(&head, ONE_FACTOR, "user_list", all, NULL);
	assert_int_equal(json_count(items_of(&first)), 1);
	const struct actor own = teacher();
	static const char found[] = "q=%E3%81%BE%E3%82%82%E3%82%8B";
	assert_false(shows(&own, ONE_FACTOR, "search_part", found, child));
	assert_true(shows(&own, STALE, "search_part", found, child));
	raise_child("I");
	assert_false(shows(&own, STALE, "search_part", found, child));
	assert_true(shows(&own, FRESH, "search_part", found, child));
}

static void the_user_sees_the_own_account_whatever_its_class(void **state)
{
	struct actor own = test_actor(&test, TEST_TENANT, child, ROLE_STUDENT);
	own.factors = 1;
	own.authenticated_unix_ms = clock_unix_ms() - STEP_UP_LIFETIME_MS - 1;
	raise_child("I");
	(void)expect(200, &own, "self_get", NULL, NULL);
	struct answer home = expect(200, &own, "home_part", NULL, NULL);
	assert_string_equal(text_of(&home, "kanaFamilyName"), "まもる");
}

/* What nobody may see who asks cannot be put into a class either, nor be made by the asking. */
static void who_may_not_see_the_user_puts_it_nowhere(void **state)
{
	const char *elsewhere = add_class(&head, "あさひ小", "4年2組");
	const char *body = arena_printf(test.arena, "{\"userId\":\"%s\"}", child);
	raise_child("II");
	assert_string_equal(code_for(&head, ONE_FACTOR, "enrollment_create",
				    params_of("classId", elsewhere), body),
		FACTOR);
	assert_string_equal(test_sql_text(&test,
				    arena_printf(test.arena,
					    "SELECT count(*) FROM provisioning.enrollment"
					    " WHERE class_id = '%s'",
					    elsewhere)),
		"0");
}

static void a_user_to_be_deleted_is_left_out_of_the_list_of_those(void **state)
{
	(void)expect(204, &head, "user_delete", CHILD, NULL);
	raise_child("II");
	assert_false(shows(&head, ONE_FACTOR, "user_erasure_list", NULL, child));
	assert_true(is_told(&head, ONE_FACTOR, "user_erasure_list", NULL, "second-factor"));
	assert_true(shows(&head, STALE, "user_erasure_list", NULL, child));
	(void)expect(204, &head, "user_restore", CHILD, NULL);
}

static void lowering_takes_a_reason_and_what_its_class_takes(void **state)
{
	static const char lower[] = "{\"label\":\"III\",\"reason\":\"no_longer_sensitive\"}";
	const struct actor own = teacher();
	raise_child("II");
	assert_string_equal(put_label(FRESH, "{\"label\":\"III\"}"), "label_reason_required");
	assert_string_equal(put_label(ONE_FACTOR, lower), FACTOR);
	assert_string_equal(put_label(STALE, "{\"label\":\"I\"}"), PASSWORD);
	assert_string_equal(
		test_sql_text(&test, "SELECT string_agg(label, ' ') FROM provisioning.person"),
		"II");
	assert_string_equal(
		code_for(&other_head, FRESH, "user_label_put", CHILD, lower), "not_found");
	assert_string_equal(code_for(&own, FRESH, "user_label_put", CHILD, lower), "forbidden");
	raise_child("I");
	assert_string_equal(put_label(STALE, lower), PASSWORD);
	assert_string_equal(put_label(FRESH, lower), "");
	assert_true(shows(&head, ONE_FACTOR, "user_list", NULL, child));
}

/* Learning hears of the class with the rest of the person; the record has codes alone. */
static void the_others_hear_of_it_and_the_log_why(void **state)
{
	raise_child("II");
	assert_string_equal(
		json_text(json_member(event_of(&event_user_changed, child), "label")), "II");
	assert_string_equal(
		put_label(FRESH, "{\"label\":\"III\",\"reason\":\"raised_by_mistake\"}"), "");
	assert_null(json_member(event_of(&event_user_changed, child), "label"));
	assert_string_equal(
		test_sql_text(&test,
			"SELECT count(*) FROM provisioning.outbox WHERE kind = 'audit'"
			" AND body LIKE '%user_label_put%\"unmapped\":{\"label\":\"III\","
			"\"reason\":\"raised_by_mistake\",%\"labels\":[\"II\"]%'"),
		"1");
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM provisioning.outbox"
				    " WHERE kind = 'audit' AND body LIKE '%まもる%'"),
		"0");
}

/* ---- a school class ---- */

#define CLASS_NAME "5年1組"
#define IN_CLASS (params_of("classId", class_id))

static void raise_class(const char *label)
{
	assert_string_equal(code_for(&head, FRESH, "class_label_put", IN_CLASS,
				    arena_printf(test.arena, "{\"label\":\"%s\"}", label)),
		"");
}

static void what_names_the_class_takes_what_its_class_takes(void **state)
{
	const struct actor own = teacher();
	const char *place = params_of("enrollmentId", child_place);
	const struct {
		const struct actor *who;
		const char *operation, *params;
	} rows[] = {
		{ &head, "class_get", IN_CLASS },
		{ &own, "class_get", IN_CLASS },
		{ &head, "enrollment_list", IN_CLASS },
		{ &own, "enrollment_list", IN_CLASS },
		{ &head, "enrollment_get", place },
		{ &head, "enrollment_suspend", place },
		{ &head, "enrollment_restore", place },
		{ &head, "class_suspend", IN_CLASS },
		{ &head, "class_restore", IN_CLASS },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct actor *who = rows[i].who;
		const char *at = rows[i].operation, *params = rows[i].params;
		calm_down(state);
		assert_string_equal(code_for(who, ONE_FACTOR, at, params, NULL), "");
		raise_class("III");
		assert_string_equal(code_for(who, ONE_FACTOR, at, params, NULL), "");
		raise_class("II");
		assert_string_equal(code_for(who, ONE_FACTOR, at, params, NULL), FACTOR);
		assert_string_equal(code_for(who, STALE, at, params, NULL), "");
		raise_class("I");
		assert_string_equal(code_for(who, STALE, at, params, NULL), PASSWORD);
		assert_string_equal(code_for(who, FRESH, at, params, NULL), "");
		assert_string_equal(code_for(&other_head, FRESH, at, params, NULL), "not_found");
	}
}

/* Neither by its title nor by the cursor of a page, which holds one. */
static void lists_leave_the_class_out_and_say_so(void **state)
{
	const struct actor own = teacher();
	static const char found[] = "q=%E7%B5%84";
	const struct actor *const staff[] = { &head, &own };
	for (size_t i = 0; i < 2; i++) {
		calm_down(state);
		assert_true(shows(staff[i], ONE_FACTOR, "class_list", NULL, class_id));
		assert_false(is_told(staff[i], ONE_FACTOR, "class_list", NULL, "second-factor"));
		raise_class("II");
		assert_false(shows(staff[i], ONE_FACTOR, "class_list", NULL, class_id));
		assert_true(is_told(staff[i], ONE_FACTOR, "class_list", NULL, "second-factor"));
		assert_true(shows(staff[i], STALE, "class_list", NULL, class_id));
		assert_false(is_told(staff[i], STALE, "class_list", NULL, "step-up"));
		assert_false(shows(staff[i], ONE_FACTOR, "search_part", found, class_id));
		assert_true(shows(staff[i], STALE, "search_part", found, class_id));
		raise_class("I");
		assert_false(shows(staff[i], STALE, "class_list", NULL, class_id));
		assert_true(is_told(staff[i], STALE, "class_list", NULL, "step-up"));
		assert_true(shows(staff[i], FRESH, "class_list", NULL, class_id));
	}
	(void)add_class(&head, "わかば小", "1年1組");
	struct answer page = as(&head, ONE_FACTOR, "class_list", "limit=1", NULL);
	assert_int_equal(json_count(items_of(&page)), 1);
	assert_null(strstr(body_text(&page), CLASS_NAME));
}

static void nobody_is_named_with_the_class(void **state)
{
	const struct actor own = teacher();
	static const char found[] = "q=%E3%81%BE%E3%82%82%E3%82%8B";
	assert_true(shows(&head, ONE_FACTOR, "user_get", CHILD, CLASS_NAME));
	assert_true(shows(&head, ONE_FACTOR, "user_list", IN_CLASS, child));
	assert_true(shows(&own, ONE_FACTOR, "home_part", NULL, CLASS_NAME));
	raise_class("II");
	assert_false(shows(&head, ONE_FACTOR, "user_get", CHILD, CLASS_NAME));
	assert_false(shows(&head, ONE_FACTOR, "user_list", NULL, CLASS_NAME));
	assert_true(shows(&head, ONE_FACTOR, "user_list", NULL, child));
	assert_false(shows(&head, ONE_FACTOR, "user_list", IN_CLASS, child));
	assert_true(is_told(&head, ONE_FACTOR, "user_list", IN_CLASS, "second-factor"));
	assert_true(shows(&head, STALE, "user_list", IN_CLASS, child));
	assert_false(shows(&own, ONE_FACTOR, "home_part", NULL, CLASS_NAME));
	assert_true(shows(&own, STALE, "home_part", NULL, CLASS_NAME));
	assert_false(shows(&own, ONE_FACTOR, "search_part", found, child));
	assert_true(shows(&own, STALE, "search_part", found, child));
	assert_false(shows(&head, ONE_FACTOR, "search_part", found, class_id));
	assert_true(shows(&head, ONE_FACTOR, "search_part", found, child));
}

static void its_pupils_are_in_it(void **state)
{
	struct actor own = test_actor(&test, TEST_TENANT, child, ROLE_STUDENT);
	own.factors = 1;
	raise_class("II");
	struct answer home = expect(200, &own, "home_part", NULL, NULL);
	assert_string_equal(text_of(&home, "classTitle"), CLASS_NAME);
}

static void a_class_is_lowered_with_a_reason_by_its_own_contract(void **state)
{
	static const char lower[] = "{\"label\":\"IV\",\"reason\":\"no_longer_sensitive\"}";
	const struct actor own = teacher();
	raise_class("II");
	assert_string_equal(
		json_text(json_member(event_of(&event_class_changed, class_id), "label")), "II");
	assert_string_equal(
		code_for(&head, FRESH, "class_label_put", IN_CLASS, "{\"label\":\"III\"}"),
		"label_reason_required");
	assert_string_equal(
		code_for(&head, ONE_FACTOR, "class_label_put", IN_CLASS, lower), FACTOR);
	assert_string_equal(
		code_for(&other_head, FRESH, "class_label_put", IN_CLASS, lower), "not_found");
	assert_string_equal(code_for(&own, FRESH, "class_label_put", IN_CLASS, lower), "forbidden");
	assert_string_equal(code_for(&head, FRESH, "class_label_put", IN_CLASS, lower), "");
	assert_null(json_member(event_of(&event_class_changed, class_id), "label"));
	assert_true(shows(&head, ONE_FACTOR, "class_list", NULL, class_id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_names_the_user_takes_what_the_class_takes, calm_down),
		cmocka_unit_test_setup(
			lists_leave_the_user_out_and_say_so_to_who_could_see_more, calm_down),
		cmocka_unit_test_setup(
			a_search_says_the_same_whether_the_user_is_here_or_not, calm_down),
		cmocka_unit_test_setup(counts_are_of_whom_the_session_may_see, calm_down),
		cmocka_unit_test_setup(the_user_sees_the_own_account_whatever_its_class, calm_down),
		cmocka_unit_test_setup(who_may_not_see_the_user_puts_it_nowhere, calm_down),
		cmocka_unit_test_setup(
			a_user_to_be_deleted_is_left_out_of_the_list_of_those, calm_down),
		cmocka_unit_test_setup(lowering_takes_a_reason_and_what_its_class_takes, calm_down),
		cmocka_unit_test_setup(the_others_hear_of_it_and_the_log_why, calm_down),
		cmocka_unit_test_setup(what_names_the_class_takes_what_its_class_takes, calm_down),
		cmocka_unit_test_setup(lists_leave_the_class_out_and_say_so, calm_down),
		cmocka_unit_test_setup(nobody_is_named_with_the_class, calm_down),
		cmocka_unit_test_setup(its_pupils_are_in_it, calm_down),
		cmocka_unit_test_setup(
			a_class_is_lowered_with_a_reason_by_its_own_contract, calm_down),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_class, close_world);
}
