/* Whatever stands in the files of manabiya-verify: it finds something, and never that it is good.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static enum finding (*const checks[])(struct request *) = { check_checkpoint,
		check_consistency, check_event, check_export, check_download };
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
	(void)close(fd);
	(void)close(range_fd);
	arena_free(request.arena);
	return 0;
}
