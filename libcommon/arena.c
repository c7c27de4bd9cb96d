/*
 * Blocks in a list, the newest first; allocation moves a mark within it. Every byte past the mark
 * is zero: blocks come from calloc() and are wiped when they are reset, so allocation writes
 * nothing.
 *
 * Under the address sanitizer everything past the mark is poisoned and allocations keep a gap.
 */
#include "libcommon/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#include "libcommon/resident.h"

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define GAP 16
#define poison(at_, n_) ASAN_POISON_MEMORY_REGION((at_), (n_))
#define unpoison(at_, n_) ASAN_UNPOISON_MEMORY_REGION((at_), (n_))
#else
#define GAP 0
#define poison(at_, n_) ((void)(at_), (void)(n_))
#define unpoison(at_, n_) ((void)(at_), (void)(n_))
#endif

/* Most calls fit: a request, its rows and its reply. Wiping it costs less than a microsecond. */
#define BLOCK_SIZE (32 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

struct block {
	struct block *older;
	size_t size, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct block *newest;
	struct block *kept; /* the one of BLOCK_SIZE that survives a reset */
};

static struct block *block_new(size_t size, struct block *older)
{
	if (size > SIZE_MAX - sizeof(struct block))
		abort();
	struct block *block = calloc(1, sizeof(struct block) + size);
	if (block == NULL)
		abort();
	block->size = size;
	block->older = older;
	poison(block->data, size);
	return block;
}

static void block_wipe(struct block *block)
{
	unpoison(block->data, block->used);
	explicit_bzero(block->data, block->used);
	poison(block->data, block->used);
	block->used = 0;
}

static void block_free(struct block *block)
{
	block_wipe(block);
	unpoison(block->data, block->size);
	free(block);
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena == NULL)
		abort();
	arena->kept = block_new(BLOCK_SIZE, NULL);
	arena->newest = arena->kept;
	return arena;
}

static void free_all_but_kept(struct arena *arena)
{
	struct block *older;
	for (struct block *block = arena->newest; block != NULL; block = older) {
		older = block->older;
		if (block != arena->kept)
			block_free(block);
	}
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_all_but_kept(arena);
	block_free(arena->kept);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	free_all_but_kept(arena);
	block_wipe(arena->kept);
	arena->kept->older = NULL;
	arena->newest = arena->kept;
}

void arena_trim(struct arena *arena)
{
	struct block *block = arena->newest;
	resident_release(block->data + block->used, block->size - block->used); /* zero as before */
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		abort();
	/* Nothing asked still gets a place of its own, so that no pointer is NULL. */
	size_t whole = ((size == 0 ? 1 : size) + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct block *block = arena->newest;
	if (whole > block->size - block->used) {
		block = block_new(whole > BLOCK_SIZE / 2 ? whole : BLOCK_SIZE, arena->newest);
		arena->newest = block;
	}
	unsigned char *at = block->data + block->used;
	block->used += whole;
	unpoison(at, size);
	return at;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t whole;
	if (__builtin_mul_overflow(n, size, &whole))
		abort();
	return arena_alloc(arena, whole);
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t n)
{
	char *out = arena_alloc(arena, n + 1);
	if (n > 0)
		memcpy(out, bytes, n);
	return out;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *out = arena_vprintf(arena, format, args);
	va_end(args);
	return out;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	if (n < 0)
		abort(); /* only a broken format string does this */
	char *out = arena_alloc(arena, (size_t)n + 1);
	(void)vsnprintf(out, (size_t)n + 1, format, again);
	va_end(again);
	return out;
}
