/* The ledger as a file; erasure.h says what stands in it. It is read whole: a school erases some
 * hundred pupils a year, a line is some 250 bytes. */
#include "libcommon/erasure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/crypto.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

#define HASH_TEXT (2 * HASH_SIZE)
#define FIELDS 5
static const char NO_HASH[] = "0000000000000000000000000000000000000000000000000000000000000000";

struct erasure_ledger {
	char *path;
};

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* ---- lines ---- */

static const char *hash_of(struct arena *arena, const char *before, const char *rest)
{
	unsigned char hash[HASH_SIZE];
	const char *text = arena_printf(arena, "%s %s", before, rest);
	crypto_sha256(text, strlen(text), hash);
	return crypto_hex(arena, hash, sizeof(hash));
}

static bool is_user(const char *text)
{
	return strcmp(text, ERASURE_ALL) == 0 || is_uuid(text);
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < '!' || *text > '~')
			return false;
	return true;
}

/* Cut a line at its four spaces. */
static bool split(char *line, const char *fields[FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = line;
		char *space = strchr(line, ' ');
		if ((space == NULL) != (i == FIELDS - 1) || !*line)
			return false;
		if (space) {
			*space = '\0';
			line = space + 1;
		}
	}
	return true;
}

static enum err read_line(struct arena *arena, char *line, const char *before, struct erasure *out)
{
	const char *fields[FIELDS];
	if (strlen(line) < HASH_TEXT + 1)
		return ERR_INVALID;
	const char *hash = hash_of(arena, before, line + HASH_TEXT + 1);
	if (!split(line, fields) || strcmp(fields[0], hash) != 0)
		return ERR_INVALID;
	*out = (struct erasure){ .hash = fields[0],
		.at = fields[1],
		.tenant_id = fields[2],
		.user_id = fields[3],
		.keys = fields[4] };
	if (!is_uuid(out->tenant_id) || !is_user(out->user_id) || !is_printable(out->keys) ||
		!is_printable(out->at))
		return ERR_INVALID;
	return OK;
}

enum err erasure_read(
	struct arena *arena, const char *text, size_t n, erasure_on_line *fn, void *arg)
{
	const char *before = NO_HASH, *end = text + n, *newline;
	for (; (newline = memchr(text, '\n', (size_t)(end - text))); text = newline + 1) {
		struct erasure erasure;
		char *line = arena_strndup(arena, text, (size_t)(newline - text));
		enum err e = read_line(arena, line, before, &erasure);
		if (!e)
			e = fn(arg, &erasure);
		if (e)
			return e;
		before = erasure.hash;
	}
	return OK;
}

/* ---- the file ---- */

static enum err read_file(struct arena *arena, int fd, struct bytes *out)
{
	struct stat status;
	if (fstat(fd, &status))
		return ERR_UNAVAILABLE;
	unsigned char *data = arena_alloc(arena, (size_t)status.st_size + 1);
	*out = (struct bytes){ data, 0 };
	while (out->n < (size_t)status.st_size) {
		ssize_t got =
			pread(fd, data + out->n, (size_t)status.st_size - out->n, (off_t)out->n);
		if (got <= 0)
			return ERR_UNAVAILABLE;
		out->n += (size_t)got;
	}
	return OK;
}

/* The end of the last whole line: what stands behind it was never acknowledged. */
static size_t whole_lines(struct bytes text)
{
	size_t n = text.n;
	while (n > 0 && text.data[n - 1] != '\n')
		n--;
	return n;
}

enum err erasure_text(struct erasure_ledger *ledger, struct arena *arena, struct bytes *out)
{
	auto_descriptor fd = open(ledger->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*out = (struct bytes){ (const unsigned char *)"", 0 };
	if (fd < 0)
		return errno == ENOENT ? OK : ERR_UNAVAILABLE;
	enum err e = read_file(arena, fd, out);
	out->n = e ? 0 : whole_lines(*out);
	return e;
}

static enum err walk(struct arena *arena, int fd, erasure_on_line *fn, void *arg)
{
	struct bytes text;
	enum err e = read_file(arena, fd, &text);
	return e ? e : erasure_read(arena, (const char *)text.data, text.n, fn, arg);
}

enum err erasure_each(
	struct erasure_ledger *ledger, struct arena *arena, erasure_on_line *fn, void *arg)
{
	auto_descriptor fd = open(ledger->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? OK : ERR_UNAVAILABLE;
	return walk(arena, fd, fn, arg);
}

static enum err on_any(void *arg, const struct erasure *erasure)
{
	return OK;
}

struct erasure_ledger *erasure_open(const char *path)
{
	struct erasure_ledger *ledger = calloc(1, sizeof(*ledger));
	struct arena *arena = arena_new();
	if (!ledger || !(ledger->path = strdup(path)))
		abort();
	enum err e = erasure_each(ledger, arena, on_any, NULL);
	arena_free(arena);
	if (!e)
		return ledger;
	log_event(LOG_LEVEL_ERROR, "the ledger of erasures cannot be used", LOG_TEXT("path", path),
		LOG_TEXT("reason",
			e == ERR_INVALID ? "its lines do not hold together" : "it cannot be read"));
	erasure_close(ledger);
	return NULL;
}

void erasure_close(struct erasure_ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->path);
	free(ledger);
}

/* ---- finding and adding ---- */

struct search {
	const char *tenant_id, *user_id;
	struct erasure found, last;
};

static enum err on_compare(void *arg, const struct erasure *erasure)
{
	struct search *search = arg;
	search->last = *erasure;
	if (strcmp(erasure->tenant_id, search->tenant_id) == 0 &&
		strcmp(erasure->user_id, search->user_id) == 0)
		search->found = *erasure;
	return OK;
}

enum err erasure_find(struct erasure_ledger *ledger, struct arena *arena, const char *tenant_id,
	const char *user_id, struct erasure *out)
{
	struct search search = { .tenant_id = tenant_id, .user_id = user_id };
	enum err e = erasure_each(ledger, arena, on_compare, &search);
	*out = search.found;
	return e || search.found.hash ? e : ERR_NOT_FOUND;
}

static enum err sync_parent(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *parent = slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : ".";
	auto_descriptor fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0 ? OK : ERR_UNAVAILABLE;
}

static enum err append(struct arena *arena, int fd, const struct erasure *erasure)
{
	struct search search = { .tenant_id = erasure->tenant_id, .user_id = erasure->user_id };
	struct bytes text;
	enum err e = read_file(arena, fd, &text);
	if (!e)
		e = erasure_read(arena, (const char *)text.data, text.n, on_compare, &search);
	if (e || search.found.hash)
		return e;
	const char *rest = arena_printf(arena, "%s %s %s %s", erasure->at, erasure->tenant_id,
		erasure->user_id, erasure->keys);
	const char *before = search.last.hash ? search.last.hash : NO_HASH;
	const char *line = arena_printf(arena, "%s %s\n", hash_of(arena, before, rest), rest);
	size_t end = whole_lines(text), n = strlen(line);
	if (ftruncate(fd, (off_t)end) || pwrite(fd, line, n, (off_t)end) != (ssize_t)n)
		return ERR_UNAVAILABLE;
	return OK;
}

/* Also when it was there before: who wrote it may have died before it was on the disk. */
static enum err add(
	struct erasure_ledger *ledger, struct arena *arena, const struct erasure *erasure)
{
	auto_descriptor fd = open(ledger->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || flock(fd, LOCK_EX))
		return ERR_UNAVAILABLE;
	enum err e = append(arena, fd, erasure);
	if (!e && fsync(fd))
		e = ERR_UNAVAILABLE;
	return e ? e : sync_parent(arena, ledger->path);
}

enum err erasure_add(struct erasure_ledger *ledger, const struct erasure *erasure)
{
	if (!is_uuid(erasure->tenant_id) || !is_user(erasure->user_id) ||
		!is_printable(erasure->at) || !*erasure->at || !is_printable(erasure->keys) ||
		!*erasure->keys)
		return ERR_INVALID;
	struct arena *arena = arena_new();
	enum err e = add(ledger, arena, erasure);
	arena_free(arena);
	if (e)
		log_event(LOG_LEVEL_ERROR, "the ledger of erasures cannot be written",
			LOG_TEXT("path", ledger->path), LOG_TEXT("err", err_name(e)));
	return e;
}
