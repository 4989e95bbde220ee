/* What is typed at otpring-log, and what records say: any bytes. Filters and times take them or refuse them; records of
 * any bytes are written in every form without a control character, as one line. */
#include <stdlib.h>
#include <string.h>

#include "journal/format.h"
#include "otpring-log/acts.h"
#include "otpring-log/event.h"
#include "otpring-log/filter.h"
#include "otpring-log/rerun_policy.h"
#include "otpring-log/tell.h"
#include "otpring-log/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void typed(const uint8_t *data, size_t size)
{
    char text[256];
    struct record_filter filter;
    int64_t ms = -1;
    if (size >= sizeof text) size = sizeof text - 1;
    memcpy(text, data, size);
    text[size] = 0;
    filter_init(&filter);
    if (when_parse(text, 1774787696789, &ms) && ms < 0) abort();
    (void)filter_verdicts(&filter, text);
    (void)filter_acts(&filter, text);
    (void)filter_source(&filter, text);
    (void)filter_token(&filter, text);
    (void)filter_account(&filter, text);
    (void)filter_client(&filter, text);
    filter_finish(&filter);
    struct rerun_policy policy = {0};
    struct profile_row row = {0};
    if (rerun_policy_parse(text, &policy)) rerun_policy_apply(&policy, &row);
    if (row.throttle_max_s < row.throttle_base_s) abort();
}

static void check_lines(const struct text *text)
{
    for (size_t i = 0; i < text->size; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        bool end = i + 1 == text->size || (i + 2 == text->size && c == '\r');
        if ((c < 0x20 || c == 0x7f) && !end) abort();
    }
}

static bool each(void *context, const struct event *event)
{
    static const enum log_form forms[] = {FORM_LINE, FORM_JSON, FORM_CSV, FORM_CEF};
    struct story *story = context;
    struct telling telling = {0};
    for (unsigned i = 0; i < 4; i++) {
        struct text text = {0};
        struct event_style style = {.form = forms[i]};
        event_write(&text, &style, event);
        check_lines(&text);
        text_free(&text);
    }
    tell_event(&telling, story, event);
    for (size_t i = 0; i < telling.sentences.size; i++) {
        unsigned char c = (unsigned char)telling.sentences.bytes[i];
        if (c != 0 && (c < 0x20 || c == 0x7f)) abort();
    }
    story_add(story, event);
    event_learn_client(event);
    telling_free(&telling);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[JOURNAL_BLOCK_SIZE_MAX];
    static struct story story;
    struct journal_block_header *header = (void *)block;
    struct record_filter filter;
    uint32_t slot;
    typed(data, size);
    size_t slots = size / JOURNAL_SLOT_SIZE;
    if (slots == 0 || slots > 512) return 0;
    memcpy(block + sizeof *header, data, slots * JOURNAL_SLOT_SIZE);
    *header = (struct journal_block_header){.position = 7, .slot_count = (uint16_t)slots, .time_ms = 1774787696789};
    struct journal_block_view view = {.header = header, .slots = block + sizeof *header};
    filter_init(&filter);
    filter.own = true;
    story_start(&story, data, NULL);
    (void)events_of(&view, &filter, each, &story, &slot);
    names_free();
    return 0;
}
