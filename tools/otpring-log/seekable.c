#include "seekable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* The table: a skippable frame of entries (packed size, raw size; 4 bytes each), their number, a descriptor byte (0: no
 * checksums in it, zstd's own are in the frames), the magic number. */
#define SKIPPABLE_MAGIC 0x184D2A5Eu
#define SEEKABLE_MAGIC 0x8F92EAB1u
enum { FOOTER_SIZE = 9, ENTRY_SIZE = 8, SKIPPABLE_HEADER = 8, FRAMES_MAX = 1 << 20 };

struct entry {
    uint64_t at; /* in the file */
    uint32_t packed;
    uint32_t raw;
};

struct seekable {
    int file;
    uint64_t size;
    size_t count;
    struct entry *entries;
    ZSTD_DCtx *context;
    uint8_t *packed; /* of the largest frame */
    uint8_t *frame;  /* raw bytes of frame `cached` */
    size_t cached;
};

static struct result failure(void)
{
    return result_of(errno == ENOSPC || errno == EDQUOT ? OS_NO_SPACE : OS_FAILED);
}

static struct result write_all(int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t done = write(file, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return failure();
        at += done;
        size -= (size_t)done;
    }
    return result_ok();
}

static struct result read_at(int file, void *bytes, size_t size, uint64_t offset, size_t *ret_size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t done = pread(file, (char *)bytes + have, size - have, (off_t)(offset + have));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return failure();
        if (done == 0) break;
        have += (size_t)done;
    }
    *ret_size = have;
    return result_ok();
}

/* ---- packing ---- */

struct packer {
    int from;
    int to;
    ZSTD_CCtx *context;
    uint8_t *raw;
    uint8_t *packed;
    uint8_t *table; /* entries as they will stand in the file */
    size_t count;
};

static struct result pack_frame(struct packer *packer, size_t raw_size)
{
    size_t size =
        ZSTD_compress2(packer->context, packer->packed, ZSTD_compressBound(SEEKABLE_FRAME), packer->raw, raw_size);
    if (ZSTD_isError(size)) return result_of(NO_MEMORY);
    TRY(write_all(packer->to, packer->packed, size));
    if (packer->count >= FRAMES_MAX) return result_of(BAD_ARGUMENT);
    void *more = realloc(packer->table, (packer->count + 1) * ENTRY_SIZE);
    if (!more) return result_of(NO_MEMORY);
    packer->table = more;
    uint32_t sizes[2] = {(uint32_t)size, (uint32_t)raw_size};
    memcpy(packer->table + packer->count++ * ENTRY_SIZE, sizes, sizeof sizes);
    return result_ok();
}

static struct result write_table(struct packer *packer)
{
    uint32_t size = (uint32_t)(packer->count * ENTRY_SIZE);
    uint32_t head[2] = {SKIPPABLE_MAGIC, size + FOOTER_SIZE};
    uint8_t footer[FOOTER_SIZE] = {0};
    uint32_t count = (uint32_t)packer->count, magic = SEEKABLE_MAGIC;
    memcpy(footer, &count, 4);
    memcpy(footer + 5, &magic, 4);
    TRY(write_all(packer->to, head, sizeof head));
    if (size > 0) TRY(write_all(packer->to, packer->table, size));
    return write_all(packer->to, footer, sizeof footer);
}

static struct result pack_all(struct packer *packer)
{
    for (uint64_t offset = 0;; offset += SEEKABLE_FRAME) {
        size_t have;
        TRY(read_at(packer->from, packer->raw, SEEKABLE_FRAME, offset, &have));
        if (have > 0) TRY(pack_frame(packer, have));
        if (have < SEEKABLE_FRAME) return write_table(packer);
    }
}

struct result seekable_pack(int from, int to, int level)
{
    struct packer packer = {.from = from,
                            .to = to,
                            .context = ZSTD_createCCtx(),
                            .raw = malloc(SEEKABLE_FRAME),
                            .packed = malloc(ZSTD_compressBound(SEEKABLE_FRAME))};
    struct result result = result_of(NO_MEMORY);
    if (packer.context && packer.raw && packer.packed) {
        ZSTD_CCtx_setParameter(packer.context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(packer.context, ZSTD_c_checksumFlag, 1);
        result = pack_all(&packer);
    }
    ZSTD_freeCCtx(packer.context);
    free(packer.raw);
    free(packer.packed);
    free(packer.table);
    return result;
}

/* ---- reading ---- */

/* The table must account for every byte before it, and each frame but the last hold a whole frame's bytes. */
static struct result take_table(struct seekable *seekable, const uint8_t *table, uint64_t table_at)
{
    uint64_t at = 0;
    uint32_t largest = 1;
    for (size_t i = 0; i < seekable->count; i++) {
        struct entry *entry = &seekable->entries[i];
        uint32_t sizes[2];
        memcpy(sizes, table + i * ENTRY_SIZE, sizeof sizes);
        *entry = (struct entry){.at = at, .packed = sizes[0], .raw = sizes[1]};
        bool last = i + 1 == seekable->count;
        if (entry->raw == 0 || entry->raw > SEEKABLE_FRAME || (!last && entry->raw != SEEKABLE_FRAME))
            return result_of(STORE_DAMAGED);
        if (entry->packed > ZSTD_compressBound(SEEKABLE_FRAME)) return result_of(STORE_DAMAGED);
        if (entry->packed > largest) largest = entry->packed;
        at += entry->packed;
        seekable->size += entry->raw;
    }
    if (at != table_at) return result_of(STORE_DAMAGED);
    seekable->packed = malloc(largest);
    return result_of(seekable->packed ? OK : NO_MEMORY);
}

static struct result read_table(struct seekable *seekable)
{
    struct stat status;
    uint8_t footer[FOOTER_SIZE];
    uint32_t count, magic, head[2];
    size_t have;
    if (fstat(seekable->file, &status) != 0) return failure();
    uint64_t size = (uint64_t)status.st_size;
    if (size < SKIPPABLE_HEADER + FOOTER_SIZE) return result_of(STORE_DAMAGED);
    TRY(read_at(seekable->file, footer, sizeof footer, size - FOOTER_SIZE, &have));
    memcpy(&count, footer, 4);
    memcpy(&magic, footer + 5, 4);
    uint64_t table_size = SKIPPABLE_HEADER + (uint64_t)count * ENTRY_SIZE + FOOTER_SIZE;
    if (have != sizeof footer || magic != SEEKABLE_MAGIC || footer[4] != 0 || count > FRAMES_MAX || table_size > size)
        return result_of(STORE_DAMAGED);
    uint8_t *table = malloc(table_size);
    seekable->entries = calloc(count + 1u, sizeof *seekable->entries);
    seekable->count = count;
    struct result result = result_of(table && seekable->entries ? OK : NO_MEMORY);
    if (!result_failed(result)) result = read_at(seekable->file, table, table_size, size - table_size, &have);
    if (!result_failed(result)) {
        memcpy(head, table, sizeof head);
        bool fits = have == table_size && head[0] == SKIPPABLE_MAGIC && head[1] == table_size - SKIPPABLE_HEADER;
        result = fits ? take_table(seekable, table + SKIPPABLE_HEADER, size - table_size) : result_of(STORE_DAMAGED);
    }
    free(table);
    return result;
}

struct result seekable_open(int file, struct seekable **ret_seekable)
{
    struct seekable *seekable = calloc(1, sizeof *seekable);
    if (!seekable) return result_of(NO_MEMORY);
    seekable->file = file;
    seekable->cached = SIZE_MAX;
    seekable->context = ZSTD_createDCtx();
    seekable->frame = malloc(SEEKABLE_FRAME);
    struct result result = result_of(seekable->context && seekable->frame ? OK : NO_MEMORY);
    if (!result_failed(result)) result = read_table(seekable);
    if (result_failed(result)) {
        seekable_close(seekable);
        return result;
    }
    *ret_seekable = seekable;
    return result_ok();
}

void seekable_close(struct seekable *seekable)
{
    if (!seekable) return;
    ZSTD_freeDCtx(seekable->context);
    free(seekable->entries);
    free(seekable->packed);
    free(seekable->frame);
    free(seekable);
}

uint64_t seekable_size(const struct seekable *seekable)
{
    return seekable->size;
}

static struct result unpack(struct seekable *seekable, size_t index, void *ret_raw)
{
    const struct entry *entry = &seekable->entries[index];
    size_t have;
    TRY(read_at(seekable->file, seekable->packed, entry->packed, entry->at, &have));
    if (have != entry->packed) return result_of(STORE_DAMAGED);
    size_t raw = ZSTD_decompressDCtx(seekable->context, ret_raw, entry->raw, seekable->packed, entry->packed);
    return result_of(raw == entry->raw ? OK : STORE_DAMAGED); /* an error is no size either */
}

struct result seekable_read(struct seekable *seekable, void *ret_bytes, size_t size, uint64_t offset, size_t *ret_size)
{
    size_t done = 0;
    while (done < size && offset < seekable->size) {
        size_t index = (size_t)(offset / SEEKABLE_FRAME), skip = (size_t)(offset % SEEKABLE_FRAME);
        size_t left = seekable->entries[index].raw - skip, taken = size - done < left ? size - done : left;
        uint8_t *to = (uint8_t *)ret_bytes + done;
        if (skip == 0 && taken == left && index != seekable->cached) {
            TRY(unpack(seekable, index, to)); /* a whole frame: straight to where it is wanted */
        } else {
            if (index != seekable->cached) {
                seekable->cached = SIZE_MAX;
                TRY(unpack(seekable, index, seekable->frame));
                seekable->cached = index;
            }
            memcpy(to, seekable->frame + skip, taken);
        }
        done += taken;
        offset += taken;
    }
    *ret_size = done;
    return result_ok();
}
