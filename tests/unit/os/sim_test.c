/* The simulated machine: one seed, one run; what a crash may and may not take; faults that come when they were asked
 * for. */
#include "helpers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OPEN_NEW = OS_OPEN_WRITE | OS_OPEN_CREATE, SECTOR = 512 };

static int setup(void **state)
{
    *state = fixture_of_sim(11);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

/* Crashes the world and comes up again. */
static void power_cut(struct fixture *f)
{
    os_sim_crash(f->world);
    assert_code(os_step(f->os, 0, NULL), OS_FAILED);
    os_destroy(f->os);
    f->os = os_sim_create(f->world);
    assert_false(os_sim_crashed(f->world));
}

struct digest {
    uint64_t value;
    unsigned left;
};

static void digest_done(struct os_op *op, int64_t result)
{
    struct digest *digest = op->owner;
    digest->value = (digest->value ^ (op->offset + (uint64_t)result)) * 0x100000001b3u;
    digest->left--;
}

/* The order of 32 writes, and what a crash in the middle of 32 more leaves. */
static uint64_t run_digest(uint64_t seed)
{
    enum { OPS = 32 };
    struct fixture *f = fixture_of_sim(seed);
    struct os_op ops[OPS];
    struct digest digest = {.value = 0xcbf29ce484222325u};
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    run_sync_folder(f);
    for (int round = 0; round < 2; round++) {
        digest.left = OPS;
        for (unsigned i = 0; i < OPS; i++) {
            ops[i] = (struct os_op){.kind = OS_WRITE, .file = file, .buffer = block_of(7), .size = OS_BLOCK_SIZE};
            ops[i].offset = i * OS_BLOCK_SIZE;
            ops[i].done = digest_done;
            ops[i].owner = &digest;
            os_submit(f->os, &ops[i]);
        }
        while (digest.left > (round ? OPS / 2 : 0)) assert_ok(os_step(f->os, UINT64_MAX, NULL));
    }
    power_cut(f);
    uint64_t size = 0;
    const uint8_t *bytes = os_sim_file(f->world, f->path[0], &size);
    for (uint64_t i = 0; i < size; i++) digest.value = (digest.value ^ bytes[i]) * 0x100000001b3u;
    digest.value ^= size ^ os_monotonic_ns(f->os) ^ os_sim_draw(f->world);
    fixture_destroy(f);
    return digest.value;
}

static void the_same_seed_gives_the_same_run_to_the_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(run_digest(seed), run_digest(seed));
        assert_int_not_equal(run_digest(seed), run_digest(seed + 1000));
    }
}

static void a_crash_keeps_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture *f = fixture_of_sim(seed);
        int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
        run_sync_folder(f);
        run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(1), OS_BLOCK_SIZE, 0);
        run_bytes(f->os, OS_WRITE, file, block_of(2), OS_BLOCK_SIZE, OS_BLOCK_SIZE);
        assert_int_equal(run_file(f->os, OS_SYNC, file), 0);
        run_bytes(f->os, OS_WRITE, file, block_of(3), OS_BLOCK_SIZE, (uint64_t)2 * OS_BLOCK_SIZE);
        power_cut(f);
        uint64_t size = 0;
        const uint8_t *bytes = os_sim_file(f->world, f->path[0], &size);
        assert_non_null(bytes);
        assert_true(size >= (uint64_t)2 * OS_BLOCK_SIZE);
        assert_memory_equal(bytes, block_of(1), OS_BLOCK_SIZE);
        assert_memory_equal(bytes + OS_BLOCK_SIZE, block_of(2), OS_BLOCK_SIZE);
        fixture_destroy(f);
    }
}

struct fates {
    unsigned kept, lost, torn;
};

/* Every sector of an overwritten block must be old, new, or new up to a point and old behind it. */
static void fates_count(const uint8_t *bytes, uint8_t old, uint8_t new, struct fates *fates)
{
    for (unsigned s = 0; s < OS_BLOCK_SIZE / SECTOR; s++) {
        const uint8_t *sector = bytes + (size_t)s * SECTOR;
        unsigned changed = 0;
        while (changed < SECTOR && sector[changed] == new) changed++;
        for (unsigned i = changed; i < SECTOR; i++) assert_int_equal(sector[i], old);
        if (changed == SECTOR)
            fates->kept++;
        else if (changed == 0)
            fates->lost++;
        else
            fates->torn++;
    }
}

static struct fates overwrite_and_crash(bool in_flight)
{
    struct fates fates = {0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture *f = fixture_of_sim(seed);
        int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
        run_sync_folder(f);
        run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(1), OS_BLOCK_SIZE, 0);
        struct seen seen = {0};
        struct os_op op = {.kind = OS_WRITE_DSYNC, .file = file, .buffer = block_of(2), .size = OS_BLOCK_SIZE};
        op.done = seen_done;
        op.owner = &seen;
        if (in_flight)
            os_submit(f->os, &op);
        else
            run_bytes(f->os, OS_WRITE, file, block_of(2), OS_BLOCK_SIZE, 0);
        power_cut(f);
        uint64_t size = 0;
        fates_count(os_sim_file(f->world, f->path[0], &size), 1, 2, &fates);
        assert_int_equal(seen.count, 0);
        fixture_destroy(f);
    }
    return fates;
}

static void a_crash_keeps_loses_and_tears_what_was_not_synced(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct fates fates = overwrite_and_crash(in_flight);
        assert_true(fates.kept > 50);
        assert_true(fates.lost > 50);
        assert_true(fates.torn > 50);
    }
}

static void names_last_through_a_crash_only_after_their_folder_was_synced(void **state)
{
    (void)state;
    unsigned made = 0, renamed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture *f = fixture_of_sim(seed);
        uint64_t size;
        run_open(f->os, f->path[0], OPEN_NEW);
        power_cut(f);
        made += os_sim_file(f->world, f->path[0], &size) != NULL;
        if (!os_sim_file(f->world, f->path[0], &size)) run_open(f->os, f->path[0], OPEN_NEW);
        run_sync_folder(f);
        run_rename(f->os, f->path[0], f->path[1]);
        power_cut(f);
        bool one = os_sim_file(f->world, f->path[0], &size), two = os_sim_file(f->world, f->path[1], &size);
        assert_true(one != two);
        renamed += two;
        if (one) run_rename(f->os, f->path[0], f->path[1]);
        run_sync_folder(f);
        power_cut(f);
        assert_null(os_sim_file(f->world, f->path[0], &size));
        assert_non_null(os_sim_file(f->world, f->path[1], &size));
        fixture_destroy(f);
    }
    assert_in_range(made, 20, 180);
    assert_in_range(renamed, 20, 180);
}

static void a_sync_that_lies_is_noticed_by_a_crash(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture *f = fixture_of_sim(seed);
        int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
        run_sync_folder(f);
        os_sim_faults_set(f->world, &(struct os_sim_faults){.sync_lies = true});
        assert_int_equal(run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(5), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
        assert_int_equal(run_file(f->os, OS_SYNC, file), 0);
        power_cut(f);
        uint64_t size = 0;
        const uint8_t *bytes = os_sim_file(f->world, f->path[0], &size);
        lost += size < OS_BLOCK_SIZE || memcmp(bytes, block_of(5), OS_BLOCK_SIZE) != 0;
        fixture_destroy(f);
    }
    assert_true(lost > 25);
}

static void faults_come_when_they_were_asked_for(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    os_sim_faults_set(f->world, &(struct os_sim_faults){.fail_write_at = 2, .fail_read_at = 2});
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(1), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(2), OS_BLOCK_SIZE, 0), -EIO);
    uint8_t *back = block_of(0);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    assert_memory_equal(back, block_of(1), OS_BLOCK_SIZE);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, OS_BLOCK_SIZE, 0), -EIO);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(3), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    os_sim_faults_set(f->world, &(struct os_sim_faults){.fail_write_at = 1, .fail_sticky = true});
    for (int i = 0; i < 3; i++) assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(4), OS_BLOCK_SIZE, 0), -EIO);
    os_sim_faults_set(f->world, &(struct os_sim_faults){.short_write_at = 1});
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(5), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE / 2);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(5), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
}

static void a_world_crashes_at_the_operation_asked_for_and_comes_up_again(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    run_sync_folder(f);
    os_sim_faults_set(f->world, &(struct os_sim_faults){.crash_at = 2});
    assert_int_equal(run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(1), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    assert_int_equal(run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(2), OS_BLOCK_SIZE, 0), -EIO);
    assert_true(os_sim_crashed(f->world));
    assert_code(os_step(f->os, 0, NULL), OS_FAILED);
    power_cut(f);
    file = (int)run_open(f->os, f->path[0], OS_OPEN_WRITE);
    assert_true(file >= 0);
    assert_int_equal(run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(3), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    /* A second life may crash as the first did. */
    os_sim_faults_set(f->world, &(struct os_sim_faults){.crash_at = 1});
    assert_int_equal(run_file(f->os, OS_SYNC, file), -EIO);
    power_cut(f);
    uint64_t size = 0;
    assert_memory_equal(os_sim_file(f->world, f->path[0], &size), block_of(3), OS_BLOCK_SIZE);
}

static void a_full_disk_says_so_and_room_comes_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_of_sim(1);
    struct os_sim_world *world;
    struct os_sim_options options = {.seed = 3, .disk_size = 10000};
    assert_ok(os_sim_world_create(&options, &world));
    struct os *os = os_sim_create(world);
    int file = (int)run_open(os, "folder/one", OPEN_NEW);
    assert_int_equal(run_bytes(os, OS_WRITE, file, block_of(1), 4096, 0), 4096);
    assert_int_equal(run_bytes(os, OS_WRITE, file, block_of(1), 4096, 4096), 4096);
    assert_int_equal(run_bytes(os, OS_WRITE, file, block_of(1), 4096, 8192), -ENOSPC);
    assert_int_equal(run_unlink(os, "folder/one"), 0);
    int folder = (int)run_open(os, "folder", OS_OPEN_FOLDER);
    assert_int_equal(run_file(os, OS_SYNC, folder), 0);
    assert_int_equal(run_file(os, OS_CLOSE, file), 0);
    file = (int)run_open(os, "folder/two", OPEN_NEW);
    assert_int_equal(run_bytes(os, OS_WRITE, file, block_of(1), 4096, 4096), 4096);
    os_sim_world_destroy(world);
    fixture_destroy(f);
}

static void direct_files_refuse_unaligned_buffers(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
    uint8_t *block = block_of(1);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block + SECTOR, SECTOR, 0), -EINVAL);
}

static void sockets_do_not_exist_here(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_file(f->os, OS_RECEIVE, 0), -ENOSYS);
    assert_int_equal(run_file(f->os, OS_SEND, 0), -ENOSYS);
}

static void clocks_move_as_told(void **state)
{
    struct fixture *f = *state;
    struct os_time before = os_time(f->os);
    assert_true(before.synchronised);
    os_sim_advance_ms(f->world, 5000);
    os_sim_step_wall_ms(f->world, -60000);
    os_sim_synchronised_set(f->world, false);
    struct os_time after = os_time(f->os);
    assert_int_equal(after.wall_ms - before.wall_ms, -55000);
    assert_int_equal(after.boot_ms - before.boot_ms, 5000);
    assert_false(after.synchronised);
    struct os_op timer = {.kind = OS_TIMER, .timeout_ns = 3000000000};
    os_run(f->os, &timer);
    assert_in_range(os_time(f->os).boot_ms - after.boot_ms, 2999, 3001);
    assert_in_range(os_time(f->os).wall_ms - after.wall_ms, 2999, 3001);
}

static void an_os_sees_what_another_of_its_world_wrote_and_may_wake_it(void **state)
{
    struct fixture *f = *state;
    struct os *other = os_sim_create(f->world);
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    run_bytes(other, OS_WRITE, file, "both", 4, 0);
    char back[4];
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, 4, 0), 4);
    assert_memory_equal(back, "both", 4);
    os_wake(other);
    assert_ok(os_step(other, UINT64_MAX, NULL));
}

static void crash_schedules_run_by_the_thousand(void **state)
{
    enum { SCHEDULES = 1000 };
    (void)state;
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (uint64_t seed = 0; seed < SCHEDULES; seed++) {
        struct fixture *f = fixture_of_sim(seed);
        int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
        run_sync_folder(f);
        os_sim_faults_set(f->world, &(struct os_sim_faults){.crash_at = 1 + seed % 30});
        for (unsigned i = 0; i < 30 && !os_sim_crashed(f->world); i++)
            run_bytes(f->os, OS_WRITE_DSYNC, file, block_of((uint8_t)i), OS_BLOCK_SIZE, (uint64_t)i * OS_BLOCK_SIZE);
        assert_true(os_sim_crashed(f->world));
        fixture_destroy(f);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
    print_message("%.0f crash schedules a second\n", SCHEDULES / seconds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run_to_the_byte),
        cmocka_unit_test(a_crash_keeps_what_was_synced),
        cmocka_unit_test(a_crash_keeps_loses_and_tears_what_was_not_synced),
        cmocka_unit_test(names_last_through_a_crash_only_after_their_folder_was_synced),
        cmocka_unit_test(a_sync_that_lies_is_noticed_by_a_crash),
        TEST(faults_come_when_they_were_asked_for),
        TEST(a_world_crashes_at_the_operation_asked_for_and_comes_up_again),
        cmocka_unit_test(a_full_disk_says_so_and_room_comes_back),
        TEST(direct_files_refuse_unaligned_buffers),
        TEST(sockets_do_not_exist_here),
        TEST(clocks_move_as_told),
        TEST(an_os_sees_what_another_of_its_world_wrote_and_may_wake_it),
        cmocka_unit_test(crash_schedules_run_by_the_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
