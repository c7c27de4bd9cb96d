/* Which replicas a keyring has, and how each is; see keyring_replica.h. */
#include "libcommon/keyring_replica.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/keyring_level.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

#define ID_FORMAT "manabiya-keyring %s\n"
#define ID_SIZE (sizeof(ID_FORMAT) + UUID_SIZE)
/* What was level is looked at again: somebody may have changed the replica. */
#define LOOK_AGAIN_MS 3600000

struct replica {
	char name[KEYRING_REPLICA_NAME_MAX + 1];
	char *directory;
	/* Whoever has its turn: what was level, and in which directory. */
	uint64_t *known;
	size_t known_n;
	bool was_level;
	struct stat place;
	int64_t looked_ms;
	char reason[KEYRING_REASON_SIZE]; /* under the lock; "" when it is level */
};

struct keyring_replicas {
	struct keyring *keyring;
	pthread_mutex_t lock; /* of the reasons; not held while a disk is waited for */
	struct replica items[KEYRING_REPLICAS_MAX];
	size_t n;
};

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

static void cannot_be_used(const char *what, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "keyring replica cannot be used", LOG_TEXT("replica", what),
		LOG_TEXT("reason", reason));
}

/* ---- the list ---- */

static bool is_name(const char *text, size_t n)
{
	return n >= 1 && n <= KEYRING_REPLICA_NAME_MAX &&
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") >= n;
}

static bool has_name(const struct keyring_replicas *replicas, const char *name)
{
	size_t i = 0;
	while (i < replicas->n && strcmp(replicas->items[i].name, name) != 0)
		i++;
	return i < replicas->n;
}

static const char *add(struct keyring_replicas *replicas, const char *item, size_t n)
{
	const char *equals = memchr(item, '=', n);
	if (!equals || !is_name(item, (size_t)(equals - item)) || equals + 1 == item + n)
		return "not NAME=DIRECTORY, where NAME is up to 32 of a-z, 0-9 and -";
	if (replicas->n == KEYRING_REPLICAS_MAX)
		return "more than four";
	struct replica *replica = &replicas->items[replicas->n];
	memcpy(replica->name, item, (size_t)(equals - item));
	if (has_name(replicas, replica->name))
		return "this name stands there twice";
	replica->directory = strndup(equals + 1, (size_t)(item + n - equals - 1));
	if (!replica->directory)
		abort();
	replicas->n++;
	return NULL;
}

static struct keyring_replicas *parse(struct keyring *keyring, const char *list)
{
	struct keyring_replicas *replicas = calloc(1, sizeof(*replicas));
	const char *reason = NULL;
	if (!replicas)
		abort();
	replicas->keyring = keyring;
	pthread_mutex_init(&replicas->lock, NULL);
	for (const char *at = list; *at && !reason;) {
		size_t n = strcspn(at, ",");
		reason = add(replicas, at, n);
		at += n + (at[n] == ',');
	}
	if (!reason)
		return replicas;
	cannot_be_used(list, reason);
	keyring_replicas_close(replicas);
	return NULL;
}

void keyring_replicas_close(struct keyring_replicas *replicas)
{
	if (!replicas)
		return;
	for (size_t i = 0; i < replicas->n; i++) {
		free(replicas->items[i].directory);
		free(replicas->items[i].known);
	}
	pthread_mutex_destroy(&replicas->lock);
	free(replicas);
}

struct keyring_replica_names keyring_replicas_names(
	const struct keyring_replicas *replicas, struct arena *arena)
{
	struct keyring_replica_names names = {
		arena_array(arena, KEYRING_REPLICAS_MAX, sizeof(*names.items)), replicas->n
	};
	for (size_t i = 0; i < replicas->n; i++)
		names.items[i] = replicas->items[i].name;
	return names;
}

/* ---- whose a directory is ---- */

/* NOT_FOUND when it is nobody's; UNAVAILABLE with errno. */
static enum err read_id(int directory, char out[ID_SIZE])
{
	auto_descriptor fd = openat(directory, KEYRING_ID, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	memset(out, 0, ID_SIZE);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	return read(fd, out, ID_SIZE - 1) < 0 ? ERR_UNAVAILABLE : OK;
}

/* The directory of a replica as it is now, and whether it is one of this keyring. */
enum belonging { OURS, ANOTHERS, NOBODYS, AWAY };

static enum belonging look(const char *directory, const char id[ID_SIZE], int *fd)
{
	char theirs[ID_SIZE];
	*fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return AWAY;
	enum err e = read_id(*fd, theirs);
	if (e)
		return e == ERR_NOT_FOUND ? NOBODYS : AWAY;
	return *id && strcmp(theirs, id) == 0 ? OURS : ANOTHERS;
}

static const char *reason_of(enum belonging belonging)
{
	switch (belonging) {
	case OURS:
		return NULL;
	case ANOTHERS:
		return "it belongs to another keyring";
	case NOBODYS:
		return "there is no keyring.id in it: its disk is not mounted, or it has not "
		       "joined "
		       "(manabiyactl keyring join)";
	case AWAY:
		break;
	}
	if (errno == EACCES)
		return "Permission denied: what is mounted after the start is seen after the next "
		       "one";
	return strerrordesc_np(errno);
}

/* ---- at start ---- */

/* One in the place of another, or of the keyring, would be no copy. */
static bool is_the_same(int directory, int other)
{
	struct stat a, b;
	return fstat(directory, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

static bool is_twice(const struct keyring_replicas *replicas, size_t i, int fd)
{
	bool found = is_the_same(fd, keyring_directory(replicas->keyring));
	for (size_t other = 0; other < i && !found; other++) {
		auto_descriptor there =
			open(replicas->items[other].directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		found = there >= 0 && is_the_same(fd, there);
	}
	return found;
}

/* Erasures that we do not know of would come back with what we write. */
static bool has_lost_erasures(struct keyring_replicas *replicas, int fd)
{
	struct arena *arena = arena_new();
	struct keyring_level level = { .keyring = replicas->keyring, .arena = arena, .to = fd };
	bool has_lost = keyring_level_ledger_fits(&level) == ERR_CONFLICT;
	arena_free(arena);
	return has_lost;
}

/* NULL, or why nothing may be written. */
static const char *check(struct keyring_replicas *replicas, size_t i, const char id[ID_SIZE])
{
	auto_descriptor fd = -1;
	enum belonging belonging = look(replicas->items[i].directory, id, &fd);
	if (fd >= 0 && is_twice(replicas, i, fd))
		return "it is the keyring's own directory, or another replica's";
	if (belonging == ANOTHERS && !*id)
		return "it belongs to a keyring, and --keyring to none: that is empty, not mounted "
		       "or lost; mount it, or stop all services and copy the replica into its "
		       "place";
	if (belonging == ANOTHERS)
		return "it belongs to another keyring";
	if (belonging == OURS && has_lost_erasures(replicas, fd))
		return "it knows of erasures that the ledger in use does not: put that ledger back";
	return NULL;
}

struct keyring_replicas *keyring_replicas_open(struct keyring *keyring, const char *list)
{
	char id[ID_SIZE];
	struct keyring_replicas *replicas = parse(keyring, list);
	const char *reason = NULL;
	if (!replicas || !replicas->n)
		return replicas;
	bool is_nobodys = read_id(keyring_directory(keyring), id) != OK;
	size_t i = 0;
	while (i < replicas->n && !(reason = check(replicas, i, id)))
		i++;
	if (!reason && is_nobodys) {
		i = 0;
		reason = "there is no keyring.id in --keyring: that is not mounted or lost, or "
			 "manabiyactl keyring join has not been run";
	}
	if (!reason)
		return replicas;
	cannot_be_used(replicas->items[i].name, reason);
	keyring_replicas_close(replicas);
	return NULL;
}

/* ---- one replica ---- */

static void note(struct keyring_replicas *replicas, struct replica *replica, const char *reason)
{
	pthread_mutex_lock(&replicas->lock);
	bool is_new = strcmp(replica->reason, reason) != 0;
	if (is_new)
		(void)snprintf(replica->reason, sizeof(replica->reason), "%s", reason);
	pthread_mutex_unlock(&replicas->lock);
	if (is_new && *reason)
		log_event(LOG_LEVEL_ERROR, "keyring replica is behind",
			LOG_TEXT("replica", replica->name), LOG_TEXT("reason", reason));
	else if (is_new)
		log_event(LOG_LEVEL_INFO, "keyring replica is level",
			LOG_TEXT("replica", replica->name));
}

static void forget(struct replica *replica)
{
	free(replica->known);
	replica->known = NULL;
	replica->known_n = 0;
	replica->was_level = false;
}

static int by_print(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

static void remember(struct replica *replica, const struct keyring_level *level, bool is_level)
{
	forget(replica);
	replica->known = calloc(level->prints_n + 1, sizeof(*replica->known));
	if (!replica->known)
		abort();
	if (level->prints_n) {
		memcpy(replica->known, level->prints, level->prints_n * sizeof(*replica->known));
		qsort(replica->known, level->prints_n, sizeof(*replica->known), by_print);
	}
	replica->known_n = level->prints_n;
	replica->was_level = is_level;
}

/* Another disk may lie in the place, and somebody may have changed this one. */
static void doubt(struct replica *replica, int fd)
{
	struct stat place = { 0 };
	int64_t now_ms = clock_steady_ms();
	bool is_there = fstat(fd, &place) == 0 && place.st_dev == replica->place.st_dev &&
		place.st_ino == replica->place.st_ino;
	if (is_there && now_ms - replica->looked_ms < LOOK_AGAIN_MS)
		return;
	forget(replica);
	replica->place = place;
	replica->looked_ms = now_ms;
}

/* Who is erased while it goes on looks like a difference that nobody explains. */
static enum err pass(struct keyring_level *level)
{
	const struct keyring_level asked = *level;
	struct bytes ledger;
	enum err e;
	do {
		*level = asked;
		e = keyring_level(level);
		if (e != ERR_CONFLICT ||
			erasure_text(keyring_ledger(level->keyring), level->arena, &ledger))
			break;
	} while (ledger.n != level->ledger.n);
	return e;
}

static enum err bring_level(struct keyring_replicas *replicas, struct replica *replica,
	struct arena *arena, const char *tenant_id)
{
	char id[ID_SIZE];
	auto_descriptor fd = -1;
	if (read_id(keyring_directory(replicas->keyring), id)) {
		note(replicas, replica, "there is no keyring.id in --keyring");
		return ERR_UNAVAILABLE;
	}
	const char *reason = reason_of(look(replica->directory, id, &fd));
	if (reason) {
		forget(replica);
		note(replicas, replica, reason);
		return ERR_UNAVAILABLE;
	}
	doubt(replica, fd);
	struct keyring_level level = {
		.keyring = replicas->keyring, .arena = arena, .to = fd, .tenant_id = tenant_id
	};
	if (!tenant_id) {
		level.known = replica->known;
		level.known_n = replica->known_n;
		level.was_level = replica->was_level;
	}
	enum err e = pass(&level);
	if (!tenant_id)
		remember(replica, &level, !e);
	if (e || !tenant_id)
		note(replicas, replica, e ? level.reason : "");
	return e;
}

enum err keyring_replicas_level(struct keyring_replicas *replicas, struct arena *arena,
	const char *tenant_id, const char **behind)
{
	struct buf names = { .arena = arena };
	*behind = NULL;
	if (!replicas->n)
		return OK;
	if (keyring_check_writes(replicas->keyring))
		return ERR_FORBIDDEN;
	/* A lock of its own for each call: threads take turns like processes. */
	auto_descriptor turn = openat(
		keyring_directory(replicas->keyring), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (turn < 0 || flock(turn, LOCK_EX))
		return ERR_UNAVAILABLE;
	for (size_t i = 0; i < replicas->n; i++) {
		struct replica *replica = &replicas->items[i];
		if (bring_level(replicas, replica, arena, tenant_id))
			buf_printf(&names, "%s%s", names.n ? ", " : "", replica->name);
	}
	*behind = names.n ? names.data : NULL;
	return names.n ? ERR_UNAVAILABLE : OK;
}

void keyring_replicas_metrics(struct keyring_replicas *replicas, struct buf *out)
{
	pthread_mutex_lock(&replicas->lock);
	for (size_t i = 0; i < replicas->n; i++)
		buf_printf(out, "manabiya_keyring_replica_behind{replica=\"%s\"} %d\n",
			replicas->items[i].name, replicas->items[i].reason[0] != '\0');
	pthread_mutex_unlock(&replicas->lock);
}

/* ---- joining ---- */

static const char *check_joins(
	const struct keyring_replicas *replicas, size_t i, const char id[ID_SIZE])
{
	bool is_empty = false;
	auto_descriptor fd = -1;
	enum belonging belonging = look(replicas->items[i].directory, id, &fd);
	if (fd >= 0 && is_twice(replicas, i, fd))
		return "it is the keyring's own directory, or another replica's";
	if (belonging == NOBODYS && keyring_level_is_empty(fd, &is_empty))
		return "it cannot be read";
	if (belonging == NOBODYS)
		return is_empty ? NULL : "there are keys in it: begin with an empty directory";
	return reason_of(belonging);
}

static enum err put_id(int directory, const char *id)
{
	const struct bytes content = { (const unsigned char *)id, strlen(id) };
	return keyring_level_put(directory, KEYRING_ID, content, NULL);
}

static enum err join_all(struct keyring_replicas *replicas, char id[ID_SIZE])
{
	char uuid[UUID_SIZE];
	const char *reason = NULL;
	for (size_t i = 0; i < replicas->n; i++) {
		reason = check_joins(replicas, i, id);
		if (!reason)
			continue;
		cannot_be_used(replicas->items[i].name, reason);
		return ERR_INVALID;
	}
	if (!*id) {
		uuid_new(uuid);
		(void)snprintf(id, ID_SIZE, ID_FORMAT, uuid);
		if (put_id(keyring_directory(replicas->keyring), id))
			return ERR_UNAVAILABLE;
	}
	enum err e = OK;
	for (size_t i = 0; i < replicas->n && !e; i++) {
		auto_descriptor fd = -1;
		if (look(replicas->items[i].directory, id, &fd) != OURS)
			e = put_id(fd, id);
	}
	return e;
}

enum err keyring_replica_join(struct keyring *keyring, const char *list)
{
	char id[ID_SIZE];
	struct keyring_replicas *replicas = parse(keyring, list);
	enum err e = !replicas ? ERR_INVALID : read_id(keyring_directory(keyring), id);
	if (!e || e == ERR_NOT_FOUND)
		e = join_all(replicas, id);
	keyring_replicas_close(replicas);
	return e;
}
