/*
 * A turn of a job on another connection, in a thread of its own, that waits for a lock which the
 * test has: begin_turn(), wait_for_lock(), let the lock go, end_turn(). Behind provisioning_test.h.
 */
#ifndef MANABIYA_TURN_TEST_H
#define MANABIYA_TURN_TEST_H

#include <pthread.h>

#include "libcommon/capability_cache.h"
#include "libcommon/db.h"
#include "services/provisioning/provisioning_test.h"

struct turn {
	enum err (*run)(struct call *c, bool *more);
	pthread_t thread;
	enum err result;
};

static inline void *take_turn(void *arg)
{
	struct turn *turn = arg;
	struct test beside = test;
	bool more = false;
	beside.arena = arena_new();
	beside.db = db_open(test.database, "provisioning");
	struct call c = test_call(&beside, NULL);
	turn->result = turn->run(&c, &more);
	if (!turn->result)
		turn->result = db_commit(&c);
	db_close(beside.db);
	arena_free(beside.arena);
	capability_cache_free();
	return NULL;
}

static inline void begin_turn(struct turn *turn, enum err (*run)(struct call *c, bool *more))
{
	turn->run = run;
	assert_int_equal(pthread_create(&turn->thread, NULL, take_turn, turn), 0);
}

/* What it came to, with its commit. */
static inline enum err end_turn(struct turn *turn)
{
	assert_int_equal(pthread_join(turn->thread, NULL), 0);
	return turn->result;
}

/* Whether one connection of provisioning waits for a lock, within 20 s. */
static inline bool waits_for_lock(void)
{
	static const char waits[] =
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
		" AND usename = 'manabiya_provisioning' AND wait_event_type = 'Lock'";
	for (int i = 0; i < 2000; i++) {
		if (strcmp(test_sql_text(&test, waits), "1") == 0)
			return true;
		(void)usleep(10000);
	}
	return false;
}

#endif
