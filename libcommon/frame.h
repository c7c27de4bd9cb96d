/*
 * Bus frames as bytes: what one request, reply or event looks like inside a bus message. Pure code,
 * no sockets; fuzzed.
 *
 * A message is a run of frames. All integers are little-endian. A frame:
 *   u32 size of what follows · u8 kind · u8 flags · u16 status · u64 id · u32 time left (ms)/class
 * · i64 window offset · i64 window length/total · then FRAME_TEXTS texts, each u32 length + bytes
 * (the last is the body).
 */
#ifndef MANABIYA_FRAME_H
#define MANABIYA_FRAME_H

#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

#define FRAME_MAX                                                                                  \
	(6 * 1024 * 1024) /* a streamed window is 1 MiB; the largest whole body is a CSV import    \
			     of 4 MiB */
#define MESSAGE_MAX (8 * 1024 * 1024) /* a message; RECVMAXSZ of every socket */

/* The length of a stream that is made as it goes. Its offsets are in whatever its handler counts:
 * the first window's is 0, and each reply says the next one's. */
#define BYTES_UNKNOWN (-1)

enum frame_kind {
	FRAME_REQUEST = 1,
	FRAME_REPLY,
	FRAME_EVENT,
	FRAME_SUBSCRIBE,
	FRAME_PING,
	FRAME_PONG,
	FRAME_PROBE, /* answered by a worker with FRAME_PROBED: is work done there? */
	FRAME_PROBED,
	FRAME_CANCEL, /* nobody waits for the request of this id any more */
	FRAME_DRAINING, /* callee: send nothing more; the caller answers with FRAME_DRAINED… */
	FRAME_DRAINED, /* …behind the last request that it had sent before it knew */
};

enum frame_flag {
	FRAME_LAST_WINDOW = 1 << 0,
	FRAME_CONTINUED = 1 << 1,
	FRAME_ENGLISH = 1 << 2,
	FRAME_EXECUTED = 1 << 3, /* reply: the handler ran (else a retry elsewhere is safe) */
};

enum frame_text {
	TEXT_OPERATION, /* request: operation; reply: err name; event: topic */
	TEXT_CAPABILITY,
	TEXT_SOURCE, /* request: the client's address as text, for throttling and the log */
	TEXT_IDEMPOTENCY_KEY,
	TEXT_TRACEPARENT,
	TEXT_PARAMS, /* request: name=value&…; reply: HTTP header lines */
	TEXT_CONTENT_TYPE,
	TEXT_BODY,
	FRAME_TEXTS,
};

struct frame {
	uint8_t kind;
	uint8_t flags;
	uint16_t status; /* reply: HTTP status; reply to a limited request: Retry-After is in the
			    header lines */
	uint64_t id;
	uint32_t time_left_ms; /* reply: the gravest class that the call was about, enum label */
	int64_t window_offset; /* reply: total bytes of the streamed whole, or BYTES_UNKNOWN */
	int64_t window_length; /* reply with BYTES_UNKNOWN: the next offset; 0: none */
	struct bytes texts[FRAME_TEXTS]; /* point into the message they were read from */
};

/* Write exactly frame_size() bytes. */
void frame_write(const struct frame *frame, unsigned char *out);
size_t frame_size(const struct frame *frame);

/* Bytes of a text, without its NUL; NULL is the empty text. */
struct bytes frame_text(const char *text);

/* Read the frame at *at and move *at past it. ERR_INVALID for anything that does not fit,
 * ERR_NOT_FOUND at the end. Kinds that are not known are for the reader to pass over: instances of
 * two versions talk to each other during an update. */
must_check enum err frame_read(struct bytes message, size_t *at, struct frame *out);

#endif
