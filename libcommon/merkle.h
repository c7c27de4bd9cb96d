/*
 * Merkle trees as in RFC 6962 over SHA-256: hashes, proofs and their verification. Nothing is
 * stored here: who has a tree gives a function that reads complete subtrees of it.
 *
 * A leaf is hashed with a 0 byte in front, a node with a 1, so that neither passes for the other.
 */
#ifndef MANABIYA_MERKLE_H
#define MANABIYA_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/crypto.h"
#include "libcommon/err.h"

#define MERKLE_SIZE_MAX ((uint64_t)1 << 53) /* leaves; every JSON reader keeps such a number */
#define MERKLE_PROOF_MAX                                                                           \
	63 /* hashes of a proof: twice the height of the largest tree is never                     \
	      needed, and C2SP's tlog-witness allows no more */

struct merkle_hash {
	unsigned char bytes[HASH_SIZE];
};

struct merkle_proof {
	size_t n;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
};

void merkle_leaf(const void *data, size_t n, struct merkle_hash *out);
void merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out);
bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b);

/*
 * The first `size` leaves of a tree as the complete subtrees that they make, largest first: one for
 * each bit of the size. Enough to go on appending and to know the root. Zeroed, it is the empty
 * tree.
 */
struct merkle_peaks {
	uint64_t size;
	size_t n;
	struct merkle_hash hashes[64];
};

void merkle_append(struct merkle_peaks *peaks, const struct merkle_hash *leaf);
/* Append a complete subtree of 2^level leaves; false if it may not stand here. */
must_check bool merkle_append_tree(
	struct merkle_peaks *peaks, unsigned level, const struct merkle_hash *tree);
void merkle_root(const struct merkle_peaks *peaks, struct merkle_hash *out);

/* ---- making proofs ---- */

/* The hash of the complete subtree number `index` of 2^level leaves. */
typedef enum err merkle_read(void *arg, unsigned level, uint64_t index, struct merkle_hash *out);
struct merkle_tree {
	merkle_read *read;
	void *arg;
};

/* Leaf `index` is in the tree of `size` leaves (index < size); RFC 6962, 2.1.1. */
must_check enum err merkle_prove_inclusion(
	const struct merkle_tree *tree, uint64_t index, uint64_t size, struct merkle_proof *out);
/* The tree of `from` leaves is the beginning of that of `to` (0 < from <= to); 2.1.2. */
must_check enum err merkle_prove_consistency(
	const struct merkle_tree *tree, uint64_t from, uint64_t to, struct merkle_proof *out);
/* The leaves first..end are in the tree of `size`: the subtrees to their left, then those to their
 * right, each as large as it can be (first <= end <= size). */
must_check enum err merkle_prove_range(const struct merkle_tree *tree, uint64_t first, uint64_t end,
	uint64_t size, struct merkle_proof *out);

/* ---- checking them ---- */

bool merkle_has_leaf(const struct merkle_hash *root, uint64_t size, uint64_t index,
	const struct merkle_hash *leaf, const struct merkle_proof *proof);
bool merkle_is_beginning(const struct merkle_hash *from_root, uint64_t from,
	const struct merkle_hash *to_root, uint64_t to, const struct merkle_proof *proof);

/* A range is checked in three steps: what stands before it, its leaves one after the other
 * (merkle_append), what stands behind it; then the root is compared. `used` counts the hashes of
 * the proof; false if it has too few, or too many at the end. */
must_check bool merkle_range_begin(
	struct merkle_peaks *peaks, uint64_t first, const struct merkle_proof *proof, size_t *used);
must_check bool merkle_range_end(
	struct merkle_peaks *peaks, uint64_t size, const struct merkle_proof *proof, size_t *used);

#endif
