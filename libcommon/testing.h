/*
 * What tests of operations stand on: a throw-away database, calls, and requests. Linked by tests
 * only. It brings cmocka along.
 *
 * Run under tests/with-services; without its servers a test program stops with one line that says
 * so.
 */
#ifndef MANABIYA_TESTING_H
#define MANABIYA_TESTING_H

/* Whether call.h came first or not: its fail() is the one meant. */
#pragma push_macro("fail")
#undef fail
#include "libcommon/cmocka_call.h"
#pragma pop_macro("fail")

#include "libcommon/personal.h"
#include "libcommon/service.h"

#define TEST_TENANT "01890000-0000-7000-8000-00000000000a"
#define TEST_OTHER_TENANT "01890000-0000-7000-8000-00000000000b"
#define TEST_OPERATOR_TENANT "00000000-0000-7000-8000-000000000001"
#define TEST_USER "01890000-0000-7000-8000-0000000000a1"
#define TEST_OTHER_USER "01890000-0000-7000-8000-0000000000a2"

/* One service's world. Everything dies with test_close(). */
struct test {
	const struct service *service;
	struct arena *arena;
	struct db *db;
	struct cache *cache;
	struct keyring *keyring; /* with keys of the test tenants; NULL when the service has none */
	struct bus *bus; /* listens, calls nobody: hints may be pushed */
	const char *database; /* conninfo as the service's role, for a second connection */
	const char *superuser; /* conninfo of the same database */
	const unsigned char *public_key; /* auth's, for service_dispatch() */
};

/* A clone of the migrated template and connections to it as the service's role. */
void test_open(struct test *test, const struct service *service);
void test_close(struct test *test);

/* An actor with a tenant key that the database believes, in test->arena; with a key of his own
 * where there is a keyring and his kind has one. */
struct actor test_actor(
	struct test *test, const char *tenant_id, const char *user_id, enum role role);

/* A tenant key with the given expiry; the MAC is right. */
const char *test_tenant_key(struct test *test, const char *tenant_id, int64_t expires_unix_ms);

/* A call ready for db_*: its transaction is begun (writing) within the actor's tenant. NULL:
 * nobody, no tenant. End it with db_commit() or db_rollback(). */
struct call test_call(struct test *test, const struct actor *actor);

/* Keys of users of a tenant, as provisioning makes them. */
void test_people(struct test *test, const char *tenant_id, const char *const *ids, size_t n);

/* A user's name (family, given, and the readings of both) as a row of the user holds it, and back:
 * what the row of a table with a column `name` says, with spaces between. The user has a key. */
const char *test_sealed_name(struct test *test, const char *tenant_id, const char *user_id,
	const char *const parts[PERSONAL_PARTS_MAX]);
const char *test_name(struct test *test, const char *table, const char *user_id);

/* A login name as provisioning keeps it: sealed for a user who has a key, and its index. */
struct test_login {
	const char *sealed, *index;
};
struct test_login test_login(
	struct test *test, const char *tenant_id, const char *user_id, const char *username);

/* What auth would mint for the actor. */
const char *test_capability(struct test *test, const struct actor *actor);

/* The body, opened, of the newest event of a type in the outbox that has `about` in it; "" if there
 * is none. */
const char *test_event(struct test *test, const char *type, const char *about);

/* One request through service_dispatch(), as the bus would bring it. */
struct test_request {
	const char *operation;
	const struct actor *actor; /* NULL: without capability */
	const char *caller; /* NULL: gateway */
	const char *params; /* NULL: none */
	const char *body; /* NULL: none; JSON */
	const char *idempotency_key; /* NULL: none */
	const char *source; /* the client's address; NULL: none */
	bool continued; /* not the first window of its HTTP request */
};
/* The reply's texts live in test->arena. *c, if not NULL, is the finished call: its pushes, its
 * failure. */
void test_dispatch(
	struct test *test, const struct test_request *request, struct reply *reply, struct call *c);

/* As a superuser: statements, or the first column of the first row ("" without rows). Aborts the
 * test on an error. */
void test_sql(struct test *test, const char *sql);
const char *test_sql_text(struct test *test, const char *sql);

/* On a busy machine a tenth of a second passes without anything being wrong. */
#define TEST_CACHE_WAIT_MS 10000
/* Address of the test Redis, NULL without one. */
const char *test_cache_address(void);
/* A directory for sockets and files of this test program, made new. */
const char *test_directory(struct test *test);
/* Whether test->keyring gives the service this key of TEST_TENANT (keyring_conf.h). */
bool test_has_key(struct test *test, const char *domain, uint32_t version);

/* Where test->keyring lies. */
const char *test_keyring_directory(struct test *test);

#endif
