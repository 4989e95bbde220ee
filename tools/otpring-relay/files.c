#include "otpring-relay/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "os/arena.h"

static bool refuse(char ret_error[FILES_ERROR_SIZE], const char *path, const char *why)
{
    snprintf(ret_error, FILES_ERROR_SIZE, "%.300s: %s", path, why);
    return false;
}

static bool text_read(FILE *file, const char *path, char *ret_text, size_t size_max, char ret_error[FILES_ERROR_SIZE])
{
    size_t size = fread(ret_text, 1, size_max, file);
    if (ferror(file)) return refuse(ret_error, path, strerror(errno));
    if (size == size_max || memchr(ret_text, 0, size)) return refuse(ret_error, path, "too long, or not a text");
    ret_text[size] = 0;
    return true;
}

bool file_text(const char *path, char *ret_text, size_t size_max, char ret_error[FILES_ERROR_SIZE])
{
    FILE *file = fopen(path, "re");
    if (!file) return refuse(ret_error, path, strerror(errno));
    bool read = text_read(file, path, ret_text, size_max, ret_error);
    fclose(file);
    return read;
}

static bool line_take(char *text, const char *path, char ret_error[FILES_ERROR_SIZE])
{
    size_t size = strcspn(text, "\r\n");
    if (text[size + strspn(text + size, "\r\n")]) return refuse(ret_error, path, "more than one line");
    text[size] = 0;
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) return refuse(ret_error, path, "a control character");
    return size > 0 || refuse(ret_error, path, "empty");
}

bool file_secret(const char *path, char *ret_text, size_t size_max, char ret_error[FILES_ERROR_SIZE])
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (!file) return refuse(ret_error, path, strerror(errno));
    bool closed = fstat(fileno(file), &status) == 0 && (status.st_mode & 07) == 0;
    bool read = closed ? text_read(file, path, ret_text, size_max, ret_error)
                       : refuse(ret_error, path, "a secret that others can read (mode 0400 or 0440)");
    fclose(file);
    read = read && line_take(ret_text, path, ret_error);
    if (!read) secret_wipe(ret_text, size_max);
    return read;
}
