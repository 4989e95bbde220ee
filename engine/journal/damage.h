/* What is wrong where the walk found damage: said of the first bad position, from what stands at its place and behind.
 * Reads only; what it reads may be hostile. */
#ifndef OTPRING_JOURNAL_DAMAGE_H
#define OTPRING_JOURNAL_DAMAGE_H

#include "journal/walk.h"

enum damage_kind {
    DAMAGE_CHANGED,   /* bytes of the block are not what its checksums were made over */
    DAMAGE_DROPPED,   /* whole blocks or segments are missing between two that are there */
    DAMAGE_REORDERED, /* the block stands elsewhere, or another stands here a second time */
    DAMAGE_SPLICED,   /* a block of this position, that does not follow the one before it */
};

struct damage {
    enum damage_kind kind;
    uint64_t first; /* the first bad position */
    uint64_t last;  /* the last that is known to be missing; else `first` */
};

/* After walk_next gave JOURNAL_CORRUPT, and before anything else is done with the walk. */
struct result damage_look(struct walk *walk, struct damage *ret_damage) MUST_USE;
const char *damage_name(enum damage_kind kind);

#endif
