/* Threads of a service (service.c starts and joins them); each owns its database connection, cache
 * connection and arena. */
#ifndef MANABIYA_WORKER_H
#define MANABIYA_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "libcommon/metrics.h"
#include "libcommon/service.h"

/* What every thread of the process reads; made before the first of them, const after. */
struct process {
	const struct service *service;
	struct bus *bus;
	struct keyring *keyring; /* NULL: none */
	struct metrics *metrics;
	const char *database;
	const char *cache, *cache_password;
	unsigned char auth_key[PUBLIC_KEY_SIZE];
};

/* Take requests from the bus until it drains. */
must_check enum err worker_start(const struct process *process, pthread_t *out);

/* Run one job at its interval until jobs_stop(). */
must_check enum err job_start(const struct process *process, const struct job *job, pthread_t *out);
void jobs_stop(void); /* wakes all; join them after */

/* The relay of the outbox and the expiry of stored answers: jobs of every service. */
extern const struct job skeleton_jobs[];
extern const size_t skeleton_jobs_n;

#endif
