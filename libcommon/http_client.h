/*
 * One HTTP request to somebody else's server, over libcurl: key management, log collectors,
 * witnesses. Blocking, for jobs and starts, never for a handler's path.
 *
 * TLS with checked certificates, or plain HTTP to the own machine only (a local agent, a test).
 * Redirects are not followed, proxies from the environment are not used, answers have a limit. What
 * libcurl and its TLS had in memory is wiped when they give it back: answers may be keys, and
 * requests carry credentials.
 */
#ifndef MANABIYA_HTTP_CLIENT_H
#define MANABIYA_HTTP_CLIENT_H

#include <stdbool.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"

/* AWS Signature Version 4; libcurl signs. */
struct http_client_signer {
	const char *access_key, *secret_key;
	const char *session_token; /* NULL or "": none */
	const char *region, *service;
};

struct http_client_request {
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	struct bytes body;
	const struct http_client_signer *signer; /* NULL: not signed */
	const char *ca_file; /* PEM; NULL or "": the system's */
	long timeout_ms;
	size_t answer_max; /* bytes */
	char *answer; /* where it goes if it is secret: answer_max + 1 bytes; NULL: the arena */
	bool is_link_local; /* http:// to 169.254.0.0/16 is meant: the cloud's metadata service */
};

struct http_client_reply {
	unsigned status;
	const char *body; /* NUL-terminated, in the arena or request->answer */
	size_t body_n;
};

/* Before the first request and before threads; more than once does no harm. */
must_check enum err http_client_start(void);

/* OK whatever the status; UNAVAILABLE with a logged reason when there was no answer, INVALID for a
 * URL that is refused here. */
must_check enum err http_client_send(struct arena *arena, const struct http_client_request *request,
	struct http_client_reply *reply);

/* May the URL be asked: https://, or http:// to 127.0.0.0/8, [::1] or localhost? */
bool http_client_is_safe(const char *url);

#endif
