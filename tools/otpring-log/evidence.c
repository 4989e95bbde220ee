/* checkpoint, key, prove, verify-proof: evidence for whoever does not hold the log, nor trust who does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "event.h"
#include "note.h"
#include "proof_file.h"

struct evidence_words {
    struct command_words common;
    const char *checkpoint;
    const char *since;
    uint64_t position;
    uint64_t slot;
    bool all;
};

enum { KEY_CHECKPOINT = 1, KEY_SINCE, KEY_POSITION, KEY_SLOT, KEY_ALL };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct evidence_words *words = state->input;
    switch (key) {
    case KEY_CHECKPOINT:
        words->checkpoint = argument;
        return 0;
    case KEY_SINCE:
        words->since = argument;
        return 0;
    case KEY_ALL:
        words->all = true;
        return 0;
    case KEY_POSITION:
        if (!command_number(argument, &words->position) || words->position == 0)
            command_bad_value("--position", argument);
        return 0;
    case KEY_SLOT:
        if (!command_number(argument, &words->slot) || words->slot >= JOURNAL_SLOTS_MAX)
            command_bad_value("--slot", argument);
        return 0;
    default:
        return command_option(&words->common, key, argument, state);
    }
}

int note_read(const char *path, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], struct slot_checkpoint *ret_checkpoint)
{
    char *text;
    size_t size;
    const char *rest;
    int code = command_read(path, 64 << 10, &text, &size);
    if (code != EXIT_DONE) return code;
    bool parsed = note_parse(text, public_key, ret_checkpoint, &rest);
    bool alone = parsed && rest[strspn(rest, "\n")] == '\0';
    free(text);
    if (!alone) return complain(EXIT_USAGE, "%s: not a checkpoint of the log with this public key", path);
    if (!checkpoint_signed_by(ret_checkpoint, public_key))
        return complain(EXIT_FINDINGS, "%s: its signature does not verify with this public key", path);
    return EXIT_DONE;
}

/* ---- key ---- */

int command_key(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION, COMMAND_JSON_OPTION, COMMAND_PUBLIC_KEY_OPTION, {0}};
    static const struct argp argp = {
        options, parse, "key", "Prints the public key that checkpoints of the log are signed with.", 0, 0, 0};
    struct evidence_words words = {0};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    command_parse(&argp, argc, argv, &words.common);
    int code = command_public_key(&words.common, key);
    if (code != EXIT_DONE) return code;
    if (words.common.json) printf("{\"algorithm\":\"ed25519\",\"public_key\":\"");
    for (unsigned i = 0; i < sizeof key; i++) printf("%02x", key[i]);
    puts(words.common.json ? "\"}" : "");
    return EXIT_DONE;
}

/* ---- checkpoint ---- */

static void print_json(const struct slot_checkpoint *checkpoint, const uint8_t key[VAULT_PUBLIC_KEY_SIZE])
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return;
    note_print(memory, checkpoint, key);
    fclose(memory);
    printf("{\"segment\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"time_ms\":%" PRId64 ",\"note\":\"",
           checkpoint->segment, checkpoint->first, checkpoint->last, checkpoint->time_ms);
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            fputs("\\n", stdout);
        else
            putchar(*c);
    }
    puts("\"}");
    free(text);
}

static int print_checkpoints(const struct evidence_words *words, const struct slot_checkpoint *checkpoints,
                             size_t count, const uint8_t key[VAULT_PUBLIC_KEY_SIZE])
{
    if (count == 0)
        return complain(EXIT_UNAVAILABLE, "no segment is closed yet, so nothing is signed: one is when it is full, and "
                                          "at a clean stop");
    for (size_t i = words->all ? 0 : count - 1; i < count; i++) {
        if (!checkpoint_signed_by(&checkpoints[i], key))
            return complain(EXIT_FINDINGS,
                            "the checkpoint of segment %" PRIu64 " does not verify; see otpring-log check",
                            checkpoints[i].segment);
        if (words->common.json)
            print_json(&checkpoints[i], key);
        else {
            note_print(stdout, &checkpoints[i], key);
            if (i + 1 < count) putchar('\n');
        }
    }
    return EXIT_DONE;
}

int command_checkpoint(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION,
        COMMAND_JSON_OPTION,
        COMMAND_PUBLIC_KEY_OPTION,
        COMMAND_ARCHIVE_OPTION,
        {"all", KEY_ALL, NULL, 0, "Print every checkpoint that is kept, not the newest alone", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "checkpoint",
        "Prints the newest signed checkpoint of the log, to be kept elsewhere: in a mail, a repository, a transparency "
        "log.\vWhoever keeps it finds out with `otpring-log check --checkpoint FILE` when anything up to it is changed "
        "or cut off. What was written after it was made is not covered by it.\n\nExit status: 0 done, 1 it does not "
        "verify, 2 usage, 3 nothing is signed yet, or the log cannot be read.",
        0,
        0,
        0};
    struct evidence_words words = {0};
    char folder[4096];
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct os *os;
    command_parse(&argp, argc, argv, &words.common);
    int code = command_journal(&words.common, folder, sizeof folder);
    if (code == EXIT_DONE) code = command_public_key(&words.common, key);
    if (code == EXIT_DONE) code = command_os(words.common.store, words.common.archive, &os);
    if (code != EXIT_DONE) return code;
    struct slot_checkpoint *checkpoints = NULL;
    size_t count = 0;
    struct result result = journal_checkpoints(os, folder, 0, NULL, &checkpoints, &count);
    code = result_failed(result) ? complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result))
                                 : print_checkpoints(&words, checkpoints, count, key);
    free(checkpoints);
    os_destroy(os);
    return code;
}

/* ---- prove ---- */

static int cannot_prove(const char *folder, const struct evidence_words *words, struct result result)
{
    if (result.code == STORE_NOT_FOUND && words->position)
        return complain(EXIT_FINDINGS, "no record begins at %" PRIu64 ".%" PRIu64, words->position, words->slot);
    enum exit_code code = result.code == PROOF_UNSEALED ? EXIT_UNAVAILABLE : EXIT_FINDINGS;
    if (result_class(result) == RESULT_REFUSE && result.code < PROOF_UNSEALED) code = EXIT_UNAVAILABLE;
    return complain(code, "%s: %s", folder, result_text(result));
}

static struct result prove_record(struct os *os, const char *folder, const struct evidence_words *words,
                                  const struct slot_checkpoint *through)
{
    struct journal_proof proof;
    TRY(journal_prove(
        os, folder,
        &(struct journal_proof_options){.position = words->position, .slot = (uint32_t)words->slot, .through = through},
        &proof));
    bool printed = proof_file_print(&proof);
    journal_proof_free(&proof);
    return result_of(printed ? OK : NO_MEMORY);
}

static struct result prove_since(struct os *os, const char *folder, const struct slot_checkpoint *since,
                                 const struct slot_checkpoint *through)
{
    struct slot_checkpoint *checkpoints;
    size_t count;
    TRY(journal_checkpoints(os, folder, since->last - 1, through, &checkpoints, &count));
    bool there = count > 0 && checkpoint_same(&checkpoints[0], since);
    bool printed = there && checkpoints_file_print(checkpoints, count);
    free(checkpoints);
    return result_of(!there ? PROOF_NO_CHECKPOINT : printed ? OK : NO_MEMORY);
}

static int prove(struct os *os, const char *folder, const struct evidence_words *words)
{
    struct slot_checkpoint since, through;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    int code = words->since || words->checkpoint ? command_public_key(&words->common, key) : EXIT_DONE;
    if (code == EXIT_DONE && words->since) code = note_read(words->since, key, &since);
    if (code == EXIT_DONE && words->checkpoint) code = note_read(words->checkpoint, key, &through);
    if (code != EXIT_DONE) return code;
    const struct slot_checkpoint *end = words->checkpoint ? &through : NULL;
    struct result result =
        words->position ? prove_record(os, folder, words, end) : prove_since(os, folder, &since, end);
    return result_failed(result) ? cannot_prove(folder, words, result) : EXIT_DONE;
}

int command_prove(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION,
        COMMAND_PUBLIC_KEY_OPTION,
        COMMAND_ARCHIVE_OPTION,
        {"position", KEY_POSITION, "POSITION", 0, "Prove the record at this position", 0},
        {"slot", KEY_SLOT, "INDEX", 0, "The number behind the position's point; default: 0", 0},
        {"since", KEY_SINCE, "FILE", 0, "Prove that the log continues the checkpoint of this file", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
         "Lead to the checkpoint of this file; default: to the newest of the log", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "prove",
        "Prints evidence, as JSON, that a record stands in the log, or that one published checkpoint is continued by a "
        "later one.\vThe proof shows the whole block up to the record: account handles, verdicts and times of the "
        "records before it too, never a code or a seed. It is checked by otpring-log verify-proof, or by any program "
        "written from PROOF.md.\n\nExit status: 0 done, 1 there is no such record or checkpoint, or the log has "
        "damage, 2 usage, 3 not signed yet, or the log cannot be read.",
        0,
        0,
        0};
    struct evidence_words words = {0};
    char folder[4096];
    struct os *os;
    command_parse(&argp, argc, argv, &words.common);
    if (!words.position == !words.since)
        return complain(EXIT_USAGE, "prove what? either --position POSITION or --since FILE");
    int code = command_journal(&words.common, folder, sizeof folder);
    if (code == EXIT_DONE) code = command_os(words.common.store, words.common.archive, &os);
    if (code != EXIT_DONE) return code;
    code = prove(os, folder, &words);
    os_destroy(os);
    return code;
}

/* ---- verify-proof ---- */

static void print_record(const struct evidence_words *words, const struct proof_record *record, uint32_t slot)
{
    /* The lines that show prints, of a block that holds nothing but this record. */
    static uint8_t slots[JOURNAL_BLOCK_SIZE_MAX];
    struct event event;
    struct text text = {0};
    struct event_style style = {.form = words->common.json ? FORM_JSON : FORM_LINE};
    struct journal_block_header header = *record->block;
    struct journal_block_view view = {.header = &header, .slots = slots};
    memcpy(slots + (size_t)slot * JOURNAL_SLOT_SIZE, record->slots, (size_t)record->slot_count * JOURNAL_SLOT_SIZE);
    if (event_at(&view, slot, &event)) {
        event_write(&text, &style, &event);
        fwrite(text.bytes, 1, text.size, stdout);
        text_free(&text);
    } else if (!words->common.json) {
        printf("%" PRIu64 ".%u: the head of a frame\n", header.position, slot);
    } else {
        printf("{\"position\":%" PRIu64 ",\"index\":%u,\"frame\":true}\n", header.position, slot);
    }
}

static int refused(const char *why)
{
    complain(EXIT_FINDINGS, "it proves nothing: %s", why);
    return EXIT_FINDINGS;
}

static int verify_record(const struct evidence_words *words, const struct journal_proof *proof,
                         const uint8_t key[VAULT_PUBLIC_KEY_SIZE], const struct slot_checkpoint *published)
{
    struct proof_record record;
    const char *why;
    if (words->position && (words->position != proof->position || words->slot != proof->slot))
        return refused("it is about another record");
    if (!journal_proof_check(proof, key, published, &record, &why)) return refused(why);
    print_record(words, &record, proof->slot);
    if (!words->common.json)
        printf("proven: this record stands in the log that the checkpoint through position %" PRIu64 " was made of\n",
               published->last);
    return EXIT_DONE;
}

static int verify_checkpoints(const struct evidence_words *words, const struct journal_proof *proof,
                              const uint8_t key[VAULT_PUBLIC_KEY_SIZE], const struct slot_checkpoint *published)
{
    struct slot_checkpoint since;
    const char *why;
    if (!words->since)
        return complain(EXIT_USAGE, "this proof is of checkpoints: name the older one with --since FILE");
    int code = note_read(words->since, key, &since);
    if (code != EXIT_DONE) return code;
    if (!checkpoints_follow(proof->checkpoints, proof->checkpoint_count, key, published, &why)) return refused(why);
    if (!checkpoint_same(&proof->checkpoints[0], &since)) return refused("it begins with another checkpoint");
    if (words->common.json)
        printf("{\"since\":%" PRIu64 ",\"through\":%" PRIu64 "}\n", since.last, published->last);
    else
        printf("proven: the log of the checkpoint through position %" PRIu64
               " continues that of the one through position %" PRIu64 "\n",
               published->last, since.last);
    return EXIT_DONE;
}

static int verify_text(const struct evidence_words *words, const char *text, size_t size,
                       const uint8_t key[VAULT_PUBLIC_KEY_SIZE], const struct slot_checkpoint *published)
{
    struct journal_proof proof;
    enum proof_file_kind kind = proof_file_parse(text, size, &proof);
    if (kind == PROOF_FILE_BAD) return complain(EXIT_USAGE, "%s: not a proof of otpring", words->common.file);
    int code = kind == PROOF_FILE_RECORD ? verify_record(words, &proof, key, published)
                                         : verify_checkpoints(words, &proof, key, published);
    journal_proof_free(&proof);
    return code;
}

int command_verify_proof(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_JSON_OPTION,
        {"public-key", COMMAND_PUBLIC_KEY, "FILE", 0, "The key of signed checkpoints", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "The published checkpoint that the proof must lead to", 0},
        {"since", KEY_SINCE, "FILE", 0, "The older checkpoint, of a proof that one continues the other", 0},
        {"position", KEY_POSITION, "POSITION", 0, "Only a proof of the record at this position will do", 0},
        {"slot", KEY_SLOT, "INDEX", 0, "The number behind the position's point; default: 0", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "verify-proof FILE",
        "Checks a proof with a published checkpoint and the public key: no store, no log, no secret.\vPrints the "
        "record "
        "that is proven. FILE may be - for standard input.\n\nExit status: 0 proven, 1 not proven, 2 usage.",
        0,
        0,
        0};
    struct evidence_words words = {.common.wants_file = true};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct slot_checkpoint published;
    char *text;
    size_t size;
    command_parse(&argp, argc, argv, &words.common);
    words.common.store = NULL;
    if (!words.common.file) return complain(EXIT_USAGE, "which proof? otpring-log verify-proof FILE");
    if (!words.common.public_key || !words.checkpoint)
        return complain(EXIT_USAGE, "a proof is checked with --public-key FILE and --checkpoint FILE");
    int code = command_public_key(&words.common, key);
    if (code == EXIT_DONE) code = note_read(words.checkpoint, key, &published);
    if (code == EXIT_DONE) code = command_read(words.common.file, PROOF_FILE_SIZE_MAX, &text, &size);
    if (code != EXIT_DONE) return code;
    code = verify_text(&words, text, size, key, &published);
    free(text);
    return code;
}
