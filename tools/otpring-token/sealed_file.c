#include "sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/arena.h"

enum { MAGIC_SIZE = 16, SALT_AT = 20, SALT_SIZE = 16, NONCE_AT = 36, TAG_SIZE = 16, KEY_SIZE = 32, LOG_N_MAX = 20 };
static const char magic[MAGIC_SIZE + 1] = "otpring-token 1\n";
static const uint64_t memory_max = 1ULL << 30;

static bool key_derive(const uint8_t head[SEALED_FILE_HEAD_SIZE], const char *passphrase, uint8_t ret_key[KEY_SIZE])
{
    uint64_t n = 1ULL << head[16], memory = memory_max + (64 << 20);
    uint32_t r = head[17], p = head[18];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)passphrase, strlen(passphrase)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(head + SALT_AT), SALT_SIZE),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end()};
    bool good = context && EVP_KDF_derive(context, ret_key, KEY_SIZE, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return good;
}

static bool head_valid(const uint8_t *head, size_t size)
{
    if (size < SEALED_FILE_HEAD_SIZE + TAG_SIZE || memcmp(head, magic, MAGIC_SIZE) != 0 || head[19] != 0) return false;
    if (head[16] < 1 || head[16] > LOG_N_MAX || head[17] == 0 || head[18] == 0 || head[18] > 16) return false;
    return (128ULL * head[17]) << head[16] <= memory_max;
}

static bool gcm(bool seal, const uint8_t *key, const uint8_t *head, const uint8_t *from, size_t size, uint8_t *to,
                uint8_t tag[TAG_SIZE])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0;
    uint8_t none[TAG_SIZE];
    bool good = context && EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), key, head + NONCE_AT, seal, NULL) == 1 &&
                EVP_CipherUpdate(context, NULL, &done, head, SEALED_FILE_HEAD_SIZE) == 1 &&
                (seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1) &&
                EVP_CipherUpdate(context, to, &done, from, (int)size) == 1 &&
                EVP_CipherFinal_ex(context, none, &done) == 1 &&
                (!seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1);
    EVP_CIPHER_CTX_free(context);
    return good;
}

static enum sealed_file_result file_read(const char *path, uint8_t **ret_bytes, size_t *ret_size)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? SEALED_FILE_NONE : SEALED_FILE_FAILED;
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum sealed_file_result result = SEALED_FILE_FAILED;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= SEALED_FILE_SIZE_MAX) {
        bytes = malloc((size_t)status.st_size + 1);
        ssize_t got = bytes ? 0 : -1;
        while (got >= 0 && size < (size_t)status.st_size) {
            got = read(file, bytes + size, (size_t)status.st_size - size);
            if (got <= 0) break;
            size += (size_t)got;
        }
        if (bytes && got >= 0) result = SEALED_FILE_DONE;
    } else {
        result = SEALED_FILE_FOREIGN;
    }
    close(file);
    if (result != SEALED_FILE_DONE) free(bytes);
    *ret_bytes = bytes;
    *ret_size = size;
    return result;
}

enum sealed_file_result sealed_file_read(const char *path, const char *passphrase, char **ret_content, size_t *ret_size)
{
    uint8_t *bytes, key[KEY_SIZE];
    size_t size;
    enum sealed_file_result result = file_read(path, &bytes, &size);
    if (result != SEALED_FILE_DONE) return result;
    if (!head_valid(bytes, size)) {
        free(bytes);
        return SEALED_FILE_FOREIGN;
    }
    size_t content_size = size - SEALED_FILE_HEAD_SIZE - TAG_SIZE;
    char *content = malloc(content_size + 1);
    bool opened = content && key_derive(bytes, passphrase, key) &&
                  gcm(false, key, bytes, bytes + SEALED_FILE_HEAD_SIZE, content_size, (uint8_t *)content,
                      bytes + size - TAG_SIZE);
    secret_wipe(key, sizeof(key));
    free(bytes);
    if (!opened) {
        free(content);
        return content ? SEALED_FILE_WRONG : SEALED_FILE_FAILED;
    }
    content[content_size] = 0;
    *ret_content = content;
    *ret_size = content_size;
    return SEALED_FILE_DONE;
}

static bool write_whole(int file, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(file, bytes, size);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

/* The folder's names too, so that the rename outlives a power cut. */
static bool folder_sync(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) + 1 : 0;
    if (size >= sizeof(folder)) return false;
    memcpy(folder, path, size);
    memcpy(folder + size, size ? "" : ".", size ? 1 : 2);
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = file >= 0 && fsync(file) == 0;
    if (file >= 0) close(file);
    return good;
}

static bool file_write(const char *path, const uint8_t *bytes, size_t size)
{
    char beside[PATH_MAX];
    int length = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    if (length < 0 || length >= (int)sizeof(beside)) {
        errno = ENAMETOOLONG;
        return false;
    }
    int file = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    if (file < 0) return false;
    bool good = write_whole(file, bytes, size) && fsync(file) == 0;
    good = close(file) == 0 && good && rename(beside, path) == 0;
    int error = errno;
    if (!good) unlink(beside);
    errno = error;
    return good && folder_sync(path);
}

enum sealed_file_result sealed_file_write(const char *path, const char *passphrase, const char *content, size_t size)
{
    uint8_t key[KEY_SIZE];
    if (size > SEALED_FILE_SIZE_MAX - SEALED_FILE_HEAD_SIZE - TAG_SIZE) return SEALED_FILE_FAILED;
    uint8_t *bytes = malloc(SEALED_FILE_HEAD_SIZE + size + TAG_SIZE);
    if (!bytes) return SEALED_FILE_FAILED;
    memcpy(bytes, magic, MAGIC_SIZE);
    bytes[16] = SEALED_FILE_LOG_N;
    bytes[17] = SEALED_FILE_R;
    bytes[18] = SEALED_FILE_P;
    bytes[19] = 0;
    bool good = RAND_bytes(bytes + SALT_AT, SALT_SIZE + 12) == 1 && key_derive(bytes, passphrase, key) &&
                gcm(true, key, bytes, (const uint8_t *)content, size, bytes + SEALED_FILE_HEAD_SIZE,
                    bytes + SEALED_FILE_HEAD_SIZE + size) &&
                file_write(path, bytes, SEALED_FILE_HEAD_SIZE + size + TAG_SIZE);
    secret_wipe(key, sizeof(key));
    free(bytes);
    return good ? SEALED_FILE_DONE : SEALED_FILE_FAILED;
}
