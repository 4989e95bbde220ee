#include "proof_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

static const char record_format[] = "otpring-proof-1";
static const char checkpoints_format[] = "otpring-checkpoints-1";

static json_t *text_of(const void *bytes, size_t size)
{
    char *text = malloc(BASE64_SIZE(size) + 1);
    if (!text) return NULL;
    base64_encode(bytes, size, text);
    json_t *json = json_string(text);
    free(text);
    return json;
}

/* `count` items of `size` bytes each. */
static json_t *texts_of(const void *items, size_t count, size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, text_of((const char *)items + i * size, size)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static bool print(json_t *json)
{
    bool done = json && json_dumpf(json, stdout, JSON_INDENT(1)) == 0;
    json_decref(json);
    putchar('\n');
    return done;
}

json_t *proof_file_json(const struct journal_proof *proof)
{
    return json_pack(
        "{s:s, s:I, s:I, s:o, s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o}", "format", record_format, "position",
        (json_int_t)proof->position, "slot", (json_int_t)proof->slot, "pages",
        texts_of(proof->pages, proof->page_count, PROOF_PAGE), "leaf", (json_int_t)proof->pages_run.first, "leaves",
        (json_int_t)proof->pages_run.total, "path", texts_of(proof->pages_path.hashes, proof->pages_path.count, 32),
        "seal", text_of(&proof->seal, sizeof proof->seal), "seal_index", (json_int_t)proof->seal_run.first, "seals",
        (json_int_t)proof->seal_run.total, "seal_path", texts_of(proof->seal_path.hashes, proof->seal_path.count, 32),
        "checkpoints", texts_of(proof->checkpoints, proof->checkpoint_count, sizeof *proof->checkpoints));
}

bool proof_file_print(const struct journal_proof *proof)
{
    return print(proof_file_json(proof));
}

bool checkpoints_file_print(const struct slot_checkpoint *checkpoints, size_t count)
{
    return print(json_pack("{s:s, s:o}", "format", checkpoints_format, "checkpoints",
                           texts_of(checkpoints, count, sizeof *checkpoints)));
}

/* ---- reading ---- */

static bool take_bytes(const json_t *json, void *ret_bytes, size_t size)
{
    return json_is_string(json) && base64_decode(json_string_value(json), json_string_length(json), ret_bytes, size);
}

static bool take_number(const json_t *object, const char *key, uint64_t *ret_number)
{
    const json_t *json = json_object_get(object, key);
    if (!json_is_integer(json) || json_integer_value(json) < 0) return false;
    *ret_number = (uint64_t)json_integer_value(json);
    return true;
}

/* All items of an array, each of `size` bytes; at most `max` of them. The caller frees. */
static void *take_items(const json_t *object, const char *key, size_t size, size_t max, size_t *ret_count)
{
    const json_t *array = json_object_get(object, key);
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count > max) return NULL;
    uint8_t *items = calloc(count + 1, size);
    for (size_t i = 0; items && i < count; i++)
        if (!take_bytes(json_array_get(array, i), items + i * size, size)) {
            free(items);
            return NULL;
        }
    *ret_count = count;
    return items;
}

static bool take_path(const json_t *object, const char *key, struct merkle_path *ret_path)
{
    size_t count;
    void *hashes = take_items(object, key, 32, MERKLE_PATH_MAX, &count);
    if (!hashes) return false;
    ret_path->count = (uint32_t)count;
    memcpy(ret_path->hashes, hashes, count * 32);
    free(hashes);
    return true;
}

static bool take_record(const json_t *object, struct journal_proof *proof)
{
    uint64_t slot;
    size_t page_count;
    if (!take_number(object, "position", &proof->position) || !take_number(object, "slot", &slot) ||
        slot >= JOURNAL_SLOTS_MAX)
        return false;
    proof->slot = (uint32_t)slot;
    proof->pages = take_items(object, "pages", PROOF_PAGE, PROOF_PAGES_MAX, &page_count);
    if (!proof->pages) return false;
    proof->page_count = (uint32_t)page_count;
    proof->pages_run.count = page_count;
    proof->seal_run.count = 1;
    return take_number(object, "leaf", &proof->pages_run.first) &&
           take_number(object, "leaves", &proof->pages_run.total) && take_path(object, "path", &proof->pages_path) &&
           take_bytes(json_object_get(object, "seal"), &proof->seal, sizeof proof->seal) &&
           take_number(object, "seal_index", &proof->seal_run.first) &&
           take_number(object, "seals", &proof->seal_run.total) && take_path(object, "seal_path", &proof->seal_path);
}

enum proof_file_kind proof_file_parse(const char *text, size_t size, struct journal_proof *ret_proof)
{
    struct journal_proof proof = {0};
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(object, "format"));
    enum proof_file_kind kind = PROOF_FILE_BAD;
    if (format && strcmp(format, record_format) == 0) kind = PROOF_FILE_RECORD;
    if (format && strcmp(format, checkpoints_format) == 0) kind = PROOF_FILE_CHECKPOINTS;
    if (kind == PROOF_FILE_RECORD && !take_record(object, &proof)) kind = PROOF_FILE_BAD;
    if (kind != PROOF_FILE_BAD) {
        proof.checkpoints = take_items(object, "checkpoints", sizeof *proof.checkpoints, PROOF_CHECKPOINTS_MAX,
                                       &proof.checkpoint_count);
        if (!proof.checkpoints) kind = PROOF_FILE_BAD;
    }
    json_decref(object);
    if (kind == PROOF_FILE_BAD)
        journal_proof_free(&proof);
    else
        *ret_proof = proof;
    return kind;
}
