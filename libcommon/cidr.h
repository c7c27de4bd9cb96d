/* Ranges of addresses as people write them: 192.0.2.0/24, 2001:db8::/32, or one address alone. */
#ifndef MANABIYA_CIDR_H
#define MANABIYA_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/err.h"

/* IPv4 inside IPv6 (::ffff:192.0.2.0/120) is kept as the IPv4 that it stands for, so one client has
 * one address whatever socket it came through; ranges of one family hold nobody of the other. */
struct cidr {
	unsigned char address[16]; /* the first 4 of IPv4; the rest is zero */
	unsigned bits; /* the leading ones that count */
	bool is_v4;
};

/* ERR_INVALID: not a range, or it has bits behind its prefix (192.0.2.1/24), which is a slip. */
must_check enum err cidr_read(const char *text, size_t n, struct cidr *out);

/* Does `range` hold all of `other`, which may be a single address? */
bool cidr_has(const struct cidr *range, const struct cidr *other);

#endif
