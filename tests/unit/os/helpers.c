#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void paths_make(struct fixture *fixture)
{
    snprintf(fixture->path[0], sizeof fixture->path[0], "%s/one", fixture->folder);
    snprintf(fixture->path[1], sizeof fixture->path[1], "%s/two", fixture->folder);
}

struct fixture *fixture_of_sim(uint64_t seed)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct os_sim_options options = {.seed = seed, .wall_ms = 1700000000000};
    assert_non_null(fixture);
    assert_ok(os_sim_world_create(&options, &fixture->world));
    fixture->os = os_sim_create(fixture->world);
    snprintf(fixture->folder, sizeof fixture->folder, "folder");
    paths_make(fixture);
    return fixture;
}

struct fixture *fixture_of_uring(uint32_t spin_ns)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct os_uring_options options = {.entries = 64, .buffer_count = 8, .buffer_size = 1024, .spin_ns = spin_ns};
    assert_non_null(fixture);
    assert_ok(os_uring_create(&options, &fixture->os));
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/otpring-os-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    paths_make(fixture);
    return fixture;
}

void fixture_destroy(struct fixture *fixture)
{
    os_destroy(fixture->os);
    if (fixture->world) {
        os_sim_world_destroy(fixture->world);
    } else {
        unlink(fixture->path[0]);
        unlink(fixture->path[1]);
        assert_int_equal(rmdir(fixture->folder), 0);
    }
    free(fixture);
}

int64_t run_open(struct os *os, const char *path, uint32_t flags)
{
    struct os_op op = {.kind = OS_OPEN, .path = path, .flags = flags};
    return os_run(os, &op);
}

int64_t run_file(struct os *os, enum os_kind kind, int file)
{
    struct os_op op = {.kind = kind, .file = file};
    return os_run(os, &op);
}

int64_t run_bytes(struct os *os, enum os_kind kind, int file, void *buffer, uint32_t size, uint64_t offset)
{
    struct os_op op = {.kind = kind, .file = file, .buffer = buffer, .size = size, .offset = offset};
    return os_run(os, &op);
}

int64_t run_rename(struct os *os, const char *path, const char *path_to)
{
    struct os_op op = {.kind = OS_RENAME, .path = path, .path_to = path_to};
    return os_run(os, &op);
}

int64_t run_unlink(struct os *os, const char *path)
{
    struct os_op op = {.kind = OS_UNLINK, .path = path};
    return os_run(os, &op);
}

void run_sync_folder(struct fixture *fixture)
{
    int folder = (int)run_open(fixture->os, fixture->folder, OS_OPEN_FOLDER);
    assert_true(folder >= 0);
    assert_int_equal(run_file(fixture->os, OS_SYNC, folder), 0);
    assert_int_equal(run_file(fixture->os, OS_CLOSE, folder), 0);
}

void seen_done(struct os_op *op, int64_t result)
{
    struct seen *seen = op->owner;
    seen->count++;
    seen->result = result;
    seen->more = op->more;
}

void *block_of(uint8_t byte)
{
    enum { BLOCKS = 8 };
    static _Alignas(OS_BLOCK_SIZE) uint8_t blocks[BLOCKS][OS_BLOCK_SIZE];
    static unsigned next;
    uint8_t *block = blocks[next++ % BLOCKS];
    memset(block, byte, OS_BLOCK_SIZE);
    return block;
}
