/*
 * A sink: syslog messages (RFC 5424) over TLS with octet counting (RFC 5425).
 *
 * Syslog acknowledges nothing. So each batch has a connection of its own, and is safe when the
 * receiver, told that nothing more comes, has ended it: it has read everything by then. What it
 * does with what it read is its own (docs/operations.md says how rsyslog is set up not to lose it).
 *
 * The message is the stored line byte for byte, without a byte order mark in front, so that it is
 * still the line that the log's proofs are about.
 */
#include <string.h>

#include "libcommon/clock.h"
#include "services/audit/sink.h"
#include "services/audit/tls_client.h"

#define FACILITY_AUDIT 13 /* log audit */
#define SEVERITY_WARNING 4
#define SEVERITY_INFORMATIONAL 6
#define MSGID_MAX 32
#define HOST_NAME_MAX_BYTES 255

/* PRINTUSASCII: what a header's field may hold. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static const char *host_name(void)
{
	const char *name = sink_conf.host_name;
	return *name && strlen(name) <= HOST_NAME_MAX_BYTES && is_printable(name) ? name : "-";
}

/* <PRI>VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG */
void syslog_frame(const struct sink_event *event, struct buf *out)
{
	struct buf header = { .arena = out->arena };
	char time[TIMESTAMP_SIZE];
	int severity = event->has_failed ? SEVERITY_WARNING : SEVERITY_INFORMATIONAL;
	clock_format(event->unix_ms, time);
	buf_printf(&header, "<%d>1 %s %s manabiya - %.*s - ", FACILITY_AUDIT * 8 + severity, time,
		host_name(), MSGID_MAX, event->operation);
	buf_printf(out, "%zu ", header.n + strlen(event->line));
	buf_add(out, header.data, header.n);
	buf_text(out, event->line);
}

static enum err send_batch(struct call *c, const struct batch *batch)
{
	const struct tls_server server = {
		.address = sink_conf.syslog,
		.ca_file = sink_conf.syslog_ca,
		.certificate = sink_conf.syslog_certificate,
		.key = sink_conf.syslog_key,
		.total_ms = SINK_SEND_MS,
	};
	struct tls_client *client;
	struct buf text = { .arena = c->arena };
	for (size_t i = 0; i < batch->n; i++)
		syslog_frame(&batch->events[i], &text);
	enum err e = tls_client_open(c, &server, &client);
	if (!e)
		e = tls_client_write(c, client, text.data, text.n);
	if (!e)
		e = tls_client_finish(c, client);
	tls_client_close(client);
	return e;
}

struct sink sink_syslog = { .name = "syslog", .send = send_batch };

enum err sink_syslog_run(struct call *c, bool *more)
{
	return *sink_conf.syslog ? pipeline_run(c, &sink_syslog, more) : OK;
}
