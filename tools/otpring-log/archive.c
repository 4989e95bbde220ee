/* archive: closed segments packed into another folder, where every command reads them in place. The journal keeps its
 * own; what it recycles later is still here. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_os.h"
#include "commands.h"
#include "journal/folder.h"
#include "journal/index.h"
#include "os/files.h"
#include "os/os_uring.h"
#include "seekable.h"

struct archive_words {
    struct command_words common;
    const char *to;
    uint64_t level;
};

enum { KEY_TO = 1, KEY_LEVEL, LEVEL_DEFAULT = 3, LEVEL_MAX = 19 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct archive_words *words = state->input;
    switch (key) {
    case KEY_TO:
        words->to = argument;
        return 0;
    case KEY_LEVEL:
        if (!command_number(argument, &words->level) || words->level < 1 || words->level > LEVEL_MAX)
            command_bad_value("--level", argument);
        return 0;
    default:
        return command_option(&words->common, key, argument, state);
    }
}

struct work {
    const struct archive_words *words;
    const char *from;
    const char *to;
    uint64_t closed; /* segments that could be packed, or are already */
    uint64_t segments;
    uint64_t raw;
    uint64_t packed;
};

/* The daemon may recycle the file while it is read: it counts only when it still has its name, and its header, after
 * the last byte. */
static bool still_there(const char *path, int file, const struct segment_header *header)
{
    struct stat opened, named;
    struct segment_header again;
    return fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev && pread(file, &again, sizeof again, 0) == (ssize_t)sizeof again &&
           memcmp(&again, header, sizeof again) == 0;
}

static struct result pack(struct work *work, const struct folder_file *segment, const char *path, const char *fresh,
                          bool *ret_done)
{
    struct stat status;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    *ret_done = false;
    if (from < 0) return errno == ENOENT ? result_ok() : os_result(-errno); /* recycled since: it was too late */
    int to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct result result = to < 0 ? os_result(-errno) : seekable_pack(from, to, (int)work->words->level);
    if (!result_failed(result) && (fsync(to) != 0 || fstat(to, &status) != 0)) result = os_result(-errno);
    if (!result_failed(result) && still_there(path, from, segment->header)) {
        work->raw += segment->size;
        work->packed += (uint64_t)status.st_size;
        *ret_done = true;
    }
    if (to >= 0) close(to);
    close(from);
    return result;
}

/* The segment's index goes along, so that one account's records are found as fast in the archive; made where there is
 * none. It is a cache: where there is no having it, all is read without. */
static struct result carry_index(const struct work *work, struct os *os, uint64_t segment)
{
    char name[INDEX_NAME_SIZE], path[4096], place[4096], fresh[4096 + 8];
    index_name(segment, name);
    if (snprintf(path, sizeof path, "%s/%s", work->from, name) >= (int)sizeof path ||
        snprintf(place, sizeof place, "%s/%s", work->to, name) >= (int)sizeof place)
        return result_of(BAD_ARGUMENT);
    if (access(place, F_OK) == 0) return result_ok();
    if (access(path, F_OK) != 0 && result_failed(journal_index_make(os, work->from, segment))) return result_ok();
    snprintf(fresh, sizeof fresh, "%s.new", place);
    (void)unlink(fresh);
    struct result result = files_copy_all(path, fresh);
    if (result.code == OS_NOT_FOUND) return result_ok(); /* recycled since */
    TRY(result);
    return rename(fresh, place) == 0 ? result_ok() : os_result(-errno);
}

static struct result archive_one(struct work *work, struct os *os, const struct folder_file *segment)
{
    char name[FILE_NAME_SIZE], path[4096], place[4096], fresh[4096 + 8];
    file_segment_name(segment->number, name);
    if (snprintf(path, sizeof path, "%s/%s", work->from, name) >= (int)sizeof path ||
        snprintf(place, sizeof place, "%s/%s" ARCHIVE_SUFFIX, work->to, name) >= (int)sizeof place)
        return result_of(BAD_ARGUMENT);
    TRY(carry_index(work, os, segment->number));
    if (access(place, F_OK) == 0) return result_ok();
    snprintf(fresh, sizeof fresh, "%s.new", place);
    bool done;
    struct result result = pack(work, segment, path, fresh, &done);
    if (result_failed(result) || !done) {
        (void)unlink(fresh);
        return result;
    }
    if (rename(fresh, place) != 0) return os_result(-errno);
    work->segments++;
    return files_sync_folder(work->to);
}

/* Closed as the newest header says: signed, and never written again. */
static struct result archive_all(struct work *work, struct os *os)
{
    struct folder folder;
    TRY(folder_read(os, work->from, NULL, &folder));
    const struct folder_file *newest = folder_newest(&folder);
    uint64_t closed = newest ? newest->header->closed_segment : 0;
    struct result result = result_ok(), cut_short = result_ok();
    for (size_t i = 0; i < folder.count && !result_failed(result); i++) {
        const struct folder_file *segment = &folder.files[i];
        if (!segment->chain || segment->number > closed) continue;
        work->closed++;
        if (result_failed(segment->passed))
            cut_short = segment->passed; /* the others are archived all the same */
        else
            result = archive_one(work, os, segment);
    }
    folder_release(&folder);
    return result_failed(result) ? result : cut_short;
}

static int run(struct work *work, struct os *os)
{
    struct result result = files_make_folder(work->to);
    if (result_failed(result) && result.code != OS_EXISTS)
        return complain(EXIT_UNAVAILABLE, "%s: %s", work->to, result_text(result));
    result = archive_all(work, os);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s: %s", work->to, result_text(result));
    if (work->words->common.json)
        printf("{\"segments\":%" PRIu64 ",\"raw_bytes\":%" PRIu64 ",\"packed_bytes\":%" PRIu64 "}\n", work->segments,
               work->raw, work->packed);
    else if (work->closed == 0)
        puts("nothing to archive: no segment is closed yet");
    else if (work->segments == 0)
        puts("nothing to archive: every closed segment is there");
    else
        printf("%" PRIu64 " segments archived in %s: %.1f MiB in %.1f MiB\n", work->segments, work->to,
               (double)work->raw / (1 << 20), (double)work->packed / (1 << 20));
    return EXIT_DONE;
}

int command_archive(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION,
        COMMAND_JSON_OPTION,
        {"to", KEY_TO, "DIR", 0, "Where to; default: the folder archive of the store", 0},
        {"level", KEY_LEVEL, "N", 0, "Of zstd, 1 to 19; default: 3", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "archive",
        "Packs closed segments of the log with zstd, in frames that can be read one by one.\vThose of DIR/archive are "
        "read "
        "in place by every command, others by check, checkpoint and prove with --archive DIR. Any zstd program unpacks "
        "a file to the very "
        "segment. The journal's own are left to its retention (journal-keep, journal-keep-days, otpring log prune). "
        "Run "
        "it more often than the journal recycles.\n\nExit status: 0 done, 2 usage, 3 it could not be done.",
        0,
        0,
        0};
    struct archive_words words = {.level = LEVEL_DEFAULT};
    char from[4096], to[4096];
    struct os *os;
    command_parse(&argp, argc, argv, &words.common);
    int code = command_journal(&words.common, from, sizeof from);
    if (code != EXIT_DONE) return code;
    if (!words.to) {
        if (snprintf(to, sizeof to, "%s/archive", words.common.store) >= (int)sizeof to)
            return complain(EXIT_USAGE, "--store: the path is too long");
        words.to = to;
    }
    struct result result = os_uring_create(&(struct os_uring_options){.entries = 64}, &os);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s", result_text(result));
    struct work work = {.words = &words, .from = from, .to = words.to};
    code = run(&work, os);
    os_destroy(os);
    return code;
}
