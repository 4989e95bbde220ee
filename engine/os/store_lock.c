#include "os/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/os.h"

enum { PATH_SIZE = 4096 };

/* File systems whose locks and syncs end on another machine. */
static bool is_network_type(long type)
{
    static const unsigned long types[] = {0x6969 /* NFS */,      0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
                                          0x517b /* SMB */,      0x5346414f /* AFS */,  0x73757245 /* Coda */,
                                          0x00c36400 /* Ceph */, 0x01021997 /* 9p */,   0x0bd00bd0 /* Lustre */,
                                          0x47504653 /* GPFS */, 0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if ((unsigned long)type == types[i]) return true;
    return false;
}

/* One line of mountinfo (proc(5)): the device is its third field, the type the first after " - ". */
static bool is_network_fuse_line(const char *line, dev_t device)
{
    static const char *const types[] = {"fuse.sshfs",     "fuse.s3fs",    "fuse.glusterfs", "fuse.rclone",
                                        "fuse.ceph-fuse", "fuse.davfs2",  "fuse.curlftpfs", "fuse.gcsfuse",
                                        "fuse.juicefs",   "fuse.mount-s3"};
    unsigned major_number, minor_number;
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*u %*u %u:%u", &major_number, &minor_number) != 2) return false;
    if (makedev(major_number, minor_number) != device) return false;
    rest += 3;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t length = strlen(types[i]);
        if (strncmp(rest, types[i], length) == 0 && rest[length] == ' ') return true;
    }
    return false;
}

/* FUSE has one number for all; the known network ones are told by name. Others are local (ntfs-3g, encrypted folders)
 * or unknown, and pass: a daemon that honours locks and syncs serves a store well. */
static bool is_network_fuse(const char *folder)
{
    struct stat about;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (!mounts) return false;
    bool found = false;
    char *line = NULL;
    size_t capacity = 0;
    if (stat(folder, &about) == 0)
        while (!found && getline(&line, &capacity, mounts) > 0) found = is_network_fuse_line(line, about.st_dev);
    free(line);
    fclose(mounts);
    return found;
}

static bool is_network(const char *folder, long type)
{
    return is_network_type(type) || (type == FUSE_SUPER_MAGIC && is_network_fuse(folder));
}

/* Since Linux 6.6 tmpfs takes O_DIRECT, so that it is not found out by that. */
static bool is_memory_type(long type)
{
    return (unsigned long)type == TMPFS_MAGIC || (unsigned long)type == RAMFS_MAGIC;
}

static struct result path_join(const char *folder, const char *name, char ret_path[PATH_SIZE])
{
    return snprintf(ret_path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE ? result_ok() : result_of(BAD_ARGUMENT);
}

struct result store_lock_take(const char *folder, int *ret_file)
{
    char path[PATH_SIZE];
    struct statfs about;
    TRY(path_join(folder, "lock", path));
    if (statfs(folder, &about) < 0) return os_result(-errno);
    if (is_network(folder, (long)about.f_type)) return result_of(OS_NETWORK_FILE_SYSTEM);
    if (is_memory_type((long)about.f_type)) return result_of(OS_MEMORY_FILE_SYSTEM);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return os_result(-errno);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_OFD_SETLK, &lock) < 0) {
        int error = errno;
        close(file);
        return error == EAGAIN || error == EACCES ? result_of(STORE_BUSY) : os_result(-error);
    }
    *ret_file = file;
    return result_ok();
}

void store_lock_release(int file)
{
    close(file);
}

static void machine_id(char ret_id[33])
{
    int file = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    if (read(file, ret_id, 32) < 0) memset(ret_id, 0, 33);
    close(file);
}

static struct result identity_make(const char *folder, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return errno == EEXIST ? result_ok() : os_result(-errno);
    static const char text[] = "This file tells an otpring store from a copy of it. Leave it where it is.\n";
    bool written = write(file, text, sizeof text - 1) == (ssize_t)(sizeof text - 1) && fsync(file) == 0;
    int error = errno;
    close(file);
    int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) < 0) written = false;
    if (parent >= 0) close(parent);
    return written ? result_ok() : os_result(-error);
}

/* Layout: machine id 32, device 8, inode 8, birth seconds 8, birth nanoseconds 8. The device number stands for the file
 * system id where that is zero; both may change at a reboot on some file systems, so the id of statfs is used when it
 * is there. */
struct result store_place(const char *folder, bool create, uint8_t ret_place[STORE_PLACE_SIZE])
{
    char path[PATH_SIZE];
    char id[33] = {0};
    struct statx about;
    struct statvfs system;
    TRY(path_join(folder, "identity", path));
    if (create) TRY(identity_make(folder, path));
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &about) < 0) return os_result(-errno);
    if (statvfs(path, &system) < 0) return os_result(-errno);
    memset(ret_place, 0, STORE_PLACE_SIZE);
    machine_id(id);
    memcpy(ret_place, id, 32);
    store_le64(ret_place + 32, system.f_fsid ? system.f_fsid : makedev(about.stx_dev_major, about.stx_dev_minor));
    store_le64(ret_place + 40, about.stx_ino);
    if (about.stx_mask & STATX_BTIME) {
        store_le64(ret_place + 48, (uint64_t)about.stx_btime.tv_sec);
        store_le64(ret_place + 56, about.stx_btime.tv_nsec);
    }
    return result_ok();
}

struct result store_space(const char *folder, uint64_t *ret_free)
{
    struct statvfs about;
    if (statvfs(folder, &about) < 0) return os_result(-errno);
    *ret_free = (uint64_t)about.f_bavail * about.f_frsize;
    return result_ok();
}
