/* MACs of two blocks each, many at a time: CBC-MAC with AES-256, E(E(head) xor body).
 * Source: FIPS 197 (AES), ISO/IEC 9797-1 (MAC algorithm 1). CBC-MAC of messages that all have one length is a
 * pseudorandom function (Bellare, Kilian, Rogaway, "The Security of the Cipher Block Chaining Message Authentication
 * Code", 2000); of messages of differing lengths it is not, so there is no call for any other length than two blocks.
 *
 * Owns an OpenSSL context with the key's schedule, which lies on OpenSSL's heap and not in the vault's arena:
 * undumpable as the whole process is, and wiped by block_mac_destroy. Made and given back outside the path; block_macs
 * takes no memory. One thread at a time. */
#ifndef OTPRING_VAULT_BLOCK_MAC_H
#define OTPRING_VAULT_BLOCK_MAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct block_mac;

enum { BLOCK_MAC_SIZE = 16, BLOCK_MAC_KEY_SIZE = 32, BLOCK_MACS_MAX = 4096 };

/* The key may be wiped afterwards; it must serve for nothing else. NO_MEMORY, VAULT_FAILED. */
struct result block_mac_create(const uint8_t key[BLOCK_MAC_KEY_SIZE], struct block_mac **ret_mac) MUST_USE;
void block_mac_destroy(struct block_mac *mac); /* NULL: nothing */

/* Each head becomes the MAC of itself and the body beside it; count is 0 to BLOCK_MACS_MAX. The time depends on count
 * alone where OpenSSL has AES in instructions or in vectors (x86-64 with SSSE3, ARMv8). */
void block_macs(struct block_mac *mac, size_t count, uint8_t (*heads)[BLOCK_MAC_SIZE],
                const uint8_t (*bodies)[BLOCK_MAC_SIZE]);

#endif
