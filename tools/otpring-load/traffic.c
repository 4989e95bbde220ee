#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "otpring/wire.h"

/* Numbers of what was met: open addressing, at most half full. */
struct numbers {
    struct number {
        uint64_t key[2];
        uint32_t number;
        bool used;
    } * slots;
    size_t capacity;
    uint32_t count;
};

struct traffic_making {
    struct traffic *traffic;
    size_t item_capacity;
    size_t frame_capacity;
    struct numbers accounts;
    struct numbers suspended;
    struct numbers nobody;
    struct numbers sources;
};

/* ---- numbering ---- */

static struct number *number_find(const struct numbers *numbers, const uint64_t key[2])
{
    uint64_t hash = (key[0] ^ key[1] * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    for (size_t at = (size_t)(hash >> 20);; at++) {
        struct number *slot = &numbers->slots[at % numbers->capacity];
        if (!slot->used || memcmp(slot->key, key, sizeof slot->key) == 0) return slot;
    }
}

static int numbers_grow(struct numbers *numbers)
{
    struct numbers larger = {.capacity = numbers->capacity ? numbers->capacity * 2 : 1024, .count = numbers->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots) return -1;
    for (size_t i = 0; i < numbers->capacity; i++)
        if (numbers->slots[i].used) *number_find(&larger, numbers->slots[i].key) = numbers->slots[i];
    free(numbers->slots);
    *numbers = larger;
    return 0;
}

static int number_of(struct numbers *numbers, uint64_t low, uint64_t high, uint32_t *ret_number)
{
    uint64_t key[2] = {low, high};
    if (2 * (size_t)numbers->count >= numbers->capacity && numbers_grow(numbers)) return -1;
    struct number *slot = number_find(numbers, key);
    if (!slot->used) {
        *slot = (struct number){.number = numbers->count++, .used = true};
        memcpy(slot->key, key, sizeof key);
    }
    *ret_number = slot->number;
    return 0;
}

/* ---- adding ---- */

static int room_for(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) return 0;
    size_t larger = *capacity ? *capacity * 2 : 4096;
    void *moved = realloc(*array, larger * size);
    if (!moved) return -1;
    *array = moved;
    *capacity = larger;
    return 0;
}

/* What must be sent for it; TRAFFIC_KIND_COUNT: nothing that is like it. */
static enum traffic_kind kind_of(const struct traffic_record *record)
{
    if (record->method == OTPRING_QUERY_REQUIRED)
        return record->verdict == OTPRING_REQUIRED ? TRAFFIC_REQUIRED : TRAFFIC_KIND_COUNT;
    switch (record->verdict) {
    case OTPRING_ACCEPTED:
        return TRAFFIC_RIGHT;
    case OTPRING_REPLAYED:
        return TRAFFIC_USED;
    case OTPRING_RESYNC:
        return TRAFFIC_FAR;
    case OTPRING_THROTTLED:
        return TRAFFIC_WRONG;
    case OTPRING_INACTIVE:
        return TRAFFIC_INACTIVE;
    case OTPRING_UNKNOWN:
        return TRAFFIC_NOBODY;
    case OTPRING_MALFORMED:
        return TRAFFIC_MALFORMED;
    case OTPRING_REJECTED:
        if (record->reason == OTPRING_REASON_COMPANY) return TRAFFIC_KIND_COUNT;
        return record->reason == OTPRING_REASON_HIDDEN   ? TRAFFIC_NOBODY
               : record->reason == OTPRING_REASON_DIGITS ? TRAFFIC_DIGITS
                                                         : TRAFFIC_WRONG;
    default:
        return TRAFFIC_KIND_COUNT;
    }
}

static int begin_frame(struct traffic_making *making, int64_t time_ms)
{
    struct traffic *traffic = making->traffic;
    if (room_for((void **)&traffic->frames, &making->frame_capacity, traffic->frame_count, sizeof *traffic->frames))
        return -1;
    traffic->frames[traffic->frame_count++] = (struct traffic_frame){.time_ms = time_ms, .first = traffic->item_count};
    return 0;
}

int traffic_add(struct traffic_making *making, const struct traffic_record *record)
{
    struct traffic *traffic = making->traffic;
    enum traffic_kind kind = kind_of(record);
    if (record->verdict == OTPRING_UNAVAILABLE && record->method != OTPRING_QUERY_REQUIRED) {
        traffic->unavailable++;
        return 0;
    }
    if (kind == TRAFFIC_KIND_COUNT) {
        traffic->unlike++;
        return 0;
    }
    struct traffic_item item = {
        .kind = (uint8_t)kind, .verdict = record->verdict, .source_class = record->source_class & 1};
    struct numbers *names = kind == TRAFFIC_NOBODY     ? &making->nobody
                            : kind == TRAFFIC_INACTIVE ? &making->suspended
                                                       : &making->accounts;
    if (number_of(names, load_le64(record->name), load_le64(record->name + 8), &item.account)) return -1;
    if (record->source && number_of(&making->sources, record->source, 0, &item.source)) return -1;
    item.source += record->source != 0;
    struct traffic_frame *last = traffic->frame_count ? &traffic->frames[traffic->frame_count - 1] : NULL;
    bool joins = last && !record->begins && last->time_ms == record->time_ms && last->count < OTPRING_WIRE_ITEMS_MAX;
    if (!joins && begin_frame(making, record->time_ms)) return -1;
    if (room_for((void **)&traffic->items, &making->item_capacity, traffic->item_count, sizeof *traffic->items))
        return -1;
    traffic->items[traffic->item_count++] = item;
    last = &traffic->frames[traffic->frame_count - 1];
    if (++last->count > traffic->greatest_frame) traffic->greatest_frame = last->count;
    return 0;
}

void traffic_damaged(struct traffic_making *making)
{
    making->traffic->damaged++;
}

/* ---- reading ---- */

static int read_any(struct traffic_making *making, const char *path)
{
    struct traffic *traffic = making->traffic;
    struct stat status;
    char folder[4096];
    if (strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)))
        return traffic_read_lines(making, path, traffic->error, sizeof traffic->error);
    int size = snprintf(folder, sizeof folder, "%s/journal", path);
    bool store = size < (int)sizeof folder && stat(folder, &status) == 0 && S_ISDIR(status.st_mode);
    return traffic_read_journal(making, store ? folder : path, traffic->error, sizeof traffic->error);
}

int traffic_read(const char *path, struct traffic *ret_traffic)
{
    struct traffic_making making = {.traffic = ret_traffic};
    *ret_traffic = (struct traffic){0};
    int error = read_any(&making, path);
    ret_traffic->account_count = making.accounts.count;
    ret_traffic->suspended_count = making.suspended.count;
    ret_traffic->nobody_count = making.nobody.count;
    free(making.accounts.slots);
    free(making.suspended.slots);
    free(making.nobody.slots);
    free(making.sources.slots);
    if (error && !ret_traffic->error[0]) snprintf(ret_traffic->error, sizeof ret_traffic->error, "not enough memory");
    if (!error && ret_traffic->item_count == 0) {
        snprintf(ret_traffic->error, sizeof ret_traffic->error, "%.200s: holds no attempt that can be sent again",
                 path);
        error = -1;
    }
    return error;
}

void traffic_free(struct traffic *traffic)
{
    free(traffic->items);
    free(traffic->frames);
    *traffic = (struct traffic){0};
}
