/* A record as a line of words, for people and for awk. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "event.h"
#include "otpring/verdict.h"

static void colour(struct text *text, const struct event_style *style, const char *code)
{
    if (style->colour) text_string(text, code);
}

static void verify_line(struct text *text, const struct event_style *style, const struct slot_verify *verify)
{
    colour(text, style, colour_of_verdict(verify->verdict));
    text_verdict(text, verify->verdict);
    colour(text, style, COLOUR_OFF);
    text_char(text, ' ');
    text_account(text, style->look, verify->name);
    text_char(text, ' ');
    if (verify->ordinal != UINT32_MAX && verify->verdict != OTPRING_THROTTLED) {
        if (verify->step_distance >= 0) text_char(text, '+');
        text_signed(text, verify->step_distance);
    } else {
        text_char(text, '-');
    }
    text_char(text, ' ');
    text_client(text, verify->client);
    text_char(text, ' ');
    text_hex64(text, verify->source);
    if (verify->verdict == OTPRING_ACCEPTED) return;
    text_char(text, ' ');
    if (verify->verdict == OTPRING_THROTTLED)
        text_format(text, "wait=%us", slot_verify_retry_after_s(verify));
    else
        text_reason(text, verify->reason, "-");
}

/* The engine's own acts (a start, a session, a client named) have no administrator behind them. */
static void actor(struct text *text, const struct slot_act *act)
{
    if (act->uid == UINT32_MAX)
        text_string(text, "engine");
    else
        text_format(text, "uid=%u", act->uid);
    if (act->operator_id) text_format(text, ",operator=%u", act->operator_id);
}

static void act_line(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_act *act = &event->act;
    struct act_detail detail;
    act_detail_read(act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    colour(text, style, COLOUR_ACT);
    text_string(text, "ACT ");
    text_act(text, act->act);
    colour(text, style, COLOUR_OFF);
    text_char(text, ' ');
    text_account(text, style->look, act->name);
    text_char(text, ' ');
    if (act_about_token(act))
        text_unsigned(text, act->ordinal);
    else
        text_char(text, '-');
    text_char(text, ' ');
    actor(text, act);
    if (detail.has_client && client_name(detail.client.id)) text_format(text, " %s", client_name(detail.client.id));
    if (!detail.has_change) return;
    text_char(text, ' ');
    text_word(text, detail.change.name, strlen(detail.change.name));
    text_format(text, " %" PRIu64 " ", detail.change.subject);
    if (detail.change.reason[0])
        text_json(text, detail.change.reason, strlen(detail.change.reason));
    else
        text_char(text, '-');
}

static void own_line(struct text *text, const uint8_t *bytes)
{
    struct slot_seal seal;
    struct slot_checkpoint checkpoint;
    struct slot_removal removal;
    const char *form = "%s segment %" PRIx64 " positions %" PRIu64 "-%" PRIu64;
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

void event_line(struct text *text, const struct event_style *style, const struct event *event)
{
    text_unsigned(text, event->position);
    text_char(text, '.');
    text_unsigned(text, event->slot);
    text_char(text, ' ');
    text_time(text, event->time_ms);
    text_char(text, ' ');
    switch (event->kind) {
    case EVENT_VERIFY:
        verify_line(text, style, &event->verify);
        break;
    case EVENT_ACT:
        act_line(text, style, event);
        break;
    case EVENT_OWN:
        own_line(text, event->bytes);
        break;
    }
    text_char(text, '\n');
}
