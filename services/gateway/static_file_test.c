#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/gateway/static_file.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static char root[] = "/tmp/manabiya-static-XXXXXX";
static const char *const files[][2] = {
	{ "index.html", "<!doctype html>" },
	{ "sw.js", "self.skipWaiting()" },
	{ "icon.svg", "<svg/>" },
	{ "assets/app-abc123.js", "console.log('a long enough text to be worth it')" },
	{ "assets/app-abc123.js.br", "brotli" },
	{ "assets/app-abc123.js.gz", "gzip..." },
	{ ".vite/manifest.json", "{}" },
	{ ".well-known/x.txt", "x" },
};
static const char *const directories[] = { "assets", ".vite", ".well-known" };

static const char *below(const char *name, char path[256])
{
	(void)snprintf(path, 256, "%s/%s", root, name);
	return path;
}

static int start(void **state)
{
	char path[256];
	if (!mkdtemp(root)) {
		return -1;
	}
	for (size_t i = 0; i < N(directories); i++) {
		if (mkdir(below(directories[i], path), 0700)) {
			return -1;
		}
	}
	for (size_t i = 0; i < N(files); i++) {
		FILE *file = fopen(below(files[i][0], path), "w");
		if (!file || fputs(files[i][1], file) < 0 || fclose(file)) {
			return -1;
		}
	}
	if (symlink("/etc/passwd", below("passwd.txt", path))) {
		return -1;
	}
	return static_file_start(root) ? -1 : 0;
}

static int stop(void **state)
{
	char path[256];
	static_file_stop();
	(void)unlink(below("passwd.txt", path));
	for (size_t i = 0; i < N(files); i++) {
		(void)unlink(below(files[i][0], path));
	}
	for (size_t i = 0; i < N(directories); i++) {
		(void)rmdir(below(directories[i], path));
	}
	return rmdir(root);
}

static void paths_lead_to_files(void **state)
{
	static const struct {
		const char *path, *found;
	} cases[] = {
		{ "/", "/index.html" },
		{ "/login", "/index.html" },
		{ "/classes/1/board", "/index.html" },
		{ "/index.html", "/index.html" },
		{ "/sw.js", "/sw.js" },
		{ "/assets/app-abc123.js", "/assets/app-abc123.js" },
		{ "/.well-known/x.txt", "/.well-known/x.txt" },
		{ "/assets/app-abc123.js.br", NULL },
		{ "/assets/missing", NULL },
		{ "/missing.js", NULL },
		{ "/passwd.txt", NULL },
		{ "/.vite/manifest.json", NULL },
		{ "/../etc/passwd.txt", NULL },
	};
	for (size_t i = 0; i < N(cases); i++) {
		const struct asset *asset = static_find(cases[i].path);
		bool is_right = asset && cases[i].found ? !strcmp(asset->path, cases[i].found)
							: !asset && !cases[i].found;
		if (!is_right) {
			fail_msg("%s", cases[i].path);
		}
	}
}

static void only_hashed_names_are_kept_for_ever(void **state)
{
	assert_non_null(strstr(static_find("/assets/app-abc123.js")->cache, "immutable"));
	assert_string_equal(static_find("/sw.js")->cache, "no-cache");
	assert_string_equal(static_find("/")->cache, "no-cache");
}

static void types_come_from_names(void **state)
{
	assert_string_equal(static_find("/")->type, "text/html; charset=utf-8");
	assert_string_equal(static_find("/icon.svg")->type, "image/svg+xml");
}

static void the_best_accepted_form_is_sent(void **state)
{
	const struct asset *plain = static_find("/assets/app-abc123.js");
	const struct asset *brotli = static_encoded(plain, "gzip, deflate, br");
	assert_string_equal(brotli->encoding, "br");
	assert_string_equal(brotli->type, plain->type);
	assert_string_equal(brotli->cache, plain->cache);
	assert_string_not_equal(brotli->etag, plain->etag);
	assert_string_equal(static_encoded(plain, "gzip")->encoding, "gzip");
	assert_string_equal(static_encoded(plain, "br;q=0, gzip;q=0.5")->encoding, "gzip");
	assert_string_equal(static_encoded(plain, "*")->encoding, "br");
	assert_ptr_equal(static_encoded(plain, NULL), plain);
	assert_ptr_equal(static_encoded(plain, ""), plain);
	assert_ptr_equal(static_encoded(plain, "identity"), plain);
	assert_ptr_equal(static_encoded(plain, "brr"), plain);
	assert_ptr_equal(static_encoded(plain, "*;q=0"), plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_lead_to_files),
		cmocka_unit_test(only_hashed_names_are_kept_for_ever),
		cmocka_unit_test(types_come_from_names),
		cmocka_unit_test(the_best_accepted_form_is_sent),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
