/* Where AWS's credentials come from, and where its endpoints may lie; see aws.h. */
#include "libcommon/aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/http_client.h"
#include "libcommon/json.h"
#include "libcommon/log.h"

#define METADATA_TIMEOUT_MS 2000 /* it is on the own host; without it the start must not hang */
#define ANSWER_MAX 16384
#define METADATA_HOST "http://169.254.169.254"
#define CONTAINER_HOST "http://169.254.170.2"
#define LINE_SIZE 8192 /* a session token has some 1,000 bytes */
#define NAME_SIZE 64

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value ? value : "";
}

static enum err ask(struct arena *arena, const char *method, const char *url, const char *header,
	const char **out)
{
	const char *const headers[] = { header, NULL };
	struct http_client_request request = {
		.method = method,
		.url = url,
		.headers = *header ? headers : NULL,
		.timeout_ms = METADATA_TIMEOUT_MS,
		.answer_max = ANSWER_MAX,
		.is_link_local = true,
	};
	struct http_client_reply reply;
	enum err e = http_client_send(arena, &request, &reply);
	if (!e && reply.status != 200)
		e = ERR_UNAVAILABLE;
	*out = e ? "" : reply.body;
	return e;
}

/* The form that the container's endpoint and the metadata service share. */
static enum err read_credentials(struct arena *arena, const char *text, struct aws_credentials *out)
{
	const struct json *root;
	if (json_parse(arena, text, strlen(text), &root))
		return ERR_UNAVAILABLE;
	out->access_key = json_text(json_member(root, "AccessKeyId"));
	out->secret_key = json_text(json_member(root, "SecretAccessKey"));
	out->session_token = json_text(json_member(root, "Token"));
	if (!out->session_token)
		out->session_token = "";
	return out->access_key && out->secret_key ? OK : ERR_UNAVAILABLE;
}

static enum err from_environment(struct arena *arena, struct aws_credentials *out)
{
	out->access_key = environment("AWS_ACCESS_KEY_ID");
	out->secret_key = environment("AWS_SECRET_ACCESS_KEY");
	out->session_token = environment("AWS_SESSION_TOKEN");
	return *out->access_key && *out->secret_key ? OK : ERR_NOT_FOUND;
}

static enum err from_container(struct arena *arena, struct aws_credentials *out)
{
	const char *url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *path = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	if (!*url && !*path)
		return ERR_NOT_FOUND;
	if (!*url)
		url = arena_printf(arena, CONTAINER_HOST "%s", path);
	const char *header = *token ? arena_printf(arena, "Authorization: %s", token) : "";
	const char *text;
	enum err e = ask(arena, "GET", url, header, &text);
	return e ? e : read_credentials(arena, text, out);
}

/* IMDSv2: a token first, then the name of the role, then its credentials. */
static enum err from_instance(struct arena *arena, struct aws_credentials *out)
{
	const char *host = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *token, *role, *text;
	if (!*host)
		host = METADATA_HOST;
	enum err e = ask(arena, "PUT", arena_printf(arena, "%s/latest/api/token", host),
		"X-aws-ec2-metadata-token-ttl-seconds: 60", &token);
	if (e)
		return e;
	const char *header = arena_printf(arena, "X-aws-ec2-metadata-token: %s", token);
	const char *place =
		arena_printf(arena, "%s/latest/meta-data/iam/security-credentials/", host);
	e = ask(arena, "GET", place, header, &role);
	if (!e)
		e = ask(arena, "GET", arena_printf(arena, "%s%s", place, role), header, &text);
	return e ? e : read_credentials(arena, text, out);
}

static void take_setting(
	struct arena *arena, const char *name, const char *value, struct aws_credentials *out)
{
	if (strcmp(name, "aws_access_key_id") == 0)
		out->access_key = arena_strdup(arena, value);
	else if (strcmp(name, "aws_secret_access_key") == 0)
		out->secret_key = arena_strdup(arena, value);
	else if (strcmp(name, "aws_session_token") == 0)
		out->session_token = arena_strdup(arena, value);
}

/* `[profile]` lines, `name = value` lines below them; other lines say nothing. */
static void read_profile(struct arena *arena, FILE *file, struct aws_credentials *out)
{
	auto_secret(line, LINE_SIZE);
	auto_secret(value, LINE_SIZE);
	char name[NAME_SIZE];
	bool is_default = false;
	while (fgets((char *)line, LINE_SIZE, file))
		if (sscanf((char *)line, " [ %63[^] ] ]", name) == 1)
			is_default = strcmp(name, "default") == 0;
		else if (is_default &&
			sscanf((char *)line, " %63[a-z_] = %8191s", name, (char *)value) == 2)
			take_setting(arena, name, (char *)value, out);
}

static enum err from_file(struct arena *arena, const char *path, struct aws_credentials *out)
{
	*out = (struct aws_credentials){ "", "", "" };
	FILE *file = fopen(path, "re");
	if (file) {
		(void)setvbuf(file, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
		read_profile(arena, file, out);
		(void)fclose(file);
	}
	if (*out->access_key && *out->secret_key)
		return OK;
	log_error("no credentials for AWS: %.200s has none in its profile `default`", path);
	return ERR_UNAVAILABLE;
}

enum err aws_credentials(struct arena *arena, const char *path, struct aws_credentials *out)
{
	if (*path)
		return from_file(arena, path, out);
	enum err e = from_environment(arena, out);
	if (e == ERR_NOT_FOUND)
		e = from_container(arena, out);
	if (e == ERR_NOT_FOUND)
		e = from_instance(arena, out);
	if (e)
		log_error("no credentials for AWS: neither the environment, the container nor the "
			  "instance has any");
	return e ? ERR_UNAVAILABLE : OK;
}

/* ---- residency ---- */

static bool is_listed(const char *region, const char *list)
{
	size_t n = strlen(region);
	for (const char *at = list; *at;) {
		size_t item_n = strcspn(at, ",");
		if (item_n == n && strncmp(at, region, n) == 0)
			return n > 0;
		at += item_n;
		at += *at == ',';
	}
	return false;
}

/* Does the host of an https:// URL end in `.<region>.amazonaws.com`, or the same with vpce? */
static bool is_in_region(struct arena *arena, const char *url, const char *region)
{
	const char *host = url + strlen("https://");
	const char *const ends[] = { arena_printf(arena, ".%s.amazonaws.com", region),
		arena_printf(arena, ".%s.vpce.amazonaws.com", region) };
	size_t n = strcspn(host, ":/?#@");
	if (host[n] == '@')
		return false;
	for (size_t i = 0; i < 2; i++) {
		size_t end_n = strlen(ends[i]);
		if (n > end_n && strncmp(host + n - end_n, ends[i], end_n) == 0)
			return true;
	}
	return false;
}

bool aws_is_resident(const char *region, const char *endpoint, const char *regions_allowed)
{
	if (!is_listed(region, regions_allowed)) {
		log_error("region %.40s is not among those that data may lie in (%.200s)", region,
			regions_allowed);
		return false;
	}
	if (!*endpoint)
		return true;
	struct arena *arena = arena_new();
	bool is_https = strncmp(endpoint, "https://", 8) == 0;
	bool resides =
		is_https ? is_in_region(arena, endpoint, region) : http_client_is_safe(endpoint);
	arena_free(arena);
	if (!resides)
		log_error("endpoint %.200s is not in region %.40s", endpoint, region);
	return resides;
}
