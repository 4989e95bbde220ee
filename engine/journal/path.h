/* Inclusion paths in the tree of RFC 6962 section 2.1, for one leaf or several neighbours. For one leaf the path is
 * PATH of section 2.1.1; for a run of leaves it is what is needed besides them, in the order of the same recursion: a
 * side that the run does not touch is one hash, and comes after what is needed of the other side. Because no hash
 * stands between two leaves of the run, whoever checks it knows that they are neighbours, whatever count the maker of
 * the path claims. Pure functions; what is checked may be hostile. */
#ifndef OTPRING_JOURNAL_PATH_H
#define OTPRING_JOURNAL_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum { MERKLE_PATH_MAX = 128 }; /* two edges of a tree of 2^64 leaves */

struct merkle_run {
    uint64_t first; /* index of the run's first leaf */
    uint64_t count; /* its leaves: at least 1 */
    uint64_t total; /* of the tree */
};

struct merkle_path {
    uint32_t count;
    uint8_t hashes[MERKLE_PATH_MAX][32];
};

/* leaves: hashes of the whole tree. The run lies within it. */
void merkle_path_make(const uint8_t (*leaves)[32], const struct merkle_run *run, struct merkle_path *ret_path);
/* The root that the run's leaf hashes and the path make together; false when they do not fit each other: the run is
 * empty or leaves the tree, or hashes are missing or left over. */
bool merkle_path_root(const uint8_t (*run_leaves)[32], const struct merkle_run *run, const struct merkle_path *path,
                      uint8_t ret_root[32]) MUST_USE;

#endif
