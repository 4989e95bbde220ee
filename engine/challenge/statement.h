/* What a device signs when it answers, and what is kept of it so that anybody can check it later. Pure functions, any
 * thread; reading takes hostile input. The page for devices is include/otpring/QR.md.
 *
 * Statement, 90 bytes: the domain "otpring answer", a zero byte, then fields in the form of all that devices sign, each
 * after its size (4 bytes, big-endian), numbers big-endian:
 *
 *   32  SHA-256 of the body that it showed
 *    1  decision: 1 approved, 2 refused
 *    1  reason of a refusal: 0 none, 1 not me, 2 not wanted
 *    1  the number that the user entered, 10 to 99; 0: none was asked for
 *    8  device number
 *    8  the device's own counter, greater with each answer of it
 *
 * Proof: the statement, then kind of key 1, size of key 1, size of signature 1, key, signature. Where a response was
 * typed instead (the page's "Answering offline"), kind is CHALLENGE_PROOF_TYPED, key is the OCRA suite's text and
 * signature the digits that were typed; the statement, with counter 0, is then the engine's own: decision 2 where the
 * response was wrong. */
#ifndef OTPRING_CHALLENGE_STATEMENT_H
#define OTPRING_CHALLENGE_STATEMENT_H

#include "challenge/room.h"

enum {
    CHALLENGE_PROOF_TYPED = 128,
    CHALLENGE_STATEMENT_SIZE = 90,
    CHALLENGE_DEVICE_KEY_SIZE_MAX = 128,
    CHALLENGE_DEVICE_SIGNATURE_SIZE_MAX = 128,
    CHALLENGE_PROOF_SIZE_MAX =
        CHALLENGE_STATEMENT_SIZE + 3 + CHALLENGE_DEVICE_KEY_SIZE_MAX + CHALLENGE_DEVICE_SIGNATURE_SIZE_MAX,
};

/* Of an answer to the room: its act, reason, number, device and digest. The account is not in it: the body's binding
 * covers that. */
void challenge_statement_write(const struct challenge_answer *answer, uint64_t counter,
                               uint8_t ret_bytes[CHALLENGE_STATEMENT_SIZE]);
/* Back; the account is left zero. CHALLENGE_BAD_STATEMENT: anything that challenge_statement_write does not write. */
struct result challenge_statement_read(const uint8_t bytes[CHALLENGE_STATEMENT_SIZE],
                                       struct challenge_answer *ret_answer, uint64_t *ret_counter) MUST_USE;

/* A signed statement. When read, key and signature point into the bytes read. */
struct challenge_proof {
    uint8_t statement[CHALLENGE_STATEMENT_SIZE];
    uint8_t key_kind; /* enum device_algorithm, or CHALLENGE_PROOF_TYPED; not 0 */
    const uint8_t *key;
    size_t key_size;
    const uint8_t *signature;
    size_t signature_size;
};

/* CHALLENGE_BAD_STATEMENT: no kind, or key or signature empty or too long. */
struct result challenge_proof_encode(const struct challenge_proof *proof, uint8_t ret_bytes[CHALLENGE_PROOF_SIZE_MAX],
                                     size_t *ret_size) MUST_USE;
struct result challenge_proof_decode(const uint8_t *bytes, size_t size, struct challenge_proof *ret_proof) MUST_USE;

/* Whether each was signed by the key that it names, in one call for all (vault/device_key.h): the key's kind is a
 * device_algorithm, the signature has DEVICE_SIGNATURE_SIZE bytes. That the key is the device's, and bound, is for the
 * caller to know. At most CHALLENGE_PROOFS_MAX. */
enum { CHALLENGE_PROOFS_MAX = 256 };
void challenge_proofs_check(const struct challenge_proof *proofs, size_t count, bool *ret_good);

#endif
