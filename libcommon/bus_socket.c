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
