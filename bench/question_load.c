/* Asks users and answers for their devices, as fast as it goes or at a rate: what bench/questions.py measures with.
 *
 * usage: question_load SOCKET KEYS COMPANY SECONDS RATE THREADS
 *
 * KEYS has a line a device: user, number, ES256 or Ed25519, private key in hexadecimal, counter of its last answer.
 * RATE is approvals a second, 0: as many as go. Prints one JSON object. Signing is part of what it does, so on few
 * cores it takes time from the daemon. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "challenge/statement.h"
#include "os/machine.h"
#include "otp/otp.h"
#include "otpring/ask.h"
#include "vault/device_key.h"
#include "vault/vault.h"

enum { DEVICES_MAX = 65536, THREADS_MAX = 16, BATCH = 256, SIGNATURE_TEXT = BASE64URL_SIZE(DEVICE_SIGNATURE_SIZE) };

struct device {
    char user[64];
    uint64_t number, counter;
    enum device_algorithm algorithm;
    uint8_t private_key[DEVICE_PRIVATE_SIZE];
};

struct work {
    pthread_t thread;
    unsigned index;
    uint64_t asked, approved, refused;
    double ask_s, answer_s;
};

static struct device devices[DEVICES_MAX];
static size_t device_count;
static const char *socket_path, *company;
static double seconds, rate;
static unsigned thread_count;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "question_load: %s: %s\n", what, why);
    exit(1);
}

static void keys_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char algorithm[16], hex[80];
    if (!file) fail(path, strerror(errno));
    while (device_count < DEVICES_MAX) {
        struct device *device = &devices[device_count];
        unsigned long long number, counter;
        if (fscanf(file, "%63s %llu %15s %64s %llu", device->user, &number, algorithm, hex, &counter) != 5) break;
        device->number = number;
        device->counter = counter;
        if (!device_algorithm_parse(algorithm, &device->algorithm)) fail(path, "an algorithm that there is not");
        for (unsigned i = 0; i < DEVICE_PRIVATE_SIZE; i++) {
            unsigned byte;
            if (sscanf(hex + 2 * i, "%2x", &byte) != 1) fail(path, "a key that is not hexadecimal");
            device->private_key[i] = (uint8_t)byte;
        }
        device_count++;
    }
    fclose(file);
    if (device_count == 0) fail(path, "no devices");
}

/* The digest of what the URI asks; a device would check the bank's signature first. */
static void digest_of(const char *uri, uint8_t ret_digest[CHALLENGE_DIGEST_SIZE])
{
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX + VAULT_SIGNATURE_SIZE];
    size_t size = 0;
    if (result_failed(otp_base32_decode(uri + 8, strlen(uri) - 8, bytes, sizeof bytes, &size))) fail(uri, "no URI");
    challenge_digest(bytes, size - VAULT_SIGNATURE_SIZE, ret_digest);
}

static char *document_make(struct device *device, const struct otpring_asked *asked)
{
    struct challenge_answer answer = {
        .act = CHALLENGE_APPROVE, .number = (uint8_t)asked->number, .device = device->number};
    struct device_statement statement = {.size = CHALLENGE_STATEMENT_SIZE};
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    char statement_text[BASE64URL_SIZE(CHALLENGE_STATEMENT_SIZE)], signature_text[SIGNATURE_TEXT], *text;
    digest_of(asked->uri, answer.digest);
    challenge_statement_write(&answer, ++device->counter, statement.bytes);
    if (result_failed(device_sign(device->algorithm, device->private_key, &statement, signature)))
        fail(device->user, "its key does not sign");
    base64url_encode(statement.bytes, statement.size, statement_text);
    base64url_encode(signature, sizeof signature, signature_text);
    if (asprintf(&text, "{\"v\":1,\"step\":\"answer\",\"challenge\":\"%s\",\"statement\":\"%s\",\"signature\":\"%s\"}",
                 asked->challenge, statement_text, signature_text) < 0)
        fail(device->user, "not enough memory");
    return text;
}

static void answers_count(struct work *work, char *answers[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool approved = strstr(answers[i], "\"state\":\"approved\"") != NULL;
        if (!approved && work->refused == 0) fprintf(stderr, "question_load: the first refusal: %s\n", answers[i]);
        approved ? work->approved++ : work->refused++;
        otpring_answer_free(answers[i]);
    }
}

/* All devices of `mine`, asked and answered once. */
static void round_go(struct work *work, struct otpring_asker *asker, struct device *mine, size_t count)
{
    static _Thread_local struct otpring_question questions[BATCH];
    static _Thread_local struct otpring_asked asked[BATCH];
    char *documents[BATCH], *answers[BATCH];
    size_t made = 0;
    for (size_t i = 0; i < count; i++)
        questions[i] = (struct otpring_question){.company = company,
                                                 .user = mine[i].user,
                                                 .session = "bench",
                                                 .channel = "push",
                                                 .purpose = "login",
                                                 .site = "Demo Bank",
                                                 .text = "Log in to the portal?",
                                                 .quiet = 1};
    double begin = now_s();
    if (otpring_ask(asker, questions, count, asked)) fail("ask", otpring_asker_last_error(asker));
    work->ask_s += now_s() - begin;
    for (size_t i = 0; i < count; i++) {
        if (asked[i].code[0]) fail(mine[i].user, asked[i].code);
        documents[made++] = document_make(&mine[i], &asked[i]);
    }
    work->asked += made;
    begin = now_s();
    if (otpring_documents(asker, (const char *const *)documents, made, answers))
        fail("answer", otpring_asker_last_error(asker));
    work->answer_s += now_s() - begin;
    answers_count(work, answers, made);
    for (size_t i = 0; i < made; i++) free(documents[i]);
}

static void *work_main(void *argument)
{
    struct work *work = argument;
    struct otpring_asker *asker;
    size_t first = device_count * work->index / thread_count, end = device_count * (work->index + 1) / thread_count;
    if (otpring_asker_open(socket_path, 60000, &asker)) fail(socket_path, "no memory");
    double begin = now_s();
    for (size_t at = first; now_s() - begin < seconds;) {
        size_t count = end - at < BATCH ? end - at : BATCH;
        round_go(work, asker, &devices[at], count);
        at = at + count == end ? first : at + count;
        double due = rate > 0 ? (double)work->approved * thread_count / rate : 0, ahead = due - (now_s() - begin);
        if (ahead > 0)
            nanosleep(&(struct timespec){(time_t)ahead, (long)((ahead - (double)(time_t)ahead) * 1e9)}, NULL);
    }
    otpring_asker_close(asker);
    return NULL;
}

int main(int argc, char **argv)
{
    /* A slice that signing may finish is time that the daemon's verify thread waits on the same core: what codes notice
     * shall be the daemon's doing. */
    machine_thread_yields();
    static struct work works[THREADS_MAX];
    struct work all = {0};
    if (argc != 7) fail("usage", "question_load SOCKET KEYS COMPANY SECONDS RATE THREADS");
    socket_path = argv[1];
    company = argv[3];
    seconds = strtod(argv[4], NULL);
    rate = strtod(argv[5], NULL);
    thread_count = (unsigned)strtoul(argv[6], NULL, 10);
    if (thread_count < 1 || thread_count > THREADS_MAX) fail("THREADS", "1 to 16");
    keys_read(argv[2]);
    double begin = now_s();
    for (unsigned i = 0; i < thread_count; i++) {
        works[i].index = i;
        if (pthread_create(&works[i].thread, NULL, work_main, &works[i])) fail("thread", strerror(errno));
    }
    for (unsigned i = 0; i < thread_count; i++) {
        pthread_join(works[i].thread, NULL);
        all.asked += works[i].asked;
        all.approved += works[i].approved;
        all.refused += works[i].refused;
        all.ask_s += works[i].ask_s;
        all.answer_s += works[i].answer_s;
    }
    double took_s = now_s() - begin;
    printf(
        "{\"devices\":%zu,\"seconds\":%.2f,\"asked\":%llu,\"approved\":%llu,\"refused\":%llu,\"approved_per_s\":%.0f,"
        "\"asked_alone_per_s\":%.0f,\"answered_alone_per_s\":%.0f}\n",
        device_count, took_s, (unsigned long long)all.asked, (unsigned long long)all.approved,
        (unsigned long long)all.refused, (double)all.approved / took_s, (double)all.asked / (all.ask_s / thread_count),
        (double)all.approved / (all.answer_s / thread_count));
    return all.refused != 0;
}
