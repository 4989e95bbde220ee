#include "check_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "commands.h"
#include "journal/proof.h"
#include "os/files.h"
#include "os/private_file.h"

static const char head[] = "otpring check state 1";

int check_state_read(const char *path, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                     struct journal_check_state *ret_state, bool *ret_there)
{
    char *text, checkpoint[BASE64_SIZE(192) + 1], seal[BASE64_SIZE(32) + 1], end[2];
    size_t size;
    uint64_t position;
    *ret_there = false;
    if (files_look(path).code == OS_NOT_FOUND) return EXIT_DONE;
    int code = command_read(path, 4096, &text, &size);
    if (code != EXIT_DONE) return code;
    struct journal_check_state state;
    bool fits = strncmp(text, head, sizeof head - 1) == 0 &&
                sscanf(text + sizeof head - 1, "\nposition %20" SCNu64 "\ncheckpoint %256s\nseal %44s%1s", &position,
                       checkpoint, seal, end) == 3 &&
                base64_decode(checkpoint, strlen(checkpoint), &state.checkpoint, sizeof state.checkpoint) &&
                base64_decode(seal, strlen(seal), state.seal_hash, sizeof state.seal_hash) &&
                state.checkpoint.last == position;
    free(text);
    if (!fits) return complain(EXIT_USAGE, "%s: not the state of a check", path);
    if (!checkpoint_signed_by(&state.checkpoint, public_key))
        return complain(EXIT_USAGE, "%s: it is of another log: its checkpoint does not verify with this public key",
                        path);
    *ret_state = state;
    *ret_there = true;
    return EXIT_DONE;
}

bool check_state_write(const char *path, const struct journal_check_state *state)
{
    char text[1024], checkpoint[BASE64_SIZE(192) + 1], seal[BASE64_SIZE(32) + 1];
    base64_encode(&state->checkpoint, sizeof state->checkpoint, checkpoint);
    base64_encode(state->seal_hash, sizeof state->seal_hash, seal);
    int size = snprintf(text, sizeof text, "%s\nposition %" PRIu64 "\ncheckpoint %s\nseal %s\n", head,
                        state->checkpoint.last, checkpoint, seal);
    char fresh[4096];
    struct result result = result_of(BAD_ARGUMENT);
    if (snprintf(fresh, sizeof fresh, "%s.new", path) < (int)sizeof fresh) {
        (void)remove(fresh); /* of a check that was killed here */
        result = files_write_new(fresh, text, (size_t)size);
    }
    if (!result_failed(result) && rename(fresh, path) != 0) result = result_of(OS_FAILED);
    if (!result_failed(result)) result = private_file_sync_name(path);
    if (!result_failed(result)) return true;
    complain(EXIT_UNAVAILABLE, "%s: %s", path, result_text(result));
    return false;
}
