#include "otpring-relay/folder.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef OTPRING_DATA_FOLDER
#define OTPRING_DATA_FOLDER "/usr/share/otpring"
#endif

/* "/opt/x" of "/opt/x/bin/otpring-relay", in place. */
static bool prefix_cut(char *path)
{
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (!slash) return false;
        *slash = 0;
    }
    return true;
}

static bool beside_program(char *ret_path, size_t size)
{
    char program[PATH_MAX];
    struct stat about;
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) return false;
    program[length] = 0;
    if (!prefix_cut(program)) return false;
    int wanted = snprintf(ret_path, size, "%s/share/otpring/texts", program);
    return wanted > 0 && (size_t)wanted < size && stat(ret_path, &about) == 0 && S_ISDIR(about.st_mode);
}

void folder_texts(char *ret_path, size_t size)
{
    if (!beside_program(ret_path, size)) snprintf(ret_path, size, "%s", OTPRING_DATA_FOLDER "/texts");
}
