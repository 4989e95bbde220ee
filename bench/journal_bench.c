/* journal_bench [--json|--plain] [FOLDER [SECONDS]]: durable records a second of the journal on the real os, by block
 * size and depth. One thread; beside each depth stands a plain append (one O_DIRECT write with data sync at a time on a
 * written-through file): what the disk gives without the journal. Prints its workload, the machine, median and spread
 * of five rounds.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "os/os_uring.h"

enum { ROUNDS = 5, WAIT_NS = 1000000, TIMES_MAX = 1 << 20 };

static const uint32_t block_slots[] = {1, 64, 1024, JOURNAL_SLOTS_MAX};
static const uint32_t depths[] = {1, 2, 4, 8};

struct keeping {
    struct journal *journal;
    pthread_t thread;
    _Atomic bool stop;
};

struct load {
    uint64_t records;
    uint32_t slot_count;
};

static void die(const char *what, struct result result)
{
    fprintf(stderr, "journal_bench: %s: %s\n", what, result_text(result));
    exit(1);
}

static void must(const char *what, struct result result)
{
    if (result_failed(result)) die(what, result);
}

static void settled(struct journal_block *block, struct result result)
{
    must("settle", result);
    struct load *load = block->owner;
    load->records += load->slot_count;
}

static void own_settled(struct journal_block *block, struct result result)
{
    (void)block;
    (void)result;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The housekeeper, so that rotation and spares are part of what is measured. */
static void *keep(void *context)
{
    struct keeping *keeping = context;
    struct os *os;
    struct journal_writer *writer;
    must("ring", os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    must("writer", journal_writer_create(
                       keeping->journal, os,
                       &(struct journal_writer_options){.slots_per_block = 63, .settled = own_settled}, &writer));
    while (!keeping->stop) {
        bool more;
        must("keep", journal_keep(keeping->journal, writer, (int64_t)(now_s() * 1000), UINT64_MAX, &more));
        if (!more) must("step", os_step(os, WAIT_NS, NULL));
        journal_poll(writer);
    }
    while (journal_in_flight(writer) > 0) {
        must("step", os_step(os, WAIT_NS, NULL));
        journal_poll(writer);
    }
    journal_writer_destroy(writer);
    os_destroy(os);
    return NULL;
}

static double append_for(struct os *os, struct journal_writer *writer, uint32_t slot_count, double seconds)
{
    struct load load = {.slot_count = slot_count};
    double start = now_s();
    double end = start;
    while (end - start < seconds) {
        struct journal_block *block;
        struct result result = journal_begin(writer, &block);
        if (!result_failed(result)) {
            block->owner = &load;
            for (uint32_t slot = 0; slot < slot_count; slot++) block->slots[(size_t)slot * 64 + 63] = SLOT_VERIFY;
            journal_append(block, slot_count, (int64_t)(end * 1000));
        } else if (result_class(result) != RESULT_RETRY) {
            die("begin", result);
        }
        must("step", os_step(os, result_failed(result) ? WAIT_NS : 0, NULL));
        journal_poll(writer);
        end = now_s();
    }
    while (journal_in_flight(writer) > 0) {
        must("step", os_step(os, WAIT_NS, NULL));
        journal_poll(writer);
    }
    return (double)load.records / (now_s() - start);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static bool json;

static void print_list(const char *name, const double values[ROUNDS], int digits)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < ROUNDS; i++) printf("%s%.*f", i ? ", " : "", digits, values[i]);
    putchar(']');
}

/* depth 0: the plain append, of which medians_us are the writes' own. JSON gives every round, so that the suite can say
 * how far they spread. */
static void print_json(uint32_t slot_count, uint32_t depth, const double rates[ROUNDS], const double *medians_us)
{
    printf("{\"records\": %u, \"depth\": %u", slot_count, depth);
    print_list("rates", rates, 0);
    if (medians_us) print_list("p50_us", medians_us, 2);
    puts("}");
    fflush(stdout);
}

static void print_rates(double rates[ROUNDS])
{
    qsort(rates, ROUNDS, sizeof rates[0], by_value);
    printf(" %11.0f (%.0f to %.0f)", rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
}

static void clear_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char name[1024];
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (folder) closedir(folder);
}

static void measure_journal(const char *folder, uint32_t slot_count, uint32_t depth, double seconds)
{
    struct os *os;
    struct journal_writer *writer;
    struct keeping keeping = {0};
    uint64_t bad_position;
    /* A depth more: the housekeeper's removal records must not halve depth 1. */
    struct journal_options options = {.folder = folder, .depth_max = depth + 1, .keep_size = 64 << 20};
    must("ring", os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    must("open", journal_open(os, &options, NULL, 0, NULL, NULL, &keeping.journal, &bad_position));
    must("writer",
         journal_writer_create(keeping.journal, os,
                               &(struct journal_writer_options){.block_count = depth, .settled = settled}, &writer));
    CHECK(pthread_create(&keeping.thread, NULL, keep, &keeping) == 0);
    while (journal_status(keeping.journal).spares < 4) usleep(1000);
    double rates[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) rates[round] = append_for(os, writer, slot_count, seconds / ROUNDS);
    keeping.stop = true;
    pthread_join(keeping.thread, NULL);
    journal_writer_destroy(writer);
    journal_close(keeping.journal, os);
    os_destroy(os);
    clear_folder(folder);
    if (json) {
        print_json(slot_count, depth, rates, NULL);
        return;
    }
    printf("%7u %6u", slot_count, depth);
    print_rates(rates);
    putchar('\n');
    fflush(stdout);
}

/* One write with data sync at a time, on a file written through before. */
static void measure_plain(const char *folder, uint32_t slot_count, double seconds)
{
    enum { PLAIN_SIZE = 64 << 20, CHUNK = 1 << 20 };
    struct os *os;
    char path[1024];
    snprintf(path, sizeof path, "%s/plain", folder);
    must("ring", os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    struct os_op op = {.kind = OS_OPEN, .path = path, .flags = OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT};
    int64_t file = os_run(os, &op);
    must("open", os_result(file));
    uint8_t *bytes = aligned_alloc(4096, CHUNK);
    CHECK(bytes);
    memset(bytes, 0, CHUNK);
    for (uint64_t at = 0; at < PLAIN_SIZE; at += CHUNK) {
        op = (struct os_op){.kind = OS_WRITE, .file = (int)file, .buffer = bytes, .size = CHUNK, .offset = at};
        must("write", os_result(os_run(os, &op)));
    }
    op = (struct os_op){.kind = OS_SYNC, .file = (int)file};
    must("sync", os_result(os_run(os, &op)));
    double rates[ROUNDS], medians_us[ROUNDS], *took_us = malloc(TIMES_MAX * sizeof *took_us);
    uint32_t size = format_block_size(slot_count);
    CHECK(took_us);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_s(), before = start;
        uint64_t count = 0;
        while (now_s() - start < seconds / ROUNDS) {
            op = (struct os_op){.kind = OS_WRITE_DSYNC,
                                .file = (int)file,
                                .buffer = bytes,
                                .size = size,
                                .offset = count * size % (PLAIN_SIZE - CHUNK) / 4096 * 4096};
            must("write", os_result(os_run(os, &op)));
            double now = now_s();
            if (count < TIMES_MAX) took_us[count] = (now - before) * 1e6;
            before = now;
            count++;
        }
        size_t times = count < TIMES_MAX ? count : TIMES_MAX;
        qsort(took_us, times, sizeof took_us[0], by_value);
        medians_us[round] = took_us[times / 2];
        rates[round] = (double)count * slot_count / (now_s() - start);
    }
    op = (struct os_op){.kind = OS_CLOSE, .file = (int)file};
    (void)os_run(os, &op);
    free(bytes);
    free(took_us);
    unlink(path);
    os_destroy(os);
    if (json) {
        print_json(slot_count, 0, rates, medians_us);
        return;
    }
    printf("%7u  plain", slot_count);
    print_rates(rates);
    putchar('\n');
}

int main(int argc, char **argv)
{
    char made[] = "/var/tmp/journal-bench-XXXXXX";
    bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0; /* one block at a time without the journal, as JSON */
    if (plain || (argc > 1 && strcmp(argv[1], "--json") == 0)) {
        json = true;
        argc--;
        argv++;
    }
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    double seconds = argc > 2 ? atof(argv[2]) : 1.0;
    struct utsname machine;
    uname(&machine);
    if (!folder || seconds <= 0) {
        fputs("usage: journal_bench [--json|--plain] [EMPTY-FOLDER [SECONDS]]\n", stderr);
        return 2;
    }
    if (!json)
        printf("durable 64-byte records a second; %s %s, %ld cores; segments of 64 MiB, housekeeper beside, no seals; "
               "median (least to "
               "most) of %d rounds in %.1f s\nrecords  depth\n",
               machine.sysname, machine.release, sysconf(_SC_NPROCESSORS_ONLN), ROUNDS, seconds);
    for (unsigned i = 0; i < (plain ? 1 : sizeof block_slots / sizeof block_slots[0]); i++) {
        measure_plain(folder, block_slots[i], seconds);
        for (unsigned k = 0; !plain && k < sizeof depths / sizeof depths[0]; k++)
            measure_journal(folder, block_slots[i], depths[k], seconds);
    }
    if (argc <= 1) rmdir(folder);
    return 0;
}
