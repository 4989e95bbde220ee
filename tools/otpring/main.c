/* otpring: the command line of administrators and scripts. Finds the command, parses its options, runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "kernel/kernel.h"
#include "os/arena.h"

const struct command commands[] = {
    {"init", NULL, 0, 0, "Make a new store and its key file", NULL, "k",
     "The key file (default: DIR.key, mode 0400) opens every seed in the store. Keep a copy of it apart from the "
     "store's "
     "backups: who has both has every seed, who has lost it has none.",
     run_init},
    {"token add", NULL, 0, 0, "Enrol a token for a user", "token.add", "culatdpgnswIqQj",
     "Without --secret-file a fresh seed is made and shown once, as an otpauth URI. Secrets are read from a file or "
     "standard input (-) as base32, never from the command line.",
     run_token_add},
    {"token list", NULL, 0, 0, "List tokens, page by page", "token.list", "cuSFNj", NULL, run_token_list},
    {"token show", NULL, 0, 0, "Show the tokens of one user", "token.show", "cuoj", NULL, run_token_show},
    {"token set", NULL, 0, 0, "Change a token's label", "token.set", "cuolj", NULL, run_token_set},
    {"token remove", NULL, 0, 0, "Remove a token for good", "token.remove", "cuoj",
     "The seed's fingerprint and its floor are kept: the same seed enrolled again starts where this one ended.",
     run_change},
    {"token suspend", NULL, 0, 0, "Let a token accept nothing until it is resumed", "token.suspend", "cuoj", NULL,
     run_change},
    {"token resume", NULL, 0, 0, "Let a suspended token accept again", "token.resume", "cuoj", NULL, run_change},
    {"token unlock", NULL, 0, 0, "Forget a user's failed tries", "token.unlock", "cuj", NULL, run_change},
    {"token resync", "CODE NEXT-CODE|-", 1, 2, "Bring a token back in step by two adjacent codes", "token.resync",
     "cuoj", "Both codes are consumed. With - they are read from standard input, one a line.", run_token_resync},
    {"profile add", NULL, 0, 0, "Make a profile: the parameters that tokens share", "profile.add", "Patdpgbfwyxvmzrj",
     NULL, run_profile_change},
    {"profile list", NULL, 0, 0, "List profiles", "profile.list", "j", NULL, run_profile_list},
    {"profile set", NULL, 0, 0, "Change a profile's windows and throttle", "profile.set", "iPbfwyxvmzrj",
     "Type, algorithm, digits, period and T0 of a profile never change.", run_profile_change},
    {"outbox list", NULL, 0, 0, "List messages to people, page by page", "outbox.list", "McuFNj",
     "Messages are numbered in their order; --after takes a number. What they say is not shown.", run_outbox_list},
    {"outbox tail", NULL, 0, 0, "Show the last messages, and what becomes of them", NULL, "NEj",
     "With --follow each message is printed again whenever its state changes.", run_outbox_tail},
    {"outbox show", "MESSAGE", 1, 1, "Show how far one message is", "outbox.show", "j", NULL, run_outbox_show},
    {"outbox put", NULL, 0, 0, "Have a message delivered to a user", "outbox.put", "cuKHALej",
     "The text is made of the kind and its fields by otpring-relay, in the user's language: access-alert takes service "
     "and when; unassigned company, count and oldest_days; token-lost and token-replaced serial and when; activated "
     "device and when; invitation link, code and valid_until.",
     run_outbox_put},
    {"outbox remind", NULL, 0, 0, "Tell administrators of tokens that nobody has", "outbox.remind", "cGj",
     "For a daily timer: an administrator who was told within a day is not told again.", run_outbox_remind},
    {"outbox ack", "MESSAGE...", 1, ARGUMENTS_MAX, "Settle messages by hand: they count as delivered", "outbox.ack",
     "j", "For one that reached its reader another way, or that nobody needs any more: the user's next one may pass.",
     run_outbox_settle},
    {"outbox retry", "[MESSAGE...]", 0, ARGUMENTS_MAX, "Try dead or waiting messages again now", "outbox.retry", "hj",
     "A dead message takes its old place before the user's later ones.", run_outbox_retry},
    {"import", "FILE|-", 1, 1, "Enrol tokens from otpauth URIs or CSV", "import", "cj",
     "A line is enrolled whole or refused; refused lines are listed by number and reason, and the exit status is 1. "
     "otpauth URIs take their issuer as company unless --company is given. CSV begins with a line of column names: "
     "company,user,secret and, as wanted, type,algorithm,digits,period,t0,counter,look_ahead,profile,label; profile (a "
     "number) instead of the parameters that a profile says.",
     run_import},
    {"verify", "CODE|-", 0, 1, "Verify one code, or a file of them", NULL, "cuBj",
     "Exit status: 0 ACCEPTED, 1 another verdict, 2 usage, 3 UNAVAILABLE. --batch reads a line a query, tab-separated "
     "(company, user, code) or JSON ({\"company\":..,\"user\":..,\"code\":..}), and prints a verdict a line; where the "
     "input is a pipe that pauses, what has come so far is answered at once.",
     run_verify},
    {"status", NULL, 0, 0, "Tell how the engine is", "status", "Dj", NULL, run_status},
    {"backup", "FOLDER", 1, 1, "Copy the store while it is in use, into a new folder", "backup", "j",
     "The key file is never part of it.", run_backup},
    {"restore", "FOLDER", 1, 1, "Make a store out of a backup", NULL, "kVCZ",
     "Codes accepted after the backup must not be accepted again: TOTP floors move past --now, and HOTP tokens come "
     "back "
     "suspended unless the journal of the lost machine is given with --journal and --journal-complete says that it "
     "reaches to the end.",
     run_restore},
    {"completion", NULL, 0, 0, "Print a completion script for bash", NULL, "", NULL, run_completion},
    {0},
};

static void print_commands(FILE *out)
{
    fputs("usage: otpring [--store DIR] COMMAND [OPTION...]\n\n"
          "Administers an otpring store, through the daemon when it runs, else directly.\n\nCommands:\n",
          out);
    for (const struct command *command = commands; command->words; command++)
        fprintf(out, "  %-16s %s\n", command->words, command->summary);
    fputs("\nThe store: --store DIR or the variable OTPRING_STORE.\n"
          "Exit status: 0 done, 1 refused, 2 usage or input, 3 unavailable: ask again.\n"
          "More on one command: otpring COMMAND --help\n",
          out);
}

static int word_count(const char *words)
{
    return strchr(words, ' ') ? 2 : 1;
}

static const struct command *find_command(int argc, char **argv)
{
    for (const struct command *command = commands; command->words; command++) {
        int count = word_count(command->words);
        char joined[64];
        if (argc < count) continue;
        int length = count == 2 ? snprintf(joined, sizeof joined, "%s %s", argv[0], argv[1])
                                : snprintf(joined, sizeof joined, "%s", argv[0]);
        if (length < (int)sizeof joined && strcmp(joined, command->words) == 0) return command;
    }
    return NULL;
}

/* "token" alone, or with a word that it does not know: its commands. */
static int print_group(const char *group, const char *word)
{
    size_t length = strlen(group);
    bool known = false;
    bool asked = word && strcmp(word, "--help") == 0;
    FILE *out = asked ? stdout : stderr;
    for (const struct command *command = commands; command->words; command++) {
        if (strncmp(command->words, group, length) != 0 || command->words[length] != ' ') continue;
        if (!known && word && !asked) complain(EXIT_USAGE, "unknown command %s %s", group, word);
        known = true;
        fprintf(out, "  otpring %-16s %s\n", command->words, command->summary);
    }
    if (known) return asked ? EXIT_DONE : EXIT_USAGE;
    return complain(EXIT_USAGE, "unknown command %s; see otpring --help", group);
}

static int print_version(void)
{
    const struct kernel *kernel;
    if (result_failed(kernel_choose(NULL, &kernel)))
        return complain(EXIT_USAGE, "OTPRING_KERNEL names no kernel of this machine");
    printf("otpring %s (kernel %s)\n", OTPRING_VERSION, kernel->name);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    process_no_dumps();
    const char *store = NULL;
    int at = 1;
    while (at < argc && argv[at][0] == '-') {
        if (strcmp(argv[at], "--store") == 0 && at + 1 < argc) {
            store = argv[at + 1];
            at += 2;
        } else if (strncmp(argv[at], "--store=", 8) == 0) {
            store = argv[at++] + 8;
        } else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-?") == 0) {
            print_commands(stdout);
            return EXIT_DONE;
        } else if (strcmp(argv[at], "--version") == 0 || strcmp(argv[at], "-V") == 0) {
            return print_version();
        } else {
            return complain(EXIT_USAGE, "unknown option %s; see otpring --help", argv[at]);
        }
    }
    if (at == argc) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find_command(argc - at, argv + at);
    if (!command) return print_group(argv[at], at + 1 < argc ? argv[at + 1] : NULL);
    struct invocation invocation = {.store = store};
    int skip = at + word_count(command->words) - 1;
    options_parse(command, argc - skip, argv + skip, &invocation);
    int status = command->run(&invocation);
    admin_done();
    json_decref(invocation.request);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    return complain(EXIT_UNAVAILABLE, "standard output: %s; what was asked may have been done", strerror(errno));
}
