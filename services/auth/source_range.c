/*
 * From which addresses the people of a tenant may come. Asked where a session begins and where it
 * is exchanged for a capability, so no handler of any service can forget it.
 *
 * The provider's own tenant has none: nobody there may put any.
 */
#include <string.h>

#include "libcommon/cidr.h"
#include "services/auth/auth.h"

static const struct problem REFUSED = { ERR_FORBIDDEN, 403, "source_refused",
	"この学校は、今お使いの場所(ネットワーク)からは利用できないように設定されています。",
	"This school has said that it is not used from where you are (your network)." };
static const struct problem LOCKS_OUT = { ERR_CONFLICT, 409, "source_locks_out",
	"今お使いの場所(ネットワーク)が含まれていないため、保存できません。",
	"Where you are (your network) is not among them, so you would lock yourself out." };

static const char RANGES[] = "SELECT array_to_string(source_ranges, ',') FROM tenant";
static const char RANGES_PUT[] = "UPDATE tenant SET source_ranges = $1::text[]";

/* Takes the next of them, which are separated by commas. */
static const char *next_range(const char **ranges, size_t *n)
{
	const char *range = *ranges;
	*n = strcspn(range, ",");
	*ranges = range + *n + (range[*n] == ',');
	return range;
}

/* An address that is none lies in no range. */
static bool holds(const char *text, size_t n, const char *source)
{
	struct cidr range, address;
	return cidr_read(source, strlen(source), &address) == OK &&
		cidr_read(text, n, &range) == OK && cidr_has(&range, &address);
}

enum err source_ranges_check(struct call *c, const char *ranges)
{
	size_t n;
	if (!*ranges)
		return OK;
	while (*ranges) {
		const char *range = next_range(&ranges, &n);
		if (holds(range, n, c->source))
			return OK;
	}
	return fail_as(c, &REFUSED);
}

enum err source_ranges_check_own(struct call *c)
{
	const char *ranges;
	enum err e = db_text(c, RANGES, DB_NONE, &ranges);
	return e ? e : source_ranges_check(c, ranges);
}

enum err auth_source_range_get(struct call *c, struct auth_source_range_get_out *out)
{
	const char *ranges;
	size_t n;
	enum err e = db_text(c, RANGES, DB_NONE, &ranges);
	if (e)
		return e;
	out->source = c->source;
	out->ranges.items = arena_array(c->arena, strlen(ranges), sizeof(const char *));
	while (*ranges) {
		const char *range = next_range(&ranges, &n);
		out->ranges.items[out->ranges.n++] = arena_strndup(c->arena, range, n);
	}
	return OK;
}

/* Whoever sets them must be able to take them back. */
static enum err check_ranges(struct call *c, const struct auth_source_range_put_in *in)
{
	enum err e = OK;
	bool has_own = in->ranges.n == 0;
	for (size_t i = 0; i < in->ranges.n; i++) {
		const char *text = in->ranges.items[i];
		struct cidr range;
		if (cidr_read(text, strlen(text), &range))
			e = fail_field(c, arena_printf(c->arena, "/ranges/%zu", i),
				"192.0.2.0/24 や 2001:db8::/32 のように書いてください。",
				"Write it like 192.0.2.0/24 or 2001:db8::/32.");
		else
			has_own |= holds(text, strlen(text), c->source);
	}
	if (e)
		return e;
	return has_own ? OK : fail_as(c, &LOCKS_OUT);
}

/*
 * Every session of the tenant is looked at anew: those outside are refused at once. (Of a session
 * that begins in the same moment the cache may keep what it was before, for ten seconds.)
 */
static enum err put(struct call *c, const char *const *ranges, size_t n)
{
	enum err e = db_exec_one(c, RANGES_PUT, DB_ARGS(db_text_array(c, ranges, n)));
	return e ? e : sessions_renew(c, NULL);
}

enum err auth_source_range_put(struct call *c, const struct auth_source_range_put_in *in)
{
	enum err e = check_ranges(c, in);
	c->object_id = c->actor->tenant_id;
	return e ? e : put(c, in->ranges.items, in->ranges.n);
}

/* A school whose network has got other addresses cannot help itself. */
enum err auth_source_range_lift(struct call *c, const struct auth_source_range_lift_in *in)
{
	c->object_id = in->tenant_id;
	enum err e = db_enter(c, tenant_key_of(c, in->tenant_id));
	if (!e)
		e = put(c, NULL, 0);
	/* The record of this belongs to the operator who did it. */
	return e ? e : db_enter(c, c->actor->tenant_key);
}
