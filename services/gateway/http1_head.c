/*
 * From the bytes of a head to a request: llhttp takes it apart, the rules of RFC 9112 that decide
 * where a message ends are checked here.
 *
 * Every doubt is refused: two lengths, a length and a coding, a coding that is not plainly
 * `chunked`, two hosts.
 */
#include <ctype.h>
#include <llhttp.h>
#include <string.h>
#include <strings.h>

#include "services/gateway/http1.h"
#include "services/gateway/request.h"

/* llhttp's findings: places in the arena's copy of the head. */
struct findings {
	char *target;
	size_t target_n;
	struct {
		char *name, *value;
		size_t name_n, value_n;
	} fields[HEADERS_MAX];
	size_t fields_n;
	bool is_complete;
};

static int on_target(llhttp_t *parser, const char *at, size_t n)
{
	struct findings *found = parser->data;
	found->target = (char *)(uintptr_t)at; /* our own copy: writable */
	found->target_n = n;
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t n)
{
	struct findings *found = parser->data;
	if (found->fields_n == HEADERS_MAX)
		return -1;
	found->fields[found->fields_n].name = (char *)(uintptr_t)at;
	found->fields[found->fields_n].name_n = n;
	found->fields[found->fields_n].value = NULL;
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
	struct findings *found = parser->data;
	if (found->fields[found->fields_n].value)
		return -1; /* in pieces: only folded lines come so, and those are refused */
	found->fields[found->fields_n].value = (char *)(uintptr_t)at;
	found->fields[found->fields_n].value_n = n;
	return 0;
}

static int on_value_complete(llhttp_t *parser)
{
	struct findings *found = parser->data;
	found->fields_n++;
	return 0;
}

static int on_head_complete(llhttp_t *parser)
{
	struct findings *found = parser->data;
	found->is_complete = true;
	return HPE_PAUSED; /* the body is not llhttp's: limits on chunks are ours */
}

static const llhttp_settings_t SETTINGS = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_head_complete,
};

static char *trimmed(char *value, size_t n)
{
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	value[n] = 0;
	return value;
}

static bool is_token(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at))
			return false;
	}
	return *name != 0;
}

/* The fields as texts, in place: the separators after them make room for the NULs. */
static bool add_fields(struct request *request, struct findings *found)
{
	for (size_t i = 0; i < found->fields_n; i++) {
		char *name = found->fields[i].name;
		name[found->fields[i].name_n] = 0;
		if (!is_token(name))
			return false;
		for (char *at = name; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		/* An empty value is told as lying behind its line, where the next name begins. */
		size_t value_n = found->fields[i].value ? found->fields[i].value_n : 0;
		char *value =
			value_n ? trimmed(found->fields[i].value, value_n) : name + strlen(name);
		if (!request_add(request, name, value))
			return false;
	}
	return true;
}

/* The only value of a header. False: it stands there more than once. */
static bool find_single(const struct request *request, const char *name, const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < request->headers_n; i++) {
		if (strcmp(request->headers[i].name, name) != 0)
			continue;
		if (*value)
			return false;
		*value = request->headers[i].value;
	}
	return true;
}

static bool has_token(const char *list, const char *token)
{
	size_t n = strlen(token);
	for (const char *at = list; *at; at += strcspn(at, ",")) {
		at += strspn(at, ", \t");
		if (strncasecmp(at, token, n) == 0 && strchr(", \t", at[n]))
			return true;
	}
	return false;
}

/* Where does the body end? */
static unsigned read_framing(struct request *request, struct http1_head *head)
{
	const char *length, *coding;
	if (!find_single(request, "content-length", &length) ||
		!find_single(request, "transfer-encoding", &coding) || (length && coding))
		return 400;
	if (coding) {
		if (request->version == 10 || strcasecmp(coding, "chunked") != 0)
			return 400;
		head->is_chunked = true;
		request->content_length = -1;
	} else if (length) {
		request->content_length = request_length(length);
		if (request->content_length < 0)
			return 400;
	}
	return 0;
}

static unsigned read_target(struct request *request, struct findings *found)
{
	if (!find_single(request, "host", &request->authority) || !request->authority ||
		!request_is_authority(request->authority) || !found->target)
		return 400;
	found->target[found->target_n] = 0;
	return request_set_target(request, found->target) ? 0 : 400;
}

static unsigned read_connection(struct request *request, struct http1_head *head)
{
	const char *expect;
	head->is_last = request->version == 10;
	for (size_t i = 0; i < request->headers_n; i++) {
		if (strcmp(request->headers[i].name, "connection") == 0 &&
			has_token(request->headers[i].value, "close"))
			head->is_last = true;
	}
	if (!find_single(request, "expect", &expect))
		return 400;
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return 417;
	head->expects_continue = expect && request->version == 11;
	return 0;
}

/* METHOD SP target SP HTTP/n.n CR, and nothing besides: llhttp forgives spaces and RTSP. */
static bool is_request_line(const char *line)
{
	line += strcspn(line, " \r");
	if (*line++ != ' ')
		return false;
	line += strcspn(line, " \r");
	return strncmp(line, " HTTP/", 6) == 0 && isdigit((unsigned char)line[6]) &&
		line[7] == '.' && isdigit((unsigned char)line[8]) && line[9] == '\r';
}

static unsigned read_line(struct request *request, const llhttp_t *parser)
{
	if (parser->http_major != 1 || parser->http_minor > 1)
		return 505;
	request->version = 10u + parser->http_minor;
	if (parser->method == HTTP_TRACE || parser->method == HTTP_CONNECT)
		return 400;
	request->method = request_method(llhttp_method_name((llhttp_method_t)parser->method));
	return request->method ? 0 : 501;
}

void http1_read_head(struct request *request, struct arena *arena, const char *data, size_t n,
	struct http1_head *head)
{
	struct findings found;
	found.target = NULL;
	found.fields_n = 0;
	found.is_complete = false;
	llhttp_t parser;
	llhttp_init(&parser, HTTP_REQUEST, &SETTINGS);
	parser.data = &found;
	char *copy = arena_strndup(arena, data, n);
	*head = (struct http1_head){ .refusal = 400 };
	if (!is_request_line(copy + strspn(copy, "\r\n")))
		return;
	llhttp_execute(&parser, copy, n);
	if (!found.is_complete || !add_fields(request, &found))
		return;
	head->refusal = read_line(request, &parser);
	if (!head->refusal)
		head->refusal = read_target(request, &found);
	if (!head->refusal)
		head->refusal = read_framing(request, head);
	if (!head->refusal)
		head->refusal = read_connection(request, head);
}
