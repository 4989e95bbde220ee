/* Inclusion paths: for one leaf those of RFC 6962 section 2.1.1, written down here as it stands there; for neighbours,
 * that nothing but the true run, in its place, makes the root. */
#include <string.h>

#include "helpers.h"
#include "journal/merkle.h"
#include "journal/path.h"

enum { LEAVES = 41 };

static uint8_t leaves[LEAVES][32];

static void make_leaves(void)
{
    for (unsigned i = 0; i < LEAVES; i++) vault_merkle_leaf(&i, sizeof i, leaves[i]);
}

static unsigned split_of(unsigned count)
{
    unsigned split = 1;
    while (split * 2 < count) split *= 2;
    return split;
}

static void tree_hash(const uint8_t (*from)[32], unsigned count, uint8_t ret_hash[32])
{
    uint8_t left[32], right[32];
    if (count == 1) {
        memcpy(ret_hash, from[0], 32);
        return;
    }
    unsigned split = split_of(count);
    tree_hash(from, split, left);
    tree_hash(from + split, count - split, right);
    vault_merkle_node(left, right, ret_hash);
}

/* PATH(m, D[n]) = PATH(m, D[0:k]) : MTH(D[k:n]) for m < k, else PATH(m - k, D[k:n]) : MTH(D[0:k]). */
static void rfc_path(unsigned m, const uint8_t (*from)[32], unsigned n, struct merkle_path *path)
{
    if (n == 1) return;
    unsigned k = split_of(n);
    if (m < k) {
        rfc_path(m, from, k, path);
        tree_hash(from + k, n - k, path->hashes[path->count++]);
    } else {
        rfc_path(m - k, from + k, n - k, path);
        tree_hash(from, k, path->hashes[path->count++]);
    }
}

static void the_path_of_one_leaf_is_that_of_rfc_6962(void **state)
{
    (void)state;
    for (unsigned total = 1; total <= LEAVES; total++)
        for (unsigned index = 0; index < total; index++) {
            struct merkle_path path, expected = {0};
            merkle_path_make(leaves, &(struct merkle_run){index, 1, total}, &path);
            rfc_path(index, leaves, total, &expected);
            assert_int_equal(path.count, expected.count);
            assert_memory_equal(path.hashes, expected.hashes, 32 * (size_t)path.count);
        }
}

static void every_run_of_neighbours_makes_the_root(void **state)
{
    (void)state;
    for (unsigned total = 1; total <= LEAVES; total++) {
        uint8_t expected[32], root[32];
        tree_hash(leaves, total, expected);
        for (unsigned first = 0; first < total; first++)
            for (unsigned count = 1; count <= total - first; count++) {
                struct merkle_run run = {first, count, total};
                struct merkle_path path;
                merkle_path_make(leaves, &run, &path);
                assert_true(merkle_path_root(leaves + first, &run, &path, root));
                assert_memory_equal(root, expected, 32);
            }
    }
}

static void paths_with_hashes_missing_or_left_over_are_refused(void **state)
{
    (void)state;
    struct merkle_run run = {5, 3, 20};
    struct merkle_path path;
    uint8_t root[32];
    merkle_path_make(leaves, &run, &path);
    path.count--;
    assert_false(merkle_path_root(leaves + 5, &run, &path, root));
    path.count += 2;
    assert_false(merkle_path_root(leaves + 5, &run, &path, root));
    path.count = MERKLE_PATH_MAX + 1;
    assert_false(merkle_path_root(leaves + 5, &run, &path, root));
    path.count = 0;
    assert_false(merkle_path_root(leaves, &(struct merkle_run){0, 0, 20}, &path, root));
    assert_false(merkle_path_root(leaves, &(struct merkle_run){20, 1, 20}, &path, root));
    assert_false(merkle_path_root(leaves, &(struct merkle_run){19, 2, 20}, &path, root));
    assert_false(merkle_path_root(leaves, &(struct merkle_run){UINT64_MAX, 1, UINT64_MAX}, &path, root));
}

/* The count of leaves is a claim: whatever is claimed, leaves that are no neighbours in the tree make no root. */
static void leaves_that_are_no_neighbours_pass_for_none_whatever_is_claimed(void **state)
{
    (void)state;
    enum { TOTAL = 23 };
    uint8_t root[32], made[32];
    unsigned tried = 0;
    tree_hash(leaves, TOTAL, root);
    for (unsigned a = 0; a < TOTAL; a++)
        for (unsigned b = 0; b < TOTAL; b++) {
            if (b == a + 1) continue;
            uint8_t two[2][32];
            memcpy(two[0], leaves[a], 32);
            memcpy(two[1], leaves[b], 32);
            /* The path of either one, cut or whole, is the material of a forger. */
            for (uint64_t total = 2; total <= 32; total++)
                for (uint64_t first = 0; first + 1 < total; first++) {
                    struct merkle_run run = {first, 2, total};
                    struct merkle_path path, whole;
                    merkle_path_make(leaves, &(struct merkle_run){a, 1, TOTAL}, &whole);
                    for (uint32_t skip = 0; skip < 2 && skip < whole.count; skip++) {
                        path.count = whole.count - skip;
                        memcpy(path.hashes, whole.hashes + skip, 32 * (size_t)path.count);
                        tried++;
                        if (merkle_path_root((const uint8_t(*)[32])two, &run, &path, made))
                            assert_memory_not_equal(made, root, 32);
                    }
                }
        }
    assert_true(tried > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_of_one_leaf_is_that_of_rfc_6962),
        cmocka_unit_test(every_run_of_neighbours_makes_the_root),
        cmocka_unit_test(paths_with_hashes_missing_or_left_over_are_refused),
        cmocka_unit_test(leaves_that_are_no_neighbours_pass_for_none_whatever_is_claimed),
    };
    make_leaves();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
