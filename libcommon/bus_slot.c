/*
 * The requests that are under way to one instance (bus_impl.h): a table of the window's size, and
 * who ends them when no reply does.
 */
#include <string.h>

#include "libcommon/bus_impl.h"

#define INDEX_MASK ((1u << ID_SLOT_BITS) - 1)

struct slot *slot_take(struct instance *instance)
{
	int64_t left = instance->bus->options.window - instance->outstanding;
	uint16_t index = instance->free_slots[left - 1];
	struct slot *slot = &instance->slots[index];
	instance->outstanding++;
	*slot = (struct slot){ .id = ++instance->counter << ID_SLOT_BITS | index };
	return slot;
}

struct slot *slot_find(struct instance *instance, uint64_t id)
{
	uint64_t index = id & INDEX_MASK;
	if (!id || (int64_t)index >= instance->bus->options.window)
		return NULL;
	struct slot *slot = &instance->slots[index];
	return slot->id == id ? slot : NULL;
}

void slot_free(struct instance *instance, struct slot *slot)
{
	instance->outstanding_bytes -= slot->bytes;
	slot->id = 0;
	int64_t left = instance->bus->options.window - instance->outstanding--;
	instance->free_slots[left] = (uint16_t)(slot - instance->slots);
}

bool slot_was_sent(const struct instance *instance, const struct slot *slot)
{
	return slot->batch < instance->outbox.taken;
}

int64_t slot_oldest_ms(const struct instance *instance)
{
	int64_t oldest_ms = 0;
	for (int64_t i = 0; instance->outstanding && i < instance->bus->options.window; i++) {
		const struct slot *slot = &instance->slots[i];
		if (slot->id && (!oldest_ms || slot->sent_ms < oldest_ms))
			oldest_ms = slot->sent_ms;
	}
	return oldest_ms;
}

bool slot_tenant_has_room(const struct instance *instance, uint64_t tenant)
{
	const struct bus_options *options = &instance->bus->options;
	int64_t most = options->window * options->tenant_share / 100, n = 0;
	if (most < 1)
		most = 1;
	if (!tenant || instance->outstanding < most)
		return true;
	for (int64_t i = 0; i < options->window; i++)
		n += instance->slots[i].id && instance->slots[i].tenant == tenant;
	return n < most;
}

void reply_failed(bus_on_reply *on_reply, void *arg, unsigned status, bool executed)
{
	struct bus_reply reply = { .err = ERR_UNAVAILABLE, .status = status, .executed = executed };
	if (on_reply)
		on_reply(arg, &reply);
}

/* The next slot from `*at` on whose time has come, taken out of the table. */
static bool take_due(struct instance *instance, int64_t *at, int64_t now_ms, bool all,
	struct slot *out, bool *was_sent)
{
	for (; instance->outstanding && *at < instance->bus->options.window; ++*at) {
		struct slot *slot = &instance->slots[*at];
		if (!slot->id || (!all && slot->deadline_ms > now_ms))
			continue;
		*was_sent = slot_was_sent(instance, slot);
		*out = *slot;
		slot_free(instance, slot);
		if (!all && out->on_reply)
			breaker_on_timeout(&instance->breaker, now_ms);
		return true;
	}
	return false;
}

void slots_fail(struct instance *instance, int64_t now_ms, bool all, unsigned status)
{
	struct slot slot;
	int64_t at = 0;
	for (;;) {
		bool was_sent;
		pthread_mutex_lock(&instance->lock);
		bool found = take_due(instance, &at, now_ms, all, &slot, &was_sent);
		pthread_mutex_unlock(&instance->lock);
		if (!found)
			return;
		reply_failed(slot.on_reply, slot.arg, status, was_sent);
	}
}
