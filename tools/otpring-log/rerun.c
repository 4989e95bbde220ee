/* rerun: does today's engine judge as yesterday's did? Recorded attempts are asked of a fresh engine in simulated time,
 * each account in the order in which it was judged, beginning with a store as of that time; verdicts that come out
 * differently are shown. Nothing on a disk is changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_os.h"
#include "commands.h"
#include "names.h"
#include "os/arena.h"
#include "rerun_run.h"

struct rerun_words {
    struct command_words common;
    const char *from;
    const char *key;
    uint64_t to;
    uint64_t count;
    struct rerun_policy policy;
    bool insecure_memory;
    bool no_names;
};

enum { KEY_FROM = 1, KEY_KEY, KEY_TO, KEY_POLICY, KEY_INSECURE, KEY_NO_NAMES };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct rerun_words *words = state->input;
    switch (key) {
    case KEY_FROM:
        words->from = argument;
        return 0;
    case KEY_KEY:
        words->key = argument;
        return 0;
    case KEY_TO:
        if (!command_number(argument, &words->to) || words->to == 0) command_bad_value("--to", argument);
        return 0;
    case KEY_POLICY:
        if (!rerun_policy_parse(argument, &words->policy)) command_bad_value("--policy", argument);
        return 0;
    case KEY_INSECURE:
        words->insecure_memory = true;
        return 0;
    case KEY_NO_NAMES:
        words->no_names = true;
        return 0;
    case 'n':
        if (!command_number(argument, &words->count) || words->count == 0) command_bad_value("-n", argument);
        return 0;
    default:
        return command_option(&words->common, key, argument, state);
    }
}

static const struct argp_option options[] = {
    COMMAND_STORE_OPTION,
    {"from", KEY_FROM, "DIR", 0,
     "A backup of this store, made by otpring backup: the re-run begins where it was made. Default: the beginning of "
     "the log, which must be there then",
     0},
    {"key", KEY_KEY, "FILE", 0, "The store's key file; default: the store's folder with .key behind it", 0},
    COMMAND_ARCHIVE_OPTION,
    {"to", KEY_TO, "POSITION", 0, "The last position to run; default: all there are", 0},
    {"policy", KEY_POLICY, "NAME=NUMBER,...", 0,
     "Judge by other rules than recorded, in every profile: " RERUN_POLICY_HELP, 0},
    {NULL, 'n', "COUNT", 0, "Show so many differences; default: all", 0},
    {"no-names", KEY_NO_NAMES, NULL, 0, "Do not look accounts' names up", 0},
    COMMAND_JSON_OPTION,
    {"insecure-memory", KEY_INSECURE, NULL, 0, "Go on where memory cannot be locked", 0},
    {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "rerun",
    .doc =
        "Asks recorded attempts of a fresh engine, in simulated time, and shows verdicts that come out differently: "
        "does today's engine judge as yesterday's did, or, with --policy, whom would other rules concern?\v"
        "The log does not hold what a user typed. An attempt that matched a step (ACCEPTED, REPLAYED, RESYNC) is asked "
        "again with the code of that very step; any other one with a code that fits no step within reach. So a wider "
        "window cannot turn what was REJECTED into something else here, and what was THROTTLED, should it be judged "
        "now, counts as a wrong code. Acts (tokens, profiles, unlocks, resynchronisation at the desk) are done as "
        "recorded, not judged anew. Not asked again, and counted: attempts that were UNAVAILABLE, which nobody judged, "
        "and those of tokens that are not there any more. At the record of a restored backup the re-run ends: what "
        "the store was then is not in the log.\n\n"
        "It needs memory for the rows and lines of all tokens, and changes nothing.\n\n"
        "A line: POSITION.INDEX TIME RECORDED -> NOW ACCOUNT STEP. One that differs may bring others of the same "
        "account with it.\n\n"
        "Exit status: 0 all verdicts are the same, 1 some differ, 2 usage, or what was given does not do (another "
        "store's backup, a log that does not go back far enough, damage), 3 unavailable."};

/* ---- where it begins ---- */

static int refused(const struct rerun_words *words, struct result result)
{
    const char *from = words->from ? words->from : words->common.store;
    if (result.code == STORE_FOREIGN) return complain(EXIT_USAGE, "--from: %s is of another store", from);
    if (result.code == OS_NO_LOCKED_MEMORY)
        return complain(EXIT_UNAVAILABLE, "%s; or say --insecure-memory", result_text(result));
    bool later = result_class(result) == RESULT_RETRY || result.code == NO_MEMORY;
    return complain(later ? EXIT_UNAVAILABLE : EXIT_USAGE, "%s: %s", from, result_text(result));
}

static int key_path(const struct rerun_words *words, char *ret_path, size_t capacity)
{
    const char *store = words->common.store;
    size_t size = strlen(store);
    while (size > 1 && store[size - 1] == '/') size--;
    int made = words->key ? snprintf(ret_path, capacity, "%s", words->key)
                          : snprintf(ret_path, capacity, "%.*s.key", (int)size, store);
    return made < (int)capacity ? EXIT_DONE : complain(EXIT_USAGE, "--key: the path is too long");
}

static int run_in(const struct rerun_words *words, struct rerun *rerun)
{
    char key[4096], backup[4096];
    int code = key_path(words, key, sizeof key);
    if (code != EXIT_DONE) return code;
    if (access(key, R_OK) != 0)
        return complain(EXIT_USAGE, "%s: the key file cannot be read: %s; name it with --key FILE", key,
                        strerror(errno));
    if (words->from && snprintf(backup, sizeof backup, "%s/journal", words->from) >= (int)sizeof backup)
        return complain(EXIT_USAGE, "--from: the path is too long");
    struct result result = rerun_store_open(words->common.store, words->from, key, &words->policy, &rerun->start);
    if (result_failed(result)) return refused(words, result);
    if (!words->no_names) names_load(words->common.store);
    code = rerun_log(rerun, words->from ? backup : NULL);
    names_free();
    rerun_store_close(&rerun->start);
    return code;
}

int command_rerun(int argc, char **argv)
{
    struct rerun_words words = {.common = {.command = "rerun"}, .count = UINT64_MAX};
    char journal[4096];
    command_parse(&argp, argc, argv, &words.common);
    int code = command_journal(&words.common, journal, sizeof journal);
    if (code != EXIT_DONE) return code;
    arena_allow_unlocked(words.insecure_memory);
    struct rerun rerun = {.folder = journal,
                          .to = words.to,
                          .policy = &words.policy,
                          .shown_max = words.count,
                          .json = words.common.json};
    code = command_os(words.common.store, words.common.archive, &rerun.os);
    if (code != EXIT_DONE) return code;
    code = run_in(&words, &rerun);
    os_destroy(rerun.os);
    return code;
}
