/* One record in plain words: what happened, why, and which other records it rests on. */
#ifndef TOOLS_OTPRING_LOG_TELL_H
#define TOOLS_OTPRING_LOG_TELL_H

#include "story.h"

enum { TELL_RELATED = 8 };

struct tell_related {
    const char *role; /* consumed_by, floor_raised_by, failure, reset_by, followed_by */
    uint64_t position;
    uint32_t slot;
};

struct telling {
    struct text sentences; /* each ended by a zero byte */
    struct tell_related related[TELL_RELATED];
    unsigned related_count;
};

void telling_free(struct telling *telling);
/* By what the story knows before the event. */
void tell_event(struct telling *telling, struct story *story, const struct event *event);
void tell_act(struct telling *telling, struct story *story, const struct event *event);
void tell_related(struct telling *telling, const char *role, uint64_t position, uint32_t slot);
/* "41 seconds", "3 minutes" ... */
void tell_span(struct text *text, int64_t span_ms);
void tell_end(struct telling *telling);

#endif
