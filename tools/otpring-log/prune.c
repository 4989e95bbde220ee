/* prune: removing is an act, and acts are otpring's: to the daemon, or under the store's lock. This hands over to the
 * otpring beside this program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

/* The words but for the command's own, behind `otpring log prune`. */
int command_prune(int argc, char **argv)
{
    char path[4096];
    char **words = calloc((size_t)argc + 3, sizeof *words);
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash = size > 0 ? (path[size] = '\0', strrchr(path, '/')) : NULL;
    if (!words || !slash || (size_t)(slash - path) + sizeof "/otpring" > sizeof path) {
        free(words);
        return complain(EXIT_UNAVAILABLE, "otpring cannot be found");
    }
    strcpy(slash, "/otpring");
    int count = 0, own = command_at(argc, argv);
    words[count++] = path;
    words[count++] = (char[]){"log"};
    words[count++] = (char[]){"prune"};
    for (int i = 1; i < argc; i++)
        if (i != own) words[count++] = argv[i];
    execv(path, words);
    free(words);
    return complain(EXIT_UNAVAILABLE, "%s: %s", path, strerror(errno));
}
