/* What a re-run found, in lines or as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "event.h"
#include "rerun_run.h"

static void out(struct text *text)
{
    fwrite(text->bytes, 1, text->size, stdout);
    text_free(text);
}

static void difference_line(struct text *text, const struct rerun *rerun, const struct rerun_attempt *attempt,
                            unsigned verdict, bool step)
{
    const struct slot_verify *slot = attempt->slot;
    text_char(text, ' ');
    text_verdict(text, slot->verdict);
    text_string(text, " -> ");
    text_verdict(text, verdict);
    if (step) text_string(text, "(other-step)");
    text_char(text, ' ');
    text_account(text, rerun->look, slot->name);
    text_char(text, ' ');
    if (slot->ordinal != UINT32_MAX && slot->verdict != OTPRING_THROTTLED)
        text_format(text, "%+d", slot->step_distance);
    else
        text_char(text, '-');
    text_char(text, '\n');
}

static void difference_json(struct text *text, const struct rerun *rerun, const struct rerun_attempt *attempt,
                            uint64_t position, uint32_t index, unsigned verdict, bool step)
{
    const struct slot_verify *slot = attempt->slot;
    const struct account_name *name = names_account(rerun->look, slot->name);
    text_format(text, "{\"position\":%" PRIu64 ",\"index\":%" PRIu32 ",\"recorded\":\"", position, index);
    text_verdict(text, slot->verdict);
    text_string(text, "\",\"now\":\"");
    text_verdict(text, verdict);
    text_format(text, "\",\"other_step\":%s,\"account\":\"", step ? "true" : "false");
    text_hex(text, slot->name, sizeof slot->name);
    text_char(text, '"');
    if (name && name->company[0]) {
        text_string(text, ",\"company\":");
        text_json(text, name->company, strlen(name->company));
    }
    if (name && name->user[0]) {
        text_string(text, ",\"user\":");
        text_json(text, name->user, strlen(name->user));
    }
    text_string(text, "}\n");
}

void rerun_tell_difference(struct rerun *rerun, const struct rerun_attempt *attempt, uint64_t position, uint32_t index,
                           int64_t time_ms, unsigned verdict, bool step)
{
    struct text text = {0};
    if (rerun->json) {
        difference_json(&text, rerun, attempt, position, index, verdict, step);
    } else {
        text_format(&text, "%" PRIu64 ".%" PRIu32 " ", position, index);
        text_time(&text, time_ms);
        difference_line(&text, rerun, attempt, verdict, step);
    }
    out(&text);
}

static void counts_json(struct text *text, const struct rerun *rerun)
{
    const struct rerun_counts *counts = &rerun->counts;
    text_format(text,
                "{\"first_position\":%" PRIu64 ",\"last_position\":%" PRIu64 ",\"same\":%" PRIu64
                ",\"different\":%" PRIu64 ",\"acts\":%" PRIu64 ",\"unknown_codes\":%" PRIu64
                ",\"not_run\":{\"unavailable\":%" PRIu64 ",\"no_token\":%" PRIu64 ",\"no_step\":%" PRIu64
                ",\"response\":%" PRIu64 "},\"moved\":%" PRIu64 ",\"complete\":%s}\n",
                rerun->first_position, rerun->last_position, counts->same, counts->different, counts->acts,
                counts->stand_ins, counts->not_run[MADE_NOT], counts->not_run[MADE_NO_TOKEN],
                counts->not_run[MADE_NO_STEP], counts->not_run[MADE_RESPONSE], rerun->moved,
                rerun->complete ? "true" : "false");
}

static void not_run_line(struct text *text, uint64_t count, const char *what)
{
    if (count) text_format(text, "not asked again: %" PRIu64 " %s\n", count, what);
}

static void counts_lines(struct text *text, const struct rerun *rerun)
{
    const struct rerun_counts *counts = &rerun->counts;
    if (counts->different > rerun->shown_max)
        text_format(text, "... and %" PRIu64 " more that differ\n", counts->different - rerun->shown_max);
    text_format(text,
                "positions %" PRIu64 " to %" PRIu64 ": %" PRIu64 " attempts asked again, %" PRIu64
                " with the same verdict, %" PRIu64 " with another; %" PRIu64 " acts done as recorded\n",
                rerun->first_position, rerun->last_position, counts->same + counts->different, counts->same,
                counts->different, counts->acts);
    if (counts->stand_ins)
        text_format(text,
                    "of these, %" PRIu64 " with a code that fits nothing, since the log does not have the one that was "
                    "typed\n",
                    counts->stand_ins);
    not_run_line(text, counts->not_run[MADE_NOT], "that were UNAVAILABLE: nobody judged them");
    not_run_line(text, counts->not_run[MADE_NO_TOKEN], "of tokens that are not there");
    not_run_line(text, counts->not_run[MADE_RESPONSE], "that are responses to challenges, which the log does not have");
    not_run_line(text, counts->not_run[MADE_NO_STEP], "whose step is not in the record");
    if (!rerun->complete) text_string(text, "the re-run broke off there\n");
}

void rerun_tell_counts(const struct rerun *rerun)
{
    struct text text = {0};
    if (rerun->json)
        counts_json(&text, rerun);
    else
        counts_lines(&text, rerun);
    out(&text);
}
