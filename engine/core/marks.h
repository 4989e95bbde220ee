/* Marks: which responses to a challenge were used, of OCRA suites that have neither counter nor time, where no floor
 * can tell. A mark is 64 bits made of the whole HMAC of seed and message under a secret of the store: it says nothing
 * about the seed, and stays the same when a seed leaves one line and comes back on another. They are kept for ever: 24
 * bytes of memory each where a level is full, at most 40 where one has just begun, 8 in the store. Two of n responses
 * share a mark with a probability of n * n / 2^65; the second one is then taken for used, never the other way round.
 *
 * Any thread; a mutex inside, which only such suites ever take. On the verify path nothing is allocated: the
 * housekeeper makes room ahead of need. */
#ifndef OTPRING_CORE_MARKS_H
#define OTPRING_CORE_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct marks;

/* marks_max: how many at most; more are found full (marks_reserve), never in place of one that is there. Room for the
 * first of them, marks_max but from 512 to half a million, is address space until it is used. NO_MEMORY. */
struct result marks_create(uint64_t marks_max, const uint8_t secret[32], struct marks **ret_marks) MUST_USE;
void marks_destroy(struct marks *marks); /* NULL: does nothing */

/* The mark of an HMAC; never 0. */
uint64_t mark_of(const struct marks *marks, const uint8_t *digest, size_t digest_size);

/* Holds room for one mark, which marks_put then cannot lack; false: there is none. */
bool marks_reserve(struct marks *marks);
void marks_release(struct marks *marks);
/* Into the room that this caller holds; false: it was there already. The room is given back either way. */
bool marks_put(struct marks *marks, uint64_t mark);
bool marks_has(struct marks *marks, uint64_t mark);

/* Makes room where it is becoming short; one thread at a time. Does nothing when marks_max is reached. NO_MEMORY: what
 * there is stays as it is. */
struct result marks_keep(struct marks *marks) MUST_USE;

/* One that the store or the journal knows, whatever marks_max says: while there is one thread. NO_MEMORY. */
struct result marks_restore(struct marks *marks, uint64_t mark) MUST_USE;

uint64_t marks_count(struct marks *marks);
uint64_t marks_size(struct marks *marks); /* bytes, used or not */

/* In the order in which they came, for the checkpoint: at most MARKS_BLOCK from mark `first` on; gives how many. */
enum { MARKS_BLOCK = 4096 };
uint32_t marks_read(struct marks *marks, uint64_t first, uint64_t ret_marks[MARKS_BLOCK]);

#endif
