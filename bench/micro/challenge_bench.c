/* Time of OCRA responses, of a challenge's body and URI, of checking what devices signed, and of asking and answering
 * in a room where a million others are open. In memory: what the journal adds is its own benchmark's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "challenge/room.h"
#include "challenge/statement.h"
#include "challenge/uri.h"
#include "os/arena.h"
#include "shim.h"
#include "vault/device_key.h"

enum { OPEN = 1000000, START_S = 1800000000, PER_SECOND = 1000, WINDOW_S = 600 };

static void must(struct result result)
{
    if (result_failed(result)) abort();
}

/* ---- OCRA ---- */

struct responder {
    struct ocra_suite suite;
    struct ocra_message message;
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
};

static void responder_make(struct responder *responder, const char *suite)
{
    static const uint8_t pin_hash[20] = {1};
    must(ocra_suite_parse(suite, strlen(suite), &responder->suite));
    struct ocra_input input = {.questions = {{.text = "12345678", .size = 8}},
                               .pin_hash = pin_hash,
                               .pin_hash_size = responder->suite.pin_hash_size};
    must(ocra_message_make(&responder->suite, &input, &responder->message));
    kernel_midstates(responder->suite.algorithm, (const uint8_t *)"12345678901234567890", 20, responder->midstates);
}

static void respond_pass(void *argument)
{
    struct responder *responder = argument;
    static uint64_t counter;
    char text[OCRA_RESPONSE_SIZE_MAX + 1];
    ocra_message_move(&responder->message, ++counter, 0);
    ocra_respond(&responder->suite, responder->midstates, &responder->message, text);
}

/* ---- bodies ---- */

static struct vault *vault;
static struct challenge_body body;
static uint8_t bytes[CHALLENGE_BODY_SIZE_MAX], public_key[VAULT_PUBLIC_KEY_SIZE];
static size_t size;
static char uri[CHALLENGE_URI_SIZE_MAX + 1];

static struct challenge_text words(const char *text)
{
    return (struct challenge_text){.bytes = text, .size = strlen(text)};
}

static void body_make(void)
{
    body = (struct challenge_body){.purpose = CHALLENGE_TRANSACTION,
                                   .expires_s = START_S,
                                   .fields = {words("Demo Bank"), words("Pay this bill?"), words("1250.00"),
                                              words("EUR"), words("Ana Perez"), words("Bill 117")}};
    vault_public_key(vault, public_key);
    challenge_key_id(public_key, body.key_id);
}

static void encode_pass(void *argument)
{
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
    (void)argument;
    must(challenge_body_encode(&body, bytes, &size));
    challenge_digest(bytes, size, digest);
}

static void sign_pass(void *argument)
{
    (void)argument;
    must(challenge_uri_make(vault, bytes, size, uri));
}

static void read_pass(void *argument)
{
    uint8_t read[CHALLENGE_BODY_SIZE_MAX];
    size_t read_size;
    (void)argument;
    must(challenge_uri_read(uri, strlen(uri), public_key, read, &read_size));
}

/* ---- signatures of devices ---- */

enum { PROOFS = 64 };

struct signers {
    struct device_key keys[PROOFS];
    uint8_t signatures[PROOFS][DEVICE_SIGNATURE_SIZE];
    struct challenge_proof proofs[PROOFS];
};

/* The statement is signed as it stands: the form of device statements is its own. */
static void signers_make(struct signers *signers, enum device_algorithm algorithm)
{
    for (int i = 0; i < PROOFS; i++) {
        struct challenge_proof *proof = &signers->proofs[i];
        struct challenge_answer answer = {.act = CHALLENGE_APPROVE, .number = 42, .device = 1 + (uint64_t)i};
        struct device_statement statement = {.size = CHALLENGE_STATEMENT_SIZE};
        uint8_t private_key[DEVICE_PRIVATE_SIZE];
        must(device_pair_make(algorithm, private_key, &signers->keys[i]));
        challenge_statement_write(&answer, 1, proof->statement);
        memcpy(statement.bytes, proof->statement, CHALLENGE_STATEMENT_SIZE);
        must(device_sign(algorithm, private_key, &statement, signers->signatures[i]));
        proof->key_kind = (uint8_t)algorithm;
        proof->key = signers->keys[i].bytes, proof->key_size = signers->keys[i].size;
        proof->signature = signers->signatures[i], proof->signature_size = DEVICE_SIGNATURE_SIZE;
    }
}

static void check_pass(void *argument)
{
    const struct signers *signers = argument;
    bool good[PROOFS];
    challenge_proofs_check(signers->proofs, PROOFS, good);
    for (int i = 0; i < PROOFS; i++)
        if (!good[i]) abort();
}

/* ---- the room ---- */

static struct challenge_room *room;
static uint32_t now_s = START_S, asked;

static struct challenge_entry entry_next(uint32_t life_s)
{
    struct challenge_entry entry = {.asked_s = now_s, .expires_s = now_s + life_s, .purpose = CHALLENGE_LOGIN};
    uint32_t spread = ++asked * 2654435761u;
    memcpy(entry.id, &spread, sizeof spread);
    memcpy(entry.account, &asked, sizeof asked);
    return entry;
}

static void ask(const struct challenge_entry *entry)
{
    struct challenge_ask_verdict verdict;
    must(challenge_judge_ask(room, entry, now_s, &verdict));
    if (verdict.asked != CHALLENGE_NEW) abort();
    must(challenge_enter(room, entry, now_s));
}

/* Asked, answered, and forgotten when neither its answer nor its account's window wants it any more. */
static void ask_pass(void *argument)
{
    (void)argument;
    struct challenge_entry entry = entry_next(1), becomes;
    struct challenge_answer answer = {.act = CHALLENGE_APPROVE, .device = 1};
    enum challenge_answered answered;
    ask(&entry);
    memcpy(answer.account, entry.account, sizeof answer.account);
    must(challenge_judge_answer(room, entry.id, &answer, now_s, &answered, &becomes));
    if (answered != CHALLENGE_TAKEN) abort();
    must(challenge_enter(room, &becomes, now_s));
    if (asked % PER_SECOND == 0) now_s++;
    (void)challenge_tick(room, now_s, 2, NULL, NULL);
}

static void room_fill(void)
{
    const struct challenge_limits limits = {.capacity = OPEN + (WINDOW_S + CHALLENGE_KEPT_S + 4) * PER_SECOND,
                                            .life_max_s = CHALLENGE_SPAN_MAX_S,
                                            .cool_down_s = 60,
                                            .window_s = WINDOW_S,
                                            .prompts_max = 3};
    must(challenge_room_open(&limits, public_key, &room));
    for (uint32_t i = 0; i < OPEN; i++) {
        struct challenge_entry entry = entry_next(CHALLENGE_SPAN_MAX_S);
        ask(&entry);
    }
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/otpring-bench-XXXXXX", path[64];
    uint8_t store_id[VAULT_STORE_ID_SIZE], row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
    static struct responder responders[3];
    static struct signers es256, ed25519;
    arena_allow_unlocked(true);
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/key", folder);
    must(vault_key_file_create(path));
    must(vault_create(path, store_id, row, &row_size));
    must(vault_open(path, store_id, row, row_size, &vault));
    unlink(path);
    rmdir(folder);
    body_make();
    encode_pass(NULL);
    sign_pass(NULL);
    room_fill();
    signers_make(&es256, DEVICE_ES256);
    signers_make(&ed25519, DEVICE_ED25519);
    responder_make(&responders[0], "OCRA-1:HOTP-SHA1-6:C-QN08");
    responder_make(&responders[1], "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1");
    responder_make(&responders[2], "OCRA-1:HOTP-SHA512-8:C-QN08");
    bench_register("OCRA response, SHA-1", respond_pass, &responders[0], 1);
    bench_register("OCRA response, SHA-256 with PIN", respond_pass, &responders[1], 1);
    bench_register("OCRA response, SHA-512", respond_pass, &responders[2], 1);
    bench_register("encode a payment, and its digest", encode_pass, NULL, 1);
    bench_register("sign it as a URI", sign_pass, NULL, 1);
    bench_register("read and check the URI", read_pass, NULL, 1);
    bench_register("check an answer, ES256", check_pass, &es256, PROOFS);
    bench_register("check an answer, Ed25519", check_pass, &ed25519, PROOFS);
    bench_register("ask, answer, forget; 1 million open", ask_pass, NULL, 1);
    int status = bench_run(argc, argv);
    challenge_room_close(room);
    vault_close(vault);
    return status;
}
