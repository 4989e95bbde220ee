/* Administrative acts in plain words. */
#include <inttypes.h>
#include <string.h>

#include "core/core.h"
#include "tell.h"

static void by_whom(struct text *text, const struct slot_act *act)
{
    if (act->operator_id) text_format(text, " by operator %u", act->operator_id);
    if (act->uid == UINT32_MAX)
        text_string(text, act->operator_id ? "" : " by the engine itself");
    else
        text_format(text, "%s uid %u", act->operator_id ? "," : " by", act->uid);
}

static void about_token(struct text *text, const struct slot_act *act, const char *what)
{
    text_format(text, "Token %u was %s", act->ordinal, what);
    by_whom(text, act);
    text_char(text, '.');
}

static void restored(struct text *text, const struct act_detail *detail)
{
    text_string(text, "A restored backup was taken over");
    if (detail->has_restore) {
        text_string(text, "; the time that was confirmed: ");
        text_time(text, detail->restore.restore_now_ms);
        text_format(text, ", floors raised: %" PRIu64 ", counter tokens suspended: %" PRIu64,
                    detail->restore.floors_raised, detail->restore.suspended);
    }
    text_char(text, '.');
}

/* What was answered stands sealed in the record: who has the store's key can have it shown. */
static bool about_question(struct text *text, const struct slot_act *act, const struct act_detail *detail)
{
    static const struct {
        const char *name, *says;
    } acts[] = {
        {"challenge.ask", "A question was put to the user"},
        {"challenge.wrong",
         "An answer with a wrong number, or a wrong response, ended a question; it approved nothing"},
        {"challenge.withdraw", "A question was withdrawn"},
        {"challenge.alarm", "The user says that somebody else asked"},
    };
    const struct core_change_view *change = &detail->change;
    bool answer = strcmp(change->name, "challenge.answer") == 0;
    const char *says = answer ? "A question was answered" : NULL;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(change->name, acts[i].name) == 0) says = acts[i].says;
    if (!says || (!detail->challenge[0] && !change->subject)) return false;
    text_string(text, says);
    if (answer && change->subject) text_format(text, " with device %" PRIu64, change->subject);
    if (detail->challenge[0]) text_format(text, ": challenge %s", detail->challenge);
    text_char(text, '.');
    if (act->uid != UINT32_MAX) text_format(text, " It came through uid %u.", act->uid);
    if (answer && detail->challenge[0])
        text_format(text, " otpring-log approval %s%s shows the answer, once it is signed.",
                    detail->challenge[0] == '-' ? "-- " : "", detail->challenge);
    return true;
}

static void changed(struct text *text, const struct slot_act *act, const struct act_detail *detail)
{
    if (!detail->has_change) {
        text_string(text, "A change whose record cannot be read.");
        return;
    }
    const struct core_change_view *change = &detail->change;
    if (about_question(text, act, detail)) return;
    text_string(text, "The act ");
    text_plain(text, change->name, strlen(change->name));
    const char *what = strncmp(change->name, "outbox.", 7) == 0 ? "message" : "number";
    if (change->subject) text_format(text, " about %s %" PRIu64, what, change->subject);
    text_string(text, " was done");
    by_whom(text, act);
    if (change->reason[0]) {
        text_string(text, ", because: ");
        text_plain(text, change->reason, strlen(change->reason));
    }
    text_char(text, '.');
}

static void added(struct text *text, const struct slot_act *act, const struct act_detail *detail)
{
    text_format(text, "Token %u was added", act->ordinal);
    if (detail->company[0] && detail->user[0]) {
        text_string(text, " for ");
        text_plain(text, detail->user, strlen(detail->user));
        text_string(text, " of ");
        text_plain(text, detail->company, strlen(detail->company));
    }
    by_whom(text, act);
    text_char(text, '.');
}

void tell_act(struct telling *telling, struct story *story, const struct event *event)
{
    struct text *text = &telling->sentences;
    const struct slot_act *act = &event->act;
    struct act_detail detail;
    (void)story;
    act_detail_read(act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    switch (act->act) {
    case ACT_START:
        text_string(text, "The engine started; what stood unfinished before it was settled.");
        break;
    case ACT_STOP:
        text_string(text, "The engine stopped cleanly.");
        break;
    case ACT_TOKEN_ADD:
        added(text, act, &detail);
        break;
    case ACT_TOKEN_REMOVE:
        about_token(text, act, "removed");
        break;
    case ACT_TOKEN_SUSPEND:
        about_token(text, act, "suspended");
        break;
    case ACT_TOKEN_RESUME:
        about_token(text, act, "made active again");
        break;
    case ACT_TOKEN_SET:
        about_token(text, act, "labelled anew");
        break;
    case ACT_TOKEN_RESYNC:
        about_token(text, act, "resynchronised at the desk, with two adjacent codes,");
        break;
    case ACT_ACCOUNT_UNLOCK:
        text_string(text, "The account's failures were reset");
        by_whom(text, act);
        text_char(text, '.');
        break;
    case ACT_BURN:
        text_string(text, "A start after a crash used up a code again that had been accepted just before it.");
        break;
    case ACT_RESTORE:
        restored(text, &detail);
        break;
    case ACT_CLIENT:
        text_string(text, "A client was given its name");
        if (detail.has_client && client_name(detail.client.id))
            text_format(text, ": %s", client_name(detail.client.id));
        text_char(text, '.');
        break;
    case ACT_SESSION_OPEN:
        text_string(text, "A client opened a session.");
        break;
    case ACT_CLOCK_CONSENT:
        text_string(text, "The machine's clock, of which the engine was not sure, was confirmed");
        by_whom(text, act);
        text_char(text, '.');
        break;
    case ACT_CHANGE:
        changed(text, act, &detail);
        break;
    default:
        text_string(text, "The act ");
        text_act(text, act->act);
        text_string(text, " was done");
        by_whom(text, act);
        text_char(text, '.');
        break;
    }
    tell_end(telling);
}
