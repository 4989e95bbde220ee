#include "otpring-relay/sign.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <stdio.h>
#include <string.h>

static bool mac(EVP_MAC_CTX *context, const uint8_t *secret, size_t secret_size, const char *time, const char *body,
                size_t size, uint8_t ret_mac[32])
{
    char digest[] = "SHA256";
    size_t mac_size = 0;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    return EVP_MAC_init(context, secret, secret_size, parameters) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)time, strlen(time)) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)".", 1) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)body, size) == 1 &&
           EVP_MAC_final(context, ret_mac, &mac_size, 32) == 1 && mac_size == 32;
}

bool sign_body(const uint8_t *secret, size_t secret_size, int64_t time_s, const char *body, size_t size,
               char ret_header[SIGN_HEADER_SIZE])
{
    char time[24];
    uint8_t bytes[32];
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = algorithm ? EVP_MAC_CTX_new(algorithm) : NULL;
    snprintf(time, sizeof time, "%" PRId64, time_s);
    bool made = context && mac(context, secret, secret_size, time, body, size, bytes);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(algorithm);
    if (!made) return false;
    int at = snprintf(ret_header, SIGN_HEADER_SIZE, "Otpring-Signature: t=%s,v1=", time);
    for (size_t i = 0; i < sizeof bytes; i++) at += snprintf(ret_header + at, 3, "%02x", bytes[i]);
    return true;
}
