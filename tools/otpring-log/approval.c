/* approval: what was approved, from the log alone, with all that somebody else needs to check it. */
#include "approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base64.h"
#include "commands.h"
#include "event.h"
#include "note.h"
#include "proof_file.h"
#include "store/schema.h"
#include "store/store.h"

struct approval_words {
    struct command_words common;
    const char *key_file;
    const char *checkpoint;
};

enum { KEY_KEY = 1, KEY_CHECKPOINT };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct approval_words *words = state->input;
    switch (key) {
    case KEY_KEY:
        words->key_file = argument;
        return 0;
    case KEY_CHECKPOINT:
        words->checkpoint = argument;
        return 0;
    default:
        return command_option(&words->common, key, argument, state);
    }
}

/* ---- the store's key ---- */

static struct result meta(struct store *store, struct store_txn *txn, const char *key, struct store_bytes *ret_value)
{
    return store_get(store, txn, STORE_META, (struct store_bytes){.bytes = key, .size = strlen(key)}, ret_value);
}

static struct result vault_of(struct store *store, const char *key_file, struct vault **ret_vault)
{
    struct store_txn *txn;
    struct store_bytes id = {.size = 0}, keys = {.size = 0};
    TRY(store_begin(store, false, &txn));
    struct result result = meta(store, txn, META_STORE_ID, &id);
    if (!result_failed(result)) result = meta(store, txn, META_KEYS, &keys);
    if (!result_failed(result) && id.size != VAULT_STORE_ID_SIZE) result = result_of(STORE_DAMAGED);
    if (!result_failed(result)) result = vault_open(key_file, id.bytes, keys.bytes, keys.size, ret_vault);
    store_abort(store, txn);
    return result;
}

static int open_vault(const struct approval_words *words, struct vault **ret_vault)
{
    char key_file[4096];
    struct store *store;
    const char *folder = words->common.store ? words->common.store : getenv("OTPRING_STORE");
    if (!folder) return complain(EXIT_USAGE, "which store? --store DIR");
    snprintf(key_file, sizeof key_file, "%s", words->key_file ? words->key_file : folder);
    if (!words->key_file) snprintf(key_file + strlen(key_file), sizeof key_file - strlen(key_file), ".key");
    struct result result = store_lmdb_open_reading(folder, &store);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
    result = vault_of(store, key_file, ret_vault);
    store_close(store);
    return result_failed(result) ? complain(EXIT_USAGE, "%s: %s", key_file, result_text(result)) : EXIT_DONE;
}

/* ---- finding ---- */

struct search {
    struct approval approval;
    const struct vault *vault;
    uint64_t position; /* of the answer; 0: not found */
    uint32_t slot;
    int64_t time_ms;
    bool wrong;           /* it came with a wrong number, or was a wrong response */
    struct result result; /* a part that does not open */
};

static void part_open(struct search *search, const struct approval_rows *rows, char part, uint8_t *ret_bytes,
                      size_t capacity, size_t *ret_size)
{
    uint8_t key[CHALLENGE_ID_SIZE + 1];
    struct store_bytes value = rows->parts[(unsigned char)part];
    if (!value.bytes || result_failed(search->result)) return;
    memcpy(key, search->approval.id, CHALLENGE_ID_SIZE);
    key[CHALLENGE_ID_SIZE] = (uint8_t)part;
    search->result = challenge_part_open(search->vault, key, value, ret_bytes, capacity, ret_size);
}

static bool look(void *context, const struct event *event)
{
    struct search *search = context;
    struct approval *approval = &search->approval;
    struct approval_rows rows;
    if (event->kind != EVENT_ACT || event->act.act != ACT_CHANGE) return true;
    if (!approval_rows_of(event->bytes + JOURNAL_SLOT_SIZE, event->act.payload_size, approval->id, &rows)) return true;
    part_open(search, &rows, 'b', approval->body, sizeof approval->body, &approval->body_size);
    part_open(search, &rows, 'e', approval->evidence, sizeof approval->evidence, &approval->evidence_size);
    if (rows.parts['e'].bytes) {
        search->position = event->position;
        search->slot = event->slot;
        search->time_ms = event->time_ms;
        search->wrong = strcmp(rows.name, APPROVAL_WRONG) == 0;
    }
    return true;
}

static void block_look(void *context, unsigned thread, const struct journal_block_view *block)
{
    struct record_filter filter;
    uint32_t slot;
    (void)thread;
    filter_init(&filter);
    (void)events_of(block, &filter, look, context, &slot);
}

static void damage_pass(void *context, unsigned thread, uint64_t position, uint64_t segment, struct result result)
{
    (void)context, (void)thread;
    complain(EXIT_FINDINGS, "segment %llu, position %llu: %s; otpring-log check says more", (unsigned long long)segment,
             (unsigned long long)position, result_text(result));
}

static int find(struct os *os, const char *folder, struct search *search)
{
    struct scan_report report;
    struct scan_options options = {.folder = folder,
                                   .os = os,
                                   .thread_count = 1,
                                   .since_ms = INT64_MIN,
                                   .until_ms = INT64_MAX,
                                   .block = block_look,
                                   .damage = damage_pass,
                                   .context = search};
    struct result result = journal_scan(&options, &report);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
    if (result_failed(search->result))
        return complain(EXIT_FINDINGS, "what the log says of it does not open: %s", result_text(search->result));
    if (!search->position) return complain(EXIT_FINDINGS, "the log has no answer to this challenge");
    if (search->wrong)
        return complain(EXIT_FINDINGS, "it was answered with a wrong number or response, which approved nothing");
    if (!search->approval.body_size) return complain(EXIT_FINDINGS, "the log has lost what was asked: see archive");
    return EXIT_DONE;
}

/* ---- printing ---- */

static json_t *base64_json(const void *bytes, size_t size)
{
    char text[BASE64_SIZE(CHALLENGE_BODY_SIZE_MAX) + 1];
    base64_encode(bytes, size, text);
    return json_string(text);
}

static int print(const struct search *search, const struct journal_proof *proof)
{
    const char *why;
    json_t *json = approval_json(&search->approval, &why);
    if (!json) return complain(EXIT_FINDINGS, "%s", why);
    json_object_set_new(json, "answered_ms", json_integer(search->time_ms));
    json_object_set_new(json, "body", base64_json(search->approval.body, search->approval.body_size));
    json_object_set_new(json, "evidence", base64_json(search->approval.evidence, search->approval.evidence_size));
    json_object_set_new(json, "proof", proof_file_json(proof));
    int failed = json_dumpf(json, stdout, JSON_INDENT(1));
    json_decref(json);
    putchar('\n');
    return failed ? EXIT_UNAVAILABLE : EXIT_DONE;
}

static int prove(struct os *os, const char *folder, const struct approval_words *words, const struct search *search)
{
    struct slot_checkpoint through;
    struct journal_proof proof;
    if (words->checkpoint) {
        uint8_t key[VAULT_PUBLIC_KEY_SIZE];
        int code = command_public_key(&words->common, key);
        if (code == EXIT_DONE) code = note_read(words->checkpoint, key, &through);
        if (code != EXIT_DONE) return code;
    }
    struct journal_proof_options options = {
        .position = search->position, .slot = search->slot, .through = words->checkpoint ? &through : NULL};
    struct result result = journal_prove(os, folder, &options, &proof);
    if (result_failed(result))
        return complain(result.code == PROOF_UNSEALED ? EXIT_UNAVAILABLE : EXIT_FINDINGS, "%s: %s", folder,
                        result_text(result));
    int code = print(search, &proof);
    journal_proof_free(&proof);
    return code;
}

static int id_read(const char *text, uint8_t ret_id[CHALLENGE_ID_SIZE])
{
    size_t size;
    if (text && base64url_decode(text, ret_id, CHALLENGE_ID_SIZE, &size) && size == CHALLENGE_ID_SIZE) return EXIT_DONE;
    return complain(EXIT_USAGE, "which approval? otpring-log approval CHALLENGE, its 22 characters");
}

int command_approval(int argc, char **argv)
{
    static const struct argp_option options[] = {
        COMMAND_STORE_OPTION,
        COMMAND_PUBLIC_KEY_OPTION,
        COMMAND_ARCHIVE_OPTION,
        {"key", KEY_KEY, "FILE", 0, "The store's key file; default: DIR.key", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
         "Lead to the checkpoint of this file; default: to the newest of the log", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "approval CHALLENGE",
        "Prints, as JSON, what a device answered to a challenge: what was shown, the answer, signature and key of the "
        "device, and the proof that the log has it.\vWhat was shown stands in it in clear: it is for whoever may see "
        "it. "
        "It is checked by otpring-log verify-approval. A challenge that begins with a dash comes behind --.\n\nExit "
        "status: 0 done, 1 the log has no such answer, or "
        "damage, 2 "
        "usage, 3 not signed yet, or the log cannot be read.",
        0,
        0,
        0};
    struct approval_words words = {.common.wants_file = true};
    struct search search = {.position = 0};
    struct vault *vault = NULL;
    char folder[4096];
    struct os *os;
    command_parse(&argp, argc, argv, &words.common);
    int code = id_read(words.common.file, search.approval.id);
    if (code == EXIT_DONE) code = command_journal(&words.common, folder, sizeof folder);
    if (code == EXIT_DONE) code = open_vault(&words, &vault);
    if (code == EXIT_DONE) code = command_os(words.common.store, words.common.archive, &os);
    if (code == EXIT_DONE) {
        search.vault = vault;
        code = find(os, folder, &search);
        if (code == EXIT_DONE) code = prove(os, folder, &words, &search);
        os_destroy(os);
    }
    vault_close(vault);
    return code;
}
