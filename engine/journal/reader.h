/* The reader's own, for the check. */
#ifndef OTPRING_JOURNAL_READER_H
#define OTPRING_JOURNAL_READER_H

#include "journal/walk.h"

struct journal_reader {
    struct os *os;
    char *path;
    struct journal_reader_options options;
    struct folder folder;
    struct walk walk;
    bool damaged;      /* the last call told of damage: the next one goes on behind it */
    bool ended;        /* nothing can be read behind the damage */
    uint64_t position; /* of the last block or damage told of */
};

#endif
