/* The tree of RFC 6962 section 2.1, built leaf by leaf in the space of its right edge; and the tree over blocks, whose
 * leaves are pages, so that all are of one size and many can be hashed side by side. One thread. */
#ifndef OTPRING_JOURNAL_MERKLE_H
#define OTPRING_JOURNAL_MERKLE_H

#include <stddef.h>
#include <stdint.h>

struct merkle {
    uint64_t count;
    uint8_t edge[64][32]; /* edge[i] is a whole subtree of 2^i leaves where bit i of count is set */
};

void merkle_start(struct merkle *merkle);
/* leaf: the hash, not the bytes. */
void merkle_add(struct merkle *merkle, const uint8_t leaf[32]);
/* The empty tree has the hash of no bytes. */
void merkle_root(const struct merkle *merkle, uint8_t ret_root[32]);

enum { MERKLE_PAGE = 4096, MERKLE_PAGES_LEVEL = 4, MERKLE_PAGES = 1 << MERKLE_PAGES_LEVEL };

/* The leaf hashes of page_count pages, one behind the other. */
void merkle_pages(const uint8_t *pages, size_t page_count, uint8_t (*ret_leaves)[32]);

/* Pages wait here until a vector is full of them: small blocks have one each. */
struct page_tree {
    struct merkle tree;
    size_t waiting;
    uint8_t pages[MERKLE_PAGES * MERKLE_PAGE];
};

void page_tree_start(struct page_tree *pages);
/* Not after page_tree_root. size: a multiple of MERKLE_PAGE. The bytes are copied or done with. */
void page_tree_add(struct page_tree *pages, const uint8_t *bytes, size_t size);
void page_tree_root(struct page_tree *pages, uint8_t ret_root[32]);

#endif
