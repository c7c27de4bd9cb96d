/*
 * How many audit lines wait in the service's outbox for audit, and whether there is room for more.
 *
 * While audit is away the outbox is what keeps them. It has a bound: when it is reached, what would
 * change something is refused before it runs (dispatch.c), because a change without its event is
 * worse than none; reads go on. The relay measures once a second (more seldom when so much waits
 * that counting it takes long), and what this process adds in between is counted, so that no
 * request asks the database. Several instances see each other's lines at the next measurement:
 * together they may be over the bound by what they write until then.
 */
#ifndef MANABIYA_SPOOL_H
#define MANABIYA_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/err.h"

struct call;

/* At start; 0 is no bound, as before it was called. */
void spool_bound(int64_t rows);

/* The service wrote a line. Any thread. */
void spool_added(void);

/* Ask the database how many wait, if the last answer is old; in the transaction of
 * the call. The relay's job. */
must_check enum err spool_measure(struct call *c);

/* May an operation run that will write a line? Those that change something may use the bound; reads
 * that are audited may use as much again, so that lessons go on and still none goes unrecorded. */
bool spool_has_room(bool is_read);

/* As it was last measured, with what came on top. */
int64_t spool_rows(void);

#endif
