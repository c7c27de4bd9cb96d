#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/capability.h"
#include "libcommon/paseto.h"

#define NOW INT64_C(1775606400000)
#define TENANT "01920000-0000-7000-8000-000000000001"
#define USER "01920000-0000-7000-8000-000000000002"
#define SESSION "01920000-0000-7000-8000-000000000003"

static struct arena *arena;
static unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];

static const struct actor PUPIL = {
	.tenant_id = TENANT,
	.user_id = USER,
	.role = ROLE_STUDENT,
	.denied = FEATURE_PEER_COMMENT,
	.session_id = SESSION,
	.authenticated_unix_ms = NOW - 1000,
	.factors = 2,
	.needs_second_factor = true,
	.initial = true,
	.closed = true,
	.tenant_key = TENANT ".1775606460.00ff",
	.expires_unix_ms = NOW + 10000,
};

static void what_was_minted_is_read(void **state)
{
	struct actor actor = { 0 };
	const char *text = capability_mint(arena, signing_key, &PUPIL, NOW);
	assert_true(strlen(text) < 2048);
	assert_int_equal(capability_verify(arena, public_key, text, NOW, &actor), OK);
	assert_string_equal(actor.tenant_id, TENANT);
	assert_string_equal(actor.user_id, USER);
	assert_int_equal(actor.role, ROLE_STUDENT);
	assert_int_equal(actor.denied, FEATURE_PEER_COMMENT);
	assert_string_equal(actor.session_id, SESSION);
	assert_true(actor.initial);
	assert_true(actor.closed);
	assert_int_equal(actor.authenticated_unix_ms, NOW - 1000);
	assert_int_equal(actor.factors, 2);
	assert_true(actor.needs_second_factor);
	assert_string_equal(actor.tenant_key, PUPIL.tenant_key);
	assert_int_equal(actor.expires_unix_ms, NOW + 10000);
}

static void every_role_and_feature_survives(void **state)
{
	static const enum role roles[] = { ROLE_ANONYMOUS, ROLE_OPERATOR, ROLE_CONTRACTOR,
		ROLE_INSTRUCTOR, ROLE_STUDENT, ROLE_SERVICE };
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		struct actor actor = PUPIL, read = { 0 };
		actor.role = roles[i];
		actor.denied = (unsigned)i & 3;
		actor.initial = i & 1;
		actor.closed = i & 2;
		const char *text = capability_mint(arena, signing_key, &actor, NOW);
		assert_int_equal(capability_verify(arena, public_key, text, NOW, &read), OK);
		assert_int_equal(read.role, roles[i]);
		assert_int_equal(read.denied, i & 3);
		assert_int_equal(read.initial, i & 1);
		assert_int_equal(read.closed, (i & 2) != 0);
		assert_int_equal(role_from_name(role_name(roles[i])), roles[i]);
	}
	assert_int_equal(role_from_name("root"), 0);
	assert_int_equal(feature_from_name("flying"), 0);
	assert_string_equal(feature_name(FEATURE_VIDEO_UPLOAD), "video_upload");
}

static void it_lives_a_minute_at_most(void **state)
{
	struct actor actor = PUPIL, read = { 0 };
	static const int64_t wishes[] = { 0, NOW + 3600000 };
	for (size_t i = 0; i < 2; i++) {
		actor.expires_unix_ms = wishes[i];
		const char *text = capability_mint(arena, signing_key, &actor, NOW);
		int64_t end = NOW + CAPABILITY_LIFETIME_MS;
		assert_int_equal(capability_verify(arena, public_key, text, end - 1, &read), OK);
		assert_int_equal(read.expires_unix_ms, end);
		assert_int_equal(capability_verify(arena, public_key, text, end, &read),
			ERR_UNAUTHENTICATED);
	}
}

static void it_ends_with_its_session(void **state)
{
	struct actor read;
	const char *text = capability_mint(arena, signing_key, &PUPIL, NOW);
	assert_int_equal(capability_verify(arena, public_key, text, NOW + 10000, &read),
		ERR_UNAUTHENTICATED);
}

static void one_from_the_future_is_refused(void **state)
{
	struct actor read;
	const char *text = capability_mint(arena, signing_key, &PUPIL, NOW);
	assert_int_equal(capability_verify(arena, public_key, text, NOW - 4000, &read), OK);
	assert_int_equal(
		capability_verify(arena, public_key, text, NOW - 6000, &read), ERR_UNAUTHENTICATED);
}

/* Signed by auth's key, but not a capability. */
static void signed_nonsense_is_refused(void **state)
{
	static const char *const payloads[] = { "", "null", "[]", "{}", "\"x\"", "{\"exp\":1e99}",
		"{\"iat\":1775606400000,\"exp\":1775606460000}",
		"{\"tenant\":\"\",\"user\":\"\",\"role\":\"king\",\"session\":\"\","
		"\"tenantKey\":\"\",\"iat\":1775606400000,\"exp\":1775606460000}",
		"{\"tenant\":\"\",\"user\":7,\"role\":\"student\",\"session\":\"\","
		"\"tenantKey\":\"\",\"iat\":1775606400000,\"exp\":1775606460000}",
		"{\"tenant\":\"\",\"user\":\"\",\"role\":\"student\",\"session\":\"\","
		"\"tenantKey\":\"\",\"iat\":1775606400000,\"exp\":1775606460001}" };
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		struct bytes payload = { (const unsigned char *)payloads[i], strlen(payloads[i]) };
		struct actor read;
		assert_int_equal(capability_verify(arena, public_key,
					 paseto_sign(arena, signing_key, payload), NOW, &read),
			ERR_UNAUTHENTICATED);
	}
}

/* The MAC is from an independent HMAC-SHA-256 (Python's hmac). */
static void tenant_key_is_what_the_database_computes(void **state)
{
	unsigned char mac_key[KEY_SIZE];
	memset(mac_key, 0x42, sizeof mac_key);
	assert_string_equal(capability_tenant_key(arena, mac_key, TENANT, INT64_C(1775606460999)),
		TENANT ".1775606460."
		       "41857471767ced28d6377a28777e4f81b4b9989942799f2f3828c5f4111560ae");
}

static int open_keys(void **state)
{
	crypto_start();
	arena = arena_new();
	unsigned char seed[KEY_SIZE] = { 7 };
	crypto_sign_keys(seed, public_key, signing_key);
	return 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_minted_is_read),
		cmocka_unit_test(every_role_and_feature_survives),
		cmocka_unit_test(it_lives_a_minute_at_most),
		cmocka_unit_test(it_ends_with_its_session),
		cmocka_unit_test(one_from_the_future_is_refused),
		cmocka_unit_test(signed_nonsense_is_refused),
		cmocka_unit_test(tenant_key_is_what_the_database_computes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_keys, free_arena);
}
