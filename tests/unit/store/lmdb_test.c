/* What only the store on a disk can meet: kills, limits, full disks, damage, backups. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "helpers.h"

struct fixture {
    char folder[64];
    char path[96];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    folder_make(fixture->folder);
    snprintf(fixture->path, sizeof(fixture->path), "%s/store.mdb", fixture->folder);
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

static struct store *open_store(const char *folder, bool create, uint64_t size_max)
{
    struct store *store = NULL;
    assert_code(store_lmdb_open(folder, create, size_max, &store), OK);
    return store;
}

static void a_store_is_made_once_and_opened_only_where_it_was_made(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct stat about;
    assert_code(store_lmdb_open(fixture->folder, false, 1 << 24, &store), OS_NOT_FOUND);
    assert_int_equal(access(fixture->path, F_OK), -1);
    store = open_store(fixture->folder, true, 1 << 24);
    put_text(store, STORE_META, "k", "v");
    store_close(store);
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_code(store_lmdb_open(fixture->folder, true, 1 << 24, &store), OS_EXISTS);
    store = open_store(fixture->folder, false, 1 << 24);
    assert_text(store, STORE_META, "k", "v");
    store_close(store);
}

/* Commits round after round, each of many rows that all say the round, and tells each committed round through the pipe.
 */
static void commit_for_ever(const char *folder, int pipe_to)
{
    struct store *store;
    if (result_failed(store_lmdb_open(folder, false, 1 << 26, &store))) _exit(1);
    for (uint32_t round = 1;; round++) {
        struct store_txn *txn;
        uint8_t key[4], value[200] = {0};
        store_le32(value, round);
        if (result_failed(store_begin(store, true, &txn))) _exit(2);
        for (uint32_t i = 0; i < 60; i++) {
            if (result_failed(
                    store_put(store, txn, STORE_TOKENS, number_key(i * 37, key), bytes_of(value, sizeof(value))))) {
                _exit(3);
            }
        }
        if (result_failed(store_commit(store, txn))) _exit(4);
        if (write(pipe_to, &round, sizeof(round)) != sizeof(round)) _exit(5);
    }
}

static uint32_t round_in(struct store *store)
{
    struct store_txn *txn;
    struct store_bytes value;
    uint8_t key[4];
    uint32_t round = 0;
    assert_code(store_begin(store, false, &txn), OK);
    for (uint32_t i = 0; i < 60; i++) {
        struct result got = store_get(store, txn, STORE_TOKENS, number_key(i * 37, key), &value);
        uint32_t found = result_failed(got) ? 0 : load_le32(value.bytes);
        if (i == 0) round = found;
        assert_int_equal(found, round); /* all of a commit, or nothing of it */
    }
    store_abort(store, txn);
    return round;
}

static void a_kill_at_any_moment_keeps_what_was_committed_and_nothing_in_half(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = 5;
    store_close(open_store(fixture->folder, true, 1 << 26));
    for (int kill_count = 0; kill_count < 25; kill_count++) {
        int ends[2];
        uint32_t told = 0, round;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            commit_for_ever(fixture->folder, ends[1]);
        }
        close(ends[1]);
        uint32_t wanted = 1 + (uint32_t)(random_next(&random) % 5);
        while (told < wanted) assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
        usleep((unsigned)(random_next(&random) % 3000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &round, sizeof(round)) == sizeof(round)) told = round;
        close(ends[0]);
        struct store *store = open_store(fixture->folder, false, 1 << 26);
        round = round_in(store);
        assert_true(round == told || round == told + 1);
        store_close(store);
    }
}

static struct result fill(struct store *store, uint32_t from, uint32_t count, size_t size)
{
    static uint8_t value[8192];
    struct store_txn *txn;
    uint8_t key[4];
    TRY(store_begin(store, true, &txn));
    for (uint32_t i = 0; i < count; i++) {
        store_le32(value, from + i);
        struct result put = store_put(store, txn, STORE_WORDS, number_key(from + i, key), bytes_of(value, size));
        if (result_failed(put)) {
            /* What the transaction could not hold it does not commit in part either. */
            assert_int_equal(store_put(store, txn, STORE_META, text_bytes("x"), text_bytes("y")).code, put.code);
            assert_int_equal(store_commit(store, txn).code, put.code);
            return put;
        }
    }
    return store_commit(store, txn);
}

static uint32_t rows_of(struct store *store)
{
    struct store_txn *txn;
    struct store_bytes key, value, from = {0};
    uint8_t after[4];
    uint32_t count = 0;
    assert_code(store_begin(store, false, &txn), OK);
    while (!result_failed(store_next(store, txn, STORE_WORDS, from, false, &key, &value))) {
        assert_int_equal(load_le32(value.bytes), load_be32(key.bytes));
        memcpy(after, key.bytes, 4);
        from = bytes_of(after, 4);
        count++;
    }
    store_abort(store, txn);
    return count;
}

static void a_full_store_refuses_keeps_what_it_has_and_serves_again_once_there_is_room(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = open_store(fixture->folder, true, 1 << 20);
    struct store_txn *txn;
    uint8_t key[4];
    uint32_t rows = 0;
    struct result result;
    while (!result_failed(result = fill(store, rows, 10, 3000))) rows += 10;
    assert_code(result, STORE_FULL);
    assert_true(rows > 50);
    assert_int_equal(rows_of(store), rows);
    assert_code(store_begin(store, true, &txn), OK);
    for (uint32_t i = 0; i < 20; i++) assert_code(store_erase(store, txn, STORE_WORDS, number_key(i, key)), OK);
    assert_code(store_commit(store, txn), OK);
    /* Pages are free from the second commit after they were given back. */
    put_text(store, STORE_META, "k", "v");
    assert_code(fill(store, rows, 10, 3000), OK);
    store_close(store);
    /* A greater limit helps too, and a smaller one than the file is no reason to refuse it. */
    store = open_store(fixture->folder, false, 1 << 21);
    assert_code(fill(store, rows + 10, 100, 3000), OK);
    store_close(store);
    store = open_store(fixture->folder, false, 1 << 20);
    assert_int_equal(rows_of(store), rows - 20 + 110);
    store_close(store);
}

/* The same 100 rows over and over: pages come from those that were given back, as long as no reader may want them. */
static struct result rewrite(struct store *store, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) TRY(fill(store, 0, 100, 3000));
    return result_ok();
}

/* A process that has begun to read, and is somewhere in it for good. */
static pid_t reader_start(const char *folder)
{
    int ends[2];
    char ready = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;
        struct store_txn *txn;
        if (result_failed(store_lmdb_open_reading(folder, &store))) _exit(1);
        if (result_failed(store_begin(store, false, &txn))) _exit(1);
        if (rows_of(store) != 100 || write(ends[1], "r", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    return child;
}

static void a_reader_that_was_killed_keeps_no_page_from_being_used_again(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = open_store(fixture->folder, true, 4 << 20);
    assert_code(rewrite(store, 100), OK);
    pid_t reader = reader_start(fixture->folder);
    /* One that lives is in its right: what it may read is kept, and the store fills up behind it. */
    assert_code(rewrite(store, 100), STORE_FULL);
    assert_int_equal(kill(reader, SIGKILL), 0);
    assert_int_equal(waitpid(reader, NULL, 0), reader);
    assert_code(rewrite(store, 100), OK);
    assert_int_equal(rows_of(store), 100);
    store_close(store);
}

/* Runs in a child with a file system of 2 MiB of its own over the folder. 77: there cannot be one here. */
static int full_disk_story(const char *folder)
{
    char path[96];
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 77;
    if (mount("tmpfs", folder, "tmpfs", 0, "size=2m") != 0) return 77;
    struct store *store = open_store(folder, true, 1 << 26);
    struct result result;
    uint32_t rows = 0;
    put_text(store, STORE_META, "k", "v");
    while (!result_failed(result = fill(store, rows, 7, 3000 + rows))) rows += 7;
    if (result.code != OS_NO_SPACE || rows < 50) return 2;
    if (rows_of(store) != rows) return 3;
    for (int i = 0; i < 5; i++) {
        if (fill(store, rows, 200, 4000).code != OS_NO_SPACE) return 4;
        if (rows_of(store) != rows) return 5;
    }
    snprintf(path, sizeof(path), "%s/backup", folder);
    if (store_backup(store, path).code != OS_NO_SPACE) return 6;
    snprintf(path, sizeof(path), "%s/backup/store.mdb", folder);
    if (access(path, F_OK) == 0) return 7;
    if (mount("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=16m") != 0) return 8;
    if (result_failed(fill(store, rows, 200, 4000))) return 9;
    if (rows_of(store) != rows + 200) return 10;
    store_close(store);
    store = open_store(folder, false, 1 << 26);
    return rows_of(store) == rows + 200 ? 0 : 11;
}

static void a_full_disk_refuses_keeps_what_there_is_and_serves_again_once_there_is_room(void **state)
{
    struct fixture *fixture = *state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(full_disk_story(fixture->folder));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Everything there is, as a reader of a damaged store would ask for it; any result will do but an answer that is never
 * given. */
static struct result walk_all(struct store *store)
{
    struct store_txn *txn;
    struct result result = result_ok();
    TRY(store_begin(store, false, &txn));
    for (int map = 0; map < STORE_MAP_COUNT && !result_failed(result); map++) {
        struct store_bytes key, value, from = {0};
        uint8_t after[STORE_KEY_SIZE_MAX];
        volatile uint8_t sum = 0;
        while (!result_failed(result = store_next(store, txn, (enum store_map)map, from, false, &key, &value))) {
            for (size_t i = 0; i < value.size; i++) sum ^= ((const uint8_t *)value.bytes)[i];
            memcpy(after, key.bytes, key.size);
            from = bytes_of(after, key.size);
        }
        if (result.code == STORE_NOT_FOUND) result = result_ok();
    }
    store_abort(store, txn);
    return result;
}

static void a_store_cut_short_is_damaged_and_no_reason_to_crash(void **state)
{
    struct fixture *fixture = *state;
    struct stat about;
    struct store *store = open_store(fixture->folder, true, 1 << 24);
    assert_code(fill(store, 0, 300, 2000), OK);
    store_close(store);
    assert_int_equal(stat(fixture->path, &about), 0);
    unsigned damaged = 0, cuts = 0;
    for (off_t size = about.st_size - 4096; size >= 0; size -= 5 * 4096) {
        assert_int_equal(truncate(fixture->path, size), 0);
        struct result result = store_lmdb_open(fixture->folder, false, 1 << 24, &store);
        if (!result_failed(result)) {
            result = walk_all(store);
            store_close(store);
        }
        if (result_failed(result)) assert_code(result, STORE_DAMAGED);
        damaged += result_failed(result);
        cuts++;
    }
    /* The last pages may be of a map that is not walked to them, or be free: the rest is missed. */
    assert_true(cuts > 25 && damaged + 2 >= cuts);
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_code(store_lmdb_open(fixture->folder, false, 1 << 24, &store), STORE_DAMAGED);
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_size, 0); /* and no new store is made in its place */
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    char bytes[16384];
    memset(bytes, 'x', sizeof(bytes));
    int file = open(fixture->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, bytes, sizeof(bytes)), sizeof(bytes));
    close(file);
    assert_code(store_lmdb_open(fixture->folder, false, 1 << 24, &store), STORE_DAMAGED);
}

static void a_backup_is_whole_compact_and_taken_while_a_transaction_is_open(void **state)
{
    struct fixture *fixture = *state;
    char folder[96], path[128];
    struct stat whole, copy;
    struct store_txn *txn;
    struct store *store = open_store(fixture->folder, true, 1 << 24);
    uint8_t key[4];
    assert_code(fill(store, 0, 600, 2000), OK);
    assert_code(store_begin(store, true, &txn), OK);
    for (uint32_t i = 0; i < 500; i++) assert_code(store_erase(store, txn, STORE_WORDS, number_key(i, key)), OK);
    assert_code(store_commit(store, txn), OK);
    put_text(store, STORE_META, "k", "v");
    snprintf(folder, sizeof(folder), "%s/backup", fixture->folder);
    snprintf(path, sizeof(path), "%s/store.mdb", folder);
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_put(store, txn, STORE_META, text_bytes("k"), text_bytes("open")), OK);
    assert_code(store_backup(store, folder), OK);
    assert_code(store_commit(store, txn), OK);
    assert_code(store_backup(store, folder), OS_EXISTS);
    store_close(store);
    assert_int_equal(stat(path, &copy), 0);
    assert_int_equal(stat(fixture->path, &whole), 0);
    assert_int_equal(copy.st_mode & 0777, 0600);
    assert_true(copy.st_size < whole.st_size / 3);
    store = open_store(folder, false, 1 << 24);
    assert_int_equal(rows_of(store), 100);
    assert_text(store, STORE_META, "k", "v");
    assert_code(fill(store, 5000, 10, 100), OK);
    store_close(store);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_store_is_made_once_and_opened_only_where_it_was_made),
        WITH_FOLDER(a_kill_at_any_moment_keeps_what_was_committed_and_nothing_in_half),
        WITH_FOLDER(a_full_store_refuses_keeps_what_it_has_and_serves_again_once_there_is_room),
        WITH_FOLDER(a_reader_that_was_killed_keeps_no_page_from_being_used_again),
        WITH_FOLDER(a_full_disk_refuses_keeps_what_there_is_and_serves_again_once_there_is_room),
        WITH_FOLDER(a_store_cut_short_is_damaged_and_no_reason_to_crash),
        WITH_FOLDER(a_file_that_is_no_store_is_refused),
        WITH_FOLDER(a_backup_is_whole_compact_and_taken_while_a_transaction_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
