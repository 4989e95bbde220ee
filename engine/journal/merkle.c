#include "journal/merkle.h"

#include <string.h>

#include "kernel/kernel.h"
#include "vault/vault.h"

void merkle_start(struct merkle *merkle)
{
    merkle->count = 0;
}

/* A whole subtree of 2^level leaves; the count so far is a multiple of that. */
static void add_subtree(struct merkle *merkle, const uint8_t root[32], unsigned level)
{
    uint8_t hash[32];
    uint64_t leaf_count = 1ull << level;
    memcpy(hash, root, sizeof hash);
    for (; merkle->count >> level & 1; level++) vault_merkle_node(merkle->edge[level], hash, hash);
    memcpy(merkle->edge[level], hash, sizeof hash);
    merkle->count += leaf_count;
}

void merkle_add(struct merkle *merkle, const uint8_t leaf[32])
{
    add_subtree(merkle, leaf, 0);
}

/* Section 2.1 splits at the largest power of two below the count: folding the right edge from its smallest subtree
 * upwards is the same tree. */
void merkle_root(const struct merkle *merkle, uint8_t ret_root[32])
{
    if (merkle->count == 0) {
        vault_sha256("", 0, ret_root);
        return;
    }
    unsigned level = (unsigned)__builtin_ctzll(merkle->count);
    uint8_t hash[32];
    memcpy(hash, merkle->edge[level], sizeof hash);
    for (level++; level < 64 && merkle->count >> level; level++)
        if (merkle->count >> level & 1) vault_merkle_node(merkle->edge[level], hash, hash);
    memcpy(ret_root, hash, sizeof hash);
}

void merkle_pages(const uint8_t *pages, size_t page_count, uint8_t (*ret_leaves)[32])
{
    for (size_t done = 0; done < page_count; done += MERKLE_PAGES) {
        const uint8_t *bytes[MERKLE_PAGES];
        size_t left = page_count - done, count = left < MERKLE_PAGES ? left : MERKLE_PAGES;
        for (size_t i = 0; i < count; i++) bytes[i] = pages + (done + i) * MERKLE_PAGE;
        kernel_sha256_many(&(struct kernel_messages){
            .count = count, .size = MERKLE_PAGE, .bytes = bytes, .prefix = 0, .ret_hashes = ret_leaves + done});
    }
}

void page_tree_start(struct page_tree *pages)
{
    merkle_start(&pages->tree);
    pages->waiting = 0;
}

/* The nodes of a level side by side: each is over two neighbours of the level below, which lie as they are hashed. */
static void add_full(struct merkle *merkle, uint8_t leaves[MERKLE_PAGES][32])
{
    uint8_t nodes[MERKLE_PAGES][32];
    for (size_t count = MERKLE_PAGES / 2; count > 0; count /= 2) {
        const uint8_t *bytes[MERKLE_PAGES / 2];
        for (size_t i = 0; i < count; i++) bytes[i] = leaves[2 * i];
        kernel_sha256_many(
            &(struct kernel_messages){.count = count, .size = 64, .bytes = bytes, .prefix = 1, .ret_hashes = nodes});
        memcpy(leaves, nodes, count * sizeof *nodes);
    }
    add_subtree(merkle, leaves[0], MERKLE_PAGES_LEVEL);
}

static void add_pages(struct page_tree *pages, const uint8_t *bytes, size_t page_count)
{
    uint8_t leaves[MERKLE_PAGES][32];
    merkle_pages(bytes, page_count, leaves);
    if (page_count == MERKLE_PAGES)
        add_full(&pages->tree, leaves);
    else
        for (size_t i = 0; i < page_count; i++) merkle_add(&pages->tree, leaves[i]);
}

void page_tree_add(struct page_tree *pages, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t taken = MERKLE_PAGE;
        if (pages->waiting == 0 && size >= sizeof pages->pages) {
            taken = sizeof pages->pages;
            add_pages(pages, bytes, MERKLE_PAGES);
        } else {
            memcpy(pages->pages + pages->waiting * MERKLE_PAGE, bytes, MERKLE_PAGE);
            pages->waiting = (pages->waiting + 1) % MERKLE_PAGES;
            if (pages->waiting == 0) add_pages(pages, pages->pages, MERKLE_PAGES);
        }
        bytes += taken;
        size -= taken;
    }
}

void page_tree_root(struct page_tree *pages, uint8_t ret_root[32])
{
    add_pages(pages, pages->pages, pages->waiting);
    pages->waiting = 0;
    merkle_root(&pages->tree, ret_root);
}
