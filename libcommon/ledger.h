/*
 * The ledger: which transactions have changed rows of tenants, and which events they have written.
 *
 * Triggers of the database fill it (migrations/0005_ledger.sql), so no code of a service can forget
 * to, and no service may read or write it. What agrees goes within the database; the job here tells
 * audit the rest: events that have left the outbox, changes that nothing explains, and which of the
 * events that audit asks about this service has never written (services/audit/completeness.c).
 */
#ifndef MANABIYA_LEDGER_H
#define MANABIYA_LEDGER_H

#include <stdbool.h>

#include "libcommon/err.h"

struct call;

/* A job of the skeleton (service.h). While auth or audit is away it waits; then the ledger grows by
 * one row for each event and changed table, as the outbox does, whose bound is its bound. */
must_check enum err ledger_run(struct call *c, bool *more);

#endif
