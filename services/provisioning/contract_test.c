/* Facts about contracts, function limits and the home screen. */
#include "services/provisioning/provisioning_test.h"

static const char CITY[] =
	"{\"name\":\"みなと市\",\"code\":\"minato\",\"administratorUsername\":\"admin\"}";

static struct answer create(const char *key, const char *body)
{
	struct answer answer = { .json = NULL };
	const struct test_request request = { .operation = "contract_create",
		.actor = &operator,
		.body = body,
		.idempotency_key = key };
	test_dispatch(&test, &request, &answer.reply, NULL);
	assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
				 answer.reply.body.n, &answer.json),
		OK);
	return answer;
}

static void a_contract_opens_a_tenant_with_its_keys_and_head(void **state)
{
	struct answer answer = create("one", CITY);
	assert_int_equal(answer.reply.status, 201);
	const char *tenant_id = text_of(&answer, "tenantId");
	assert_true(strlen(text_of(&answer, "initialSecret")) >= 19);
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT (SELECT name FROM provisioning.org WHERE tenant_id = t)"
				" || (SELECT role FROM auth.account WHERE tenant_id = t)"
				" FROM (VALUES ('%s'::uuid)) AS v (t)",
				tenant_id)),
		"みなと市contractor");
	unsigned char key[KEY_SIZE];
	assert_int_equal(keyring_data_key(test.keyring, tenant_id,
				 (struct data_key){ .domain = "name", .version = 1 }, key),
		OK);
}

static void the_operators_record_stays_in_the_operators_tenant(void **state)
{
	struct answer answer = create("two",
		"{\"name\":\"はま市\",\"code\":\"hama\",\"administratorUsername\":\"admin\"}");
	assert_int_equal(answer.reply.status, 201);
	assert_string_equal(
		test_sql_text(&test,
			"SELECT string_agg(DISTINCT tenant_id::text, ',')"
			" FROM provisioning.idempotency WHERE operation = 'contract_create'"),
		TEST_OPERATOR_TENANT);
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(DISTINCT tenant_id::text, ',')"
				    " FROM provisioning.outbox WHERE kind = 'audit'"),
		TEST_OPERATOR_TENANT);
}

static void the_same_key_answers_the_same(void **state)
{
	struct answer again = create("one", CITY);
	assert_int_equal(again.reply.status, 201);
	assert_string_equal(
		test_sql_text(
			&test, "SELECT count(*) FROM provisioning.contract WHERE code = 'minato'"),
		"1");
}

static void a_code_is_taken_once(void **state)
{
	struct answer answer = create("three", CITY);
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(text_of(&answer, "code"), "tenant_code_taken");
	/* `city` was opened in auth alone: auth's refusal is passed on, and nothing stays here. */
	answer = create(
		"four", "{\"name\":\"x\",\"code\":\"CITY\",\"administratorUsername\":\"admin\"}");
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(
		test_sql_text(
			&test, "SELECT count(*) FROM provisioning.contract WHERE code = 'CITY'"),
		"0");
}

static void a_failed_commit_is_taken_up_by_any_repetition(void **state)
{
	break_commits();
	struct answer answer = create(
		"five", "{\"name\":\"x\",\"code\":\"lost\",\"administratorUsername\":\"admni\"}");
	assert_int_equal(answer.reply.status, 500);
	const char *tenant_id = test_sql_text(
		&test, "SELECT tenant_id FROM auth.tenant WHERE lower(code) = 'lost'");
	mend_commits();
	/* Somebody else tries, with another key, and without the slip of the pen. */
	answer = create("six",
		"{\"name\":\"もり村\",\"code\":\"Lost\",\"administratorUsername\":\"admin\"}");
	assert_int_equal(answer.reply.status, 201);
	assert_string_equal(text_of(&answer, "tenantId"), tenant_id);
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT t.name || t.code || string_agg(a.login_index, '+')"
				" FROM auth.tenant t JOIN auth.account a USING (tenant_id)"
				" WHERE t.tenant_id = '%s' GROUP BY t.name, t.code",
				tenant_id)),
		arena_printf(test.arena, "もり村Lost%s", index_in_auth(tenant_id, "admin")));
	expect_no_intent("tenant/lost");
	expect_no_intent("administrator/lost");
}

static void contracts_are_listed_newest_first(void **state)
{
	struct answer page = expect(200, &operator, "contract_list", "limit=1", NULL);
	assert_int_equal(json_count(items_of(&page)), 1);
	assert_string_equal(json_text(json_member(json_item(items_of(&page), 0), "code")), "hama");
	page = expect(200, &operator, "contract_list",
		arena_printf(test.arena, "limit=1&cursor=%s", text_of(&page, "nextCursor")), NULL);
	assert_string_equal(
		json_text(json_member(json_item(items_of(&page), 0), "code")), "minato");
	assert_null(text_of(&page, "nextCursor"));
	(void)expect(403, &head, "contract_list", NULL, NULL);
	(void)expect(403, &head, "contract_create", NULL, CITY);
}

static const char *denied(const char *sql)
{
	return test_sql_text(&test, sql);
}

static void limits_of_a_contract_reach_auth(void **state)
{
	struct answer answer = expect(200, &head, "feature_put", NULL,
		"{\"denied\":[\"video_upload\",\"peer_comment\",\"video_upload\"]}");
	assert_int_equal(json_count(json_member(answer.json, "denied")), 2);
	assert_string_equal(denied("SELECT array_length(denied, 1) FROM auth.tenant"
				   " WHERE tenant_id = '" TEST_TENANT "'"),
		"2");
	answer = expect(200, &head, "feature_put", NULL, "{\"denied\":[]}");
	assert_int_equal(json_count(json_member(answer.json, "denied")), 0);
	answer = expect(200, &head, "feature_list", NULL, NULL);
	assert_int_equal(json_count(json_member(answer.json, "denied")), 0);
	(void)expect(422, &head, "feature_put", NULL, "{\"denied\":[\"everything\"]}");
}

static void limits_of_a_user_reach_auth(void **state)
{
	const char *params = params_of("userId", add_user(&head, "nana", "student", "な", "な"));
	(void)expect(200, &head, "user_feature_put", params, "{\"denied\":[\"peer_comment\"]}");
	struct answer answer = expect(200, &head, "user_feature_list", params, NULL);
	assert_string_equal(
		json_text(json_item(json_member(answer.json, "denied"), 0)), "peer_comment");
	assert_string_equal(
		denied(arena_printf(test.arena,
			"SELECT denied[1] FROM auth.account WHERE id = '%s'", account_of("nana"))),
		"peer_comment");
}

static struct answer home(const struct actor *actor)
{
	struct answer answer = { .json = NULL };
	test_dispatch(&test, &(struct test_request){ .operation = "home_part", .actor = actor },
		&answer.reply, NULL);
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
				 answer.reply.body.n, &answer.json),
		OK);
	return answer;
}

static void home_tells_who_and_where(void **state)
{
	struct answer answer = home(&other_head);
	assert_int_equal(json_integer(json_member(answer.json, "userCount"), 0), 1);
	assert_string_equal(text_of(&answer, "kanaFamilyName"), "おさ");
	const char *class_id = add_class(&head, "西小", "4-2");
	const char *id = add_user(&head, "hachi", "student", "はち", "こ");
	(void)expect(201, &head, "enrollment_create", params_of("classId", class_id),
		arena_printf(test.arena, "{\"userId\":\"%s\"}", id));
	struct actor pupil = test_actor(&test, TEST_TENANT, id, ROLE_STUDENT);
	answer = home(&pupil);
	assert_string_equal(text_of(&answer, "orgName"), "西小");
	assert_string_equal(text_of(&answer, "classTitle"), "4-2");
	assert_null(json_member(answer.json, "userCount"));
	answer = home(&operator);
	assert_int_equal(json_count(answer.json), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_contract_opens_a_tenant_with_its_keys_and_head),
		cmocka_unit_test(the_operators_record_stays_in_the_operators_tenant),
		cmocka_unit_test(the_same_key_answers_the_same),
		cmocka_unit_test(a_code_is_taken_once),
		cmocka_unit_test(contracts_are_listed_newest_first),
		cmocka_unit_test(a_failed_commit_is_taken_up_by_any_repetition),
		cmocka_unit_test(limits_of_a_contract_reach_auth),
		cmocka_unit_test(limits_of_a_user_reach_auth),
		cmocka_unit_test(home_tells_who_and_where),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
