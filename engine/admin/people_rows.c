/* Rows of people, to bytes and back. */
#include "admin/people.h"

#include <string.h>

enum { VERSION = 1, STOCK_VERSION = 2 /* 1 was without the drift */ };

size_t people_company_encode(const struct company_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u8(&writer, row->state);
    row_text(&writer, row->name);
    row_u64(&writer, (uint64_t)row->created_ms);
    row_u64(&writer, (uint64_t)row->active_ms);
    row_u32(&writer, row->active_by);
    row_u32(&writer, (uint32_t)row->training_day);
    row_u64(&writer, (uint64_t)row->suspended_ms);
    return row_done(&writer).size;
}

struct result people_company_decode(struct store_bytes value, struct company_row *ret_row)
{
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct company_row){.state = cursor_u8(&cursor)};
    row_take_text(&cursor, ret_row->name, SCHEMA_NAME_MAX);
    ret_row->created_ms = (int64_t)cursor_u64(&cursor);
    ret_row->active_ms = (int64_t)cursor_u64(&cursor);
    ret_row->active_by = cursor_u32(&cursor);
    ret_row->training_day = (int32_t)cursor_u32(&cursor);
    ret_row->suspended_ms = (int64_t)cursor_u64(&cursor);
    return row_judge(&cursor, ret_row->state > COMPANY_NONE && ret_row->state < COMPANY_STATE_COUNT);
}

size_t people_user_encode(const struct user_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u8(&writer, row->state);
    row_u8(&writer, row->flags);
    row_text(&writer, row->user);
    row_text(&writer, row->language);
    row_u64(&writer, (uint64_t)row->created_ms);
    row_u64(&writer, (uint64_t)row->changed_ms);
    row_u8(&writer, row->phone_known);
    row_u16(&writer, row->sealed_size);
    row_bytes(&writer, row->sealed, row->sealed_size);
    return row_done(&writer).size;
}

struct result people_user_decode(struct store_bytes value, struct user_row *ret_row)
{
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct user_row){.state = cursor_u8(&cursor)};
    ret_row->flags = cursor_u8(&cursor);
    row_take_text(&cursor, ret_row->user, SCHEMA_NAME_MAX);
    row_take_text(&cursor, ret_row->language, sizeof(ret_row->language) - 1);
    ret_row->created_ms = (int64_t)cursor_u64(&cursor);
    ret_row->changed_ms = (int64_t)cursor_u64(&cursor);
    uint8_t phone_known = cursor_u8(&cursor);
    ret_row->phone_known = phone_known == 1;
    ret_row->sealed_size = cursor_u16(&cursor);
    if (ret_row->sealed_size > sizeof(ret_row->sealed)) return result_of(STORE_DAMAGED);
    row_take(&cursor, ret_row->sealed, ret_row->sealed_size);
    return row_judge(&cursor, ret_row->state > USER_NONE && ret_row->state < USER_STATE_COUNT && ret_row->flags < 8 &&
                                  phone_known <= 1);
}

size_t people_stock_encode(const struct stock_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, STOCK_VERSION);
    row_u64(&writer, row->number);
    row_u8(&writer, row->kind);
    row_u8(&writer, row->state);
    row_u16(&writer, row->profile);
    row_bytes(&writer, row->fingerprint, sizeof(row->fingerprint));
    row_text(&writer, row->serial);
    row_bytes(&writer, row->company, sizeof(row->company));
    row_bytes(&writer, row->holder, sizeof(row->holder));
    row_u32(&writer, row->ordinal);
    row_u64(&writer, row->counter);
    row_u64(&writer, (uint64_t)row->since_ms);
    row_u64(&writer, (uint64_t)row->created_ms);
    row_u64(&writer, row->replaced_by);
    row_u16(&writer, row->sealed_size);
    row_bytes(&writer, row->sealed_seed, row->sealed_size);
    row_u8(&writer, (uint8_t)row->drift);
    return row_done(&writer).size;
}

struct result people_stock_decode(struct store_bytes value, struct stock_row *ret_row)
{
    bool old = value.size > 0 && *(const uint8_t *)value.bytes == VERSION;
    struct cursor cursor = row_cursor(value, old ? VERSION : STOCK_VERSION);
    *ret_row = (struct stock_row){.number = cursor_u64(&cursor)};
    ret_row->kind = cursor_u8(&cursor);
    ret_row->state = cursor_u8(&cursor);
    ret_row->profile = cursor_u16(&cursor);
    row_take(&cursor, ret_row->fingerprint, sizeof(ret_row->fingerprint));
    row_take_text(&cursor, ret_row->serial, PEOPLE_SERIAL_MAX);
    row_take(&cursor, ret_row->company, sizeof(ret_row->company));
    row_take(&cursor, ret_row->holder, sizeof(ret_row->holder));
    ret_row->ordinal = cursor_u32(&cursor);
    ret_row->counter = cursor_u64(&cursor);
    ret_row->since_ms = (int64_t)cursor_u64(&cursor);
    ret_row->created_ms = (int64_t)cursor_u64(&cursor);
    ret_row->replaced_by = cursor_u64(&cursor);
    ret_row->sealed_size = cursor_u16(&cursor);
    if (ret_row->sealed_size > sizeof(ret_row->sealed_seed)) return result_of(STORE_DAMAGED);
    row_take(&cursor, ret_row->sealed_seed, ret_row->sealed_size);
    if (!old) ret_row->drift = (int8_t)cursor_u8(&cursor);
    return row_judge(&cursor, ret_row->state > STOCK_NONE && ret_row->state < STOCK_STATE_COUNT &&
                                  (ret_row->kind == STOCK_PHYSICAL || ret_row->kind == STOCK_VIRTUAL));
}

size_t people_operator_encode(const struct operator_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u32(&writer, row->id);
    row_u8(&writer, row->state);
    row_u8(&writer, row->role);
    row_text(&writer, row->name);
    row_u32(&writer, row->uid);
    row_u32(&writer, row->grants);
    row_bytes(&writer, row->account, sizeof(row->account));
    row_bytes(&writer, row->key, sizeof(row->key));
    row_u64(&writer, (uint64_t)row->created_ms);
    return row_done(&writer).size;
}

struct result people_operator_decode(struct store_bytes value, struct operator_row *ret_row)
{
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct operator_row){.id = cursor_u32(&cursor)};
    ret_row->state = cursor_u8(&cursor);
    ret_row->role = cursor_u8(&cursor);
    row_take_text(&cursor, ret_row->name, PEOPLE_OPERATOR_NAME_MAX);
    ret_row->uid = cursor_u32(&cursor);
    ret_row->grants = cursor_u32(&cursor);
    row_take(&cursor, ret_row->account, sizeof(ret_row->account));
    row_take(&cursor, ret_row->key, sizeof(ret_row->key));
    ret_row->created_ms = (int64_t)cursor_u64(&cursor);
    return row_judge(&cursor, ret_row->state > OPERATOR_NONE && ret_row->state < OPERATOR_STATE_COUNT &&
                                  (ret_row->role == ROLE_BANK || ret_row->role == ROLE_COMPANY));
}

/* The act stands by its name, which never changes, not by its place in a list. */
size_t people_request_encode(const struct request_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u64(&writer, row->number);
    row_u8(&writer, row->state);
    row_text(&writer, rule_act_name((enum rule_act)row->act));
    row_bytes(&writer, row->account, sizeof(row->account));
    row_u32(&writer, row->asked_by);
    row_u32(&writer, row->asked_uid);
    row_u32(&writer, row->decided_by);
    row_u32(&writer, row->decided_uid);
    row_u64(&writer, (uint64_t)row->asked_ms);
    row_u64(&writer, (uint64_t)row->decided_ms);
    row_text(&writer, row->user);
    row_text(&writer, row->reason);
    return row_done(&writer).size;
}

struct result people_request_decode(struct store_bytes value, struct request_row *ret_row)
{
    char name[CORE_CHANGE_NAME_MAX + 1] = "";
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct request_row){.number = cursor_u64(&cursor)};
    ret_row->state = cursor_u8(&cursor);
    row_take_text(&cursor, name, CORE_CHANGE_NAME_MAX);
    row_take(&cursor, ret_row->account, sizeof(ret_row->account));
    ret_row->asked_by = cursor_u32(&cursor);
    ret_row->asked_uid = cursor_u32(&cursor);
    ret_row->decided_by = cursor_u32(&cursor);
    ret_row->decided_uid = cursor_u32(&cursor);
    ret_row->asked_ms = (int64_t)cursor_u64(&cursor);
    ret_row->decided_ms = (int64_t)cursor_u64(&cursor);
    row_take_text(&cursor, ret_row->user, SCHEMA_NAME_MAX);
    row_take_text(&cursor, ret_row->reason, CORE_CHANGE_REASON_MAX);
    unsigned act = 0;
    while (act < RULE_ACT_COUNT && strcmp(rule_act_name((enum rule_act)act), name) != 0) act++;
    ret_row->act = (uint16_t)act;
    return row_judge(&cursor,
                     ret_row->state > REQUEST_NONE && ret_row->state < REQUEST_STATE_COUNT && act < RULE_ACT_COUNT);
}
