/* Addresses to listening sockets. IPv6 sockets take IPv6 alone: what is listed is what is served.
 */
#include "services/gateway/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcommon/log.h"

enum {
	ADDRESS_MAX = 256,
	/* Connections that wait to be accepted while the loop is busy; the kernel's own maximum
	 * (somaxconn) caps it. */
	BACKLOG = 4096,
};

static enum err complain(const char *address, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "cannot listen", LOG_TEXT("address", address),
		LOG_TEXT("reason", reason));
	return ERR_INVALID;
}

static void log_address(int fd)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof address;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getsockname(fd, (struct sockaddr *)&address, &n) == 0 &&
		getnameinfo((struct sockaddr *)&address, n, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		log_event(LOG_LEVEL_INFO, "listening", LOG_TEXT("host", host),
			LOG_TEXT("port", port));
}

static int open_one(const struct addrinfo *info)
{
	const int on = 1;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		(info->ai_family == AF_INET6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
		bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int reason = errno;
		close(fd);
		errno = reason;
		return -1;
	}
	return fd;
}

/* `address` is HOST:PORT or [HOST]:PORT; it is taken apart in place. */
static enum err open_address(char *address, int *fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *info = NULL;
	char *colon = strrchr(address, ':');
	if (!colon || colon == address)
		return complain(address, "not HOST:PORT");
	*colon = 0;
	char *host = address;
	if (*host == '[' && colon[-1] == ']') {
		colon[-1] = 0;
		host++;
	}
	int failed = getaddrinfo(host, colon + 1, &hints, &info);
	if (failed)
		return complain(host, gai_strerror(failed));
	*fd = open_one(info);
	freeaddrinfo(info);
	return *fd < 0 ? complain(host, strerror(errno)) : OK;
}

enum err listener_open(const char *list, int fds[LISTENERS_MAX], size_t *n)
{
	while (*list) {
		char address[ADDRESS_MAX];
		size_t length = strcspn(list, ",");
		if (length >= sizeof address || *n == LISTENERS_MAX)
			return complain(list, "too long a list");
		memcpy(address, list, length);
		address[length] = 0;
		enum err e = open_address(address, &fds[*n]);
		if (e)
			return e;
		log_address(fds[(*n)++]);
		list += length + (list[length] == ',');
	}
	return OK;
}
