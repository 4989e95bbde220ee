/* pam_peer FOLDER USERS-FILE USER SECONDS: logins through pam_oath with right HOTP codes, one after another, each with
 * a conversation and a rewrite of the users file, as the module does it. FOLDER holds the service file "otpring-bench".
 * The codes begin at step 0 of the user's seed, whose hex stands in the users file. Prints JSON. */
#include <liboath/oath.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokens.h"

static char code[16];

static int converse(int count, const struct pam_message **messages, struct pam_response **ret_responses, void *context)
{
    (void)messages, (void)context;
    *ret_responses = calloc((size_t)count, sizeof **ret_responses);
    if (!*ret_responses) return PAM_CONV_ERR;
    for (int i = 0; i < count; i++) (*ret_responses)[i].resp = strdup(code);
    return PAM_SUCCESS;
}

static void find_seed(const char *path, const char *user, uint8_t ret_seed[TOKEN_SEED_SIZE])
{
    char line[256], name[64], hex[64];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "HOTP %63s - %63s", name, hex) != 2 || strcmp(name, user) != 0) continue;
        for (int i = 0; i < TOKEN_SEED_SIZE; i++) {
            unsigned byte;
            sscanf(hex + 2 * i, "%2x", &byte);
            ret_seed[i] = (uint8_t)byte;
        }
        fclose(file);
        return;
    }
    fprintf(stderr, "pam_peer: %s is not in %s\n", user, path);
    exit(1);
}

int main(int count, char **arguments)
{
    uint8_t seed[TOKEN_SEED_SIZE];
    struct pam_conv conversation = {.conv = converse};
    uint64_t step = 0;
    if (count != 5) {
        fputs("usage: pam_peer FOLDER USERS-FILE USER SECONDS\n", stderr);
        return 2;
    }
    if (oath_init() != OATH_OK) return 1;
    find_seed(arguments[2], arguments[3], seed);
    double seconds = atof(arguments[4]), begin = bench_now_s(), passed = 0;
    while (passed < seconds) {
        pam_handle_t *handle;
        oath_hotp_generate((const char *)seed, sizeof seed, step++, 6, false, OATH_HOTP_DYNAMIC_TRUNCATION, code);
        if (pam_start_confdir("otpring-bench", arguments[3], &conversation, arguments[1], &handle) != PAM_SUCCESS)
            return 1;
        int status = pam_authenticate(handle, 0);
        pam_end(handle, status);
        if (status != PAM_SUCCESS) {
            fprintf(stderr, "pam_peer: step %llu: %s\n", (unsigned long long)step - 1, pam_strerror(NULL, status));
            return 1;
        }
        passed = bench_now_s() - begin;
    }
    printf("{\"verifications_per_s\": %.1f, \"logins\": %llu}\n", (double)step / passed, (unsigned long long)step);
    return 0;
}
