/* For tests: lines as the outbox ships them, appended, searched, and what comes of it. */
#ifndef MANABIYA_AUDIT_WORLD_H
#define MANABIYA_AUDIT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* call.h has its own */

#include "libcommon/clock.h"
#include "libcommon/testing.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

static const struct service audit_under_test = {
	.name = "audit",
	.ops = audit_ops,
	.ops_n = AUDIT_OPS_N,
};

#define TIME_MS 1775608200000 /* 2026-04-08T00:30:00Z */

/* What differs between lines; the rest of an OCSF object is the same for all. */
struct happening {
	const char *tenant_id; /* NULL: none */
	const char *id; /* NULL: a new one */
	int minute; /* after TIME_MS */
	const char *operation;
	const char *actor_id;
	bool failed;
};

static inline const char *line_of(struct arena *arena, const struct happening *what)
{
	const char *tenant = what->tenant_id
		? arena_printf(arena, "\"tenant_uid\":\"%s\",", what->tenant_id)
		: "";
	return arena_printf(arena,
		"{\"class_uid\":3004,\"time\":%lld,\"status_id\":%d,"
		"\"actor\":{\"user\":{\"uid\":\"%s\"}},\"entity\":{\"uid\":\"the \\\"thing\\\"\"},"
		"\"api\":{\"operation\":\"%s\"},\"metadata\":{\"version\":\"1.8.0\",%s"
		"\"uid\":\"%s\"}}",
		(long long)TIME_MS + what->minute * 60000LL, what->failed ? 2 : 1,
		what->actor_id ? what->actor_id : "learning",
		what->operation ? what->operation : "learning.try_create", tenant,
		what->id ? what->id : uuid_make(arena));
}

/* A request of event_append. */
static inline const char *lines_body(struct arena *arena, const char *const *lines, size_t n)
{
	struct buf body = { .arena = arena };
	buf_text(&body, "{\"lines\":[");
	for (size_t i = 0; i < n; i++) {
		buf_text(&body, i ? ",\"" : "\"");
		for (const char *at = lines[i]; *at; at++) {
			if (*at == '"' || *at == '\\')
				buf_char(&body, '\\');
			buf_char(&body, *at);
		}
		buf_char(&body, '"');
	}
	buf_text(&body, "]}");
	return body.data;
}

/* The gateway tells by runs (access_test.c). */
static inline const char *run_body(struct arena *arena, const char *const *lines, size_t n)
{
	const char *body = lines_body(arena, lines, n);
	return arena_printf(arena, "%.*s,\"runId\":\"%s\",\"stored\":0,\"ended\":false}",
		(int)strlen(body) - 1, body, uuid_make(arena));
}

static inline struct reply append_as(
	struct test *test, const char *caller, const char *const *lines, size_t n)
{
	struct reply reply;
	bool is_run = strcmp(caller, "gateway") == 0;
	const struct test_request request = {
		.operation = is_run ? "access_append" : "event_append",
		.caller = caller,
		.body = is_run ? run_body(test->arena, lines, n) : lines_body(test->arena, lines, n)
	};
	test_dispatch(test, &request, &reply, NULL);
	return reply;
}

static inline struct reply append_lines(struct test *test, const char *const *lines, size_t n)
{
	return append_as(test, "learning", lines, n);
}

/* Told by the service whose operation it is. */
static inline void happen(struct test *test, struct happening what)
{
	const char *line = line_of(test->arena, &what);
	const char *operation = what.operation ? what.operation : "learning.try_create";
	const char *caller = arena_strndup(test->arena, operation, strcspn(operation, "."));
	assert_int_equal(append_as(test, caller, &line, 1).status, 204);
}

/* As the job does. */
static inline void note_terms(struct test *test)
{
	for (bool more = true; more;) {
		struct call c = test_call(test, NULL);
		assert_int_equal(terms_run(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
}

#endif
