/* Facts about RFC 6962 trees, against the plain recursive definition and published hashes. */
#include "libcommon/merkle.h"

#include <string.h>

#include "libcommon/cmocka_call.h"

#define LEAVES 70 /* more than two levels of every kind of edge */

static struct merkle_hash leaves[LEAVES];

static int make_leaves(void **state)
{
	crypto_start();
	for (unsigned char i = 0; i < LEAVES; i++)
		merkle_leaf(&i, 1, &leaves[i]);
	return 0;
}

/* RFC 6962, 2.1, word for word. */
static struct merkle_hash root_of(size_t begin, size_t end)
{
	struct merkle_hash hash;
	if (end - begin == 1)
		return leaves[begin];
	size_t k = 1;
	while (k * 2 < end - begin)
		k *= 2;
	struct merkle_hash left = root_of(begin, begin + k), right = root_of(begin + k, end);
	merkle_node(&left, &right, &hash);
	return hash;
}

static enum err read_subtree(void *arg, unsigned level, uint64_t index, struct merkle_hash *out)
{
	size_t begin = (size_t)index << level;
	*out = root_of(begin, begin + ((size_t)1 << level));
	return OK;
}

static const struct merkle_tree tree = { read_subtree, NULL };

static void expect_hex(const struct merkle_hash *hash, const char *hex)
{
	unsigned char wanted[HASH_SIZE];
	assert_int_equal(crypto_from_hex(hex, wanted, sizeof(wanted)), OK);
	assert_memory_equal(hash->bytes, wanted, sizeof(wanted));
}

/* The test vectors of Certificate Transparency: leaves "", 00, 10, 2021, … */
static void known_roots_are_met(void **state)
{
	static const char *const data[] = { "", "\x00", "\x10", "\x20\x21", "\x30\x31",
		"\x40\x41\x42\x43", "\x50\x51\x52\x53\x54\x55\x56\x57",
		"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f" };
	static const size_t sizes[] = { 0, 1, 1, 2, 2, 4, 8, 16 };
	struct merkle_peaks peaks = { 0 };
	struct merkle_hash hash;
	merkle_root(&peaks, &hash);
	expect_hex(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (int i = 0; i < 8; i++) {
		merkle_leaf(data[i], sizes[i], &hash);
		merkle_append(&peaks, &hash);
		merkle_root(&peaks, &hash);
		if (i == 0)
			expect_hex(&hash,
				"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	}
	expect_hex(&hash, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

static void peaks_know_the_root(void **state)
{
	struct merkle_peaks peaks = { 0 };
	for (size_t n = 1; n <= LEAVES; n++) {
		struct merkle_hash hash, wanted = root_of(0, n);
		merkle_append(&peaks, &leaves[n - 1]);
		merkle_root(&peaks, &hash);
		assert_true(merkle_equal(&hash, &wanted));
		assert_int_equal(peaks.n, __builtin_popcountll(n));
	}
}

/* A proof holds for what it was made for, and for nothing that differs in one place. */
static void inclusion_holds_for_its_leaf_alone(void **state)
{
	for (size_t size = 1; size <= LEAVES; size++) {
		struct merkle_hash root = root_of(0, size);
		for (size_t i = 0; i < size; i++) {
			struct merkle_proof proof;
			assert_int_equal(merkle_prove_inclusion(&tree, i, size, &proof), OK);
			assert_true(merkle_has_leaf(&root, size, i, &leaves[i], &proof));
			assert_false(
				merkle_has_leaf(&root, size, i, &leaves[(i + 1) % LEAVES], &proof));
			assert_false(merkle_has_leaf(&root, size, size, &leaves[i], &proof));
			if (i + 1 < size)
				assert_false(
					merkle_has_leaf(&root, size, i + 1, &leaves[i], &proof));
			for (size_t at = 0; at < proof.n; at++) {
				proof.hashes[at].bytes[at % HASH_SIZE] ^= 1;
				assert_false(merkle_has_leaf(&root, size, i, &leaves[i], &proof));
				proof.hashes[at].bytes[at % HASH_SIZE] ^= 1;
			}
			proof.n++;
			assert_false(merkle_has_leaf(&root, size, i, &leaves[i], &proof));
			if (proof.n > 1) {
				proof.n -= 2;
				assert_false(merkle_has_leaf(&root, size, i, &leaves[i], &proof));
			}
		}
	}
}

static void consistency_holds_for_its_two_trees_alone(void **state)
{
	for (size_t to = 1; to <= LEAVES; to++) {
		struct merkle_hash to_root = root_of(0, to);
		for (size_t from = 1; from <= to; from++) {
			struct merkle_proof proof;
			struct merkle_hash from_root = root_of(0, from), other = from_root;
			assert_int_equal(merkle_prove_consistency(&tree, from, to, &proof), OK);
			assert_true(merkle_is_beginning(&from_root, from, &to_root, to, &proof));
			other.bytes[7] ^= 1;
			assert_false(merkle_is_beginning(&other, from, &to_root, to, &proof));
			assert_false(merkle_is_beginning(&from_root, from, &other, to, &proof));
			assert_false(merkle_is_beginning(&from_root, to + 1, &to_root, to, &proof));
			for (size_t at = 0; at < proof.n; at++) {
				proof.hashes[at].bytes[at % HASH_SIZE] ^= 1;
				assert_false(merkle_is_beginning(
					&from_root, from, &to_root, to, &proof));
				proof.hashes[at].bytes[at % HASH_SIZE] ^= 1;
			}
			proof.n++;
			assert_false(merkle_is_beginning(&from_root, from, &to_root, to, &proof));
		}
	}
}

static bool range_holds(
	size_t first, size_t end, size_t size, const struct merkle_proof *proof, size_t changed)
{
	struct merkle_hash hash, root = root_of(0, size);
	struct merkle_peaks peaks;
	size_t used;
	if (!merkle_range_begin(&peaks, first, proof, &used))
		return false;
	for (size_t i = first; i < end; i++)
		merkle_append(&peaks, &leaves[i == changed ? (i + 1) % LEAVES : i]);
	if (!merkle_range_end(&peaks, size, proof, &used))
		return false;
	merkle_root(&peaks, &hash);
	return merkle_equal(&hash, &root);
}

static void a_range_holds_as_it_is_alone(void **state)
{
	for (size_t size = 1; size <= LEAVES; size += 3) {
		for (size_t first = 0; first <= size; first += 5) {
			for (size_t end = first; end <= size; end++) {
				struct merkle_proof proof;
				assert_int_equal(
					merkle_prove_range(&tree, first, end, size, &proof), OK);
				assert_true(range_holds(first, end, size, &proof, LEAVES));
				if (end > first)
					assert_false(range_holds(first, end, size, &proof, first));
				if (end < size)
					assert_false(
						range_holds(first, end + 1, size, &proof, LEAVES));
				proof.n++;
				assert_false(range_holds(first, end, size, &proof, LEAVES));
			}
		}
	}
}

static void a_subtree_stands_only_where_it_belongs(void **state)
{
	struct merkle_peaks peaks = { 0 };
	merkle_append(&peaks, &leaves[0]);
	assert_false(merkle_append_tree(&peaks, 1, &leaves[1]));
	assert_false(merkle_append_tree(&peaks, 63, &leaves[1]));
	assert_true(merkle_append_tree(&peaks, 0, &leaves[1]));
	assert_true(merkle_append_tree(&peaks, 1, &leaves[2]));
	assert_int_equal(peaks.size, 4);
	assert_int_equal(peaks.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_roots_are_met),
		cmocka_unit_test(peaks_know_the_root),
		cmocka_unit_test(inclusion_holds_for_its_leaf_alone),
		cmocka_unit_test(consistency_holds_for_its_two_trees_alone),
		cmocka_unit_test(a_range_holds_as_it_is_alone),
		cmocka_unit_test(a_subtree_stands_only_where_it_belongs),
	};
	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
