#include "store/treap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* One row. Never changed: several nodes may hold it. */
struct row {
    _Atomic uint32_t references;
    uint32_t key_size;
    size_t value_size;
    uint8_t bytes[]; /* key, then value */
};

struct treap {
    _Atomic uint32_t references;
    uint64_t random; /* no child's is greater */
    struct row *row;
    struct treap *left;
    struct treap *right;
};

/* The model has no limit of its own; out of memory is the end of a simulation. */
static void *take(size_t size)
{
    void *memory = malloc(size);
    CHECK(memory);
    return memory;
}

static struct store_bytes row_key(const struct row *row)
{
    return (struct store_bytes){.bytes = row->bytes, .size = row->key_size};
}

static struct store_bytes row_value(const struct row *row)
{
    return (struct store_bytes){.bytes = row->bytes + row->key_size, .size = row->value_size};
}

static struct row *row_make(struct store_bytes key, struct store_bytes value)
{
    struct row *row = take(sizeof(*row) + key.size + value.size);
    atomic_init(&row->references, 1);
    row->key_size = (uint32_t)key.size;
    row->value_size = value.size;
    memcpy(row->bytes, key.bytes, key.size);
    if (value.size > 0) memcpy(row->bytes + key.size, value.bytes, value.size);
    return row;
}

static struct row *row_share(struct row *row)
{
    atomic_fetch_add_explicit(&row->references, 1, memory_order_relaxed);
    return row;
}

static void row_release(struct row *row)
{
    if (atomic_fetch_sub_explicit(&row->references, 1, memory_order_acq_rel) == 1) free(row);
}

struct treap *treap_share(struct treap *root)
{
    if (root) atomic_fetch_add_explicit(&root->references, 1, memory_order_relaxed);
    return root;
}

void treap_release(struct treap *root)
{
    if (!root || atomic_fetch_sub_explicit(&root->references, 1, memory_order_acq_rel) != 1) return;
    treap_release(root->left);
    treap_release(root->right);
    row_release(root->row);
    free(root);
}

static struct treap *node_make(struct row *row, uint64_t random, struct treap *left, struct treap *right)
{
    struct treap *node = take(sizeof(*node));
    atomic_init(&node->references, 1);
    node->random = random;
    node->row = row;
    node->left = left;
    node->right = right;
    return node;
}

/* The caller's reference, made into one to a node that nobody else can reach. The way down to it is owned already. */
static struct treap *owned(struct treap *node)
{
    if (atomic_load_explicit(&node->references, memory_order_acquire) == 1) return node;
    struct treap *copy =
        node_make(row_share(node->row), node->random, treap_share(node->left), treap_share(node->right));
    treap_release(node);
    return copy;
}

static int key_compare(struct store_bytes a, struct store_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.bytes, b.bytes, size) : 0;
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

bool treap_get(const struct treap *root, struct store_bytes key, struct store_bytes *ret_value)
{
    while (root) {
        int order = key_compare(key, row_key(root->row));
        if (order == 0) {
            *ret_value = row_value(root->row);
            return true;
        }
        root = order < 0 ? root->left : root->right;
    }
    return false;
}

bool treap_next(const struct treap *root, struct store_bytes after, bool inclusive, struct store_bytes *ret_key,
                struct store_bytes *ret_value)
{
    const struct row *best = NULL;
    while (root) {
        int order = key_compare(row_key(root->row), after);
        if (order > 0 || (order == 0 && inclusive)) {
            best = root->row;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    if (!best) return false;
    *ret_key = row_key(best);
    *ret_value = row_value(best);
    return true;
}

static void rotate_right(struct treap **at)
{
    struct treap *node = *at, *left = node->left;
    node->left = left->right;
    left->right = node;
    *at = left;
}

static void rotate_left(struct treap **at)
{
    struct treap *node = *at, *right = node->right;
    node->right = right->left;
    right->left = node;
    *at = right;
}

static void insert(struct treap **at, struct row *row, uint64_t random)
{
    if (!*at) {
        *at = node_make(row, random, NULL, NULL);
        return;
    }
    struct treap *node = *at = owned(*at);
    int order = key_compare(row_key(row), row_key(node->row));
    if (order == 0) {
        row_release(node->row);
        node->row = row;
    } else if (order < 0) {
        insert(&node->left, row, random);
        if (node->left->random > node->random) rotate_right(at);
    } else {
        insert(&node->right, row, random);
        if (node->right->random > node->random) rotate_left(at);
    }
}

void treap_put(struct treap **root, struct store_bytes key, struct store_bytes value, uint64_t random)
{
    insert(root, row_make(key, value), random);
}

/* One tree of two, all keys of the first before all of the second; takes both references. */
static struct treap *joined(struct treap *first, struct treap *second)
{
    if (!first) return second;
    if (!second) return first;
    if (first->random > second->random) {
        first = owned(first);
        first->right = joined(first->right, second);
        return first;
    }
    second = owned(second);
    second->left = joined(first, second->left);
    return second;
}

static void remove_from(struct treap **at, struct store_bytes key)
{
    CHECK(*at);
    struct treap *node = *at = owned(*at);
    int order = key_compare(key, row_key(node->row));
    if (order != 0) {
        remove_from(order < 0 ? &node->left : &node->right, key);
        return;
    }
    *at = joined(treap_share(node->left), treap_share(node->right));
    treap_release(node);
}

bool treap_erase(struct treap **root, struct store_bytes key)
{
    struct store_bytes value;
    if (!treap_get(*root, key, &value)) return false;
    remove_from(root, key);
    return true;
}
