/* Reading by several threads, for every command: one look at names, one buffer of text and of complaints each.
 * What they find comes out in order of position. */
#ifndef TOOLS_OTPRING_LOG_WORK_H
#define TOOLS_OTPRING_LOG_WORK_H

#include "event.h"
#include "journal/scan.h"

enum { WORK_THREADS_MAX = 16 };

struct work_thread {
    struct event_style style;
    struct text text;      /* of the piece at hand */
    struct text complaint; /* about it: lines */
    uint64_t count;        /* records in `text` */
    struct text positions; /* export: 8 bytes for each of these */
    uint64_t position;     /* of the last block looked at in this piece; 0: none */
    void *own;             /* the command's */
};

struct work {
    const struct log_options *options;
    const char *folder;
    struct os *os; /* the main thread's */
    unsigned thread_count;
    struct work_thread threads[WORK_THREADS_MAX];
    bool damaged;
    bool quiet;                /* damage is not complained of */
    struct scan_report report; /* of the last scan */
};

/* EXIT_DONE, or a complaint's code. */
int work_open(struct work *work, const struct log_options *options, const char *folder);
void work_close(struct work *work);

/* What one scan does with records. */
struct work_task {
    const struct record_filter *filter;
    event_each *each; /* context: struct work_thread */
    /* In order of position, after the piece's complaints were made: the thread's text is to be put out and is cleared
     * afterwards. False: enough. May be NULL. */
    bool (*end)(void *context, struct work_thread *thread);
    void *context;
};
/* EXIT_DONE, EXIT_FINDINGS never: see work->damaged. */
int work_scan(struct work *work, const struct work_task *task);

/* The same for one block that was read otherwise, by thread 0: what `end` says. Damage in it is complained of. */
bool work_block(struct work *work, const struct work_task *task, const struct journal_block_view *block);
void work_damage(struct work *work, uint64_t position, uint64_t segment, struct result result);

/* Cuts the thread's text behind so many records. */
void work_cut(struct work_thread *thread, uint64_t count);

#endif
