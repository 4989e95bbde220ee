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
    {"token add", NULL, 0, 0, "Enrol a token for a user", "token.add", "cula$tdpgnswIqQj",
     "Without --secret-file a fresh seed is made and shown once, as an otpauth URI; of an OCRA token, for which there "
     "is "
     "none, in base32. Secrets are read from a file or standard input (-) as base32, never from the command line.",
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
    {"profile add", NULL, 0, 0, "Make a profile: the parameters that tokens share", "profile.add", "Pa$?tdpgbfwyxvmzrj",
     NULL, run_profile_change},
    {"profile list", NULL, 0, 0, "List profiles", "profile.list", "j", NULL, run_profile_list},
    {"profile set", NULL, 0, 0, "Change a profile's windows and throttle", "profile.set", "iPbfwyxvmzrj",
     "Type, algorithm, digits, period, T0 and suite of a profile never change.", run_profile_change},
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
     "For a daily timer: an administrator who was told within a day is not told again. Without --company: of every "
     "company.",
     run_outbox_remind},
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
    {"enrol invite", NULL, 0, 0, "Invite a user to make a phone the token", "enrol.invite", "cu()[]<>adpI*,3j",
     "The activation code goes to the user's phone number, and is not shown; with --deliver desk it is shown here, "
     "once, to be handed over in person; as a QR code too, which an app reads, by --qr or --qr-file.",
     run_enrol_invite},
    {"enrol list", NULL, 0, 0, "List a company's enrolments", "enrol.list", "c&FNj",
     "States: invited, presented, proven, binding, bound, active, final, expired, cancelled, rolled-back, unbound.",
     run_enrol_list},
    {"enrol status", NULL, 0, 0, "Tell how far a user's enrolment is", "enrol.status", "cuj", NULL, run_enrol_status},
    {"enrol cancel", NULL, 0, 0, "End an enrolment that is under way", "enrol.cancel", "cu3j", NULL, run_enrol_change},
    {"enrol rollback", NULL, 0, 0, "Give the user the token of before back", "enrol.rollback", "cu3j",
     "Until the time that the invitation said: the phone is unbound, and the token that it replaced is resumed.",
     run_enrol_change},
    {"device list", NULL, 0, 0, "List the phones of a company or a user", "device.list", "cu&FNj",
     "States: bound, unbound.", run_device_list},
    {"device unbind", NULL, 0, 0, "Take a phone's token away: lost, stolen, sold", "device.unbind", "^3j", NULL,
     run_device_unbind},
    {"verify", "CODE|-", 0, 1, "Verify one code, or a file of them", NULL, "cu{}|~;Bj",
     "Exit status: 0 ACCEPTED, 1 another verdict, 2 usage, 3 UNAVAILABLE. --batch reads a line a query, tab-separated "
     "(company, user, code) or JSON ({\"company\":..,\"user\":..,\"code\":..}; of OCRA also challenge, "
     "challenge_second, "
     "session, and pin_hash in hexadecimal), and prints a verdict a line; where the "
     "input is a pipe that pauses, what has come so far is answered at once.",
     run_verify},
    {"required", NULL, 0, 0, "Ask whether a user may pass without a code", NULL, "cuj",
     "Exit status: 0 NOT_REQUIRED, 1 REQUIRED, 2 usage, 3 UNAVAILABLE: nothing is known of this user.", run_required},
    {"company add", NULL, 0, 0, "Make a company known", "company.add", "c43j",
     "Nothing is enforced for its users until its scheme is activated. A company that has tokens already begins "
     "active, "
     "and needs --trained.",
     run_company_change},
    {"company list", NULL, 0, 0, "List companies, in order of name", "company.list", "&FNj", NULL, run_company_list},
    {"company show", NULL, 0, 0, "Show one company and how many tokens it has", "company.show", "cj", NULL,
     run_company_show},
    {"company activate", NULL, 0, 0, "Begin a company's scheme, or go on with it", "company.activate", "c43j", NULL,
     run_company_change},
    {"company suspend", NULL, 0, 0, "Stop a company's administrators", "company.suspend", "c3j",
     "Codes go on being verified, and required.", run_company_change},
    {"user add", NULL, 0, 0, "Make a user known", "user.add", "cu567+3j",
     "The user passes without a code until a token is assigned. With --file: a line user,name,phone,language each, of "
     "which all but the user may be left out or empty; every one is taken or refused by itself.",
     run_user_add},
    {"user list", NULL, 0, 0, "List a company's users, in order of name", "user.list", "c&FNj", NULL, run_user_list},
    {"user show", NULL, 0, 0, "Show one user and the tokens", "user.show", "cuj", NULL, run_user_show},
    {"user set", NULL, 0, 0, "Change what is known of a user", "user.set", "cu56783j", NULL, run_user_set},
    {"user deactivate", NULL, 0, 0, "Suspend a user and every token", "user.deactivate", "cu3j", NULL, run_user_change},
    {"user reactivate", NULL, 0, 0, "Let a user be active again; tokens stay as they are", "user.reactivate", "cu3j",
     NULL, run_user_change},
    {"user release", NULL, 0, 0, "Let a user pass without a code until the next token", "user.release", "cu3j",
     "--reason is needed.", run_user_change},
    {"user unlock", NULL, 0, 0, "Forget a user's failed tries", "user.unlock", "cu3j",
     "After more than 10 it takes two operators.", run_user_change},
    {"user reset", NULL, 0, 0, "Make every token of a user worthless", "user.reset", "cu3j",
     "The user still needs a code, so give a new token. It takes two operators.", run_user_change},
    {"user erase", NULL, 0, 0, "Destroy the key of a person's data", "user.erase", "cu3j",
     "Of an inactive user without tokens. Name and phone can be read nowhere any more, but in older backups.",
     run_user_change},
    {"token stock add", NULL, 0, 0, "Take tokens into the stock", "stock.add", "9s+tadpgnwI3j",
     "With --file: a line serial,secret each (base32); up to 500 lines are taken or refused together.", run_stock_add},
    {"token stock give", "SERIAL...", 1, ARGUMENTS_MAX, "Give tokens into a company's custody", "stock.give", "c3j",
     NULL, run_stock_change},
    {"token stock assign", NULL, 0, 0, "Assign a token to a user", "stock.assign", "cu9+3j",
     "With --file: a line user,serial each, every one taken or refused by itself.", run_stock_assign},
    {"token stock take", "SERIAL...", 1, ARGUMENTS_MAX, "Take tokens back from their users", "stock.take", "3j", NULL,
     run_stock_change},
    {"token stock suspend", "SERIAL...", 1, ARGUMENTS_MAX, "Let tokens accept nothing for a while", "stock.suspend",
     "3j", NULL, run_stock_change},
    {"token stock resume", "SERIAL...", 1, ARGUMENTS_MAX, "Let suspended tokens accept again", "stock.resume", "3j",
     NULL, run_stock_change},
    {"token stock replace", "SERIAL", 1, 1, "Put another token in a token's place", "stock.replace", "03j", NULL,
     run_stock_replace},
    {"token stock lost", "SERIAL...", 1, ARGUMENTS_MAX, "Tokens are lost: they accept nothing ever again", "stock.lost",
     "3j", NULL, run_stock_change},
    {"token stock retire", "SERIAL...", 1, ARGUMENTS_MAX, "Destroy the seeds of tokens that are done with",
     "stock.retire", "3j", NULL, run_stock_change},
    {"token stock list", NULL, 0, 0, "List the stock, the longest in its state first", "stock.list", "c&-FNj",
     "States: ordered, custody (not assigned yet), assigned, active, suspended, lost, replaced, retired.",
     run_stock_list},
    {"operator add", NULL, 0, 0, "Name an operator, and make a key", "operator.add", "!@#cu3j",
     "Of the bank with --may; or, with --company and --user, an administrator of that company. Once there is one, the "
     "daemon serves nobody but operators.",
     run_operator_change},
    {"operator list", NULL, 0, 0, "List operators", "operator.list", "&FNj", "States: active, disabled.",
     run_operator_list},
    {"operator grant", NULL, 0, 0, "Change what an operator may", "operator.grant", "!@#=%3j", NULL,
     run_operator_change},
    {"request list", NULL, 0, 0, "List what waits for a second person", "request.list", "&FNj",
     "States: open, confirmed, refused.", run_request_list},
    {"request confirm", "NUMBER", 1, 1, "Do what another operator asked for", "request.confirm", "3j", NULL,
     run_request_decide},
    {"request refuse", "NUMBER", 1, 1, "Refuse what was asked for", "request.refuse", "3j", NULL, run_request_decide},
    {"status", NULL, 0, 0, "Tell how the engine is", "status", "Dj", NULL, run_status},
    {"clock consent", NULL, 0, 0, "Trust the wall clock as it is now", "clock.consent", "j",
     "After a step of the clock, or a start under one that is behind the log or far ahead of it, nothing is verified "
     "until the kernel says that the clock is synchronised, or somebody who has looked at it consents. No code that "
     "was "
     "accepted is accepted again whatever the clock says.",
     run_clock_consent},
    {"backup", "FOLDER", 1, 1, "Copy the store while it is in use, into a new folder", "backup", "j",
     "The key file is never part of it.", run_backup},
    {"restore", "FOLDER", 1, 1, "Make a store out of a backup", NULL, "kVCZ",
     "Codes accepted after the backup must not be accepted again: TOTP codes are refused from --now on for twice the "
     "profile's resync-window and two periods more, 21 minutes as profiles are made, since a clock that ran ahead may "
     "have been resynchronised so far; and HOTP tokens come back suspended unless the journal of the lost machine is "
     "given with --journal and --journal-complete says that it "
     "reaches to the end.",
     run_restore},
    {"log prune", NULL, 0, 0, "Remove old segments of the log", "log.prune", "Tj",
     "Whole segments that end at or before --through, each after a record that says so. What recovery or a seal still "
     "needs is refused. Archive first (otpring-log archive) what is to be kept.",
     run_log_prune},
    {"completion", NULL, 0, 0, "Print a completion script for bash", NULL, "", NULL, run_completion},
    {0},
};

static void print_commands(FILE *out)
{
    fputs("usage: otpring [--store DIR] COMMAND [OPTION...]\n\n"
          "Administers an otpring store, through the daemon when it runs, else directly.\n\nCommands:\n",
          out);
    for (const struct command *command = commands; command->words; command++)
        fprintf(out, "  %-19s %s\n", command->words, command->summary);
    fputs("\nThe store: --store DIR or the variable OTPRING_STORE.\n"
          "Exit status: 0 done, 1 refused, 2 usage or input, 3 unavailable: ask again.\n"
          "More on one command: otpring COMMAND --help\n",
          out);
}

static int word_count(const char *words)
{
    int count = 1;
    for (const char *at = words; (at = strchr(at, ' ')); at++) count++;
    return count;
}

static const struct command *find_command(int argc, char **argv)
{
    for (const struct command *command = commands; command->words; command++) {
        int count = word_count(command->words);
        char joined[64] = "";
        if (argc < count) continue;
        size_t length = 0;
        for (int i = 0; i < count && length < sizeof joined; i++)
            length += (size_t)snprintf(joined + length, sizeof joined - length, "%s%s", i ? " " : "", argv[i]);
        if (length < sizeof joined && strcmp(joined, command->words) == 0) return command;
    }
    return NULL;
}

static bool group_known(const char *group)
{
    size_t length = strlen(group);
    for (const struct command *command = commands; command->words; command++)
        if (strncmp(command->words, group, length) == 0 && command->words[length] == ' ') return true;
    return false;
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
        fprintf(out, "  otpring %-19s %s\n", command->words, command->summary);
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
    if (!command) {
        /* "token stock" is a group within a group. */
        char inner[64];
        bool two = at + 1 < argc && snprintf(inner, sizeof inner, "%s %s", argv[at], argv[at + 1]) < (int)sizeof inner;
        if (two && group_known(inner)) return print_group(inner, at + 2 < argc ? argv[at + 2] : NULL);
        return print_group(argv[at], at + 1 < argc ? argv[at + 1] : NULL);
    }
    struct invocation invocation = {.store = store};
    int skip = at + word_count(command->words) - 1;
    options_parse(command, argc - skip, argv + skip, &invocation);
    int status = command->run(&invocation);
    admin_done();
    json_decref(invocation.request);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    return complain(EXIT_UNAVAILABLE, "standard output: %s; what was asked may have been done", strerror(errno));
}
