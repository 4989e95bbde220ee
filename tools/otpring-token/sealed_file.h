/* A file that a passphrase opens. Format, version 1:
 *
 *   offset size
 *        0   16  "otpring-token 1\n"
 *       16    1  scrypt: log2 of N
 *       17    1  scrypt: r
 *       18    1  scrypt: p
 *       19    1  0
 *       20   16  salt
 *       36   12  nonce
 *       48    .  AES-256-GCM of the content, then its tag of 16 bytes; the 48 bytes before are associated data
 *
 * The key is scrypt (RFC 7914) of the passphrase and the salt. Salt and nonce are fresh at each writing. A new file is
 * written beside the old one, synced and renamed over it: a crash leaves the one or the other. Mode 0600.
 * The file may have been changed by anybody: parameters that would take more than 1 GiB are refused. */
#ifndef TOOLS_OTPRING_TOKEN_SEALED_FILE_H
#define TOOLS_OTPRING_TOKEN_SEALED_FILE_H

#include <stddef.h>
#include <stdint.h>

enum {
    SEALED_FILE_SIZE_MAX = 1 << 20,
    SEALED_FILE_HEAD_SIZE = 48,
    SEALED_FILE_LOG_N = 15, /* 32 MiB and about a tenth of a second */
    SEALED_FILE_R = 8,
    SEALED_FILE_P = 1,
};

enum sealed_file_result {
    SEALED_FILE_DONE,
    SEALED_FILE_NONE,    /* there is no such file */
    SEALED_FILE_WRONG,   /* the passphrase is wrong, or the file was changed */
    SEALED_FILE_FOREIGN, /* not such a file, or of a later version */
    SEALED_FILE_FAILED,  /* errno says more */
};

/* ret_content: from malloc, with a NUL behind it; the caller wipes and frees. */
enum sealed_file_result sealed_file_read(const char *path, const char *passphrase, char **ret_content,
                                         size_t *ret_size);
enum sealed_file_result sealed_file_write(const char *path, const char *passphrase, const char *content, size_t size);

#endif
