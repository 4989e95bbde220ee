/* otpring-load: measures otpringd under load from synthetic accounts. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"

static volatile sig_atomic_t stop;

static void ask_to_stop(int number)
{
    (void)number;
    stop = 1;
}

int main(int argc, char **argv)
{
    struct load_options options;
    load_options_parse(argc, argv, &options);
    struct sigaction action = {.sa_handler = ask_to_stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A second Ctrl-C during the removal must not leave it half done; both stay caught. Many connections need many
     * descriptors. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return load_run(&options, &stop, stdout, stderr);
}
