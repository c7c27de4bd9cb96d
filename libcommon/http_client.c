/* HTTP to others' servers through libcurl; see http_client.h. */
#include "libcommon/http_client.h"

#include <curl/curl.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/log.h"

struct answer {
	struct buf text; /* unless it is secret */
	char *secret;
	size_t n, max;
};

/* ---- memory that others have used ---- */

static void wipe_and_free(void *memory)
{
	if (memory)
		crypto_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

/* realloc(3) may leave a copy behind. */
static void *wipe_and_resize(void *memory, size_t size)
{
	size_t had = memory ? malloc_usable_size(memory) : 0;
	void *moved = malloc(size);
	if (!moved)
		return NULL;
	if (had)
		memcpy(moved, memory, had < size ? had : size);
	wipe_and_free(memory);
	return moved;
}

/* libcurl's TLS is OpenSSL (tools/packages), which otherwise keeps what it has decrypted until more
 * comes, and leaves it when it ends. */
static CURLcode on_tls(CURL *handle, void *context, void *arg)
{
	(void)SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
	return CURLE_OK;
}

enum err http_client_start(void)
{
	return curl_global_init_mem(
		       CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, wipe_and_resize, strdup, calloc)
		? ERR_UNAVAILABLE
		: OK;
}

/* ---- one request ---- */

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
	if (size * n > answer->max - answer->n)
		return 0; /* libcurl then ends with CURLE_WRITE_ERROR */
	if (answer->secret)
		memcpy(answer->secret + answer->n, data, size * n);
	else
		buf_add(&answer->text, data, size * n);
	answer->n += size * n;
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
	SET(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(handle, CURLOPT_PROXY, "");
	SET(handle, CURLOPT_FOLLOWLOCATION, 0L);
	SET(handle, CURLOPT_SSL_CTX_FUNCTION, on_tls);
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
	const char *text = answer->secret ? answer->secret : answer->text.data;
	(void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	*reply = (struct http_client_reply){
		.status = (unsigned)status,
		.body = text ? text : "",
		.body_n = answer->n,
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
	struct answer answer = {
		.text = { .arena = arena }, .secret = request->answer, .max = request->answer_max
	};
	if (!handle)
		abort();
	set_limits(handle, request);
	set_body(handle, request);
	set_signer(handle, arena, request->signer);
	SET(handle, CURLOPT_URL, request->url);
	SET(handle, CURLOPT_HTTPHEADER, headers);
	SET(handle, CURLOPT_WRITEFUNCTION, on_answer);
	SET(handle, CURLOPT_WRITEDATA, &answer);
	if (answer.secret)
		memset(answer.secret, 0, answer.max + 1);
	enum err e = perform(handle, request->url, &answer, reply);
	curl_slist_free_all(headers);
	curl_easy_cleanup(handle);
	return e;
}
