/* The file that a passphrase seals: it comes back, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpring-token/sealed_file.h"

static char folder[64], path[96];

static int folder_make(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/otpring-token-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof(path), "%s/accounts", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static size_t file_read(uint8_t *ret_bytes, size_t size_max)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(ret_bytes, 1, size_max, file);
    fclose(file);
    return size;
}

static void file_write(const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void assert_read(const char *passphrase, enum sealed_file_result expected)
{
    char *content = NULL;
    size_t size;
    assert_int_equal(sealed_file_read(path, passphrase, &content, &size), expected);
    assert_null(content);
}

static void content_comes_back_for_its_passphrase_alone(void **state)
{
    (void)state;
    static const char *const contents[] = {"", "x", "{\"accounts\":[]}"};
    struct stat status;
    char *content;
    size_t size;
    assert_read("secret", SEALED_FILE_NONE);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sealed_file_write(path, "secret", contents[i], strlen(contents[i])), SEALED_FILE_DONE);
        assert_int_equal(sealed_file_read(path, "secret", &content, &size), SEALED_FILE_DONE);
        assert_int_equal(size, strlen(contents[i]));
        assert_string_equal(content, contents[i]);
        free(content);
        assert_read("Secret", SEALED_FILE_WRONG);
    }
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void two_writings_share_no_salt_and_leave_one_file(void **state)
{
    (void)state;
    uint8_t one[256], two[256];
    int files = 0;
    assert_int_equal(sealed_file_write(path, "secret", "same", 4), SEALED_FILE_DONE);
    size_t size = file_read(one, sizeof(one));
    assert_int_equal(size, SEALED_FILE_HEAD_SIZE + 4 + 16);
    assert_int_equal(sealed_file_write(path, "secret", "same", 4), SEALED_FILE_DONE);
    file_read(two, sizeof(two));
    assert_memory_equal(one, two, 20);
    assert_memory_not_equal(one + 20, two + 20, 16);
    assert_memory_not_equal(one + 36, two + 36, 12);
    DIR *names = opendir(folder);
    assert_non_null(names);
    for (struct dirent *name; (name = readdir(names));) files += name->d_name[0] != '.';
    closedir(names);
    assert_int_equal(files, 1);
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    uint8_t whole[256];
    assert_int_equal(sealed_file_write(path, "secret", "content", 7), SEALED_FILE_DONE);
    size_t size = file_read(whole, sizeof(whole));
    for (size_t at = 0; at < size; at++) {
        bool parameters = at >= 16 && at < 20; /* of scrypt: another key, or refused before it is made */
        whole[at] ^= 1;
        file_write(whole, size);
        char *content = NULL;
        size_t got;
        enum sealed_file_result result = sealed_file_read(path, "secret", &content, &got);
        assert_true(result == (at < 16 ? SEALED_FILE_FOREIGN : SEALED_FILE_WRONG) ||
                    (parameters && result == SEALED_FILE_FOREIGN));
        whole[at] ^= 1;
    }
    for (size_t cut = 0; cut < SEALED_FILE_HEAD_SIZE + 16; cut += 7) {
        file_write(whole, cut);
        assert_read("secret", SEALED_FILE_FOREIGN);
    }
}

static void parameters_that_would_take_all_memory_are_refused_before_any_is_taken(void **state)
{
    (void)state;
    static const uint8_t bad[][3] = {{0, 8, 1},  {21, 8, 1},  {20, 9, 1},   {15, 0, 1},
                                     {15, 8, 0}, {15, 8, 17}, {63, 255, 16}};
    uint8_t whole[256];
    assert_int_equal(sealed_file_write(path, "secret", "content", 7), SEALED_FILE_DONE);
    size_t size = file_read(whole, sizeof(whole));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(whole + 16, bad[i], 3);
        file_write(whole, size);
        assert_read("secret", SEALED_FILE_FOREIGN);
    }
}

static void a_folder_that_is_not_there_is_told_and_nothing_is_left(void **state)
{
    (void)state;
    char nowhere[160];
    snprintf(nowhere, sizeof(nowhere), "%s/none/accounts", folder);
    assert_int_equal(sealed_file_write(nowhere, "secret", "x", 1), SEALED_FILE_FAILED);
    assert_int_equal(sealed_file_write(path, "secret", "x", SEALED_FILE_SIZE_MAX), SEALED_FILE_FAILED);
    assert_read("secret", SEALED_FILE_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(content_comes_back_for_its_passphrase_alone),
        TEST(two_writings_share_no_salt_and_leave_one_file),
        TEST(every_changed_byte_is_found),
        TEST(parameters_that_would_take_all_memory_are_refused_before_any_is_taken),
        TEST(a_folder_that_is_not_there_is_told_and_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
