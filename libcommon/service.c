/*
 * The daemon skeleton: options, start, stop (service.h). Threads are in worker.c, the way into
 * handlers in dispatch.c, calls to other services in service_call.c.
 */
#include "libcommon/service.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_conf.h"
#include "libcommon/key_use.h"
#include "libcommon/keyring_conf.h"
#include "libcommon/log.h"
#include "libcommon/privileges.h"
#include "libcommon/resident.h"
#include "libcommon/spool.h"
#include "libcommon/view.h"
#include "libcommon/worker.h"

#define THREADS_MAX 80 /* 64 workers and the jobs */
#define EXIT_CONFIG 78 /* sysexits.h: a person has to mend the configuration */

static struct service_conf {
	const char *listen, *peers, *bus_keys, *database, *cache, *cache_password, *auth_public_key,
		*log_level;
	int64_t workers, audit_spool_rows;
} conf;
static struct bus_conf bus_conf;
static struct bus_serve_conf bus_serve_conf;

#define SETS 6 /* the skeleton's, the bus's two, the service's own, the keyring's two */

#define AT(field_) offsetof(struct service_conf, field_)

static const struct option options[] = {
	{ "listen", OPTION_TEXT, NULL, AT(listen), 1, 107,
		"nng URL to serve on, ipc:// or tcp://; 107 is the longest Unix socket path" },
	{ "peers", OPTION_TEXT, "", AT(peers), 0, 4096,
		"whom to call: service=URL,…; a service may stand several times" },
	{ "bus-keys", OPTION_READS, NULL, AT(bus_keys), 1, 4096,
		"directory of <caller>-<callee>.key files" },
	{ "database", OPTION_TEXT, NULL, AT(database), 1, 4096,
		"libpq connection string of this service's own role; passwords by passfile=" },
	{ "cache", OPTION_TEXT, "", AT(cache), 0, 4096,
		"Redis: socket path or host:port; empty for none" },
	{ "cache-password", OPTION_SECRET, "", AT(cache_password), 0, 1024,
		"file with Redis's password; empty for none" },
	{ "auth-public-key", OPTION_SECRET, NULL, AT(auth_public_key), 64, 64,
		"file with auth's Ed25519 public key, 32 bytes as hex" },
	{ "workers", OPTION_INTEGER, "4", AT(workers), 1, 64,
		"threads that run handlers, each with a database connection" },
	{ "audit-spool-rows", OPTION_INTEGER, "100000", AT(audit_spool_rows), 10, 100000000,
		"audit lines that may wait in the outbox while audit is away, some 1 KB each; "
		"beyond "
		"it what changes something is refused, at twice as many what must be recorded when "
		"read; a large deployment's busiest quarter of an hour" },
	{ "log-level", OPTION_TEXT, "info", AT(log_level), 4, 7, "debug, info, warning or error" },
};

static struct keyring_conf keyring_conf;
static struct keyring *keyring;

/* The rest of the file system disappears before the first thread starts. */
static void restrict_view(const struct option_set *sets, size_t sets_n)
{
	static const char ipc[] = "ipc://";
	conf_view(sets, sets_n);
	db_view(conf.database);
	if (strncmp(conf.listen, ipc, strlen(ipc)) == 0)
		view_writes(conf.listen + strlen(ipc));
	view_restrict();
}

static enum err read_options(int argc, char **argv, const struct service *service)
{
	static char workers[24];
	struct option own[sizeof(options) / sizeof(options[0])];
	memcpy(own, options, sizeof(options));
	for (size_t i = 0; service->workers && i < sizeof(own) / sizeof(own[0]); i++) {
		if (strcmp(own[i].name, "workers") == 0) {
			snprintf(workers, sizeof(workers), "%lld", (long long)service->workers);
			own[i].fallback = workers;
		}
	}
	struct option keys[KEYRING_OPTIONS_N];
	memcpy(keys, keyring_options, sizeof(keys));
	for (size_t i = 0; service->keyring == KEYRING_WRITES && i < KEYRING_PATHS_N; i++)
		keys[i].kind = OPTION_WRITES;
	const struct option_set sets[SETS] = {
		{ own, sizeof(own) / sizeof(own[0]), &conf },
		{ bus_conf_options, bus_conf_options_n, &bus_conf },
		{ bus_serve_options, bus_serve_options_n, &bus_serve_conf },
		{ service->options, service->options_n, service->conf },
		{ keys, KEYRING_OPTIONS_N, &keyring_conf },
		{ key_use_options, KEY_USE_OPTIONS_N, &key_use_conf },
	};
	size_t sets_n = service->keyring == KEYRING_NONE ? SETS - 2 : SETS;
	enum err e = conf_read(argc, argv, sets, sets_n);
	if (!e)
		restrict_view(sets, sets_n);
	return e;
}

static enum err open_keyring(const struct service *service)
{
	if (service->keyring == KEYRING_NONE)
		return OK;
	keyring = keyring_conf_open(&keyring_conf);
	if (!keyring)
		return ERR_UNAVAILABLE;
	keyring_conf_allow(keyring, service);
	if (service->keyring == KEYRING_READS)
		keyring_only_reads(keyring);
	return OK;
}

static enum err open_process(struct process *process, const struct service *service)
{
	const char **names = calloc(service->ops_n, sizeof(*names));
	if (!names)
		abort();
	for (size_t i = 0; i < service->ops_n; i++)
		names[i] = service->ops[i].name;
	process->service = service;
	spool_bound(conf.audit_spool_rows);
	process->database = conf.database;
	process->cache = conf.cache;
	process->cache_password = conf.cache_password;
	process->metrics = metrics_new(service->name, names, service->ops_n);
	if (crypto_from_hex(conf.auth_public_key, process->auth_key, PUBLIC_KEY_SIZE)) {
		log_error("--auth-public-key: not a key");
		return ERR_INVALID;
	}
	enum err e = open_keyring(service);
	process->keyring = keyring;
	if (!e && service->start)
		e = service->start();
	if (e)
		return e;
	struct bus_options bus_options = {
		.name = service->name,
		.listen = conf.listen,
		.peers = conf.peers,
		.key_directory = conf.bus_keys,
	};
	bus_conf_apply(&bus_conf, &bus_serve_conf, &bus_options);
	process->bus = bus_open(&bus_options);
	return process->bus ? OK : ERR_UNAVAILABLE;
}

static void start_or_die(enum err e)
{
	if (!e)
		return;
	log_error("cannot start a thread");
	exit(EXIT_FAILURE);
}

static size_t start_threads(const struct process *process, pthread_t *threads)
{
	const struct service *service = process->service;
	size_t n = 0;
	assert((size_t)conf.workers + skeleton_jobs_n + service->jobs_n <= THREADS_MAX);
	for (int64_t i = 0; i < conf.workers; i++)
		start_or_die(worker_start(process, &threads[n++]));
	for (size_t i = 0; i < skeleton_jobs_n; i++)
		start_or_die(job_start(process, &skeleton_jobs[i], &threads[n++]));
	for (size_t i = 0; i < service->jobs_n; i++)
		start_or_die(job_start(process, &service->jobs[i], &threads[n++]));
	return n;
}

int64_t service_workers(void)
{
	return conf.workers;
}

struct keyring *service_keyring(void)
{
	return keyring;
}

static void wait_for_stop_signal(const sigset_t *signals)
{
	int signal = 0;
	while (sigwait(signals, &signal))
		continue;
	log_info("stopping: signal %d", signal);
}

int service_main(int argc, char **argv, const struct service *service)
{
	static struct process process;
	pthread_t threads[THREADS_MAX];
	sigset_t signals;
	log_open(service->name, LOG_LEVEL_INFO);
	crypto_start();
	resident_keep();
	if (read_options(argc, argv, service))
		return EXIT_CONFIG;
	log_open(service->name, log_level_of(conf.log_level));
	/* Threads inherit the mask, so only sigwait() below takes these. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (open_process(&process, service))
		return EXIT_CONFIG;
	privileges_drop();
	log_gather();
	size_t n = start_threads(&process, threads);
	log_info("ready");
	wait_for_stop_signal(&signals);
	bus_drain(process.bus);
	jobs_stop();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (service->stop)
		service->stop();
	keyring_close(keyring);
	bus_close(process.bus);
	return EXIT_SUCCESS;
}
