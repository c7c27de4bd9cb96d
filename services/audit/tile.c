/*
 * The own tenant's tree in tiles of 256 hashes (C2SP tlog-tiles), read from the database: level 0
 * is hashed from the lines, the others are stored. Proofs need a few tiles each, whatever the size.
 */
#include "services/audit/tile.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "services/audit/audit.h"

#define LEVELS 7 /* 256^7 leaves are more than MERKLE_SIZE_MAX */
#define LOADED_MAX 512 /* tiles of one call: two per level and edge, for each event of a page */

static const struct problem LOG_MISSING = { ERR_NOT_FOUND, 404, "log_missing",
	"署名されたログの一部が失われています。", "A part of the signed log is no longer there." };
static const struct problem NO_TILE = { ERR_NOT_FOUND, 404, "log_no_tile",
	"署名されたログにこのタイルはありません。", "The signed log has no such tile." };

/* Of lines that are gone, the hashes that they left (retention.c). */
static const char LEAVES[] =
	"SELECT encode(coalesce("
	"(SELECT substr(p.hashes, 1, ($2::bigint - $1::bigint)::integer * 32)"
	"  FROM audit.pruned_tile p WHERE p.place = $1::bigint / 256),"
	"(SELECT string_agg(sha256('\\x00'::bytea || convert_to(e.line, 'UTF8')), ''::bytea"
	"  ORDER BY e.sequence) FROM audit.event e"
	"  WHERE e.sequence > $1::bigint AND e.sequence <= $2::bigint)), 'hex')";
static const char NODES[] =
	"SELECT encode(string_agg(n.hash, ''::bytea ORDER BY n.place), 'hex') FROM audit.node n"
	" WHERE n.level = $3::integer AND n.place >= $1::bigint AND n.place < $2::bigint";
static const char LINES[] = "SELECT e.line FROM audit.event e"
			    " WHERE e.sequence > $1::bigint AND e.sequence <= $2::bigint"
			    " ORDER BY e.sequence";

struct tile {
	unsigned level;
	uint64_t index;
	size_t n;
	struct merkle_hash hashes[TILE_WIDTH];
};

struct tiles {
	struct call *c;
	size_t n;
	struct tile *loaded[LOADED_MAX];
};

static enum err load(struct call *c, unsigned level, uint64_t index, size_t width, struct tile *out)
{
	const char *hex = NULL;
	uint64_t begin = index * TILE_WIDTH;
	const char *from = db_integer(c, (int64_t)begin);
	const char *until = db_integer(c, (int64_t)(begin + width));
	enum err e = level ? db_text(c, NODES, DB_ARGS(from, until, db_integer(c, level)), &hex)
			   : db_text(c, LEAVES, DB_ARGS(from, until), &hex);
	if (e)
		return e;
	*out = (struct tile){ .level = level, .index = index };
	for (; hex && *hex && out->n < width; hex += 2 * HASH_SIZE) {
		const char *one = arena_strndup(c->arena, hex, 2 * HASH_SIZE);
		if (crypto_from_hex(one, out->hashes[out->n++].bytes, HASH_SIZE))
			return fail(c, ERR_INTERNAL, "a tile is not hashes");
	}
	return OK;
}

static enum err find(struct tiles *tiles, unsigned level, uint64_t index, const struct tile **out)
{
	struct call *c = tiles->c;
	*out = NULL;
	for (size_t i = 0; i < tiles->n; i++) {
		*out = tiles->loaded[i];
		if ((*out)->level == level && (*out)->index == index)
			return OK;
	}
	if (tiles->n == LOADED_MAX || level >= LEVELS)
		return fail(c, ERR_INTERNAL, "a proof needs more tiles than there can be");
	struct tile *tile = arena_alloc(c->arena, sizeof(*tile));
	tiles->loaded[tiles->n++] = tile;
	*out = tile;
	return load(c, level, index, TILE_WIDTH, tile);
}

static enum err read_subtree(void *arg, unsigned level, uint64_t index, struct merkle_hash *out)
{
	struct tiles *tiles = arg;
	const struct tile *tile = NULL;
	unsigned within = level % 8;
	size_t first = (size_t)(index << within) % TILE_WIDTH, n = (size_t)1 << within;
	enum err e = find(tiles, level / 8, index << within >> 8, &tile);
	if (e || !tile)
		return e;
	if (first + n > tile->n)
		return fail_as(tiles->c, &LOG_MISSING);
	struct merkle_peaks peaks = { 0 };
	for (size_t i = 0; i < n; i++)
		merkle_append(&peaks, &tile->hashes[first + i]);
	merkle_root(&peaks, out);
	return OK;
}

struct merkle_tree tile_tree(struct call *c)
{
	struct tiles *tiles = arena_alloc(c->arena, sizeof(*tiles));
	tiles->c = c;
	return (struct merkle_tree){ .read = read_subtree, .arg = tiles };
}

/* ---- the paths of tlog-tiles ---- */

/* `067` and, with `is_last` false, `x001`. */
static bool read_element(const char *text, bool is_last, uint64_t *index)
{
	if (!is_last && *text++ != 'x')
		return false;
	if (strspn(text, "0123456789") != 3 || text[3])
		return false;
	*index = *index * 1000 + strtoull(text, NULL, 10);
	return true;
}

static bool read_small(const char *text, uint64_t most, uint64_t *out)
{
	const char *rest;
	return note_number(text, '\0', out, &rest) && *out <= most;
}

bool tile_path_read(struct arena *arena, const char *const *elements, size_t n, uint64_t *index,
	uint64_t *width)
{
	const char *last = elements[n - 1];
	*index = 0;
	*width = TILE_WIDTH;
	if (n > 1 && elements[n - 2][strcspn(elements[n - 2], ".")]) {
		if (!read_small(last, TILE_WIDTH - 1, width) || *width == 0)
			return false;
		last = elements[--n - 1];
		size_t stem = strcspn(last, ".");
		if (strcmp(last + stem, ".p") != 0)
			return false;
		last = arena_strndup(arena, last, stem);
	}
	for (size_t i = 0; i + 1 < n; i++)
		if (!read_element(elements[i], false, index))
			return false;
	return read_element(last, true, index);
}

/* ---- operations ---- */

/* The tile must be of the tree that was signed: what is not, may still be rolled back. */
static enum err check_signed(struct call *c, unsigned level, uint64_t index, uint64_t width)
{
	struct signed_tree latest;
	enum err e = checkpoint_latest(c, &latest);
	if (e)
		return e;
	uint64_t entries = latest.size >> (8 * level);
	return index * TILE_WIDTH + width <= entries ? OK : fail_as(c, &NO_TILE);
}

static enum err read_tile(struct call *c, const char *level_text, const char *const *elements,
	size_t n, struct bytes *out)
{
	uint64_t level, index, width;
	if (!read_small(level_text, LEVELS - 1, &level) ||
		!tile_path_read(c->arena, elements, n, &index, &width))
		return fail_as(c, &NO_TILE);
	enum err e = check_signed(c, (unsigned)level, index, width);
	struct tile *tile = arena_alloc(c->arena, sizeof(*tile));
	if (!e)
		e = load(c, (unsigned)level, index, (size_t)width, tile);
	if (!e && tile->n != width)
		return fail_as(c, &LOG_MISSING);
	*out = (struct bytes){ tile->hashes[0].bytes, (size_t)width * HASH_SIZE };
	return e;
}

struct bundle {
	struct buf data;
	size_t n;
};

static enum err on_line(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct bundle *bundle = arg;
	size_t length = strlen(columns[0]);
	const unsigned char head[] = { (unsigned char)(length >> 8), (unsigned char)length };
	buf_add(&bundle->data, head, sizeof(head));
	buf_add(&bundle->data, columns[0], length);
	bundle->n++;
	return OK;
}

static enum err read_entries(
	struct call *c, const char *const *elements, size_t n, struct bytes *out)
{
	uint64_t index, width;
	if (!tile_path_read(c->arena, elements, n, &index, &width))
		return fail_as(c, &NO_TILE);
	struct bundle bundle = { .data.arena = c->arena };
	enum err e = check_signed(c, 0, index, width);
	if (!e)
		e = retention_check(c, (int64_t)(index * TILE_WIDTH));
	if (!e)
		e = db_each(c, LINES,
			DB_ARGS(db_integer(c, (int64_t)(index * TILE_WIDTH)),
				db_integer(c, (int64_t)(index * TILE_WIDTH + width))),
			on_line, &bundle);
	if (!e && bundle.n != width)
		return fail_as(c, &LOG_MISSING);
	*out = (struct bytes){ (const unsigned char *)bundle.data.data, bundle.data.n };
	return e;
}

#define ELEMENTS(...)                                                                              \
	(const char *const[]){ __VA_ARGS__ },                                                      \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

enum err audit_log_tile(
	struct call *c, const struct audit_log_tile_in *in, struct audit_log_tile_out *out)
{
	return read_tile(c, in->level, ELEMENTS(in->n), &out->body);
}

enum err audit_log_tile_deep(struct call *c, const struct audit_log_tile_deep_in *in,
	struct audit_log_tile_deep_out *out)
{
	return read_tile(c, in->level, ELEMENTS(in->x, in->n), &out->body);
}

enum err audit_log_tile_deeper(struct call *c, const struct audit_log_tile_deeper_in *in,
	struct audit_log_tile_deeper_out *out)
{
	return read_tile(c, in->level, ELEMENTS(in->x, in->y, in->n), &out->body);
}

enum err audit_log_entries(
	struct call *c, const struct audit_log_entries_in *in, struct audit_log_entries_out *out)
{
	return read_entries(c, ELEMENTS(in->n), &out->body);
}

enum err audit_log_entries_deep(struct call *c, const struct audit_log_entries_deep_in *in,
	struct audit_log_entries_deep_out *out)
{
	return read_entries(c, ELEMENTS(in->x, in->n), &out->body);
}

enum err audit_log_entries_deeper(struct call *c, const struct audit_log_entries_deeper_in *in,
	struct audit_log_entries_deeper_out *out)
{
	return read_entries(c, ELEMENTS(in->x, in->y, in->n), &out->body);
}
