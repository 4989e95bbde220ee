#include "accounts.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "otp/otp.h"
#include "otpring/client.h"

static enum kernel_algorithm algorithm_of(const char *name)
{
    return strcmp(name, "sha512") == 0 ? KERNEL_SHA512 : strcmp(name, "sha256") == 0 ? KERNEL_SHA256 : KERNEL_SHA1;
}

/* As long as the hash, as RFC 6238 has it. */
static size_t seed_size_of(enum kernel_algorithm algorithm)
{
    return algorithm == KERNEL_SHA512 ? 64 : algorithm == KERNEL_SHA256 ? 32 : 20;
}

static int derive_seed(const struct accounts *accounts, uint64_t seed, uint32_t index,
                       uint8_t ret_seed[ACCOUNT_SEED_SIZE_MAX])
{
    uint8_t text[COMPANY_SIZE + 12] = {0};
    memcpy(text, accounts->company, COMPANY_SIZE);
    store_le64(text + COMPANY_SIZE, seed);
    store_le32(text + COMPANY_SIZE + 8, index);
    return EVP_Digest(text, sizeof text, ret_seed, NULL, EVP_sha512(), NULL) == 1 ? 0 : -1;
}

static int name_company(struct accounts *accounts)
{
    uint8_t random[8];
    if (getrandom(random, sizeof random, 0) != sizeof random) return -1;
    int size = snprintf(accounts->company, sizeof accounts->company, ACCOUNTS_COMPANY_PREFIX);
    for (size_t i = 0; i < sizeof random; i++) accounts->company[size++] = (char)('a' + random[i] % 26);
    return 0;
}

static void user_name(uint32_t index, char ret_user[16])
{
    snprintf(ret_user, 16, "u%u", index);
}

int accounts_create(const struct load_options *options, struct accounts *ret_accounts)
{
    struct accounts *accounts = ret_accounts;
    *accounts = (struct accounts){.count = options->accounts, .algorithm = algorithm_of(options->algorithm)};
    accounts->midstates_size = kernel_midstates_size(accounts->algorithm);
    accounts->names = calloc(accounts->count, sizeof *accounts->names);
    accounts->midstates = calloc(accounts->count, accounts->midstates_size);
    if (!accounts->names || !accounts->midstates || name_company(accounts)) return -1;
    uint8_t seed[ACCOUNT_SEED_SIZE_MAX], name[16] = {0};
    for (uint32_t i = 0; i < accounts->count; i++) {
        char user[16];
        user_name(i, user);
        otpring_name(accounts->company, user, name);
        memcpy(accounts->names[i], name + 8, 8);
        if (derive_seed(accounts, options->seed, i, seed)) return -1;
        kernel_midstates(accounts->algorithm, seed, seed_size_of(accounts->algorithm),
                         accounts->midstates + i * accounts->midstates_size);
    }
    memcpy(accounts->company_name, name, 8);
    explicit_bzero(seed, sizeof seed);
    return 0;
}

void accounts_destroy(struct accounts *accounts)
{
    if (accounts->midstates) explicit_bzero(accounts->midstates, accounts->count * accounts->midstates_size);
    free(accounts->midstates);
    free(accounts->names);
    *accounts = (struct accounts){0};
}

static json_t *enrolment_request(const struct accounts *accounts, const struct load_options *options, uint32_t first,
                                 uint32_t count)
{
    json_t *users = json_array(), *seeds = json_array();
    uint8_t seed[ACCOUNT_SEED_SIZE_MAX];
    char text[128] = "", user[16];
    for (uint32_t i = first; i < first + count; i++) {
        user_name(i, user);
        if (derive_seed(accounts, options->seed, i, seed) ||
            result_failed(otp_base32_encode(seed, seed_size_of(accounts->algorithm), text, sizeof text)) ||
            json_array_append_new(users, json_string(user)) || json_array_append_new(seeds, json_string(text))) {
            json_decref(users);
            json_decref(seeds);
            return NULL;
        }
    }
    explicit_bzero(seed, sizeof seed);
    explicit_bzero(text, sizeof text);
    json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "act", "token.add-batch", "company",
                                accounts->company, "type", options->totp ? "totp" : "hotp", "algorithm",
                                options->algorithm, "digits", 6, "users", users, "seeds", seeds);
    if (!request) return NULL;
    if (options->totp) {
        json_object_set_new(request, "period", json_integer(1));
    } else {
        json_object_set_new(request, "look_ahead", json_integer(10));
        json_object_set_new(request, "counter", json_integer(0));
    }
    return request;
}

int accounts_enrol(const struct accounts *accounts, const struct load_options *options, struct admin *admin,
                   const volatile sig_atomic_t *stop)
{
    for (uint32_t first = 0; first < accounts->count && !*stop; first += ACCOUNTS_PER_REQUEST) {
        uint32_t left = accounts->count - first;
        uint32_t count = left < ACCOUNTS_PER_REQUEST ? left : ACCOUNTS_PER_REQUEST;
        json_t *request = enrolment_request(accounts, options, first, count);
        if (!request) {
            snprintf(admin->error, sizeof admin->error, "not enough memory");
            return -1;
        }
        json_t *answer = admin_ask(admin, request);
        if (!answer) return -1;
        json_int_t added = json_integer_value(json_object_get(answer, "added"));
        json_decref(answer);
        if (added != count) {
            snprintf(admin->error, sizeof admin->error, "%lld of %u accounts were added", (long long)added, count);
            return -1;
        }
    }
    return 0;
}

int accounts_purge(const struct accounts *accounts, struct admin *admin)
{
    for (bool more = true; more;) {
        json_t *answer =
            admin_ask(admin, json_pack("{s:s, s:s}", "act", "company.purge", "company", accounts->company));
        if (!answer) return -1;
        more = json_is_true(json_object_get(answer, "more"));
        json_decref(answer);
    }
    return 0;
}
