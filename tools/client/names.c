/* Names, sources and texts: what needs no connection. */
#include <endian.h>
#include <openssl/evp.h>
#include <string.h>

#include "internal.h"

static bool sha256(const void *first, size_t first_size, const void *second, size_t second_size, uint8_t ret_hash[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned size = 0;
    bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, first, first_size) == 1 &&
                EVP_DigestUpdate(context, second, second_size) == 1 &&
                EVP_DigestFinal_ex(context, ret_hash, &size) == 1;
    EVP_MD_CTX_free(context);
    /* Without memory there is no hash; an all-zero name belongs to nobody, so the answer is a refusal, never an
     * acceptance. */
    if (!done) memset(ret_hash, 0, 32);
    return done;
}

PUBLIC void otpring_name(const char *company, const char *user, uint8_t ret_name[16])
{
    uint8_t hash[32];
    size_t company_size = strlen(company);
    sha256(company, company_size, "", 0, hash);
    memcpy(ret_name, hash, 8);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, company, company_size + 1) == 1 && /* its NUL parts company and user */
                EVP_DigestUpdate(context, user, strlen(user)) == 1 && EVP_DigestFinal_ex(context, hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!done) memset(hash, 0, sizeof hash);
    memcpy(ret_name + 8, hash, 8);
}

PUBLIC uint64_t otpring_source(const char *text)
{
    uint8_t hash[32];
    uint64_t source;
    sha256(text, strlen(text), "", 0, hash);
    memcpy(&source, hash, sizeof source);
    source = le64toh(source);
    return source ? source : 1; /* 0 says that the source is not known */
}

PUBLIC const char *otpring_error_text(int error)
{
    if (error >= 0) return "done";
    switch ((enum otpring_error)error) {
    case OTPRING_E_ARGUMENT:
        return "an argument is out of range";
    case OTPRING_E_MEMORY:
        return "not enough memory";
    case OTPRING_E_CONNECT:
        return "no connection to the daemon";
    case OTPRING_E_TIMEOUT:
        return "no answer in time";
    case OTPRING_E_PROTOCOL:
        return "the daemon and this client do not understand each other";
    case OTPRING_E_SESSION:
        return "the session expired: what was unanswered is undecided";
    case OTPRING_E_FULL:
        return "all slots are in flight";
    }
    return "unknown error";
}

PUBLIC const char *otpring_last_error(const struct otpring_client *client)
{
    return client->last_error;
}
