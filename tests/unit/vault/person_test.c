/* The key of a person's data: opens for its name alone, under its vault alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/arena.h"
#include "vault/vault.h"

struct fixture {
    char folder[32];
    char key_path[48];
    struct vault *vault;
};

static void vault_make(struct fixture *fixture)
{
    uint8_t id[VAULT_STORE_ID_SIZE], row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t size;
    arena_allow_unlocked(true);
    strcpy(fixture->folder, "/tmp/otpring-person-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->key_path, sizeof(fixture->key_path), "%s/key", fixture->folder);
    assert_int_equal(vault_key_file_create(fixture->key_path).code, OK);
    assert_int_equal(vault_create(fixture->key_path, id, row, &size).code, OK);
    assert_int_equal(vault_open(fixture->key_path, id, row, size, &fixture->vault).code, OK);
}

static void vault_remove(struct fixture *fixture)
{
    vault_close(fixture->vault);
    unlink(fixture->key_path);
    rmdir(fixture->folder);
}

static void what_is_sealed_opens_for_this_person_alone(void **unused)
{
    (void)unused;
    struct fixture fixture, other;
    const uint8_t ann[16] = "ann.............", bob[16] = "bob.............";
    uint8_t key[VAULT_PERSON_KEY_SIZE], bobs[VAULT_PERSON_KEY_SIZE], sealed[5 + VAULT_SEAL_EXTRA], opened[5];
    vault_make(&fixture);
    vault_make(&other);
    assert_int_equal(vault_person_create(fixture.vault, ann, key).code, OK);
    assert_int_equal(vault_person_create(fixture.vault, bob, bobs).code, OK);
    assert_int_equal(vault_person_seal(fixture.vault, ann, key, "phone", 5, sealed).code, OK);
    assert_int_equal(vault_person_unseal(fixture.vault, ann, key, sealed, sizeof(sealed), opened).code, OK);
    assert_memory_equal(opened, "phone", 5);
    assert_int_equal(vault_person_unseal(fixture.vault, ann, bobs, sealed, sizeof(sealed), opened).code,
                     VAULT_BAD_SEAL);
    assert_int_equal(vault_person_unseal(fixture.vault, bob, key, sealed, sizeof(sealed), opened).code, VAULT_BAD_SEAL);
    assert_int_equal(vault_person_unseal(fixture.vault, bob, bobs, sealed, sizeof(sealed), opened).code,
                     VAULT_BAD_SEAL);
    assert_int_equal(vault_person_unseal(other.vault, ann, key, sealed, sizeof(sealed), opened).code, VAULT_BAD_SEAL);
    assert_int_equal(vault_person_seal(other.vault, ann, key, "phone", 5, sealed).code, VAULT_BAD_SEAL);
    vault_remove(&fixture);
    vault_remove(&other);
}

static void a_key_or_a_seal_with_one_bit_changed_opens_nothing(void **unused)
{
    (void)unused;
    struct fixture fixture;
    const uint8_t ann[16] = {7};
    uint8_t key[VAULT_PERSON_KEY_SIZE], sealed[3 + VAULT_SEAL_EXTRA], opened[3];
    vault_make(&fixture);
    assert_int_equal(vault_person_create(fixture.vault, ann, key).code, OK);
    assert_int_equal(vault_person_seal(fixture.vault, ann, key, "abc", 3, sealed).code, OK);
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(vault_person_unseal(fixture.vault, ann, key, sealed, sizeof(sealed), opened).code,
                         VAULT_BAD_SEAL);
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(vault_person_unseal(fixture.vault, ann, key, sealed, sizeof(sealed), opened).code,
                         VAULT_BAD_SEAL);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    vault_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_for_this_person_alone),
        cmocka_unit_test(a_key_or_a_seal_with_one_bit_changed_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
