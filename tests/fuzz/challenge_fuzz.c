/* Hostile challenges and URIs: nothing breaks the decoders, and a body that is taken is written the same. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "challenge/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body_round_trip(const uint8_t *bytes, size_t size)
{
    struct challenge_body body;
    uint8_t again[CHALLENGE_BODY_SIZE_MAX];
    size_t again_size;
    if (result_failed(challenge_body_decode(bytes, size, &body))) return;
    CHECK(size <= CHALLENGE_BODY_SIZE_MAX);
    CHECK(!result_failed(challenge_body_encode(&body, again, &again_size)));
    CHECK(again_size == size && memcmp(again, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[VAULT_PUBLIC_KEY_SIZE] = {
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
        0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a}; /* RFC 8032 */
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    size_t body_size;
    /* A copy of the exact size, so that a read past the end is seen. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    body_round_trip(copy, size);
    if (!result_failed(challenge_uri_read((const char *)copy, size, key, body, &body_size)))
        body_round_trip(body, body_size);
    free(copy);
    return 0;
}
