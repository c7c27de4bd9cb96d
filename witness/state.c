/*
 * What the witness has signed, on its disk; see witness.h.
 *
 * A file per log holds the checkpoint with the witness's own signature: what was written by anybody
 * else, or in part, is seen when it is read. It is replaced whole: written beside, made durable,
 * renamed, the directory made durable; only then does the signature leave.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "libcommon/log.h"
#include "witness/witness.h"

#define KEY_NAME "key"
#define DRAFT_NAME "draft"

static struct {
	int directory;
	struct note_verifier verifier;
	unsigned char *signing_key;
} state = { .directory = -1 };

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

static enum err complain(const char *what, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "the state of the witness", LOG_TEXT("what", what),
		LOG_TEXT("reason", reason));
	return ERR_INTERNAL;
}

/* ---- files ---- */

static bool write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);
		if (done < 0 && errno != EINTR)
			return false;
		data += done < 0 ? 0 : done;
		n -= done < 0 ? 0 : (size_t)done;
	}
	return true;
}

static enum err write_file(const char *name, const char *text)
{
	auto_descriptor fd = openat(state.directory, DRAFT_NAME,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || !write_all(fd, text, strlen(text)) || fsync(fd) ||
		renameat(state.directory, DRAFT_NAME, state.directory, name) ||
		fsync(state.directory))
		return complain(name, strerrordesc_np(errno));
	return OK;
}

/* *text is NULL if there is no such file. */
static enum err read_file(struct arena *arena, const char *name, const char **text)
{
	char *data = arena_alloc(arena, NOTE_SIZE_MAX + 1);
	size_t n = 0;
	*text = NULL;
	auto_descriptor fd = openat(state.directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? OK : complain(name, strerrordesc_np(errno));
	for (ssize_t got = 1; got > 0 && n<NOTE_SIZE_MAX; n += got> 0 ? (size_t)got : 0) {
		got = read(fd, data + n, NOTE_SIZE_MAX - n);
		if (got < 0 && errno != EINTR)
			return complain(name, strerrordesc_np(errno));
	}
	*text = data;
	return OK;
}

/* ---- the key ---- */

static bool is_empty(void)
{
	bool found = false;
	int fd = openat(state.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(folder));)
		found = entry->d_name[0] != '.' && strcmp(entry->d_name, "lost+found") != 0 &&
			strcmp(entry->d_name, DRAFT_NAME) != 0;
	(void)closedir(folder);
	return !found;
}

static enum err make_key(struct arena *arena)
{
	auto_secret(seed, KEY_SIZE);
	if (!is_empty())
		return complain(KEY_NAME,
			"it is gone, and what it signed is not: this witness is "
			"no more, begin another with an empty directory");
	crypto_random(seed, sizeof(seed));
	return write_file(KEY_NAME, crypto_hex(arena, seed, sizeof(seed)));
}

static enum err read_key(struct arena *arena, const char *name)
{
	const char *hex;
	unsigned char public_key[PUBLIC_KEY_SIZE];
	auto_secret(seed, KEY_SIZE);
	enum err e = read_file(arena, KEY_NAME, &hex);
	if (!e && !hex) {
		e = make_key(arena);
		if (!e)
			e = read_file(arena, KEY_NAME, &hex);
	}
	if (e)
		return e;
	if (!hex || crypto_from_hex(hex, seed, sizeof(seed)))
		return complain(KEY_NAME, "not a key");
	state.signing_key = crypto_secret_alloc(SIGNING_KEY_SIZE);
	crypto_sign_keys(seed, public_key, state.signing_key);
	state.verifier = note_verifier_of(name, NOTE_COSIGNATURE, public_key);
	return OK;
}

/* ---- opening ---- */

enum err state_open(const char *directory, const char *name)
{
	if (!note_is_name(name))
		return complain(name, "a name without white space and `+` is needed");
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return complain(directory, strerrordesc_np(errno));
	/* Two of them could sign two histories. */
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		(void)close(fd);
		return complain(directory, "another witness uses it");
	}
	state.directory = fd;
	struct arena *arena = arena_new();
	enum err e = read_key(arena, name);
	arena_free(arena);
	return e;
}

void state_close(void)
{
	if (state.signing_key)
		crypto_secret_free(state.signing_key);
	state.signing_key = NULL;
	close_descriptor(&state.directory);
	state.directory = -1;
}

const struct note_verifier *state_verifier(void)
{
	return &state.verifier;
}

/* ---- signing ---- */

/* Names of logs are paths; their hashes are not. */
static const char *name_of(struct arena *arena, const char *origin)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(origin, strlen(origin), hash);
	return crypto_hex(arena, hash, sizeof(hash));
}

enum err state_read(struct arena *arena, const char *origin, struct signed_before *out)
{
	const char *text;
	struct note note;
	const struct merkle_peaks nothing = { 0 };
	enum err e = read_file(arena, name_of(arena, origin), &text);
	*out = (struct signed_before){ .checkpoint.origin = origin };
	merkle_root(&nothing, &out->checkpoint.root);
	if (e || !text)
		return e;
	if (note_read(arena, text, strlen(text), &note) ||
		!note_is_signed(arena, &note, &state.verifier, &out->unix_s) ||
		checkpoint_read(arena, note.text, &out->checkpoint) ||
		strcmp(out->checkpoint.origin, origin) != 0)
		return complain(origin, "its file is not what this witness has written");
	return OK;
}

enum err state_sign(struct arena *arena, const char *text, const struct checkpoint *checkpoint,
	uint64_t unix_s, const char **line)
{
	*line = note_cosign(arena, text, &state.verifier, state.signing_key, unix_s);
	return write_file(
		name_of(arena, checkpoint->origin), arena_printf(arena, "%s\n%s", text, *line));
}
