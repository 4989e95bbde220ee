/* Questions to devices, as auth servers and devices put them: JSON in, JSON out. include/otpring/PROTOCOL.md
 * (Questions) and DEVICE.md are the pages to read. Between the wire (server) and what is asked and answered
 * (challenge): here accounts, devices and messages of admin meet the challenges.
 *
 * The turn is the batch here too: approvals_take keeps what has come, approvals_turn decides all of it. Signatures are
 * checked first, by all threads there are; then what is withdrawn, answered and asked becomes as few changes as fit,
 * each durable before its answers are given.
 *
 * One thread, with a core_worker of its own; approvals_touched alone is for any thread. What comes is hostile. Memory
 * is taken in approvals_create, but for JSON. */
#ifndef OTPRING_APPROVAL_APPROVAL_H
#define OTPRING_APPROVAL_APPROVAL_H

#include "admin/engine.h"
#include "challenge/room.h"

struct approvals;

enum {
    APPROVAL_ITEMS_MAX = 1024,   /* of one turn */
    APPROVAL_REQUESTS_MAX = 512, /* of one turn */
    APPROVAL_THREADS_MAX = 64,
    APPROVAL_CAPACITY_DEFAULT = 131072,
    APPROVAL_LIFE_MAX_S = 3600,
    APPROVAL_COOL_DOWN_S = 60,
    APPROVAL_WINDOW_S = 600,
    APPROVAL_PROMPTS_MAX = 8,
};

/* Who sent a frame, and how its answer finds the way back. */
struct approval_asker {
    const struct core_client *client; /* until the next approvals_turn has ended */
    uint64_t owner;
    uint64_t tag;
    uint16_t count; /* items that the frame says it has */
};

enum approval_told {
    APPROVAL_TOLD, /* or nobody is there any more */
    APPROVAL_LATER /* no room in that connection now */
};

struct approvals_options {
    struct engine *engine;
    struct core_worker *worker; /* the calling thread's */
    struct os *os;              /* the same */
    struct admin_inbox *inbox;  /* what core answers to the worker: admin.h. Of who judges responses of exchanges */
    struct challenge_limits limits;
    uint32_t threads;    /* beside the caller's, that check signatures; at most APPROVAL_THREADS_MAX */
    uint32_t outbox_max; /* as of admin_options */
    /* Whether a client, by its number, may ask accounts of this company: of who asked without a user name. */
    bool (*client_sees)(void *context, uint16_t client, const uint8_t company[8]);
    void (*answered)(void *context, const struct approval_asker *asker, const char *json, size_t size);
    enum approval_told (*event)(void *context, uint64_t owner, uint64_t tag, const char *json, size_t size);
    void *context;
};

/* Challenges that were open when the process ended are open again. NO_MEMORY; FULL: the limits are smaller than what is
 * open; STORE_*, VAULT_BAD_SEAL. */
struct result approvals_create(const struct approvals_options *options, struct approvals **ret_approvals) MUST_USE;
void approvals_destroy(struct approvals *approvals);

/* Bytes of JSON that the answer to a frame of so many items may have. */
uint32_t approvals_answer_max(uint32_t count);

/* Keeps a frame for the next turn, which answers it; its bytes stay the caller's. False: this turn is full, offer it
 * again after it. */
bool approvals_take(struct approvals *approvals, const struct approval_asker *asker, const uint8_t *json,
                    uint32_t size);
/* Decides what was taken, gives the answers, tells what was closed; and once a second lets time pass. */
void approvals_turn(struct approvals *approvals);

/* Something was done about this account, or about a whole company (second half zero): the next turn withdraws what may
 * not be answered any more. All zero: about any number of accounts. Any thread. */
void approvals_touched(struct approvals *approvals, const uint8_t account[16]);

struct approvals_status {
    uint32_t kept; /* challenges, closed ones among them */
    uint32_t capacity;
    uint64_t memory_size;                         /* of them */
    uint64_t asked, approved, refused, withdrawn; /* since the start */
    uint64_t turns;
};
/* Any thread; approximate. */
void approvals_status(const struct approvals *approvals, struct approvals_status *ret_status);

#endif
