#include "archive_os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_uring.h"
#include "seekable.h"

/* Numbers of ours, far above what a process has open. */
enum { FILE_BASE = 1 << 28, FILES_MAX = 256, DONE_MAX = 64 };
#define INDEX_SUFFIX ".idx"

struct packed_file {
    bool used;
    int file;
    char name[64];
    bool index;                /* a segment's index, as it is: not packed */
    struct seekable *seekable; /* NULL: broken, read as empty */
};

struct archive_os {
    struct os os;
    struct os *base;
    char *journal;
    char *archive;
    char damaged[64]; /* name of the first that did not unpack */
    /* done, and to be told in the next step */
    struct os_op *done[DONE_MAX];
    int64_t results[DONE_MAX];
    unsigned done_count;
};

/* Files are process-wide, as os.h has it: one thread's scan goes on with what another's opened. A file is read by one
 * thread at a time. */
static struct packed_file files[FILES_MAX];
static pthread_mutex_t files_mutex = PTHREAD_MUTEX_INITIALIZER; /* over `used` of all of them */

static struct archive_os *of(struct os *os)
{
    return (struct archive_os *)(void *)os;
}

/* The name within the journal's folder of a path; NULL: another folder's. */
static const char *name_within(const struct archive_os *archive, const char *path)
{
    size_t size = strlen(archive->journal);
    if (strncmp(path, archive->journal, size) != 0 || path[size] != '/') return NULL;
    return strchr(path + size + 1, '/') ? NULL : path + size + 1;
}

static void note_damage(struct archive_os *archive, const char *name)
{
    if (archive->damaged[0]) return;
    snprintf(archive->damaged, sizeof archive->damaged, "%.48s" ARCHIVE_SUFFIX, name);
}

/* Takes the file over: its number. */
static int keep_file(const struct packed_file *packed)
{
    unsigned at = 0;
    pthread_mutex_lock(&files_mutex);
    while (at < FILES_MAX && files[at].used) at++;
    if (at < FILES_MAX) {
        files[at] = *packed;
        files[at].used = true;
    }
    pthread_mutex_unlock(&files_mutex);
    if (at < FILES_MAX) return (int)(FILE_BASE + at);
    seekable_close(packed->seekable);
    close(packed->file);
    return -EMFILE;
}

static int open_packed(struct archive_os *archive, const char *name)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s" ARCHIVE_SUFFIX, archive->archive, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    struct seekable *seekable = NULL;
    struct result result = seekable_open(file, &seekable);
    if (result_failed(result) && result.code != STORE_DAMAGED) {
        close(file);
        return -EIO;
    }
    struct packed_file packed = {.file = file, .seekable = seekable};
    snprintf(packed.name, sizeof packed.name, "%s", name);
    if (!seekable) note_damage(archive, name);
    return keep_file(&packed);
}

static void close_packed(struct packed_file *packed)
{
    seekable_close(packed->seekable);
    close(packed->file);
    pthread_mutex_lock(&files_mutex);
    packed->used = false;
    pthread_mutex_unlock(&files_mutex);
}

static struct packed_file *packed_of(int file)
{
    return file >= FILE_BASE && file < FILE_BASE + FILES_MAX ? &files[file - FILE_BASE] : NULL;
}

/* What does not unpack reads as zeros: then the blocks of it are missed where they should be, as a check says, and all
 * the rest can still be read. A failing disk is an error. */
static int64_t read_packed(struct archive_os *archive, struct packed_file *packed, const struct os_op *op)
{
    size_t size;
    if (!packed->seekable) return 0;
    struct result result = seekable_read(packed->seekable, op->buffer, op->size, op->offset, &size);
    if (result.code == STORE_DAMAGED) {
        note_damage(archive, packed->name);
        memset(op->buffer, 0, op->size);
        return op->size;
    }
    return result_failed(result) ? -EIO : (int64_t)size;
}

/* ---- the index of an archived segment stands beside it, not packed: looks into it are small and many ---- */

/* Where the index of this name is, or is to be; false: it is none, or that of a segment which is in the journal. */
static bool index_place(const struct archive_os *archive, const char *path, char ret_place[4096])
{
    const char *name = path ? name_within(archive, path) : NULL;
    size_t size = name ? strlen(name) : 0, suffix = strlen(INDEX_SUFFIX);
    char raw[4096];
    if (size <= suffix || strcmp(name + size - suffix, INDEX_SUFFIX) != 0) return false;
    int stem = (int)(size - suffix);
    if (snprintf(raw, sizeof raw, "%s/%.*s.seg", archive->journal, stem, name) >= (int)sizeof raw ||
        access(raw, F_OK) == 0)
        return false;
    if (snprintf(raw, sizeof raw, "%s/%.*s.seg" ARCHIVE_SUFFIX, archive->archive, stem, name) >= (int)sizeof raw ||
        access(raw, F_OK) != 0)
        return false;
    return snprintf(ret_place, 4096, "%s/%s", archive->archive, name) < 4096;
}

static int open_index(const struct os_op *op, const char *place)
{
    int flags = op->flags & OS_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (op->flags & OS_OPEN_CREATE) flags |= O_CREAT | O_EXCL;
    int file = open(place, flags | O_CLOEXEC, 0600);
    if (file < 0) return -errno;
    /* cppcheck-suppress resourceLeak ; it is kept, or closed where nothing more can be kept */
    return keep_file(&(struct packed_file){.file = file, .index = true});
}

/* True: it was about an index of the archive's, and is done. */
static bool serve_index(const struct archive_os *archive, const struct os_op *op, int64_t *ret_result)
{
    char place[4096];
    const struct packed_file *index = packed_of(op->file);
    if ((op->kind == OS_OPEN || op->kind == OS_UNLINK) && index_place(archive, op->path, place)) {
        *ret_result = op->kind == OS_OPEN ? open_index(op, place) : unlink(place) == 0 ? 0 : -errno;
        return true;
    }
    if ((op->kind != OS_READ && op->kind != OS_WRITE) || !index || !index->index) return false;
    *ret_result = op->kind == OS_READ ? pread(index->file, op->buffer, op->size, (off_t)op->offset)
                                      : pwrite(index->file, op->buffer, op->size, (off_t)op->offset);
    if (*ret_result < 0) *ret_result = -errno;
    return true;
}

/* Raw first: an archived segment that is still in the journal is read there. */
static bool is_archived(struct archive_os *archive, const struct os_op *op, const char **ret_name)
{
    if (op->kind != OS_OPEN || (op->flags & ~(uint32_t)OS_OPEN_DIRECT) != OS_OPEN_READ) return false;
    *ret_name = name_within(archive, op->path);
    return *ret_name && access(op->path, F_OK) != 0;
}

static void submit(struct os *os, struct os_op *op)
{
    struct archive_os *archive = of(os);
    struct packed_file *packed = packed_of(op->file);
    const char *name;
    int64_t result;
    if (serve_index(archive, op, &result)) {
        /* done */
    } else if (is_archived(archive, op, &name)) {
        result = open_packed(archive, name);
    } else if (op->kind == OS_READ && packed) {
        result = read_packed(archive, packed, op);
    } else if (op->kind == OS_CLOSE && packed) {
        close_packed(packed);
        result = 0;
    } else {
        os_submit(archive->base, op);
        return;
    }
    /* Readers have a file and a window or two: never as many as there is room for. */
    if (archive->done_count == DONE_MAX) abort();
    archive->done[archive->done_count] = op;
    archive->results[archive->done_count++] = result;
}

static struct result step(struct os *os, uint64_t wait_ns, unsigned *ret_completed)
{
    struct archive_os *archive = of(os);
    unsigned count = archive->done_count, below = 0;
    struct os_op *done[DONE_MAX];
    int64_t results[DONE_MAX];
    memcpy(done, archive->done, count * sizeof done[0]); // NOLINT(bugprone-sizeof-expression)
    memcpy(results, archive->results, count * sizeof results[0]);
    archive->done_count = 0;
    for (unsigned i = 0; i < count; i++) done[i]->done(done[i], results[i]);
    struct result result = os_step(archive->base, count > 0 ? 0 : wait_ns, &below);
    if (ret_completed) *ret_completed = count + below;
    return result;
}

static void wake(struct os *os)
{
    os_wake(of(os)->base);
}

static struct os_time time_of(struct os *os)
{
    return os_time(of(os)->base);
}

static uint64_t monotonic_ns(struct os *os)
{
    return os_monotonic_ns(of(os)->base);
}

static void random_bytes(struct os *os, void *ret_bytes, size_t size)
{
    os_random(of(os)->base, ret_bytes, size);
}

static void buffer_return(struct os *os, uint16_t buffer_id)
{
    os_buffer_return(of(os)->base, buffer_id);
}

struct listing {
    struct archive_os *archive;
    void (*each)(void *context, const char *name, uint64_t size);
    void *context;
};

static void each_packed(void *context, const char *name, uint64_t size)
{
    const struct listing *listing = context;
    char raw[256], path[4096];
    size_t length = strlen(name), suffix = strlen(ARCHIVE_SUFFIX);
    (void)size;
    if (length <= suffix || length >= sizeof raw || strcmp(name + length - suffix, ARCHIVE_SUFFIX) != 0) return;
    memcpy(raw, name, length - suffix);
    raw[length - suffix] = '\0';
    if (snprintf(path, sizeof path, "%s/%s", listing->archive->journal, raw) >= (int)sizeof path) return;
    if (access(path, F_OK) == 0) return;
    int file = open_packed(listing->archive, raw);
    struct packed_file *packed = packed_of(file);
    /* A broken one is listed too, so that it is missed where its segment should be. */
    listing->each(listing->context, raw, packed && packed->seekable ? seekable_size(packed->seekable) : 0);
    if (packed) close_packed(packed);
}

static struct result list(struct os *os, const char *folder,
                          void (*each)(void *context, const char *name, uint64_t size), void *context)
{
    struct archive_os *archive = of(os);
    struct listing listing = {.archive = archive, .each = each, .context = context};
    struct result raw = os_list(archive->base, folder, each, context);
    if (strcmp(folder, archive->journal) != 0) return raw;
    /* An archive alone, without its store's journal, is a journal. */
    struct result packed = os_list(archive->base, archive->archive, each_packed, &listing);
    return raw.code == OS_NOT_FOUND ? packed : raw;
}

static void destroy(struct os *os)
{
    struct archive_os *archive = of(os);
    os_destroy(archive->base);
    free(archive->journal);
    free(archive->archive);
    free(archive);
}

static const struct os_functions functions = {.submit = submit,
                                              .step = step,
                                              .wake = wake,
                                              .time = time_of,
                                              .monotonic_ns = monotonic_ns,
                                              .random = random_bytes,
                                              .buffer_return = buffer_return,
                                              .list = list,
                                              .destroy = destroy};

const char *archive_os_damaged(const struct os *os)
{
    if (os->functions != &functions) return NULL;
    const struct archive_os *archive = (const struct archive_os *)(const void *)os;
    return archive->damaged[0] ? archive->damaged : NULL;
}

struct result archive_os_create(struct os *base, const char *journal, const char *folder, struct os **ret_os)
{
    struct archive_os *archive = calloc(1, sizeof *archive);
    if (!archive) return result_of(NO_MEMORY);
    archive->os.functions = &functions;
    archive->base = base;
    archive->journal = strdup(journal);
    archive->archive = strdup(folder);
    if (!archive->journal || !archive->archive) {
        free(archive->journal);
        free(archive->archive);
        free(archive);
        return result_of(NO_MEMORY);
    }
    *ret_os = &archive->os;
    return result_ok();
}

/* The folder `archive` beside the journal's; false where there is none. */
static bool beside(const char *journal, char ret_path[4096])
{
    const char *slash = strrchr(journal, '/');
    int size = slash ? (int)(slash - journal) : 0;
    int length = slash ? snprintf(ret_path, 4096, "%.*s/archive", size, journal) : snprintf(ret_path, 4096, "archive");
    return length < 4096 && access(ret_path, F_OK) == 0;
}

struct result archive_os_open(const char *journal, const char *archive, struct os **ret_os)
{
    char folder[4096];
    struct os *os;
    TRY(os_uring_create(&(struct os_uring_options){.entries = 64}, &os));
    if (!archive && beside(journal, folder)) archive = folder;
    *ret_os = os;
    if (!archive) return result_ok();
    struct result result = archive_os_create(os, journal, archive, ret_os);
    if (result_failed(result)) os_destroy(os);
    return result;
}
