#include "note.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

/* The field of C2SP's signed notes for a signature that is not over the text itself: type 0xff and a name. */
static const char signature_kind[] = "\xffotpring checkpoint 1\n";

static void name_of(const uint8_t store_id[16], char ret_name[48])
{
    char *at = ret_name + sprintf(ret_name, "otpring/");
    for (int i = 0; i < 16; i++) at += sprintf(at, "%02x", store_id[i]);
}

void note_key_id(const uint8_t store_id[16], const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], uint8_t ret_id[4])
{
    char bytes[48 + 1 + sizeof signature_kind + VAULT_PUBLIC_KEY_SIZE];
    uint8_t hash[32];
    name_of(store_id, bytes);
    size_t size = strlen(bytes);
    bytes[size++] = '\n';
    memcpy(bytes + size, signature_kind, sizeof signature_kind - 1);
    size += sizeof signature_kind - 1;
    memcpy(bytes + size, public_key, VAULT_PUBLIC_KEY_SIZE);
    vault_sha256(bytes, size + VAULT_PUBLIC_KEY_SIZE, hash);
    memcpy(ret_id, hash, 4);
}

static void text_of(const struct slot_checkpoint *checkpoint, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                    char ret_text[NOTE_SIZE_MAX])
{
    char name[48], root[BASE64_SIZE(32) + 1], previous[BASE64_SIZE(32) + 1], signature[BASE64_SIZE(68) + 1];
    uint8_t signature_bytes[68];
    name_of(checkpoint->store_id, name);
    base64_encode(checkpoint->seals_root, 32, root);
    base64_encode(checkpoint->previous, 32, previous);
    note_key_id(checkpoint->store_id, public_key, signature_bytes);
    memcpy(signature_bytes + 4, checkpoint->signature, 64);
    base64_encode(signature_bytes, sizeof signature_bytes, signature);
    snprintf(ret_text, NOTE_SIZE_MAX,
             "%s\n%" PRIu64 "\n%s\nsegment %" PRIu64 "\nfirst %" PRIu64 "\ntime %" PRId64 "\nseal %" PRIu64
             "\nseals %" PRIu32 "\nprevious %s\n\n\xe2\x80\x94 %s %s\n",
             name, checkpoint->last, root, checkpoint->segment, checkpoint->first, checkpoint->time_ms,
             checkpoint->seal_number, checkpoint->seal_count, previous, name, signature);
}

void note_print(FILE *file, const struct slot_checkpoint *checkpoint, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE])
{
    char text[NOTE_SIZE_MAX];
    text_of(checkpoint, public_key, text);
    fputs(text, file);
}

static bool parse_store_id(const char *hex, uint8_t ret_id[16])
{
    for (int i = 0; i < 16; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) return false;
        ret_id[i] = (uint8_t)byte;
    }
    return true;
}

/* Loosely first; that the text made of what was found is the very one given settles everything else. */
bool note_parse(const char *text, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                struct slot_checkpoint *ret_checkpoint, const char **ret_rest)
{
    struct slot_checkpoint checkpoint = {.kind = SLOT_CHECKPOINT};
    char store[33], again_name[33], root[45], previous[45], signature[93], again[NOTE_SIZE_MAX];
    uint8_t signature_bytes[68];
    int fields =
        sscanf(text,
               "otpring/%32[0-9a-f]\n%20" SCNu64 "\n%44s\nsegment %20" SCNu64 "\nfirst %20" SCNu64 "\ntime %20" SCNd64
               "\nseal %20" SCNu64 "\nseals %10" SCNu32 "\nprevious %44s\n\n\xe2\x80\x94 otpring/%32[0-9a-f] %92s",
               store, &checkpoint.last, root, &checkpoint.segment, &checkpoint.first, &checkpoint.time_ms,
               &checkpoint.seal_number, &checkpoint.seal_count, previous, again_name, signature);
    if (fields != 11 || strlen(store) != 32 || !parse_store_id(store, checkpoint.store_id)) return false;
    if (!base64_decode(root, strlen(root), checkpoint.seals_root, 32) ||
        !base64_decode(previous, strlen(previous), checkpoint.previous, 32) ||
        !base64_decode(signature, strlen(signature), signature_bytes, sizeof signature_bytes))
        return false;
    memcpy(checkpoint.signature, signature_bytes + 4, sizeof checkpoint.signature);
    text_of(&checkpoint, public_key, again);
    size_t size = strlen(again);
    if (strncmp(text, again, size) != 0) return false;
    *ret_checkpoint = checkpoint;
    *ret_rest = text + size;
    return true;
}
