/* What otpringd is told: defaults, then the configuration file, then flags. The parser is pure; the file's text may be
 * anything.
 *
 * The file is INI: [otpringd] takes the names of the flags; [client NAME] takes uid=, companies=, rights=, challenges=.
 * Unknown sections, keys and bad values are refused by name and line. */
#ifndef TOOLS_OTPRINGD_CONFIG_H
#define TOOLS_OTPRINGD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "core/core.h"
#include "otpringd/cpus.h"

enum { CONFIG_PATH_SIZE = 4096, CONFIG_CLIENTS_MAX = 256, CONFIG_ERROR_SIZE = 256, CONFIG_LINE_SIZE_MAX = 198 };

struct config {
    char store[CONFIG_PATH_SIZE];
    char config[CONFIG_PATH_SIZE];
    char key[CONFIG_PATH_SIZE];       /* empty: STORE.key */
    char kernel[32];                  /* empty: the best */
    uint32_t workers;                 /* 0: by the number of cores */
    char verify_cpus[CPUS_TEXT_SIZE]; /* a list for cpus_parse; empty: wherever the scheduler wants */
    bool insecure_memory;
    bool take_over;
    bool no_sandbox;
    int64_t restore_now_ms;     /* 0: not given */
    uint64_t journal_keep;      /* bytes; 0: the engine's own default, as all below */
    unsigned journal_keep_days; /* 0: whatever their age */
    uint64_t segment_size;
    uint64_t checkpoint_bytes; /* of journal between checkpoints */
    uint64_t tokens_max;
    uint32_t session_idle_s;
    uint32_t connections_max; /* of one worker */
    uint32_t outbox_max;      /* messages that are not settled yet */
    unsigned verify_mode;
    unsigned admin_mode;
    unsigned ask_mode;
    uint64_t challenges_max; /* questions to devices, open and just closed */
    uint64_t marks_max;      /* used responses of OCRA suites without counter and time */
    bool operators;          /* of any user id, on admin.sock */
    uint32_t client_count;
    struct core_client clients[CONFIG_CLIENTS_MAX];
};

/* Finds a user's id; false: no such user. */
typedef bool config_user_lookup(const char *name, uint32_t *ret_uid);

void config_defaults(struct config *ret_config);

/* One setting by the name of its flag. BAD_CONFIG, and why in ret_error. `in_file`: settings that are one-time consents
 * are refused. */
struct result config_set(struct config *config, const char *name, const char *value, bool in_file,
                         char ret_error[CONFIG_ERROR_SIZE]) MUST_USE;

/* A whole file's text. BAD_CONFIG: ret_error says "line N: why". The clients that were there before are replaced. */
struct result config_parse(struct config *config, const char *text, size_t size, config_user_lookup *lookup,
                           char ret_error[CONFIG_ERROR_SIZE]) MUST_USE;

/* The owner and root may do everything unless a section of the file says otherwise. BAD_CONFIG when the table is full.
 */
struct result config_add_owner(struct config *config, uint32_t owner_uid, char ret_error[CONFIG_ERROR_SIZE]) MUST_USE;

/* Names what differs between two configurations and takes effect only at a restart; "" when nothing does. */
void config_restart_needed(const struct config *running, const struct config *wanted, char *ret_names, size_t size);

#endif
