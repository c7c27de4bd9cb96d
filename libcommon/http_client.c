/* HTTP to others' servers through libcurl; see http_client.h. */
#include "libcommon/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/log.h"

struct answer {
	struct buf text;
	size_t max;
};

enum err http_client_start(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) ? ERR_UNAVAILABLE : OK;
}

/* The host of a URL that starts as `http://`, ended by port, path or the end. */
static bool host_is(const char *host, const char *name)
{
	size_t n = strlen(name);
	return strncmp(host, name, n) == 0 && strchr(":/", host[n]) != NULL;
}

/* All of the host, so that 127.evil.example is none. */
static bool is_dotted(const char *host, const char *start)
{
	size_t n = strspn(host, "0123456789.");
	return strncmp(host, start, strlen(start)) == 0 && strchr(":/", host[n]) != NULL;
}

static bool is_plain_to(const char *url, bool is_link_local)
{
	static const char plain[] = "http://";
	if (strncmp(url, plain, strlen(plain)) != 0)
		return false;
	const char *host = url + strlen(plain);
	if (memchr(host, '@', strcspn(host, "/?#\\")))
		return false; /* what stands in front of it is no host */
	if (is_link_local && is_dotted(host, "169.254."))
		return true;
	return is_dotted(host, "127.") || host_is(host, "localhost") || host_is(host, "[::1]");
}

bool http_client_is_safe(const char *url)
{
	return strncmp(url, "https://", 8) == 0 || is_plain_to(url, false);
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct answer *answer = arg;
	if (size * n > answer->max - answer->text.n)
		return 0; /* libcurl then ends with CURLE_WRITE_ERROR */
	buf_add(&answer->text, data, size * n);
	return size * n;
}

/* No empty `Expect:` among them, to stop libcurl from asking for leave to send: 7.88 would sign
 * that header without sending it. It asks only for bodies over 1 MiB. */
static struct curl_slist *header_list(const struct http_client_request *request)
{
	struct curl_slist *list = NULL;
	for (const char *const *header = request->headers; header && *header; header++) {
		list = curl_slist_append(list, *header);
		if (!list)
			abort();
	}
	return list;
}

/* Every option that libcurl does not know ends here: then it is too old to be trusted. */
#define SET(handle_, option_, value_)                                                              \
	do {                                                                                       \
		if (curl_easy_setopt((handle_), (option_), (value_)))                              \
			abort();                                                                   \
	} while (0)

static void set_limits(CURL *handle, const struct http_client_request *request)
{
	SET(handle, CURLOPT_NOSIGNAL, 1L);
	SET(handle, CURLOPT_TIMEOUT_MS, request->timeout_ms);
	SET(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(handle, CURLOPT_PROXY, "");
	SET(handle, CURLOPT_FOLLOWLOCATION, 0L);
	if (request->ca_file && *request->ca_file)
		SET(handle, CURLOPT_CAINFO, request->ca_file);
}

static void set_body(CURL *handle, const struct http_client_request *request)
{
	SET(handle, CURLOPT_CUSTOMREQUEST, request->method);
	if (!request->body.n)
		return;
	SET(handle, CURLOPT_POSTFIELDSIZE, (long)request->body.n);
	SET(handle, CURLOPT_POSTFIELDS, (const char *)request->body.data);
}

static void set_signer(CURL *handle, struct arena *arena, const struct http_client_signer *signer)
{
	if (!signer)
		return;
	SET(handle, CURLOPT_AWS_SIGV4,
		arena_printf(arena, "aws:amz:%s:%s", signer->region, signer->service));
	SET(handle, CURLOPT_USERNAME, signer->access_key);
	SET(handle, CURLOPT_PASSWORD, signer->secret_key);
}

static enum err perform(
	CURL *handle, const char *url, const struct answer *answer, struct http_client_reply *reply)
{
	CURLcode code = curl_easy_perform(handle);
	if (code) {
		log_event(LOG_LEVEL_WARNING, "no answer over HTTP", LOG_TEXT("url", url),
			LOG_TEXT("reason", curl_easy_strerror(code)));
		return ERR_UNAVAILABLE;
	}
	long status = 0;
	(void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	*reply = (struct http_client_reply){
		.status = (unsigned)status,
		.body = answer->text.data ? answer->text.data : "",
		.body_n = answer->text.n,
	};
	return OK;
}

enum err http_client_send(struct arena *arena, const struct http_client_request *request,
	struct http_client_reply *reply)
{
	if (strncmp(request->url, "https://", 8) != 0 &&
		!is_plain_to(request->url, request->is_link_local))
		return ERR_INVALID;
	CURL *handle = curl_easy_init();
	struct curl_slist *headers = header_list(request);
	struct answer answer = { .text = { .arena = arena }, .max = request->answer_max };
	if (!handle)
		abort();
	set_limits(handle, request);
	set_body(handle, request);
	set_signer(handle, arena, request->signer);
	SET(handle, CURLOPT_URL, request->url);
	SET(handle, CURLOPT_HTTPHEADER, headers);
	SET(handle, CURLOPT_WRITEFUNCTION, on_answer);
	SET(handle, CURLOPT_WRITEDATA, &answer);
	enum err e = perform(handle, request->url, &answer, reply);
	curl_slist_free_all(headers);
	curl_easy_cleanup(handle);
	return e;
}
