/* init, backup, restore: whole stores. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/engine.h"
#include "base/moment.h"
#include "command.h"
#include "local.h"
#include "os/arena.h"

static int key_path(const struct invocation *invocation, char *ret_path, size_t capacity)
{
    int size = invocation->key_path ? snprintf(ret_path, capacity, "%s", invocation->key_path)
                                    : snprintf(ret_path, capacity, "%s.key", invocation->store);
    return size < (int)capacity ? EXIT_DONE : complain(EXIT_USAGE, "the key file's path is too long");
}

static int refused(const char *what, struct result result)
{
    bool later = result_class(result) == RESULT_RETRY || result_class(result) == RESULT_FENCE;
    return complain(later ? EXIT_UNAVAILABLE : EXIT_REFUSED, "%s: %s", what, result_text(result));
}

int run_init(struct invocation *invocation)
{
    char path[ENGINE_PATH_SIZE];
    int status = key_path(invocation, path, sizeof path);
    if (status) return status;
    arena_allow_unlocked(invocation->insecure_memory);
    struct result result = engine_init(invocation->store, path);
    /* Of a store that went, the key file may be left: it may be the only one that opens a backup. */
    bool key_is_there = result.code == OS_EXISTS && access(path, F_OK) == 0;
    if (result_failed(result)) return refused(key_is_there ? path : invocation->store, result);
    printf("Made a store in ");
    print_escaped(invocation->store);
    printf("\nKey file: ");
    print_escaped(path);
    puts("\nKeep a copy of the key file apart from the store and its backups.");
    return EXIT_DONE;
}

static void backup_print(const struct invocation *invocation, json_t *answer)
{
    (void)answer;
    printf("Backed up into ");
    print_escaped(invocation->arguments[0]);
    puts("\nThe key file is not part of it.");
}

/* The daemon has a working folder of its own, so it is told the whole path. */
int run_backup(struct invocation *invocation)
{
    char path[2 * ENGINE_PATH_SIZE], here[ENGINE_PATH_SIZE];
    const char *folder = invocation->arguments[0];
    if (folder[0] != '/' && !getcwd(here, sizeof here))
        return complain(EXIT_USAGE, "the current folder: %s", strerror(errno));
    int size = folder[0] == '/' ? snprintf(path, sizeof path, "%s", folder)
                                : snprintf(path, sizeof path, "%s/%s", here, folder);
    if (size >= ENGINE_PATH_SIZE) return complain(EXIT_USAGE, "the folder's path is too long");
    json_object_set_new(invocation->request, "folder", json_string(path));
    return ask_and_print(invocation, backup_print);
}

/* As moment_parse, or "clock" for this machine's own clock. */
static bool time_parse(const char *text, int64_t *ret_ms)
{
    if (strcmp(text, "clock") != 0) return moment_parse(text, ret_ms);
    *ret_ms = (int64_t)time(NULL) * 1000;
    return true;
}

/* Opened once with the operator's consent, so that what the rules demand is done and journaled before anybody verifies.
 */
static struct result take_over(const struct invocation *invocation, const char *path, int64_t now_ms)
{
    struct engine *engine;
    struct core_worker *worker;
    struct engine_options options = {.folder = invocation->store,
                                     .key_path = path,
                                     .core = {.take_over = true,
                                              .restore_now_ms = now_ms,
                                              .restore_journal_complete = invocation->journal_complete}};
    TRY(engine_open(&options, &engine));
    struct core_worker_options worker_options = {.os = engine->os};
    struct result result = core_worker_create(engine->core, &worker_options, &worker);
    if (!result_failed(result)) {
        result = core_finish(worker);
        core_worker_destroy(worker);
    }
    engine_close(engine);
    return result;
}

int run_restore(struct invocation *invocation)
{
    char path[ENGINE_PATH_SIZE];
    int64_t now_ms;
    int status = key_path(invocation, path, sizeof path);
    if (status) return status;
    if (!invocation->now)
        return complain(
            EXIT_USAGE,
            "restore needs --now: the present time, which you confirm (TOTP codes up to it are refused from now on)");
    if (!time_parse(invocation->now, &now_ms))
        return complain(EXIT_USAGE, "--now takes seconds since 1970, a time such as 2026-01-31T12:00:00Z, or clock");
    if (invocation->journal_complete && !invocation->journal_path)
        return complain(EXIT_USAGE, "--journal-complete needs --journal");
    if (access(path, R_OK) != 0)
        return complain(EXIT_REFUSED, "the key file %s: %s; give --key FILE, the key of the store that was backed up",
                        path, strerror(errno));
    if (access(invocation->store, F_OK) == 0)
        return complain(EXIT_REFUSED, "%s is there already; restore makes a new store", invocation->store);
    char rows[ENGINE_PATH_SIZE];
    int size = snprintf(rows, sizeof rows, "%s/store.mdb", invocation->arguments[0]);
    if (size >= (int)sizeof rows || access(rows, F_OK) != 0)
        return complain(EXIT_REFUSED, "%s is no backup: it has no store.mdb", invocation->arguments[0]);
    arena_allow_unlocked(invocation->insecure_memory);
    struct result result = engine_restore(invocation->arguments[0], invocation->journal_path, invocation->store, path);
    if (result_failed(result)) {
        status = refused(invocation->arguments[0], result);
        if (access(invocation->store, F_OK) == 0)
            complain(EXIT_REFUSED, "%s was begun but is no store; remove it before you restore again",
                     invocation->store);
        return status;
    }
    result = take_over(invocation, path, now_ms);
    if (result_failed(result)) {
        complain(EXIT_REFUSED, "%s was made but not taken over; remove it before you restore again", invocation->store);
        return refused(invocation->store, result);
    }
    printf("Restored into ");
    print_escaped(invocation->store);
    puts(
        "\nTOTP codes are refused as far ahead as one may have been used before: from the time given on for twice the\n"
        "profile's resync-window and two periods more, 21 minutes as profiles are made.");
    puts(
        invocation->journal_complete
            ? "HOTP tokens go on where the journal ends."
            : "HOTP tokens are suspended, since codes used after the backup are not known: bring each back with token\n"
              "resync (two adjacent codes) and token resume.");
    return EXIT_DONE;
}
