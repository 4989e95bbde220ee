/* One process a store, and a copy that knows that it is one. */
#include "helpers.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/store_lock.h"

static char folder[64];
static char copy[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/otpring-lock-XXXXXX");
    snprintf(copy, sizeof copy, "/tmp/otpring-copy-XXXXXX");
    return mkdtemp(folder) && mkdtemp(copy) ? 0 : -1;
}

static void folder_remove(const char *path)
{
    static const char *const names[] = {"lock", "identity"};
    char name[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", path, names[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(path), 0);
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    folder_remove(copy);
    return 0;
}

static void a_store_is_locked_once(void **state)
{
    (void)state;
    int file, other;
    assert_ok(store_lock_take(folder, &file));
    assert_code(store_lock_take(folder, &other), STORE_BUSY);
    pid_t child = fork();
    if (child == 0) _exit(store_lock_take(folder, &other).code == STORE_BUSY ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    store_lock_release(file);
    assert_ok(store_lock_take(folder, &file));
    store_lock_release(file);
}

static void a_lock_ends_with_its_process(void **state)
{
    (void)state;
    pid_t child = fork();
    int file;
    if (child == 0) _exit(result_failed(store_lock_take(folder, &file)));
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(store_lock_take(folder, &file));
    store_lock_release(file);
}

static void a_folder_that_is_not_there_is_said_so(void **state)
{
    (void)state;
    int file;
    uint8_t place[STORE_PLACE_SIZE];
    assert_code(store_lock_take("/tmp/otpring-no-such-folder", &file), OS_NOT_FOUND);
    assert_code(store_place(folder, false, place), OS_NOT_FOUND);
}

static void a_file_system_in_memory_is_refused(void **state)
{
    (void)state;
    struct statfs about;
    int file;
    if (statfs("/dev/shm", &about) != 0 || about.f_type != TMPFS_MAGIC) skip();
    assert_code(store_lock_take("/dev/shm", &file), OS_MEMORY_FILE_SYSTEM);
}

static void a_place_stays_the_same_and_a_copy_has_another(void **state)
{
    (void)state;
    uint8_t first[STORE_PLACE_SIZE], again[STORE_PLACE_SIZE], copied[STORE_PLACE_SIZE];
    assert_ok(store_place(folder, true, first));
    assert_ok(store_place(folder, true, again));
    assert_memory_equal(first, again, STORE_PLACE_SIZE);
    char command[256];
    snprintf(command, sizeof command, "cp -a %s/identity %s/identity", folder, copy);
    assert_int_equal(system(command), 0);
    assert_ok(store_place(copy, false, copied));
    assert_memory_not_equal(first, copied, STORE_PLACE_SIZE);
    /* Put back over the original, too: the inode may be the old one, the birth time is not. */
    snprintf(command, sizeof command, "rm %s/identity && cp -a %s/identity %s/identity", folder, copy, folder);
    assert_int_equal(system(command), 0);
    assert_ok(store_place(folder, false, copied));
    assert_memory_not_equal(first, copied, STORE_PLACE_SIZE);
}

static void free_space_is_what_the_file_system_says(void **state)
{
    (void)state;
    uint64_t space;
    struct statvfs about;
    assert_ok(store_space(folder, &space));
    assert_int_equal(statvfs(folder, &about), 0);
    int64_t apart = (int64_t)(space - (uint64_t)about.f_bavail * about.f_frsize);
    assert_true(llabs(apart) < 1 << 30);
    assert_code(store_space("/tmp/otpring-no-such-folder", &space), OS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_is_locked_once),
        TEST(a_lock_ends_with_its_process),
        TEST(a_folder_that_is_not_there_is_said_so),
        TEST(a_file_system_in_memory_is_refused),
        TEST(a_place_stays_the_same_and_a_copy_has_another),
        TEST(free_space_is_what_the_file_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
