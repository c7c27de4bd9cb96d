/* Whatever bytes arrive on the bus: frames that are read are those that would be written, and
 * nothing that was not sealed by the pair's key opens. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/frame.h"
#include "libcommon/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_frames(const unsigned char *copy, size_t n)
{
	struct frame frame;
	for (size_t at = 0, before = 0; !frame_read((struct bytes){ copy, n }, &at, &frame);
		before = at) {
		size_t size = frame_size(&frame);
		unsigned char *again = malloc(size);
		if (!again || size != at - before)
			abort();
		frame_write(&frame, again);
		if (memcmp(again, copy + before, size) != 0)
			abort();
		free(again);
	}
}

static struct link *own_link(const struct link_keys *keys)
{
	unsigned char hello[LINK_HELLO_MAX], welcome[LINK_WELCOME_SIZE];
	size_t n;
	struct link *link = NULL;
	link_free(link_hello(keys, "gateway", hello, &n));
	if (link_accept_hello(keys, hello, n, welcome, &link) != OK)
		abort();
	return link;
}

static void read_link(const unsigned char *copy, size_t n)
{
	static const struct link_keys keys = { .keys = { { 1 }, { 2 } }, .n = 2 };
	static struct link *ours;
	struct link *link;
	unsigned char welcome[LINK_WELCOME_SIZE];
	char name[LINK_NAME_MAX + 1];
	if (!ours)
		ours = own_link(&keys);
	if (link_hello_name(copy, n, name) == OK && strlen(name) > LINK_NAME_MAX)
		abort();
	if (link_accept_hello(&keys, copy, n, welcome, &link) == OK)
		abort(); /* nobody has these keys */
	unsigned char *out = n > LINK_OVERHEAD ? malloc(n - LINK_OVERHEAD) : NULL;
	if (out && link_open(ours, copy, n, out) == OK)
		abort();
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned char *copy =
		malloc(n ? n : 1); /* without slack, so that reading past the end is seen */
	if (!copy)
		abort();
	memcpy(copy, data, n);
	crypto_start();
	read_frames(copy, n);
	read_link(copy, n);
	free(copy);
	return 0;
}
