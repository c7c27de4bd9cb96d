/*
 * Asks once, by HTTP or over the bus. It never turns certificate checks off: a wrong CA is an
 * answer, too.
 */
#include "ctl/health.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libcommon/bus.h"
#include "libcommon/clock.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"

#define TIMEOUT_MS 5000 /* a system that needs longer is not ready */
#define STATUS_NONE 0 /* no answer */
#define EXIT_NO_ANSWER 6

struct settings {
	const char *url;
	const char *ca;
	const char *certificate, *key; /* "" for none */
	const char *service;
	const char *bus_keys;
};

/* ---- by HTTP ---- */

static CURLcode get(const struct settings *settings, long *status)
{
	CURL *handle = curl_easy_init();
	if (!handle)
		return CURLE_FAILED_INIT;
	CURLcode code = curl_easy_setopt(handle, CURLOPT_URL, settings->url);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	if (!code && settings->ca[0])
		code = curl_easy_setopt(handle, CURLOPT_CAINFO, settings->ca);
	if (!code && settings->certificate[0])
		code = curl_easy_setopt(handle, CURLOPT_SSLCERT, settings->certificate);
	if (!code && settings->key[0])
		code = curl_easy_setopt(handle, CURLOPT_SSLKEY, settings->key);
	if (!code)
		code = curl_easy_perform(handle); /* the body goes to stdout */
	if (!code)
		code = curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(handle);
	return code;
}

static long ask_http(const struct settings *settings)
{
	long status = STATUS_NONE;
	CURLcode code = get(settings, &status);
	if (!code)
		return status;
	log_error("%s: %s", settings->url, curl_easy_strerror(code));
	return STATUS_NONE;
}

/* ---- over the bus ---- */

/* Until the handshake is done there is nobody to ask. */
static bool is_linked(struct bus *bus, const char *service)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t end = clock_steady_ms() + TIMEOUT_MS;
	while (!bus_is_up(bus, service) && clock_steady_ms() < end)
		(void)nanosleep(&pause, NULL);
	return bus_is_up(bus, service);
}

static long ask_linked(struct bus *bus, struct arena *arena, const char *service)
{
	const struct bus_request request = {
		.service = service,
		.operation = "service_health",
		.capability = "",
		.source = "",
		.idempotency_key = "",
		.traceparent = "",
		.content_type = "",
		.timeout_ms = TIMEOUT_MS,
	};
	struct bus_reply reply = { .status = STATUS_NONE };
	enum err e = bus_call(bus, arena, &request, &reply);
	if (e && !reply.executed) {
		log_error("%s does not answer", service);
		return STATUS_NONE;
	}
	(void)printf("%.*s\n", (int)reply.body.n, (const char *)reply.body.data);
	return reply.status;
}

/* As the gateway, the only one whom services tell about themselves; its key lies with each. */
static long ask_service(const struct settings *settings)
{
	crypto_start();
	struct arena *arena = arena_new();
	struct bus *bus = bus_open(&(struct bus_options){
		.name = "gateway",
		.peers = arena_printf(arena, "%s=%s", settings->service, settings->url),
		.key_directory = settings->bus_keys,
		.window = 1,
		.queue_max = 1,
	});
	long status = STATUS_NONE;
	if (bus && is_linked(bus, settings->service))
		status = ask_linked(bus, arena, settings->service);
	else
		log_error("%s: no link to %s", settings->url, settings->service);
	if (bus)
		bus_close(bus);
	arena_free(arena);
	return status;
}

int health_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "url", OPTION_TEXT, NULL, offsetof(struct settings, url), 1, 2000,
			"what to ask, e.g. https://localhost:9443/readyz or tcp://127.0.0.1:7001" },
		{ "ca", OPTION_TEXT, "", offsetof(struct settings, ca), 0, 4000,
			"file with the certificate authority; default: the system's" },
		{ "certificate", OPTION_TEXT, "", offsetof(struct settings, certificate), 0, 4000,
			"PEM file with the certificate to show, where one is demanded" },
		{ "key", OPTION_TEXT, "", offsetof(struct settings, key), 0, 4000,
			"PEM file with its private key" },
		{ "service", OPTION_TEXT, "", offsetof(struct settings, service), 0, 32,
			"the service that listens there on the bus; empty: ask by HTTP" },
		{ "bus-keys", OPTION_TEXT, "", offsetof(struct settings, bus_keys), 0, 4000,
			"directory with gateway-<service>.key, for --service" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	log_open("manabiyactl", LOG_LEVEL_WARNING);
	long status = settings.service[0] ? ask_service(&settings) : ask_http(&settings);
	if (status == STATUS_NONE)
		return EXIT_NO_ANSWER;
	return status == 200 ? 0 : 1;
}
