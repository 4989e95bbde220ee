#include "event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acts.h"
#include "journal/format.h"
#include "otpring/verdict.h"

/* ---- taking blocks apart ---- */

void event_learn_client(const struct event *event)
{
    struct act_client client;
    if (event->act.act != ACT_CLIENT || event->act.payload_size != sizeof client) return;
    memcpy(&client, event->bytes + JOURNAL_SLOT_SIZE, sizeof client);
    client_name_set(client.id, client.name, strnlen(client.name, sizeof client.name));
}

/* Fills in what kind the record is, and tells whether it is wanted. A frame head is none, but is remembered. */
static bool take(struct event *event, const struct record_filter *filter)
{
    switch (event->bytes[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_FRAME:
        event->head = event->bytes;
        return false;
    case SLOT_VERIFY:
        /* Most are of other accounts: these are not copied. */
        if (memcmp(event->bytes, filter->name.name, filter->name.size) != 0) return false;
        event->kind = EVENT_VERIFY;
        memcpy(&event->verify, event->bytes, sizeof event->verify);
        if (!filter_verify(filter, &event->verify)) return false;
        event->has_frame = event->head != NULL;
        if (event->has_frame) memcpy(&event->frame, event->head, sizeof event->frame);
        return true;
    case SLOT_ACT:
        event->kind = EVENT_ACT;
        memcpy(&event->act, event->bytes, sizeof event->act);
        return filter_act(filter, &event->act);
    default:
        event->kind = EVENT_OWN;
        return filter_own(filter);
    }
}

bool events_of(const struct journal_block_view *block, const struct record_filter *filter, event_each *each,
               void *context, uint32_t *ret_slot)
{
    struct journal_block_header header;
    memcpy(&header, block->header, sizeof header);
    if (!filter_block(filter, &header)) return true;
    struct event event = {.position = header.position, .time_ms = header.time_ms};
    uint32_t count;
    for (uint32_t slot = 0; slot < header.slot_count; slot += count) {
        count = format_record_slots(block->slots, header.slot_count, slot);
        if (count == 0) {
            *ret_slot = slot;
            return false;
        }
        event.slot = slot;
        event.bytes = block->slots + (size_t)slot * JOURNAL_SLOT_SIZE;
        if (take(&event, filter) && !each(context, &event)) return true;
    }
    return true;
}

bool event_at(const struct journal_block_view *block, uint32_t slot, struct event *ret_event)
{
    struct record_filter all;
    filter_init(&all);
    all.own = true;
    *ret_event = (struct event){.position = block->header->position,
                                .time_ms = block->header->time_ms,
                                .slot = slot,
                                .bytes = block->slots + (size_t)slot * JOURNAL_SLOT_SIZE};
    return take(ret_event, &all);
}

/* ---- words ---- */

const char *event_verdict_name(unsigned verdict)
{
    return otpring_verdict_name(verdict);
}

void text_verdict(struct text *text, unsigned verdict)
{
    const char *name = otpring_verdict_name(verdict);
    if (name)
        text_string(text, name);
    else
        text_unsigned(text, verdict);
}

void text_act(struct text *text, unsigned act)
{
    const char *name = act_name(act);
    if (name)
        text_string(text, name);
    else
        text_unsigned(text, act);
}

void text_reason(struct text *text, unsigned reason, const char *none)
{
    static const char *const names[] = {
        [OTPRING_REASON_NO_MATCH] = "NO_MATCH",
        [OTPRING_REASON_NOT_SEARCHED] = "NOT_SEARCHED",
        [OTPRING_REASON_CHALLENGE] = "CHALLENGE",
        [OTPRING_REASON_MARKS] = "MARKS",
        [OTPRING_REASON_FAR] = "FAR",
        [OTPRING_REASON_USED] = "USED",
        [OTPRING_REASON_DIGITS] = "DIGITS",
        [OTPRING_REASON_HIDDEN] = "HIDDEN",
        [OTPRING_REASON_CODE_RANGE] = "CODE_RANGE",
        [OTPRING_REASON_RESERVED] = "RESERVED",
        [OTPRING_REASON_CLOCK] = "CLOCK",
        [OTPRING_REASON_NO_ROOM] = "NO_ROOM",
        [OTPRING_REASON_POISONED] = "POISONED",
        [OTPRING_REASON_STOPPING] = "STOPPING",
        [OTPRING_REASON_BUSY] = "BUSY",
        [OTPRING_REASON_COMPANY] = "COMPANY",
        [OTPRING_REASON_SCHEME] = "SCHEME",
        [OTPRING_REASON_WAIVED] = "WAIVED",
        [OTPRING_REASON_NOT_KNOWN] = "NOT_KNOWN",
    };
    if (reason == OTPRING_REASON_NONE)
        text_string(text, none);
    else if (reason < sizeof names / sizeof names[0] && names[reason])
        text_string(text, names[reason]);
    else
        text_unsigned(text, reason);
}

void text_account(struct text *text, struct names_look *look, const uint8_t name[16])
{
    const struct account_name *known = names_account(look, name);
    if (!known) {
        text_hex(text, name, 16);
        return;
    }
    static const uint8_t nobody[8];
    text_word(text, known->company, strlen(known->company));
    if (memcmp(name + 8, nobody, sizeof nobody) == 0) return; /* the company itself */
    text_char(text, '/');
    if (known->user[0])
        text_word(text, known->user, strlen(known->user));
    else
        text_hex(text, name + 8, 8);
}

void text_client(struct text *text, uint16_t client)
{
    const char *name = client_name(client);
    if (name)
        text_string(text, name);
    else
        text_format(text, "%04x", client);
}

void text_request(struct text *text, const struct slot_frame *frame)
{
    text_hex64(text, frame->session);
    text_char(text, '.');
    text_unsigned(text, frame->slot);
    text_char(text, '.');
    text_unsigned(text, frame->sequence);
}

const char *colour_of_verdict(unsigned verdict)
{
    switch (verdict) {
    case OTPRING_ACCEPTED:
        return "\x1b[32m";
    case OTPRING_REPLAYED:
        return "\x1b[35m";
    case OTPRING_THROTTLED:
        return "\x1b[33m";
    case OTPRING_RESYNC:
        return "\x1b[36m";
    case OTPRING_UNAVAILABLE:
        return "\x1b[1;31m";
    default:
        return "\x1b[31m";
    }
}

bool colour_wanted(enum log_colour colour)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (colour != COLOUR_AUTO) return colour == COLOUR_ALWAYS;
    if (no_color && *no_color) return false;
    return isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void event_write(struct text *text, const struct event_style *style, const struct event *event)
{
    switch (style->form) {
    case FORM_LINE:
        event_line(text, style, event);
        return;
    case FORM_JSON:
        event_json(text, style, event);
        return;
    case FORM_CSV:
        event_csv(text, style, event);
        return;
    case FORM_CEF:
        event_cef(text, style, event);
        return;
    }
}
