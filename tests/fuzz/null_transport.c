/*
 * The transport that is none: stands for connection.c, tls.c and server.c, so that a protocol can
 * be played with bytes alone. Time stands still, nothing is sent.
 */
#include "services/gateway/connection.h"
#include "services/gateway/server.h"

static const struct gateway_conf conf = {
	.head_timeout_ms = 1,
	.idle_timeout_ms = 1,
	.streams_max = 100,
	.head_max_bytes = 32768,
	.head_fields_max = 100,
	.http2_stream_window_kib = 256,
	.http2_connection_window_kib = 1024,
	.http2_control_burst = 512,
	.http2_control_rate = 50,
	.http2_reset_burst = 200,
	.http2_reset_rate = 20,
};

int64_t connection_now(const struct connection *c)
{
	return 0;
}

const struct gateway_conf *connection_conf(const struct connection *c)
{
	return &conf;
}

void connection_touch(struct connection *c)
{
	c->is_touched = true;
}

void connection_end(struct connection *c)
{
	if (c->state == CONNECTION_OPEN)
		c->state = CONNECTION_FLUSHING;
}

void connection_kill(struct connection *c)
{
	c->state = CONNECTION_DEAD;
}

void connection_wait(struct connection *c, enum wait wait)
{
	c->wait = wait;
}

bool server_is_draining(const struct server *server)
{
	return false;
}

struct arena *server_arena(struct server *server)
{
	return arena_new();
}

void server_arena_return(struct server *server, struct arena *arena)
{
	arena_free(arena);
}
