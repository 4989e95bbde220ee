/* A disk with a slow sync: a FUSE file system with one file, `image`, kept in memory, for a loop device to stand on.
 *
 *     SLOW_SYNC_MS=N slow_fs SIZE_MIB FOLDER      runs in the foreground until FOLDER is unmounted
 *
 * Every sync of `image` takes N ms longer; writes and reads do not wait for it, and syncs overlap, as on a drive. What
 * is measured on it is the engine against a sync of N ms and the way through FUSE and loop, so compare with N = 0 on
 * the same device, not with a real disk. Called as tests/e2e/power_cut_device.sh calls forget_fs. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static struct {
    uint8_t *bytes;
    uint64_t size;
    long sync_ns;
} disk;

static int fs_getattr(const char *path, struct stat *ret_about, struct fuse_file_info *info)
{
    (void)info;
    memset(ret_about, 0, sizeof *ret_about);
    ret_about->st_nlink = 1;
    if (strcmp(path, "/") == 0) {
        ret_about->st_mode = S_IFDIR | 0700;
        ret_about->st_nlink = 2;
        return 0;
    }
    if (strcmp(path, "/image") != 0) return -ENOENT;
    ret_about->st_mode = S_IFREG | 0600;
    ret_about->st_size = (off_t)disk.size;
    ret_about->st_blocks = (blkcnt_t)(disk.size / 512);
    ret_about->st_blksize = 4096;
    return 0;
}

static int fs_open(const char *path, struct fuse_file_info *info)
{
    (void)info;
    return strcmp(path, "/image") == 0 ? 0 : -ENOENT;
}

static int fs_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
    (void)path, (void)info;
    if ((uint64_t)offset >= disk.size) return 0;
    if (size > disk.size - (uint64_t)offset) size = disk.size - (uint64_t)offset;
    memcpy(buffer, disk.bytes + offset, size);
    return (int)size;
}

static int fs_write(const char *path, const char *bytes, size_t size, off_t offset, struct fuse_file_info *info)
{
    (void)path, (void)info;
    if ((uint64_t)offset >= disk.size || size > disk.size - (uint64_t)offset) return -ENOSPC;
    memcpy(disk.bytes + offset, bytes, size);
    return (int)size;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
    struct timespec wait = {.tv_sec = disk.sync_ns / 1000000000, .tv_nsec = disk.sync_ns % 1000000000};
    (void)path, (void)data_only, (void)info;
    if (disk.sync_ns) nanosleep(&wait, NULL);
    return 0;
}

/* The loop device turns discards and writes of zeros into these. */
static int fs_fallocate(const char *path, int mode, off_t offset, off_t size, struct fuse_file_info *info)
{
    (void)path, (void)info;
    if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) return -EOPNOTSUPP;
    if (offset < 0 || size <= 0 || (uint64_t)offset >= disk.size) return -EINVAL;
    if ((uint64_t)size > disk.size - (uint64_t)offset) size = (off_t)(disk.size - (uint64_t)offset);
    memset(disk.bytes + offset, 0, (size_t)size);
    return 0;
}

static const struct fuse_operations operations = {
    .getattr = fs_getattr,
    .open = fs_open,
    .read = fs_read,
    .write = fs_write,
    .fsync = fs_fsync,
    .fallocate = fs_fallocate,
};

int main(int argc, char **argv)
{
    char *end = NULL;
    const char *sync_ms = getenv("SLOW_SYNC_MS");
    uint64_t size_mib = argc == 3 ? strtoull(argv[1], &end, 10) : 0;
    if (size_mib == 0 || size_mib > 1 << 20 || *end) {
        fprintf(stderr, "usage: SLOW_SYNC_MS=N slow_fs SIZE_MIB FOLDER\n");
        return 2;
    }
    disk.size = size_mib << 20;
    disk.sync_ns = sync_ms ? (long)(atof(sync_ms) * 1e6) : 0;
    disk.bytes = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (disk.bytes == MAP_FAILED) {
        fprintf(stderr, "slow_fs: not enough memory\n");
        return 1;
    }
    char *arguments[] = {argv[0], argv[2], "-f", "-o", "fsname=slow_fs", NULL};
    return fuse_main(5, arguments, &operations, NULL);
}
