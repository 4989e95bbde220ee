/* The simulated os: operations wait in the world, ordered by when they are due; stepping any os moves the world's time.
 */
#include "os/os_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/sim_disk.h"

enum { HANDLES_MAX = 1024, OSES_MAX = 64, STEP_NS = 1000, DELAY_DEFAULT_NS = 200000, SLOW_TIMES = 100 };

struct sim_os {
    struct os os;
    struct os_sim_world *world;
    struct os_op *ready_first; /* completed, callback not yet run; a list through internal[0] */
    struct os_op *ready_last;
    bool woken;
    bool dead;
};

struct handle {
    bool used;
    bool direct;
    bool writable;
    int file; /* -1: a folder */
    char path[SIM_PATH_MAX];
};

struct pending {
    struct os_op *op;
    struct sim_os *os;
    uint64_t due_ns;
    uint64_t order;
};

struct os_sim_world {
    struct os_sim_options options;
    struct sim_disk disk;
    struct handle *handles;
    unsigned handle_count;
    struct sim_os *oses[OSES_MAX];
    unsigned os_count;
    struct pending *pending;
    unsigned pending_count;
    unsigned pending_capacity;
    uint64_t order;
    uint64_t now_ns;
    int64_t wall_ms;
    uint64_t boot_ms;
    bool synchronised;
    bool crashed;
    uint64_t state; /* of the generator */
    struct os_sim_faults faults;
    uint64_t writes, reads, syncs, spaces, ops, disk_ops; /* since the faults were set */
    bool sticking;
    bool ops_sticking;
    uint64_t completed; /* in all */
    uint64_t trace;
    struct os_sim_touched touched;
    void (*watch)(void *context);
    void *watch_context;
};

/* splitmix64 (Steele, Lea, Flood 2014): one number of state, every seed good. */
uint64_t os_sim_draw(struct os_sim_world *world)
{
    uint64_t z = world->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t draw(void *world)
{
    return os_sim_draw(world);
}

/* ---- what one operation does ---- */

static struct handle *handle_free(struct os_sim_world *world)
{
    for (unsigned i = 0; i < world->handle_count; i++)
        if (!world->handles[i].used) return &world->handles[i];
    if (world->handle_count == HANDLES_MAX) return NULL;
    unsigned count = world->handle_count ? 2 * world->handle_count : 16;
    struct handle *handles = realloc(world->handles, count * sizeof *handles);
    CHECK(handles);
    memset(handles + world->handle_count, 0, (count - world->handle_count) * sizeof *handles);
    struct handle *first = &handles[world->handle_count];
    world->handles = handles;
    world->handle_count = count;
    return first;
}

static int64_t handle_open(struct os_sim_world *world, const struct os_op *op)
{
    if (strlen(op->path) >= SIM_PATH_MAX) return -ENAMETOOLONG;
    struct handle *handle = handle_free(world);
    if (!handle) return -EMFILE;
    int file = -1;
    if (!(op->flags & OS_OPEN_FOLDER)) {
        file = sim_disk_open(&world->disk, op->path, op->flags & OS_OPEN_CREATE);
        if (file < 0) return file;
    }
    *handle = (struct handle){
        .used = true, .direct = op->flags & OS_OPEN_DIRECT, .writable = op->flags & OS_OPEN_WRITE, .file = file};
    memcpy(handle->path, op->path, strlen(op->path));
    return handle - world->handles;
}

static struct handle *handle_of(const struct os_sim_world *world, const struct os_op *op)
{
    if (op->file < 0 || (unsigned)op->file >= world->handle_count || !world->handles[op->file].used) return NULL;
    return &world->handles[op->file];
}

static bool misaligned(const struct handle *handle, const struct os_op *op)
{
    return handle->direct &&
           ((uintptr_t)op->buffer % OS_BLOCK_SIZE || op->offset % OS_BLOCK_SIZE || op->size % OS_BLOCK_SIZE);
}

static bool is_at(uint64_t at, uint64_t number)
{
    return at && number == at;
}

static void touch(struct os_sim_world *world, const struct os_op *op)
{
    world->touched.count++;
    memcpy(world->touched.head, op->buffer,
           op->size < sizeof world->touched.head ? op->size : sizeof world->touched.head);
}

/* Another place of the same file, of the same alignment. */
static uint64_t elsewhere(struct os_sim_world *world, const struct handle *handle, const struct os_op *op)
{
    uint64_t size = world->disk.files[handle->file].size;
    uint64_t places = size > op->size ? (size - op->size) / OS_BLOCK_SIZE + 1 : 1;
    return os_sim_draw(world) % places * OS_BLOCK_SIZE;
}

static int64_t apply_write(struct os_sim_world *world, const struct handle *handle, const struct os_op *op)
{
    uint64_t number = ++world->writes;
    const struct os_sim_faults *faults = &world->faults;
    if (faults->fail_write_at && (number == faults->fail_write_at || world->sticking)) {
        world->sticking = faults->fail_sticky;
        touch(world, op);
        return -EIO;
    }
    uint32_t size = op->size;
    uint64_t offset = op->offset;
    if (is_at(faults->short_write_at, number)) size = (size / 2) & ~(uint32_t)(SIM_SECTOR - 1);
    if (is_at(faults->phantom_at, number) || is_at(faults->misdirect_at, number)) {
        touch(world, op);
        if (is_at(faults->phantom_at, number)) return size;
        offset = elsewhere(world, handle, op);
        (void)sim_disk_read(&world->disk, handle->file, offset, world->touched.victim, sizeof world->touched.victim);
    }
    int64_t written = sim_disk_write(&world->disk, handle->file, offset, op->buffer, size);
    bool syncs = op->kind == OS_WRITE_DSYNC && !faults->sync_lies;
    if (syncs && is_at(faults->fail_sync_at, ++world->syncs)) {
        if (written > 0) sim_disk_sync_failed(&world->disk, handle->file, offset, (uint64_t)written);
        return -EIO;
    }
    if (written > 0 && syncs) sim_disk_sync_range(&world->disk, handle->file, offset, (uint64_t)written);
    return written;
}

static int64_t apply_sync(struct os_sim_world *world, const struct handle *handle)
{
    if (world->faults.sync_lies) return 0;
    if (is_at(world->faults.fail_sync_at, ++world->syncs)) {
        if (handle->file >= 0) sim_disk_sync_failed(&world->disk, handle->file, 0, UINT64_MAX / 2);
        return -EIO;
    }
    if (handle->file < 0)
        sim_disk_sync_folder(&world->disk, handle->path);
    else
        sim_disk_sync(&world->disk, handle->file);
    return 0;
}

static int64_t apply_on_handle(struct os_sim_world *world, const struct os_op *op)
{
    struct handle *handle = handle_of(world, op);
    if (!handle) return -EBADF;
    if (op->kind == OS_CLOSE) {
        handle->used = false;
        if (handle->file >= 0) sim_disk_close(&world->disk, handle->file);
        return 0;
    }
    if (op->kind == OS_SYNC) return apply_sync(world, handle);
    if (handle->file < 0) return -EISDIR;
    if (op->kind != OS_READ && !handle->writable) return -EBADF;
    uint64_t end = op->kind == OS_ALLOCATE ? op->size : op->offset + op->size;
    bool extends = op->kind != OS_READ && end > world->disk.files[handle->file].size;
    if (extends && is_at(world->faults.no_space_at, ++world->spaces)) return -ENOSPC;
    if (op->kind == OS_ALLOCATE) return sim_disk_allocate(&world->disk, handle->file, op->size);
    if (misaligned(handle, op)) return -EINVAL;
    if (op->kind == OS_READ) {
        if (world->faults.fail_read_at && ++world->reads == world->faults.fail_read_at) return -EIO;
        return sim_disk_read(&world->disk, handle->file, op->offset, op->buffer, op->size);
    }
    return apply_write(world, handle, op);
}

static int64_t apply(struct os_sim_world *world, const struct os_op *op)
{
    if (world->faults.fail_op_at && op->kind != OS_CLOSE && op->kind != OS_TIMER &&
        (++world->ops == world->faults.fail_op_at || world->ops_sticking)) {
        world->ops_sticking = world->faults.fail_op_sticky;
        return -EIO;
    }
    switch (op->kind) {
    case OS_OPEN:
        return handle_open(world, op);
    case OS_RENAME:
        return sim_disk_rename(&world->disk, op->path, op->path_to);
    case OS_UNLINK:
        return sim_disk_unlink(&world->disk, op->path);
    case OS_TIMER:
        return 0;
    case OS_LISTEN_ACCEPT:
    case OS_RECEIVE:
    case OS_SEND:
    case OS_SHUTDOWN:
        return -ENOSYS;
    default:
        return apply_on_handle(world, op);
    }
}

/* ---- time and order ---- */

static void make_ready(struct sim_os *os, struct os_op *op, int64_t result)
{
    op->internal[0] = 0;
    op->internal[1] = (uint64_t)result;
    if (os->ready_last)
        os->ready_last->internal[0] = (uint64_t)(uintptr_t)op;
    else
        os->ready_first = op;
    os->ready_last = op;
}

static unsigned pending_least(const struct os_sim_world *world)
{
    unsigned least = 0;
    for (unsigned i = 1; i < world->pending_count; i++) {
        const struct pending *a = &world->pending[i];
        const struct pending *b = &world->pending[least];
        if (a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order)) least = i;
    }
    return least;
}

static void crash_now(struct os_sim_world *world);

/* FNV-1a over words: not for strength, for telling two runs apart. */
static void trace_word(struct os_sim_world *world, uint64_t word)
{
    world->trace = (world->trace ^ word) * 0x100000001b3u;
    world->trace ^= world->trace >> 32;
}

static void trace(struct os_sim_world *world, const struct os_op *op, int64_t result)
{
    world->completed++;
    trace_word(world, (uint64_t)op->kind << 32 | (uint32_t)op->file);
    trace_word(world, op->offset);
    trace_word(world, (uint64_t)result);
    trace_word(world, world->now_ns);
    if (op->kind != OS_WRITE && op->kind != OS_WRITE_DSYNC) return;
    const uint8_t *bytes = op->buffer;
    for (uint32_t at = 0; at + 8 <= op->size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word) trace_word(world, word + at);
    }
}

static void complete_due(struct os_sim_world *world)
{
    while (world->pending_count && !world->crashed) {
        unsigned at = pending_least(world);
        struct pending next = world->pending[at];
        if (next.due_ns > world->now_ns) return;
        bool disk = next.op->kind != OS_TIMER;
        if (disk && world->faults.crash_at && ++world->disk_ops == world->faults.crash_at) {
            crash_now(world);
            return;
        }
        if (disk && world->watch) world->watch(world->watch_context);
        world->pending[at] = world->pending[--world->pending_count];
        int64_t result = apply(world, next.op);
        if (disk) trace(world, next.op, result);
        make_ready(next.os, next.op, result);
    }
}

static void move_time(struct os_sim_world *world, uint64_t now_ns)
{
    uint64_t passed_ms = now_ns / 1000000 - world->now_ns / 1000000;
    world->now_ns = now_ns;
    world->wall_ms += (int64_t)passed_ms;
    world->boot_ms += passed_ms;
}

static void pending_push(struct os_sim_world *world, struct pending pending)
{
    if (world->pending_count == world->pending_capacity) {
        world->pending_capacity = world->pending_capacity ? 2 * world->pending_capacity : 64;
        world->pending = realloc(world->pending, world->pending_capacity * sizeof *world->pending);
        CHECK(world->pending);
    }
    world->pending[world->pending_count++] = pending;
}

static void cancel(struct os_sim_world *world, struct sim_os *os, struct os_op *op)
{
    for (unsigned i = 0; i < world->pending_count; i++) {
        if (world->pending[i].op != op->target) continue;
        struct pending found = world->pending[i];
        world->pending[i] = world->pending[--world->pending_count];
        make_ready(found.os, found.op, -ECANCELED);
        make_ready(os, op, 0);
        return;
    }
    make_ready(os, op, -ENOENT);
}

/* ---- the functions of an os ---- */

static struct sim_os *sim_of(struct os *os)
{
    return (struct sim_os *)os;
}

static void sim_submit(struct os *base, struct os_op *op)
{
    struct sim_os *os = sim_of(base);
    struct os_sim_world *world = os->world;
    if (os->dead) return;
    CHECK(!op->pending);
    op->pending = true;
    op->more = false;
    if (op->kind == OS_CANCEL) {
        cancel(world, os, op);
        return;
    }
    uint64_t delay_ns = op->kind == OS_TIMER ? op->timeout_ns : 1 + os_sim_draw(world) % world->options.delay_ns_max;
    if (op->kind != OS_TIMER && world->faults.slow_share && os_sim_draw(world) % 256 < world->faults.slow_share)
        delay_ns *= SLOW_TIMES;
    pending_push(world, (struct pending){op, os, world->now_ns + delay_ns, world->order++});
}

static unsigned run_ready(struct sim_os *os)
{
    unsigned count = 0;
    struct os_op *last = os->ready_last;
    while (os->ready_first && !os->dead) {
        struct os_op *op = os->ready_first;
        os->ready_first = (struct os_op *)(uintptr_t)op->internal[0]; // NOLINT(performance-no-int-to-ptr)
        if (!os->ready_first) os->ready_last = NULL;
        int64_t result = (int64_t)op->internal[1];
        op->pending = false;
        op->done(op, result);
        count++;
        /* What callbacks made ready waits for the next step, as it would on the real ring. */
        if (op == last) break;
    }
    return count;
}

static struct result sim_step(struct os *base, uint64_t wait_ns, unsigned *ret_completed)
{
    struct sim_os *os = sim_of(base);
    struct os_sim_world *world = os->world;
    if (os->dead) return result_of(OS_FAILED);
    uint64_t until = wait_ns > UINT64_MAX - world->now_ns ? UINT64_MAX : world->now_ns + wait_ns;
    move_time(world, world->now_ns + STEP_NS);
    complete_due(world);
    while (!os->dead && !os->ready_first && !os->woken && world->now_ns < until) {
        if (world->pending_count == 0) {
            if (until == UINT64_MAX) return result_of(OS_FAILED); /* nothing in this world can ever end the wait */
            move_time(world, until);
            break;
        }
        uint64_t due = world->pending[pending_least(world)].due_ns;
        move_time(world, due < until ? due : until);
        complete_due(world);
    }
    if (os->dead) return result_of(OS_FAILED);
    os->woken = false;
    unsigned count = run_ready(os);
    if (ret_completed) *ret_completed = count;
    return os->dead ? result_of(OS_FAILED) : result_ok();
}

static void sim_wake(struct os *os)
{
    sim_of(os)->woken = true;
}

static struct os_time sim_time(struct os *os)
{
    const struct os_sim_world *world = sim_of(os)->world;
    return (struct os_time){.wall_ms = world->wall_ms, .boot_ms = world->boot_ms, .synchronised = world->synchronised};
}

static uint64_t sim_monotonic_ns(struct os *os)
{
    return sim_of(os)->world->now_ns;
}

static void sim_random(struct os *os, void *ret_bytes, size_t size)
{
    uint8_t *at = ret_bytes;
    for (size_t i = 0; i < size; i++) at[i] = (uint8_t)os_sim_draw(sim_of(os)->world);
}

static void sim_buffer_return(struct os *os, uint16_t buffer_id)
{
    (void)os;
    (void)buffer_id;
    CHECK(!"the simulated os has no sockets");
}

static struct result sim_list(struct os *os, const char *folder,
                              void (*each)(void *context, const char *name, uint64_t size), void *context)
{
    /* From a copy, so that `each` may change the folder. */
    const struct sim_disk *disk = &sim_of(os)->world->disk;
    size_t length = strlen(folder);
    unsigned count = disk->now.count;
    struct sim_name *names = malloc((count + 1) * sizeof *names);
    if (!names) return result_of(NO_MEMORY);
    if (count) memcpy(names, disk->now.entries, count * sizeof *names);
    for (unsigned i = 0; i < count; i++) {
        const char *path = names[i].path;
        if (strncmp(path, folder, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/'))
            each(context, path + length + 1, disk->files[names[i].file].size);
    }
    free(names);
    return result_ok();
}

static void sim_destroy(struct os *base)
{
    struct sim_os *os = sim_of(base);
    struct os_sim_world *world = os->world;
    for (unsigned i = 0; i < world->os_count; i++)
        if (world->oses[i] == os) world->oses[i] = world->oses[--world->os_count];
    unsigned kept = 0;
    for (unsigned i = 0; i < world->pending_count; i++)
        if (world->pending[i].os != os) world->pending[kept++] = world->pending[i];
    world->pending_count = kept;
    free(os);
}

static const struct os_functions sim_functions = {
    .submit = sim_submit,
    .step = sim_step,
    .wake = sim_wake,
    .time = sim_time,
    .monotonic_ns = sim_monotonic_ns,
    .random = sim_random,
    .buffer_return = sim_buffer_return,
    .list = sim_list,
    .destroy = sim_destroy,
};

struct os *os_sim_create(struct os_sim_world *world)
{
    struct sim_os *os = calloc(1, sizeof *os);
    CHECK(os && world->os_count < OSES_MAX && !world->crashed);
    os->os.functions = &sim_functions;
    os->world = world;
    world->oses[world->os_count++] = os;
    return &os->os;
}

/* ---- the world ---- */

struct result os_sim_world_create(const struct os_sim_options *options, struct os_sim_world **ret_world)
{
    struct os_sim_world *world = calloc(1, sizeof *world);
    if (!world) return result_of(NO_MEMORY);
    world->options = *options;
    if (!world->options.delay_ns_max) world->options.delay_ns_max = DELAY_DEFAULT_NS;
    world->disk.size_max = options->disk_size ? options->disk_size : (uint64_t)1 << 30;
    world->state = options->seed;
    world->wall_ms = options->wall_ms;
    world->boot_ms = 1000;
    world->synchronised = true;
    *ret_world = world;
    return result_ok();
}

void os_sim_world_destroy(struct os_sim_world *world)
{
    while (world->os_count) sim_destroy(&world->oses[0]->os);
    sim_disk_free(&world->disk);
    free(world->handles);
    free(world->pending);
    free(world);
}

void os_sim_faults_set(struct os_sim_world *world, const struct os_sim_faults *faults)
{
    world->faults = *faults;
    world->writes = world->reads = world->syncs = world->spaces = world->ops = world->disk_ops = 0;
    world->sticking = world->ops_sticking = false;
}

bool os_sim_crashed(const struct os_sim_world *world)
{
    return world->crashed;
}

/* What was in flight in `from` (the world itself, or the one that it is a copy of) when the machine died. whole: of a
 * process that died alone, each write went out or did not. */
static void tear_in_flight(struct os_sim_world *world, const struct os_sim_world *from, bool whole)
{
    for (unsigned i = 0; i < from->pending_count; i++) {
        const struct os_op *op = from->pending[i].op;
        if (op->kind != OS_WRITE && op->kind != OS_WRITE_DSYNC) continue;
        const struct handle *handle = handle_of(from, op);
        if (!handle || handle->file < 0) continue;
        if (!whole) {
            sim_disk_tear(&world->disk, handle->file, op->offset, op->buffer, op->size, draw, world);
        } else if (os_sim_draw(world) % 2) {
            (void)sim_disk_write(&world->disk, handle->file, op->offset, op->buffer, op->size);
        }
    }
}

static void crash_now(struct os_sim_world *world)
{
    tear_in_flight(world, world, false);
    for (unsigned i = 0; i < world->os_count; i++) {
        world->oses[i]->dead = true;
        world->oses[i]->ready_first = world->oses[i]->ready_last = NULL;
    }
    world->pending_count = 0;
    sim_disk_crash(&world->disk, draw, world);
    memset(world->handles, 0, world->handle_count * sizeof world->handles[0]);
    world->crashed = true;
    world->faults = (struct os_sim_faults){0};
}

void os_sim_crash(struct os_sim_world *world)
{
    if (!world->crashed) crash_now(world);
    world->crashed = false; /* the next machine starts on what is left */
}

struct result os_sim_world_fork(const struct os_sim_world *from, uint64_t seed, bool process_only,
                                struct os_sim_world **ret_world)
{
    struct os_sim_world *world = calloc(1, sizeof *world);
    if (!world) return result_of(NO_MEMORY);
    world->options = from->options;
    world->state = seed;
    world->wall_ms = from->wall_ms;
    world->boot_ms = process_only ? from->boot_ms : 1000;
    world->synchronised = from->synchronised;
    sim_disk_copy(&from->disk, &world->disk);
    tear_in_flight(world, from, process_only);
    if (process_only)
        sim_disk_close_all(&world->disk);
    else
        sim_disk_crash(&world->disk, draw, world);
    *ret_world = world;
    return result_ok();
}

/* One write that was in flight, sector by sector. */
static void land_chosen(struct os_sim_world *world, const struct os_sim_world *from, unsigned write,
                        enum os_sim_fate (*choose)(void *context, unsigned write, unsigned sector), void *context)
{
    const struct os_op *op = from->pending[write].op;
    const struct handle *handle = handle_of(from, op);
    if ((op->kind != OS_WRITE && op->kind != OS_WRITE_DSYNC) || !handle || handle->file < 0) return;
    for (uint32_t at = 0; at < op->size; at += SIM_SECTOR) {
        enum os_sim_fate fate = choose(context, write, at / SIM_SECTOR);
        if (fate == OS_SIM_LOST) continue;
        uint32_t size = fate == OS_SIM_TORN ? SIM_SECTOR / 2 : SIM_SECTOR;
        sim_disk_land(&world->disk, handle->file, op->offset + at, (const uint8_t *)op->buffer + at, size);
    }
}

/* Sectors that were written without a sync before are kept as they are. */
static uint64_t keep_all(void *context)
{
    (void)context;
    return 0;
}

struct result os_sim_world_fork_chosen(const struct os_sim_world *from,
                                       enum os_sim_fate (*choose)(void *context, unsigned write, unsigned sector),
                                       void *context, struct os_sim_world **ret_world)
{
    struct os_sim_world *world = calloc(1, sizeof *world);
    if (!world) return result_of(NO_MEMORY);
    world->options = from->options;
    world->wall_ms = from->wall_ms;
    world->boot_ms = 1000;
    world->synchronised = from->synchronised;
    sim_disk_copy(&from->disk, &world->disk);
    for (unsigned i = 0; i < from->pending_count; i++) land_chosen(world, from, i, choose, context);
    sim_disk_crash(&world->disk, keep_all, NULL);
    *ret_world = world;
    return result_ok();
}

void os_sim_watch(struct os_sim_world *world, void (*watch)(void *context), void *context)
{
    world->watch = watch;
    world->watch_context = context;
}

const struct os_sim_touched *os_sim_touched(const struct os_sim_world *world)
{
    return &world->touched;
}

uint64_t os_sim_op_count(const struct os_sim_world *world)
{
    return world->completed;
}

uint64_t os_sim_trace(const struct os_sim_world *world)
{
    return world->trace;
}

void os_sim_spoil(struct os_sim_world *world, const char *path, uint64_t offset)
{
    int file = sim_disk_find(&world->disk, path);
    if (file >= 0) sim_disk_spoil(&world->disk, file, offset);
}

void os_sim_cut(struct os_sim_world *world, const char *path, uint64_t size)
{
    int file = sim_disk_find(&world->disk, path);
    if (file >= 0) sim_disk_cut(&world->disk, file, size);
}

void os_sim_advance_ms(struct os_sim_world *world, uint64_t ms)
{
    world->wall_ms += (int64_t)ms;
    world->boot_ms += ms;
}

void os_sim_step_wall_ms(struct os_sim_world *world, int64_t ms)
{
    world->wall_ms += ms;
}

void os_sim_synchronised_set(struct os_sim_world *world, bool synchronised)
{
    world->synchronised = synchronised;
}

uint8_t *os_sim_file(struct os_sim_world *world, const char *path, uint64_t *ret_size)
{
    int file = sim_disk_find(&world->disk, path);
    if (file < 0) return NULL;
    *ret_size = world->disk.files[file].size;
    /* Damage stays through later crashes: a crash changes volatile sectors alone. */
    static uint8_t nothing; /* an empty file has no bytes, but is there */
    return world->disk.files[file].bytes ? world->disk.files[file].bytes : &nothing;
}
