/*
 * What the tests of provisioning's operations share: one provisioning with a database, a real auth
 * process beside it in the same database, and requests as sentences. Each test program includes it
 * once.
 */
#ifndef MANABIYA_PROVISIONING_TEST_H
#define MANABIYA_PROVISIONING_TEST_H

#include "libcommon/testing.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events_proto.h"
#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_salt.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

#define HEAD "01890000-0000-7000-8000-0000000000c1" /* contractor of TEST_TENANT */
#define OTHER_HEAD "01890000-0000-7000-8000-0000000000d1" /* contractor of TEST_OTHER_TENANT */

/* The seed of testing.h, so that its calls and auth's capabilities are of one key. */
#define CAPABILITY_SEED "6120736565642074686174206f6e6c79207465737473206b6e6f77202e2e2e2e"
#define SOME_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct service PROVISIONING = {
	.name = "provisioning",
	.ops = provisioning_ops,
	.ops_n = PROVISIONING_OPS_N,
	.keyring = KEYRING_WRITES,
	.sealed = provisioning_sealed,
	.sealed_n = PROVISIONING_SEALED_N,
};
static struct test test;
static pid_t auth_pid;
static struct actor head, other_head, operator;

/* ---- the world ---- */

static inline const char *file_of(const char *directory, const char *name, const char *text)
{
	const char *path = arena_printf(test.arena, "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
	return path;
}

/* The program lies beside the tests of services in the build directory. */
static inline const char *auth_program(void)
{
	char path[4096] = "";
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		abort();
	*strrchr(path, '/') = '\0';
	return arena_printf(test.arena, "%s/manabiya-auth", path);
}

static inline void start_auth(const char *directory)
{
	const char *const arguments[] = { auth_program(), "--listen",
		arena_printf(test.arena, "ipc://%s/auth", directory), "--bus-keys", directory,
		"--database", arena_printf(test.arena, "%s user=manabiya_auth", test.superuser),
		"--cache", test_cache_address() != NULL ? test_cache_address() : "",
		"--auth-public-key",
		file_of(directory, "public",
			crypto_hex(test.arena, test.public_key, PUBLIC_KEY_SIZE)),
		"--capability-key", file_of(directory, "seed", CAPABILITY_SEED), "--tenant-mac-key",
		file_of(directory, "mac", getenv("MANABIYA_TEST_MAC_KEY")), "--password-key",
		file_of(directory, "password", SOME_KEY), "--keyring",
		test_keyring_directory(&test), "--workers", "2", "--log-level", "error", NULL };
	auth_pid = fork();
	if (auth_pid == 0) {
		/* execv() promises not to change what it is given. */
		(void)execv(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
}

static inline struct bus *bus_to_auth(const char *directory)
{
	struct bus *bus = bus_open(&(struct bus_options){ .name = "provisioning",
		.peers = arena_printf(test.arena, "auth=ipc://%s/auth", directory),
		.key_directory = directory,
		.window = 8,
		.queue_max = 8 });
	if (bus == NULL)
		abort();
	return bus;
}

static inline void wait_for_auth(void)
{
	int64_t until_ms = clock_steady_ms() + 20000;
	while (!bus_is_up(test.bus, "auth")) {
		if (clock_steady_ms() > until_ms || waitpid(auth_pid, NULL, WNOHANG) != 0)
			abort();
		(void)usleep(20000);
	}
}

/* A person without account. */
static inline void add_person(
	const char *tenant_id, const char *id, const char *username, const char *role)
{
	static const char *const name[] = { "長", "一", "おさ", "はじめ" };
	test_people(&test, tenant_id, &id, 1);
	const struct test_login login = test_login(&test, tenant_id, id, username);
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO provisioning.person (tenant_id, id, login, login_index, role,"
			" name) VALUES ('%s', '%s', '%s', '%s', '%s', '%s')",
			tenant_id, id, login.sealed, login.index, role,
			test_sealed_name(&test, tenant_id, id, name)));
}

/* A contract with its head in both tenants, here and in auth. */
static inline void add_tenants(void)
{
	test_sql(&test,
		"INSERT INTO auth.tenant (tenant_id, code, name) VALUES"
		" ('" TEST_TENANT "', 'city', 'City'), ('" TEST_OTHER_TENANT "', 'town', 'Town');"
		"INSERT INTO auth.account (tenant_id, id, login_index, role) VALUES"
		" ('" TEST_TENANT "', '" HEAD "', repeat('h', 43), 'contractor'),"
		" ('" TEST_OTHER_TENANT "', '" OTHER_HEAD "', repeat('h', 43), 'contractor');");
	add_person(TEST_TENANT, HEAD, "head", "contractor");
	add_person(TEST_OTHER_TENANT, OTHER_HEAD, "head", "contractor");
	head = test_actor(&test, TEST_TENANT, HEAD, ROLE_CONTRACTOR);
	other_head = test_actor(&test, TEST_OTHER_TENANT, OTHER_HEAD, ROLE_CONTRACTOR);
	operator= test_actor(&test, TEST_OPERATOR_TENANT, TEST_USER, ROLE_OPERATOR);
}

static inline int open_world(void **state)
{
	test_open(&test, &PROVISIONING);
	bus_drain(test.bus);
	bus_close(test.bus);
	const char *directory = test_directory(&test);
	(void)file_of(directory, "provisioning-auth.key", SOME_KEY);
	start_auth(directory);
	test.bus = bus_to_auth(directory);
	wait_for_auth();
	add_tenants();
	return 0;
}

static inline int close_world(void **state)
{
	if (kill(auth_pid, SIGTERM) != 0 || waitpid(auth_pid, NULL, 0) != auth_pid)
		abort();
	test_close(&test);
	return 0;
}

/* ---- requests ---- */

struct answer {
	struct reply reply;
	const struct json *json; /* of the body; NULL when it is empty */
};

static inline struct answer ask(
	const struct actor *actor, const char *operation, const char *params, const char *body)
{
	struct answer answer = { .json = NULL };
	const struct test_request request = { .operation = operation,
		.actor = actor,
		.params = params,
		.body = body,
		.idempotency_key = uuid_make(test.arena) };
	test_dispatch(&test, &request, &answer.reply, NULL);
	if (answer.reply.body.n > 0)
		assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
					 answer.reply.body.n, &answer.json),
			OK);
	return answer;
}

static inline const char *body_text(const struct answer *answer)
{
	return arena_strndup(
		test.arena, (const char *)answer->reply.body.data, answer->reply.body.n);
}

static inline struct answer expect(unsigned status, const struct actor *actor,
	const char *operation, const char *params, const char *body)
{
	struct answer answer = ask(actor, operation, params, body);
	if (answer.reply.status != status)
		print_error("%s(%s, %s): %u %s\n", operation, params ? params : "",
			body ? body : "", answer.reply.status, body_text(&answer));
	assert_int_equal(answer.reply.status, status);
	return answer;
}

static inline const char *text_of(const struct answer *answer, const char *name)
{
	return json_text(json_member(answer->json, name));
}

static inline const struct json *items_of(const struct answer *answer)
{
	return json_member(answer->json, "items");
}

/* A list to its end in pages of two: the named member of each item, a space behind each. */
static inline const char *walk(
	const struct actor *actor, const char *operation, const char *params, const char *member)
{
	struct buf seen = { .arena = test.arena };
	const char *cursor = "";
	buf_text(&seen, "");
	while (cursor != NULL) {
		struct answer page = expect(200, actor, operation,
			arena_printf(test.arena, "%s%slimit=2%s", params ? params : "",
				params ? "&" : "", cursor),
			NULL);
		assert_true(json_count(items_of(&page)) <= 2);
		for (size_t i = 0; i < json_count(items_of(&page)); i++)
			buf_printf(&seen, "%s ",
				json_text(json_member(json_item(items_of(&page), i), member)));
		const char *next = text_of(&page, "nextCursor");
		cursor = next ? arena_printf(test.arena, "&cursor=%s", next) : NULL;
	}
	return seen.data;
}

/* ---- what goes wrong, and what must be right whatever went wrong ---- */

/* From now on whoever has made people cannot commit, as if the database had failed then. */
static inline void break_commits(void)
{
	test_sql(&test,
		"CREATE FUNCTION public.break_commit() RETURNS trigger LANGUAGE plpgsql AS"
		" $$ BEGIN RAISE 'the commit fails'; END $$;"
		"CREATE CONSTRAINT TRIGGER break_commit AFTER INSERT ON provisioning.person"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "
		"public.break_commit()");
}

static inline void mend_commits(void)
{
	test_sql(&test, "DROP FUNCTION public.break_commit() CASCADE");
}

static const char OTHER_VERSIONS[] =
	"SELECT coalesce(string_agg(id.at, ' '), '') FROM ("
	" SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname) AS at, query_to_xml(format("
	"  'SELECT 1 FROM %I.%I WHERE substr(%I::text, 15, 1) <> ''7''', n.nspname, c.relname,"
	"  a.attname), false, true, '')::text AS others"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
	" WHERE n.nspname IN ('provisioning', 'auth') AND c.relkind = 'r'"
	"  AND a.atttypid = 'uuid'::regtype) AS id WHERE id.others <> ''";

static const char ORPHANS[] =
	"SELECT count(*) FROM auth.account a WHERE a.role <> 'operator' AND a.status <> 'deleted'"
	" AND NOT EXISTS (SELECT FROM provisioning.person p"
	"  WHERE p.tenant_id = a.tenant_id AND p.id = a.id)";

/* The last fact of a program: of whatever it has made, here and in auth. */
static inline void ids_are_version_7_and_accounts_have_people(void **state)
{
	assert_string_equal(test_sql_text(&test, OTHER_VERSIONS), "");
	assert_string_equal(test_sql_text(&test, ORPHANS), "0");
}

static inline void expect_no_intent(const char *name)
{
	assert_string_equal(test_sql_text(&test,
				    arena_printf(test.arena,
					    "SELECT count(*) FROM provisioning.intent WHERE "
					    "name_hash = sha256('%s')",
					    name)),
		"0");
}

/* ---- who has a login name ---- */

/* In TEST_TENANT. */
static inline const char *index_here(const char *username)
{
	return test_login(&test, TEST_TENANT, HEAD, username).index;
}

static inline const char *person_of(const char *username)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT id FROM provisioning.person WHERE tenant_id = '" TEST_TENANT
			"' AND login_index = '%s'",
			index_here(username)));
}

/* As auth makes it from the salt, and nobody else does. */
static inline const char *index_in_auth(const char *tenant_id, const char *username)
{
	unsigned char password_key[KEY_SIZE], secret[KEY_SIZE], salt[KEY_SIZE], key[KEY_SIZE];
	unsigned char hash[HASH_SIZE];
	const char *name = login_key(test.arena, username);
	if (crypto_from_hex(SOME_KEY, password_key, KEY_SIZE) ||
		keyring_salt_read(keyring_directory(test.keyring), tenant_id, salt))
		abort();
	crypto_derive(password_key, "login", secret);
	crypto_keyed_hash(secret, salt, KEY_SIZE, key);
	crypto_hmac_sha256(key, name, strlen(name), hash);
	return crypto_base64url(test.arena, hash, sizeof(hash));
}

static inline const char *account_of(const char *username)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT string_agg(id::text, ' ') FROM auth.account WHERE login_index = "
			"'%s'",
			index_in_auth(TEST_TENANT, username)));
}

static inline void expect_no_person_intent(const char *username)
{
	expect_no_intent(arena_printf(test.arena, "person/%s", index_here(username)));
}

/* ---- people and places ---- */

static inline const char *user_body(
	const char *username, const char *role, const char *kana_family, const char *kana_given)
{
	return arena_printf(test.arena,
		"{\"username\":\"%s\",\"role\":\"%s\",\"familyName\":\"姓\",\"givenName\":\"名\","
		"\"kanaFamilyName\":\"%s\",\"kanaGivenName\":\"%s\"}",
		username, role, kana_family, kana_given);
}

static inline const char *add_user(const struct actor *actor, const char *username,
	const char *role, const char *kana_family, const char *kana_given)
{
	struct answer answer = expect(201, actor, "user_create", NULL,
		user_body(username, role, kana_family, kana_given));
	return json_text(json_member(json_member(answer.json, "user"), "id"));
}

static inline const char *add_class(const struct actor *actor, const char *org, const char *title)
{
	struct answer made = expect(
		201, actor, "org_create", NULL, arena_printf(test.arena, "{\"name\":\"%s\"}", org));
	struct answer answer = expect(201, actor, "class_create", NULL,
		arena_printf(test.arena, "{\"title\":\"%s\",\"orgId\":\"%s\",\"grade\":\"P5\"}",
			title, text_of(&made, "id")));
	return text_of(&answer, "id");
}

static inline const char *params_of(const char *name, const char *id)
{
	return arena_printf(test.arena, "%s=%s", name, id);
}

/* The last event about an id that waits in the outbox, as JSON; its text fits its shape. */
static inline const struct json *event_of(const struct event_type *type, const char *id)
{
	const char *text = test_event(&test, type->name, id);
	struct call c = { .arena = test.arena };
	void *data = arena_alloc(test.arena, type->shape->size);
	const struct json *json;
	assert_int_equal(shape_read_json(&c, type->shape, text, strlen(text), data), OK);
	assert_int_equal(json_parse(test.arena, text, strlen(text), &json), OK);
	return json;
}

#endif
