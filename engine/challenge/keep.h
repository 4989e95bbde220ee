/* Challenges that outlive the process: what is asked and answered is durable before anybody is told, and is there again
 * after a start. The bridge between the room (what may be) and core's changes (what is).
 *
 * A change takes many asks or answers in one journal block; each is its own record there: "challenge.ask",
 * "challenge.answer", "challenge.wrong" (an answer with a wrong number, or a wrong response: it ended the challenge and
 * approved nothing), "challenge.withdraw", "challenge.forget"; and before the answer of a user who says that somebody
 * else asked, "challenge.alarm". Rows of STORE_CHALLENGES, by id and a letter:
 *
 *   id 'h'  head: the entry, sealed       associated data: "challenge", the letter, the id
 *   id 'b'  body: as it was asked, sealed
 *   id 'e'  evidence: what the caller gave with the answer (the device's signature and what it covers), sealed
 *   id 'c'  commitment: SHA-256 of the evidence, in clear, so that the log's own proofs (journal/PROOF.md) cover the
 *           evidence for whoever cannot open what is sealed. It says nothing of it: a signature is in there
 *
 * Head, sealed, little-endian: version 1 (1), state 1, purpose 1, flags 1, number 1, reason 1, client 2, expires 4,
 * asked 4, closed 4, zero 4, device 8, account 16, binding 16, digest 32, content 8: 104 bytes.
 *
 * That a challenge was shown, and that it expired, has no record: the one is no promise, the other follows from the
 * time. Rows go when the room forgets a challenge; the journal keeps what it says.
 *
 * Owned by the administrator's thread, as changes are; nothing here is called on the verify path. */
#ifndef OTPRING_CHALLENGE_KEEP_H
#define OTPRING_CHALLENGE_KEEP_H

#include "challenge/room.h"
#include "core/change.h"

enum { CHALLENGE_EVIDENCE_SIZE_MAX = 512, CHALLENGE_HEAD_SIZE = 104, CHALLENGE_FORGET_MAX = 1000 };

struct challenge_ask;
struct challenge_reply;

/* What the room above knows of accounts and devices, judged and put in the very change that asks or answers. A failure
 * ends the change; what is wrong with one question or answer is said in its result. */
struct challenge_also {
    void *context;
    uint32_t slots_max; /* of the block, that `asked` or `answered` takes at most */
    /* Before it is judged: may this account be asked, may this device answer? Completes the reply's answer. */
    struct result (*may_ask)(void *context, struct core_change *change, struct challenge_ask *ask);
    struct result (*may_answer)(void *context, struct core_change *change, struct challenge_reply *reply);
    /* After what was NEW, and what was TAKEN: its own records and rows. */
    struct result (*asked)(void *context, struct core_change *change, const struct challenge_ask *ask);
    struct result (*answered)(void *context, struct core_change *change, const struct challenge_reply *reply);
};

struct challenge_keep {
    const struct challenge_also *also; /* NULL: nothing */
    struct challenge_room *room;
    struct core_worker *worker;
    struct store *store;
    const struct vault *vault;
    /* Forgotten by the room, and not yet by the store. */
    uint8_t forgotten[CHALLENGE_FORGET_MAX][CHALLENGE_ID_SIZE];
    uint32_t forgotten_count;
};

/* Everything that the store has of challenges, into the room. Once, before anything is asked. FULL: the room is smaller
 * than what is open; STORE_DAMAGED, VAULT_BAD_SEAL. now_s: journal time. */
struct result challenge_keep_load(struct challenge_keep *keep, uint32_t now_s) MUST_USE;

/* One question. The body's expiry is the change's time and life_s; the rest of it is the caller's. */
struct challenge_ask {
    struct challenge_body body; /* expires_s is set; fields point to the caller's bytes */
    uint8_t account[16];        /* zeros: none */
    uint32_t life_s;
    uint32_t client_max; /* this client may have so many open; 0: any number */
    uint16_t client;
    uint8_t number; /* 10 to 99 with CHALLENGE_MATCH_NUMBER, else 0 */
    void *own;      /* the caller's */
    /* out */
    struct result result; /* BAD_ARGUMENT, FULL, STORE_EXISTS, CHALLENGE_*: not asked; OK: see verdict */
    enum challenge_asked asked;
    uint8_t joined[CHALLENGE_ID_SIZE]; /* JOINED: the challenge that is open */
    uint32_t retry_after_s;
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX]; /* NEW: the body as it was signed for */
    size_t size;
};

/* Asks the first so many as fit one block (at least one), each judged with those before it asked; ret_done says how
 * many. When it returns OK, what was asked is durable; otherwise nothing was (JOURNAL_NO_ROOM, STORE_PENDING: again
 * later). */
struct result challenge_keep_ask(struct challenge_keep *keep, const struct core_actor *actor,
                                 struct challenge_ask *asks, size_t count, size_t *ret_done) MUST_USE;

struct challenge_reply {
    uint8_t id[CHALLENGE_ID_SIZE];
    struct challenge_answer answer;
    const uint8_t *evidence; /* at most CHALLENGE_EVIDENCE_SIZE_MAX bytes */
    size_t evidence_size;
    void *own; /* the caller's */
    /* By `may_answer`: not answered but withdrawn, for this reason; 0: no */
    enum challenge_reason shut;
    /* out */
    struct result result; /* BAD_ARGUMENT */
    enum challenge_answered answered;
    enum challenge_state state; /* TAKEN: what it became */
};

/* The same for answers: of two to one challenge in one call the first is taken. */
struct result challenge_keep_answer(struct challenge_keep *keep, const struct core_actor *actor,
                                    struct challenge_reply *replies, size_t count, size_t *ret_done) MUST_USE;

struct challenge_withdrawal {
    uint8_t id[CHALLENGE_ID_SIZE];
    enum challenge_role role;
    enum challenge_reason reason;
    struct result result; /* out: STORE_NOT_FOUND, CHALLENGE_DENIED */
    void *own;            /* the caller's */
};

/* The same for withdrawals. */
struct result challenge_keep_withdraw_all(struct challenge_keep *keep, const struct core_actor *actor,
                                          struct challenge_withdrawal *items, size_t count, size_t *ret_done) MUST_USE;
/* Withdraws one. STORE_NOT_FOUND, CHALLENGE_DENIED, or as above. */
struct result challenge_keep_withdraw(struct challenge_keep *keep, const struct core_actor *actor,
                                      const uint8_t id[CHALLENGE_ID_SIZE], enum challenge_role role,
                                      enum challenge_reason reason) MUST_USE;
/* Withdraws all that an account has open: where it is locked, suspended, removed, or loses its devices. Exchanges,
 * which are of no device, are left: whether their token may answer is judged with the response. */
struct result challenge_keep_shut(struct challenge_keep *keep, const struct core_actor *actor,
                                  const uint8_t account[16], enum challenge_reason reason,
                                  uint32_t *ret_withdrawn) MUST_USE;

/* Time passes, a little of it a call: at most CHALLENGE_FORGET_MAX are forgotten. */
struct result challenge_keep_tick(struct challenge_keep *keep, const struct core_actor *actor, uint32_t now_s,
                                  bool *ret_more) MUST_USE;

/* A sealed part as a record of the log carries it, by its row's key. STORE_DAMAGED: too long; VAULT_BAD_SEAL. */
enum { CHALLENGE_PART_KEY_SIZE = CHALLENGE_ID_SIZE + 1 };
struct result challenge_part_open(const struct vault *vault, const uint8_t key[CHALLENGE_PART_KEY_SIZE],
                                  struct store_bytes value, uint8_t *ret_bytes, size_t capacity,
                                  size_t *ret_size) MUST_USE;
/* The body of a challenge, or its evidence. STORE_NOT_FOUND; VAULT_BAD_SEAL. */
struct result challenge_keep_body(const struct challenge_keep *keep, const uint8_t id[CHALLENGE_ID_SIZE],
                                  uint8_t ret_bytes[CHALLENGE_BODY_SIZE_MAX], size_t *ret_size) MUST_USE;
struct result challenge_keep_evidence(const struct challenge_keep *keep, const uint8_t id[CHALLENGE_ID_SIZE],
                                      uint8_t ret_bytes[CHALLENGE_EVIDENCE_SIZE_MAX], size_t *ret_size) MUST_USE;

#endif
