/* Records, one at a time, as blocks hold them, and how each is written: a line, JSON, CSV, CEF. */
#ifndef TOOLS_OTPRING_LOG_EVENT_H
#define TOOLS_OTPRING_LOG_EVENT_H

#include "log.h"
#include "names.h"
#include "text.h"

enum event_kind { EVENT_VERIFY, EVENT_ACT, EVENT_OWN };

struct event {
    enum event_kind kind;
    uint64_t position;
    uint32_t slot;
    int64_t time_ms;
    bool has_frame; /* EVENT_VERIFY: which request it was asked in */
    struct slot_frame frame;
    struct slot_verify verify;
    struct slot_act act;
    const uint8_t *bytes; /* the record's slots, in the block */
    const uint8_t *head;  /* of the frame that they follow, likewise; NULL: none */
};

/* All of a block's records that the filter lets through, in order. `each` returns false to stop. True: the block is
 * well-formed; else *ret_slot begins no record, and the rest of the block was not looked at. */
typedef bool event_each(void *context, const struct event *event);
bool events_of(const struct journal_block_view *block, const struct record_filter *filter, event_each *each,
               void *context, uint32_t *ret_slot);

/* The record at that slot of a well-formed block; false: it is the head of a frame. */
bool event_at(const struct journal_block_view *block, uint32_t slot, struct event *ret_event);

/* An act that names a client is remembered (names.h). */
void event_learn_client(const struct event *event);

/* What a writer needs beside the event: one a thread. */
struct event_style {
    enum log_form form;
    bool colour;
    struct names_look *look;
};

/* With the line feed. */
void event_write(struct text *text, const struct event_style *style, const struct event *event);
void event_line(struct text *text, const struct event_style *style, const struct event *event);
void event_json(struct text *text, const struct event_style *style, const struct event *event);
void event_csv(struct text *text, const struct event_style *style, const struct event *event);
void event_cef(struct text *text, const struct event_style *style, const struct event *event);
/* What stands first in a file of this form: CSV's names of columns; else nothing. */
void event_heading(struct text *text, enum log_form form);

/* Names of numbers; the number itself where there is none. */
const char *event_verdict_name(unsigned verdict);
void text_verdict(struct text *text, unsigned verdict);
void text_act(struct text *text, unsigned act);
/* NO_MATCH ...; a number where there is none; `none` for no reason. */
void text_reason(struct text *text, unsigned reason, const char *none);
/* company/user with what is not known as hex. */
void text_account(struct text *text, struct names_look *look, const uint8_t name[16]);
void text_client(struct text *text, uint16_t client);
void text_request(struct text *text, const struct slot_frame *frame);
const char *colour_of_verdict(unsigned verdict);
#define COLOUR_OFF "\x1b[0m"
#define COLOUR_ACT "\x1b[34m"

/* Whether a file of the terminal's may be coloured: what was asked for, a terminal, NO_COLOR and TERM. */
bool colour_wanted(enum log_colour colour);

#endif
