/* A sorted map whose old states stay readable: the model store's. Room-internal.
 * A treap (Seidel and Aragon, 1996) that copies a node before it changes one that another root can reach. A root is a
 * counted reference; different roots may be used by different threads, one root by one thread at a time. */
#ifndef OTPRING_STORE_TREAP_H
#define OTPRING_STORE_TREAP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct treap;

/* Another reference to the same state. NULL is the empty map. */
struct treap *treap_share(struct treap *root);
void treap_release(struct treap *root);

bool treap_get(const struct treap *root, struct store_bytes key, struct store_bytes *ret_value);
/* The least key greater than `after`, or equal to it when inclusive. */
bool treap_next(const struct treap *root, struct store_bytes after, bool inclusive, struct store_bytes *ret_key,
                struct store_bytes *ret_value);

/* Copies both. `random` decides how the tree is balanced, and nothing else. */
void treap_put(struct treap **root, struct store_bytes key, struct store_bytes value, uint64_t random);
/* False when there is no such key. */
bool treap_erase(struct treap **root, struct store_bytes key);

#endif
