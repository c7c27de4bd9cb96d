/*
 * Answers with the files of the web client, and with the few well-known documents that every site
 * should have. No session is needed: there is nothing of anybody in them.
 */
#include "services/gateway/static_file.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/utf8.h"
#include "services/gateway/gateway.h"
#include "services/gateway/path.h"
#include "services/gateway/range.h"

#define PIECE (64 * 1024) /* written at once; four of them fill an exchange's buffer */
#define SECURITY_TXT_LIFETIME_MS                                                                   \
	(180LL * 24 * 3600 * 1000) /* RFC 9116 asks for less than a year                           \
				    */

/* The weight of `coding` in one item of Accept-Encoding: -1 if the item is about another. */
static double weight(const char *item, size_t n, const char *coding)
{
	size_t name_n = strcspn(item, ";, \t");
	bool is_it = name_n == strlen(coding) && !strncasecmp(item, coding, name_n);
	if (!is_it) {
		return -1;
	}
	const char *q = memmem(item, n, "q=", 2);
	return q ? strtod(q + 2, NULL) : 1;
}

/* With a weight above 0. */
static bool is_accepted(const char *accept_encoding, const char *coding)
{
	double any = 0;
	for (const char *at = accept_encoding ? accept_encoding : ""; *at;) {
		at += strspn(at, " \t,");
		size_t n = strcspn(at, ",");
		double exact = weight(at, n, coding), wild = weight(at, n, "*");
		if (exact >= 0) {
			return exact > 0;
		}
		any = wild >= 0 ? wild : any;
		at += n;
	}
	return any > 0;
}

const struct asset *static_encoded(const struct asset *asset, const char *accept_encoding)
{
	if (asset->brotli && is_accepted(accept_encoding, "br")) {
		return asset->brotli;
	}
	if (asset->gzip && is_accepted(accept_encoding, "gzip")) {
		return asset->gzip;
	}
	return asset;
}

/* ---- sending ---- */

struct sending {
	struct bytes left;
};

static void send_on(struct visit *v)
{
	struct sending *sending = v->state;
	bool has_room = true;
	while (sending->left.n && has_room) {
		size_t n = sending->left.n < PIECE ? sending->left.n : PIECE;
		has_room = visit_write(v, sending->left.data, n);
		sending->left.data += n;
		sending->left.n -= n;
	}
	if (!sending->left.n) {
		visit_finish(v);
	}
}

static void static_drain(struct visit *v)
{
	const struct sending *sending = v->state;
	if (sending && sending->left.n) {
		send_on(v);
	}
}

static void send_asset(struct visit *v, const struct asset *plain)
{
	const struct asset *asset =
		static_encoded(plain, request_header(v->request, "accept-encoding"));
	struct reply_headers headers = { .n = 0 };
	const char *wanted = request_header(v->request, "if-none-match");
	reply_header(&headers, "etag", asset->etag);
	reply_header(&headers, "cache-control", asset->cache);
	if (plain->brotli || plain->gzip) {
		reply_header(&headers, "vary", "accept-encoding");
	}
	if (wanted && etag_is_listed(wanted, asset->etag)) {
		visit_answer(v, 304, NULL, (struct bytes){ .n = 0 }, &headers);
		return;
	}
	reply_header(&headers, "content-type", asset->type);
	if (asset->encoding) {
		reply_header(&headers, "content-encoding", asset->encoding);
	}
	if (!strncmp(asset->type, "text/html", 9)) {
		reply_header(&headers, "x-robots-tag", "noindex");
	}
	struct sending *sending = arena_alloc(v->arena, sizeof *sending);
	sending->left = asset->body;
	v->state = sending;
	visit_reply(v, 200, &headers, (int64_t)asset->body.n);
	send_on(v);
}

/* ---- what every site should have ---- */

static void answer_text(struct visit *v, const char *text)
{
	struct reply_headers headers = { .n = 0 };
	reply_header(&headers, "cache-control", "no-cache");
	visit_answer(v, 200, "text/plain; charset=utf-8",
		(struct bytes){ .data = (const unsigned char *)text, .n = strlen(text) }, &headers);
}

static void show_robots(struct visit *v)
{
	answer_text(v, "User-agent: *\nDisallow: /\n");
}

/* RFC 9116; without somebody to tell there is no such document. */
static void show_security(struct visit *v)
{
	char expires[TIMESTAMP_SIZE];
	if (!*gateway.conf->security_contact) {
		visit_refuse(v, &problem_not_found, 0);
		return;
	}
	clock_format(clock_unix_ms() + SECURITY_TXT_LIFETIME_MS, expires);
	answer_text(v,
		arena_printf(v->arena, "Contact: %s\nExpires: %s\nPreferred-Languages: ja, en\n",
			gateway.conf->security_contact, expires));
}

/* Password managers go here to find the page. */
static void show_password(struct visit *v)
{
	struct reply_headers headers = { .n = 0 };
	reply_header(&headers, "location", "/password");
	reply_header(&headers, "cache-control", "no-cache");
	visit_answer(v, 303, NULL, (struct bytes){ .n = 0 }, &headers);
}

static const struct document {
	const char *path;
	void (*show)(struct visit *v);
} documents[] = {
	{ "/robots.txt", show_robots },
	{ "/.well-known/security.txt", show_security },
	{ "/.well-known/change-password", show_password },
};

static void static_start(struct visit *v)
{
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		if (!strcmp(v->request->path, documents[i].path)) {
			documents[i].show(v);
			return;
		}
	}
	const char *path = path_decode(v->arena, v->request->path, strlen(v->request->path), false);
	bool is_text = path && utf8_count(path, strlen(path)) >= 0;
	const struct asset *asset = is_text ? static_find(path) : NULL;
	if (asset) {
		send_asset(v, asset);
	} else {
		visit_refuse(v, &problem_not_found, 0);
	}
}

const struct way static_way = { .label = "static", .start = static_start, .drain = static_drain };
