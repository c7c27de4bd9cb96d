/* Throw-away worlds for tests; see testing.h. It talks to PostgreSQL as a superuser, which db.h
 * refuses to be. */
#include "libcommon/testing.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/cache.h"
#include "libcommon/clock.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_conf.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/recorded.h"
#include "libcommon/uuid.h"

#define TEST_DEADLINE_MS 30000

static const unsigned char SEED[KEY_SIZE] = "a seed that only tests know ....";

struct key_pair {
	unsigned char public_key[PUBLIC_KEY_SIZE];
	unsigned char signing_key[SIGNING_KEY_SIZE];
};

static const struct key_pair *key_pair(void)
{
	static struct key_pair pair;
	crypto_sign_keys(SEED, pair.public_key, pair.signing_key);
	return &pair;
}

static void stop(const char *what, const char *why)
{
	(void)fprintf(stderr, "testing: %s: %s\n", what, why);
	abort();
}

static const char *setting(const char *name)
{
	const char *value = getenv(name);
	if (value && *value)
		return value;
	(void)fprintf(stderr, "testing: %s is not set; use tests/with-services\n", name);
	exit(1);
}

/* Run as a superuser; the first cell, or "". */
static const char *run_sql(struct arena *arena, const char *conninfo, const char *sql)
{
	PGconn *connection = PQconnectdb(conninfo);
	if (PQstatus(connection) != CONNECTION_OK)
		stop("connect", PQerrorMessage(connection));
	PQclear(PQexec(connection, "SET client_min_messages = warning"));
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		stop(sql, PQerrorMessage(connection));
	const char *text = PQntuples(result) && PQnfields(result)
		? arena_strdup(arena, PQgetvalue(result, 0, 0))
		: "";
	PQclear(result);
	PQfinish(connection);
	return text;
}

/* The server's conninfo with another user and database: a later keyword wins. */
static const char *conninfo_of(struct arena *arena, const char *user, const char *database)
{
	return arena_printf(
		arena, "%s user=%s dbname=%s", setting("MANABIYA_TEST_DATABASE"), user, database);
}

static const char *clone_database(struct arena *arena)
{
	static unsigned clones;
	const char *name = arena_printf(arena, "test_%ld_%u", (long)getpid(), clones++);
	(void)run_sql(arena, setting("MANABIYA_TEST_DATABASE"),
		arena_printf(arena, "CREATE DATABASE %s TEMPLATE manabiya_template", name));
	return name;
}

static struct bus *open_bus(struct test *test, const char *name)
{
	const char *directory = test_directory(test);
	struct bus *bus = bus_open(&(struct bus_options){ .name = name,
		.listen = arena_printf(test->arena, "ipc://%s/bus", directory),
		.key_directory = directory,
		.window = 1,
		.queue_max = 1 });
	if (!bus)
		stop("bus_open", directory);
	return bus;
}

/* As provisioning would have made it. */
static struct keyring *make_keyring(struct test *test)
{
	static const char root[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	static const char *const tenants[] = { TEST_TENANT, TEST_OTHER_TENANT,
		TEST_OPERATOR_TENANT };
	const char *directory = arena_printf(test->arena, "%s/keyring", test_directory(test));
	if (mkdir(directory, 0700) != 0)
		stop("mkdir", directory);
	struct keyring *keyring = keyring_open(directory, root);
	for (size_t i = 0; i < sizeof(tenants) / sizeof(*tenants); i++)
		if (!keyring || keyring_create(keyring, tenants[i]) != OK)
			stop("keyring", directory);
	keyring_conf_allow(keyring, test->service);
	return keyring;
}

void test_open(struct test *test, const struct service *service)
{
	struct arena *arena = arena_new();
	crypto_start();
	recorded_forget();
	log_open("test", LOG_LEVEL_ERROR);
	const char *name = clone_database(arena);
	*test = (struct test){ .service = service,
		.arena = arena,
		.database =
			conninfo_of(arena, arena_printf(arena, "manabiya_%s", service->name), name),
		.superuser = conninfo_of(arena, "postgres", name),
		.public_key = key_pair()->public_key };
	test->db = db_open(test->database, service->name);
	test->cache = cache_open(test_cache_address(), NULL);
	cache_wait(test->cache, TEST_CACHE_WAIT_MS);
	test->bus = open_bus(test, service->name);
	if (service->keyring != KEYRING_NONE)
		test->keyring = make_keyring(test);
}

void test_close(struct test *test)
{
	bus_drain(test->bus);
	bus_close(test->bus);
	cache_close(test->cache);
	db_close(test->db);
	keyring_close(test->keyring);
	arena_free(test->arena); /* the database goes with the server */
}

const char *test_tenant_key(struct test *test, const char *tenant_id, int64_t expires_unix_ms)
{
	unsigned char key[KEY_SIZE];
	if (crypto_from_hex(setting("MANABIYA_TEST_MAC_KEY"), key, sizeof(key)))
		stop("MANABIYA_TEST_MAC_KEY", "no key");
	return capability_tenant_key(test->arena, key, tenant_id, expires_unix_ms);
}

/* Unless it was erased. */
static void make_own_key(
	struct test *test, const char *tenant_id, const char *user_id, enum role role)
{
	if (!test->keyring || !(role & (ROLE_CONTRACTOR | ROLE_INSTRUCTOR | ROLE_STUDENT)))
		return;
	enum err e = keyring_user_create(test->keyring, tenant_id, &user_id, 1);
	if (e && e != ERR_CONFLICT)
		stop("keyring", err_name(e));
}

struct actor test_actor(
	struct test *test, const char *tenant_id, const char *user_id, enum role role)
{
	int64_t expires_ms = clock_unix_ms() + CAPABILITY_LIFETIME_MS;
	make_own_key(test, tenant_id, user_id, role);
	return (struct actor){ .tenant_id = tenant_id,
		.user_id = user_id,
		.role = role,
		.session_id = role == ROLE_SERVICE ? "" : "01890000-0000-7000-8000-0000000000f1",
		.tenant_key = test_tenant_key(test, tenant_id, expires_ms),
		.authenticated_unix_ms = clock_unix_ms(),
		.factors = 1,
		.expires_unix_ms = expires_ms };
}

static struct call call_of(struct test *test)
{
	static const struct actor nobody = {
		.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
	};
	return (struct call){ .arena = test->arena,
		.db = test->db,
		.cache = test->cache,
		.bus = test->bus,
		.keyring = test->keyring,
		.service = test->service,
		.actor = &nobody,
		.auth_key = test->public_key,
		.capability = "",
		.caller = "gateway",
		.call_id = uuid_make(test->arena),
		.traceparent = "",
		.source = "",
		.idempotency_key = "",
		.deadline_ms = clock_steady_ms() + TEST_DEADLINE_MS };
}

struct call test_call(struct test *test, const struct actor *actor)
{
	struct call c = call_of(test);
	if (actor)
		c.actor = actor;
	db_begin(test->db, c.actor->tenant_key, true);
	return c;
}

void test_people(struct test *test, const char *tenant_id, const char *const *ids, size_t n)
{
	if (keyring_user_create(test->keyring, tenant_id, ids, n))
		stop("keyring", tenant_id);
}

#define NAME_PART(part_)                                                                           \
	{                                                                                          \
		.domain = "name", .column = "person.name", .part = (part_), .last = (part_),       \
		.of_user = true                                                                    \
	}
static const struct personal_kind name_kinds[PERSONAL_PARTS_MAX] = { NAME_PART(1), NAME_PART(2),
	NAME_PART(3), NAME_PART(4) };

const char *test_sealed_name(struct test *test, const char *tenant_id, const char *user_id,
	const char *const parts[PERSONAL_PARTS_MAX])
{
	const struct actor actor = { .tenant_id = tenant_id, .user_id = user_id };
	struct call c = call_of(test);
	struct personal name[PERSONAL_PARTS_MAX];
	const char *sealed;
	c.actor = &actor;
	for (size_t i = 0; i < PERSONAL_PARTS_MAX; i++)
		name[i] = (struct personal){ .text = parts[i], .kind = &name_kinds[i] };
	if (personal_seal_parts(&c,
		    &(struct personal_place){ .row_id = user_id, .user_id = user_id }, name,
		    PERSONAL_PARTS_MAX, &sealed))
		stop("name", "cannot be sealed");
	return sealed;
}

const char *test_name(struct test *test, const char *table, const char *user_id)
{
	const char *row = test_sql_text(test,
		arena_printf(test->arena,
			"SELECT tenant_id || id::text || ':' || name FROM %s WHERE id = '%s'",
			table, user_id));
	const struct actor actor = { .tenant_id = arena_strndup(test->arena, row, UUID_SIZE - 1),
		.user_id = "" };
	const char *parts[PERSONAL_PARTS_MAX];
	struct call c = call_of(test);
	c.actor = &actor;
	if (strlen(row) < UUID_SIZE ||
		personal_open_parts(&c, name_kinds, row + UUID_SIZE - 1, parts))
		stop("name", "does not open");
	return arena_printf(test->arena, "%s %s %s %s", parts[0], parts[1], parts[2], parts[3]);
}

struct test_login test_login(
	struct test *test, const char *tenant_id, const char *user_id, const char *username)
{
	static const struct personal_kind kind = { .domain = "name",
		.column = "person.login",
		.of_user = true,
		.index = "person.login_index" };
	const struct actor actor = { .tenant_id = tenant_id, .user_id = user_id };
	const struct personal_place place = { .row_id = user_id, .user_id = user_id };
	const struct personal value = { .text = username, .kind = &kind };
	struct call c = call_of(test);
	struct blind_index index;
	struct test_login login;
	c.actor = &actor;
	if (personal_seal_for(&c, &place, value, &login.sealed) ||
		personal_index(&c, value, &index))
		stop("login name", username);
	login.index = index.value;
	return login;
}

const char *test_capability(struct test *test, const struct actor *actor)
{
	return capability_mint(test->arena, key_pair()->signing_key, actor, clock_unix_ms());
}

void test_dispatch(
	struct test *test, const struct test_request *request, struct reply *reply, struct call *c)
{
	struct call call = call_of(test);
	struct frame frame = { .kind = FRAME_REQUEST,
		.flags = request->continued ? FRAME_CONTINUED : 0,
		.time_left_ms = TEST_DEADLINE_MS };
	/* As frame_read() does it: an absent text is empty, never NULL. */
	for (size_t i = 0; i < FRAME_TEXTS; i++)
		frame.texts[i] = frame_text("");
	frame.texts[TEXT_OPERATION] = frame_text(request->operation);
	if (request->params)
		frame.texts[TEXT_PARAMS] = frame_text(request->params);
	if (request->body)
		frame.texts[TEXT_BODY] = frame_text(request->body);
	if (request->idempotency_key)
		frame.texts[TEXT_IDEMPOTENCY_KEY] = frame_text(request->idempotency_key);
	if (request->source)
		frame.texts[TEXT_SOURCE] = frame_text(request->source);
	if (request->body)
		frame.texts[TEXT_CONTENT_TYPE] = frame_text("application/json");
	if (request->actor)
		frame.texts[TEXT_CAPABILITY] = frame_text(test_capability(test, request->actor));
	if (request->caller)
		call.caller = request->caller;
	service_dispatch(&call, test->public_key, &frame, reply);
	if (c)
		*c = call;
}

void test_sql(struct test *test, const char *sql)
{
	(void)run_sql(test->arena, test->superuser, sql);
}

const char *test_sql_text(struct test *test, const char *sql)
{
	return run_sql(test->arena, test->superuser, sql);
}

const char *test_cache_address(void)
{
	return getenv("MANABIYA_TEST_REDIS");
}

const char *test_directory(struct test *test)
{
	static unsigned made;
	const char *path = arena_printf(test->arena, "%s/%ld-%u",
		setting("MANABIYA_TEST_SOCKET_DIR"), (long)getpid(), made++);
	if (mkdir(path, 0700) != 0)
		stop("mkdir", path);
	return path;
}

bool test_has_key(struct test *test, const char *domain, uint32_t version)
{
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = domain, .version = version };
	enum err e = keyring_data_key(test->keyring, TEST_TENANT, which, key);
	if (e && e != ERR_FORBIDDEN)
		stop("keyring", err_name(e));
	return !e;
}

const char *test_keyring_directory(struct test *test)
{
	char path[4096] = "";
	const char *link =
		arena_printf(test->arena, "/proc/self/fd/%d", keyring_directory(test->keyring));
	if (readlink(link, path, sizeof(path) - 1) < 0)
		stop("readlink", link);
	return arena_strdup(test->arena, path);
}

static const char *open_event(struct test *test, const char *row)
{
	const size_t uuid = 36;
	struct call c = call_of(test);
	const char *body = NULL;
	if (personal_open_of(&c, arena_strndup(test->arena, row, uuid), &outbox_body,
		    row + uuid + 1, &body) != OK)
		stop("event", "does not open");
	return body;
}

const char *test_event(struct test *test, const char *type, const char *about)
{
	const char *rows = test_sql_text(test,
		arena_printf(test->arena,
			"SELECT string_agg(concat_ws(':', tenant_id, event_id, body), ' ' ORDER BY"
			" id DESC) FROM %s.outbox WHERE kind = 'event' AND type = '%s'",
			test->service->name, type));
	while (*rows) {
		size_t n = strcspn(rows, " ");
		const char *body = open_event(test, arena_strndup(test->arena, rows, n));
		if (strstr(body, about))
			return body;
		rows += n + (rows[n] == ' ');
	}
	return "";
}
