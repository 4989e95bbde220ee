/* The same journal on the real os: several threads, a housekeeper beside them, files on a disk. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers.h"
#include "os/os_uring.h"

enum { THREADS = 3, BLOCKS_EACH = 400, WAIT_NS = 1000000 };

struct worker {
    struct journal *journal;
    pthread_t thread;
    uint32_t number;
    uint32_t settled;
    uint64_t last;
    bool wrong;
    _Atomic bool ended;
};

static void settled(struct journal_block *block, struct result result)
{
    struct worker *worker = block->owner;
    if (result_failed(result) || block->position <= worker->last) worker->wrong = true;
    if (block->position > journal_durable_through(worker->journal)) worker->wrong = true;
    worker->last = block->position;
    worker->settled++;
}

static void append_one(struct worker *worker, struct journal_block *block, uint32_t number)
{
    uint32_t slots = 1 + number % 200;
    for (uint32_t slot = 0; slot < slots; slot++) {
        memset(block->slots + (size_t)slot * 64, (int)worker->number, 64);
        block->slots[(size_t)slot * 64 + 63] = SLOT_VERIFY;
    }
    block->owner = worker;
    journal_append(block, slots, 1700000000000 + number);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct os *os;
    struct journal_writer *writer;
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    struct journal_writer_options options = {
        .kept_count = 8 * worker->number, .slots_per_block = 255, .settled = settled};
    assert_ok(journal_writer_create(worker->journal, os, &options, &writer));
    uint32_t appended = 0;
    while (worker->settled < BLOCKS_EACH && !worker->wrong) {
        struct journal_block *block;
        bool begun = appended < BLOCKS_EACH && !result_failed(journal_begin(writer, &block));
        if (begun) append_one(worker, block, appended++);
        assert_ok(os_step(os, begun ? 0 : WAIT_NS, NULL));
        journal_poll(writer);
    }
    while (journal_in_flight(writer) > 0) {
        assert_ok(os_step(os, WAIT_NS, NULL));
        journal_poll(writer);
    }
    journal_writer_destroy(writer);
    os_destroy(os);
    worker->ended = true;
    return NULL;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

static struct result count(void *context, const struct journal_block_view *block)
{
    uint64_t *blocks = context;
    if (block->slots[63] == SLOT_VERIFY) (*blocks)++;
    return result_ok();
}

static void threads_append_while_the_housekeeper_rotates_seals_and_recycles(void **state)
{
    (void)state;
    char folder[] = "/var/tmp/journal-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct journal_options options = {
        .folder = folder, .segment_size = 512 << 10, .keep_size = 64 << 20, .spare_count = 3};
    struct vault *vault = rig_vault(options.store_id);
    struct os *os;
    struct journal *journal;
    struct journal_writer *keeper;
    uint64_t bad_position;
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    struct result result = journal_open(os, &options, vault, 0, NULL, NULL, &journal, &bad_position);
    if (result.code == OS_NO_DIRECT_IO) {
        remove_folder(folder);
        skip();
    }
    assert_ok(result);
    assert_ok(journal_writer_create(
        journal, os, &(struct journal_writer_options){.slots_per_block = 63, .settled = settled}, &keeper));
    struct worker workers[THREADS] = {0};
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].journal = journal;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    int64_t now_ms = 1700000000000;
    while (!workers[0].ended || !workers[1].ended || !workers[2].ended) {
        bool more;
        now_ms += 100;
        assert_ok(journal_keep(journal, keeper, now_ms, 0, &more));
        if (!more) assert_ok(os_step(os, WAIT_NS, NULL));
        journal_poll(keeper);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_false(workers[i].wrong);
        assert_int_equal(workers[i].settled, BLOCKS_EACH);
    }
    assert_true(journal_status(journal).rotations >= 10);
    assert_ok(journal_finish(journal, keeper, now_ms));
    journal_writer_destroy(keeper);
    journal_close(journal, os);

    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct journal_check_report report;
    uint64_t blocks = 0;
    vault_public_key(vault, key);
    assert_ok(journal_check(os, folder, &(struct journal_check_options){.public_key = key}, &report));
    assert_int_equal(report.signed_through, report.last_position - 2);
    assert_ok(journal_open(os, &options, vault, 0, count, &blocks, &journal, &bad_position));
    assert_int_equal(blocks, THREADS * BLOCKS_EACH);
    journal_close(journal, os);
    os_destroy(os);
    vault_close(vault);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_append_while_the_housekeeper_rotates_seals_and_recycles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
