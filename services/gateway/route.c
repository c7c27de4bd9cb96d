/*
 * Finds the route of a path in a tree of segments made once from the generated table.
 *
 * Refuses nothing itself: paths that are ambiguous (encoded slashes, `..`, empty segments) are
 * refused before, by path_is_sound().
 */
#include "services/gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/buf.h"

/* A place in the tree. Children with literal names are sorted, so that they can be searched. */
struct node {
	const char *name; /* of the segment, within the template */
	size_t name_n;
	struct node **children;
	size_t children_n;
	struct node *any; /* where a parameter stands */
	const struct route **routes; /* that end here, one per method */
	size_t routes_n;
};

static struct node *root;

static void *grown(void *items, size_t n, size_t size)
{
	void *more = reallocarray(items, n, size);
	if (!more) {
		abort();
	}
	return more;
}

static struct node *node_new(const char *name, size_t n)
{
	struct node *node = calloc(1, sizeof *node);
	if (!node) {
		abort();
	}
	node->name = name;
	node->name_n = n;
	return node;
}

static int compare_name(const char *name, size_t n, const struct node *node)
{
	size_t shorter = n < node->name_n ? n : node->name_n;
	int order = memcmp(name, node->name, shorter);
	return order ? order : (n > node->name_n) - (n < node->name_n);
}

/* Where `name` stands among the children, or would stand; *found is the child or NULL. */
static size_t place_of(const struct node *node, const char *name, size_t n, struct node **found)
{
	size_t low = 0, high = node->children_n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_name(name, n, node->children[middle]);
		if (order == 0) {
			*found = node->children[middle];
			return middle;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	*found = NULL;
	return low;
}

static struct node *child_made(struct node *node, const char *name, size_t n)
{
	if (name[0] == '{') {
		if (!node->any) {
			node->any = node_new("", 0);
		}
		return node->any;
	}
	struct node *found;
	size_t at = place_of(node, name, n, &found);
	if (found) {
		return found;
	}
	struct node **children = grown(node->children, node->children_n + 1, sizeof(struct node *));
	memmove(&children[at + 1], &children[at], (node->children_n - at) * sizeof(struct node *));
	node->children = children;
	node->children_n++;
	return children[at] = node_new(name, n);
}

static void add(const struct route *route)
{
	struct node *node = root;
	const char *at = route->path + 1;
	while (*at) {
		size_t n = strcspn(at, "/");
		node = child_made(node, at, n);
		at += n + (at[n] == '/');
	}
	node->routes = grown(node->routes, node->routes_n + 1, sizeof *node->routes);
	node->routes[node->routes_n++] = route;
}

static void node_free(struct node *node)
{
	if (!node) {
		return;
	}
	for (size_t i = 0; i < node->children_n; i++) {
		node_free(node->children[i]);
	}
	node_free(node->any);
	free(node->children);
	free(node->routes);
	free(node);
}

void route_start(const struct route *routes, size_t n)
{
	route_stop();
	root = node_new("", 0);
	for (size_t i = 0; i < n; i++) {
		add(&routes[i]);
	}
}

void route_stop(void)
{
	node_free(root);
	root = NULL;
}

/* Literal names win over parameters; the depth is that of the longest template. */
static const struct node *descend(const struct node *node, const char *at)
{
	if (!*at) {
		return node->routes_n ? node : NULL;
	}
	size_t n = strcspn(at, "/");
	const char *rest = at + n + (at[n] == '/');
	struct node *found;
	(void)place_of(node, at, n, &found);
	if (found) {
		const struct node *end = descend(found, rest);
		if (end) {
			return end;
		}
	}
	return node->any && n ? descend(node->any, rest) : NULL;
}

static const struct route *with_method(const struct node *node, const char *method)
{
	for (size_t i = 0; i < node->routes_n; i++) {
		if (!strcmp(node->routes[i]->method, method)) {
			return node->routes[i];
		}
	}
	return !strcmp(method, "HEAD") ? with_method(node, "GET") : NULL;
}

static const char *allowed(struct arena *arena, const struct node *node)
{
	struct buf out = { .arena = arena };
	for (size_t i = 0; i < node->routes_n; i++) {
		buf_printf(&out, "%s%s", i ? ", " : "", node->routes[i]->method);
	}
	if (with_method(node, "GET") == with_method(node, "HEAD") && with_method(node, "GET")) {
		buf_text(&out, ", HEAD");
	}
	return out.data;
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		(c && strchr("-._~", c));
}

/* A path may hold `&`, `=` and `+` as they are; in parameters they would mean something else. */
void route_param_add(
	struct buf *out, const char *name, const char *value, size_t n, bool is_encoded)
{
	buf_printf(out, "%s%s=", out->n ? "&" : "", name);
	for (size_t i = 0; i < n; i++) {
		if (is_unreserved(value[i]) || (is_encoded && value[i] == '%')) {
			buf_char(out, value[i]);
		} else {
			buf_printf(out, "%%%02X", (unsigned char)value[i]);
		}
	}
}

/* The template and the path, side by side. */
static const char *params_of(struct arena *arena, const char *template, const char *path)
{
	struct buf out = { .arena = arena };
	while (*template) {
		size_t template_n = strcspn(template, "/"), n = strcspn(path, "/");
		if (template[0] == '{') {
			char *name = arena_strndup(arena, template + 1, template_n - 2);
			route_param_add(&out, name, path, n, true);
		}
		template += template_n + (template[template_n] == '/');
		path += n + (path[n] == '/');
	}
	return out.data ? out.data : "";
}

struct route_match route_find(struct arena *arena, const char *method, const char *path)
{
	const struct node *node = path[0] == '/' ? descend(root, path + 1) : NULL;
	if (!node) {
		return (struct route_match){ .route = NULL };
	}
	const struct route *route = with_method(node, method);
	if (!route) {
		return (struct route_match){ .allowed = allowed(arena, node) };
	}
	return (struct route_match){
		.route = route,
		.params = params_of(arena, route->path + 1, path + 1),
	};
}
