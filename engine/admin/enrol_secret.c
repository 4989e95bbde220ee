/* What is secret in an enrolment and is no key of the device's: keyed hashes of activation codes and statements, the
 * seed until it is a token's, and what the device says of itself. */
#include "admin/enrol.h"

#include <string.h>

#include "os/arena.h"

void enrol_mac(struct admin *admin, enum enrol_secret kind, const uint8_t salt[16], const void *bytes, size_t size,
               uint8_t ret_mac[ENROL_MAC_SIZE])
{
    uint8_t content[17 + 16 + 64] = "otpring-enrol-1";
    CHECK(size <= 64);
    content[16] = (uint8_t)kind;
    memcpy(content + 17, salt, 16);
    memcpy(content + 33, bytes, size);
    vault_fingerprint(core_vault(admin->core), content, 33 + size, ret_mac);
    secret_wipe(content, sizeof(content));
}

/* ---- the seed: it opens only for this account's enrolment of this number ---- */

enum { LABEL_SIZE = 16, ASSOCIATED_SIZE = LABEL_SIZE + 16 + 8 };

static void associated_of(const struct enrolling *enrolling, uint8_t ret[ASSOCIATED_SIZE])
{
    memcpy(ret, "otpring-enrol-1\0", LABEL_SIZE);
    memcpy(ret + LABEL_SIZE, enrolling->name, 16);
    store_le64(ret + LABEL_SIZE + 16, enrolling->row.number);
}

struct result enrol_seed_seal(struct enrolling *enrolling, const uint8_t *seed, size_t size)
{
    uint8_t associated[ASSOCIATED_SIZE];
    associated_of(enrolling, associated);
    TRY(vault_seal(core_vault(enrolling->people->act->admin->core), associated, sizeof(associated), seed, size,
                   enrolling->row.sealed_seed));
    enrolling->row.seed_size = (uint8_t)size;
    return result_ok();
}

struct result enrol_seed_open(const struct enrolling *enrolling, uint8_t ret_seed[ENROL_SEED_SIZE_MAX])
{
    uint8_t associated[ASSOCIATED_SIZE];
    const struct enrolment_row *row = &enrolling->row;
    if (row->seed_size == 0) return result_of(STORE_DAMAGED);
    associated_of(enrolling, associated);
    return vault_unseal(core_vault(enrolling->people->act->admin->core), associated, sizeof(associated),
                        row->sealed_seed, (size_t)row->seed_size + VAULT_SEAL_EXTRA, ret_seed);
}

/* ---- what a device says of itself ---- */

struct result enrol_about_seal(struct enrolling *enrolling, const char *name, const char *push)
{
    struct enrol_device *device = &enrolling->row.device;
    char about[ENROL_ABOUT_MAX];
    size_t name_size = strlen(name) + 1, push_size = strlen(push) + 1;
    CHECK(name_size + push_size <= sizeof(about));
    memcpy(about, name, name_size);
    memcpy(about + name_size, push, push_size);
    TRY(person_key_ensure(enrolling->people, enrolling->name));
    TRY(person_seal_bytes(enrolling->people, enrolling->name, about, name_size + push_size, device->about));
    device->about_size = (uint16_t)(name_size + push_size + VAULT_SEAL_EXTRA);
    return result_ok();
}

struct result enrol_about_open(struct people *people, const uint8_t name[16], const struct enrol_device *device,
                               struct enrol_about *ret_about)
{
    char about[ENROL_ABOUT_MAX];
    *ret_about = (struct enrol_about){0};
    if (device->about_size == 0) return result_ok();
    if (device->about_size <= VAULT_SEAL_EXTRA) return result_of(STORE_DAMAGED);
    size_t size = (size_t)device->about_size - VAULT_SEAL_EXTRA;
    struct result opened = person_open_bytes(people, name, device->about, device->about_size, about);
    /* Erased; or erased, and known anew since, under another key. */
    if (opened.code == STORE_NOT_FOUND || opened.code == VAULT_BAD_SEAL) return result_ok();
    TRY(opened);
    size_t name_size = strnlen(about, size), rest = size - name_size - 1;
    if (name_size >= sizeof(ret_about->name) || name_size + 1 >= size || about[size - 1] != 0 ||
        rest > sizeof(ret_about->push)) {
        return result_of(STORE_DAMAGED);
    }
    memcpy(ret_about->name, about, name_size);
    memcpy(ret_about->push, about + name_size + 1, rest);
    return result_ok();
}
