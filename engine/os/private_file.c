#include "os/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"
#include "os/os.h"

enum { PATH_SIZE = 4096 };

static struct result failed(void)
{
    return os_result(-(int64_t)errno);
}

static struct result write_all(int file, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed();
        bytes += written;
        size -= (size_t)written;
    }
    return result_ok();
}

static struct result open_new(const char *path, unsigned mode, int *ret_file)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) return failed();
    /* The umask may have taken rights away, and a default ACL may have given some. */
    if (fchmod(file, mode) != 0) {
        struct result result = failed();
        close(file);
        unlink(path);
        return result;
    }
    *ret_file = file;
    return result_ok();
}

struct result private_file_finish(int file)
{
    struct result result = fsync(file) == 0 ? result_ok() : failed();
    if (close(file) != 0 && !result_failed(result)) result = failed();
    return result;
}

struct result private_file_open_new(const char *path, int *ret_file)
{
    return open_new(path, 0600, ret_file);
}

struct result private_file_sync_name(const char *path)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (!slash) return files_sync_folder(".");
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    if (size >= sizeof(folder)) return result_of(BAD_ARGUMENT);
    memcpy(folder, path, size);
    folder[size] = '\0';
    return files_sync_folder(folder);
}

struct result private_file_create(const char *path, const void *bytes, size_t size)
{
    int file = -1;
    TRY(open_new(path, 0400, &file));
    struct result written = write_all(file, bytes, size);
    struct result finished = private_file_finish(file);
    struct result result = result_failed(written) ? written : finished;
    if (!result_failed(result)) result = private_file_sync_name(path);
    if (result_failed(result)) unlink(path);
    return result;
}

static struct result read_all(int file, uint8_t *bytes, size_t capacity, size_t *ret_size)
{
    size_t size = 0;
    while (size < capacity) {
        ssize_t got = read(file, bytes + size, capacity - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed();
        if (got == 0) break;
        size += (size_t)got;
    }
    *ret_size = size;
    return result_ok();
}

static struct result read_checked(int file, uint8_t *bytes, size_t capacity, size_t *ret_size)
{
    struct stat about;
    if (fstat(file, &about) != 0) return failed();
    bool owned = about.st_uid == geteuid() || about.st_uid == 0;
    if (!S_ISREG(about.st_mode) || !owned || (about.st_mode & 077) != 0) return result_of(VAULT_KEY_MODE);
    if ((uint64_t)about.st_size > capacity) return result_of(VAULT_BAD_KEY_FILE);
    return read_all(file, bytes, capacity, ret_size);
}

struct result private_file_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_size)
{
    /* A FIFO with nobody at its other end must not hold up the start: it is opened, looked at, and refused. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return errno == ENXIO ? result_of(VAULT_KEY_MODE) : failed();
    struct result result = read_checked(file, ret_bytes, capacity, ret_size);
    close(file);
    return result;
}

struct result private_file_extend(const char *path, uint64_t size)
{
    struct stat about;
    if (size == 0) return result_ok();
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return failed();
    struct result result = result_ok();
    if (fstat(file, &about) != 0) result = failed();
    /* One byte at the new end: unlike ftruncate, this can never cut off what another process adds meanwhile. */
    if (!result_failed(result) && (uint64_t)about.st_size < size && fallocate(file, 0, (off_t)(size - 1), 1) != 0) {
        result = failed();
    }
    close(file);
    return result;
}
