/* One pass over a keyring and its replica; keyring_level.h says what may be changed there. */
#include "libcommon/keyring_level.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/keyring_file.h"
#include "libcommon/keyring_slots.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

#define RECEIPT "receipt."
#define SLOTS_AT_ONCE 256 /* 16 KiB of the stack */
#define SLOT_SIZE (sizeof(struct keyring_slot))
#define FILE_MAX (16 * 1024 * 1024) /* a ledger of 60,000 erasures; all others are far smaller */

/* Whom the ledger names; no user (zeros): the whole tenant. */
struct gone {
	unsigned char tenant[UUID_BYTES], user[UUID_BYTES];
};

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* ---- what is said when it does not go ---- */

static void say(struct keyring_level *level, const char *name, const char *what)
{
	if (!level->reason[0])
		(void)snprintf(level->reason, sizeof(level->reason), "%s: %s", name, what);
}

/* LIMITED when there is no room: what overwrites and removes needs none, and makes some. */
static enum err cannot(struct keyring_level *level, const char *name)
{
	bool is_full = errno == ENOSPC || errno == EDQUOT;
	say(level, name, errno ? strerrordesc_np(errno) : "it is shorter than it was");
	level->is_full |= is_full;
	return is_full ? ERR_LIMITED : ERR_UNAVAILABLE;
}

static bool stops_all(enum err e)
{
	return e && e != ERR_CONFLICT && e != ERR_LIMITED;
}

/* For a person to look at; the others go on. */
static enum err left_alone(struct keyring_level *level, const char *name, const char *why)
{
	say(level, name, why);
	level->is_wrong = true;
	return ERR_CONFLICT;
}

/* ---- names ---- */

static bool is_receipt(const char *name)
{
	return strncmp(name, RECEIPT, strlen(RECEIPT)) == 0;
}

/* Whose a file is, "" for the keyring's own; false for what is no file of a keyring. A temporary
 * one has a dot in front. */
static bool owner_of(const char *name, char owner[UUID_SIZE])
{
	bool is_temporary = *name == '.';
	name += is_temporary;
	*owner = '\0';
	if (strcmp(name, KEYRING_CHECK) == 0 ||
		(is_temporary && strncmp(name, KEYRING_CHECK, strlen(KEYRING_CHECK)) == 0) ||
		(is_temporary && strncmp(name, KEYRING_ID, strlen(KEYRING_ID)) == 0))
		return true;
	bool is_of_receipt = is_receipt(name);
	if (is_of_receipt)
		name += strlen(RECEIPT);
	if (strlen(name) < UUID_SIZE - 1)
		return false;
	memcpy(owner, name, UUID_SIZE - 1);
	owner[UUID_SIZE - 1] = '\0';
	const char *rest = name + UUID_SIZE - 1;
	return is_uuid(owner) && (*rest == '.' || (is_of_receipt && !*rest));
}

static bool is_asked(const struct keyring_level *level, const char *owner)
{
	return !level->tenant_id || strcmp(owner, level->tenant_id) == 0;
}

typedef enum err on_file(struct keyring_level *level, const char *name, const char *owner);

/* All files of a keyring that were asked for. What is left alone, or has no room, stops nobody. */
static enum err each_file(struct keyring_level *level, int directory, on_file *fn)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	enum err e = OK;
	if (!files)
		return cannot(level, "the directory");
	errno = 0;
	for (const struct dirent *file; !e && (file = readdir(files));) {
		char owner[UUID_SIZE];
		if (owner_of(file->d_name, owner) && is_asked(level, owner))
			e = fn(level, file->d_name, owner);
		e = stops_all(e) ? e : OK;
		errno = e ? errno : 0;
	}
	if (!e && errno)
		e = cannot(level, "the directory");
	closedir(files);
	return e;
}

static enum err on_any(struct keyring_level *level, const char *name, const char *owner)
{
	level->touched++;
	return OK;
}

enum err keyring_level_is_empty(int directory, bool *is_empty)
{
	struct keyring_level level = { .to = directory };
	enum err e = each_file(&level, directory, on_any);
	*is_empty = level.touched == 0 &&
		faccessat(directory, KEYRING_LEDGER, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	return e;
}

/* ---- whole files ---- */

static bool read_all(int fd, unsigned char *out, size_t n)
{
	errno = 0;
	for (size_t at = 0; at < n;) {
		ssize_t got = pread(fd, out + at, n - at, (off_t)at);
		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

static enum err read_file(struct keyring_level *level, int directory, const char *name,
	struct bytes *out, struct timespec *made)
{
	struct stat status;
	auto_descriptor fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*out = (struct bytes){ 0 };
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : cannot(level, name);
	if (fstat(fd, &status))
		return cannot(level, name);
	if (status.st_size > FILE_MAX)
		return left_alone(level, name, "it is too large");
	unsigned char *data = arena_alloc(level->arena, (size_t)status.st_size + 1);
	*out = (struct bytes){ data, (size_t)status.st_size };
	*made = status.st_mtim;
	return read_all(fd, data, out->n) ? OK : cannot(level, name);
}

static bool same(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.data, b.data, a.n) == 0);
}

static bool write_all(int fd, struct bytes content, off_t offset)
{
	errno = 0;
	return content.n == 0 || pwrite(fd, content.data, content.n, offset) == (ssize_t)content.n;
}

static void temporary_name(const char *name, char out[NAME_MAX + 1])
{
	uint64_t random;
	crypto_random(&random, sizeof(random));
	(void)snprintf(out, NAME_MAX + 1, ".%.200s.%016llx", name, (unsigned long long)random);
}

static int make_temporary(int directory, const char *temporary)
{
	return openat(
		directory, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Cut short before the last step it leaves noise under the name, and what should be there beside
 * it; the next pass goes on. Not by exchanging the two: shares on a network cannot. */
static enum err take_name(int directory, const char *temporary, const char *name)
{
	enum err e = keyring_file_overwrite(directory, name);
	if (!e && renameat(directory, temporary, directory, name))
		e = ERR_UNAVAILABLE;
	return !e && fsync(directory) ? ERR_UNAVAILABLE : e;
}

enum err keyring_level_put(
	int directory, const char *name, struct bytes content, const struct timespec *made)
{
	char temporary[NAME_MAX + 1];
	temporary_name(name, temporary);
	auto_descriptor fd = make_temporary(directory, temporary);
	if (fd < 0)
		return ERR_UNAVAILABLE;
	/* The time tells the age of a key. */
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
		made ? *made : (struct timespec){ .tv_nsec = UTIME_NOW } };
	enum err e = !write_all(fd, content, 0) || futimens(fd, times) || fsync(fd)
		? ERR_UNAVAILABLE
		: take_name(directory, temporary, name);
	int reason = errno;
	/* One that cannot be overwritten keeps its name, and the next pass tries again. */
	if (e && !keyring_file_overwrite(directory, temporary))
		(void)unlinkat(directory, temporary, 0);
	errno = reason;
	return e;
}

/* ---- the ledger ---- */

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct gone));
}

static bool is_gone_user(const struct keyring_level *level, const char *tenant_id,
	const unsigned char user[UUID_BYTES])
{
	struct gone key;
	uuid_to_bytes(tenant_id, key.tenant);
	memcpy(key.user, user, UUID_BYTES);
	return level->gone_n &&
		bsearch(&key, level->gone, level->gone_n, sizeof(key), by_bytes) != NULL;
}

static bool is_gone(const struct keyring_level *level, const char *tenant_id)
{
	static const unsigned char nobody[UUID_BYTES];
	return *tenant_id && is_gone_user(level, tenant_id, nobody);
}

static enum err on_erased(void *arg, const struct erasure *erasure)
{
	struct keyring_level *level = arg;
	if (level->gone_n == level->gone_room) {
		size_t room = level->gone_room ? 2 * level->gone_room : 64;
		struct gone *wider = arena_array(level->arena, room, sizeof(*wider));
		if (level->gone_n)
			memcpy(wider, level->gone, level->gone_n * sizeof(*wider));
		level->gone = wider;
		level->gone_room = room;
	}
	struct gone *gone = &level->gone[level->gone_n++];
	*gone = (struct gone){ 0 };
	uuid_to_bytes(erasure->tenant_id, gone->tenant);
	if (strcmp(erasure->user_id, ERASURE_ALL) != 0)
		uuid_to_bytes(erasure->user_id, gone->user);
	return OK;
}

static enum err read_ledger(struct keyring_level *level)
{
	enum err e = erasure_text(keyring_ledger(level->keyring), level->arena, &level->ledger);
	if (!e)
		e = erasure_read(level->arena, (const char *)level->ledger.data, level->ledger.n,
			on_erased, level);
	if (e) {
		say(level, "the ledger of erasures", "ours cannot be read");
		return ERR_UNAVAILABLE;
	}
	if (level->gone_n)
		qsort(level->gone, level->gone_n, sizeof(*level->gone), by_bytes);
	return OK;
}

static enum err compare_ledger(struct keyring_level *level, struct bytes *theirs)
{
	struct timespec made;
	enum err e = read_file(level, level->to, KEYRING_LEDGER, theirs, &made);
	if (e)
		return e == ERR_NOT_FOUND ? OK : e;
	const struct bytes ours = { level->ledger.data,
		theirs->n < level->ledger.n ? theirs->n : level->ledger.n };
	if (!same(*theirs, ours))
		return left_alone(level, KEYRING_LEDGER,
			"it tells of erasures that the ledger in use does not know");
	return OK;
}

enum err keyring_level_ledger_fits(struct keyring_level *level)
{
	struct bytes theirs;
	enum err e = read_ledger(level);
	return e ? e : compare_ledger(level, &theirs);
}

/* It only grows, so what is missing is written behind what is there;
 * half a line of a crash is the beginning of the whole one. */
static enum err level_ledger(struct keyring_level *level)
{
	struct bytes theirs = { 0 };
	enum err e = read_ledger(level);
	if (!e)
		e = compare_ledger(level, &theirs);
	if (e || theirs.n == level->ledger.n)
		return e;
	auto_descriptor fd = openat(
		level->to, KEYRING_LEDGER, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	const struct bytes more = { level->ledger.data + theirs.n, level->ledger.n - theirs.n };
	if (fd < 0 || !write_all(fd, more, (off_t)theirs.n) || fsync(fd))
		return cannot(level, KEYRING_LEDGER);
	return OK;
}

/* ---- keys, salts, receipts ---- */

/* The receipt of a version lies here: it is destroyed, or is being. */
static bool is_ended_version(const struct keyring_level *level, const char *name)
{
	char tenant_id[UUID_SIZE], receipt[KEYRING_NAME_SIZE + sizeof(RECEIPT)];
	uint32_t version;
	if (!keyring_file_parse(name, tenant_id, &version))
		return false;
	(void)snprintf(receipt, sizeof(receipt), RECEIPT "%s.%u", tenant_id, (unsigned)version);
	return faccessat(keyring_directory(level->keyring), receipt, F_OK, AT_SYMLINK_NOFOLLOW) ==
		0;
}

/* A key that another root sealed looks otherwise and is the same; one that does not open is
 * damaged, and the replica's may be the last one that is whole. */
static enum err check_replaces(struct keyring_level *level, const char *name, const char *owner)
{
	auto_secret(kek, KEY_SIZE);
	char tenant_id[UUID_SIZE];
	uint32_t version;
	if (is_receipt(name) || strcmp(name, KEYRING_CHECK) == 0)
		return OK;
	if (!keyring_file_parse(name, tenant_id, &version))
		return left_alone(level, name, "it is another one than ours");
	enum err e = keyring_file_load(keyring_files_of(level->keyring), owner, name, kek);
	if (e == ERR_INTERNAL)
		return left_alone(level, name, "ours is another one and does not open");
	if (e)
		say(level, name, "whether ours opens cannot be told now");
	return e;
}

static enum err level_whole(struct keyring_level *level, const char *name, const char *owner)
{
	struct bytes ours, theirs;
	struct timespec made, made_there;
	enum err e = read_file(level, keyring_directory(level->keyring), name, &ours, &made);
	if (e)
		return e == ERR_NOT_FOUND ? OK : e; /* destroyed meanwhile */
	e = read_file(level, level->to, name, &theirs, &made_there);
	if (!e && same(ours, theirs))
		return OK;
	if (!e && is_ended_version(level, name)) /* the next pass finds none of ours */
		return OK;
	if (!e)
		e = check_replaces(level, name, owner);
	if (e && e != ERR_NOT_FOUND)
		return e;
	return keyring_level_put(level->to, name, ours, &made) ? cannot(level, name) : OK;
}

/* ---- keys of users ---- */

struct slots {
	const char *name, *tenant_id;
	int from, to;
	int64_t ours, theirs; /* how many */
};

static int64_t count_slots(int fd)
{
	struct stat status;
	return fstat(fd, &status) ? -1 : status.st_size / (int64_t)SLOT_SIZE;
}

/* What should be there: of one who was erased the id alone, whatever lies here. */
static void settle(
	const struct keyring_level *level, const char *tenant_id, struct keyring_slot *slot)
{
	if (!keyring_slot_is_whole(slot) || !is_gone_user(level, tenant_id, slot->user))
		return;
	memset(slot->salt, 0, sizeof(slot->salt));
	keyring_slot_seal(slot);
}

/* Half a slot is what a crash left; a whole one goes when the ledger says so. */
static bool may_go(
	const struct keyring_level *level, const char *tenant_id, const struct keyring_slot *slot)
{
	return !keyring_slot_is_whole(slot) || is_gone_user(level, tenant_id, slot->user);
}

static enum err level_some(
	struct keyring_level *level, const struct slots *slots, int64_t first, size_t n)
{
	struct keyring_slot ours[SLOTS_AT_ONCE], theirs[SLOTS_AT_ONCE];
	int64_t there = slots->theirs - first;
	size_t m = there < 0 ? 0 : there < (int64_t)n ? (size_t)there : n;
	off_t offset = (off_t)first * (off_t)SLOT_SIZE;
	enum err e = OK;
	errno = 0;
	if (pread(slots->from, ours, n * SLOT_SIZE, offset) != (ssize_t)(n * SLOT_SIZE) ||
		pread(slots->to, theirs, m * SLOT_SIZE, offset) != (ssize_t)(m * SLOT_SIZE))
		e = cannot(level, slots->name);
	bool differs = m < n;
	for (size_t i = 0; i < n && !e; i++) {
		settle(level, slots->tenant_id, &ours[i]);
		if (i >= m || memcmp(&ours[i], &theirs[i], SLOT_SIZE) == 0)
			continue;
		differs = true;
		if (!may_go(level, slots->tenant_id, &theirs[i]))
			e = left_alone(
				level, slots->name, "it has another key of a user than ours");
	}
	const struct bytes content = { (const unsigned char *)ours, n * SLOT_SIZE };
	if (!e && differs && !write_all(slots->to, content, offset))
		e = cannot(level, slots->name);
	crypto_wipe(ours, sizeof(ours));
	crypto_wipe(theirs, sizeof(theirs));
	return e;
}

/* In place: what lay there is overwritten. Nobody writes ours meanwhile, because half of a slot
 * would be taken for what a crash left. */
static enum err level_slots(struct keyring_level *level, struct slots *slots)
{
	slots->ours = count_slots(slots->from);
	slots->theirs = count_slots(slots->to);
	if (slots->ours < 0 || slots->theirs < 0)
		return cannot(level, slots->name);
	if (slots->theirs > slots->ours)
		return left_alone(level, slots->name, "it has keys of more users than ours");
	enum err e = OK;
	for (int64_t at = 0; at < slots->ours && !e; at += SLOTS_AT_ONCE) {
		int64_t left = slots->ours - at;
		e = level_some(
			level, slots, at, left < SLOTS_AT_ONCE ? (size_t)left : SLOTS_AT_ONCE);
	}
	return !e && fsync(slots->to) ? cannot(level, slots->name) : e;
}

static enum err level_new_users(struct keyring_level *level, struct slots *slots)
{
	char temporary[NAME_MAX + 1];
	temporary_name(slots->name, temporary);
	auto_descriptor to = make_temporary(level->to, temporary);
	if (to < 0)
		return cannot(level, slots->name);
	slots->to = to;
	enum err e = level_slots(level, slots);
	if (!e && take_name(level->to, temporary, slots->name))
		e = cannot(level, slots->name);
	return e;
}

static enum err level_users(struct keyring_level *level, const char *name, const char *owner)
{
	struct slots slots = { .name = name, .tenant_id = owner };
	auto_descriptor from =
		openat(keyring_directory(level->keyring), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return errno == ENOENT ? OK : cannot(level, name);
	slots.from = from;
	if (flock(from, LOCK_SH))
		return cannot(level, name);
	auto_descriptor to = openat(level->to, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	slots.to = to;
	if (to < 0)
		return errno == ENOENT ? level_new_users(level, &slots) : cannot(level, name);
	return level_slots(level, &slots);
}

/* ---- what lies here ---- */

static bool is_users(const char *name)
{
	return strlen(name) == UUID_SIZE - 1 + strlen(".users") &&
		strcmp(name + UUID_SIZE - 1, ".users") == 0;
}

/* FNV-1a: of a file that was written or replaced it is another one. */
static uint64_t print_of(const char *name, const struct stat *status)
{
	const uint64_t figures[] = { status->st_ino, (uint64_t)status->st_size,
		(uint64_t)status->st_ctim.tv_sec, (uint64_t)status->st_ctim.tv_nsec };
	uint64_t hash = 14695981039346656037U;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211U;
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		hash = (hash ^ figures[i]) * 1099511628211U;
	return hash;
}

static int by_print(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

static bool is_known(const struct keyring_level *level, uint64_t print)
{
	return level->known_n &&
		bsearch(&print, level->known, level->known_n, sizeof(print), by_print) != NULL;
}

static void add_print(struct keyring_level *level, uint64_t print)
{
	if (level->prints_n == level->prints_room) {
		size_t room = level->prints_room ? 2 * level->prints_room : 256;
		uint64_t *wider = arena_array(level->arena, room, sizeof(*wider));
		if (level->prints_n)
			memcpy(wider, level->prints, level->prints_n * sizeof(*wider));
		level->prints = wider;
		level->prints_room = room;
	}
	level->prints[level->prints_n++] = print;
}

static enum err on_ours(struct keyring_level *level, const char *name, const char *owner)
{
	struct stat status;
	if (*name == '.' || (is_gone(level, owner) && !is_receipt(name)))
		return OK;
	if (fstatat(keyring_directory(level->keyring), name, &status, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? OK : cannot(level, name);
	uint64_t print = print_of(name, &status);
	enum err e = OK;
	if (!is_known(level, print)) {
		level->touched++;
		e = is_users(name) ? level_users(level, name, owner)
				   : level_whole(level, name, owner);
	}
	if (!e)
		add_print(level, print);
	return e;
}

/* ---- what lies there ---- */

static enum err destroy(struct keyring_level *level, const char *name)
{
	enum err e = keyring_file_overwrite(level->to, name);
	if (!e && unlinkat(level->to, name, 0) && errno != ENOENT)
		e = ERR_UNAVAILABLE;
	return e ? cannot(level, name) : OK;
}

static enum err on_theirs(struct keyring_level *level, const char *name, const char *owner)
{
	if (*name == '.') /* of an attempt that was cut short */
		return destroy(level, name);
	if (is_gone(level, owner) && !is_receipt(name))
		return destroy(level, name);
	if (faccessat(keyring_directory(level->keyring), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return OK;
	if (errno != ENOENT)
		return cannot(level, name);
	if (is_ended_version(level, name))
		return destroy(level, name);
	return left_alone(level, name, "it is there alone, and nothing says that it was destroyed");
}

/* Not looked at when nothing here was written or removed since the last pass. */
static bool is_as_before(const struct keyring_level *level)
{
	return level->was_level && !level->touched && level->prints_n == level->known_n;
}

enum err keyring_level(struct keyring_level *level)
{
	enum err e = level_ledger(level);
	if (!e || e == ERR_LIMITED)
		e = each_file(level, keyring_directory(level->keyring), on_ours);
	if (e || (is_as_before(level) && !level->is_full))
		return e;
	e = each_file(level, level->to, on_theirs);
	if (!e && fsync(level->to))
		e = cannot(level, "the directory");
	if (!e && level->is_full)
		e = ERR_UNAVAILABLE;
	return e || !level->is_wrong ? e : ERR_CONFLICT;
}
