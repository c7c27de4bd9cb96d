/* What the tests of auth's operations share: one auth with a database, and requests to it as
 * sentences. Each test program includes it once. */
#ifndef MANABIYA_SERVICES_AUTH_TEST_H
#define MANABIYA_SERVICES_AUTH_TEST_H

#include "libcommon/testing.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/cache.h"
#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/keyring_user.h"
#include "libcommon/uuid.h"
#include "services/auth/auth.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

#define HEAD "01890000-0000-7000-8000-0000000000c1" /* contractor of TEST_TENANT */
#define TEACHER "01890000-0000-7000-8000-0000000000c2"
#define PUPIL "01890000-0000-7000-8000-0000000000c3"
#define NEW_USER "01890000-0000-7000-8000-0000000000e1" /* without an account at first */
#define OTHER_HEAD "01890000-0000-7000-8000-0000000000d1" /* contractor of TEST_OTHER_TENANT */

#define GOOD_PASSWORD "correct horse battery 9"
#define PUPIL_PASSWORD "tetsubou7mai"

static const struct service AUTH = { .name = "auth",
	.ops = auth_ops,
	.ops_n = AUTH_OPS_N,
	.keyring = KEYRING_READS, /* for its directory: auth has no key of it */
	.service_capability = auth_own_capability };
static struct test test;
static struct keyring *provisioned; /* as provisioning has it */

/* The seed of testing.h, so that its calls and auth's capabilities are of one key. */
static inline const char *capability_seed(void)
{
	return "6120736565642074686174206f6e6c79207465737473206b6e6f77202e2e2e2e";
}

/* ---- requests ---- */

struct answer {
	struct reply reply;
	struct call call;
	const struct json *json; /* of the body; NULL when it is empty */
};

static inline struct answer ask_as(const char *caller, const char *operation,
	const struct actor *actor, const char *params, const char *body)
{
	struct answer answer = { .json = NULL };
	const struct test_request request = { .operation = operation,
		.actor = actor,
		.caller = caller,
		.params = params,
		.body = body };
	test_dispatch(&test, &request, &answer.reply, &answer.call);
	if (answer.reply.body.n > 0)
		assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
					 answer.reply.body.n, &answer.json),
			OK);
	return answer;
}

/* Operations of people come through the gateway, those on accounts through provisioning. */
static inline struct answer ask(
	const char *operation, const struct actor *actor, const char *params, const char *body)
{
	bool is_internal = strncmp(operation, "account_", 8) == 0 ||
		strncmp(operation, "tenant_", 7) == 0 || strncmp(operation, "feature_", 8) == 0;
	return ask_as(is_internal ? "provisioning" : "gateway", operation, actor, params, body);
}

static inline const char *text_in(const struct answer *answer, const char *name)
{
	return json_text(json_member(answer->json, name));
}

/* The answer without what differs from call to call. */
static inline const char *text_without_trace(const struct answer *answer)
{
	const char *body = arena_strndup(
		test.arena, (const char *)answer->reply.body.data, answer->reply.body.n);
	const char *trace = strstr(body, ",\"traceId\":");
	if (!trace)
		return body;
	const char *rest = trace + strlen(",\"traceId\":") + 38;
	return arena_printf(test.arena, "%u|%s|%.*s%s", answer->reply.status,
		answer->reply.headers.data ? answer->reply.headers.data : "", (int)(trace - body),
		body, rest);
}

static inline const char *printf_text(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static inline const char *printf_text(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = arena_vprintf(test.arena, format, args);
	va_end(args);
	return text;
}

/* ---- people ---- */

static inline struct actor operator_actor(void)
{
	return test_actor(&test, TEST_OPERATOR_TENANT, TEST_USER, ROLE_OPERATOR);
}

static inline struct actor head_actor(void)
{
	return test_actor(&test, TEST_TENANT, HEAD, ROLE_CONTRACTOR);
}

/* The one-time secret of the new school's administrator. */
static inline const char *open_tenant(
	const char *tenant_id, const char *code, const char *user_id, const char *username)
{
	struct actor actor = operator_actor();
	struct answer answer = ask("tenant_open", &actor, NULL,
		printf_text("{\"tenantId\":\"%s\",\"code\":\"%s\",\"name\":\"学校 %s\","
			    "\"userId\":\"%s\",\"username\":\"%s\"}",
			tenant_id, code, code, user_id, username));
	assert_int_equal(answer.reply.status, 200);
	return text_in(&answer, "secret");
}

static inline const char *put_account(const char *user_id, const char *username, const char *role)
{
	struct actor actor = head_actor();
	struct answer answer = ask("account_put", &actor, NULL,
		printf_text(
			"{\"accounts\":[{\"userId\":\"%s\",\"username\":\"%s\",\"role\":\"%s\"}]}",
			user_id, username, role));
	assert_int_equal(answer.reply.status, 200);
	const struct json *secrets = json_member(answer.json, "secrets");
	return json_text(json_member(json_item(secrets, 0), "secret"));
}

static inline struct answer log_in(const char *code, const char *username, const char *password)
{
	return ask("session_create", NULL, NULL,
		printf_text("{\"tenantCode\":\"%s\",\"username\":\"%s\",\"password\":\"%s\","
			    "\"delivery\":\"bearer\"}",
			code, username, password));
}

static inline const char *token_for(const char *code, const char *username, const char *password)
{
	struct answer answer = log_in(code, username, password);
	assert_int_equal(answer.reply.status, 200);
	return text_in(&answer, "token");
}

/* What the gateway does with a token: an actor, or why not. */
static inline enum err actor_of(const char *token, struct actor *actor)
{
	struct answer answer =
		ask("capability_mint", NULL, NULL, printf_text("{\"token\":\"%s\"}", token));
	*actor = (struct actor){ .tenant_id = "", .user_id = "", .session_id = "" };
	if (answer.reply.status != 200)
		return answer.reply.err;
	assert_int_equal(capability_verify(test.arena, test.public_key,
				 text_in(&answer, "capability"), clock_unix_ms(), actor),
		OK);
	return OK;
}

static inline struct answer change_password(
	const struct actor *actor, const char *current, const char *wanted)
{
	return ask("password_change", actor, NULL,
		printf_text(
			"{\"currentPassword\":\"%s\",\"newPassword\":\"%s\"}", current, wanted));
}

/* Log in with the one-time secret and replace it; the token of the session that did it. */
static inline const char *settle(
	const char *code, const char *username, const char *secret, const char *password)
{
	struct actor actor;
	assert_int_equal(actor_of(token_for(code, username, secret), &actor), OK);
	struct answer answer = change_password(&actor, secret, password);
	assert_int_equal(answer.reply.status, 200);
	return text_in(&answer, "token");
}

/* ---- the world ---- */

static int64_t clock_moved_ms;

static inline void move_clock_ms(int64_t ms)
{
	clock_shift_ms(ms);
	clock_moved_ms += ms;
}

/* Ten o'clock tomorrow in Japan: far from where sessions of pupils end. */
static inline void move_clock_to_morning(void)
{
	int64_t now_ms = clock_unix_ms(), day_ms = 24 * HOUR_MS;
	move_clock_ms((now_ms / day_ms + 1) * day_ms + HOUR_MS - now_ms);
}

/* The cache has a clock of its own, so it is left behind. */
static inline void wait_ms(int64_t ms)
{
	move_clock_ms(ms);
	cache_close(test.cache);
	test.cache = cache_open(NULL, NULL);
}

/* As provisioning does before it tells of anybody. */
static inline void make_slots(void)
{
	static const char *const ours[] = { HEAD, TEACHER, PUPIL, NEW_USER };
	static const char *const theirs = OTHER_HEAD;
	test_people(&test, TEST_TENANT, ours, sizeof ours / sizeof *ours);
	test_people(&test, TEST_OTHER_TENANT, &theirs, 1);
}

static inline int open_auth(void **state)
{
	const char *mac_key = getenv("MANABIYA_TEST_MAC_KEY");
	auth_conf = (struct auth_conf){
		.capability_key = capability_seed(),
		.tenant_mac_key = mac_key ? mac_key : "",
		.password_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		.bootstrap_secret = "",
		.second_factor_required = "staff",
	};
	test_open(&test, &AUTH);
	auth_conf.keyring = test_keyring_directory(&test);
	make_slots();
	provisioned = test.keyring;
	test.keyring = NULL;
	move_clock_to_morning();
	if (second_factor_policy_read() != OK || keys_open() != OK || hash_pool_start(2, 6) != OK)
		return -1;
	return 0;
}

static inline int close_auth(void **state)
{
	hash_pool_stop();
	keys_close();
	test.keyring = provisioned;
	test_close(&test);
	move_clock_ms(-clock_moved_ms);
	return 0;
}

/* Two schools; in the first a teacher and a pupil, all still with their one-time secrets. */
static struct secrets {
	const char *head, *teacher, *pupil, *other_head;
} secrets;

static inline int open_schools(void **state)
{
	if (open_auth(state) != 0)
		return -1;
	test_sql(&test,
		"INSERT INTO auth.tenant (tenant_id, code, name)"
		" VALUES ('" TEST_OPERATOR_TENANT "', 'manabiya', 'Manabiya')");
	secrets.head = open_tenant(TEST_TENANT, "minami", HEAD, "head");
	secrets.other_head = open_tenant(TEST_OTHER_TENANT, "kita", OTHER_HEAD, "head");
	secrets.teacher = put_account(TEACHER, "teacher", "instructor");
	secrets.pupil = put_account(PUPIL, "pupil", "student");
	return 0;
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, open_schools, close_auth)

#endif
