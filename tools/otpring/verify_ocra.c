#include "verify_ocra.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool ocra_is_given(const struct invocation *invocation)
{
    static const char *const fields[] = {"challenge", "challenge_second", "session", "pin_hash"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (json_object_get(invocation->request, fields[i])) return true;
    }
    return invocation->pin_path != NULL;
}

static struct otpring_ocra_query query_of(const json_t *object, const char *code)
{
    return (struct otpring_ocra_query){.company = text_of(object, "company"),
                                       .user = text_of(object, "user"),
                                       .response = code,
                                       .challenge = text_of(object, "challenge"),
                                       .challenge_second = text_of(object, "challenge_second"),
                                       .session = text_of(object, "session")};
}

/* RFC 6287 hashes the PIN's characters as they are; section 5.1 says no more of them. */
static int pin_hash(const struct invocation *invocation, struct ocra_given *given)
{
    const char *name = text_of(invocation->request, "pin_hash");
    const EVP_MD *hash = !name || strcmp(name, "sha1") == 0 ? EVP_sha1()
                         : strcmp(name, "sha256") == 0      ? EVP_sha256()
                         : strcmp(name, "sha512") == 0      ? EVP_sha512()
                                                            : NULL;
    if (!hash) return complain(EXIT_USAGE, "--pin-hash is sha1, sha256 or sha512");
    size_t size;
    char *pin = read_whole(invocation->pin_path, 4096, &size);
    if (!pin) return EXIT_USAGE;
    size_t length = strcspn(pin, "\r\n");
    unsigned hash_size = 0;
    bool hashed = length > 0 && EVP_Digest(pin, length, given->pin_hash, &hash_size, hash, NULL) == 1;
    secret_wipe(pin, size);
    free(pin);
    if (!hashed) return complain(EXIT_USAGE, "%s holds no PIN", invocation->pin_path);
    given->query.pin_hash = given->pin_hash;
    given->query.pin_hash_size = hash_size;
    return EXIT_DONE;
}

int ocra_given(const struct invocation *invocation, const char *code, struct ocra_given *ret_given)
{
    *ret_given = (struct ocra_given){.query = query_of(invocation->request, code)};
    if (!ret_given->query.challenge) return complain(EXIT_USAGE, "a response needs its --challenge");
    if (text_of(invocation->request, "pin_hash") && !invocation->pin_path)
        return complain(EXIT_USAGE, "--pin-hash goes with --pin-file");
    return invocation->pin_path ? pin_hash(invocation, ret_given) : EXIT_DONE;
}

static bool hexadecimal_read(const char *text, uint8_t ret_bytes[OCRA_PIN_HASH_MAX], size_t *ret_size)
{
    long size = 0;
    unsigned char *bytes = strlen(text) <= (size_t)2 * OCRA_PIN_HASH_MAX ? OPENSSL_hexstr2buf(text, &size) : NULL;
    if (!bytes) return false;
    memcpy(ret_bytes, bytes, (size_t)size);
    OPENSSL_clear_free(bytes, (size_t)size);
    *ret_size = (size_t)size;
    return size == 20 || size == 32 || size == 64;
}

bool ocra_of_json(const json_t *line, struct ocra_given *ret_given)
{
    const char *hash = text_of(line, "pin_hash");
    *ret_given = (struct ocra_given){.query = query_of(line, text_of(line, "code"))};
    struct otpring_ocra_query *query = &ret_given->query;
    if (!query->company || !query->user || !query->response || !query->challenge) return false;
    if (!hash) return true;
    query->pin_hash = ret_given->pin_hash;
    return hexadecimal_read(hash, ret_given->pin_hash, &query->pin_hash_size);
}
