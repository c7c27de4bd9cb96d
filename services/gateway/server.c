/*
 * The gateway's server: listens, accepts within limits, and drains when it
 * is told to stop. One per process, on the loop's thread.
 */
#include "services/gateway/server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcommon/arena.h"
#include "libcommon/log.h"
#include "services/gateway/certificates.h"
#include "services/gateway/connection.h"
#include "services/gateway/listener.h"
#include "services/gateway/loop.h"
#include "services/gateway/source.h"
#include "services/gateway/source_rules.h"

enum {
	ACCEPTS_PER_EVENT = 32, /* then those who are connected already get their turn */
	ARENAS_KEPT = 64, /* about as many requests as are under way at the same time */
	ACCEPT_PAUSE_MS = 100, /* when there are no descriptors left */
	UNSENT_MAX = 128 * 1024, /* bytes that the kernel takes ahead of what it can send */
	OTHER_DESCRIPTORS = 256, /* bus, files, listeners */
};

struct server {
	const struct gateway_conf *conf;
	struct loop *loop;
	int listeners[LISTENERS_MAX];
	size_t listeners_n, public_n; /* the first public_n are not the admin's */
	struct connection *connections;
	int64_t connections_n;
	struct sources *sources;
	struct arena *arenas[ARENAS_KEPT];
	size_t arenas_n;
	bool is_draining;
	int reload_fd;
	struct timer *accept_timer, *stop_timer, *rules_timer;
	char scratch[READ_SIZE];
};

static struct server server;

struct loop *server_loop(const struct server *of)
{
	return of->loop;
}

const struct gateway_conf *server_conf(const struct server *of)
{
	return of->conf;
}

char *server_scratch(struct server *of)
{
	return of->scratch;
}

bool server_is_draining(const struct server *of)
{
	return of->is_draining;
}

struct arena *server_arena(struct server *of)
{
	return of->arenas_n ? of->arenas[--of->arenas_n] : arena_new();
}

void server_arena_return(struct server *of, struct arena *arena)
{
	if (of->arenas_n == ARENAS_KEPT) {
		arena_free(arena);
		return;
	}
	arena_reset(arena);
	of->arenas[of->arenas_n++] = arena;
}

void server_joined(struct server *of, struct connection *c)
{
	c->next = of->connections;
	c->link = &of->connections;
	if (c->next)
		c->next->link = &c->next;
	of->connections = c;
	of->connections_n++;
}

void server_left(struct server *of, struct connection *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	of->connections_n--;
	sources_leave(of->sources, c->source_key);
	if (of->is_draining && of->connections_n == 0)
		loop_stop(of->loop);
}

/* ---- accepting ---- */

static bool is_admin_listener(int fd)
{
	for (size_t i = 0; i < server.public_n; i++) {
		if (server.listeners[i] == fd)
			return false;
	}
	return true;
}

static void welcome(int fd, const struct sockaddr_storage *address, bool is_admin)
{
	char text[INET6_ADDRSTRLEN];
	const int on = 1, unsent = UNSENT_MAX;
	struct source source = source_of(address, text);
	unsigned of_source = sources_join(server.sources, source);
	/* The admin listener is for probes: it must work when the public one is flooded. */
	if (!is_admin &&
		(!source_is_admitted(text) ||
			server.connections_n >= server.conf->connections_max ||
			of_source > server.conf->connections_per_source)) {
		sources_leave(server.sources, source);
		close(fd);
		return;
	}
	/* Failures only cost speed. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
	connection_new(&server, fd, text, source, is_admin);
}

static void set_accepting(unsigned events)
{
	for (size_t i = 0; i < server.listeners_n; i++)
		loop_change(server.loop, server.listeners[i], events);
}

static void on_accept_pause_over(void *arg)
{
	server.accept_timer = NULL;
	set_accepting(LOOP_READ);
}

/* Out of descriptors: the connection stays readable, so look away for a while. */
static void pause_accepting(void)
{
	if (server.accept_timer)
		return;
	log_warning("no descriptors for more connections");
	set_accepting(0);
	server.accept_timer = loop_after(server.loop, ACCEPT_PAUSE_MS, on_accept_pause_over, NULL);
}

static void on_listener(void *arg, unsigned events)
{
	int listener = *(const int *)arg;
	for (unsigned i = 0; i < ACCEPTS_PER_EVENT; i++) {
		struct sockaddr_storage address;
		socklen_t n = sizeof address;
		int fd = accept4(
			listener, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(fd, &address, is_admin_listener(listener));
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting();
		if (errno != ECONNABORTED && errno != EINTR)
			return; /* EAGAIN: all are in */
	}
}

/* ---- what is read again ---- */

/* Rules bind those who are in already, too. */
static void reload_rules(void)
{
	if (source_rules_load(server.conf->source_rules))
		return; /* logged; the old ones stay */
	for (struct connection *c = server.connections, *next; c; c = next) {
		next = c->next;
		if (!c->is_admin && !source_is_admitted(c->source))
			connection_kill(c);
	}
}

static void on_look_at_rules(void *arg)
{
	if (source_rules_changed())
		reload_rules();
	server.rules_timer =
		loop_after(server.loop, server.conf->tls_check_ms, on_look_at_rules, NULL);
}

static void on_hangup_signal(int number)
{
	int kept = errno;
	ssize_t n = write(server.reload_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	(void)n; /* full: a reload is due anyway */
	errno = kept;
}

static void on_reload(void *arg, unsigned events)
{
	uint64_t count;
	if (read(server.reload_fd, &count, sizeof count) != (ssize_t)sizeof count)
		return;
	enum err ignored = certificates_reload(); /* logged; what is in use is good */
	(void)ignored;
	reload_rules();
}

static void watch_hangup(void)
{
	struct sigaction action = { .sa_handler = on_hangup_signal, .sa_flags = SA_RESTART };
	sigemptyset(&action.sa_mask);
	server.reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server.reload_fd < 0 || sigaction(SIGHUP, &action, NULL) != 0)
		abort(); /* at start: no descriptors at all */
	loop_add(server.loop, server.reload_fd, LOOP_READ, on_reload, NULL);
}

/* ---- start and stop ---- */

static void raise_descriptor_limit(const struct gateway_conf *conf)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)conf->connections_max + OTHER_DESCRIPTORS;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed)
		log_warning("the limit on open files is below connections-max");
}

enum err server_start(const struct gateway_conf *conf, struct loop *loop)
{
	server.conf = conf;
	server.loop = loop;
	server.is_draining = false;
	watch_hangup(); /* before anybody can know that we are there: it would end the process */
	enum err e = certificates_start(conf, loop);
	if (!e)
		e = source_rules_load(conf->source_rules);
	if (!e)
		e = listener_open(conf->listen, server.listeners, &server.listeners_n);
	server.public_n = server.listeners_n;
	if (!e)
		e = listener_open(conf->admin_listen, server.listeners, &server.listeners_n);
	if (e)
		return e;
	raise_descriptor_limit(conf);
	server.sources = sources_new();
	for (size_t i = 0; i < server.listeners_n; i++)
		loop_add(loop, server.listeners[i], LOOP_READ, on_listener, &server.listeners[i]);
	on_look_at_rules(NULL);
	return OK;
}

static void stop_listening(void)
{
	loop_cancel(server.loop, server.accept_timer);
	server.accept_timer = NULL;
	for (size_t i = 0; i < server.listeners_n; i++) {
		loop_remove(server.loop, server.listeners[i]);
		close(server.listeners[i]);
	}
	server.listeners_n = 0;
}

static void on_time_over(void *arg)
{
	server.stop_timer = NULL;
	loop_stop(server.loop);
}

/* Let the loop go on until the last connection has left, at most so long. */
static void run_for(int64_t time_ms)
{
	if (server.connections_n == 0)
		return;
	server.stop_timer = loop_after(server.loop, time_ms, on_time_over, NULL);
	loop_run(server.loop);
	loop_cancel(server.loop, server.stop_timer);
	server.stop_timer = NULL;
}

void server_stop(void)
{
	struct connection *next;
	stop_listening();
	server.is_draining = true;
	for (struct connection *c = server.connections; c; c = next) {
		next = c->next;
		connection_drain(c);
	}
	run_for(server.conf->drain_ms);
	for (struct connection *c = server.connections; c; c = next) {
		next = c->next;
		connection_kill(c);
	}
	run_for(0);
	loop_remove(server.loop, server.reload_fd);
	signal(SIGHUP, SIG_IGN);
	close(server.reload_fd);
	while (server.arenas_n)
		arena_free(server.arenas[--server.arenas_n]);
	sources_free(server.sources);
	loop_cancel(server.loop, server.rules_timer);
	server.rules_timer = NULL;
	source_rules_stop();
	certificates_stop();
}
