/* The command line of otpring-load. */
#ifndef OTPRING_LOAD_OPTIONS_H
#define OTPRING_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { LOAD_DONE = 0, LOAD_UNEXPECTED = 1, LOAD_USAGE = 2, LOAD_UNAVAILABLE = 3 };

/* What an item of the load is. */
enum load_kind { LOAD_RIGHT, LOAD_NEAR, LOAD_WRONG, LOAD_REPLAYED, LOAD_KIND_COUNT };

enum { LOAD_DAEMON_OPTIONS_MAX = 32, LOAD_LOOK_AHEAD_MIN = 2, LOAD_LOOK_AHEAD_MAX = 10 };
enum { LOAD_LINE_SIZE = 1024, LOAD_ERROR_SIZE = LOAD_LINE_SIZE + 256 };

struct load_options {
    const char *store;
    uint32_t accounts;
    uint32_t batch;
    uint32_t connections;
    uint32_t in_flight;
    uint32_t threads;
    double seconds;
    double warmup_s;
    double rate; /* queries a second; 0: closed loop */
    uint32_t mix[LOAD_KIND_COUNT];
    uint64_t seed;
    const char *company;     /* NULL: a random name */
    const char *series_path; /* "-": standard input; NULL: one run */
    const char *hdr_path;
    const char *from_log; /* recorded traffic instead of a mix; "-": standard input */
    double speed;         /* of it: so many times as fast as recorded; 0: as answers come */
    bool speed_given;
    bool seconds_given;
    const char *unlike_log; /* an option that was given and means nothing with a log; NULL: none */
    bool json;
    const char *remove; /* a company that a killed run left: only remove its accounts */
    bool keep;
    bool totp;
    bool own_profile; /* the accounts' profile is not the type's default one, but looks so far: */
    uint32_t look_ahead;
    uint32_t resync_window;
    const char *algorithm; /* sha1, sha256, sha512 */
    bool scratch;
    const char *scratch_folder;
    const char *daemon_options[LOAD_DAEMON_OPTIONS_MAX + 1];
    uint32_t daemon_option_count;
};

void load_options_default(struct load_options *ret_options);
/* Ends the program with status 2 on a bad command line, as argp does. */
void load_options_parse(int argc, char **argv, struct load_options *ret_options);
/* One line of a series: options that hold for this run over those of the command line; only such as concern no accounts
 * and no other run. What options point to stays in the line. False, with ret_error: it is none, and options are not to
 * be used. */
bool load_options_line(char *line, struct load_options *options, char ret_error[LOAD_ERROR_SIZE]);
/* "right:95,near:3": names not given count 0. False when it is none. */
bool load_mix_parse(const char *text, uint32_t ret_mix[LOAD_KIND_COUNT]);

#endif
