/* What connections share: the loop, the limits, and arenas that go from request to request. */
#ifndef MANABIYA_GATEWAY_SERVER_H
#define MANABIYA_GATEWAY_SERVER_H

#include <stdbool.h>

#include "services/gateway/app.h"

struct connection;
struct server;

struct loop *server_loop(const struct server *server);
const struct gateway_conf *server_conf(const struct server *server);

/* An empty arena, and its way back. */
struct arena *server_arena(struct server *server);
void server_arena_return(struct server *server, struct arena *arena);

/* The place where a read puts its bytes: READ_SIZE, for the time of one callback. */
char *server_scratch(struct server *server);

void server_joined(struct server *server, struct connection *c);
void server_left(struct server *server, struct connection *c);
bool server_is_draining(const struct server *server);

#endif
