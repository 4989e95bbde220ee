#include "accounts.h"

#include <openssl/evp.h>
#include <stdarg.h>
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

size_t accounts_seed_size(const struct accounts *accounts)
{
    return seed_size_of(accounts->algorithm);
}

/* AES-256 in counter mode under SHA-256(company, seed): ten million secrets in a tenth of a second, any of them alone
 * too. */
int accounts_seeds(const struct accounts *accounts, uint64_t seed, uint32_t first, uint32_t count, uint8_t *ret_seeds)
{
    uint8_t text[COMPANY_SIZE + 8] = {0}, key[32], counter[16] = {0};
    int size = (int)(count * ACCOUNT_SEED_SIZE_MAX), written = 0;
    uint64_t block = __builtin_bswap64((uint64_t)first * ACCOUNT_SEED_SIZE_MAX / 16);
    memcpy(text, accounts->company, COMPANY_SIZE);
    store_le64(text + COMPANY_SIZE, seed);
    memcpy(counter + 8, &block, 8);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    memset(ret_seeds, 0, (size_t)size);
    bool made = context && EVP_Digest(text, sizeof text, key, NULL, EVP_sha256(), NULL) == 1 &&
                EVP_EncryptInit_ex2(context, EVP_aes_256_ctr(), key, counter, NULL) == 1 &&
                EVP_EncryptUpdate(context, ret_seeds, &written, ret_seeds, size) == 1 && written == size;
    EVP_CIPHER_CTX_free(context);
    explicit_bzero(key, sizeof key);
    return made ? 0 : -1;
}

static int name_company(struct accounts *accounts, const char *company)
{
    uint8_t random[8];
    if (company) {
        snprintf(accounts->company, sizeof accounts->company, "%s", company);
        return 0;
    }
    if (getrandom(random, sizeof random, 0) != sizeof random) return -1;
    int size = snprintf(accounts->company, sizeof accounts->company, ACCOUNTS_COMPANY_PREFIX);
    for (size_t i = 0; i < sizeof random; i++) accounts->company[size++] = (char)('a' + random[i] % 26);
    return 0;
}

static void user_name(uint32_t index, char ret_user[16])
{
    snprintf(ret_user, 16, "u%u", index);
}

/* What otpring_name does, with the hash fetched once. */
struct namer {
    EVP_MD *hash;
    EVP_MD_CTX *context;
};

static int name_account(struct namer *namer, const struct accounts *accounts, uint32_t index, uint8_t ret_name[8])
{
    char text[COMPANY_SIZE + 17], user[16];
    uint8_t hash[32];
    user_name(index, user);
    size_t size = strlen(accounts->company) + 1, user_size = strlen(user);
    memcpy(text, accounts->company, size);
    memcpy(text + size, user, user_size);
    if (EVP_DigestInit_ex2(namer->context, namer->hash, NULL) != 1 ||
        EVP_DigestUpdate(namer->context, text, size + user_size) != 1 ||
        EVP_DigestFinal_ex(namer->context, hash, NULL) != 1)
        return -1;
    memcpy(ret_name, hash, 8);
    return 0;
}

static int fill_accounts(struct accounts *accounts, struct namer *namer, uint64_t seed)
{
    static uint8_t seeds[ACCOUNTS_PER_REQUEST * ACCOUNT_SEED_SIZE_MAX];
    size_t size = accounts_seed_size(accounts);
    for (uint32_t first = 0; first < accounts->count; first += ACCOUNTS_PER_REQUEST) {
        uint32_t left = accounts->count - first, count = left < ACCOUNTS_PER_REQUEST ? left : ACCOUNTS_PER_REQUEST;
        if (accounts_seeds(accounts, seed, first, count, seeds)) return -1;
        for (uint32_t i = 0; i < count; i++) {
            if (name_account(namer, accounts, first + i, accounts->names[first + i])) return -1;
            kernel_midstates(accounts->algorithm, seeds + (size_t)i * ACCOUNT_SEED_SIZE_MAX, size,
                             accounts->midstates + (first + i) * accounts->midstates_size);
        }
    }
    explicit_bzero(seeds, sizeof seeds);
    return 0;
}

int accounts_create(const struct load_options *options, struct accounts *ret_accounts)
{
    struct accounts *accounts = ret_accounts;
    struct namer namer = {.hash = EVP_MD_fetch(NULL, "SHA256", NULL), .context = EVP_MD_CTX_new()};
    uint8_t name[16];
    *accounts = (struct accounts){.count = options->accounts, .algorithm = algorithm_of(options->algorithm)};
    accounts->midstates_size = kernel_midstates_size(accounts->algorithm);
    accounts->names = calloc(accounts->count, sizeof *accounts->names);
    accounts->midstates = calloc(accounts->count, accounts->midstates_size);
    accounts->progress = calloc(accounts->count, sizeof *accounts->progress);
    bool made = accounts->names && accounts->midstates && accounts->progress && namer.hash && namer.context &&
                name_company(accounts, options->company) == 0 && fill_accounts(accounts, &namer, options->seed) == 0;
    EVP_MD_CTX_free(namer.context);
    EVP_MD_free(namer.hash);
    if (!made) return -1;
    otpring_name(accounts->company, "", name);
    memcpy(accounts->company_name, name, 8);
    return 0;
}

void accounts_destroy(struct accounts *accounts)
{
    if (accounts->midstates) explicit_bzero(accounts->midstates, accounts->count * accounts->midstates_size);
    free(accounts->midstates);
    free(accounts->names);
    free(accounts->progress);
    *accounts = (struct accounts){0};
}

/* A request for ACCOUNTS_PER_REQUEST accounts, as text: a JSON library would take most of the time of enrolment. */
struct request {
    char text[256 + COMPANY_SIZE + ACCOUNTS_PER_REQUEST * (16 + 3 + 104 + 3)];
    size_t size;
    uint8_t seeds[ACCOUNTS_PER_REQUEST * ACCOUNT_SEED_SIZE_MAX];
};

static void put_text(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_text(struct request *request, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    int size = vsnprintf(request->text + request->size, sizeof request->text - request->size, format, arguments);
    va_end(arguments);
    request->size += (size_t)size;
}

/* The profile of that name in an answer to profile.list, or -1. */
static json_int_t profile_named(const json_t *answer, const char *name)
{
    size_t i;
    const json_t *profile;
    json_array_foreach(json_object_get(answer, "profiles"), i, profile)
    {
        const char *text = json_string_value(json_object_get(profile, "name"));
        if (text && strcmp(text, name) == 0) return json_integer_value(json_object_get(profile, "id"));
    }
    return -1;
}

/* A profile that looks as far as the options say, made by the first run that wants it; -1: admin->error says why not.
 */
static json_int_t own_profile(struct admin *admin, const struct load_options *options)
{
    char name[64];
    snprintf(name, sizeof name, ACCOUNTS_COMPANY_PREFIX "%s-ahead-%u-resync-%u", options->algorithm,
             options->look_ahead, options->resync_window);
    json_t *answer = admin_ask(admin, json_pack("{s:s}", "act", "profile.list"));
    if (!answer) return -1;
    json_int_t id = profile_named(answer, name);
    json_decref(answer);
    if (id >= 0) return id;
    answer = admin_ask(admin, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "act", "profile.add", "name", name,
                                        "type", "hotp", "algorithm", options->algorithm, "digits", 6, "look_ahead",
                                        (int)options->look_ahead, "resync_window", (int)options->resync_window));
    if (!answer) return -1;
    id = json_integer_value(json_object_get(answer, "id"));
    json_decref(answer);
    return id;
}

/* What the tokens are: profile -1: as the type's default one has it. */
static void put_kind(struct request *request, const struct load_options *options, json_int_t profile)
{
    if (profile >= 0)
        put_text(request, "\"profile\":%lld,\"counter\":0,", (long long)profile);
    else
        put_text(request, "\"type\":\"%s\",\"algorithm\":\"%s\",\"digits\":6,%s,", options->totp ? "totp" : "hotp",
                 options->algorithm, options->totp ? "\"period\":1" : "\"look_ahead\":10,\"counter\":0");
}

static int make_request(const struct accounts *accounts, const struct load_options *options, json_int_t profile,
                        uint32_t first, uint32_t count, struct request *request)
{
    size_t seed_size = accounts_seed_size(accounts);
    request->size = 0;
    if (accounts_seeds(accounts, options->seed, first, count, request->seeds)) return -1;
    put_text(request, "{\"act\":\"token.add-batch\",\"company\":\"%s\",", accounts->company);
    put_kind(request, options, profile);
    put_text(request, "\"users\":[");
    for (uint32_t i = 0; i < count; i++) put_text(request, "%s\"u%u\"", i ? "," : "", first + i);
    put_text(request, "],\"seeds\":[");
    for (uint32_t i = 0; i < count; i++) {
        char *to = request->text + request->size;
        size_t room = sizeof request->text - request->size;
        to[0] = ',';
        to[i != 0] = '"';
        to += 1 + (i != 0);
        if (result_failed(
                otp_base32_encode(request->seeds + (size_t)i * ACCOUNT_SEED_SIZE_MAX, seed_size, to, room - 3)))
            return -1;
        size_t size = strlen(to);
        to[size] = '"';
        request->size = (size_t)(to + size + 1 - request->text);
    }
    put_text(request, "]}");
    return 0;
}

static int take_added(struct admin *admin, uint32_t count)
{
    json_t *answer = admin_hear(admin);
    if (!answer) return -1;
    json_int_t added = json_integer_value(json_object_get(answer, "added"));
    json_decref(answer);
    if (added == count) return 0;
    snprintf(admin->error, sizeof admin->error, "%lld of %u accounts were added", (long long)added, count);
    return -1;
}

/* One request is made while the daemon works at the one before. */
int accounts_enrol(const struct accounts *accounts, const struct load_options *options, struct admin *admin,
                   const volatile sig_atomic_t *stop)
{
    struct request *request = malloc(sizeof *request);
    uint32_t waiting = 0;
    int error = request ? 0 : -1;
    if (error) snprintf(admin->error, sizeof admin->error, "not enough memory");
    json_int_t profile = -1;
    if (!error && options->own_profile) error = (profile = own_profile(admin, options)) < 0 ? -1 : 0;
    for (uint32_t first = 0; !error && first < accounts->count && !*stop; first += ACCOUNTS_PER_REQUEST) {
        uint32_t left = accounts->count - first, count = left < ACCOUNTS_PER_REQUEST ? left : ACCOUNTS_PER_REQUEST;
        error = make_request(accounts, options, profile, first, count, request);
        if (error) snprintf(admin->error, sizeof admin->error, "seeds cannot be made");
        if (!error) error = admin_say(admin, request->text, request->size);
        if (!error && waiting) error = take_added(admin, waiting);
        waiting = count;
    }
    if (!error && waiting) error = take_added(admin, waiting);
    if (request) explicit_bzero(request, sizeof *request);
    free(request);
    return error;
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
