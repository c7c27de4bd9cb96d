/* What all sockets of the bus have in common (bus_impl.h): limits, and who may be at the other end
 * of a Unix socket. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/bus_impl.h"

#define RECONNECT_MIN_MS 20 /* a restarted service is back in the time it takes to start */
#define RECONNECT_MAX_MS 500 /* nobody waits longer for a service that is back */

enum err bus_socket_options(nng_socket socket)
{
	if (nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX) ||
		nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS) ||
		nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS))
		return ERR_INTERNAL;
	return OK;
}

nng_msg *message_take(nng_aio *aio)
{
	nng_msg *message = nng_aio_get_msg(aio);
	nng_aio_set_msg(aio, NULL);
	return message;
}

static void aio_end(nng_aio **aio)
{
	nng_aio_free(*aio);
	*aio = NULL;
}

void bus_socket_close(nng_socket *socket, nng_aio **send_aio, nng_aio **receive_aio)
{
	/* Receiving first: its callback sends. */
	if (*receive_aio)
		nng_aio_stop(*receive_aio);
	if (*send_aio)
		nng_aio_stop(*send_aio);
	if (nng_socket_id(*socket) > 0)
		nng_close(*socket);
	aio_end(receive_aio);
	aio_end(send_aio);
	*socket = (nng_socket)NNG_SOCKET_INITIALIZER;
}

enum err peer_uids_read(const char *text, struct peer_uids *out)
{
	*out = (struct peer_uids){ .n = 0 };
	if (!text || !*text) {
		out->uids[out->n++] = geteuid();
		return OK;
	}
	for (const char *at = text; *at;) {
		char *end;
		errno = 0;
		unsigned long uid = strtoul(at, &end, 10);
		if (*at < '0' || *at > '9' || errno || (*end && *end != ',') ||
			out->n == PEER_UIDS_MAX)
			return ERR_INVALID;
		out->uids[out->n++] = uid;
		at = *end ? end + 1 : end;
	}
	return OK;
}

bool peer_uid_is_allowed(const struct peer_uids *uids, nng_pipe pipe)
{
	uint64_t uid;
	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid))
		return false;
	for (size_t i = 0; i < uids->n; i++) {
		if (uids->uids[i] == uid)
			return true;
	}
	return false;
}
