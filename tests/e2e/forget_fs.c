/* A disk that forgets: a FUSE file system with one file, `image`, for a loop device to stand on, and one, `control`.
 *
 *     forget_fs SIZE_MIB FOLDER        runs in the foreground until FOLDER is unmounted
 *
 * What is written to `image` is volatile, in blocks of 4 KiB, until an fsync of it; a drive's write cache behaves so.
 * Commands are lines written to `control`, done when the write returns:
 *
 *     cut SEED    the power fails: each volatile block is kept or lost by the seed, and until `revive` everything fails
 *                 with EIO
 *     fail        writes and syncs fail with EIO until `revive`; reads go on, and nothing is lost
 *     revive      the power is back
 *
 * Reading `control` gives counts. Everything is in memory and gone when the program ends. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK = 4096 };

/* Requests come one at a time (-s), so nothing here is locked. */
static struct {
    uint8_t *durable;
    uint8_t *now;   /* what reads see; differs from `durable` in dirty blocks alone */
    uint8_t *dirty; /* a flag a block */
    uint64_t size;
    uint64_t dirty_count, write_count, sync_count, kept_count, lost_count;
    bool dead;
    bool failing;
} disk;

static const char image_path[] = "/image";
static const char control_path[] = "/control";

static bool is_image(const char *path)
{
    return strcmp(path, image_path) == 0;
}

static bool is_control(const char *path)
{
    return strcmp(path, control_path) == 0;
}

/* ---- the disk ---- */

static void dirty_set(uint64_t offset, uint64_t size)
{
    for (uint64_t b = offset / BLOCK; b <= (offset + size - 1) / BLOCK; b++) {
        disk.dirty_count += !disk.dirty[b];
        disk.dirty[b] = 1;
    }
}

/* Makes a volatile block durable, or takes it back. */
static void block_settle(uint64_t b, bool kept)
{
    uint8_t *durable = disk.durable + b * BLOCK, *now = disk.now + b * BLOCK;
    if (kept)
        memcpy(durable, now, BLOCK);
    else
        memcpy(now, durable, BLOCK);
    disk.dirty[b] = 0;
    disk.dirty_count--;
}

static uint64_t draw(uint64_t *state)
{
    /* splitmix64 (Steele, Lea, Flood 2014). */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void disk_sync(void)
{
    disk.sync_count++;
    for (uint64_t b = 0; b < disk.size / BLOCK && disk.dirty_count; b++)
        if (disk.dirty[b]) block_settle(b, true);
}

static void disk_cut(uint64_t seed)
{
    for (uint64_t b = 0; b < disk.size / BLOCK && disk.dirty_count; b++) {
        if (!disk.dirty[b]) continue;
        bool kept = draw(&seed) % 2;
        disk.kept_count += kept;
        disk.lost_count += !kept;
        block_settle(b, kept);
    }
    disk.dead = true;
}

static bool disk_make(uint64_t size_mib)
{
    disk.size = size_mib << 20;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    disk.durable = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, flags, -1, 0);
    disk.now = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, flags, -1, 0);
    disk.dirty = calloc(1, disk.size / BLOCK);
    return disk.durable != MAP_FAILED && disk.now != MAP_FAILED && disk.dirty;
}

/* ---- the control file ---- */

static int control_write(const char *bytes, size_t size)
{
    char line[64] = {0};
    uint64_t seed;
    if (size >= sizeof line) return -EINVAL;
    memcpy(line, bytes, size);
    if (sscanf(line, "cut %" SCNu64, &seed) == 1)
        disk_cut(seed);
    else if (strncmp(line, "fail", 4) == 0)
        disk.failing = true;
    else if (strncmp(line, "revive", 6) == 0)
        disk.dead = disk.failing = false;
    else
        return -EINVAL;
    return (int)size;
}

static int control_read(char *buffer, size_t size, off_t offset)
{
    char text[256];
    int length =
        snprintf(text, sizeof text,
                 "writes %" PRIu64 "\nsyncs %" PRIu64 "\nvolatile %" PRIu64 "\nkept %" PRIu64 "\nlost %" PRIu64 "\n",
                 disk.write_count, disk.sync_count, disk.dirty_count, disk.kept_count, disk.lost_count);
    if (offset >= length) return 0;
    if (size > (size_t)(length - offset)) size = (size_t)(length - offset);
    memcpy(buffer, text + offset, size);
    return (int)size;
}

/* ---- what FUSE asks ---- */

static int fs_getattr(const char *path, struct stat *ret_about, struct fuse_file_info *info)
{
    (void)info;
    memset(ret_about, 0, sizeof *ret_about);
    ret_about->st_nlink = 1;
    if (strcmp(path, "/") == 0) {
        ret_about->st_mode = S_IFDIR | 0700;
        ret_about->st_nlink = 2;
    } else if (is_image(path)) {
        ret_about->st_mode = S_IFREG | 0600;
        ret_about->st_size = (off_t)disk.size;
        ret_about->st_blocks = (blkcnt_t)(disk.size / 512);
        ret_about->st_blksize = BLOCK;
    } else if (is_control(path)) {
        ret_about->st_mode = S_IFREG | 0600;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                      enum fuse_readdir_flags flags)
{
    static const char *const names[] = {".", "..", "image", "control"};
    (void)offset;
    (void)info;
    (void)flags;
    if (strcmp(path, "/") != 0) return -ENOTDIR;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) fill(buffer, names[i], NULL, 0, 0);
    return 0;
}

static int fs_open(const char *path, struct fuse_file_info *info)
{
    if (!is_image(path) && !is_control(path)) return -ENOENT;
    /* The control file has no size, so it must not go through the page cache; the image must be allowed to, for loop.
     */
    info->direct_io = is_control(path);
    info->keep_cache = 0;
    return 0;
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    (void)size;
    (void)info;
    return is_control(path) ? 0 : -EPERM;
}

static int fs_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
    (void)info;
    if (is_control(path)) return control_read(buffer, size, offset);
    if (disk.dead) return -EIO;
    if ((uint64_t)offset >= disk.size) return 0;
    if (size > disk.size - (uint64_t)offset) size = disk.size - (uint64_t)offset;
    memcpy(buffer, disk.now + offset, size);
    return (int)size;
}

static int fs_write(const char *path, const char *bytes, size_t size, off_t offset, struct fuse_file_info *info)
{
    (void)info;
    if (is_control(path)) return control_write(bytes, size);
    if (disk.dead || disk.failing) return -EIO;
    if (size == 0) return 0;
    if ((uint64_t)offset >= disk.size || size > disk.size - (uint64_t)offset) return -ENOSPC;
    memcpy(disk.now + offset, bytes, size);
    dirty_set((uint64_t)offset, size);
    disk.write_count++;
    return (int)size;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
    (void)data_only;
    (void)info;
    if (is_control(path)) return 0;
    if (disk.dead || disk.failing) return -EIO;
    disk_sync();
    return 0;
}

/* The loop device turns discards and writes of zeros into these. */
static int fs_fallocate(const char *path, int mode, off_t offset, off_t size, struct fuse_file_info *info)
{
    (void)info;
    if (!is_image(path) || !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) return -EOPNOTSUPP;
    if (disk.dead || disk.failing) return -EIO;
    if (offset < 0 || size <= 0 || (uint64_t)offset >= disk.size) return -EINVAL;
    if ((uint64_t)size > disk.size - (uint64_t)offset) size = (off_t)(disk.size - (uint64_t)offset);
    memset(disk.now + offset, 0, (size_t)size);
    dirty_set((uint64_t)offset, (uint64_t)size);
    return 0;
}

static const struct fuse_operations operations = {
    .getattr = fs_getattr,
    .readdir = fs_readdir,
    .open = fs_open,
    .truncate = fs_truncate,
    .read = fs_read,
    .write = fs_write,
    .fsync = fs_fsync,
    .fallocate = fs_fallocate,
};

int main(int argc, char **argv)
{
    char *end = NULL;
    uint64_t size_mib = argc == 3 ? strtoull(argv[1], &end, 10) : 0;
    if (size_mib == 0 || size_mib > 1 << 20 || *end) {
        fprintf(stderr, "usage: forget_fs SIZE_MIB FOLDER\n");
        return 2;
    }
    if (!disk_make(size_mib)) {
        fprintf(stderr, "forget_fs: not enough memory\n");
        return 1;
    }
    char *arguments[] = {argv[0], argv[2], "-f", "-s", "-o", "fsname=forget_fs", NULL};
    return fuse_main(6, arguments, &operations, NULL);
}
