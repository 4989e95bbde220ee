/* Forms for other programs: CSV (RFC 4180) and CEF (ArcSight Common Event Format, version 0). */
#include <inttypes.h>
#include <string.h>

#include "acts.h"
#include "event.h"
#include "otpring/verdict.h"

/* ---- CSV ---- */

void event_heading(struct text *text, enum log_form form)
{
    if (form == FORM_CSV)
        text_string(text, "position,index,time,kind,name,reason,account,company,user,token,step_distance,retry_after_s,"
                          "client,source,request,uid,operator,detail\r\n");
}

static void comma(struct text *text)
{
    text_char(text, ',');
}

static void csv_account(struct text *text, const struct event_style *style, const uint8_t name[16])
{
    const struct account_name *known = names_account(style->look, name);
    text_hex(text, name, 16);
    comma(text);
    if (known) text_csv(text, known->company, strlen(known->company));
    comma(text);
    if (known && known->user[0]) text_csv(text, known->user, strlen(known->user));
    comma(text);
}

static void verify_csv(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_verify *verify = &event->verify;
    bool matched = verify->ordinal != UINT32_MAX, throttled = verify->verdict == OTPRING_THROTTLED;
    text_string(text, "verification,");
    text_verdict(text, verify->verdict);
    comma(text);
    text_reason(text, verify->reason, "");
    comma(text);
    csv_account(text, style, verify->name);
    if (matched) text_unsigned(text, verify->ordinal);
    comma(text);
    if (matched && !throttled) text_signed(text, verify->step_distance);
    comma(text);
    if (throttled) text_unsigned(text, slot_verify_retry_after_s(verify));
    comma(text);
    struct text client = {0};
    text_client(&client, verify->client);
    text_csv(text, client.bytes, client.size);
    text_free(&client);
    comma(text);
    text_hex64(text, verify->source);
    comma(text);
    if (event->has_frame) text_request(text, &event->frame);
    text_string(text, ",,,");
}

static void act_csv(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_act *act = &event->act;
    struct act_detail detail;
    act_detail_read(act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    text_string(text, "act,");
    text_act(text, act->act);
    comma(text);
    if (detail.has_change) text_csv(text, detail.change.reason, strlen(detail.change.reason));
    comma(text);
    csv_account(text, style, act->name);
    if (act_about_token(act)) text_unsigned(text, act->ordinal);
    text_string(text, ",,,,,,");
    if (act->uid != UINT32_MAX) text_unsigned(text, act->uid);
    comma(text);
    if (act->operator_id) text_unsigned(text, act->operator_id);
    comma(text);
    if (detail.has_change) text_csv(text, detail.change.name, strlen(detail.change.name));
    if (detail.has_client && client_name(detail.client.id))
        text_csv(text, client_name(detail.client.id), strlen(client_name(detail.client.id)));
}

static const char *own_name(const struct event *event)
{
    unsigned kind = event->bytes[JOURNAL_SLOT_SIZE - 1];
    return kind == SLOT_SEAL ? "SEAL" : kind == SLOT_CHECKPOINT ? "CHECKPOINT" : "REMOVAL";
}

void event_csv(struct text *text, const struct event_style *style, const struct event *event)
{
    text_unsigned(text, event->position);
    comma(text);
    text_unsigned(text, event->slot);
    comma(text);
    text_time(text, event->time_ms);
    comma(text);
    if (event->kind == EVENT_VERIFY) verify_csv(text, style, event);
    if (event->kind == EVENT_ACT) act_csv(text, style, event);
    if (event->kind == EVENT_OWN) text_format(text, "journal,%s,,,,,,,,,,,,,", own_name(event));
    text_string(text, "\r\n");
}

/* ---- CEF ---- */

/* 0 to 10: refusals that anybody makes now and then are low, those that a guesser makes are higher. */
static unsigned severity(const struct event *event)
{
    if (event->kind != EVENT_VERIFY) return 2;
    switch (event->verify.verdict) {
    case OTPRING_ACCEPTED:
    case OTPRING_REQUIRED:
    case OTPRING_NOT_REQUIRED:
        return 1;
    case OTPRING_THROTTLED:
        return 7;
    case OTPRING_REPLAYED:
        return 6;
    case OTPRING_UNAVAILABLE:
        return 8;
    default:
        return 4;
    }
}

static void cef_string(struct text *text, const char *name, const char *value)
{
    if (!value || !*value) return;
    text_format(text, " %s=", name);
    text_cef(text, value, strlen(value));
}

static void cef_account(struct text *text, const struct event_style *style, const uint8_t name[16])
{
    static const uint8_t nobody[16];
    const struct account_name *known = names_account(style->look, name);
    if (memcmp(name, nobody, sizeof nobody) == 0) return;
    text_string(text, " duid=");
    text_hex(text, name, 16);
    if (!known) return;
    cef_string(text, "duser", known->user);
    text_string(text, " cs1Label=company");
    cef_string(text, "cs1", known->company);
}

static void verify_cef(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_verify *verify = &event->verify;
    text_string(text, "outcome=");
    bool well = severity(event) == 1;
    text_string(text, well ? "success" : "failure");
    text_string(text, " reason=");
    text_reason(text, verify->reason, "NONE");
    cef_account(text, style, verify->name);
    text_string(text, " cs2Label=client cs2=");
    struct text client = {0};
    text_client(&client, verify->client);
    text_cef(text, client.bytes, client.size);
    text_free(&client);
    text_string(text, " cs3Label=source cs3=");
    text_hex64(text, verify->source);
    if (event->has_frame) {
        text_string(text, " cs4Label=request cs4=");
        text_request(text, &event->frame);
    }
    if (verify->ordinal != UINT32_MAX) text_format(text, " cn1Label=token cn1=%u", verify->ordinal);
    if (verify->verdict == OTPRING_THROTTLED)
        text_format(text, " cn2Label=retry_after_s cn2=%u", slot_verify_retry_after_s(verify));
}

static void act_cef(struct text *text, const struct event_style *style, const struct event *event)
{
    const struct slot_act *act = &event->act;
    struct act_detail detail;
    act_detail_read(act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    text_string(text, "cat=administration");
    cef_account(text, style, act->name);
    if (act->uid != UINT32_MAX) text_format(text, " suid=%u", act->uid);
    if (act->operator_id) text_format(text, " cn3Label=operator cn3=%u", act->operator_id);
    if (act_about_token(act)) text_format(text, " cn1Label=token cn1=%u", act->ordinal);
    if (!detail.has_change) return;
    text_string(text, " cs5Label=change");
    cef_string(text, "cs5", detail.change.name);
    cef_string(text, "reason", detail.change.reason);
}

/* The names of our tables hold nothing that a header field would have to escape. */
static void cef_header(struct text *text, const char *kind, const char *what, const char *name, unsigned level)
{
    text_format(text, "CEF:0|otpring|otpring|%s|%s.%s|%s|%u|", OTPRING_VERSION, kind, name, what, level);
}

void event_cef(struct text *text, const struct event_style *style, const struct event *event)
{
    struct text name = {0};
    if (event->kind == EVENT_VERIFY) text_verdict(&name, event->verify.verdict);
    if (event->kind == EVENT_ACT) text_act(&name, event->act.act);
    if (event->kind == EVENT_OWN) text_string(&name, own_name(event));
    text_char(&name, 0);
    switch (event->kind) {
    case EVENT_VERIFY:
        cef_header(text, "verification", "one-time password verified", name.bytes, severity(event));
        verify_cef(text, style, event);
        break;
    case EVENT_ACT:
        cef_header(text, "act", "administrative act", name.bytes, severity(event));
        act_cef(text, style, event);
        break;
    case EVENT_OWN:
        cef_header(text, "journal", "record of the journal", name.bytes, severity(event));
        text_string(text, "cat=journal");
        break;
    }
    text_free(&name);
    text_format(text, " rt=%" PRId64 " externalId=%" PRIu64 ".%u\n", event->time_ms, event->position, event->slot);
}
