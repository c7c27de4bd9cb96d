/* Whatever lies in a file of user keys, whole slots and what a crash left of others: who is whole
 * in it is found, and nobody else is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libcommon/crypto.h"
#include "libcommon/keyring_slots.h"

#define SLOT_SIZE (sizeof(struct keyring_slot))
#define SLOTS_MAX 600 /* more than are read at once, and than there is room for at first */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct keyring_slot slots[SLOTS_MAX];

/* The last bit of a slot says whether it gets the check that fits, which no fuzzer guesses. */
static size_t fill(const uint8_t *data, size_t n)
{
	size_t whole = n / SLOT_SIZE < SLOTS_MAX ? n / SLOT_SIZE : SLOTS_MAX;
	memcpy(slots, data, whole * SLOT_SIZE);
	for (size_t i = 0; i < whole; i++)
		if (slots[i].check[SLOT_CHECK_SIZE - 1] & 1)
			keyring_slot_seal(&slots[i]);
	return whole;
}

static void look_for_all(const struct keyring_slots *known, int file, size_t whole)
{
	for (size_t i = 0; i < whole; i++) {
		struct keyring_slot found;
		int64_t offset = -1;
		enum err e = keyring_slots_find(known, file, slots[i].user, &found, &offset);
		if (e && keyring_slot_is_whole(&slots[i]))
			abort();
		if (!e &&
			(memcmp(found.user, slots[i].user, UUID_BYTES) != 0 ||
				offset % (int64_t)SLOT_SIZE || !keyring_slot_is_whole(&found)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct keyring_slots known = { 0 };
	crypto_start();
	size_t whole = fill(data, n), torn = n % SLOT_SIZE;
	int file = memfd_create("slots", MFD_CLOEXEC);
	if (file < 0 || write(file, slots, whole * SLOT_SIZE) < 0)
		abort();
	/* A first look at half of them, then at what came since. */
	if (ftruncate(file, (off_t)(whole / 2 * SLOT_SIZE)) || keyring_slots_read(&known, file))
		abort();
	if (pwrite(file, slots, whole * SLOT_SIZE, 0) < 0 ||
		pwrite(file, data, torn, (off_t)(whole * SLOT_SIZE)) < 0 ||
		keyring_slots_read(&known, file) || known.seen != whole)
		abort();
	look_for_all(&known, file, whole);
	keyring_slots_fini(&known);
	close(file);
	return 0;
}
