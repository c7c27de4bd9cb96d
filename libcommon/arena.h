/*
 * Memory that lives as long as one call: allocated piece by piece, forgotten at once.
 *
 * All memory is zeroed. Running out of it aborts. An arena belongs to one thread.
 */
#ifndef MANABIYA_ARENA_H
#define MANABIYA_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* wipes */
void arena_reset(struct arena *arena); /* wipes, keeps one block for the next call */

/* Give the memory beyond what is in use back to the kernel until it is needed: for a call that will
 * last long. */
void arena_trim(struct arena *arena);

/* `size` bytes, aligned for anything; never NULL. arena_array() checks the product for overflow. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t n, size_t size);

char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *bytes, size_t n); /* adds the NUL */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

#endif
