/* yield_bench [--json] [FOLDER [SECONDS]]: how long a synced write takes a thread that has other work to do.
 *
 * A worker hands a block to the disk and goes on verifying. That the block is durable it hears when it looks at its
 * ring next; and the kernel needs a processor to get that far, since a synced write ends in its threads, on the
 * processor where the disk's interrupt lands. So: one thread works in pieces (of SHA-256), looks at the ring after
 * each, and always has one write of 4 KiB under way; beside it there is none, or one that works without ever giving its
 * processor up. Two threads are each held to one of the first two processors that this process may use, once this way
 * and once the other: where one of those two has the disk's interrupt, one of the ways has the second thread there.
 * Beside them the same write waited for asleep, and by looking at the ring without a pause.
 *
 * Prints what a write takes from its submission until `done`, p50 and p99, by how long a piece is and by the processor
 * of the second thread; SECONDS (default: 1) for each. With --json one object a line. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "os/os_uring.h"

enum { TIMES_MAX = 1 << 17, BLOCKS = 256, MESSAGES = 16, MESSAGE_SIZE = 64, WAIT_NS = 1000000000 };

/* Asleep: the thread has nothing else to do. */
enum { ASLEEP = -1 };

static const int pieces_us[] = {ASLEEP, 0, 20, 50, 100, 200, 500, 1000};

struct writer {
    struct os *os;
    struct os_op op;
    _Alignas(OS_BLOCK_SIZE) uint8_t block[OS_BLOCK_SIZE];
    uint64_t begun_ns;
    uint64_t *times_ns;
    size_t count;
    bool writing;
};

static void die(const char *what)
{
    fprintf(stderr, "yield_bench: %s\n", what);
    exit(1);
}

static uint64_t hashed(void)
{
    static const uint8_t message[MESSAGE_SIZE];
    const uint8_t *messages[MESSAGES];
    uint8_t hashes[MESSAGES][32];
    for (int i = 0; i < MESSAGES; i++) messages[i] = message;
    kernel_sha256_many(&(struct kernel_messages){MESSAGES, MESSAGE_SIZE, messages, 0, hashes});
    return hashes[0][0];
}

static void hold_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one)) die("a thread cannot be held to a processor");
}

/* The first two processors that this process may use, and how many of them there are. */
static int first_two(int ret_cpus[2])
{
    cpu_set_t all;
    int count = 0;
    if (sched_getaffinity(0, sizeof all, &all)) die("which processors there are is not told");
    for (int cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++) {
        if (CPU_ISSET(cpu, &all)) ret_cpus[count++] = cpu;
    }
    return count;
}

struct second {
    _Atomic bool stop;
    int cpu;
};

static void *work_on(void *context)
{
    struct second *second = context;
    hold_to(second->cpu);
    while (!atomic_load_explicit(&second->stop, memory_order_relaxed)) hashed();
    return NULL;
}

static void write_next(struct writer *writer)
{
    writer->writing = true;
    writer->op.offset = writer->count % BLOCKS * OS_BLOCK_SIZE;
    writer->begun_ns = os_monotonic_ns(writer->os);
    os_submit(writer->os, &writer->op);
}

static void wrote(struct os_op *op, int64_t result)
{
    struct writer *writer = op->owner;
    if (result != OS_BLOCK_SIZE) die("a write failed");
    if (writer->count < TIMES_MAX) writer->times_ns[writer->count] = os_monotonic_ns(writer->os) - writer->begun_ns;
    writer->count++;
    writer->writing = false;
}

static void step(struct writer *writer, uint64_t wait_ns)
{
    if (result_failed(os_step(writer->os, wait_ns, NULL))) die("the ring failed");
}

static void work_for(const struct writer *writer, int piece_us)
{
    uint64_t end_ns = os_monotonic_ns(writer->os) + (uint64_t)piece_us * 1000;
    while (os_monotonic_ns(writer->os) < end_ns) hashed();
}

static void measure(struct writer *writer, int piece_us, double seconds)
{
    uint64_t end_ns = os_monotonic_ns(writer->os) + (uint64_t)(seconds * 1e9);
    writer->count = 0;
    while (os_monotonic_ns(writer->os) < end_ns) {
        if (!writer->writing) write_next(writer);
        step(writer, piece_us == ASLEEP ? WAIT_NS : 0);
        if (piece_us > 0 && writer->writing) work_for(writer, piece_us);
    }
    while (writer->writing) step(writer, WAIT_NS);
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* second: the processor of that thread, or -1. */
static void print(const struct writer *writer, int piece_us, int second, bool json)
{
    size_t count = writer->count < TIMES_MAX ? writer->count : TIMES_MAX;
    qsort(writer->times_ns, count, sizeof *writer->times_ns, by_time);
    double p50_us = (double)writer->times_ns[count / 2] / 1000,
           p99_us = (double)writer->times_ns[count * 99 / 100] / 1000;
    char piece[32], place[32] = "null";
    snprintf(piece, sizeof piece, piece_us == ASLEEP ? "asleep" : piece_us ? "%d us" : "no work", piece_us);
    if (second >= 0) snprintf(place, sizeof place, "%d", second);
    printf(json ? "{\"piece\": \"%s\", \"second_thread\": %s, \"writes\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n"
                : "%-10s %-14s %7zu %10.1f %10.1f\n",
           piece, second < 0 && !json ? "none" : place, count, p50_us, p99_us);
    fflush(stdout);
}

static void measure_pieces(struct writer *writer, int second, double seconds, bool json)
{
    for (size_t p = 0; p < sizeof pieces_us / sizeof *pieces_us; p++) {
        measure(writer, pieces_us[p], seconds);
        print(writer, pieces_us[p], second, json);
    }
}

static void measure_beside(struct writer *writer, int own_cpu, int second_cpu, double seconds, bool json)
{
    struct second second = {.cpu = second_cpu};
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_on, &second)) die("no second thread");
    hold_to(own_cpu);
    measure_pieces(writer, second_cpu, seconds, json);
    atomic_store(&second.stop, true);
    pthread_join(thread, NULL);
}

static void measure_all(struct writer *writer, double seconds, bool json)
{
    int cpus[2], count = first_two(cpus);
    if (!json) printf("%-10s %-14s %7s %10s %10s\n", "a piece", "second thread", "writes", "p50 us", "p99 us");
    measure_pieces(writer, -1, seconds, json);
    if (count < 2) return;
    measure_beside(writer, cpus[1], cpus[0], seconds, json);
    measure_beside(writer, cpus[0], cpus[1], seconds, json);
}

static struct writer *writer_make(void)
{
    struct writer *writer =
        aligned_alloc(OS_BLOCK_SIZE, sizeof *writer + OS_BLOCK_SIZE - sizeof *writer % OS_BLOCK_SIZE);
    if (!writer) die("no memory");
    *writer = (struct writer){.times_ns = calloc(TIMES_MAX, sizeof *writer->times_ns)};
    if (!writer->times_ns || result_failed(os_uring_create(&(struct os_uring_options){0}, &writer->os))) die("no ring");
    return writer;
}

static void opened(struct os_op *op, int64_t result)
{
    *(int64_t *)op->owner = result;
}

static void file_make(struct writer *writer, const char *path)
{
    int64_t file = INT64_MIN;
    writer->op = (struct os_op){.kind = OS_OPEN,
                                .path = path,
                                .flags = OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT,
                                .done = opened,
                                .owner = &file};
    os_submit(writer->os, &writer->op);
    while (file == INT64_MIN) step(writer, WAIT_NS);
    if (file < 0) die("the folder takes no file for direct I/O; a disk file system is needed");
    writer->op = (struct os_op){.kind = OS_WRITE_DSYNC,
                                .file = (int)file,
                                .buffer = writer->block,
                                .size = OS_BLOCK_SIZE,
                                .done = wrote,
                                .owner = writer};
    while (writer->count < BLOCKS) {
        if (!writer->writing) write_next(writer);
        step(writer, WAIT_NS);
    }
    while (writer->writing) step(writer, WAIT_NS);
}

int main(int count, char **words)
{
    bool json = count > 1 && strcmp(words[1], "--json") == 0;
    const char *folder = count > 1 + json ? words[1 + json] : "/var/tmp";
    double seconds = count > 2 + json ? atof(words[2 + json]) : 1;
    if (seconds <= 0 || seconds > 60) die("usage: yield_bench [--json] [FOLDER [SECONDS (up to 60)]]");
    char path[4096];
    snprintf(path, sizeof path, "%s/yield_bench.%d", folder, (int)getpid());
    struct writer *writer = writer_make();
    file_make(writer, path);
    measure_all(writer, seconds, json);
    close(writer->op.file);
    unlink(path);
    os_destroy(writer->os);
    free(writer->times_ns);
    free(writer);
    return 0;
}
