/* The head of an HTTP/1 request, read into an exchange. */
#ifndef MANABIYA_GATEWAY_HTTP1_H
#define MANABIYA_GATEWAY_HTTP1_H

#include <stdbool.h>
#include <stddef.h>

struct request;
struct arena;

/* What a head says besides the request itself. */
struct http1_head {
	unsigned refusal; /* 0, or the status to refuse with */
	bool is_chunked, is_last /* no keep-alive */, expects_continue;
};

/* `data` is a whole head as head_scan() found it. The request's texts are made in the arena. */
void http1_read_head(struct request *request, struct arena *arena, const char *data, size_t n,
	struct http1_head *head);

#endif
