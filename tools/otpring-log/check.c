/* check: the whole chain, seals and signatures, with the public key alone; and the MACs of what is not signed yet, for
 * whoever has the key file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_os.h"
#include "check.h"
#include "check_state.h"
#include "commands.h"
#include "core/core.h"
#include "journal/proof.h"
#include "note.h"
#include "os/files.h"
#include "store/schema.h"

enum { PUBLISHED_MAX = 4096, PUBLISHED_SIZE_MAX = 4 << 20 };

struct check_words {
    struct command_words common;
    const char *checkpoint;
    const char *key_file;
    const char *state;
    bool quiet;
};

enum { KEY_CHECKPOINT = 1, KEY_KEY, KEY_STATE, KEY_QUIET };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check_words *words = state->input;
    switch (key) {
    case KEY_CHECKPOINT:
        words->checkpoint = argument;
        return 0;
    case KEY_KEY:
        words->key_file = argument;
        return 0;
    case KEY_STATE:
        words->state = argument;
        return 0;
    case KEY_QUIET:
        words->quiet = true;
        return 0;
    default:
        return command_option(&words->common, key, argument, state);
    }
}

/* What the store of the folder, where there is one, says of its log. */
struct known {
    bool there;
    uint8_t store_id[16];
    uint64_t position;
    uint8_t keys[VAULT_KEYS_ROW_SIZE_MAX];
    size_t keys_size;
};

static struct result meta(struct store *store, struct store_txn *txn, const char *key, struct store_bytes *ret_value)
{
    return store_get(store, txn, STORE_META, (struct store_bytes){.bytes = key, .size = strlen(key)}, ret_value);
}

static struct result read_rows(struct store *store, struct store_txn *txn, struct known *ret_known)
{
    struct store_bytes value;
    struct checkpoint_row checkpoint;
    struct known known = {.there = true};
    TRY(meta(store, txn, META_STORE_ID, &value));
    if (value.size != sizeof known.store_id) return result_of(STORE_DAMAGED);
    memcpy(known.store_id, value.bytes, value.size);
    TRY(meta(store, txn, META_ADMIN_POSITION, &value));
    if (value.size != sizeof known.position) return result_of(STORE_DAMAGED);
    memcpy(&known.position, value.bytes, value.size);
    TRY(meta(store, txn, META_CHECKPOINT, &value));
    TRY(schema_checkpoint_decode(value, &checkpoint));
    if (checkpoint.position > known.position) known.position = checkpoint.position;
    TRY(meta(store, txn, META_KEYS, &value));
    if (value.size > sizeof known.keys) return result_of(STORE_DAMAGED);
    memcpy(known.keys, value.bytes, value.size);
    known.keys_size = value.size;
    *ret_known = known;
    return result_ok();
}

/* Segments without their store are checked all the same. */
static void read_store(const char *folder, struct known *ret_known)
{
    struct store *store;
    struct store_txn *txn;
    *ret_known = (struct known){.there = false};
    if (result_failed(store_lmdb_open_reading(folder, &store))) return;
    if (!result_failed(store_begin(store, false, &txn))) {
        if (result_failed(read_rows(store, txn, ret_known))) ret_known->there = false;
        store_abort(store, txn);
    }
    store_close(store);
}

static int open_vault(const struct check_words *words, const struct known *known, struct vault **ret_vault)
{
    *ret_vault = NULL;
    if (!words->key_file) return EXIT_DONE;
    if (!known->there) return complain(EXIT_USAGE, "--key: there is no store here whose keys it could open");
    struct result result = vault_open(words->key_file, known->store_id, known->keys, known->keys_size, ret_vault);
    return result_failed(result) ? complain(EXIT_USAGE, "%s: %s", words->key_file, result_text(result)) : EXIT_DONE;
}

/* Every note of a file, signed with the key: as many as were published. */
static int read_published(const char *path, const uint8_t key[VAULT_PUBLIC_KEY_SIZE],
                          struct slot_checkpoint **ret_published, size_t *ret_count)
{
    char *text;
    size_t size, count = 0;
    int code = command_read(path, PUBLISHED_SIZE_MAX, &text, &size);
    if (code != EXIT_DONE) return code;
    struct slot_checkpoint *published = calloc(PUBLISHED_MAX, sizeof *published);
    const char *rest = text;
    while (published && count < PUBLISHED_MAX && note_parse(rest, key, &published[count], &rest)) {
        if (!checkpoint_signed_by(&published[count], key)) break;
        count++;
        rest += strspn(rest, "\n");
    }
    bool whole = count > 0 && *rest == '\0';
    free(text);
    *ret_published = published;
    *ret_count = count;
    if (whole) return EXIT_DONE;
    return complain(EXIT_USAGE, "%s: not (only) checkpoints that were signed with this public key", path);
}

/* A restored store's journal begins where its backup's did. Records of before this was written down say no position. */
static bool begins_at(const struct slot_act *act, const uint8_t *payload, uint64_t first_position)
{
    struct act_restore restore = {0};
    if (act->act != ACT_RESTORE) return false;
    if (act->payload_size < sizeof restore) return true;
    memcpy(&restore, payload, sizeof restore);
    return restore.journal_first == first_position;
}

/* A store that was ever served has this file; a backup, or a folder of segments, has not. */
static bool is_part(const char *folder)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/identity", folder) < (int)sizeof path && !files_exist(path);
}

static void print_json(const struct journal_check_report *report, bool part)
{
    printf("{\"blocks\":%" PRIu64 ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"first_position\":%" PRIu64
           ",\"last_position\":%" PRIu64 ",\"sealed_through\":%" PRIu64 ",\"signed_through\":%" PRIu64
           ",\"macs_checked\":%" PRIu64 ",\"published_met\":%" PRIu64 ",\"published_old\":%" PRIu64,
           report->blocks, report->records, report->bytes, report->first_position, report->last_position,
           report->sealed_through, report->signed_through, report->macs_checked, report->published_met,
           report->published_old);
    printf(",\"resumed\":%s,\"part\":%s", report->resumed ? "true" : "false", part ? "true" : "false");
    /* The finding's text is ours and holds no quote or backslash. */
    if (report->finding[0])
        printf(",\"bad_position\":%" PRIu64 ",\"bad_last\":%" PRIu64 ",\"kind\":\"%s\",\"finding\":\"%s\"}\n",
               report->bad_position, report->bad_last, journal_finding_name(report->kind), report->finding);
    else
        printf(",\"finding\":null}\n");
}

/* What nobody can see from what there is: said each time, so that "nothing found" is not taken for more. */
static void print_unseen(const struct journal_check_report *report, bool keyed)
{
    uint64_t first = report->first_position, unsealed_first = report->sealed_through + 1,
             unsigned_first = report->signed_through + 1;
    if (unsealed_first < first) unsealed_first = first;
    if (unsigned_first < first) unsigned_first = first;
    if (report->last_position > report->sealed_through)
        printf("not sealed yet: positions %" PRIu64 " to %" PRIu64
               ", the last second or so; whoever can write the files could change them unseen\n",
               unsealed_first, report->last_position);
    if (report->sealed_through > report->signed_through && report->macs_checked == 0)
        printf("not signed yet: positions %" PRIu64 " to %" PRIu64 "; %s\n", unsigned_first, report->sealed_through,
               keyed ? "their MACs are of keys that are gone" : "their seals are proof only to --key FILE");
    if (report->published_met == 0)
        printf("what was cut off behind the last checkpoint that you know of cannot be seen: keep checkpoints "
               "elsewhere, and name them with --checkpoint FILE\n");
    else
        printf("what was cut off behind the last published checkpoint cannot be seen\n");
}

static void print_text(const struct journal_check_report *report, bool part, bool keyed)
{
    printf("%" PRIu64 " records in %" PRIu64 " blocks, positions %" PRIu64 " to %" PRIu64 "\n", report->records,
           report->blocks, report->first_position, report->last_position);
    printf("sealed through %" PRIu64 ", signed through %" PRIu64 "\n", report->sealed_through, report->signed_through);
    if (report->resumed)
        printf("note: what the state file vouches for, before position %" PRIu64 ", was not read again\n",
               report->first_position);
    else if (part && report->first_position > 1)
        printf("note: no store but a backup or single segments (no identity file): what was before position %" PRIu64
               " is not checked\n",
               report->first_position);
    if (report->published_met > 0) printf("published checkpoints met: %" PRIu64 "\n", report->published_met);
    if (report->published_old > 0)
        printf("published checkpoints older than what is kept, not compared: %" PRIu64 "\n", report->published_old);
    if (!report->finding[0]) {
        printf("nothing found\n");
        print_unseen(report, keyed);
    } else if (report->bad_last > report->bad_position) {
        printf("FOUND (%s) at positions %" PRIu64 " to %" PRIu64 ": %s\n", journal_finding_name(report->kind),
               report->bad_position, report->bad_last, report->finding);
    } else {
        printf("FOUND (%s) at position %" PRIu64 ": %s\n", journal_finding_name(report->kind), report->bad_position,
               report->finding);
    }
}

/* On a terminal only, on standard error, and wiped at the end; the state file is kept up on the way. */
struct progress {
    const struct check_words *words;
    bool shown;
    uint64_t saved_through;
};

static void save(struct progress *progress, const struct journal_check_report *report)
{
    if (!progress->words->state || !report->signed_any) return;
    if (report->newest.checkpoint.last == progress->saved_through) return;
    if (check_state_write(progress->words->state, &report->newest))
        progress->saved_through = report->newest.checkpoint.last;
}

static void tell(void *context, const struct journal_check_report *report)
{
    struct progress *progress = context;
    save(progress, report);
    if (progress->words->quiet || progress->words->common.json || !isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\rchecked %" PRIu64 " MiB, through position %" PRIu64 " ", report->bytes >> 20,
            report->last_position);
    progress->shown = true;
}

/* A broken archive of the log's beginning is missed nowhere else: its removal from the journal is accounted for. */
static void note_archive(const struct os *os, struct journal_check_report *report)
{
    const char *name = archive_os_damaged(os);
    if (!name || report->finding[0]) return;
    report->kind = FINDING_CHANGED;
    report->bad_position = report->first_position > 1 ? report->first_position - 1 : 1;
    report->bad_last = report->bad_position;
    snprintf(report->finding, sizeof report->finding, "the archived segment %s does not unpack", name);
}

bool check_quietly(const char *store, struct os *os, const char *folder, struct journal_check_report *ret_report)
{
    struct command_words words = {.store = store};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct known known;
    if (command_public_key(&words, key) != EXIT_DONE) return false;
    read_store(store, &known);
    struct journal_check_options wanted = {.public_key = key,
                                           .part = is_part(store),
                                           .begins_at = begins_at,
                                           .store_id = known.there ? known.store_id : NULL,
                                           .known_position = known.there ? known.position : 0,
                                           .threads = sysconf(_SC_NPROCESSORS_ONLN) > 1};
    struct result result = journal_check(os, folder, &wanted, ret_report);
    note_archive(os, ret_report);
    return !result_failed(result) || ret_report->finding[0];
}

static int check(const struct check_words *words, struct os *os, const char *folder,
                 struct journal_check_options *wanted, const struct known *known)
{
    struct journal_check_report report;
    struct progress progress = {.words = words};
    wanted->part = is_part(words->common.store);
    wanted->begins_at = begins_at;
    wanted->threads = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    wanted->progress = tell;
    wanted->context = &progress;
    if (known->there) {
        wanted->store_id = known->store_id;
        wanted->known_position = known->position;
    }
    struct result result = journal_check(os, folder, wanted, &report);
    if (progress.shown) fprintf(stderr, "\r\x1b[K");
    note_archive(os, &report);
    bool found = report.finding[0] != 0;
    if (result_failed(result) && !found) return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
    /* What was verified before the finding stays verified. */
    save(&progress, &report);
    if (words->common.json)
        print_json(&report, wanted->part);
    else
        print_text(&report, wanted->part, wanted->vault != NULL);
    return found ? EXIT_FINDINGS : EXIT_DONE;
}

static int prepare(const struct check_words *words, struct os *os, const char *folder)
{
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct known known;
    struct vault *vault = NULL;
    struct slot_checkpoint *published = NULL;
    struct journal_check_state resume;
    struct journal_check_options wanted = {.public_key = key};
    /* Before the log is read: a daemon that serves on takes both further. */
    read_store(words->common.store, &known);
    int code = command_public_key(&words->common, key);
    if (code == EXIT_DONE) code = open_vault(words, &known, &vault);
    if (code == EXIT_DONE && words->checkpoint)
        code = read_published(words->checkpoint, key, &published, &wanted.published_count);
    bool resumed = false;
    if (code == EXIT_DONE && words->state) code = check_state_read(words->state, key, &resume, &resumed);
    if (code == EXIT_DONE) {
        wanted.vault = vault;
        wanted.published = published;
        wanted.resume = resumed ? &resume : NULL;
        code = check(words, os, folder, &wanted, &known);
    }
    free(published);
    vault_close(vault);
    return code;
}

int command_check(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION,
        COMMAND_JSON_OPTION,
        COMMAND_PUBLIC_KEY_OPTION,
        COMMAND_ARCHIVE_OPTION,
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "Published checkpoints: each must still be in the log", 0},
        {"key", KEY_KEY, "FILE", 0, "The store's key file: check the seals' MACs of what is not signed yet", 0},
        {"state", KEY_STATE, "FILE", 0, "Go on where this file says, and keep it up to date; made when missing", 0},
        {"quiet", KEY_QUIET, NULL, 0, "No progress on a terminal", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "check",
        "Verifies every checksum, record, seal and signature of the log, against the store's position and published "
        "checkpoints, with the public key alone.\vThe first finding ends the check: changed, dropped, spliced, "
        "reordered, truncated, or the beginning gone, and at which positions. Cannot be seen: changes of what is not "
        "sealed yet (the last second), and an end cut off behind the last published checkpoint.\n\n"
        "Exit status: 0 nothing found, 1 found something, 2 usage, 3 the log cannot be read.",
        0,
        0,
        0};
    struct check_words words = {0};
    char folder[4096];
    struct os *os;
    command_parse(&argp, argc, argv, &words.common);
    int code = command_journal(&words.common, folder, sizeof folder);
    if (code == EXIT_DONE) code = command_os(words.common.store, words.common.archive, &os);
    if (code != EXIT_DONE) return code;
    code = prepare(&words, os, folder);
    os_destroy(os);
    return code;
}
