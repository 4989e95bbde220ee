/* check: the whole chain, seals and signatures, without any secret. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"
#include "log.h"
#include "os/files.h"

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 64 hex digits; white space may follow. */
static bool parse_key(const char *text, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    for (unsigned i = 0; i < VAULT_PUBLIC_KEY_SIZE; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0) return false;
        ret_key[i] = (uint8_t)(high << 4 | low);
    }
    text += 2 * VAULT_PUBLIC_KEY_SIZE;
    return text[strspn(text, " \t\r\n")] == '\0';
}

static int read_key(const struct log_options *options, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    char path[4096];
    int size = options->public_key ? snprintf(path, sizeof path, "%s", options->public_key)
                                   : snprintf(path, sizeof path, "%s/audit.pub", options->store);
    FILE *file = size < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!file) return complain(EXIT_USAGE, "%s: cannot read the public key; name it with --public-key FILE", path);
    char text[256];
    size_t have = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[have] = '\0';
    if (!parse_key(text, ret_key)) return complain(EXIT_USAGE, "%s: not a public key (64 hex digits)", path);
    return EXIT_DONE;
}

/* A restored store's journal begins where its backup's did. Records of before this was written down say no position. */
static bool begins_at(const struct slot_act *act, const uint8_t *payload, uint64_t first_position)
{
    struct act_restore restore = {0};
    if (act->act != ACT_RESTORE) return false;
    if (act->payload_size < sizeof restore) return true;
    memcpy(&restore, payload, sizeof restore);
    return restore.journal_first == first_position;
}

/* A store that was ever served has this file; a backup, or a folder of segments, has not. */
static bool is_part(const struct log_options *options)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/identity", options->store) < (int)sizeof path && !files_exist(path);
}

static void print_report(const struct log_options *options, const struct journal_check_report *report, bool part)
{
    const char *finding = report->finding;
    if (options->json) {
        /* The finding's text is ours and holds no quote or backslash. */
        printf("{\"blocks\":%" PRIu64 ",\"records\":%" PRIu64 ",\"first_position\":%" PRIu64
               ",\"last_position\":%" PRIu64 ",\"sealed_through\":%" PRIu64 ",\"signed_through\":%" PRIu64,
               report->blocks, report->records, report->first_position, report->last_position, report->sealed_through,
               report->signed_through);
        printf(",\"part\":%s", part ? "true" : "false");
        if (finding[0])
            printf(",\"bad_position\":%" PRIu64 ",\"finding\":\"%s\"}\n", report->bad_position, finding);
        else
            printf(",\"finding\":null}\n");
        return;
    }
    printf("%" PRIu64 " records in %" PRIu64 " blocks, positions %" PRIu64 " to %" PRIu64 "\n", report->records,
           report->blocks, report->first_position, report->last_position);
    printf("sealed through %" PRIu64 ", signed through %" PRIu64 "\n", report->sealed_through, report->signed_through);
    if (part && report->first_position > 1)
        printf("note: no store but a backup or single segments (no identity file): what was before position %" PRIu64
               " is not checked\n",
               report->first_position);
    if (finding[0])
        printf("FOUND at position %" PRIu64 ": %s\n", report->bad_position, finding);
    else
        printf("nothing found; what was cut off behind the last checkpoint that you know of cannot be seen\n");
}

int run_check(const struct log_options *options, struct os *os, const char *folder)
{
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    int code = read_key(options, key);
    if (code != EXIT_DONE) return code;
    struct journal_check_report report;
    bool part = is_part(options);
    struct journal_check_options wanted = {.public_key = key, .part = part, .begins_at = begins_at};
    struct result result = journal_check(os, folder, &wanted, &report);
    bool found = report.finding[0] != 0;
    if (result_failed(result) && !found) return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
    print_report(options, &report, part);
    return found ? EXIT_FINDINGS : EXIT_DONE;
}
