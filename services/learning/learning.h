/* What the nouns of learning share: the process's media store, the actor as SQL wants it, and the
 * telling of what happened in a lesson. */
#ifndef MANABIYA_LEARNING_H
#define MANABIYA_LEARNING_H

#include "learning_proto.h"
#include "libcommon/call.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "libcommon/reseal.h"

struct media_store;

/* Opened at start, the same for every worker; defined in media.c. */
extern struct media_store *learning_media;

/* The two arguments that learning.visible_…() take first. */
#define ACTOR(c_) (c_)->actor->user_id, role_name((c_)->actor->role)

/* Columns of struct learning_assignment from learning.visible_assignment() as `a`. */
#define ASSIGNMENT_COLUMNS                                                                         \
	"a.id, a.unit_id, a.unit_title, a.class_id, a.class_title, a.due_on,"                      \
	" tenancy.stamp(a.created_at) AS created_at, a.label"

/* Columns of struct learning_try, and what they are taken from beside learning.visible_try() as
 * `t`. */
#define TRY_COLUMNS                                                                                \
	"t.id, t.assignment_id, t.skill_id, s.name AS skill_name, t.user_id,"                      \
	" " SEALED("m.id", "m.name") " AS name, t.media_id, w.state, t.shared,"                    \
				     " tenancy.stamp(t.created_at) AS created_at,"                 \
				     " tenancy.stamp(t.submitted_at) AS submitted_at, w.label"
#define TRY_JOINS                                                                                  \
	" JOIN learning.try_state w ON w.tenant_id = t.tenant_id AND w.id = t.id"                  \
	" JOIN learning.skill s ON s.tenant_id = t.tenant_id AND s.id = t.skill_id"                \
	" LEFT JOIN learning.member m ON m.tenant_id = t.tenant_id AND m.id = t.user_id"

/* NOT_FOUND when the actor may not see it, as when it does not exist. */
must_check enum err try_find(struct call *c, const char *try_id, struct learning_try *out);

/* A teacher has commented or evaluated: the try does not wait any more. */
must_check enum err try_answered(struct call *c, const char *try_id);

/* Who of the assignment's class hears of something. */
enum audience { AUDIENCE_PUPILS = 1 << 0, AUDIENCE_TEACHERS = 1 << 1 };

/* Something that happened in a lesson: event lesson.happened. */
struct lesson {
	const char *kind;
	const char *assignment_id;
	const char *try_id; /* NULL: about the assignment as a whole */
	const int64_t *position_ms; /* NULL: about no moment */
	const char *pupil_id; /* gets a notice beside the recipients; NULL: nobody */
	unsigned recipients; /* audiences that get a notice */
	unsigned watchers; /* audiences whose open pages are told only */
};

/* Into the outbox, in the call's transaction. */
must_check enum err event_lesson(struct call *c, const struct lesson *lesson);

/* Who may see the thing has changed, in the call's transaction: open pages of all who could or now
 * can look again. They are told of nothing by name: for some it is no longer there. */
must_check enum err event_try_shared(struct call *c, const char *try_id);
must_check enum err event_try_labelled(struct call *c, const char *try_id);
must_check enum err event_unit_labelled(struct call *c, const char *unit_id);
must_check enum err event_user_labelled(struct call *c, const char *user_id);
must_check enum err event_class_labelled(struct call *c, const char *class_id);

/* Remove what a pupil who was deleted at `time` did: tries, goals, videos (erase.c). */
must_check enum err erase_pupil(struct call *c, const char *user_id, const char *time);

/* Remove rows of videos by the statement, which returns their ids, and their files (erase.c). */
must_check enum err videos_remove(struct call *c, const char *sql, struct db_args args);

/* Remove what no one came back for: see media.c. A job (service.h). */
must_check enum err media_clean(struct call *c, bool *more);

/* ---- keys ---- */

/* Every column that keeps something sealed under the tenants' keys (libcommon/reseal.h). */
#define LEARNING_SEALED_N 8
extern const struct sealed_column learning_sealed[LEARNING_SEALED_N];

#endif
