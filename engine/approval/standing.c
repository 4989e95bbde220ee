/* Who may be asked, and who may answer: read anew each time, in the transaction of whatever rests on it. */
#include <string.h>

#include "approval/internal.h"
#include "base/bytes.h"
#include "core/locked.h"

/* A device answers for as long as its token would be accepted. */
static struct result device_add(struct people *people, uint64_t number, struct standing *standing)
{
    struct device_row device;
    struct stock_row stock;
    TRY(enrol_device_get(people, number, &device));
    if (device.state != ENROL_DEVICE_BOUND || standing->device_count == DEVICES_MAX) return result_ok();
    TRY(people_stock_get(people, device.stock_number, &stock));
    if (stock.state == STOCK_ASSIGNED || stock.state == STOCK_ACTIVE)
        standing->devices[standing->device_count++] = number;
    return result_ok();
}

static struct result devices_read(struct people *people, const uint8_t name[16], struct standing *standing)
{
    struct order_key prefix = order_begin(ORDER_DEVICE), key;
    order_bytes(&prefix, name, 16);
    struct result got = people_order_first(people, &prefix, &key);
    for (; !result_failed(got); got = people_order_next(people, prefix.size, &key))
        TRY(device_add(people, order_number(&key), standing));
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

struct result standing_read(struct people *people, const uint8_t name[16], struct standing *ret_standing)
{
    struct standing *standing = ret_standing;
    standing->known = standing->open = false;
    standing->device_count = 0;
    struct result got = people_company_get(people, name, &standing->company);
    if (!result_failed(got)) got = people_user_get(people, name, &standing->user);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    standing->known = true;
    /* The table may be looked into while the act mutex is held: in a change. */
    bool locked = people->change && core_locked_s(people->act->admin->core, name, (uint32_t)(people->now_ms / 1000));
    standing->open = standing->company.state == COMPANY_ACTIVE && standing->user.state == USER_ACTIVE && !locked;
    return devices_read(people, name, standing);
}

bool standing_has(const struct standing *standing, uint64_t device)
{
    for (uint32_t i = 0; i < standing->device_count; i++)
        if (standing->devices[i] == device) return true;
    return false;
}

enum challenge_reason standing_shut(const struct standing *standing)
{
    if (!standing->known || !standing->open) return CHALLENGE_ACCOUNT_SHUT;
    return standing->device_count == 0 ? CHALLENGE_UNBOUND : CHALLENGE_NO_REASON;
}
