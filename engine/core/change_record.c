/* The payload of ACT_CHANGE, little-endian:
 *
 *   version 1 (1), size of the act's name 1, size of the reason 1, reserved 1, rows 2, reserved 2, subject 8,
 *   the name, the reason, then each row: map 1, erase 1, size of its key 1, reserved 1, size of its value 2, key, value
 *
 * The number of rows is filled in when the record ends. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "core/change_state.h"

enum { VERSION = 1, ROWS_AT = 4 };

static bool name_valid(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-') return false;
    }
    return size > 0 && size <= CORE_CHANGE_NAME_MAX;
}

bool change_map_valid(enum store_map map, bool erase)
{
    return map >= STORE_GATES && map < STORE_MAP_COUNT && (erase || map != STORE_PERSON_KEYS);
}

struct result change_head_encode(const struct core_change_act *act, uint8_t ret[CHANGE_HEAD_MAX], size_t *ret_size)
{
    const char *reason = act->reason ? act->reason : "";
    size_t name_size = strnlen(act->name, CORE_CHANGE_NAME_MAX + 1);
    if (!name_valid(act->name, name_size) || !core_text_valid(reason, 0, CORE_CHANGE_REASON_MAX)) {
        return result_of(BAD_NAME);
    }
    size_t reason_size = strlen(reason);
    memset(ret, 0, CHANGE_HEAD_SIZE);
    ret[0] = VERSION;
    ret[1] = (uint8_t)name_size;
    ret[2] = (uint8_t)reason_size;
    store_le64(ret + 8, act->subject);
    memcpy(ret + CHANGE_HEAD_SIZE, act->name, name_size);
    memcpy(ret + CHANGE_HEAD_SIZE + name_size, reason, reason_size);
    *ret_size = CHANGE_HEAD_SIZE + name_size + reason_size;
    return result_ok();
}

void change_head_rows(uint8_t *payload, uint16_t row_count)
{
    store_le16(payload + ROWS_AT, row_count);
}

void change_row_encode(enum store_map map, bool erase, struct store_bytes key, struct store_bytes value, uint8_t *ret)
{
    ret[0] = (uint8_t)map;
    ret[1] = erase;
    ret[2] = (uint8_t)key.size;
    ret[3] = 0;
    store_le16(ret + 4, (uint16_t)value.size);
    memcpy(ret + CHANGE_ROW_HEAD_SIZE, key.bytes, key.size);
    if (value.size > 0) memcpy(ret + CHANGE_ROW_HEAD_SIZE + key.size, value.bytes, value.size);
}

struct result core_change_decode(const uint8_t *payload, size_t size, struct core_change_view *ret_view)
{
    struct core_change_view view = {0};
    struct cursor cursor = cursor_over(payload, size);
    uint8_t version = cursor_u8(&cursor);
    size_t name_size = cursor_u8(&cursor), reason_size = cursor_u8(&cursor);
    (void)cursor_u8(&cursor);
    view.row_count = cursor_u16(&cursor);
    (void)cursor_u16(&cursor);
    view.subject = cursor_u64(&cursor);
    const uint8_t *name = cursor_take(&cursor, name_size), *reason = cursor_take(&cursor, reason_size);
    if (!name || !reason || version != VERSION || !name_valid((const char *)name, name_size)) {
        return result_of(JOURNAL_CORRUPT);
    }
    memcpy(view.name, name, name_size);
    memcpy(view.reason, reason, reason_size);
    if (!core_text_valid(view.reason, reason_size, reason_size)) return result_of(JOURNAL_CORRUPT);
    view.rows = cursor.at;
    view.rows_size = cursor.left;
    *ret_view = view;
    return result_ok();
}

struct result core_change_row_next(struct core_change_view *view, struct core_change_row *ret_row)
{
    struct cursor cursor = cursor_over(view->rows, view->rows_size);
    if (view->row_count == 0) {
        return view->rows_size == 0 ? result_of(STORE_NOT_FOUND) : result_of(JOURNAL_CORRUPT);
    }
    uint8_t map = cursor_u8(&cursor), erase = cursor_u8(&cursor), key_size = cursor_u8(&cursor);
    (void)cursor_u8(&cursor);
    uint16_t value_size = cursor_u16(&cursor);
    const uint8_t *key = cursor_take(&cursor, key_size), *value = cursor_take(&cursor, value_size);
    if (!key || !value || erase > 1 || key_size == 0 || key_size > STORE_KEY_SIZE_MAX ||
        !change_map_valid((enum store_map)map, erase)) {
        return result_of(JOURNAL_CORRUPT);
    }
    *ret_row = (struct core_change_row){.map = (enum store_map)map,
                                        .erase = erase,
                                        .key = bytes_of(key, key_size),
                                        .value = bytes_of(value, value_size)};
    view->rows = cursor.at;
    view->rows_size = cursor.left;
    view->row_count--;
    return result_ok();
}

struct result change_row_apply(struct core *core, struct store_txn *txn, const struct core_change_row *row)
{
    if (!row->erase) return store_put(core->store, txn, row->map, row->key, row->value);
    struct result result = store_erase(core->store, txn, row->map, row->key);
    return result.code == STORE_NOT_FOUND ? result_ok() : result;
}

struct result change_store(struct core *core, struct store_txn *txn, const struct slot_act *act, const uint8_t *payload)
{
    struct core_change_view view;
    struct core_change_row row;
    TRY(core_change_decode(payload, act->payload_size, &view));
    for (;;) {
        struct result result = core_change_row_next(&view, &row);
        if (result.code == STORE_NOT_FOUND) return result_ok();
        TRY(result);
        TRY(change_row_apply(core, txn, &row));
    }
}

struct result change_memory(struct core *core, const struct slot_act *act, const uint8_t *payload)
{
    struct core_change_view view;
    struct core_change_row row;
    TRY(core_change_decode(payload, act->payload_size, &view));
    for (;;) {
        struct result result = core_change_row_next(&view, &row);
        if (result.code == STORE_NOT_FOUND) return result_ok();
        TRY(result);
        TRY(gates_row_apply(core, &row));
    }
}
