/* The key service, against a server that checks signatures with botocore (tests/kms/server.py). */
#include "libcommon/kms.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/aws.h"
#include "libcommon/cmocka_call.h"
#include "libcommon/core_search.h"
#include "libcommon/http_client.h"
#include "libcommon/keyring.h"

#define TENANT "0190c9a0-0000-7000-8000-000000000001"
#define OTHER "0190c9a0-0000-7000-8000-000000000002"

/* A server, and who keeps it alive. */
struct server {
	pid_t pid;
	int input;
	char port[8];
};

static struct arena *arena;
static struct server plain;

static const char *at(const char *path)
{
	return arena_printf(arena, "http://127.0.0.1:%s%s", plain.port, path);
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

static void serve(int input, int output, const char *certificates)
{
	const char *script =
		arena_printf(arena, "%s/tests/kms/server.py", getenv("MANABIYA_TEST_SOURCE"));
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	/* The whole path: Python looks for its modules from there. */
	execl("/usr/bin/python3", "/usr/bin/python3", script, certificates, (char *)NULL);
	_exit(127);
}

/* With a directory for certificates over TLS. */
static bool start(struct server *server, const char *certificates)
{
	int input[2], output[2];
	if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC))
		return false;
	server->pid = fork();
	if (server->pid == 0)
		serve(input[0], output[1], certificates);
	close(input[0]);
	close(output[1]);
	server->input = input[1];
	FILE *said = fdopen(output[0], "r"); /* a line, which may come in pieces */
	bool is_up = said && fgets(server->port, sizeof(server->port), said);
	server->port[strcspn(server->port, "\n")] = '\0';
	return said && fclose(said) == 0 && is_up;
}

static bool stop(const struct server *server)
{
	close(server->input);
	return waitpid(server->pid, NULL, 0) == server->pid;
}

static int set_up(void **state)
{
	arena = arena_new();
	return http_client_start() == OK && start(&plain, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return stop(&plain) ? 0 : -1;
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

/* ---- what is left in memory ---- */

#define HALF (KEY_SIZE / 2)
#define KEY_LETTERS 44

/* In memory that is left out of core dumps. */
struct seen {
	unsigned char key[KEY_SIZE], again[KEY_SIZE];
	unsigned char letters[KEY_LETTERS + 1];
};

/* Both halves, since what was used again may have overwritten one. */
static unsigned count_of_key(const struct seen *seen)
{
	unsigned n = 0;
	for (size_t i = 0; i < 2; i++) {
		n += core_search((struct bytes){ seen->key + i * HALF, HALF });
		n += core_search((struct bytes){ seen->letters + i * 20, 20 });
	}
	return n;
}

/* While its arena is there: nothing here waits for somebody to wipe. */
static void a_key_is_in_no_core_dump(void **state)
{
	use_environment("secret-of-the-environment");
	struct kms kms = kms_at("/");
	struct seen *seen = crypto_secret_alloc(sizeof(*seen));
	struct bytes wrapped;
	assert_int_equal(kms_generate(&kms, arena, TENANT, seen->key, &wrapped), OK);
	assert_int_equal(EVP_EncodeBlock(seen->letters, seen->key, KEY_SIZE), KEY_LETTERS);
	assert_int_equal(count_of_key(seen), 0);
	assert_int_equal(kms_open(&kms, arena, TENANT, wrapped, seen->again), OK);
	assert_memory_equal(seen->key, seen->again, KEY_SIZE);
	assert_int_equal(count_of_key(seen), 0);
	memcpy(seen->key, wrapped.data, KEY_SIZE);
	EVP_EncodeBlock(seen->letters, seen->key, KEY_SIZE);
	assert_in_range(count_of_key(seen), 4, 100); /* what is no secret is found */
	crypto_secret_free(seen);
}

static void remove_directory(const char *path)
{
	DIR *files = opendir(path);
	assert_non_null(files);
	for (const struct dirent *file; (file = readdir(files));)
		(void)unlinkat(dirfd(files), file->d_name, 0);
	closedir(files);
	assert_int_equal(rmdir(path), 0);
}

/* TLS has buffers of its own. */
static void of_an_answer_over_tls_nothing_is_left(void **state)
{
	struct server tls = { .pid = 0 };
	char certificates[] = "/tmp/manabiya-kms-XXXXXX";
	char *seen = crypto_secret_alloc(2 * KEY_SIZE + 1);
	assert_non_null(mkdtemp(certificates));
	assert_true(start(&tls, certificates));
	const struct http_client_request request = {
		.method = "GET",
		.url = arena_printf(arena, "https://127.0.0.1:%s/secret", tls.port),
		.ca_file = arena_printf(arena, "%s/ca.pem", certificates),
		.timeout_ms = 30000,
		.answer_max = 2 * KEY_SIZE,
		.answer = seen,
	};
	struct http_client_reply reply;
	assert_int_equal(http_client_send(arena, &request, &reply), OK);
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.body_n, 2 * KEY_SIZE);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(core_search((struct bytes){
					 (unsigned char *)seen + i * KEY_SIZE, KEY_SIZE }),
			0);
	crypto_secret_free(seen);
	assert_true(stop(&tls));
	remove_directory(certificates);
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
		cmocka_unit_test(a_key_is_in_no_core_dump),
		cmocka_unit_test(of_an_answer_over_tls_nothing_is_left),
		cmocka_unit_test(a_keyring_is_kept_by_the_service),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
