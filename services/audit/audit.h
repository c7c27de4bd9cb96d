/* What the files of audit share: the pipeline's option and job. */
#ifndef MANABIYA_AUDIT_H
#define MANABIYA_AUDIT_H

#include "audit_proto.h"
#include "libcommon/call.h"

/* What is not about any contract, such as a login to one that does not exist, is the operator's to
 * know: it lies in the log of the operator's own tenant. */
#define OPERATOR_TENANT "00000000-0000-7000-8000-000000000001"

/* Which tenant's log a stored or coming line belongs to; NULL if metadata.tenant_uid is no UUID. */
struct json;
const char *event_tenant(const struct json *line);

/* The NDJSON file of the log pipeline; "" for none. Set at start, before the first job. */
extern const char *pipeline_file;

/* Append what is new to the file. A job (service.h). */
must_check enum err pipeline_run(struct call *c, bool *more);

#endif
