/* The bank's signature on challenges. Those asked in one turn are signed together, on all threads. */
#include <string.h>

#include "approval/internal.h"
#include "base/bytes.h"
#include "base/check.h"
#include "challenge/uri.h"

static_assert((int)POOL_PART <= (int)CHALLENGE_SIGN_MAX, "one part is signed in one call");

static struct signed_one *place_of(struct approvals *approvals, const uint8_t id[CHALLENGE_ID_SIZE])
{
    return &approvals->signed_ones[load_le32(id) & (SIGNED_MAX - 1)];
}

struct signing {
    const struct vault *vault;
    const struct challenge_ask *asks[APPROVAL_ITEMS_MAX];
    bool good[APPROVAL_ITEMS_MAX];
    uint8_t signatures[APPROVAL_ITEMS_MAX][VAULT_SIGNATURE_SIZE];
    size_t count;
};

/* What does not succeed is signed when it is needed, and a failure told then. */
static void sign_part(void *context, size_t from, size_t count)
{
    struct signing *signing = context;
    struct challenge_signing items[POOL_PART];
    for (size_t i = 0; i < count; i++)
        items[i] =
            (struct challenge_signing){.body = signing->asks[from + i]->bytes, .size = signing->asks[from + i]->size};
    bool good = !result_failed(challenge_sign_many(signing->vault, items, count));
    for (size_t i = 0; i < count; i++) {
        signing->good[from + i] = good;
        memcpy(signing->signatures[from + i], items[i].signature, VAULT_SIGNATURE_SIZE);
    }
}

static void remember(struct approvals *approvals, const uint8_t id[CHALLENGE_ID_SIZE],
                     const uint8_t signature[VAULT_SIGNATURE_SIZE])
{
    struct signed_one *place = place_of(approvals, id);
    memcpy(place->id, id, sizeof place->id);
    memcpy(place->signature, signature, sizeof place->signature);
}

void asked_sign(struct approvals *approvals)
{
    static struct signing signing; /* of the one thread there is */
    signing.vault = approvals->keep.vault;
    signing.count = 0;
    for (uint32_t i = 0; i < approvals->lists.ask_count; i++) {
        const struct challenge_ask *ask = &approvals->lists.asks[i];
        const struct item *item = ask->own;
        if (result_failed(item->result) || result_failed(ask->result) || ask->asked != CHALLENGE_NEW) continue;
        if (ask->body.purpose == CHALLENGE_EXCHANGE) continue; /* nobody is shown it */
        signing.asks[signing.count++] = ask;
    }
    pool_run(approvals->pool, sign_part, &signing, signing.count);
    for (size_t i = 0; i < signing.count; i++)
        if (signing.good[i]) remember(approvals, signing.asks[i]->body.id, signing.signatures[i]);
}

struct result uri_make(struct approvals *approvals, const uint8_t id[CHALLENGE_ID_SIZE], const uint8_t *body,
                       size_t size, char *ret_uri)
{
    const struct signed_one *place = place_of(approvals, id);
    if (memcmp(place->id, id, sizeof place->id) != 0) {
        struct challenge_signing signing = {.body = body, .size = size};
        TRY(challenge_sign_many(approvals->keep.vault, &signing, 1));
        remember(approvals, id, signing.signature);
    }
    return challenge_uri_write(body, size, place->signature, ret_uri);
}
