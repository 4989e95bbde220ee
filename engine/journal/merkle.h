/* The tree of RFC 6962 section 2.1, built leaf by leaf in the space of its right edge. One thread. */
#ifndef OTPRING_JOURNAL_MERKLE_H
#define OTPRING_JOURNAL_MERKLE_H

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

#endif
