/* Locked memory: what /proc says of it is the oracle. */
#include "helpers.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/arena.h"

enum { PAGE = 4096, SIZE = 16 * PAGE };

/* The sanitizers make mlock do nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LOCKS = 0 };
#else
enum { LOCKS = 1 };
#endif

/* True when the mapping that holds `memory` has the flag (proc(5), VmFlags of smaps). */
static bool has_flag(const void *memory, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false, found = false;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (unsigned long)memory >= from && (unsigned long)memory < to;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, flag) != NULL;
    }
    fclose(maps);
    return found;
}

static void taken_memory_is_zeroed_locked_and_kept_out_of_dumps(void **state)
{
    (void)state;
    void *memory;
    assert_ok(arena_take(SIZE, false, &memory));
    uint8_t zeros[SIZE] = {0};
    assert_memory_equal(memory, zeros, SIZE);
    assert_int_equal((uintptr_t)memory % PAGE, 0);
    assert_int_equal(has_flag(memory, " lo"), LOCKS);
    assert_true(has_flag(memory, " dd"));
    arena_release(memory, SIZE);
    arena_release(NULL, SIZE);
}

static void a_wipe_leaves_only_zeros(void **state)
{
    (void)state;
    uint8_t secret[64], zeros[64] = {0};
    memset(secret, 0x5a, sizeof secret);
    secret_wipe(secret, sizeof secret);
    assert_memory_equal(secret, zeros, sizeof secret);
}

/* A second mapping of the same pages shows what the first one left when it was released. */
static void released_memory_is_wiped_first(void **state)
{
    (void)state;
    void *memory;
    assert_ok(arena_take(PAGE, false, &memory));
    int file = memfd_create("wipe", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, PAGE), 0);
    assert_ptr_equal(mmap(memory, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0), memory);
    uint8_t *seen = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    memset(memory, 0x77, PAGE);
    assert_int_equal(seen[100], 0x77);
    arena_release(memory, PAGE);
    uint8_t zeros[PAGE] = {0};
    assert_memory_equal(seen, zeros, PAGE);
    munmap(seen, PAGE);
    close(file);
}

static void reserved_memory_grows_in_place(void **state)
{
    enum { RESERVED = 4096 * PAGE };
    (void)state;
    void *memory;
    assert_ok(arena_reserve(RESERVED, &memory));
    assert_ok(arena_commit(memory, SIZE, false));
    memset(memory, 1, SIZE);
    assert_ok(arena_commit((uint8_t *)memory + SIZE, SIZE, true));
    assert_int_equal(((uint8_t *)memory)[SIZE], 0);
    assert_int_equal(((uint8_t *)memory)[SIZE - 1], 1);
    assert_int_equal(has_flag((uint8_t *)memory + SIZE, " lo"), LOCKS);
    assert_true(has_flag((uint8_t *)memory + SIZE, " dd"));
    assert_false(has_flag((uint8_t *)memory + 2 * SIZE, " wr"));
    arena_release(memory, RESERVED);
}

/* Runs in a child without rights whose limit of locked memory is 0; its exit code is what it found. */
static int take_without_rights(bool allow)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        void *memory, *reserved;
        if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || setresuid(65534, 65534, 65534) < 0) _exit(99);
        arena_allow_unlocked(allow);
        struct result taken = arena_take(SIZE, false, &memory);
        if (result_failed(arena_reserve(SIZE, &reserved))) _exit(98);
        if (arena_commit(reserved, SIZE, false).code != taken.code) _exit(97);
        _exit(taken.code == OK ? 0 : taken.code == OS_NO_LOCKED_MEMORY ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void memory_that_cannot_be_locked_is_refused_unless_allowed(void **state)
{
    (void)state;
    if (!LOCKS || geteuid() != 0) skip(); /* only root can give its rights away here */
    assert_int_equal(take_without_rights(false), 1);
    assert_int_equal(take_without_rights(true), 0);
}

static void a_process_may_forbid_its_dumps(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit;
        process_no_dumps();
        getrlimit(RLIMIT_CORE, &limit);
        _exit(prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_memory_is_zeroed_locked_and_kept_out_of_dumps),
        cmocka_unit_test(a_wipe_leaves_only_zeros),
        cmocka_unit_test(released_memory_is_wiped_first),
        cmocka_unit_test(reserved_memory_grows_in_place),
        cmocka_unit_test(memory_that_cannot_be_locked_is_refused_unless_allowed),
        cmocka_unit_test(a_process_may_forbid_its_dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
