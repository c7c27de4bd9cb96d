/* Whatever stands in the files of manabiya-verify: it finds something, and never that it is good.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libcommon/manifest.h"
#include "verify/verify.h"

#define ORIGIN "fuzz/log"
#define LINES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *file_of(struct arena *arena, const void *data, size_t n, int *fd)
{
	*fd = memfd_create("fuzz", 0);
	if (*fd < 0 || write(*fd, data, n) != (ssize_t)n)
		abort();
	return arena_printf(arena, "/proc/self/fd/%d", *fd);
}

/* A range over lines that nobody knows, rightly signed: so that lines are read behind it. */
static const char *signed_range(struct request *request)
{
	static const unsigned char seed[KEY_SIZE] = { 7 };
	unsigned char key[SIGNING_KEY_SIZE], public_key[PUBLIC_KEY_SIZE];
	const struct checkpoint checkpoint = { .origin = ORIGIN, .size = LINES };
	crypto_sign_keys(seed, public_key, key);
	request->keys[0] = note_verifier_of(ORIGIN, NOTE_ED25519, public_key);
	request->keys_n = 1;
	const char *text = checkpoint_text(request->arena, &checkpoint);
	return arena_printf(request->arena, "manabiya-log-range@v1\nrange 0 %d\n\n%s\n%s", LINES,
		text, note_sign(request->arena, text, &request->keys[0], key));
}

static void add_entry(struct buf *out, const char *name, const void *bytes, size_t n)
{
	static const char zeroes[TAR_BLOCK];
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry = { .size = (int64_t)n };
	(void)snprintf(entry.name, sizeof(entry.name), "%s", name);
	tar_write(&entry, 0, block);
	buf_add(out, (const char *)block, TAR_BLOCK);
	buf_add(out, bytes, n);
	buf_add(out, zeroes, (size_t)(tar_padded(entry.size) - entry.size));
}

/* The first half as a list of files that is rightly signed, the rest as what follows it. */
static struct bytes signed_archive(struct request *request, const uint8_t *data, size_t n)
{
	static const unsigned char seed[KEY_SIZE] = { 7 };
	unsigned char key[SIGNING_KEY_SIZE], public_key[PUBLIC_KEY_SIZE];
	struct buf text = { .arena = request->arena }, out = { .arena = request->arena };
	struct manifest_line files = { .entry = {
					       .name = MANIFEST_FILES, .size = (int64_t)(n / 2) } };
	crypto_sign_keys(seed, public_key, key);
	crypto_sha256(data, n / 2, files.hash);
	buf_text(&text,
		MANIFEST_HEAD "01890000-0000-7000-8000-00000000000a\n" ORIGIN
			      "\n2026-04-01T00:00:00.000Z\n");
	manifest_line_write(&text, &files);
	const char *note = arena_printf(request->arena, "%s\n%s", text.data,
		note_sign(request->arena, text.data, &request->keys[0], key));
	add_entry(&out, MANIFEST_NAME, note, strlen(note));
	add_entry(&out, MANIFEST_FILES, data, n / 2);
	buf_add(&out, (const char *)data + n / 2, n - n / 2);
	return (struct bytes){ (const unsigned char *)out.data, out.n };
}

/* As rows of what a search has found, behind the right names and before the right last row. */
static void check_signed_table(
	struct request *request, const char *range, const uint8_t *data, size_t n)
{
	int fd;
	struct buf table = { .arena = request->arena };
	const char *const cells[LOG_RUN_COLUMNS] = { "proof", "", "", "", "", "", "", "", "", "",
		arena_printf(request->arena, DOWNLOAD_HEAD "\n%s\n", strstr(range, ORIGIN)) };
	log_table_write(&table, log_table_names(LANGUAGE_EN), LOG_FOUND_COLUMNS);
	buf_add(&table, data, n);
	log_table_write(&table, cells, LOG_RUN_COLUMNS);
	request->file = file_of(request->arena, table.data, table.n, &fd);
	if ((check_download(request) == GOOD) != (n == 0))
		abort();
	(void)close(fd);
}

static void check_signed_archive(struct request *request, const uint8_t *data, size_t n)
{
	int fd;
	const struct bytes archive = signed_archive(request, data, n);
	request->file = file_of(request->arena, archive.data, archive.n, &fd);
	request->since = NULL;
	if (check_archive(request) == GOOD)
		abort();
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static enum finding (*const checks[])(struct request *) = { check_checkpoint,
		check_consistency, check_event, check_export, check_download, check_archive };
	struct request request = { .arena = arena_new() };
	int fd, range_fd;
	crypto_start();
	const char *range = signed_range(&request);
	const char *range_file = file_of(request.arena, range, strlen(range), &range_fd);
	request.file = request.proof = request.since = file_of(request.arena, data, n, &fd);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](&request) == GOOD)
			abort();
	/* Last, because it exchanges the keys. */
	request.proof = range_file;
	request.since = NULL;
	if (check_export(&request) == GOOD || check_certificate(&request) == GOOD)
		abort();
	check_signed_table(&request, range, data, n);
	request.keys[0] = note_verifier_of(ORIGIN, NOTE_ED25519, request.keys[0].public_key);
	check_signed_archive(&request, data, n);
	(void)close(fd);
	(void)close(range_fd);
	arena_free(request.arena);
	return 0;
}
