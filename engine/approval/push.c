/* What goes out to devices through the outbox: that something is asked, and that something happened. What is asked does
 * not go: the device fetches it. */
#include <stdio.h>
#include <string.h>

#include "approval/internal.h"
#include "base/base64url.h"
#include "os/arena.h"

enum { NUMBER_TEXT_MAX = 24 };

static void seconds_text(int64_t seconds, char ret_text[NUMBER_TEXT_MAX])
{
    snprintf(ret_text, NUMBER_TEXT_MAX, "%lld", (long long)seconds);
}

static struct result device_tell(struct people *people, uint64_t number, struct outbox_draft *draft,
                                 uint32_t *ret_pushed)
{
    struct device_row device;
    struct enrol_about about;
    uint64_t message;
    TRY(enrol_device_get(people, number, &device));
    TRY(enrol_about_open(people, draft->name, &device.device, &about));
    if (!about.push[0]) return result_ok();
    draft->to = about.push;
    struct result result = outbox_put(people, draft, &message);
    draft->to = NULL;
    secret_wipe(&about, sizeof about);
    /* A device asks by itself as well, so a full outbox holds nothing up. */
    if (result.code == OUTBOX_FULL || result.code == OUTBOX_USER_FULL) return result_ok();
    if (!result_failed(result)) ++*ret_pushed;
    return result;
}

static struct result devices_tell(struct people *people, const struct standing *standing, struct outbox_draft *draft,
                                  uint32_t *ret_pushed)
{
    *ret_pushed = 0;
    draft->channel = CHANNEL_PUSH;
    draft->language = standing->user.language;
    for (uint32_t i = 0; i < standing->device_count; i++)
        TRY(device_tell(people, standing->devices[i], draft, ret_pushed));
    return result_ok();
}

struct result push_question(struct people *people, const struct challenge_ask *ask, const struct standing *standing,
                            uint32_t *ret_pushed)
{
    char id[ID_TEXT_SIZE], until[NUMBER_TEXT_MAX];
    base64url_encode(ask->body.id, sizeof ask->body.id, id);
    seconds_text(ask->body.expires_s, until);
    const struct outbox_field fields[] = {{"challenge", id}, {"valid_until", until}};
    struct outbox_draft draft = {.kind = MESSAGE_QUESTION,
                                 .expires_ms = (int64_t)ask->body.expires_s * 1000,
                                 .fields = fields,
                                 .field_count = 2};
    memcpy(draft.name, ask->account, sizeof draft.name);
    return devices_tell(people, standing, &draft, ret_pushed);
}

struct result push_alert(struct people *people, const uint8_t name[16], const struct standing *standing,
                         const char *service, uint32_t *ret_pushed)
{
    char when[NUMBER_TEXT_MAX];
    seconds_text(people->now_ms / 1000, when);
    const struct outbox_field fields[] = {{"service", service}, {"when", when}};
    struct outbox_draft draft = {.kind = MESSAGE_ACCESS_ALERT, .fields = fields, .field_count = 2};
    memcpy(draft.name, name, sizeof draft.name);
    return devices_tell(people, standing, &draft, ret_pushed);
}
