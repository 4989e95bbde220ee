#include "backup.h"

#include <string.h>

#include "base/check.h"
#include "journal/file.h"
#include "journal/format.h"
#include "journal/journal.h"

enum { CHUNK_SIZE = 64 << 10 };

static const char folder[] = "journal";

/* One chunk at `offset`, with zeros from `end` on; *ret_more: there may be another. */
static struct result chunk_copy(struct os *from, int file, struct os *to, int copy, uint64_t offset, uint64_t end,
                                bool *ret_more)
{
    static _Alignas(OS_BLOCK_SIZE) uint8_t bytes[CHUNK_SIZE];
    struct os_op op = {.kind = OS_READ, .file = file, .buffer = bytes, .size = CHUNK_SIZE, .offset = offset};
    int64_t size = os_run(from, &op);
    TRY(os_result(size));
    *ret_more = size == CHUNK_SIZE;
    if (size == 0) return result_ok();
    uint64_t kept = end > offset ? end - offset : 0;
    if (kept < (uint64_t)size) memset(bytes + kept, 0, (uint64_t)size - kept);
    return file_write(to, copy, bytes, (uint32_t)size, offset, OS_WRITE_DSYNC);
}

static struct result file_copy(struct os *from, int file, struct os *to, int copy, uint64_t end)
{
    bool more = true;
    for (uint64_t offset = 0; more; offset += CHUNK_SIZE) TRY(chunk_copy(from, file, to, copy, offset, end, &more));
    return result_ok();
}

static struct result segment_copy(struct os *from, struct os *to, uint64_t number, uint64_t end)
{
    char name[FILE_NAME_SIZE];
    int file, copy;
    file_segment_name(number, name);
    struct result result = file_open(from, folder, name, OS_OPEN_READ | OS_OPEN_DIRECT, &file);
    if (result.code == OS_NOT_FOUND) return result_ok();
    TRY(result);
    result = file_open(to, folder, name, OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT, &copy);
    if (!result_failed(result)) {
        result = file_copy(from, file, to, copy, end);
        file_close(to, copy);
    }
    file_close(from, file);
    return result;
}

struct segments {
    struct os *from, *to;
    uint64_t segment; /* 0: none yet */
    uint64_t end;
};

static struct result segments_walk(struct segments *at, struct journal_reader *reader, uint64_t to_position)
{
    for (;;) {
        struct journal_block_view view;
        struct result result = journal_reader_next(reader, &view);
        if (result.code == STORE_NOT_FOUND) break;
        TRY(result);
        if (view.header->position > to_position) break;
        if (view.segment != at->segment) {
            if (at->segment) TRY(segment_copy(at->from, at->to, at->segment, at->end));
            for (uint64_t before = 2; !at->segment && before > 0; before--)
                if (view.segment > before) TRY(segment_copy(at->from, at->to, view.segment - before, UINT64_MAX));
            at->segment = view.segment;
        }
        at->end = view.offset + format_block_size(view.header->slot_count);
    }
    return at->segment ? segment_copy(at->from, at->to, at->segment, at->end) : result_ok();
}

/* ---- the two parts of a backup ---- */

static struct {
    struct store *inner;
    struct os *from;
    struct backup *to;
} copying;

struct result backup_store(struct store *store, const char *name)
{
    (void)store;
    (void)name;
    return store_memory_copy(copying.inner, &copying.to->store);
}

/* The segments that hold these positions and the two before, with zeros behind the last position. */
static struct result segments_copy(void *context, uint64_t from_position, uint64_t to_position)
{
    (void)context;
    const struct journal_reader_options options = {.from_position = from_position};
    struct journal_reader *reader;
    TRY(journal_reader_open(copying.from, folder, &options, &reader));
    struct segments at = {.from = copying.from, .to = os_sim_create(copying.to->world)};
    struct result result = segments_walk(&at, reader, to_position);
    if (!result_failed(result)) result = file_sync_folder(at.to, folder);
    os_destroy(at.to);
    journal_reader_close(reader);
    return result;
}

struct result backup_make(struct machine *machine, struct store *inner, uint64_t seed,
                          const struct os_sim_faults *faults, struct backup *ret_backup)
{
    const struct os_sim_options options = {.seed = seed, .wall_ms = os_time(machine->os).wall_ms, .disk_size = 8 << 20};
    struct backup *made = ret_backup;
    *made = (struct backup){0};
    CHECK(os_sim_world_create(&options, &made->world).code == OK);
    if (faults) os_sim_faults_set(made->world, faults);
    copying.inner = inner;
    copying.from = machine->keeper_os;
    copying.to = made;
    struct result result = core_backup(machine->keeper, &machine_actor, "backup", segments_copy, NULL);
    made->ops = os_sim_op_count(made->world);
    if (!result_failed(result)) return result;
    os_sim_world_destroy(made->world);
    if (made->store) store_close(made->store);
    *made = (struct backup){.ops = made->ops};
    return result;
}
