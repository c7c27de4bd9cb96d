/*
 * Classification (x-label) and who may see what. Class II and above is for sessions with two
 * factors, where the role needs them; class I wants the password proven just now as well.
 *
 * A type has a class, and so has each operation. A single object may have been raised above its
 * type: then a member of it says so (x-raised), and dispatch.c asks for the class of the one that
 * a path names (x-object). Who sees a raised object at all is not decided here but in SQL, where
 * all that is (learning.visible_…()); here is what a session must have proven.
 */
#ifndef MANABIYA_LABEL_H
#define MANABIYA_LABEL_H

#include <stdbool.h>

#include "libcommon/capability.h"
#include "libcommon/shape.h"

struct call;

const char *label_name(enum label label); /* "I".."IV"; "" for none */
enum label label_from_name(const char *name); /* LABEL_NONE for NULL and what is no class */

/* From class II on a thing is for no pupil but the one whose it is: learning.is_for_pupils() in C.
 */
bool label_is_for_pupils(enum label label);

/* The graver of two; LABEL_NONE is none at all. */
enum label label_gravest(enum label a, enum label b);

/* What stands between a session and a class. */
enum label_bar { LABEL_OPEN, LABEL_WANTS_FACTOR, LABEL_WANTS_PASSWORD };
enum label_bar label_bar(const struct actor *actor, enum label label, int64_t now_unix_ms);

/* The name of the gravest class that the session may see, for statements that leave out the rest.
 */
const char *label_reach(const struct call *c);

/* The name of a class as a row keeps it: NULL for that of the type. */
const char *label_raised_name(enum label label, enum label of_type);

/* The reply's header that says what would have shown more; nothing for LABEL_OPEN. */
void label_bar_header(enum label_bar bar, struct buf *headers);

/* The class that this very object was raised to, as its x-raised member says. */
enum label label_raised(const struct shape *shape, const void *object);

/* The gravest class of what an answer holds: what was raised, and optional objects of a class of
 * their own; LABEL_NONE when all of it is of the operation's. */
enum label label_held(const struct shape *shape, const void *out);

/*
 * Take out of an answer what is shut to the actor: optional objects that are of such a class as a
 * type or were raised to it, and such items of lists; it reads as if there were none. What cannot
 * be taken out, as the answer itself, is left: the gravest class of that comes back, LABEL_NONE
 * when the rest may be shown. A type's own class is not looked at there, since the generator has
 * raised the operation to it. *left_out: what stands before the part that was taken out, LABEL_OPEN
 * when none was. What SQL has hidden altogether never comes here, so it is told to nobody.
 */
must_check enum label label_withhold(const struct actor *actor, int64_t now_unix_ms,
	const struct shape *shape, void *out, enum label_bar *left_out);

/* One object that somebody gives another class. */
struct label_change {
	enum label of_type, from, to; /* from LABEL_NONE: it has its type's */
	bool by_student, raised_by_student;
	const char *reason; /* NULL: none given */
};

/* Raising is free, lowering needs a reason, and what a teacher raised no pupil lowers. ERR_INVALID
 * or ERR_FORBIDDEN, with words for people. */
must_check enum err label_change_check(struct call *c, const struct label_change *change);

/* The same of a row whose class `sql` finds by the id, and locks: that is what it is changed from.
 * *raised: what the row keeps from then on (label_change.c). */
must_check enum err label_change_row(struct call *c, const char *sql, const char *id,
	struct label_change *change, const char **raised);

#endif
