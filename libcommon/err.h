/*
 * What can go wrong, told apart by what the caller can do about it.
 *
 * Every function that can fail returns `enum err`. Names travel on the wire, numbers never do.
 */
#ifndef MANABIYA_ERR_H
#define MANABIYA_ERR_H

#define must_check __attribute__((warn_unused_result))

enum err {
	OK = 0,
	ERR_INVALID, /* the request is wrong: mend it */
	ERR_UNAUTHENTICATED, /* log in */
	ERR_FORBIDDEN, /* not for you */
	ERR_NOT_FOUND, /* no such thing, or not in your tenant */
	ERR_CONFLICT, /* not in this state: read again, then decide */
	ERR_LIMITED, /* too much: slow down */
	ERR_UNAVAILABLE, /* not now: try later */
	ERR_INTERNAL, /* our fault */
	ERR_COUNT,
};

/*
 * One kind of problem (RFC 9457). Handlers that can refuse in a way of their own declare theirs as
 * a `static const struct problem` beside the handler and pass it to fail_with() (call.h).
 */
struct problem {
	enum err err;
	unsigned status; /* HTTP */
	const char *code; /* stable, [a-z_] */
	const char *ja; /* what a person reads */
	const char *en;
};

/* The plain problem of an error that says nothing more; its code is the wire name. */
const struct problem *problem_of(enum err err);

/* The wire name: "ok", "invalid", … and back; an unknown name is ERR_INTERNAL. */
const char *err_name(enum err err);
enum err err_from_name(const char *name);

#endif
