/* Trees of RFC 6962; see merkle.h. Every loop here is bounded by the height of a tree. */
#include "libcommon/merkle.h"

#include <assert.h>
#include <string.h>

enum { LEAF = 0, NODE = 1 };

void merkle_leaf(const void *data, size_t n, struct merkle_hash *out)
{
	crypto_sha256_tagged(LEAF, data, n, out->bytes);
}

void merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out)
{
	struct merkle_hash both[2] = { *left, *right };
	crypto_sha256_tagged(NODE, both, sizeof(both), out->bytes);
}

bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

/* ---- peaks ---- */

bool merkle_append_tree(struct merkle_peaks *peaks, unsigned level, const struct merkle_hash *tree)
{
	uint64_t leaves = (uint64_t)1 << level;
	if (level >= 63 || peaks->size % leaves || peaks->size + leaves > MERKLE_SIZE_MAX)
		return false;
	struct merkle_hash hash = *tree;
	for (uint64_t place = peaks->size >> level; place & 1; place >>= 1)
		merkle_node(&peaks->hashes[--peaks->n], &hash, &hash);
	peaks->hashes[peaks->n++] = hash;
	peaks->size += leaves;
	return true;
}

void merkle_append(struct merkle_peaks *peaks, const struct merkle_hash *leaf)
{
	bool is_appended = merkle_append_tree(peaks, 0, leaf);
	assert(is_appended); /* nobody has 2^53 lines */
	(void)is_appended;
}

void merkle_root(const struct merkle_peaks *peaks, struct merkle_hash *out)
{
	if (!peaks->n) {
		crypto_sha256("", 0, out->bytes);
		return;
	}
	*out = peaks->hashes[peaks->n - 1];
	for (size_t i = peaks->n - 1; i > 0; i--)
		merkle_node(&peaks->hashes[i - 1], out, out);
}

/* ---- making proofs ---- */

static unsigned log2_floor(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n);
}

/* The largest power of two below n, for n > 1: where a tree of n leaves is split. */
static uint64_t split(uint64_t n)
{
	return (uint64_t)1 << log2_floor(n - 1);
}

/* The largest complete subtree that begins at `at` and ends at `end` or before. */
static unsigned level_at(uint64_t at, uint64_t end)
{
	unsigned most = log2_floor(end - at);
	unsigned aligned = at ? (unsigned)__builtin_ctzll(at) : 63;
	return aligned < most ? aligned : most;
}

static enum err add_subtree(
	const struct merkle_tree *tree, uint64_t at, unsigned level, struct merkle_proof *out)
{
	if (out->n == MERKLE_PROOF_MAX)
		return ERR_INTERNAL;
	return tree->read(tree->arg, level, at >> level, &out->hashes[out->n++]);
}

/* MTH(D[begin:end]), where `begin` is a place at which a tree of that many leaves may stand. */
static enum err add_hash(
	const struct merkle_tree *tree, uint64_t begin, uint64_t end, struct merkle_proof *out)
{
	struct merkle_proof parts = { 0 };
	enum err e = OK;
	for (uint64_t at = begin; at < end && !e;) {
		unsigned level = level_at(at, end);
		e = add_subtree(tree, at, level, &parts);
		at += (uint64_t)1 << level;
	}
	if (e || !parts.n || out->n == MERKLE_PROOF_MAX)
		return e ? e : ERR_INTERNAL;
	struct merkle_hash hash = parts.hashes[parts.n - 1];
	for (size_t i = parts.n - 1; i > 0; i--)
		merkle_node(&parts.hashes[i - 1], &hash, &hash);
	out->hashes[out->n++] = hash;
	return OK;
}

/* Proofs are found from the root down and told from the leaf up. */
static void turn_round(struct merkle_proof *proof)
{
	for (size_t i = 0; i < proof->n / 2; i++) {
		struct merkle_hash swapped = proof->hashes[i];
		proof->hashes[i] = proof->hashes[proof->n - 1 - i];
		proof->hashes[proof->n - 1 - i] = swapped;
	}
}

enum err merkle_prove_inclusion(
	const struct merkle_tree *tree, uint64_t index, uint64_t size, struct merkle_proof *out)
{
	enum err e = OK;
	uint64_t begin = 0, end = size;
	assert(index < size);
	out->n = 0;
	while (end - begin > 1 && !e) {
		uint64_t middle = begin + split(end - begin);
		if (index < middle) {
			e = add_hash(tree, middle, end, out);
			end = middle;
		} else {
			e = add_hash(tree, begin, middle, out);
			begin = middle;
		}
	}
	turn_round(out);
	return e;
}

enum err merkle_prove_consistency(
	const struct merkle_tree *tree, uint64_t from, uint64_t to, struct merkle_proof *out)
{
	enum err e = OK;
	uint64_t begin = 0, end = to;
	assert(from > 0 && from <= to);
	out->n = 0;
	while (from < end && !e) {
		uint64_t middle = begin + split(end - begin);
		if (from <= middle) {
			e = add_hash(tree, middle, end, out);
			end = middle;
		} else {
			e = add_hash(tree, begin, middle, out);
			begin = middle;
		}
	}
	/* The old root itself is known to whoever checks. */
	if (!e && begin > 0)
		e = add_hash(tree, begin, end, out);
	turn_round(out);
	return e;
}

static enum err add_parts(
	const struct merkle_tree *tree, uint64_t begin, uint64_t end, struct merkle_proof *out)
{
	enum err e = OK;
	for (uint64_t at = begin; at < end && !e;) {
		unsigned level = level_at(at, end);
		e = add_subtree(tree, at, level, out);
		at += (uint64_t)1 << level;
	}
	return e;
}

enum err merkle_prove_range(const struct merkle_tree *tree, uint64_t first, uint64_t end,
	uint64_t size, struct merkle_proof *out)
{
	assert(first <= end && end <= size);
	out->n = 0;
	enum err e = add_parts(tree, 0, first, out);
	return e ? e : add_parts(tree, end, size, out);
}

/* ---- checking them ---- */

bool merkle_has_leaf(const struct merkle_hash *root, uint64_t size, uint64_t index,
	const struct merkle_hash *leaf, const struct merkle_proof *proof)
{
	if (index >= size)
		return false;
	struct merkle_hash hash = *leaf;
	uint64_t place = index, last = size - 1;
	for (size_t i = 0; i < proof->n; i++) {
		if (last == 0)
			return false;
		if (place & 1 || place == last) {
			merkle_node(&proof->hashes[i], &hash, &hash);
			while (!(place & 1) && place) {
				place >>= 1;
				last >>= 1;
			}
		} else {
			merkle_node(&hash, &proof->hashes[i], &hash);
		}
		place >>= 1;
		last >>= 1;
	}
	return last == 0 && merkle_equal(&hash, root);
}

/* Both roots from one proof: what is left of the old tree's edge belongs to both (RFC 9162,
 * 2.1.4.2). `begin` is the subtree in which the old tree ends. */
static bool both_roots(const struct merkle_hash *begin, const struct merkle_proof *proof,
	size_t used, uint64_t from, uint64_t to, struct merkle_hash roots[2])
{
	uint64_t place = from - 1, last = to - 1;
	while (place & 1) {
		place >>= 1;
		last >>= 1;
	}
	roots[0] = roots[1] = *begin;
	for (size_t i = used; i < proof->n; i++) {
		const struct merkle_hash *hash = &proof->hashes[i];
		if (last == 0)
			return false;
		if (place & 1 || place == last) {
			merkle_node(hash, &roots[0], &roots[0]);
			merkle_node(hash, &roots[1], &roots[1]);
			while (!(place & 1) && place) {
				place >>= 1;
				last >>= 1;
			}
		} else {
			merkle_node(&roots[1], hash, &roots[1]);
		}
		place >>= 1;
		last >>= 1;
	}
	return last == 0;
}

bool merkle_is_beginning(const struct merkle_hash *from_root, uint64_t from,
	const struct merkle_hash *to_root, uint64_t to, const struct merkle_proof *proof)
{
	struct merkle_hash roots[2];
	if (from == 0 || from > to)
		return false;
	if (from == to)
		return proof->n == 0 && merkle_equal(from_root, to_root);
	if (proof->n == 0)
		return false;
	bool is_complete = (from & (from - 1)) == 0;
	const struct merkle_hash *begin = is_complete ? from_root : &proof->hashes[0];
	return both_roots(begin, proof, is_complete ? 0 : 1, from, to, roots) &&
		merkle_equal(&roots[0], from_root) && merkle_equal(&roots[1], to_root);
}

static bool append_parts(
	struct merkle_peaks *peaks, uint64_t end, const struct merkle_proof *proof, size_t *used)
{
	while (peaks->size < end) {
		if (*used == proof->n ||
			!merkle_append_tree(
				peaks, level_at(peaks->size, end), &proof->hashes[(*used)++]))
			return false;
	}
	return peaks->size == end;
}

bool merkle_range_begin(
	struct merkle_peaks *peaks, uint64_t first, const struct merkle_proof *proof, size_t *used)
{
	*used = 0;
	*peaks = (struct merkle_peaks){ 0 };
	return append_parts(peaks, first, proof, used);
}

bool merkle_range_end(
	struct merkle_peaks *peaks, uint64_t size, const struct merkle_proof *proof, size_t *used)
{
	return append_parts(peaks, size, proof, used) && *used == proof->n;
}
