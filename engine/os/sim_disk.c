#include "os/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { DIRTY = 1, DIRTY_FORGOTTEN = 2 };

static uint64_t sectors_of(uint64_t size)
{
    return (size + SIM_SECTOR - 1) / SIM_SECTOR;
}

/* ---- files ---- */

static bool file_room(struct sim_file *file, uint64_t size)
{
    if (size <= file->capacity) return true;
    uint64_t capacity = file->capacity ? file->capacity : 65536;
    while (capacity < size) capacity *= 2;
    uint8_t *bytes = realloc(file->bytes, capacity);
    if (bytes) file->bytes = bytes;
    uint8_t *durable = realloc(file->durable, capacity);
    if (durable) file->durable = durable;
    uint8_t *dirty = realloc(file->dirty, sectors_of(capacity));
    if (dirty) file->dirty = dirty;
    if (!bytes || !durable || !dirty) return false;
    memset(bytes + file->capacity, 0, capacity - file->capacity);
    memset(dirty + sectors_of(file->capacity), 0, sectors_of(capacity) - sectors_of(file->capacity));
    file->capacity = capacity;
    return true;
}

static void file_free(struct sim_file *file)
{
    free(file->bytes);
    free(file->durable);
    free(file->dirty);
    *file = (struct sim_file){0};
}

static int file_new(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (disk->files[i].used) continue;
        disk->files[i].used = true;
        return i;
    }
    return -ENFILE;
}

static int64_t file_extend(struct sim_disk *disk, struct sim_file *file, uint64_t size)
{
    if (size <= file->size) return 0;
    if (disk->size_used + (size - file->size) > disk->size_max) return -ENOSPC;
    if (!file_room(file, size)) return -ENOMEM;
    disk->size_used += size - file->size;
    file->size = size;
    return 0;
}

int64_t sim_disk_read(const struct sim_disk *disk, int file_index, uint64_t offset, void *buffer, uint32_t size)
{
    const struct sim_file *file = &disk->files[file_index];
    if (offset >= file->size) return 0;
    uint64_t left = file->size - offset;
    if (size > left) size = (uint32_t)left;
    for (unsigned i = 0; i < disk->bad_count; i++) {
        const struct sim_bad_sector *bad = &disk->bad[i];
        if (bad->file == file_index && bad->sector * SIM_SECTOR < offset + size &&
            (bad->sector + 1) * SIM_SECTOR > offset)
            return -EIO;
    }
    memcpy(buffer, file->bytes + offset, size);
    return size;
}

static void bad_sectors_heal(struct sim_disk *disk, int file, uint64_t first, uint64_t end)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < disk->bad_count; i++) {
        const struct sim_bad_sector *bad = &disk->bad[i];
        if (bad->file != file || bad->sector < first || bad->sector >= end) disk->bad[kept++] = *bad;
    }
    disk->bad_count = kept;
}

void sim_disk_spoil(struct sim_disk *disk, int file, uint64_t offset)
{
    if (disk->bad_count == SIM_BAD_SECTORS_MAX) return;
    disk->bad[disk->bad_count++] = (struct sim_bad_sector){file, offset / SIM_SECTOR};
}

/* The sector is about to change: what a crash would leave of it is kept aside. */
static void sector_dirty(struct sim_file *file, uint64_t sector)
{
    if (!file->dirty[sector])
        memcpy(file->durable + sector * SIM_SECTOR, file->bytes + sector * SIM_SECTOR, SIM_SECTOR);
    file->dirty[sector] = DIRTY;
}

int64_t sim_disk_write(struct sim_disk *disk, int file_index, uint64_t offset, const void *buffer, uint32_t size)
{
    struct sim_file *file = &disk->files[file_index];
    int64_t failed = file_extend(disk, file, offset + size);
    if (failed) return failed;
    for (uint64_t s = offset / SIM_SECTOR; s < sectors_of(offset + size); s++) sector_dirty(file, s);
    memcpy(file->bytes + offset, buffer, size);
    if (disk->bad_count) bad_sectors_heal(disk, file_index, offset / SIM_SECTOR, sectors_of(offset + size));
    return size;
}

int64_t sim_disk_allocate(struct sim_disk *disk, int file_index, uint64_t size)
{
    return file_extend(disk, &disk->files[file_index], size);
}

void sim_disk_sync_range(struct sim_disk *disk, int file_index, uint64_t offset, uint64_t size)
{
    struct sim_file *file = &disk->files[file_index];
    uint64_t end = sectors_of(offset + size);
    for (uint64_t s = offset / SIM_SECTOR; s < end; s++)
        if (file->dirty[s] == DIRTY) file->dirty[s] = 0;
    /* A data sync makes the size durable as far as reading the data back needs it. */
    if (offset + size > file->durable_size)
        file->durable_size = offset + size > file->size ? file->size : offset + size;
}

void sim_disk_sync(struct sim_disk *disk, int file_index)
{
    struct sim_file *file = &disk->files[file_index];
    if (file->size) sim_disk_sync_range(disk, file_index, 0, file->size);
    file->durable_size = file->size;
}

void sim_disk_cut(struct sim_disk *disk, int file_index, uint64_t size)
{
    struct sim_file *file = &disk->files[file_index];
    if (size >= file->size) return;
    uint64_t from = sectors_of(size), to = sectors_of(file->size);
    memset(file->bytes + size, 0, file->size - size);
    if (to > from) memset(file->dirty + from, 0, to - from);
    disk->size_used -= file->size - size;
    file->size = size;
    if (file->durable_size > size) file->durable_size = size;
}

void sim_disk_sync_failed(struct sim_disk *disk, int file_index, uint64_t offset, uint64_t size)
{
    struct sim_file *file = &disk->files[file_index];
    for (uint64_t s = offset / SIM_SECTOR; s < sectors_of(offset + size) && s < sectors_of(file->size); s++)
        if (file->dirty[s]) file->dirty[s] = DIRTY_FORGOTTEN;
}

/* ---- names ---- */

static int names_find(const struct sim_names *names, const char *path)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].path, path) == 0) return (int)i;
    return -1;
}

static void names_room(struct sim_names *names, unsigned count)
{
    if (count <= names->capacity) return;
    names->capacity = count < 16 ? 16 : 2 * count;
    names->entries = realloc(names->entries, names->capacity * sizeof(names->entries[0]));
    CHECK(names->entries);
}

static void names_copy(struct sim_names *to, const struct sim_names *from)
{
    names_room(to, from->count);
    if (from->count) memcpy(to->entries, from->entries, from->count * sizeof(from->entries[0]));
    to->count = from->count;
}

static void names_put(struct sim_names *names, const char *path, int file)
{
    int at = names_find(names, path);
    if (at < 0) {
        names_room(names, names->count + 1);
        at = (int)names->count++;
        snprintf(names->entries[at].path, SIM_PATH_MAX, "%s", path);
    }
    names->entries[at].file = file;
}

static void names_drop(struct sim_names *names, const char *path)
{
    int at = names_find(names, path);
    if (at >= 0) names->entries[at] = names->entries[--names->count];
}

static void names_apply(struct sim_names *names, const struct sim_name_op *op)
{
    if (op->kind == SIM_NAME_MADE) {
        names_put(names, op->path, op->file);
    } else if (op->kind == SIM_NAME_GONE) {
        names_drop(names, op->path);
    } else {
        names_drop(names, op->path);
        names_put(names, op->path_to, op->file);
    }
}

static bool names_hold(const struct sim_names *names, int file)
{
    for (unsigned i = 0; i < names->count; i++)
        if (names->entries[i].file == file) return true;
    return false;
}

/* A file that is not open and has no name, now or after a crash, gives its space back. */
static void files_sweep(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (!disk->files[i].used || disk->files[i].open_count || names_hold(&disk->now, i) ||
            names_hold(&disk->durable, i))
            continue;
        bool logged = false;
        for (unsigned o = 0; o < disk->op_count; o++) logged = logged || disk->ops[o].file == i;
        if (logged) continue;
        disk->size_used -= disk->files[i].size;
        if (disk->bad_count) bad_sectors_heal(disk, i, 0, UINT64_MAX);
        file_free(&disk->files[i]);
    }
}

static void name_change(struct sim_disk *disk, enum sim_name_kind kind, const char *path, const char *path_to, int file)
{
    if (disk->op_count == disk->op_capacity) {
        disk->op_capacity = disk->op_capacity ? 2 * disk->op_capacity : 16;
        disk->ops = realloc(disk->ops, disk->op_capacity * sizeof(disk->ops[0]));
        CHECK(disk->ops);
    }
    struct sim_name_op *op = &disk->ops[disk->op_count++];
    op->kind = kind;
    op->file = file;
    snprintf(op->path, SIM_PATH_MAX, "%s", path);
    snprintf(op->path_to, SIM_PATH_MAX, "%s", path_to ? path_to : "");
    names_apply(&disk->now, op);
}

int sim_disk_find(const struct sim_disk *disk, const char *path)
{
    int at = names_find(&disk->now, path);
    return at < 0 ? -ENOENT : disk->now.entries[at].file;
}

int sim_disk_open(struct sim_disk *disk, const char *path, bool create)
{
    int found = sim_disk_find(disk, path);
    if (!create) {
        if (found >= 0) disk->files[found].open_count++;
        return found;
    }
    if (found >= 0) return -EEXIST;
    if (strlen(path) >= SIM_PATH_MAX) return -ENAMETOOLONG;
    int file = file_new(disk);
    if (file < 0) return file;
    disk->files[file].open_count = 1;
    name_change(disk, SIM_NAME_MADE, path, NULL, file);
    return file;
}

void sim_disk_close(struct sim_disk *disk, int file_index)
{
    struct sim_file *file = &disk->files[file_index];
    CHECK(file->open_count > 0);
    if (--file->open_count == 0) files_sweep(disk);
}

int64_t sim_disk_rename(struct sim_disk *disk, const char *path, const char *path_to)
{
    int file = sim_disk_find(disk, path);
    if (file < 0) return file;
    if (strlen(path_to) >= SIM_PATH_MAX) return -ENAMETOOLONG;
    name_change(disk, SIM_NAME_MOVED, path, path_to, file);
    return 0;
}

int64_t sim_disk_unlink(struct sim_disk *disk, const char *path)
{
    int file = sim_disk_find(disk, path);
    if (file < 0) return file;
    name_change(disk, SIM_NAME_GONE, path, NULL, file);
    files_sweep(disk);
    return 0;
}

static bool in_folder(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--;
    return strncmp(path, folder, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

void sim_disk_sync_folder(struct sim_disk *disk, const char *folder)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < disk->op_count; i++) {
        if (in_folder(disk->ops[i].path, folder))
            names_apply(&disk->durable, &disk->ops[i]);
        else
            disk->ops[kept++] = disk->ops[i];
    }
    disk->op_count = kept;
    files_sweep(disk);
}

/* ---- crashes ---- */

/* Old or new bytes of one sector, or the new ones up to a point and the old ones behind it. */
static void sector_choose(uint8_t *durable, const uint8_t *now, uint64_t drawn)
{
    switch (drawn % 3) {
    case 0:
        memcpy(durable, now, SIM_SECTOR);
        break;
    case 1:
        memcpy(durable, now, (drawn >> 8) % SIM_SECTOR);
        break;
    default:
        break;
    }
}

void sim_disk_tear(struct sim_disk *disk, int file_index, uint64_t offset, const uint8_t *buffer, uint32_t size,
                   uint64_t (*draw)(void *), void *context)
{
    struct sim_file *file = &disk->files[file_index];
    if (file_extend(disk, file, offset + size)) return;
    for (uint32_t at = 0; at < size; at += SIM_SECTOR) {
        if (draw(context) % 2) continue;
        uint32_t part = size - at < SIM_SECTOR ? size - at : SIM_SECTOR;
        sector_dirty(file, (offset + at) / SIM_SECTOR);
        memcpy(file->bytes + offset + at, buffer + at, part);
    }
}

void sim_disk_land(struct sim_disk *disk, int file, uint64_t offset, const uint8_t *bytes, uint32_t size)
{
    if (sim_disk_write(disk, file, offset, bytes, size) > 0) sim_disk_sync_range(disk, file, offset, size);
}

static void file_crash(struct sim_disk *disk, struct sim_file *file, uint64_t (*draw)(void *), void *context)
{
    uint64_t end = file->durable_size;
    for (uint64_t s = 0; s < sectors_of(file->size); s++) {
        if (!file->dirty[s]) continue;
        uint64_t drawn = draw(context);
        sector_choose(file->durable + s * SIM_SECTOR, file->bytes + s * SIM_SECTOR, drawn);
        uint64_t sector_end = (s + 1) * SIM_SECTOR < file->size ? (s + 1) * SIM_SECTOR : file->size;
        if (drawn % 3 != 2 && sector_end > end) end = sector_end;
        memcpy(file->bytes + s * SIM_SECTOR, file->durable + s * SIM_SECTOR, SIM_SECTOR);
        file->dirty[s] = 0;
    }
    if (end < file->size) memset(file->bytes + end, 0, file->size - end);
    disk->size_used -= file->size - end;
    file->size = file->durable_size = end;
}

static void names_crash(struct sim_disk *disk, uint64_t (*draw)(void *), void *context)
{
    if (!disk->op_count) return;
    bool prefix = draw(context) % 2;
    unsigned kept = (unsigned)(draw(context) % (disk->op_count + 1));
    for (unsigned i = 0; i < disk->op_count; i++) {
        if (prefix ? i < kept : draw(context) % 2) names_apply(&disk->durable, &disk->ops[i]);
    }
}

void sim_disk_crash(struct sim_disk *disk, uint64_t (*draw)(void *), void *context)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (!disk->files[i].used) continue;
        disk->files[i].open_count = 0;
        file_crash(disk, &disk->files[i], draw, context);
    }
    names_crash(disk, draw, context);
    disk->op_count = 0;
    names_copy(&disk->now, &disk->durable);
    files_sweep(disk);
}

void sim_disk_close_all(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) disk->files[i].open_count = 0;
    files_sweep(disk);
}

static void file_copy(const struct sim_file *from, struct sim_file *to)
{
    CHECK(file_room(to, from->capacity));
    to->used = from->used;
    to->open_count = from->open_count;
    to->size = from->size;
    to->durable_size = from->durable_size;
    if (!from->size) return;
    memcpy(to->bytes, from->bytes, from->size);
    memcpy(to->dirty, from->dirty, sectors_of(from->size));
    for (uint64_t s = 0; s < sectors_of(from->size); s++)
        if (from->dirty[s]) memcpy(to->durable + s * SIM_SECTOR, from->durable + s * SIM_SECTOR, SIM_SECTOR);
}

void sim_disk_copy(const struct sim_disk *from, struct sim_disk *to)
{
    *to = (struct sim_disk){.size_max = from->size_max, .size_used = from->size_used, .bad_count = from->bad_count};
    memcpy(to->bad, from->bad, sizeof to->bad);
    names_copy(&to->now, &from->now);
    names_copy(&to->durable, &from->durable);
    if (from->op_count) {
        to->ops = malloc(from->op_count * sizeof(from->ops[0]));
        CHECK(to->ops);
        memcpy(to->ops, from->ops, from->op_count * sizeof(from->ops[0]));
        to->op_count = to->op_capacity = from->op_count;
    }
    for (int i = 0; i < SIM_FILES_MAX; i++)
        if (from->files[i].used) file_copy(&from->files[i], &to->files[i]);
}

void sim_disk_free(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) file_free(&disk->files[i]);
    free(disk->now.entries);
    free(disk->durable.entries);
    free(disk->ops);
}
