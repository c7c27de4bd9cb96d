/* The key service, against a server that checks signatures with botocore (tests/kms/server.py). */
#include "libcommon/kms.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/aws.h"
#include "libcommon/cmocka_call.h"
#include "libcommon/http_client.h"
#include "libcommon/keyring.h"

#define TENANT "0190c9a0-0000-7000-8000-000000000001"
#define OTHER "0190c9a0-0000-7000-8000-000000000002"

static struct arena *arena;
static pid_t server;
static int server_input;
static char port[8];

static const char *at(const char *path)
{
	return arena_printf(arena, "http://127.0.0.1:%s%s", port, path);
}

static struct kms kms_at(const char *path)
{
	return (struct kms){ .key_id = "alias/manabiya",
		.region = "ap-northeast-1",
		.endpoint = at(path),
		.regions_allowed = "ap-northeast-1,ap-northeast-3" };
}

static void use_environment(const char *secret)
{
	setenv("AWS_ACCESS_KEY_ID", "AKIDTEST", 1);
	setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
}

static void serve(int input, int output)
{
	const char *script =
		arena_printf(arena, "%s/tests/kms/server.py", getenv("MANABIYA_TEST_SOURCE"));
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	/* The whole path: Python looks for its modules from there. */
	execl("/usr/bin/python3", "/usr/bin/python3", script, (char *)NULL);
	_exit(127);
}

static int set_up(void **state)
{
	int input[2], output[2];
	arena = arena_new();
	if (http_client_start() || pipe(input) || pipe(output))
		return -1;
	server = fork();
	if (server == 0) {
		close(input[1]);
		serve(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	server_input = input[1];
	ssize_t n = read(output[0], port, sizeof(port) - 1);
	close(output[0]);
	port[strcspn(port, "\n")] = '\0';
	return n > 1 ? 0 : -1;
}

static int tear_down(void **state)
{
	close(server_input);
	arena_free(arena);
	return waitpid(server, NULL, 0) == server ? 0 : -1;
}

static void a_key_opens_for_its_tenant_only(void **state)
{
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/");
	unsigned char made[KEY_SIZE], opened[KEY_SIZE] = { 0 };
	struct bytes wrapped;
	assert_int_equal(kms_check(&kms), OK);
	assert_int_equal(kms_generate(&kms, arena, TENANT, made, &wrapped), OK);
	assert_int_equal(kms_open(&kms, arena, TENANT, wrapped, opened), OK);
	assert_memory_equal(made, opened, KEY_SIZE);
	assert_int_equal(kms_open(&kms, arena, OTHER, wrapped, opened), ERR_INVALID);
}

static void a_key_is_wrapped_anew_without_being_seen(void **state)
{
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/");
	unsigned char made[KEY_SIZE], opened[KEY_SIZE] = { 0 };
	struct bytes wrapped, again;
	assert_int_equal(kms_generate(&kms, arena, TENANT, made, &wrapped), OK);
	assert_int_equal(kms_rewrap(&kms, arena, OTHER, wrapped, &again), ERR_INVALID);
	assert_int_equal(kms_rewrap(&kms, arena, TENANT, wrapped, &again), OK);
	assert_memory_not_equal(wrapped.data, again.data, wrapped.n);
	assert_int_equal(kms_open(&kms, arena, TENANT, again, opened), OK);
	assert_memory_equal(made, opened, KEY_SIZE);
}

static void a_wrong_secret_is_no_signature(void **state)
{
	use_environment("somebody else's");
	struct kms kms = kms_at("/");
	unsigned char key[KEY_SIZE];
	struct bytes wrapped;
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), ERR_UNAVAILABLE);
}

static void the_instance_lends_credentials(void **state)
{
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", at(""), 1);
	struct kms kms = kms_at("/");
	unsigned char key[KEY_SIZE];
	struct bytes wrapped;
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), OK);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", at("/nowhere"), 1);
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), ERR_UNAVAILABLE);
}

static void write_credentials(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_file_is_the_only_source_and_may_be_replaced(void **state)
{
	char path[] = "/tmp/manabiya-kms-XXXXXX";
	close(mkstemp(path));
	use_environment("somebody else's");
	struct kms kms = kms_at("/");
	kms.credentials = path;
	unsigned char key[KEY_SIZE];
	struct bytes wrapped;
	write_credentials(path,
		"# made by hand\n[other]\naws_access_key_id = AKIDTEST\n"
		"aws_secret_access_key = wrong\n\n[ default ]\r\n; two\n"
		"  aws_access_key_id=AKIDTEST\r\nregion = x\n"
		"aws_secret_access_key  =  secret-of-the-environment  \n[more]\n"
		"aws_secret_access_key = wrong\n");
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), OK);
	write_credentials(path,
		"[default]\naws_access_key_id = ASIATEST\naws_session_token = "
		"session-token-of-the-instance\naws_secret_access_key = secret-of-the-instance");
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), OK);
	/* The environment would do now; the file says nothing. */
	use_environment("secret-of-the-environment");
	write_credentials(path, "[default]\naws_access_key_id = AKIDTEST\n");
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), ERR_UNAVAILABLE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), ERR_UNAVAILABLE);
}

static void what_is_throttled_is_asked_again(void **state)
{
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/throttled");
	unsigned char key[KEY_SIZE];
	struct bytes wrapped;
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), OK);
}

static void a_disabled_key_is_told_from_a_lost_one(void **state)
{
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/disabled");
	unsigned char key[KEY_SIZE];
	struct bytes wrapped;
	assert_int_equal(kms_generate(&kms, arena, TENANT, key, &wrapped), ERR_FORBIDDEN);
}

static void keys_stay_where_the_deployment_says(void **state)
{
	static const struct {
		const char *region, *endpoint;
		bool resides;
	} cases[] = {
		{ "ap-northeast-1", "", true },
		{ "ap-northeast-3", "https://kms.ap-northeast-3.amazonaws.com/", true },
		{ "ap-northeast-1", "https://vpce-1-2.kms.ap-northeast-1.vpce.amazonaws.com",
			true },
		{ "ap-northeast-1", "http://127.0.0.1:8080/", true },
		{ "us-east-1", "", false },
		{ "", "", false },
		{ "ap-northeast", "", false },
		{ "ap-northeast-1", "https://kms.us-east-1.amazonaws.com/", false },
		{ "ap-northeast-1", "https://evil.example/.ap-northeast-1.amazonaws.com", false },
		{ "ap-northeast-1", "https://x.ap-northeast-1.amazonaws.com@evil.example/", false },
		{ "ap-northeast-1", "https://kms.ap-northeast-1.amazonaws.com.evil.example/",
			false },
		{ "ap-northeast-1", "http://kms.ap-northeast-1.amazonaws.com/", false },
		{ "ap-northeast-1", "http://127.0.0.1.evil.example/", false },
		{ "ap-northeast-1", "http://169.254.169.254/", false },
		{ "ap-northeast-1", "http://localhost:80@evil.example/", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (aws_is_resident(cases[i].region, cases[i].endpoint,
			    "ap-northeast-1,ap-northeast-3") != cases[i].resides)
			fail_msg("%s %s", cases[i].region, cases[i].endpoint);
}

/* ---- as keeper of a keyring's root ---- */

static char directory[] = "/tmp/kms-test-XXXXXX";

static void file_gone(const char *name)
{
	(void)unlink(arena_printf(arena, "%s/%s", directory, name));
}

static enum err data_key(struct keyring *keyring, const char *tenant_id, uint32_t version,
	unsigned char out[KEY_SIZE])
{
	return keyring_data_key(
		keyring, tenant_id, (struct data_key){ .domain = "text", .version = version }, out);
}

static struct keyring *open_with(const char *root_hex, const struct kms *kms)
{
	const struct keyring_root root = {
		.text = root_hex, .before_text = "", .passphrase = "", .kms = kms
	};
	return keyring_open_rooted(directory, &root);
}

static void a_keyring_is_kept_by_the_service(void **state)
{
	static const char root[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/"), disabled = kms_at("/disabled"), abroad = kms_at("/");
	unsigned char local[KEY_SIZE], made[KEY_SIZE], again[KEY_SIZE];
	abroad.region = "us-east-1";
	assert_non_null(mkdtemp(directory));
	struct keyring *keyring = keyring_open(directory, root);
	assert_int_equal(keyring_create(keyring, TENANT), OK);
	assert_int_equal(data_key(keyring, TENANT, 1, local), OK);
	keyring_close(keyring);
	assert_null(open_with(root, &abroad));
	/* From now on the service; what was there before still opens while its root is given. */
	keyring = open_with(root, &kms);
	assert_int_equal(keyring_rotate(keyring, TENANT), OK);
	assert_int_equal(keyring_create(keyring, OTHER), OK);
	assert_int_equal(data_key(keyring, TENANT, 1, again), OK);
	assert_memory_equal(local, again, KEY_SIZE);
	assert_int_equal(data_key(keyring, TENANT, 2, made), OK);
	keyring_close(keyring);
	keyring = open_with("", &kms);
	assert_int_equal(data_key(keyring, TENANT, 2, again), OK);
	assert_memory_equal(made, again, KEY_SIZE);
	assert_int_equal(data_key(keyring, TENANT, 1, again), ERR_INTERNAL);
	assert_int_equal(keyring_openings(keyring).opened, 1);
	keyring_close(keyring);
	/* What the service wrapped is wrapped anew, what the root key sealed stays. */
	struct keyring_tally tally;
	keyring = open_with(root, &kms);
	assert_int_equal(keyring_reseal(keyring, &tally), OK);
	assert_int_equal(tally.resealed, 3); /* with the index key */
	assert_int_equal(tally.unchanged, 2);
	assert_int_equal(data_key(keyring, TENANT, 2, again), OK);
	assert_memory_equal(made, again, KEY_SIZE);
	keyring_close(keyring);
	/* The service says no: that may pass, the key is not lost. */
	keyring = open_with("", &disabled);
	assert_int_equal(data_key(keyring, TENANT, 2, again), ERR_UNAVAILABLE);
	keyring_close(keyring);
	/* One tenant's file under another's name. */
	assert_int_equal(rename(arena_printf(arena, "%s/" TENANT ".2.key", directory),
				 arena_printf(arena, "%s/" OTHER ".1.key", directory)),
		0);
	keyring = open_with(root, &kms);
	assert_int_equal(data_key(keyring, OTHER, 1, again), ERR_INTERNAL);
	keyring_close(keyring);
	keyring = keyring_open(directory, root);
	assert_int_equal(data_key(keyring, OTHER, 1, again), ERR_INTERNAL);
	keyring_close(keyring);
	file_gone("root.check");
	file_gone(TENANT ".1.key");
	file_gone(TENANT ".index.key");
	file_gone(TENANT ".login");
	file_gone(OTHER ".1.key");
	file_gone(OTHER ".index.key");
	file_gone(OTHER ".login");
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_opens_for_its_tenant_only),
		cmocka_unit_test(a_key_is_wrapped_anew_without_being_seen),
		cmocka_unit_test(a_wrong_secret_is_no_signature),
		cmocka_unit_test(the_instance_lends_credentials),
		cmocka_unit_test(a_file_is_the_only_source_and_may_be_replaced),
		cmocka_unit_test(what_is_throttled_is_asked_again),
		cmocka_unit_test(a_disabled_key_is_told_from_a_lost_one),
		cmocka_unit_test(keys_stay_where_the_deployment_says),
		cmocka_unit_test(a_keyring_is_kept_by_the_service),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
