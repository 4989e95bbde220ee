/* What change.c and change_record.c share. */
#ifndef OTPRING_CORE_CHANGE_STATE_H
#define OTPRING_CORE_CHANGE_STATE_H

#include "core/change.h"

enum {
    CHANGE_HEAD_SIZE = 16,
    CHANGE_HEAD_MAX = CHANGE_HEAD_SIZE + CORE_CHANGE_NAME_MAX + CORE_CHANGE_REASON_MAX,
    CHANGE_ROW_HEAD_SIZE = 6,
    CHANGE_VALUE_MAX = 65535,
};

bool change_map_valid(enum store_map map, bool erase);
struct result change_head_encode(const struct core_change_act *act, uint8_t ret[CHANGE_HEAD_MAX],
                                 size_t *ret_size) MUST_USE;
void change_head_rows(uint8_t *payload, uint16_t row_count);
/* Into CHANGE_ROW_HEAD_SIZE and the two sizes. */
void change_row_encode(enum store_map map, bool erase, struct store_bytes key, struct store_bytes value, uint8_t *ret);
struct result change_row_apply(struct core *core, struct store_txn *txn, const struct core_change_row *row) MUST_USE;

#endif
