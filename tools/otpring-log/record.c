/* Records as text. Every value is a number, hex, a name of our own tables, or a client's name with everything escaped
 * that is not plain, so no byte of the journal reaches the terminal raw. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/change.h"
#include "log.h"

static const char *act_name(unsigned act, char number[16])
{
    static const char *const names[] = {
        [ACT_START] = "START",
        [ACT_STOP] = "STOP",
        [ACT_TOKEN_ADD] = "TOKEN_ADD",
        [ACT_TOKEN_REMOVE] = "TOKEN_REMOVE",
        [ACT_TOKEN_SUSPEND] = "TOKEN_SUSPEND",
        [ACT_TOKEN_RESUME] = "TOKEN_RESUME",
        [ACT_TOKEN_SET] = "TOKEN_SET",
        [ACT_TOKEN_RESYNC] = "TOKEN_RESYNC",
        [ACT_ACCOUNT_UNLOCK] = "ACCOUNT_UNLOCK",
        [ACT_PROFILE_SET] = "PROFILE_SET",
        [ACT_SESSION_OPEN] = "SESSION_OPEN",
        [ACT_BURN] = "BURN",
        [ACT_CLOCK_CONSENT] = "CLOCK_CONSENT",
        [ACT_RESTORE] = "RESTORE",
        [ACT_BACKUP] = "BACKUP",
        [ACT_CLIENT] = "CLIENT",
        [ACT_CHANGE] = "CHANGE",
    };
    if (act < sizeof names / sizeof names[0] && names[act]) return names[act];
    snprintf(number, 16, "%u", act);
    return number;
}

static const char *verdict_name(unsigned verdict, char number[16])
{
    const char *name = otpring_verdict_name(verdict);
    if (name) return name;
    snprintf(number, 16, "%u", verdict);
    return number;
}

static void time_text(int64_t time_ms, char ret_text[64])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    if (time_ms < 0 || !gmtime_r(&seconds, &utc) || utc.tm_year > 8099) {
        snprintf(ret_text, 64, "%" PRId64 "ms", time_ms);
        return;
    }
    size_t size = strftime(ret_text, 64, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + size, 64 - size, ".%03dZ", (int)(time_ms % 1000));
}

static void hex_text(const uint8_t *bytes, unsigned size, char *ret_text)
{
    for (unsigned i = 0; i < size; i++) snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

enum { REASON_TEXT = 2 + 6 * CORE_CHANGE_REASON_MAX / 2 + 1, CHANGE_TEXT = REASON_TEXT + 160 };

/* As a JSON string of plain ASCII, in both outputs: what is not is written \uXXXX. The text is valid UTF-8 of at most
 * CORE_CHANGE_REASON_MAX bytes; a sequence of n bytes takes at most 3n characters. */
static void reason_text(const char *reason, char ret_text[REASON_TEXT])
{
    char *to = ret_text;
    *to++ = '"';
    for (const unsigned char *at = (const unsigned char *)reason; *at;) {
        unsigned more = *at < 0xc0 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? *at : *at & (0x3fu >> more);
        for (at++; more > 0; more--) point = point << 6 | (*at++ & 0x3fu);
        if (point == '"' || point == '\\')
            to += sprintf(to, "\\%c", (int)point);
        else if (point < 0x7f)
            *to++ = (char)point;
        else if (point < 0x10000)
            to += sprintf(to, "\\u%04x", point);
        else
            to += sprintf(to, "\\u%04x\\u%04x", 0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
    }
    *to++ = '"';
    *to = 0;
}

struct name_filter name_filter_of(const char *company, const char *user)
{
    struct name_filter filter = {.size = 0};
    uint8_t hash[32];
    if (!company) return filter;
    vault_sha256(company, strlen(company), hash);
    memcpy(filter.name, hash, 8);
    filter.size = 8;
    if (!user) return filter;
    char both[1024];
    int size = snprintf(both, sizeof both, "%s%c%s", company, 0, user);
    /* Longer names than the engine takes fit no record. */
    if (size < 0 || size >= (int)sizeof both) size = 0;
    vault_sha256(both, (size_t)size, hash);
    memcpy(filter.name + 8, hash, 8);
    filter.size = 16;
    return filter;
}

static bool fits(const struct name_filter *filter, const uint8_t name[16])
{
    return memcmp(filter->name, name, filter->size) == 0;
}

struct place {
    uint64_t position;
    uint32_t slot;
    char time[64];
};

static bool verify_line(const struct log_options *options, const struct place *place, const struct slot_verify *verify,
                        char line[LINE_SIZE])
{
    char number[16];
    char name[33];
    char step[16] = "-";
    if (options->verdict && verify->verdict != options->verdict) return false;
    hex_text(verify->name, 16, name);
    bool matched = verify->ordinal != UINT32_MAX;
    if (matched) snprintf(step, sizeof step, "%+d", verify->step_distance);
    const char *verdict = verdict_name(verify->verdict, number);
    const char *client = client_name(verify->client);
    char id[8];
    snprintf(id, sizeof id, "%04x", verify->client);
    if (!options->json) {
        snprintf(line, LINE_SIZE, "%" PRIu64 ".%u %s %s %s %s %s %016" PRIx64, place->position, place->slot,
                 place->time, verdict, name, step, client ? client : id, verify->source);
        return true;
    }
    char token[32] = "null";
    if (matched) snprintf(token, sizeof token, "%u", verify->ordinal);
    if (matched) snprintf(step, sizeof step, "%d", verify->step_distance);
    snprintf(line, LINE_SIZE,
             "{\"position\":%" PRIu64
             ",\"index\":%u,\"time\":\"%s\",\"verdict\":\"%s\",\"reason\":%u,\"account\":\"%s\",\"token\":%s,"
             "\"step_distance\":%s,\"client\":\"%s\",\"client_name\":%s%s%s,\"source\":\"%016" PRIx64
             "\",\"source_class\":%u,\"method\":%u,\"retry_after_s\":%u}",
             place->position, place->slot, place->time, verdict, verify->reason, name, token, matched ? step : "null",
             id, client ? "\"" : "", client ? client : "null", client ? "\"" : "", verify->source, verify->source_class,
             verify->method, verify->verdict == OTPRING_THROTTLED ? slot_verify_retry_after_s(verify) : 0);
    return true;
}

/* The engine's own acts (a start, a session, a client named) have no administrator behind them. */
static void actor_text(const struct log_options *options, const struct slot_act *act, char ret_text[64])
{
    if (act->uid == UINT32_MAX)
        snprintf(ret_text, 64, options->json ? "null" : "engine");
    else
        snprintf(ret_text, 64, options->json ? "%u" : "uid=%u", act->uid);
    if (act->operator_id == 0) return;
    size_t size = strlen(ret_text);
    snprintf(ret_text + size, 64 - size, options->json ? ",\"operator\":%u" : ",operator=%u", act->operator_id);
}

static const char *act_client_name(const struct slot_act *act, const uint8_t *payload)
{
    struct act_client client;
    if (act->act != ACT_CLIENT || act->payload_size != sizeof client) return NULL;
    memcpy(&client, payload, sizeof client);
    client_name_set(client.id, client.name, strnlen(client.name, sizeof client.name));
    return client_name(client.id);
}

/* What an act of a room above core says of itself: its name, the number it is about, and why. */
static void change_text(const struct log_options *options, const struct slot_act *act, const uint8_t *payload,
                        char ret_text[CHANGE_TEXT])
{
    struct core_change_view view;
    char reason[REASON_TEXT];
    ret_text[0] = 0;
    if (act->act != ACT_CHANGE || result_failed(core_change_decode(payload, act->payload_size, &view))) return;
    reason_text(view.reason, reason);
    if (options->json)
        snprintf(ret_text, CHANGE_TEXT, ",\"change\":\"%s\",\"subject\":%" PRIu64 ",\"rows\":%u,\"reason\":%s",
                 view.name, view.subject, view.row_count, view.reason[0] ? reason : "null");
    else
        snprintf(ret_text, CHANGE_TEXT, " %s %" PRIu64 " %s", view.name, view.subject, view.reason[0] ? reason : "-");
}

static bool act_line(const struct log_options *options, const struct place *place, const struct slot_act *act,
                     const uint8_t *payload, char line[LINE_SIZE])
{
    char number[16];
    char name[33];
    char token[32];
    char actor[64];
    char change[CHANGE_TEXT];
    bool about_token = act->act >= ACT_TOKEN_ADD && act->act <= ACT_TOKEN_RESYNC && act->ordinal != UINT32_MAX;
    const char *client = act_client_name(act, payload);
    if (options->verdict) return false;
    hex_text(act->name, 16, name);
    snprintf(token, sizeof token, "%u", act->ordinal);
    actor_text(options, act, actor);
    change_text(options, act, payload, change);
    const char *what = act_name(act->act, number);
    if (!options->json)
        snprintf(line, LINE_SIZE, "%" PRIu64 ".%u %s ACT %s %s %s %s%s%s%s", place->position, place->slot, place->time,
                 what, name, about_token ? token : "-", actor, client ? " " : "", client ? client : "", change);
    else
        snprintf(line, LINE_SIZE,
                 "{\"position\":%" PRIu64
                 ",\"index\":%u,\"time\":\"%s\",\"act\":\"%s\",\"account\":\"%s\",\"token\":%s,\"uid\":%s%s%s%s%s}",
                 place->position, place->slot, place->time, what, name, about_token ? token : "null", actor,
                 client ? ",\"client_name\":\"" : "", client ? client : "", client ? "\"" : "", change);
    return true;
}

static void own_line(const struct log_options *options, const struct place *place, const char *what, uint64_t segment,
                     uint64_t first, uint64_t last, char line[LINE_SIZE])
{
    if (!options->json)
        snprintf(line, LINE_SIZE, "%" PRIu64 ".%u %s %s segment %" PRIx64 " positions %" PRIu64 "-%" PRIu64,
                 place->position, place->slot, place->time, what, segment, first, last);
    else
        snprintf(line, LINE_SIZE,
                 "{\"position\":%" PRIu64 ",\"index\":%u,\"time\":\"%s\",\"own\":\"%s\",\"segment\":%" PRIu64
                 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 "}",
                 place->position, place->slot, place->time, what, segment, first, last);
}

static bool own_record(const struct log_options *options, const struct place *place, const uint8_t *at,
                       char line[LINE_SIZE])
{
    struct slot_seal seal;
    struct slot_checkpoint checkpoint;
    struct slot_removal removal;
    switch (at[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_SEAL:
        memcpy(&seal, at, JOURNAL_SLOT_SIZE);
        own_line(options, place, "SEAL", seal.segment, seal.first, seal.last, line);
        return true;
    case SLOT_CHECKPOINT:
        memcpy(&checkpoint, at, JOURNAL_SLOT_SIZE);
        own_line(options, place, "CHECKPOINT", checkpoint.segment, checkpoint.first, checkpoint.last, line);
        return true;
    case SLOT_REMOVAL:
        memcpy(&removal, at, JOURNAL_SLOT_SIZE);
        own_line(options, place, "REMOVAL", removal.segment, removal.first, removal.last, line);
        return true;
    default:
        return false;
    }
}

bool record_line(const struct log_options *options, const struct name_filter *filter,
                 const struct journal_block_view *block, uint32_t slot, char line[LINE_SIZE])
{
    const uint8_t *at = block->slots + (size_t)slot * JOURNAL_SLOT_SIZE;
    struct place place = {.position = block->header->position, .slot = slot};
    time_text(block->header->time_ms, place.time);
    struct slot_verify verify;
    struct slot_act act;
    switch (at[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_VERIFY:
        memcpy(&verify, at, sizeof verify);
        return fits(filter, verify.name) && verify_line(options, &place, &verify, line);
    case SLOT_ACT: {
        memcpy(&act, at, sizeof act);
        return fits(filter, act.name) && act_line(options, &place, &act, at + JOURNAL_SLOT_SIZE, line);
    }
    default:
        return options->own && filter->size == 0 && !options->verdict && own_record(options, &place, at, line);
    }
}
