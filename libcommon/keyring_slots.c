/* Slots of user keys; see keyring_slots.h. */
#include "libcommon/keyring_slots.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/crypto.h"

#define SLOT_SIZE (sizeof(struct keyring_slot)) /* 64: no slot crosses a sector of the disk */
#define USERS_MAX 4000000 /* of a tenant; far above the largest city, and the file stays 256 MB */
#define ROOM_LEAST 256
#define READ_AT_ONCE 256 /* slots: 16 KiB of the stack */

/* Hash and number of a slot. */
struct keyring_place {
	uint32_t tag, slot; /* slot + 1; 0 is a free place */
};

static void check_of(const struct keyring_slot *slot, unsigned char out[HASH_SIZE])
{
	crypto_sha256(slot, offsetof(struct keyring_slot, check), out);
}

void keyring_slot_seal(struct keyring_slot *slot)
{
	unsigned char hash[HASH_SIZE];
	check_of(slot, hash);
	memcpy(slot->check, hash, SLOT_CHECK_SIZE);
}

bool keyring_slot_is_whole(const struct keyring_slot *slot)
{
	unsigned char hash[HASH_SIZE];
	check_of(slot, hash);
	return memcmp(slot->check, hash, SLOT_CHECK_SIZE) == 0;
}

bool keyring_slot_is_erased(const struct keyring_slot *slot)
{
	static const unsigned char nothing[USER_SALT_SIZE];
	return crypto_equal(slot->salt, nothing, USER_SALT_SIZE);
}

/* The random end of a UUIDv7. */
static uint32_t tag_of(const unsigned char user[UUID_BYTES])
{
	uint32_t tag;
	memcpy(&tag, user + UUID_BYTES - sizeof(tag), sizeof(tag));
	return tag * 2654435761U; /* ids of tests and demos differ in their last byte only */
}

/* ---- places ---- */

static void put(struct keyring_place *places, uint32_t room, struct keyring_place place)
{
	uint32_t at = place.tag & (room - 1);
	while (places[at].slot)
		at = (at + 1) & (room - 1);
	places[at] = place;
}

/* At most half of the places are taken, so a search is short. */
static void make_room(struct keyring_slots *slots)
{
	if (slots->users < slots->room / 2)
		return;
	uint32_t room = slots->room ? 2 * slots->room : ROOM_LEAST;
	struct keyring_place *places = calloc(room, sizeof(*places));
	if (!places)
		abort();
	for (uint32_t i = 0; i < slots->room; i++)
		if (slots->places[i].slot)
			put(places, room, slots->places[i]);
	free(slots->places);
	slots->places = places;
	slots->room = room;
}

static void add(struct keyring_slots *slots, const struct keyring_slot *slot)
{
	slots->seen++;
	if (!keyring_slot_is_whole(slot))
		return;
	make_room(slots);
	put(slots->places, slots->room,
		(struct keyring_place){ .tag = tag_of(slot->user), .slot = slots->seen });
	slots->users++;
}

/* ---- the file ---- */

/* How many whole slots it has. */
static int64_t count(int file)
{
	struct stat status;
	return fstat(file, &status) == 0 ? status.st_size / (int64_t)SLOT_SIZE : -1;
}

bool keyring_slots_is_behind(const struct keyring_slots *slots, int file)
{
	return count(file) > (int64_t)slots->seen;
}

static enum err read_some(struct keyring_slots *slots, int file, size_t n)
{
	struct keyring_slot some[READ_AT_ONCE];
	ssize_t got = pread(file, some, n * SLOT_SIZE, (off_t)slots->seen * (off_t)SLOT_SIZE);
	enum err e = got == (ssize_t)(n * SLOT_SIZE) ? OK : ERR_UNAVAILABLE;
	for (size_t i = 0; i < n && !e; i++)
		add(slots, &some[i]);
	crypto_wipe(some, sizeof(some));
	return e;
}

enum err keyring_slots_read(struct keyring_slots *slots, int file)
{
	int64_t n = count(file);
	enum err e = n < 0 || n > USERS_MAX ? ERR_UNAVAILABLE : OK;
	while (!e && n > slots->seen) {
		int64_t more = n - slots->seen;
		e = read_some(slots, file, (size_t)(more < READ_AT_ONCE ? more : READ_AT_ONCE));
	}
	return e;
}

static enum err read_slot(int file, int64_t offset, struct keyring_slot *slot)
{
	return pread(file, slot, SLOT_SIZE, offset) == (ssize_t)SLOT_SIZE ? OK : ERR_UNAVAILABLE;
}

enum err keyring_slots_find(const struct keyring_slots *slots, int file,
	const unsigned char user[UUID_BYTES], struct keyring_slot *slot, int64_t *offset)
{
	uint32_t tag = tag_of(user), at = tag & (slots->room - 1);
	for (; slots->room && slots->places[at].slot; at = (at + 1) & (slots->room - 1)) {
		if (slots->places[at].tag != tag)
			continue;
		*offset = (int64_t)(slots->places[at].slot - 1) * (int64_t)SLOT_SIZE;
		enum err e = read_slot(file, *offset, slot);
		if (e || memcmp(slot->user, user, UUID_BYTES) == 0)
			return e;
	}
	return ERR_NOT_FOUND;
}

void keyring_slots_fini(struct keyring_slots *slots)
{
	free(slots->places);
	*slots = (struct keyring_slots){ 0 };
}
