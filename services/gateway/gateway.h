/*
 * The application side of the gateway: one visit (a request that is being answered) and the ways to
 * answer it. Private to services/gateway. Everything runs on the loop's thread.
 */
#ifndef MANABIYA_GATEWAY_GATEWAY_H
#define MANABIYA_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/bus.h"
#include "libcommon/call.h"
#include "libcommon/capability.h"
#include "services/gateway/app.h"
#include "services/gateway/exchange.h"
#include "services/gateway/limiter.h"
#include "services/gateway/problem.h"
#include "services/gateway/route.h"

/* The same for every visit; filled by app_start(), const after it. */
struct gateway {
	const struct gateway_conf *conf;
	struct loop *loop;
	struct bus *bus;
	unsigned char auth_key[PUBLIC_KEY_SIZE];
};
extern struct gateway gateway;

struct ask;
struct session_wait;
struct visit;

/* One way to answer; all but label and start may be NULL. Once the answer is finished the visit may
 * be gone: nobody touches it after visit_finish(), visit_abort(), visit_answer(), visit_refuse().
 */
struct way {
	const char *label; /* for the log and metrics where there is no route */
	void (*start)(struct visit *v); /* every check has passed; v->ended: the body is complete
					   already, and end is not called */
	void (*body)(struct visit *v, const void *data, size_t n); /* maybe before start */
	void (*end)(struct visit *v); /* the body is complete; after start */
	void (*drain)(struct visit *v);
	void (*gone)(struct visit *v); /* let go of what the arena does not hold; always called */
};

struct visit {
	struct exchange *exchange;
	const struct request *request;
	struct arena *arena; /* of the exchange */
	const struct route *route; /* NULL for static files and the admin listener */
	const struct way *way;
	void *state; /* of the way */
	const char *path_params; /* from route_find() */
	const char *params; /* for the bus */
	const char *call_id; /* the trace id as a UUID: log, traceId, X-Request-Id */
	const char *traceparent; /* with a span of ours */
	enum language language;
	const char *token; /* of the session; NULL: none or malformed */
	bool is_bearer;
	const char *capability; /* "" while anonymous */
	const struct actor *actor; /* NULL while anonymous */
	const struct limit *limit; /* the nearest that was charged; NULL: none yet */
	struct limit_state limit_state;
	struct session_wait *wait;
	struct ask *ask; /* the bus call that the visit waits for */
	unsigned step; /* of app.c's list */
	bool started, ended, answered;
	bool turned_away; /* by a limit or overload: not worth an access record */
	bool refused; /* by the protocol side: nothing of ours goes out any more */
	int64_t started_us;
	int64_t stage_us; /* when the stage began that is under way */
	int64_t session_us; /* how long it took to know who asks; 0: nobody had to be asked */
	int64_t service_us; /* from the start of the way to its answer, the bus included */
	unsigned status; /* answered with; 0: not yet */
	int64_t bytes; /* of the answer's body */
	enum label label; /* the gravest of the route and of what services answered */
};

/* Headers of an answer while it is put together; more than fit are dropped with an assertion. */
struct reply_headers {
	struct header items[HEADERS_MAX];
	size_t n;
};
void reply_header(struct reply_headers *headers, const char *name, const char *value);

/* Begin the answer; X-Request-Id and traceparent are added. */
void visit_reply(struct visit *v, unsigned status, const struct reply_headers *headers,
	int64_t content_length);
bool visit_write(struct visit *v, const void *data, size_t n);
void visit_finish(struct visit *v);
void visit_abort(struct visit *v);

/* A whole answer at once. `headers` may be NULL. */
void visit_answer(struct visit *v, unsigned status, const char *content_type, struct bytes body,
	const struct reply_headers *headers);
/* A whole answer made by the gateway itself as problem+json. `retry_after_s` 0: none. */
void visit_refuse(struct visit *v, const struct problem *problem, int retry_after_s);

/* The ways. */
extern const struct way forward_way; /* forward.c: one service answers */
extern const struct way upload_way; /* upload.c: the body goes in windows */
extern const struct way download_way; /* download.c: the answer comes in windows */
extern const struct way fanout_way; /* fanout.c: several services answer */
extern const struct way events_way; /* sse.c */
extern const struct way static_way; /* static_file.c */
extern const struct way admin_way; /* admin.c */

#endif
