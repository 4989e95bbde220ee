/* The most frequent of a stream of keys, in memory of one size whatever the stream: counts that are exact as long as
 * the keys fit, and from then on at most `error` too low (Misra and Gries 1982; purged by the median as in Anderson et
 * al., "A High-Performance Algorithm for Identifying Frequent Items in Data Streams", 2017). Beside each count: a
 * second one, and about how many different things were seen with the key (HyperLogLog, Flajolet et al. 2007; 128
 * registers, so one in eleven off). One thread. */
#ifndef TOOLS_OTPRING_LOG_TOP_H
#define TOOLS_OTPRING_LOG_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOP_KEY_SIZE = 16, TOP_REGISTERS = 128, TOP_SLOTS = 16384, TOP_KEYS_MAX = TOP_SLOTS * 3 / 4 };

struct top_entry {
    uint8_t key[TOP_KEY_SIZE];
    uint64_t count; /* 0: free */
    uint64_t other;
    uint8_t registers[TOP_REGISTERS];
};

struct top {
    struct top_entry *slots;
    size_t used;
    uint64_t error; /* counts are at most this much too low; 0: exact */
};

/* False: no memory. */
bool top_create(struct top *top);
void top_destroy(struct top *top);
/* `seen`: a hash of what was seen with the key; 0: nothing is to be told apart. */
void top_add(struct top *top, const uint8_t key[TOP_KEY_SIZE], uint64_t count, uint64_t other, uint64_t seen);
void top_merge(struct top *into, const struct top *from);
/* About how many different things were seen with it. */
uint64_t top_distinct(const struct top_entry *entry);
/* The greatest `count` entries by count (or by distinct things), greatest first; gives how many there are. */
size_t top_list(const struct top *top, bool by_distinct, size_t count, const struct top_entry **ret_entries);

#endif
