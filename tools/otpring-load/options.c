#include "options.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "otpring/wire.h"

#define COMPANY_PREFIX "otpring-load-"

static const char summary[] =
    "Measures otpringd under load from synthetic accounts whose right answers are known.\v"
    "The accounts are enrolled through DIR/admin.sock under a company name of their own (otpring-load- and random "
    "letters) and removed at the end, also after Ctrl-C; no code of a real user is ever sent. Codes are computed while "
    "the load runs, by the engine's batch kernels; what the load itself costs a verification is printed.\n\n"
    "In a store some of it stays. Each run takes as many new places for tokens (otpringd --tokens-max) as it has "
    "accounts, and they are used up for good. A profile that --look-ahead or --resync-window made stays; later runs "
    "that want the same one use it. And the log fills: some 66 bytes a verification, for which older records go where "
    "it is kept up to a size. So with a store that is in use: short runs with few accounts. For all others there is "
    "--scratch.\n\n"
    "Each account belongs to one connection, where order is kept, so the verdict of each item is known beforehand: "
    "right and near "
    "codes (1 to 3 steps ahead, as far as --look-ahead goes) are ACCEPTED, wrong ones REJECTED (or RESYNC, where "
    "chance makes it a code of a far "
    "step), replayed ones REPLAYED. "
    "After a wrong code an account's next item is a right or near one, which resets its failures: so no account comes "
    "near the throttle (5 free failures by default). "
    "What differs is printed (the first 10) and makes the exit status 1. UNAVAILABLE is counted apart.\n\n"
    "Without --rate the loop is closed: each connection keeps --in-flight batches in flight. With --rate it is open: "
    "batches are due at fixed times, and latency counts from the time when a batch was due, whether or not it could be "
    "sent then; one that was not sent by the end counts with the time that it had waited. Percentiles are of "
    "verifications, those of one batch all alike: how many batches were measured is printed too (frames).\n\n"
    "With --from-log it sends what a log recorded: the same requests in the same order at the same times (--speed "
    "10: ten times as fast), by accounts of its own in place of the recorded ones, with codes that are valid now: "
    "right "
    "where it says ACCEPTED, used before for REPLAYED, far for RESYNC, wrong for REJECTED and THROTTLED; names that "
    "nobody has for UNKNOWN, suspended accounts for INACTIVE. Of the log it reads handles, times and verdicts: no "
    "store "
    "is opened, no key, no seed of a user. What the throttle makes of it depends on real seconds, so differences "
    "between THROTTLED and other verdicts are counted apart, as are far codes for which a turn had no room. Attempts "
    "that were UNAVAILABLE, or that need what these "
    "accounts are not (a client of other companies, a scheme), are not sent, and counted. --seconds ends it early.\n\n"
    "Exit status: 0 done, 1 some verdict was not the expected one, 2 usage, 3 no daemon or it gave up.\n\n"
    "Examples:\n"
    "  otpring-load --scratch --accounts 100000 --batch 1024 --seconds 10\n"
    "  otpring-load --store DIR --batch 16 --connections 16 --rate 200000 --hdr latency.txt\n"
    "  otpring-load --store DIR --mix right:90,near:5,wrong:4,replayed:1 --json\n"
    "  otpring-log --store DIR export --day yesterday | otpring-load --scratch --from-log - --speed 60\n";

enum {
    KEY_BATCH = 256,
    KEY_CONNECTIONS,
    KEY_IN_FLIGHT,
    KEY_RATE,
    KEY_MIX,
    KEY_WARMUP,
    KEY_SEED,
    KEY_HDR,
    KEY_JSON,
    KEY_TYPE,
    KEY_ALGORITHM,
    KEY_KEEP,
    KEY_REMOVE,
    KEY_SCRATCH,
    KEY_SCRATCH_FOLDER,
    KEY_THREADS,
    KEY_ACCOUNTS,
    KEY_SECONDS,
    KEY_STORE,
    KEY_DAEMON_OPTION,
    KEY_COMPANY,
    KEY_SERIES,
    KEY_FROM_LOG,
    KEY_SPEED,
    KEY_LOOK_AHEAD,
    KEY_RESYNC_WINDOW,
};

static const struct argp_option argp_options[] = {
    {"store", KEY_STORE, "DIR", 0, "The daemon's store (default: OTPRING_STORE)", 1},
    {"scratch", KEY_SCRATCH, NULL, 0, "Make a store in a temporary folder, run otpringd on it, remove it afterwards",
     1},
    {"scratch-folder", KEY_SCRATCH_FOLDER, "DIR", 0, "Where that folder is made (default: TMPDIR, else /var/tmp)", 1},
    {"daemon-option", KEY_DAEMON_OPTION, "OPTION", 0, "With --scratch: an option for otpringd; may be repeated", 1},
    {"accounts", KEY_ACCOUNTS, "N", 0, "Synthetic accounts (default: 10000)", 2},
    {"batch", KEY_BATCH, "N", 0, "Queries a frame, 1 to 4096 (default: 1024)", 2},
    {"connections", KEY_CONNECTIONS, "N", 0, "Connections (default: 1)", 2},
    {"in-flight", KEY_IN_FLIGHT, "N", 0, "Frames in flight a connection (default: 4)", 2},
    {"threads", KEY_THREADS, "N", 0, "Threads that make the load (default: 1)", 2},
    {"seconds", KEY_SECONDS, "S", 0, "How long to measure (default: 10)", 3},
    {"warmup", KEY_WARMUP, "S", 0, "How long to load before that (default: 1)", 3},
    {"rate", KEY_RATE, "R", 0, "Open loop: so many queries a second in all", 3},
    {"mix", KEY_MIX, "MIX", 0, "Shares, as right:95,near:3,wrong:1,replayed:1 (the default)", 4},
    {"seed", KEY_SEED, "N", 0, "Seed of everything random but the company name (default: 1)", 4},
    {"type", KEY_TYPE, "TYPE", 0,
     "hotp (default) or totp1: TOTP of one second, one code an account and second, so --rate is at most --accounts", 4},
    {"algorithm", KEY_ALGORITHM, "NAME", 0, "sha1 (default), sha256 or sha512", 4},
    {"look-ahead", KEY_LOOK_AHEAD, "N", 0,
     "Of the accounts' HOTP profile: how many codes ahead are accepted, 2 to 10 (default: 10)", 4},
    {"resync-window", KEY_RESYNC_WINDOW, "N", 0,
     "And how far a wrong code is looked for, 0 for not at all (default: 100). Most of what wrong codes cost; with "
     "--look-ahead 2 --resync-window 20 the reach is that of TOTP's default profile",
     4},
    {"company", KEY_COMPANY, "NAME", 0,
     "The accounts' company, otpring-load-...; with --seed it fixes every secret, so a store takes it once", 4},
    {"series", KEY_SERIES, "FILE", 0,
     "Several runs on the same accounts: each line of FILE (- is standard input) has options for one, such as "
     "--batch 16 --connections 4 --seconds 2 (also --in-flight, --threads, --warmup, --rate, --mix, --hdr); one JSON "
     "line is printed for the enrolment and one for each run; a line that is refused, or a run that failed, ends it",
     3},
    {"from-log", KEY_FROM_LOG, "FILE", 0,
     "Send recorded traffic again: a store's folder, a folder of segments, or JSON lines of otpring-log export (- is "
     "standard input)",
     4},
    {"speed", KEY_SPEED, "X", 0,
     "With --from-log: X times as fast as recorded; 0: as fast as answers come (default: 1)", 4},
    {"hdr", KEY_HDR, "FILE", 0,
     "Write the latencies as an HdrHistogram percentile file (microseconds); of a series: in its lines", 5},
    {"json", KEY_JSON, NULL, 0, "Print the result as one JSON object", 5},
    {"keep", KEY_KEEP, NULL, 0, "Leave the accounts enrolled", 5},
    {"remove", KEY_REMOVE, "COMPANY", 0, "Only remove the accounts that a killed or --keep run left", 5},
    {0},
};

void load_options_default(struct load_options *ret_options)
{
    *ret_options = (struct load_options){
        .store = getenv("OTPRING_STORE"),
        .accounts = 10000,
        .batch = 1024,
        .connections = 1,
        .in_flight = 4,
        .threads = 1,
        .seconds = 10,
        .warmup_s = 1,
        .mix = {95, 3, 1, 1},
        .seed = 1,
        .algorithm = "sha1",
        .look_ahead = LOAD_LOOK_AHEAD_MAX,
        .resync_window = 100,
        .speed = 1,
    };
}

bool load_mix_parse(const char *text, uint32_t ret_mix[LOAD_KIND_COUNT])
{
    static const char *const names[] = {"right", "near", "wrong", "replayed"};
    uint32_t mix[LOAD_KIND_COUNT] = {0};
    for (;;) {
        int kind = 0;
        size_t size = strcspn(text, ":");
        while (kind < LOAD_KIND_COUNT && (strlen(names[kind]) != size || strncmp(names[kind], text, size) != 0)) kind++;
        if (kind == LOAD_KIND_COUNT || text[size] != ':') return false;
        char *end;
        unsigned long share = strtoul(text + size + 1, &end, 10);
        if (end == text + size + 1 || share > 1000000 || (*end && *end != ',')) return false;
        mix[kind] = (uint32_t)share;
        if (!*end) break;
        text = end + 1;
    }
    /* Only right and near codes move an account on: without them nothing else could be sent either. */
    if (mix[LOAD_RIGHT] + mix[LOAD_NEAR] == 0) return false;
    memcpy(ret_mix, mix, sizeof mix);
    return true;
}

/* What argp hands on. */
struct parsing {
    struct load_options *options;
    bool line; /* of a series, not the command line */
    char error[LOAD_ERROR_SIZE];
};

/* As it is written on the command line; NULL: no option. */
static const char *option_name(int key)
{
    const struct argp_option *option = argp_options;
    while (option->name && option->key != key) option++;
    return option->name;
}

static void refuse(struct argp_state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the program, on the command line. Of a line the first error is kept, and the whole line refused. */
static void refuse(struct argp_state *state, const char *format, ...)
{
    struct parsing *parsing = state->input;
    va_list arguments;
    if (parsing->error[0]) return;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    vsnprintf(parsing->error, sizeof parsing->error, format, arguments);
    va_end(arguments);
    if (!parsing->line) argp_error(state, "%s", parsing->error);
}

static uint64_t number(struct argp_state *state, int key, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least || value > most) {
        refuse(state, "--%s: %s is not a number from %llu to %llu", option_name(key), text, (unsigned long long)least,
               (unsigned long long)most);
    }
    return value;
}

static double quantity(struct argp_state *state, int key, const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0 || value > most) {
        refuse(state, "--%s: %s is not a number from 0 to %g", option_name(key), text, most);
    }
    return value;
}

static void parse_word(struct argp_state *state, int key, char *text, struct load_options *options)
{
    if (key == KEY_TYPE) {
        options->totp = strcmp(text, "totp1") == 0;
        if (!options->totp && strcmp(text, "hotp") != 0) refuse(state, "--type is hotp or totp1");
    } else if (key == KEY_ALGORITHM) {
        options->algorithm = text;
        if (strcmp(text, "sha1") != 0 && strcmp(text, "sha256") != 0 && strcmp(text, "sha512") != 0) {
            refuse(state, "--algorithm is sha1, sha256 or sha512");
        }
    } else if (options->daemon_option_count == LOAD_DAEMON_OPTIONS_MAX) {
        refuse(state, "at most %d times --daemon-option", LOAD_DAEMON_OPTIONS_MAX);
    } else {
        options->daemon_options[options->daemon_option_count++] = text;
    }
}

static void check_whole(struct argp_state *state, struct load_options *options)
{
    const struct parsing *parsing = state->input;
    if (!options->scratch && !options->store) refuse(state, "--store DIR or --scratch is needed");
    if (options->remove && !options->store) refuse(state, "--remove needs --store DIR");
    if (options->from_log) {
        if (options->unlike_log) refuse(state, "--from-log says by itself what %s would", options->unlike_log);
        return;
    }
    if (options->speed_given) refuse(state, "--speed is for --from-log");
    if (options->own_profile && options->totp) refuse(state, "--look-ahead and --resync-window are for --type hotp");
    if (options->accounts < options->connections) refuse(state, "each connection needs an account of its own");
    if (options->threads > options->connections) refuse(state, "each thread needs a connection of its own");
    if (!parsing->line && options->series_path && options->hdr_path)
        refuse(state, "--hdr of a series stands in its lines, a file for each");
    if (options->seconds <= 0) refuse(state, "--seconds must be more than 0");
    if (options->totp && options->rate > options->accounts)
        refuse(state, "--type totp1 takes one code an account and second: --rate is at most %u, as many as --accounts",
               options->accounts);
}

/* What a log says by itself. */
static void note_unlike(int key, struct load_options *options)
{
    static const struct {
        int key;
        const char *name;
    } unlike[] = {{KEY_ACCOUNTS, "--accounts"},
                  {KEY_BATCH, "--batch"},
                  {KEY_THREADS, "--threads"},
                  {KEY_RATE, "--rate"},
                  {KEY_MIX, "--mix"},
                  {KEY_WARMUP, "--warmup"},
                  {KEY_SERIES, "--series"},
                  {KEY_TYPE, "--type"},
                  {KEY_LOOK_AHEAD, "--look-ahead"},
                  {KEY_RESYNC_WINDOW, "--resync-window"}};
    for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++)
        if (unlike[i].key == key) options->unlike_log = unlike[i].name;
}

/* What a line of a series may say: all else concerns the accounts, or the whole program. */
static bool concerns_one_run(int key)
{
    static const int keys[] = {KEY_BATCH,  KEY_CONNECTIONS, KEY_IN_FLIGHT, KEY_THREADS, KEY_SECONDS,
                               KEY_WARMUP, KEY_RATE,        KEY_MIX,       KEY_HDR,     KEY_JSON};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i] == key) return true;
    return false;
}

static error_t take(int key, char *text, struct argp_state *state)
{
    struct load_options *options = ((struct parsing *)state->input)->options;
    note_unlike(key, options);
    switch (key) {
    case KEY_FROM_LOG:
        options->from_log = text;
        break;
    case KEY_SPEED:
        options->speed = quantity(state, key, text, 1e6);
        options->speed_given = true;
        break;
    case KEY_STORE:
        options->store = text;
        break;
    case KEY_SCRATCH:
        options->scratch = true;
        break;
    case KEY_SCRATCH_FOLDER:
        options->scratch_folder = text;
        break;
    case KEY_ACCOUNTS:
        options->accounts = (uint32_t)number(state, key, text, 1, 100000000);
        break;
    case KEY_BATCH:
        options->batch = (uint32_t)number(state, key, text, 1, OTPRING_WIRE_ITEMS_MAX);
        break;
    case KEY_CONNECTIONS:
        options->connections = (uint32_t)number(state, key, text, 1, 32768);
        break;
    case KEY_IN_FLIGHT:
        options->in_flight = (uint32_t)number(state, key, text, 1, OTPRING_WIRE_SLOTS_MAX);
        break;
    case KEY_THREADS:
        options->threads = (uint32_t)number(state, key, text, 1, 256);
        break;
    case KEY_COMPANY:
        if (strncmp(text, COMPANY_PREFIX, sizeof COMPANY_PREFIX - 1) != 0 || strlen(text) > 63 || strpbrk(text, "\"\\"))
            refuse(state, "--company begins with " COMPANY_PREFIX ", so that no real one is meant");
        options->company = text;
        break;
    case KEY_SERIES:
        options->series_path = text;
        break;
    case KEY_SECONDS:
        options->seconds = quantity(state, key, text, 1e6);
        options->seconds_given = true;
        break;
    case KEY_WARMUP:
        options->warmup_s = quantity(state, key, text, 1e6);
        break;
    case KEY_RATE:
        options->rate = quantity(state, key, text, 1e9);
        break;
    case KEY_MIX:
        if (!load_mix_parse(text, options->mix)) {
            refuse(state, "--mix is like right:95,near:3,wrong:1,replayed:1, with some right or near");
        }
        break;
    case KEY_LOOK_AHEAD:
        options->look_ahead = (uint32_t)number(state, key, text, LOAD_LOOK_AHEAD_MIN, LOAD_LOOK_AHEAD_MAX);
        options->own_profile = true;
        break;
    case KEY_RESYNC_WINDOW:
        options->resync_window = (uint32_t)number(state, key, text, 0, UINT16_MAX);
        options->own_profile = true;
        break;
    case KEY_SEED:
        options->seed = number(state, key, text, 0, UINT64_MAX);
        break;
    case KEY_HDR:
        options->hdr_path = text;
        break;
    case KEY_JSON:
        options->json = true;
        break;
    case KEY_KEEP:
        options->keep = true;
        break;
    case KEY_REMOVE:
        if (strncmp(text, ACCOUNTS_COMPANY_PREFIX, strlen(ACCOUNTS_COMPANY_PREFIX)) != 0 ||
            strlen(text) >= COMPANY_SIZE)
            refuse(state, "--remove takes a company of " ACCOUNTS_COMPANY_PREFIX "..., no other");
        options->remove = text;
        break;
    case KEY_TYPE:
    case KEY_ALGORITHM:
    case KEY_DAEMON_OPTION:
        parse_word(state, key, text, options);
        break;
    case ARGP_KEY_ARG:
        refuse(state, "%s: not an option", text);
        break;
    case ARGP_KEY_END:
        check_whole(state, options);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    if (parsing->line && option_name(key) && !concerns_one_run(key)) {
        refuse(state, "--%s is for the whole series, not for a line of it", option_name(key));
    } else if (parsing->line && key == ARGP_KEY_ERROR) {
        refuse(state, "%s: not an option, or its value is missing or one too many", state->argv[state->next - 1]);
    } else {
        error_t error = take(key, text, state);
        if (error) return error;
    }
    return parsing->error[0] ? EINVAL : 0;
}

/* False: it is too long, or has too many words. */
static bool cut_line(char *line, char **words, int words_max, int *ret_count)
{
    bool whole = strlen(line) < LOAD_LINE_SIZE - 1 || line[LOAD_LINE_SIZE - 2] == '\n';
    char *word, *rest = line;
    while ((word = strtok_r(rest, " \t\n", &rest)) && *ret_count < words_max) words[(*ret_count)++] = word;
    return whole && !word;
}

bool load_options_line(char *line, struct load_options *options, char ret_error[LOAD_ERROR_SIZE])
{
    static const struct argp argp = {.options = argp_options, .parser = parse};
    enum { WORDS_MAX = 40 };
    struct parsing parsing = {.options = options, .line = true};
    char *words[WORDS_MAX + 1] = {"otpring-load"};
    int count = 1;
    if (!cut_line(line, words, WORDS_MAX, &count)) {
        snprintf(ret_error, LOAD_ERROR_SIZE, "a line has at most %d bytes and %d words", LOAD_LINE_SIZE - 2,
                 WORDS_MAX - 1);
        return false;
    }
    if (argp_parse(&argp, count, words, ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_NO_ERRS, NULL, &parsing) == 0) return true;
    snprintf(ret_error, LOAD_ERROR_SIZE, "%s", parsing.error);
    return false;
}

void load_options_parse(int argc, char **argv, struct load_options *ret_options)
{
    static const struct argp argp = {.options = argp_options, .parser = parse, .doc = summary};
    argp_program_version = "otpring-load " OTPRING_VERSION;
    argp_err_exit_status = LOAD_USAGE;
    load_options_default(ret_options);
    struct parsing parsing = {.options = ret_options};
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
}
