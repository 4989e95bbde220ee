#include "journal/merkle.h"

#include <string.h>

#include "vault/vault.h"

void merkle_start(struct merkle *merkle)
{
    merkle->count = 0;
}

void merkle_add(struct merkle *merkle, const uint8_t leaf[32])
{
    uint8_t hash[32];
    memcpy(hash, leaf, sizeof hash);
    unsigned level = 0;
    for (; merkle->count >> level & 1; level++) vault_merkle_node(merkle->edge[level], hash, hash);
    memcpy(merkle->edge[level], hash, sizeof hash);
    merkle->count++;
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
