#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helpers.h"
#include "vault/key_file.h"

struct fixture {
    char folder[64];
    char path[96];
    uint8_t bytes[KEY_FILE_SIZE];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    folder_make(fixture->folder);
    snprintf(fixture->path, sizeof(fixture->path), "%s/key", fixture->folder);
    assert_code(vault_key_file_create(fixture->path), OK);
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(fixture->bytes, 1, sizeof(fixture->bytes), file), sizeof(fixture->bytes));
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void file_put(const char *path, const void *bytes, size_t size, mode_t mode)
{
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static void a_new_key_file_is_its_owners_alone_and_no_two_are_alike(void **state)
{
    struct fixture *fixture = *state;
    struct stat about;
    uint8_t kek[KEY_FILE_KEK_SIZE], other[KEY_FILE_KEK_SIZE];
    char path[96];
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0400);
    assert_int_equal(about.st_size, KEY_FILE_SIZE);
    assert_code(key_file_read(fixture->path, kek), OK);
    assert_memory_equal(kek, fixture->bytes + 16, sizeof(kek));
    snprintf(path, sizeof(path), "%s/other", fixture->folder);
    mode_t mask = umask(0);
    assert_code(vault_key_file_create(path), OK);
    umask(mask);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0400);
    assert_code(key_file_read(path, other), OK);
    assert_memory_not_equal(kek, other, sizeof(kek));
}

static void an_existing_file_is_never_written_over(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE];
    char link[96];
    assert_code(vault_key_file_create(fixture->path), OS_EXISTS);
    snprintf(link, sizeof(link), "%s/link", fixture->folder);
    assert_int_equal(symlink("nowhere", link), 0);
    assert_code(vault_key_file_create(link), OS_EXISTS);
    assert_code(key_file_read(fixture->path, kek), OK);
    assert_memory_equal(kek, fixture->bytes + 16, sizeof(kek));
    snprintf(link, sizeof(link), "%s/none/key", fixture->folder);
    assert_code(vault_key_file_create(link), OS_NOT_FOUND);
}

static void a_file_that_others_have_any_right_to_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE];
    for (mode_t mode = 0; mode < 0100; mode++) {
        assert_int_equal(chmod(fixture->path, 0400 | mode), 0);
        assert_code(key_file_read(fixture->path, kek), mode == 0 ? OK : VAULT_KEY_MODE);
    }
    assert_int_equal(chmod(fixture->path, 0600), 0);
    assert_code(key_file_read(fixture->path, kek), OK);
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE];
    char path[96];
    assert_code(key_file_read(fixture->folder, kek), VAULT_KEY_MODE);
    assert_code(key_file_read("/dev/null", kek), VAULT_KEY_MODE);
    snprintf(path, sizeof(path), "%s/fifo", fixture->folder);
    assert_int_equal(mkfifo(path, 0400), 0);
    assert_code(key_file_read(path, kek), VAULT_KEY_MODE);
    snprintf(path, sizeof(path), "%s/none", fixture->folder);
    assert_code(key_file_read(path, kek), OS_NOT_FOUND);
}

static void another_users_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE];
    if (geteuid() != 0) skip();
    assert_int_equal(chown(fixture->path, 65534, 65534), 0);
    assert_code(key_file_read(fixture->path, kek), VAULT_KEY_MODE);
}

static void every_flipped_bit_and_every_other_length_is_found_out(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE], long_one[KEY_FILE_SIZE + 1] = {0};
    memset(kek, 0xee, sizeof(kek));
    for (size_t bit = 0; bit < KEY_FILE_SIZE * 8; bit++) {
        uint8_t bytes[KEY_FILE_SIZE];
        memcpy(bytes, fixture->bytes, sizeof(bytes));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        file_put(fixture->path, bytes, sizeof(bytes), 0400);
        assert_code(key_file_read(fixture->path, kek), VAULT_BAD_KEY_FILE);
    }
    for (size_t size = 0; size < KEY_FILE_SIZE; size++) {
        file_put(fixture->path, fixture->bytes, size, 0400);
        assert_code(key_file_read(fixture->path, kek), VAULT_BAD_KEY_FILE);
    }
    memcpy(long_one, fixture->bytes, KEY_FILE_SIZE);
    file_put(fixture->path, long_one, sizeof(long_one), 0400);
    assert_code(key_file_read(fixture->path, kek), VAULT_BAD_KEY_FILE);
    for (size_t i = 0; i < sizeof(kek); i++) assert_int_equal(kek[i], 0xee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_key_file_is_its_owners_alone_and_no_two_are_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(an_existing_file_is_never_written_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_others_have_any_right_to_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(another_users_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_and_every_other_length_is_found_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
