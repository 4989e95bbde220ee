/* Recorded traffic from JSON lines, as otpring-log export and show --json print them. Lines that are no verification
 * are passed over. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/moment.h"
#include "traffic.h"

static bool parse_hex(const char *text, uint8_t *ret_bytes, size_t size)
{
    if (strlen(text) != 2 * size) return false;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        char two[3] = {text[2 * i], text[2 * i + 1], 0};
        if (two[0] == '+' || two[0] == '-' || two[0] == ' ' || sscanf(two, "%2x", &byte) != 1) return false;
        ret_bytes[i] = (uint8_t)byte;
    }
    return true;
}

/* 2026-01-31T12:00:00.123Z, as the log prints times. */
static bool parse_time(const char *text, int64_t *ret_ms)
{
    char whole[32];
    unsigned ms;
    size_t size = strcspn(text, ".");
    if (size + 2 > sizeof whole || strlen(text) != size + 5 || text[size + 4] != 'Z') return false;
    if (sscanf(text + size + 1, "%3u", &ms) != 1) return false;
    memcpy(whole, text, size);
    memcpy(whole + size, "Z", 2);
    if (!moment_parse(whole, ret_ms)) return false;
    *ret_ms += ms;
    return true;
}

static uint8_t verdict_of(const char *name)
{
    for (unsigned i = 1; i < OTPRING_VERDICT_COUNT; i++)
        if (strcmp(otpring_verdict_name(i), name) == 0) return (uint8_t)i;
    return 0;
}

/* False: not as the log prints it. */
static bool parse_record(json_t *object, struct traffic_record *ret_record, char ret_request[64])
{
    const char *account = json_string_value(json_object_get(object, "account"));
    const char *verdict = json_string_value(json_object_get(object, "verdict"));
    const char *time = json_string_value(json_object_get(object, "time"));
    const char *source = json_string_value(json_object_get(object, "source"));
    const char *request = json_string_value(json_object_get(object, "request"));
    uint8_t bytes[8] = {0};
    *ret_record = (struct traffic_record){0};
    if (!account || !verdict || !time || !parse_hex(account, ret_record->name, sizeof ret_record->name)) return false;
    if (!parse_time(time, &ret_record->time_ms)) return false;
    if (source && !parse_hex(source, bytes, sizeof bytes)) return false;
    for (size_t i = 0; i < sizeof bytes; i++) ret_record->source = ret_record->source << 8 | bytes[i];
    ret_record->verdict = verdict_of(verdict);
    ret_record->reason = (uint8_t)json_integer_value(json_object_get(object, "reason"));
    ret_record->method = (uint8_t)json_integer_value(json_object_get(object, "method"));
    ret_record->source_class = (uint8_t)json_integer_value(json_object_get(object, "source_class"));
    snprintf(ret_request, 64, "%s", request ? request : "");
    return ret_record->verdict != 0;
}

static int take_line(struct traffic_making *making, const char *line, size_t size, char last_request[64])
{
    struct traffic_record record;
    char request[64];
    json_t *object = json_loadb(line, size, 0, NULL);
    bool act = json_object_get(object, "act") || json_object_get(object, "kind");
    bool parsed = !act && parse_record(object, &record, request);
    json_decref(object);
    if (act) return 0;
    if (!parsed) {
        traffic_damaged(making);
        return 0;
    }
    record.begins = !*request || strcmp(request, last_request) != 0;
    memcpy(last_request, request, sizeof request);
    return traffic_add(making, &record);
}

int traffic_read_lines(struct traffic_making *making, const char *path, char *ret_error, size_t capacity)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL, request[64] = "";
    size_t room = 0;
    ssize_t size;
    int error = 0;
    if (!file) {
        snprintf(ret_error, capacity, "%.200s: %s", path, strerror(errno));
        return -1;
    }
    while (!error && (size = getline(&line, &room, file)) > 0) error = take_line(making, line, (size_t)size, request);
    if (ferror(file)) {
        snprintf(ret_error, capacity, "%.200s: cannot be read", path);
        error = -1;
    }
    free(line);
    if (file != stdin) fclose(file);
    return error;
}
