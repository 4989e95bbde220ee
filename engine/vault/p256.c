#include "vault/p256.h"

/* The calls are marked deprecated since OpenSSL 3.0, but remain throughout 3.x. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/ecdh.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <pthread.h>

/* Made once, kept for the life of the process; never changed after. */
static EC_GROUP *group;
static pthread_once_t group_once = PTHREAD_ONCE_INIT;

static void group_make(void)
{
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

static EC_KEY *key_new(void)
{
    pthread_once(&group_once, group_make);
    EC_KEY *key = group ? EC_KEY_new() : NULL;
    if (key && EC_KEY_set_group(key, group) != 1) {
        EC_KEY_free(key);
        return NULL;
    }
    return key;
}

/* NULL where the bytes are no point: oct2point knows other forms too (hybrid), which its first byte rules out. */
static EC_KEY *key_of_point(const uint8_t point[P256_POINT_SIZE])
{
    EC_KEY *key = point[0] == POINT_CONVERSION_UNCOMPRESSED ? key_new() : NULL;
    EC_POINT *at = key ? EC_POINT_new(group) : NULL;
    bool good =
        at && EC_POINT_oct2point(group, at, point, P256_POINT_SIZE, NULL) == 1 && EC_KEY_set_public_key(key, at) == 1;
    EC_POINT_free(at);
    if (good) return key;
    EC_KEY_free(key);
    return NULL;
}

/* With its public point. NULL where the scalar is out of range. */
static EC_KEY *key_of_scalar(const uint8_t scalar[P256_SCALAR_SIZE])
{
    EC_KEY *key = key_new();
    BIGNUM *number = key ? BN_bin2bn(scalar, P256_SCALAR_SIZE, NULL) : NULL;
    EC_POINT *at = number ? EC_POINT_new(group) : NULL;
    bool good = at && !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0 &&
                EC_KEY_set_private_key(key, number) == 1 && EC_POINT_mul(group, at, number, NULL, NULL, NULL) == 1 &&
                EC_KEY_set_public_key(key, at) == 1;
    EC_POINT_free(at);
    BN_clear_free(number);
    if (good) return key;
    EC_KEY_free(key);
    return NULL;
}

bool p256_point_valid(const uint8_t point[P256_POINT_SIZE])
{
    EC_KEY *key = key_of_point(point);
    EC_KEY_free(key);
    return key != NULL;
}

bool p256_public(const uint8_t scalar[P256_SCALAR_SIZE], uint8_t ret_point[P256_POINT_SIZE])
{
    EC_KEY *key = key_of_scalar(scalar);
    bool good = key && EC_POINT_point2oct(group, EC_KEY_get0_public_key(key), POINT_CONVERSION_UNCOMPRESSED, ret_point,
                                          P256_POINT_SIZE, NULL) == P256_POINT_SIZE;
    EC_KEY_free(key);
    return good;
}

bool p256_dh(const uint8_t scalar[P256_SCALAR_SIZE], const uint8_t point[P256_POINT_SIZE],
             uint8_t ret_shared[P256_SCALAR_SIZE])
{
    EC_KEY *own = key_of_scalar(scalar), *other = own ? key_of_point(point) : NULL;
    bool good = other && ECDH_compute_key(ret_shared, P256_SCALAR_SIZE, EC_KEY_get0_public_key(other), own, NULL) ==
                             P256_SCALAR_SIZE;
    EC_KEY_free(own);
    EC_KEY_free(other);
    return good;
}

bool p256_sign(const uint8_t scalar[P256_SCALAR_SIZE], const uint8_t hash[32],
               uint8_t ret_signature[P256_SIGNATURE_SIZE])
{
    EC_KEY *key = key_of_scalar(scalar);
    ECDSA_SIG *signature = key ? ECDSA_do_sign(hash, 32, key) : NULL;
    bool good = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + 32, 32) == 32;
    ECDSA_SIG_free(signature);
    EC_KEY_free(key);
    return good;
}

bool p256_verify(const uint8_t point[P256_POINT_SIZE], const uint8_t hash[32],
                 const uint8_t signature[P256_SIGNATURE_SIZE])
{
    EC_KEY *key = key_of_point(point);
    ECDSA_SIG *numbers = key ? ECDSA_SIG_new() : NULL;
    BIGNUM *r = numbers ? BN_bin2bn(signature, 32, NULL) : NULL, *s = r ? BN_bin2bn(signature + 32, 32, NULL) : NULL;
    /* The numbers are the signature's once it takes them. */
    bool good = s && ECDSA_SIG_set0(numbers, r, s) == 1;
    if (!good) {
        BN_free(r);
        BN_free(s);
    }
    good = good && ECDSA_do_verify(hash, 32, numbers, key) == 1;
    ECDSA_SIG_free(numbers);
    EC_KEY_free(key);
    return good;
}
