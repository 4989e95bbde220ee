#include "os/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

enum { COPY_SIZE = 1 << 20 };

static struct result failed(void)
{
    return os_result(-(int64_t)errno);
}

struct result files_make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 ? result_ok() : failed();
}

struct result files_look(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? result_ok() : failed();
}

bool files_exist(const char *path)
{
    return !result_failed(files_look(path));
}

struct result files_folder_empty(const char *path, bool *ret_empty)
{
    DIR *folder = opendir(path);
    if (!folder) return failed();
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(folder));) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(folder);
    *ret_empty = empty;
    return result_ok();
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

static struct result copy_bytes(int from, int to, uint8_t *buffer, uint64_t size, uint64_t full_size)
{
    for (uint64_t at = 0; at < size;) {
        size_t wanted = size - at < COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
        ssize_t got = read(from, buffer, wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed();
        if (got == 0) break;
        TRY(write_all(to, buffer, (size_t)got));
        at += (uint64_t)got;
    }
    /* Zeros are written out, not left as a hole: a segment is written through before it is used. */
    memset(buffer, 0, COPY_SIZE);
    off_t at = lseek(to, 0, SEEK_END);
    if (at < 0) return failed();
    while ((uint64_t)at < full_size) {
        uint64_t left = full_size - (uint64_t)at;
        size_t piece = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
        TRY(write_all(to, buffer, piece));
        at += (off_t)piece;
    }
    return fsync(to) == 0 ? result_ok() : failed();
}

struct result files_copy(const char *from, const char *to, uint64_t size, uint64_t full_size)
{
    struct stat status;
    uint8_t *buffer = malloc(COPY_SIZE);
    if (!buffer) return result_of(NO_MEMORY);
    struct result result = result_ok();
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    if (in < 0 || fstat(in, &status) != 0) result = failed();
    if (!result_failed(result)) {
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0) result = failed();
    }
    if (!result_failed(result)) {
        result = copy_bytes(in, out, buffer, size, full_size ? full_size : (uint64_t)status.st_size);
    }
    if (out >= 0 && close(out) != 0 && !result_failed(result)) result = failed();
    if (in >= 0) close(in);
    free(buffer);
    return result;
}

struct result files_copy_all(const char *from, const char *to)
{
    return files_copy(from, to, UINT64_MAX, 0);
}

struct result files_write_new(const char *path, const void *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return failed();
    struct result result = write_all(file, bytes, size);
    if (!result_failed(result) && fsync(file) != 0) result = failed();
    if (close(file) != 0 && !result_failed(result)) result = failed();
    return result;
}

struct result files_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return failed();
    ssize_t got = read(file, ret_bytes, capacity);
    struct result result = got < 0 ? failed() : result_ok();
    close(file);
    if (got >= 0) *ret_size = (size_t)got;
    return result;
}

struct result files_size(const char *path, uint64_t *ret_size)
{
    struct stat status;
    if (stat(path, &status) != 0) return failed();
    *ret_size = (uint64_t)status.st_size;
    return result_ok();
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* From the last part of the path that is there, up to the root by "..", which no link can lead astray. */
struct result files_inside(const char *path, const char *folder, bool *ret_inside)
{
    enum { PATH_SIZE = 4096, UP_SIZE = 3 };
    char at[PATH_SIZE + UP_SIZE + 1];
    struct stat wanted, here, above;
    size_t size = strlen(path);
    if (size >= PATH_SIZE || path[0] != '/') return result_of(BAD_ARGUMENT);
    if (stat(folder, &wanted) != 0) return failed();
    memcpy(at, path, size + 1);
    while (stat(at, &here) != 0) {
        char *slash = strrchr(at, '/');
        if (errno != ENOENT || slash == at) return failed();
        *slash = 0;
    }
    *ret_inside = true;
    while (!same_file(&here, &wanted)) {
        size = strlen(at);
        if (size >= PATH_SIZE) return result_of(BAD_ARGUMENT);
        memcpy(at + size, "/..", UP_SIZE + 1);
        if (stat(at, &above) != 0) return failed();
        if (same_file(&above, &here)) {
            *ret_inside = false;
            return result_ok();
        }
        here = above;
    }
    return result_ok();
}

struct result files_sync_folder(const char *path)
{
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return failed();
    struct result result = fsync(file) == 0 ? result_ok() : failed();
    close(file);
    return result;
}

struct result files_remove(const char *path)
{
    return unlink(path) == 0 ? result_ok() : failed();
}
