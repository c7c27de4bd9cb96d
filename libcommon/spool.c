/* The bound of what waits for audit; see spool.h. */
#include "libcommon/spool.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"

#define MEASURE_EVERY_MS 1000 /* the time within which it heals by itself */
#define MEASURE_SHARE 20 /* but counting many rows takes at most a twentieth of the time */
#define READS_FACTOR 2

static const char DEPTH[] = "SELECT audit_spool_depth($1::bigint)";

static _Atomic int64_t bound, rows;
static int64_t due_ms; /* the relay's thread alone */

void spool_bound(int64_t most)
{
	atomic_store(&bound, most);
	atomic_store(&rows, 0);
	due_ms = 0;
}

void spool_added(void)
{
	atomic_fetch_add_explicit(&rows, 1, memory_order_relaxed);
}

enum err spool_measure(struct call *c)
{
	const char *depth;
	int64_t now_ms = clock_steady_ms(), most = READS_FACTOR * atomic_load(&bound) + 1;
	if (now_ms < due_ms)
		return OK;
	/* What is written while the database counts is counted twice until the next time: too many
	 * rather than too few. */
	int64_t before = spool_rows();
	enum err e = db_text(c, DEPTH, DB_ARGS(db_integer(c, most)), &depth);
	if (e)
		return e;
	atomic_fetch_add(&rows, strtoll(depth, NULL, 10) - before);
	int64_t rest_ms = MEASURE_SHARE * (clock_steady_ms() - now_ms);
	due_ms = now_ms + (rest_ms > MEASURE_EVERY_MS ? rest_ms : MEASURE_EVERY_MS);
	return OK;
}

bool spool_has_room(bool is_read)
{
	int64_t most = atomic_load_explicit(&bound, memory_order_relaxed);
	return most == 0 || spool_rows() < (is_read ? READS_FACTOR * most : most);
}

int64_t spool_rows(void)
{
	return atomic_load_explicit(&rows, memory_order_relaxed);
}
