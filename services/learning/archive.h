/* What an archive of the tenant holds of lessons. The jobs that make archives and take them in run
 * in this service, so these are functions where other services have operations. */
#ifndef MANABIYA_LEARNING_ARCHIVE_H
#define MANABIYA_LEARNING_ARCHIVE_H

#include "libcommon/archive.h"

/* skill, media, unit, assignment, goal, try, comment, evaluation, reflection. */
#define LEARNING_ARCHIVED_N 9
extern const struct archived_type learning_archived[LEARNING_ARCHIVED_N];

#endif
