/*
 * Which addresses may connect at all: a file of `allow RANGE` and `deny RANGE`, one a line, `#`
 * begins a comment. The first line that holds an address decides; whom none holds is let in, so a
 * list of the only ones allowed ends with `deny 0.0.0.0/0` and `deny ::/0`.
 *
 * Only for browsers' listeners: the admin's has its own address, and must be there to mend rules.
 */
#ifndef MANABIYA_GATEWAY_SOURCE_RULES_H
#define MANABIYA_GATEWAY_SOURCE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/cidr.h"

/* Ranges in a file: all are looked through for every new connection, which takes some 10 µs. */
#define SOURCE_RULES_MAX 4096

struct source_rule {
	struct cidr range;
	bool is_allowed;
};

struct source_rules {
	size_t n;
	struct source_rule rules[SOURCE_RULES_MAX];
};

/* ERR_INVALID: *line is the first that cannot be used, counted from 1. */
must_check enum err source_rules_read(
	struct source_rules *rules, const char *text, size_t n, unsigned *line);

bool source_rules_admit(const struct source_rules *rules, const struct cidr *address);

/* The rules in use, of the file that the gateway's options name; "" for none. ERR_INVALID with a
 * logged reason: the file cannot be used, and what was in use stays. */
must_check enum err source_rules_load(const char *path);
/* Did the file change since it was last looked at, well or badly? */
bool source_rules_changed(void);
void source_rules_stop(void);

/* May this address, as text, connect? */
bool source_is_admitted(const char *address);

#endif
