/* Lessons of an archive on their way in. The job that takes archives in runs in this service, so
 * this is a function where other services have an operation. */
#ifndef MANABIYA_LEARNING_ARRIVAL_H
#define MANABIYA_LEARNING_ARRIVAL_H

#include "libcommon/arrival.h"

/* skill, media, unit, assignment, goal, try, comment, evaluation, reflection. Of a video only its
 * row, which waits for the file. */
must_check enum err arrival_write(
	struct call *c, const struct arrival_lines *lines, struct arrivals *out);

#endif
