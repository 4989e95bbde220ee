/* A record as a JSON object on one line. Names of fields do not change; others may be added. */
#include <inttypes.h>
#include <string.h>

#include "acts.h"
#include "event.h"
#include "otpring/verdict.h"

static void key(struct text *text, const char *name)
{
    text_string(text, ",\"");
    text_string(text, name);
    text_string(text, "\":");
}

static void string_or_null(struct text *text, const char *name, const char *value)
{
    key(text, name);
    if (value && *value)
        text_json(text, value, strlen(value));
    else
        text_string(text, "null");
}

static void account_fields(struct text *text, const struct event_style *style, const uint8_t name[16])
{
    const struct account_name *known = names_account(style->look, name);
    string_or_null(text, "company", known ? known->company : NULL);
    string_or_null(text, "user", known ? known->user : NULL);
}

static void request_fields(struct text *text, const struct event *event)
{
    key(text, "request");
    if (!event->has_frame) {
        text_string(text, "null");
        return;
    }
    text_char(text, '"');
    text_request(text, &event->frame);
    text_string(text, "\",\"item\":");
    text_unsigned(text, event->verify.item);
    text_string(text, ",\"tag\":");
    text_unsigned(text, event->frame.tag);
    text_string(text, event->frame.retry ? ",\"retry\":true" : ",\"retry\":false");
}

static void verify_json(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_verify *verify = &event->verify;
    bool throttled = verify->verdict == OTPRING_THROTTLED;
    bool matched = verify->ordinal != UINT32_MAX;
    text_string(text, ",\"verdict\":\"");
    text_verdict(text, verify->verdict);
    text_string(text, "\",\"reason\":");
    text_unsigned(text, verify->reason);
    text_string(text, ",\"account\":\"");
    text_hex(text, verify->name, 16);
    text_string(text, "\",\"token\":");
    if (matched)
        text_unsigned(text, verify->ordinal);
    else
        text_string(text, "null");
    text_string(text, ",\"step_distance\":");
    if (matched && !throttled)
        text_signed(text, verify->step_distance);
    else
        text_string(text, "null");
    text_string(text, ",\"client\":\"");
    text_hex(text, (const uint8_t[]){(uint8_t)(verify->client >> 8), (uint8_t)verify->client}, 2);
    text_char(text, '"');
    string_or_null(text, "client_name", client_name(verify->client));
    text_string(text, ",\"source\":\"");
    text_hex64(text, verify->source);
    text_string(text, "\",\"source_class\":");
    text_unsigned(text, verify->source_class);
    text_string(text, ",\"method\":");
    text_unsigned(text, verify->method);
    text_string(text, ",\"retry_after_s\":");
    text_unsigned(text, throttled ? slot_verify_retry_after_s(verify) : 0);
    text_string(text, ",\"reason_name\":\"");
    text_reason(text, verify->reason, "NONE");
    text_char(text, '"');
    account_fields(text, style, verify->name);
    request_fields(text, event);
}

static void act_json(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_act *act = &event->act;
    struct act_detail detail;
    act_detail_read(act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    text_string(text, ",\"act\":\"");
    text_act(text, act->act);
    text_string(text, "\",\"account\":\"");
    text_hex(text, act->name, 16);
    text_string(text, "\",\"token\":");
    if (act_about_token(act))
        text_unsigned(text, act->ordinal);
    else
        text_string(text, "null");
    text_string(text, ",\"uid\":");
    if (act->uid != UINT32_MAX)
        text_unsigned(text, act->uid);
    else
        text_string(text, "null");
    if (act->operator_id) text_format(text, ",\"operator\":%u", act->operator_id);
    if (detail.has_client) string_or_null(text, "client_name", client_name(detail.client.id));
    if (detail.has_change) {
        string_or_null(text, "change", detail.change.name);
        text_format(text, ",\"subject\":%" PRIu64 ",\"rows\":%u", detail.change.subject, detail.change.row_count);
        string_or_null(text, "reason", detail.change.reason);
        if (detail.challenge[0]) text_format(text, ",\"challenge\":\"%s\"", detail.challenge);
    }
    account_fields(text, style, act->name);
}

static void own_json(struct text *text, const uint8_t *bytes)
{
    struct slot_seal seal;
    struct slot_checkpoint checkpoint;
    struct slot_removal removal;
    const char *form = ",\"own\":\"%s\",\"segment\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64;
    switch (bytes[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_SEAL:
        memcpy(&seal, bytes, JOURNAL_SLOT_SIZE);
        text_format(text, form, "SEAL", seal.segment, seal.first, seal.last);
        return;
    case SLOT_CHECKPOINT:
        memcpy(&checkpoint, bytes, JOURNAL_SLOT_SIZE);
        text_format(text, form, "CHECKPOINT", checkpoint.segment, checkpoint.first, checkpoint.last);
        return;
    default:
        memcpy(&removal, bytes, JOURNAL_SLOT_SIZE);
        text_format(text, form, "REMOVAL", removal.segment, removal.first, removal.last);
        return;
    }
}

void event_json(struct text *text, const struct event_style *style, const struct event *event)
{
    text_string(text, "{\"position\":");
    text_unsigned(text, event->position);
    text_string(text, ",\"index\":");
    text_unsigned(text, event->slot);
    text_string(text, ",\"time\":\"");
    text_time(text, event->time_ms);
    text_char(text, '"');
    switch (event->kind) {
    case EVENT_VERIFY:
        verify_json(text, style, event);
        break;
    case EVENT_ACT:
        act_json(text, style, event);
        break;
    case EVENT_OWN:
        own_json(text, event->bytes);
        break;
    }
    text_string(text, "}\n");
}
