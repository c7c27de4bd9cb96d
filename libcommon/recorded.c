/* The table of recorded.h: what makes calls alike is hashed, each hash has one place, and the
 * newest takes it. */
#include "libcommon/recorded.h"

#include <pthread.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/ocsf.h"
#include "libcommon/service.h"

/* People who look at videos at the same time, several schools of them; 40 KiB. */
#define PLACES 1024

static struct {
	pthread_mutex_t lock;
	struct {
		unsigned char what[HASH_SIZE];
		int64_t until_ms; /* 0: empty */
	} places[PLACES];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* All that its event says, but when it was and which call; and the session, which it does not say.
 * False: it shares none. */
static bool hash_of(const struct call *c, unsigned char what[HASH_SIZE])
{
	if (!c->op->audit_shared_s || !*c->actor->session_id)
		return false;
	struct call same = *c;
	same.call_id = c->actor->session_id;
	const char *line = ocsf_line(&same, "", 0);
	crypto_sha256(line, strlen(line), what);
	return true;
}

static size_t place_of(const unsigned char *what)
{
	return (what[0] | (size_t)what[1] << 8) % PLACES;
}

bool recorded_lately(const struct call *c)
{
	unsigned char what[HASH_SIZE];
	if (!hash_of(c, what))
		return false;
	size_t i = place_of(what);
	pthread_mutex_lock(&table.lock);
	bool is_known = clock_steady_ms() < table.places[i].until_ms &&
		memcmp(table.places[i].what, what, HASH_SIZE) == 0;
	pthread_mutex_unlock(&table.lock);
	return is_known;
}

void recorded_note(const struct call *c)
{
	unsigned char what[HASH_SIZE];
	if (!hash_of(c, what))
		return;
	size_t i = place_of(what);
	pthread_mutex_lock(&table.lock);
	memcpy(table.places[i].what, what, HASH_SIZE);
	table.places[i].until_ms = clock_steady_ms() + c->op->audit_shared_s * INT64_C(1000);
	pthread_mutex_unlock(&table.lock);
}

void recorded_forget(void)
{
	pthread_mutex_lock(&table.lock);
	memset(table.places, 0, sizeof(table.places));
	pthread_mutex_unlock(&table.lock);
}
