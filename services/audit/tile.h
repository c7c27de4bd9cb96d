/* The own tenant's Merkle tree as C2SP's tlog-tiles cuts it, read from the database. */
#ifndef MANABIYA_AUDIT_TILE_H
#define MANABIYA_AUDIT_TILE_H

#include "libcommon/call.h"
#include "libcommon/note.h"

#define TILE_WIDTH 256

/* The tree of the tenant that the call has entered, for merkle_prove_…(). It may be larger than
 * what is signed: proofs name their size. A part that is no longer there fails the call. */
struct merkle_tree tile_tree(struct call *c);

/* `x001`, `x234`, `067` or `067.p`, `5`: the index of a tile and its width. */
bool tile_path_read(struct arena *arena, const char *const *elements, size_t n, uint64_t *index,
	uint64_t *width);

#endif
