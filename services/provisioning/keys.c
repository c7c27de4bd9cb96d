/* What provisioning keeps sealed, and how much of it lies under which version of the tenant's key.
 */
#include "libcommon/algorithms.h"
#include "libcommon/clock.h"
#include "libcommon/keyring.h"
#include "services/provisioning/provisioning.h"

const struct sealed_column provisioning_sealed[PROVISIONING_SEALED_N] = {
	SEALED_COLUMN("person", "id", "name", "name", "person.name"),
	SEALED_FOUND("person", "id", "login", "name", "person.login", "person.login_index"),
};

static const char *time_text(struct call *c, int64_t unix_ms)
{
	char *text = arena_alloc(c->arena, TIMESTAMP_SIZE);
	clock_format(unix_ms, text);
	return text;
}

#define VERSIONS_MAX 1000 /* the contract's bound; a rotation a day for three years */

/* The latest versions, the newest last; those in between may be destroyed already. */
static enum err list_versions(struct call *c, struct provisioning_keys_part_out *out)
{
	uint32_t newest = 0;
	enum err e = keyring_newest(c->keyring, c->actor->tenant_id, &newest);
	out->versions.items = arena_array(c->arena, VERSIONS_MAX, sizeof(*out->versions.items));
	uint32_t first = newest > VERSIONS_MAX ? newest - VERSIONS_MAX + 1 : 1;
	for (uint32_t version = first; version <= newest && !e; version++) {
		int64_t made_ms;
		e = keyring_made(c->keyring, c->actor->tenant_id, version, &made_ms);
		if (!e)
			out->versions.items[out->versions.n++] =
				(struct provisioning_key_version){ .version = version,
					.made_at = time_text(c, made_ms) };
		e = e == ERR_NOT_FOUND ? OK : e;
	}
	return e ? fail(c, ERR_UNAVAILABLE, "keyring: %s", err_name(e)) : OK;
}

enum err provisioning_keys_part(struct call *c, struct provisioning_keys_part_out *out)
{
	enum err e = list_versions(c, out);
	return e ? e : reseal_count(c, &common_sealed_count_shape, &out->sealed);
}

/* ---- what all of it is sealed with ---- */

static struct provisioning_algorithm algorithm_of(struct call *c, const struct algorithm *row)
{
	struct provisioning_algorithm out = { .use = row->use, .name = row->name };
	out.figures.items =
		arena_array(c->arena, ALGORITHM_FIGURES_MAX, sizeof(*out.figures.items));
	for (size_t n = 0; n < ALGORITHM_FIGURES_MAX && row->figures[n].unit; n++)
		out.figures.items[out.figures.n++] =
			(struct provisioning_algorithm_figure){ .unit = row->figures[n].unit,
				.value = row->figures[n].value };
	return out;
}

enum err provisioning_algorithm_list(struct call *c, struct provisioning_algorithm_list_out *out)
{
	out->items.items = arena_array(c->arena, algorithms_n, sizeof(*out->items.items));
	for (size_t i = 0; i < algorithms_n; i++)
		out->items.items[out->items.n++] = algorithm_of(c, &algorithms[i]);
	return OK;
}
