/* hash_peers TOKENS-FILE SECONDS [ROUNDS [kernel]]: what libraries make of verifying right codes in a loop on one core,
 * nothing stored, on the tokens of the file in random order: liboath's oath_totp_validate, OpenSSL's HMAC() from the
 * seed, the job interface of intel-ipsec-mb from cached midstates, and this project's kernel from cached midstates.
 * Prints a line of JSON for each: every round's verifications a second of processor time. With "kernel" only the last.
 */
#include <liboath/oath.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef BENCH_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "kernel/kernel.h"
#include "tokens.h"

enum { STEP = 55555555, PERIOD_S = 30, DIGITS = 6, BATCH = 240, ROUNDS_MAX = 32 };

static struct token *tokens;
static uint32_t token_count;
static uint32_t *codes;
static uint32_t *order;
static uint8_t (*midstates)[KERNEL_SHA1_MIDSTATES];
static const struct kernel *kernel;

static void prepare(void)
{
    uint64_t random = 88172645463325252u, step = STEP;
    codes = calloc(token_count, sizeof *codes);
    order = calloc(token_count, sizeof *order);
    midstates = aligned_alloc(64, (token_count * sizeof *midstates + 63) / 64 * 64);
    if (!codes || !order || !midstates) exit(1);
    for (uint32_t i = 0; i < token_count; i++) {
        const void *own = midstates[i];
        uint32_t truncated;
        kernel_midstates(KERNEL_SHA1, tokens[i].seed, TOKEN_SEED_SIZE, midstates[i]);
        kernel->steps[KERNEL_SHA1](&own, &step, &truncated, 1);
        codes[i] = kernel_digits(truncated, DIGITS);
        order[i] = i;
    }
    for (uint32_t i = token_count - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t other = (uint32_t)(random % (i + 1)), swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
}

/* Each verifies the tokens at order[from] to order[from + BATCH - 1]; gives how many codes were right. */
static uint32_t liboath_verify(uint32_t from)
{
    uint32_t right = 0;
    for (uint32_t i = from; i < from + BATCH; i++) {
        const struct token *token = &tokens[order[i]];
        char text[8];
        snprintf(text, sizeof text, "%06u", codes[order[i]] % 1000000u);
        right += oath_totp_validate((const char *)token->seed, TOKEN_SEED_SIZE, (time_t)STEP * PERIOD_S, PERIOD_S, 0, 1,
                                    text) == 0;
    }
    return right;
}

static uint32_t digest_code(const uint8_t digest[20])
{
    uint32_t word;
    memcpy(&word, digest + (digest[19] & 15), sizeof word);
    return kernel_digits(__builtin_bswap32(word) & INT32_MAX, DIGITS);
}

static uint32_t openssl_verify(uint32_t from)
{
    uint64_t message = __builtin_bswap64(STEP);
    uint32_t right = 0;
    for (uint32_t i = from; i < from + BATCH; i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size;
        if (!HMAC(EVP_sha1(), tokens[order[i]].seed, TOKEN_SEED_SIZE, (const void *)&message, 8, digest, &size))
            exit(1);
        right += digest_code(digest) == codes[order[i]];
    }
    return right;
}

static uint32_t kernel_verify(uint32_t from)
{
    const void *own[BATCH];
    uint64_t steps[BATCH];
    uint32_t truncated[BATCH], right = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        own[i] = midstates[order[from + i]];
        steps[i] = STEP;
    }
    kernel->steps[KERNEL_SHA1](own, steps, truncated, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) right += kernel_digits(truncated[i], DIGITS) == codes[order[from + i]];
    return right;
}

#ifdef BENCH_IPSEC_MB
static IMB_MGR *manager;

static uint32_t take_job(const IMB_JOB *job)
{
    if (!job) return 0;
    if (job->status != IMB_STATUS_COMPLETED) exit(1);
    uint32_t token = (uint32_t)(uintptr_t)job->user_data;
    return digest_code(job->user_data2) == codes[token];
}

static uint32_t ipsec_verify(uint32_t from)
{
    static uint8_t digests[BATCH][32];
    static uint64_t message;
    uint32_t right = 0;
    message = __builtin_bswap64(STEP);
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t token = order[from + i];
        IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
        job->cipher_mode = IMB_CIPHER_NULL;
        job->cipher_direction = IMB_DIR_ENCRYPT;
        job->chain_order = IMB_ORDER_HASH_CIPHER;
        job->hash_alg = IMB_AUTH_HMAC_SHA_1;
        job->src = (const uint8_t *)&message;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = 8;
        job->msg_len_to_cipher_in_bytes = 0;
        job->auth_tag_output = digests[i];
        job->auth_tag_output_len_in_bytes = 20;
        job->u.HMAC._hashed_auth_key_xor_ipad = midstates[token];
        job->u.HMAC._hashed_auth_key_xor_opad = midstates[token] + 20;
        job->user_data = (void *)(uintptr_t)token;
        job->user_data2 = digests[i];
        right += take_job(IMB_SUBMIT_JOB(manager));
        for (IMB_JOB *done; (done = IMB_GET_COMPLETED_JOB(manager));) right += take_job(done);
    }
    for (IMB_JOB *job; (job = IMB_FLUSH_JOB(manager));) right += take_job(job);
    return right;
}
#endif

static void measure(const char *name, uint32_t (*verify)(uint32_t from), double seconds, int rounds)
{
    uint32_t at = 0;
    printf("{\"peer\": \"%s\", \"rates\": [", name);
    for (int round = -1; round < rounds; round++) { /* the first warms up */
        double begin = bench_cpu_s(), passed = 0;
        uint64_t count = 0;
        while (passed < seconds) {
            if (at + BATCH > token_count) at = 0;
            if (verify(at) != BATCH) {
                fprintf(stderr, "hash_peers: %s found a right code wrong\n", name);
                exit(1);
            }
            at += BATCH;
            count += BATCH;
            passed = bench_cpu_s() - begin;
        }
        if (round >= 0) printf("%s%.0f", round ? ", " : "", (double)count / passed);
    }
    printf("]}\n");
    fflush(stdout);
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fputs("usage: hash_peers TOKENS-FILE SECONDS [ROUNDS [kernel]]\n", stderr);
        return 2;
    }
    double seconds = atof(arguments[2]);
    int rounds = count > 3 ? atoi(arguments[3]) : 5;
    tokens = tokens_read(arguments[1], &token_count);
    if (token_count < BATCH || rounds < 1 || rounds > ROUNDS_MAX || oath_init() != OATH_OK ||
        result_failed(kernel_choose(NULL, &kernel)))
        return 1;
    prepare();
    bool alone = count > 4 && strcmp(arguments[4], "kernel") == 0;
    if (!alone) measure("liboath", liboath_verify, seconds, rounds);
    if (!alone) measure("openssl", openssl_verify, seconds, rounds);
#ifdef BENCH_IPSEC_MB
    manager = alloc_mb_mgr(0);
    if (!manager) return 1;
    init_mb_mgr_auto(manager, NULL);
    if (!alone) measure("intel-ipsec-mb", ipsec_verify, seconds, rounds);
    free_mb_mgr(manager);
#endif
    measure("otpring kernel", kernel_verify, seconds, rounds);
    return 0;
}
