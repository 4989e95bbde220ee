/* What a user is told, through the outbox, of a token that is theirs no more: whoever did not report it lost learns
 * that somebody did. */
#include "admin/outbox.h"

#include <stdio.h>

#include "os/arena.h"

struct result stock_notice(struct people *people, enum message_kind kind, const struct stock_row *stock)
{
    struct user_row user;
    struct person person;
    char when[24];
    uint64_t number;
    if (!people_held(stock)) return result_ok();
    TRY(people_user_get(people, stock->holder, &user));
    if (user.state != USER_ACTIVE || !user.phone_known) return result_ok();
    TRY(person_open(people, stock->holder, &user, &person));
    snprintf(when, sizeof(when), "%lld", (long long)(people->now_ms / 1000));
    const struct outbox_field fields[] = {{"serial", stock->serial}, {"when", when}};
    struct outbox_draft draft = {.kind = kind,
                                 .channel = CHANNEL_SMS,
                                 .to = person.phone,
                                 .language = user.language,
                                 .fields = fields,
                                 .field_count = 2};
    memcpy(draft.name, stock->holder, sizeof(draft.name));
    struct result result = outbox_put(people, &draft, &number);
    secret_wipe(&person, sizeof(person));
    /* A full outbox does not keep a lost token alive. */
    return result.code == OUTBOX_FULL || result.code == OUTBOX_USER_FULL ? result_ok() : result;
}
