#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/route.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static const struct route table[] = {
	{ .method = "GET", .path = "/v1/users", .operation = "list" },
	{ .method = "POST", .path = "/v1/users", .operation = "create" },
	{ .method = "GET", .path = "/v1/users/me", .operation = "me" },
	{ .method = "GET", .path = "/v1/users/{userId}", .operation = "get" },
	{ .method = "DELETE", .path = "/v1/users/{userId}", .operation = "delete" },
	{ .method = "PUT", .path = "/v1/users/{userId}/features/{name}", .operation = "feature" },
	{ .method = "HEAD", .path = "/v1/media/{mediaId}", .operation = "head" },
	{ .method = "PATCH", .path = "/v1/media/{mediaId}", .operation = "append" },
};

static int start(void **state)
{
	route_start(table, N(table));
	*state = arena_new();
	return 0;
}

static int stop(void **state)
{
	arena_free(*state);
	route_stop();
	return 0;
}

static void paths_lead_to_operations(void **state)
{
	static const struct {
		const char *method, *path, *operation, *params, *allowed;
	} cases[] = {
		{ "GET", "/v1/users", "list", "", NULL },
		{ "POST", "/v1/users", "create", "", NULL },
		{ "HEAD", "/v1/users", "list", "", NULL },
		{ "GET", "/v1/users/me", "me", "", NULL },
		{ "GET", "/v1/users/mee", "get", "userId=mee", NULL },
		{ "GET", "/v1/users/%E3%81%82", "get", "userId=%E3%81%82", NULL },
		{ "PUT", "/v1/users/a/features/b", "feature", "userId=a&name=b", NULL },
		{ "GET", "/v1/users/a/features/b", NULL, NULL, "PUT" },
		{ "PUT", "/v1/users", NULL, NULL, "GET, POST, HEAD" },
		{ "DELETE", "/v1/users/me", NULL, NULL, "GET, HEAD" },
		{ "HEAD", "/v1/media/a", "head", "mediaId=a", NULL },
		{ "GET", "/v1/media/a", NULL, NULL, "HEAD, PATCH" },
		{ "get", "/v1/users", NULL, NULL, "GET, POST, HEAD" },
		{ "GET", "/v1/users/a/b", NULL, NULL, NULL },
		{ "GET", "/v1", NULL, NULL, NULL },
		{ "GET", "/v1/user", NULL, NULL, NULL },
		{ "GET", "/v1/userss", NULL, NULL, NULL },
		{ "GET", "/", NULL, NULL, NULL },
		{ "OPTIONS", "*", NULL, NULL, NULL },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct route_match match = route_find(*state, cases[i].method, cases[i].path);
		if (!cases[i].operation) {
			assert_null(match.route);
		} else {
			assert_non_null(match.route);
			assert_string_equal(match.route->operation, cases[i].operation);
			assert_string_equal(match.params, cases[i].params);
		}
		if (cases[i].allowed) {
			assert_string_equal(match.allowed, cases[i].allowed);
		} else {
			assert_null(match.allowed);
		}
	}
}

/* `/v1/users/a&role=operator` must not become a second parameter. */
static void a_segment_cannot_add_parameters(void **state)
{
	struct route_match match = route_find(*state, "GET", "/v1/users/a&role=b+c;d");
	assert_string_equal(match.params, "userId=a%26role%3Db%2Bc%3Bd");
}

static void header_values_are_encoded_whole(void **state)
{
	struct buf out = { .arena = *state };
	route_param_add(&out, "a", "x y%41&b=1", 10, false);
	route_param_add(&out, "b", "", 0, false);
	assert_string_equal(out.data, "a=x%20y%2541%26b%3D1&b=");
}

static void every_generated_route_is_found(void **state)
{
	route_start(gateway_routes, gateway_routes_n);
	for (size_t i = 0; i < gateway_routes_n; i++) {
		const struct route *route = &gateway_routes[i];
		struct buf path = { .arena = *state };
		for (const char *at = route->path; *at;) {
			size_t n = *at == '{' ? strcspn(at, "}") + 1 : 1;
			buf_add(&path, n > 1 ? "x" : at, 1);
			at += n;
		}
		assert_ptr_equal(route_find(*state, route->method, path.data).route, route);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths_lead_to_operations, start, stop),
		cmocka_unit_test_setup_teardown(a_segment_cannot_add_parameters, start, stop),
		cmocka_unit_test_setup_teardown(header_values_are_encoded_whole, start, stop),
		cmocka_unit_test_setup_teardown(every_generated_route_is_found, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
