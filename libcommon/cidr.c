/* See cidr.h. */
#include "libcommon/cidr.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	V4_BITS = 32,
	V6_BITS = 128,
	MAPPED_BITS = 96, /* ::ffff:0:0/96 */
	DIGITS_MAX = 3, /* of a prefix length */
};

static bool bit(const unsigned char *address, unsigned i)
{
	return address[i / 8] >> (7 - i % 8) & 1;
}

static bool has_bits_behind(const struct cidr *range)
{
	for (unsigned i = range->bits; i < V6_BITS; i++) {
		if (bit(range->address, i))
			return true;
	}
	return false;
}

/* Digits without sign, space or leading zero. */
static enum err read_bits(const char *text, size_t n, unsigned most, unsigned *bits)
{
	unsigned value = 0;
	if (!n || n > DIGITS_MAX || (n > 1 && *text == '0'))
		return ERR_INVALID;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_INVALID;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*bits = value;
	return value <= most ? OK : ERR_INVALID;
}

static void unmap(struct cidr *range)
{
	static const unsigned char mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };
	if (range->is_v4 || range->bits < MAPPED_BITS ||
		memcmp(range->address, mapped, sizeof mapped) != 0)
		return;
	memcpy(range->address, range->address + sizeof mapped, 4);
	memset(range->address + 4, 0, sizeof range->address - 4);
	range->bits -= MAPPED_BITS;
	range->is_v4 = true;
}

enum err cidr_read(const char *text, size_t n, struct cidr *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = memchr(text, '/', n);
	size_t address_n = slash ? (size_t)(slash - text) : n;
	if (address_n >= sizeof address || memchr(text, 0, n))
		return ERR_INVALID;
	memcpy(address, text, address_n);
	address[address_n] = 0;
	*out = (struct cidr){ .is_v4 = !strchr(address, ':') };
	if (inet_pton(out->is_v4 ? AF_INET : AF_INET6, address, out->address) != 1)
		return ERR_INVALID;
	out->bits = out->is_v4 ? V4_BITS : V6_BITS;
	if (slash && read_bits(slash + 1, n - address_n - 1, out->bits, &out->bits))
		return ERR_INVALID;
	unmap(out);
	return has_bits_behind(out) ? ERR_INVALID : OK;
}

bool cidr_has(const struct cidr *range, const struct cidr *other)
{
	unsigned whole = range->bits / 8, rest = range->bits % 8;
	if (range->is_v4 != other->is_v4 || range->bits > other->bits ||
		memcmp(range->address, other->address, whole) != 0)
		return false;
	return !rest || !((range->address[whole] ^ other->address[whole]) >> (8 - rest));
}
