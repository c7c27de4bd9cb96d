/*
 * Audit records: one OCSF 1.8 object (https://schema.ocsf.io/1.8.0) on one line, at most
 * OCSF_LINE_MAX bytes, without personal data: people and things are named by their ids.
 *
 * `metadata` is the last member, so that the log can add metadata.sequence without parsing the
 * line.
 */
#ifndef MANABIYA_OCSF_H
#define MANABIYA_OCSF_H

#include "libcommon/call.h"

#define OCSF_LINE_MAX 8000 /* rsyslog's default limit is 8 KiB with its own header */

/* What the finished call did (c->failure says whether it failed), as a line in the arena. */
const char *ocsf_line(const struct call *c, const char *event_id, int64_t unix_ms);

#endif
