/* verify-approval: whether what approval printed holds, by a published checkpoint and the public key alone. */
#include "approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "base64.h"
#include "commands.h"
#include "note.h"
#include "proof_file.h"
#include "text.h"

struct check_words {
    struct command_words common;
    const char *checkpoint;
};

enum { KEY_CHECKPOINT = 1 };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check_words *words = state->input;
    if (key != KEY_CHECKPOINT) return command_option(&words->common, key, argument, state);
    words->checkpoint = argument;
    return 0;
}

/* ---- reading ---- */

static bool bytes_get(const json_t *json, const char *key, uint8_t *ret_bytes, size_t capacity, size_t *ret_size)
{
    const char *text = json_string_value(json_object_get(json, key));
    size_t size = text ? strlen(text) : 0;
    if (size == 0 || size % 4 != 0 || size > BASE64_SIZE(capacity)) return false;
    *ret_size = size / 4 * 3 - (text[size - 1] == '=') - (text[size - 2] == '=');
    return *ret_size <= capacity && base64_decode(text, size, ret_bytes, *ret_size);
}

static bool approval_read(const json_t *json, struct approval *ret_approval)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const char *id = json_string_value(json_object_get(json, "challenge"));
    size_t size = 0;
    return format && strcmp(format, APPROVAL_FORMAT) == 0 && id &&
           base64url_decode(id, ret_approval->id, CHALLENGE_ID_SIZE, &size) && size == CHALLENGE_ID_SIZE &&
           bytes_get(json, "body", ret_approval->body, sizeof ret_approval->body, &ret_approval->body_size) &&
           bytes_get(json, "evidence", ret_approval->evidence, sizeof ret_approval->evidence,
                     &ret_approval->evidence_size);
}

/* ---- judging ---- */

/* The device's row in the same record has the key that signed, under the number that the answer names. */
static bool device_has_key(const struct approval_rows *rows, const struct challenge_proof *proof,
                           const struct challenge_answer *answer)
{
    uint8_t number[8];
    store_be64(number, answer->device);
    return rows->device.bytes && memcmp(number, rows->device_key, sizeof number) == 0 &&
           memmem(rows->device.bytes, rows->device.size, proof->key, proof->key_size) != NULL;
}

static const char *answer_judge(const struct approval *approval, const struct approval_rows *rows)
{
    struct challenge_proof proof;
    struct challenge_answer answer;
    uint64_t counter;
    bool good = false;
    if (result_failed(challenge_proof_decode(approval->evidence, approval->evidence_size, &proof)) ||
        result_failed(challenge_statement_read(proof.statement, &answer, &counter)))
        return "the answer is not one";
    if (rows->subject != answer.device) return "the record names another device";
    if (proof.key_kind == CHALLENGE_PROOF_TYPED) return NULL;
    challenge_proofs_check(&proof, 1, &good);
    if (!good) return "the device's signature does not verify";
    return device_has_key(rows, &proof, &answer) ? NULL : "the record knows another key of this device";
}

/* NULL: the record is this answer's. */
static const char *record_judge(const struct approval *approval, const struct proof_record *record)
{
    struct slot_act act;
    struct approval_rows rows;
    uint8_t commitment[32];
    memcpy(&act, record->slots, sizeof act);
    bool whole = act.kind == SLOT_ACT && act.act == ACT_CHANGE &&
                 act.payload_size <= (record->slot_count - 1) * (uint32_t)JOURNAL_SLOT_SIZE;
    if (!whole || !approval_rows_of(record->slots + JOURNAL_SLOT_SIZE, act.payload_size, approval->id, &rows) ||
        strcmp(rows.name, APPROVAL_ANSWER) != 0)
        return "the record that is proven is no answer to this challenge";
    vault_sha256(approval->evidence, approval->evidence_size, commitment);
    struct store_bytes kept = rows.parts['c'];
    if (!kept.bytes || kept.size != sizeof commitment || memcmp(kept.bytes, commitment, sizeof commitment) != 0)
        return "the record is of another answer";
    return answer_judge(approval, &rows);
}

/* What stands beside body and evidence is there to be read, and must say the same as they do: nothing else vouches for
 * it. The name of the first member that does not, or NULL. */
static const char *member_differs(json_t *given, json_t *said)
{
    static const char *const others[] = {"body", "evidence", "proof"};
    const char *key;
    json_t *value;
    json_object_foreach(said, key, value)
    {
        if (!json_equal(json_object_get(given, key), value)) return key;
    }
    json_object_foreach(given, key, value)
    {
        bool known = json_object_get(said, key) != NULL;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) known = known || strcmp(key, others[i]) == 0;
        if (!known) return key;
    }
    return NULL;
}

/* Who and when, which the record says. */
static void record_put(json_t *said, const struct proof_record *record)
{
    struct slot_act act;
    struct text text = {.size = 0};
    memcpy(&act, record->slots, sizeof act);
    text_hex(&text, act.name, sizeof act.name);
    json_object_set_new(said, "account", json_stringn(text.bytes, text.size));
    text_clear(&text);
    text_time(&text, record->block->time_ms);
    json_object_set_new(said, "answered", json_stringn(text.bytes, text.size));
    text_free(&text);
}

static int tell(const struct check_words *words, json_t *said, const struct slot_checkpoint *published)
{
    bool typed = json_object_get(said, "typed") != NULL;
    if (words->common.json) {
        json_object_set_new(said, "proven", json_true());
        json_object_set_new(said, "checkpoint_through", json_integer((json_int_t)published->last));
        json_dumpf(said, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        json_dumpf(said, stdout, JSON_INDENT(1));
        printf("\nproven: %s, and stands in the log that the checkpoint through position %llu was made of\n",
               typed ? "this response was typed (whoever holds the seed could have made it)"
                     : "the device with this key signed this answer",
               (unsigned long long)published->last);
    }
    return EXIT_DONE;
}

static int refused(const char *why, const char *member)
{
    if (member)
        complain(EXIT_FINDINGS, "it proves nothing: its member %s says something else than what is proven", member);
    else
        complain(EXIT_FINDINGS, "it proves nothing: %s", why);
    return EXIT_FINDINGS;
}

static int judge(const struct check_words *words, json_t *json, const uint8_t key[VAULT_PUBLIC_KEY_SIZE],
                 const struct slot_checkpoint *published)
{
    struct approval approval;
    struct journal_proof proof;
    struct proof_record record;
    const char *why = NULL;
    char *text = json_dumps(json_object_get(json, "proof"), JSON_COMPACT);
    bool read =
        approval_read(json, &approval) && text && proof_file_parse(text, strlen(text), &proof) == PROOF_FILE_RECORD;
    free(text);
    if (!read) return complain(EXIT_USAGE, "%s: not what otpring-log approval prints", words->common.file);
    json_t *said = approval_json(&approval, &why);
    bool good = said && journal_proof_check(&proof, key, published, &record, &why);
    if (good) why = record_judge(&approval, &record);
    const char *member = NULL;
    if (good && !why) {
        json_object_set_new(said, "answered_ms", json_integer(record.block->time_ms));
        member = member_differs(json, said);
        record_put(said, &record);
    }
    int code = good && !why && !member ? tell(words, said, published) : refused(why, member);
    json_decref(said);
    journal_proof_free(&proof);
    return code;
}

int command_verify_approval(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_JSON_OPTION,
        {"public-key", COMMAND_PUBLIC_KEY, "FILE", 0, "The key of signed checkpoints", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "The published checkpoint that the proof must lead to", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "verify-approval FILE",
        "Checks what otpring-log approval printed: no store, no log, no secret.\vThe answer is to the challenge that "
        "stands there, byte for byte; the device's key signed it; the record that is in the log is of this answer, and "
        "of this "
        "device's key; and what is written beside them says the same. Prints what was approved, by whose account and "
        "when. FILE may be - for standard input.\n\nExit status: 0 proven, 1 not "
        "proven, 2 usage.",
        0,
        0,
        0};
    struct check_words words = {.common.wants_file = true};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    struct slot_checkpoint published;
    char *text;
    size_t size;
    command_parse(&argp, argc, argv, &words.common);
    words.common.store = NULL;
    if (!words.common.file) return complain(EXIT_USAGE, "which evidence? otpring-log verify-approval FILE");
    if (!words.common.public_key || !words.checkpoint)
        return complain(EXIT_USAGE, "it is checked with --public-key FILE and --checkpoint FILE");
    int code = command_public_key(&words.common, key);
    if (code == EXIT_DONE) code = note_read(words.checkpoint, key, &published);
    if (code == EXIT_DONE) code = command_read(words.common.file, PROOF_FILE_SIZE_MAX, &text, &size);
    if (code != EXIT_DONE) return code;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    code = json ? judge(&words, json, key, &published) : complain(EXIT_USAGE, "%s: not JSON", words.common.file);
    json_decref(json);
    return code;
}
