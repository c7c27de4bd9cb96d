/* UTF-8 (RFC 3629), read one code point at a time: no overlong forms, no surrogates. */
#ifndef MANABIYA_UTF8_H
#define MANABIYA_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the first of `n` bytes' code point, which goes into *code; 0 if it is broken or
 * n is 0. */
size_t utf8_next(const char *at, size_t n, uint32_t *code);

/* How many code points there are, or -1 if any is broken. */
int64_t utf8_count(const char *text, size_t n);

#endif
