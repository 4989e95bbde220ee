#include "options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "when.h"

const char *argp_program_version = "otpring-log " OTPRING_VERSION;

enum {
    KEY_STORE = 1000,
    KEY_JOURNAL,
    KEY_JSON,
    KEY_FORMAT,
    KEY_FROM,
    KEY_TO,
    KEY_AFTER,
    KEY_SINCE,
    KEY_UNTIL,
    KEY_DAY,
    KEY_AT,
    KEY_COMPANY,
    KEY_USER,
    KEY_ACCOUNT,
    KEY_TOKEN,
    KEY_VERDICT,
    KEY_ACT,
    KEY_CLIENT,
    KEY_SOURCE,
    KEY_OWN,
    KEY_FOLLOW,
    KEY_NO_FOLLOW,
    KEY_NO_INDEX,
    KEY_NO_NAMES,
    KEY_COLOUR,
    KEY_BY,
    KEY_SYSLOG,
    KEY_RESUME,
    KEY_THREADS,
};

enum { GROUP_WHERE, GROUP_WHICH, GROUP_HOW, GROUP_EXPORT };

static const struct argp_option options[] = {
    {"store", KEY_STORE, "DIR", 0, "The store; default: the variable OTPRING_STORE", GROUP_WHERE},
    {"journal", KEY_JOURNAL, "DIR", 0, "A folder of segments alone, instead of DIR/journal of a store", GROUP_WHERE},
    {NULL, 0, NULL, 0, "Which records:", GROUP_WHICH},
    {"company", KEY_COMPANY, "NAME", 0, "Of this company", GROUP_WHICH},
    {"user", KEY_USER, "NAME", 0, "Of this user; needs --company", GROUP_WHICH},
    {"account", KEY_ACCOUNT, "HEX", 0, "Of this account as records show it, or of a company by the first 16 digits",
     GROUP_WHICH},
    {"token", KEY_TOKEN, "ORDINAL", 0, "That a code of this token fitted, or about it", GROUP_WHICH},
    {"verdict", KEY_VERDICT, "NAME,...", 0, "Verifications with these verdicts; refused: REJECTED to MALFORMED",
     GROUP_WHICH},
    {"act", KEY_ACT, "NAME,...", 0, "Administrative acts of these kinds; all", GROUP_WHICH},
    {"client", KEY_CLIENT, "NAME", 0, "Asked by this client; more than one may be given", GROUP_WHICH},
    {"source", KEY_SOURCE, "HEX", 0, "From this source; more than one may be given", GROUP_WHICH},
    {"since", KEY_SINCE, "TIME", 0, "From this moment on", GROUP_WHICH},
    {"until", KEY_UNTIL, "TIME", 0, "Before this moment", GROUP_WHICH},
    {"day", KEY_DAY, "TIME", 0, "Of the whole day that this moment lies in, local time: yesterday, 2026-01-31",
     GROUP_WHICH},
    {"from", KEY_FROM, "POSITION", 0, "From this position on", GROUP_WHICH},
    {"to", KEY_TO, "POSITION", 0, "Up to this position", GROUP_WHICH},
    {"own", KEY_OWN, NULL, 0, "Seals, checkpoints and removals too", GROUP_WHICH},
    {NULL, 'n', "COUNT", 0,
     "show, export: at most so many records; tail: the last so many (default 10); explain: the "
     "last so many (default 20); stats: rows of a list (default 10)",
     GROUP_WHICH},
    {NULL, 0, NULL, 0, "How:", GROUP_HOW},
    {"json", KEY_JSON, NULL, 0, "JSON, a line a record", GROUP_HOW},
    {"color", KEY_COLOUR, "WHEN", 0, "auto, always or never; auto: on a terminal, unless NO_COLOR is set", GROUP_HOW},
    {"no-follow", KEY_NO_FOLLOW, NULL, 0, "tail: end at the end", GROUP_HOW},
    {"by", KEY_BY, "UNIT", 0, "stats: minute, hour or day; default: what fits the range", GROUP_HOW},
    {"at", KEY_AT, "TIME", 0, "explain: a moment", GROUP_HOW},
    {"no-names", KEY_NO_NAMES, NULL, 0, "Accounts as hashes, although the store knows their names", GROUP_HOW},
    {"no-index", KEY_NO_INDEX, NULL, 0, "Read everything; trust no index of a segment", GROUP_HOW},
    {"threads", KEY_THREADS, "COUNT", 0, "Threads that read; default: one a processor, at most 8", GROUP_HOW},
    {NULL, 0, NULL, 0, "export:", GROUP_EXPORT},
    {"format", KEY_FORMAT, "FORM", 0, "json (default), csv or cef", GROUP_EXPORT},
    {"after", KEY_AFTER, "POSITION", 0, "What comes behind this position", GROUP_EXPORT},
    {"follow", KEY_FOLLOW, NULL, 0, "Go on with what comes", GROUP_EXPORT},
    {"resume", KEY_RESUME, "FILE", 0, "Keep the position delivered in this file, and begin behind it", GROUP_EXPORT},
    {"syslog", KEY_SYSLOG, "ADDRESS", 0, "To udp:HOST:PORT, tcp:HOST:PORT or unix:PATH instead of standard output",
     GROUP_EXPORT},
    {0},
};

static void bad_value(const char *option, const char *value)
{
    exit(complain(EXIT_USAGE, "%s: not a valid value: %s", option, value));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t moment(const char *option, const char *text)
{
    int64_t ms;
    if (!when_parse(text, now_ms(), &ms)) exit(complain(EXIT_USAGE, "%s: not a time: %s; " WHEN_HELP, option, text));
    return ms;
}

/* From midnight to midnight: 23 or 25 hours where clocks are changed. */
static void take_day(struct record_filter *filter, const char *text)
{
    struct tm day;
    time_t at = (time_t)(moment("--day", text) / 1000);
    if (!localtime_r(&at, &day)) bad_value("--day", text);
    for (int i = 0; i < 2; i++) {
        struct tm midnight = {.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday + i, .tm_isdst = -1};
        int64_t ms = (int64_t)mktime(&midnight) * 1000;
        *(i ? &filter->until_ms : &filter->since_ms) = ms;
    }
}

static uint64_t number(const char *option, const char *text)
{
    uint64_t value;
    if (!filter_number(text, &value)) bad_value(option, text);
    return value;
}

static void take_form(struct log_options *log, const char *text)
{
    if (strcmp(text, "json") == 0)
        log->form = FORM_JSON;
    else if (strcmp(text, "csv") == 0)
        log->form = FORM_CSV;
    else if (strcmp(text, "cef") == 0)
        log->form = FORM_CEF;
    else
        bad_value("--format", text);
}

static void take_colour(struct log_options *log, const char *text)
{
    if (strcmp(text, "auto") == 0)
        log->colour = COLOUR_AUTO;
    else if (strcmp(text, "always") == 0)
        log->colour = COLOUR_ALWAYS;
    else if (strcmp(text, "never") == 0)
        log->colour = COLOUR_NEVER;
    else
        bad_value("--color", text);
}

/* What narrows the records. */
static error_t parse_which(struct log_options *log, int key, char *argument)
{
    struct record_filter *filter = &log->filter;
    switch (key) {
    case KEY_COMPANY:
        filter->company = argument;
        return 0;
    case KEY_USER:
        filter->user = argument;
        return 0;
    case KEY_ACCOUNT:
        if (!filter_account(filter, argument)) bad_value("--account", argument);
        return 0;
    case KEY_TOKEN:
        if (!filter_token(filter, argument)) bad_value("--token", argument);
        return 0;
    case KEY_VERDICT:
        if (!filter_verdicts(filter, argument)) bad_value("--verdict", argument);
        return 0;
    case KEY_ACT:
        if (!filter_acts(filter, argument)) bad_value("--act", argument);
        return 0;
    case KEY_CLIENT:
        if (!filter_client(filter, argument)) bad_value("--client", argument);
        return 0;
    case KEY_SOURCE:
        if (!filter_source(filter, argument)) bad_value("--source", argument);
        return 0;
    case KEY_SINCE:
        filter->since_ms = moment("--since", argument);
        return 0;
    case KEY_DAY:
        take_day(&log->filter, argument);
        return 0;
    case KEY_UNTIL:
        filter->until_ms = moment("--until", argument);
        return 0;
    case KEY_FROM:
        filter->from_position = number("--from", argument);
        return 0;
    case KEY_TO:
        filter->to_position = number("--to", argument);
        if (filter->to_position == 0) bad_value("--to", argument);
        return 0;
    case KEY_OWN:
        filter->own = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_export(struct log_options *log, int key, char *argument)
{
    switch (key) {
    case KEY_FORMAT:
        take_form(log, argument);
        return 0;
    case KEY_AFTER:
        log->after = number("--after", argument);
        return 0;
    case KEY_FOLLOW:
        log->follow = true;
        return 0;
    case KEY_RESUME:
        log->resume = argument;
        return 0;
    case KEY_SYSLOG:
        log->syslog = argument;
        return 0;
    default:
        return parse_which(log, key, argument);
    }
}

static error_t parse_word(struct log_options *log, char *argument)
{
    if (!log->command) {
        log->command = argument;
        return 0;
    }
    if (strcmp(log->command, "explain") != 0)
        exit(complain(EXIT_USAGE, "one command only; %s takes no word behind it: %s", log->command, argument));
    if (log->subject) exit(complain(EXIT_USAGE, "explain: one record at a time"));
    log->subject = argument;
    return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct log_options *log = state->input;
    switch (key) {
    case KEY_STORE:
        log->store = argument;
        return 0;
    case KEY_JOURNAL:
        log->journal = argument;
        return 0;
    case KEY_JSON:
        log->json = true;
        log->form = FORM_JSON;
        return 0;
    case KEY_COLOUR:
        take_colour(log, argument);
        return 0;
    case KEY_NO_FOLLOW:
        log->no_follow = true;
        return 0;
    case KEY_BY:
        log->by = argument;
        if (strcmp(argument, "minute") && strcmp(argument, "hour") && strcmp(argument, "day"))
            bad_value("--by", argument);
        return 0;
    case KEY_AT:
        log->at_ms = moment("--at", argument);
        return 0;
    case KEY_NO_NAMES:
        log->names = false;
        return 0;
    case KEY_NO_INDEX:
        log->no_index = true;
        return 0;
    case KEY_THREADS:
        log->threads = (unsigned)number("--threads", argument);
        if (log->threads == 0 || log->threads > 16) bad_value("--threads", argument);
        return 0;
    case 'n':
        log->count = number("-n", argument);
        if (log->count == 0) bad_value("-n", argument);
        return 0;
    case ARGP_KEY_ARG:
        return parse_word(log, argument);
    default:
        return parse_export(log, key, argument);
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "show|tail|stats|report|export|index\nexplain "
                "[POSITION.INDEX]\ncheck|archive|prune|checkpoint|key|prove|verify-proof|approval|verify-approval|"
                "rerun",
    .doc =
        "Shows, explains and checks the replay log of an otpring store, with or without the daemon.\v"
        "show prints records from the oldest kept; tail the last ones and then what comes; explain tells in plain "
        "words why an account's or one record's verdict was what it was; stats counts; report makes a page of it; "
        "export hands records to other "
        "programs, at least once; index makes the indexes of closed segments that are missing. check verifies every "
        "checksum, seal and signature; archive and prune are for keeping; checkpoint, key, prove and verify-proof, "
        "approval and verify-approval for whoever does not trust who holds the log; rerun asks recorded attempts of a "
        "fresh engine: these have --help of their own, "
        "otpring-log check --help.\n\n" WHEN_HELP
        "; without a zone it is local time.\n\nA line: POSITION.INDEX TIME VERDICT ACCOUNT STEP CLIENT SOURCE WHY, or "
        "POSITION.INDEX TIME ACT NAME ACCOUNT TOKEN UID. ACCOUNT is company/user where the store knows it, else a "
        "hash: --company and --user find it by name. STEP is the matched step minus the expected one. CLIENT is the "
        "configured name, or a number where no name is known; UID is engine for what the engine did by itself. WHY "
        "is not there for ACCEPTED.\n\nExit status: 0 done, 1 the journal has damage or does not verify, 2 usage, 3 "
        "unavailable."};

void options_parse(int argc, char **argv, struct log_options *ret_options)
{
    *ret_options = (struct log_options){.store = getenv("OTPRING_STORE"), .names = true};
    filter_init(&ret_options->filter);
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, ret_options) != 0) exit(EXIT_USAGE);
    if (ret_options->store && !*ret_options->store) ret_options->store = NULL;
    if (ret_options->command && strcmp(ret_options->command, "export") == 0 && ret_options->form == FORM_LINE)
        ret_options->form = FORM_JSON;
}

int options_judge(const struct log_options *log)
{
    const struct record_filter *filter = &log->filter;
    bool export = strcmp(log->command, "export") == 0;
    if (!log->store && !log->journal)
        return complain(EXIT_USAGE, "which store? --store DIR, or the variable OTPRING_STORE");
    if (filter->user && !filter->company)
        return complain(EXIT_USAGE, "--user needs --company: users are named within one");
    if (filter->company && filter->name.size)
        return complain(EXIT_USAGE, "--account and --company name the same: give one");
    if (!export && (log->follow || log->after || log->resume || log->syslog || log->form > FORM_JSON))
        return complain(EXIT_USAGE, "--format, --after, --follow, --resume and --syslog are for export");
    if (filter->since_ms >= filter->until_ms)
        return complain(EXIT_USAGE, "--since is not before --until: nothing is between them");
    if (filter->to_position && filter->from_position > filter->to_position)
        return complain(EXIT_USAGE, "--from is behind --to: nothing is between them");
    return EXIT_DONE;
}
