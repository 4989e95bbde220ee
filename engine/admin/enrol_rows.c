/* Rows of enrolments and devices, to bytes and back, and their places in the store. */
#include "admin/enrol.h"

#include <string.h>

enum { VERSION = 1 };

static struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

/* ---- bytes ---- */

static void device_write(struct row_writer *writer, const struct enrol_device *device)
{
    row_u8(writer, device->sign_key.algorithm);
    if (device->sign_key.algorithm == 0) return;
    row_bytes(writer, device->sign_key.bytes, device->sign_key.size);
    row_bytes(writer, device->seal_key, hpke_public_size(device_kem(device->sign_key.algorithm)));
    row_text(writer, device->platform);
    row_u16(writer, device->about_size);
    row_bytes(writer, device->about, device->about_size);
}

static bool device_take(struct cursor *cursor, struct enrol_device *ret_device)
{
    uint8_t algorithm = cursor_u8(cursor);
    if (algorithm == 0) return true;
    if (!device_algorithm_name((enum device_algorithm)algorithm)) return false;
    ret_device->sign_key.algorithm = algorithm;
    ret_device->sign_key.size = algorithm == DEVICE_ES256 ? 65 : 32;
    row_take(cursor, ret_device->sign_key.bytes, ret_device->sign_key.size);
    row_take(cursor, ret_device->seal_key, hpke_public_size(device_kem((enum device_algorithm)algorithm)));
    row_take_text(cursor, ret_device->platform, ENROL_PLATFORM_MAX);
    ret_device->about_size = cursor_u16(cursor);
    if (ret_device->about_size > sizeof(ret_device->about)) return false;
    row_take(cursor, ret_device->about, ret_device->about_size);
    return true;
}

size_t enrol_row_encode(const struct enrolment_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u64(&writer, row->number);
    row_u8(&writer, row->state);
    row_u8(&writer, row->overlap);
    row_u8(&writer, row->days);
    row_u8(&writer, (uint8_t)(row->needs_code | row->old_retired << 1));
    row_u8(&writer, row->tries);
    row_u16(&writer, row->profile);
    row_u32(&writer, row->rollback_s);
    row_bytes(&writer, row->activation_id, sizeof(row->activation_id));
    row_bytes(&writer, row->activation_mac, sizeof(row->activation_mac));
    row_bytes(&writer, row->handle, sizeof(row->handle));
    row_bytes(&writer, row->statement_mac, sizeof(row->statement_mac));
    row_u64(&writer, (uint64_t)row->statement_until_ms);
    row_u64(&writer, row->code_session);
    row_u32(&writer, row->code_sequence);
    row_bytes(&writer, row->code_mac, sizeof(row->code_mac));
    device_write(&writer, &row->device);
    row_bytes(&writer, row->nonce, sizeof(row->nonce));
    row_u64(&writer, row->device_number);
    row_u64(&writer, row->stock_number);
    row_u8(&writer, row->old_count);
    for (unsigned i = 0; i < row->old_count; i++) row_u32(&writer, row->old[i]);
    row_u64(&writer, (uint64_t)row->invited_ms);
    row_u64(&writer, (uint64_t)row->changed_ms);
    row_u64(&writer, (uint64_t)row->due_ms);
    row_u64(&writer, (uint64_t)row->active_ms);
    row_u64(&writer, (uint64_t)row->rollback_until_ms);
    row_u8(&writer, row->seed_size);
    if (row->seed_size > 0) row_bytes(&writer, row->sealed_seed, (size_t)row->seed_size + VAULT_SEAL_EXTRA);
    return row_done(&writer).size;
}

struct result enrol_row_decode(struct store_bytes value, struct enrolment_row *ret_row)
{
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct enrolment_row){.number = cursor_u64(&cursor)};
    ret_row->state = cursor_u8(&cursor);
    ret_row->overlap = cursor_u8(&cursor);
    ret_row->days = cursor_u8(&cursor);
    uint8_t flags = cursor_u8(&cursor);
    ret_row->needs_code = flags & 1;
    ret_row->old_retired = flags >> 1 & 1;
    ret_row->tries = cursor_u8(&cursor);
    ret_row->profile = cursor_u16(&cursor);
    ret_row->rollback_s = cursor_u32(&cursor);
    row_take(&cursor, ret_row->activation_id, sizeof(ret_row->activation_id));
    row_take(&cursor, ret_row->activation_mac, sizeof(ret_row->activation_mac));
    row_take(&cursor, ret_row->handle, sizeof(ret_row->handle));
    row_take(&cursor, ret_row->statement_mac, sizeof(ret_row->statement_mac));
    ret_row->statement_until_ms = (int64_t)cursor_u64(&cursor);
    ret_row->code_session = cursor_u64(&cursor);
    ret_row->code_sequence = cursor_u32(&cursor);
    row_take(&cursor, ret_row->code_mac, sizeof(ret_row->code_mac));
    bool device = device_take(&cursor, &ret_row->device);
    row_take(&cursor, ret_row->nonce, sizeof(ret_row->nonce));
    ret_row->device_number = cursor_u64(&cursor);
    ret_row->stock_number = cursor_u64(&cursor);
    ret_row->old_count = cursor_u8(&cursor);
    if (ret_row->old_count > TABLE_ACCOUNT_TOKENS_MAX) return result_of(STORE_DAMAGED);
    for (unsigned i = 0; i < ret_row->old_count; i++) ret_row->old[i] = cursor_u32(&cursor);
    ret_row->invited_ms = (int64_t)cursor_u64(&cursor);
    ret_row->changed_ms = (int64_t)cursor_u64(&cursor);
    ret_row->due_ms = (int64_t)cursor_u64(&cursor);
    ret_row->active_ms = (int64_t)cursor_u64(&cursor);
    ret_row->rollback_until_ms = (int64_t)cursor_u64(&cursor);
    ret_row->seed_size = cursor_u8(&cursor);
    if (ret_row->seed_size > ENROL_SEED_SIZE_MAX) return result_of(STORE_DAMAGED);
    if (ret_row->seed_size > 0) {
        row_take(&cursor, ret_row->sealed_seed, (size_t)ret_row->seed_size + VAULT_SEAL_EXTRA);
    }
    return row_judge(&cursor, device && flags < 4 && ret_row->state > ENROLMENT_NONE &&
                                  ret_row->state < ENROLMENT_STATE_COUNT && ret_row->overlap >= OVERLAP_AT_ONCE &&
                                  ret_row->overlap <= OVERLAP_DAYS);
}

size_t enrol_device_encode(const struct device_row *row, uint8_t ret[PEOPLE_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, PEOPLE_ROW_MAX, VERSION);
    row_u64(&writer, row->number);
    row_u8(&writer, row->state);
    row_bytes(&writer, row->name, sizeof(row->name));
    row_u64(&writer, row->stock_number);
    row_u64(&writer, (uint64_t)row->bound_ms);
    row_u64(&writer, (uint64_t)row->unbound_ms);
    row_u64(&writer, row->counter);
    device_write(&writer, &row->device);
    return row_done(&writer).size;
}

struct result enrol_device_decode(struct store_bytes value, struct device_row *ret_row)
{
    struct cursor cursor = row_cursor(value, VERSION);
    *ret_row = (struct device_row){.number = cursor_u64(&cursor)};
    ret_row->state = cursor_u8(&cursor);
    row_take(&cursor, ret_row->name, sizeof(ret_row->name));
    ret_row->stock_number = cursor_u64(&cursor);
    ret_row->bound_ms = (int64_t)cursor_u64(&cursor);
    ret_row->unbound_ms = (int64_t)cursor_u64(&cursor);
    ret_row->counter = cursor_u64(&cursor);
    bool device = device_take(&cursor, &ret_row->device) && ret_row->device.sign_key.algorithm != 0;
    return row_judge(&cursor,
                     device && (ret_row->state == ENROL_DEVICE_BOUND || ret_row->state == ENROL_DEVICE_UNBOUND));
}

/* ---- the store ---- */

struct result enrol_row_get(struct people *people, const uint8_t name[16], struct enrolment_row *ret_row)
{
    struct store_bytes value;
    TRY(store_get(people->store, people->txn, STORE_INVITATIONS, bytes_of(name, 16), &value));
    return enrol_row_decode(value, ret_row);
}

static struct order_key key_of(char kind, const void *bytes, size_t size)
{
    struct order_key key = order_begin(ORDER_INVITATION);
    order_u8(&key, (uint8_t)kind);
    order_bytes(&key, bytes, size);
    return key;
}

static struct order_key key_due(const struct enrolment_row *row, const uint8_t name[16])
{
    struct order_key key = order_begin(ORDER_INVITATION);
    order_u8(&key, 'd');
    order_u64(&key, (uint64_t)row->due_ms);
    order_bytes(&key, name, 16);
    return key;
}

static struct result name_find(struct people *people, const struct order_key *key, uint8_t ret_name[16])
{
    struct store_bytes value;
    TRY(store_get(people->store, people->txn, STORE_ORDER, order_done(key), &value));
    if (value.size != 16) return result_of(STORE_DAMAGED);
    memcpy(ret_name, value.bytes, 16);
    return result_ok();
}

struct result enrol_find_activation(struct people *people, const char id[ACTIVATION_ID_SIZE], uint8_t ret_name[16])
{
    struct order_key key = key_of('c', id, ACTIVATION_ID_SIZE);
    return name_find(people, &key, ret_name);
}

struct result enrol_find_handle(struct people *people, const uint8_t handle[ENROL_HANDLE_SIZE], uint8_t ret_name[16])
{
    struct order_key key = key_of('h', handle, ENROL_HANDLE_SIZE);
    return name_find(people, &key, ret_name);
}

static bool handle_given(const struct enrolment_row *row)
{
    static const uint8_t none[ENROL_HANDLE_SIZE];
    return memcmp(row->handle, none, sizeof(none)) != 0;
}

static bool waits_for_use(const struct enrolment_row *row)
{
    return row->state == ENROLMENT_ACTIVE && row->overlap == OVERLAP_FIRST_USE && !row->old_retired;
}

static struct result keys_erase(struct people *people, const uint8_t name[16], const struct enrolment_row *row)
{
    struct order_key key = key_of('c', row->activation_id, ACTIVATION_ID_SIZE);
    TRY(people_order_erase(people, &key));
    if (handle_given(row)) {
        key = key_of('h', row->handle, ENROL_HANDLE_SIZE);
        TRY(people_order_erase(people, &key));
    }
    if (row->due_ms != 0) {
        key = key_due(row, name);
        TRY(people_order_erase(people, &key));
    }
    key = key_of('w', name, 16);
    return waits_for_use(row) ? people_order_erase(people, &key) : result_ok();
}

static struct result keys_put(struct people *people, const uint8_t name[16], const struct enrolment_row *row)
{
    struct order_key key = key_of('c', row->activation_id, ACTIVATION_ID_SIZE);
    TRY(people_order_put(people, &key, bytes_of(name, 16)));
    if (handle_given(row)) {
        key = key_of('h', row->handle, ENROL_HANDLE_SIZE);
        TRY(people_order_put(people, &key, bytes_of(name, 16)));
    }
    if (row->due_ms != 0) {
        key = key_due(row, name);
        TRY(people_order_put(people, &key, bytes_of("", 0)));
    }
    key = key_of('w', name, 16);
    return waits_for_use(row) ? people_order_put(people, &key, bytes_of("", 0)) : result_ok();
}

struct result enrol_row_put(struct people *people, const uint8_t name[16], const struct enrolment_row *before,
                            const struct enrolment_row *row)
{
    uint8_t value[PEOPLE_ROW_MAX];
    if (before) TRY(keys_erase(people, name, before));
    TRY(keys_put(people, name, row));
    size_t size = enrol_row_encode(row, value);
    return core_change_put(people->change, STORE_INVITATIONS, bytes_of(name, 16), bytes_of(value, size));
}

struct result enrol_device_get(struct people *people, uint64_t number, struct device_row *ret_row)
{
    uint8_t key[8];
    struct store_bytes value;
    store_be64(key, number);
    TRY(store_get(people->store, people->txn, STORE_DEVICES, bytes_of(key, sizeof(key)), &value));
    TRY(enrol_device_decode(value, ret_row));
    return ret_row->number == number ? result_ok() : result_of(STORE_DAMAGED);
}

struct result enrol_device_put(struct people *people, const struct device_row *row)
{
    uint8_t key[8], value[PEOPLE_ROW_MAX];
    struct order_key order = order_begin(ORDER_DEVICE);
    order_bytes(&order, row->name, sizeof(row->name));
    order_u64(&order, row->number);
    store_be64(key, row->number);
    size_t size = enrol_device_encode(row, value);
    TRY(core_change_put(people->change, STORE_DEVICES, bytes_of(key, sizeof(key)), bytes_of(value, size)));
    return people_order_put(people, &order, bytes_of("", 0));
}
