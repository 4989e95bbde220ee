/* Memory, lists and time of the room; what may be done is judge.c's. */
#include "challenge/room.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "challenge/room_state.h"
#include "os/arena.h"

enum { PURPOSE_UNDONE = 0 }; /* of an entry that was taken back: challenge_undo */

/* ---- memory ---- */

static uint32_t buckets_for(uint32_t capacity)
{
    uint32_t buckets = 1;
    while (buckets < capacity) buckets *= 2;
    return buckets;
}

size_t challenge_room_size(uint32_t capacity)
{
    return sizeof(struct challenge_room) + ((size_t)capacity + 1) * sizeof(struct challenge_entry) +
           2 * sizeof(uint32_t) * buckets_for(capacity);
}

struct result challenge_room_open(const struct challenge_limits *limits, const uint8_t hash_key[32],
                                  struct challenge_room **ret_room)
{
    if (limits->capacity < 1 || limits->capacity > CHALLENGE_CAPACITY_MAX || limits->life_max_s < 1 ||
        limits->life_max_s > CHALLENGE_SPAN_MAX_S || limits->cool_down_s > CHALLENGE_SPAN_MAX_S ||
        limits->window_s > CHALLENGE_SPAN_MAX_S || limits->prompts_max < 1)
        return result_of(BAD_ARGUMENT);
    void *memory;
    TRY(arena_take(challenge_room_size(limits->capacity), true, &memory));
    struct challenge_room *room = memory;
    room->limits = *limits;
    checksum_secret(hash_key, room->secret);
    room->bucket_count = buckets_for(limits->capacity);
    room->entries = (struct challenge_entry *)(room + 1);
    room->by_id = (uint32_t *)(room->entries + limits->capacity + 1);
    room->by_account = room->by_id + room->bucket_count;
    room->fresh = 1;
    *ret_room = room;
    return result_ok();
}

void challenge_room_close(struct challenge_room *room)
{
    if (room) arena_release(room, challenge_room_size(room->limits.capacity));
}

uint32_t challenge_count(const struct challenge_room *room)
{
    return room->count;
}

uint32_t challenge_open_count(const struct challenge_room *room, uint16_t client)
{
    return room->open_by_client[client];
}

void challenge_on_expiry(struct challenge_room *room,
                         void (*expired)(void *context, const struct challenge_entry *entry), void *context)
{
    room->expired = expired;
    room->expired_context = context;
}

static bool entry_open(const struct challenge_entry *entry)
{
    return challenge_is_open((enum challenge_state)entry->state);
}

/* Its client has one more or one less open: `was` and what it is now. */
static void count_open(struct challenge_room *room, const struct challenge_entry *entry, bool was)
{
    uint32_t *count = &room->open_by_client[entry->client];
    if (was && !entry_open(entry)) {
        CHECK(*count > 0);
        --*count;
    } else if (!was && entry_open(entry)) {
        ++*count;
    }
}

/* ---- lists ---- */

/* Ids are random, whoever looks one up. */
uint32_t room_id_bucket(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE])
{
    return load_le32(id) & (room->bucket_count - 1);
}

/* Users could be named so that their accounts meet in one bucket; not under a key that they do not know. */
uint32_t room_account_bucket(const struct challenge_room *room, const uint8_t account[16])
{
    uint8_t hash[16];
    checksum128_keyed(account, 16, room->secret, hash);
    return load_le32(hash) & (room->bucket_count - 1);
}

static uint32_t index_of(const struct challenge_room *room, const struct challenge_entry *entry)
{
    return (uint32_t)(entry - room->entries);
}

const struct challenge_entry *challenge_find(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE])
{
    uint32_t at = room->by_id[room_id_bucket(room, id)];
    while (at && memcmp(room->entries[at].id, id, CHALLENGE_ID_SIZE) != 0) at = room->entries[at].next_by_id;
    return at ? &room->entries[at] : NULL;
}

static void id_unlink(struct challenge_room *room, const struct challenge_entry *entry)
{
    uint32_t *link = &room->by_id[room_id_bucket(room, entry->id)];
    while (*link != index_of(room, entry)) link = &room->entries[*link].next_by_id;
    *link = entry->next_by_id;
}

static void account_unlink(struct challenge_room *room, struct challenge_entry *entry)
{
    if (!entry->held) return;
    uint32_t *link = &room->by_account[room_account_bucket(room, entry->account)];
    while (*link != index_of(room, entry)) link = &room->entries[*link].next_by_account;
    *link = entry->next_by_account;
    entry->held = 0;
}

/* What counts against its account is in the account's list: all but what was approved. */
static void account_link(struct challenge_room *room, struct challenge_entry *entry)
{
    if (account_is_none(entry->account) || entry->state == CHALLENGE_APPROVED) return;
    uint32_t *head = &room->by_account[room_account_bucket(room, entry->account)];
    entry->next_by_account = *head;
    entry->held = 1;
    *head = index_of(room, entry);
}

const struct challenge_entry *challenge_open_next(const struct challenge_room *room, const uint8_t account[16],
                                                  const struct challenge_entry *after, uint32_t now_s)
{
    uint32_t at = after ? after->next_by_account : room->by_account[room_account_bucket(room, account)];
    for (; at; at = room->entries[at].next_by_account) {
        const struct challenge_entry *entry = &room->entries[at];
        if (memcmp(entry->account, account, sizeof entry->account) == 0 &&
            challenge_is_open(challenge_state_at(entry, now_s)))
            return entry;
    }
    return NULL;
}

const struct challenge_entry *challenge_open_any(const struct challenge_room *room, const uint8_t company[8],
                                                 const struct challenge_entry *after, uint32_t now_s)
{
    for (uint32_t at = after ? index_of(room, after) + 1 : 1; at < room->fresh; at++) {
        const struct challenge_entry *entry = &room->entries[at];
        if (entry->purpose == PURPOSE_UNDONE || account_is_none(entry->account)) continue;
        if (company && memcmp(entry->account, company, 8) != 0) continue;
        if (challenge_is_open(challenge_state_at(entry, now_s))) return entry;
    }
    return NULL;
}

/* ---- time ---- */

enum challenge_state challenge_state_at(const struct challenge_entry *entry, uint32_t now_s)
{
    enum challenge_state state = (enum challenge_state)entry->state;
    return challenge_is_open(state) && now_s >= entry->expires_s ? CHALLENGE_EXPIRED : state;
}

/* When it is next to be looked at: to be closed, or, once it is closed, to be forgotten. */
static uint64_t entry_due(const struct challenge_room *room, const struct challenge_entry *entry)
{
    uint64_t due = entry->expires_s;
    if (entry_open(entry)) return due;
    if ((uint64_t)entry->closed_s + CHALLENGE_KEPT_S > due) due = (uint64_t)entry->closed_s + CHALLENGE_KEPT_S;
    if (!entry->held) return due;
    uint64_t counted = (uint64_t)entry->asked_s + room->limits.window_s;
    uint64_t cool = entry_cools(entry) ? (uint64_t)entry->closed_s + room->limits.cool_down_s : 0;
    if (counted > due) due = counted;
    return cool > due ? cool : due;
}

static void wheel_put(struct challenge_room *room, struct challenge_entry *entry)
{
    uint64_t due = entry_due(room, entry), first = (uint64_t)room->swept_s + 1;
    if (due < first) due = first;
    if (due > first + WHEEL_SLOTS - 1) due = first + WHEEL_SLOTS - 1;
    uint32_t *head = &room->wheel[due % WHEEL_SLOTS];
    entry->next_in_wheel = *head;
    *head = index_of(room, entry);
}

static void entry_forget(struct challenge_room *room, struct challenge_entry *entry)
{
    if (entry->purpose != PURPOSE_UNDONE) id_unlink(room, entry);
    account_unlink(room, entry);
    explicit_bzero(entry, sizeof *entry);
    entry->next_by_id = room->spare;
    room->spare = index_of(room, entry);
    room->count--;
}

bool challenge_tick(struct challenge_room *room, uint32_t now_s, uint32_t budget,
                    void (*forget)(void *context, const struct challenge_entry *entry), void *context)
{
    if (room->swept_s == 0) return false; /* nothing was ever entered */
    /* After a long sleep every slot is taken up once. */
    if (now_s > room->swept_s && now_s - room->swept_s > WHEEL_SLOTS && !room->pending)
        room->swept_s = now_s - WHEEL_SLOTS;
    while (room->pending || room->swept_s < now_s) {
        if (!room->pending) {
            uint32_t *slot = &room->wheel[++room->swept_s % WHEEL_SLOTS];
            room->pending = *slot;
            *slot = CHALLENGE_NONE;
            continue;
        }
        if (budget-- == 0) return true;
        struct challenge_entry *entry = &room->entries[room->pending];
        room->pending = entry->next_in_wheel;
        if (challenge_state_at(entry, now_s) == CHALLENGE_EXPIRED && entry->state != CHALLENGE_EXPIRED) {
            entry->state = CHALLENGE_EXPIRED;
            entry->closed_s = entry->expires_s;
            count_open(room, entry, true);
            if (room->expired) room->expired(room->expired_context, entry);
        }
        if (entry_due(room, entry) > room->swept_s) {
            wheel_put(room, entry);
            continue;
        }
        if (forget && entry->purpose != PURPOSE_UNDONE) forget(context, entry);
        entry_forget(room, entry);
    }
    return false;
}

/* ---- entering ---- */

static struct challenge_entry *entry_take(struct challenge_room *room)
{
    uint32_t at = room->spare;
    if (at)
        room->spare = room->entries[at].next_by_id;
    else if (room->fresh <= room->limits.capacity)
        at = room->fresh++;
    else
        return NULL;
    room->count++;
    return &room->entries[at];
}

static struct result entry_add(struct challenge_room *room, const struct challenge_entry *from)
{
    struct challenge_entry *entry = entry_take(room);
    if (!entry) return result_of(FULL);
    *entry = *from;
    entry->held = 0;
    uint32_t *head = &room->by_id[room_id_bucket(room, entry->id)];
    entry->next_by_id = *head;
    *head = index_of(room, entry);
    account_link(room, entry);
    wheel_put(room, entry);
    count_open(room, entry, false);
    return result_ok();
}

struct result challenge_enter(struct challenge_room *room, const struct challenge_entry *from, uint32_t now_s)
{
    CHECK(from->state < CHALLENGE_STATE_COUNT && now_s > 0);
    if (room->swept_s == 0) room->swept_s = now_s - 1;
    struct challenge_entry *entry = (struct challenge_entry *)challenge_find(room, from->id);
    if (!entry) return entry_add(room, from);
    /* Final states stay; of the open ones SHOWN is the greater. */
    if (!challenge_is_open((enum challenge_state)entry->state) || from->state <= entry->state) return result_ok();
    entry->state = from->state;
    entry->reason = from->reason;
    entry->device = from->device;
    entry->closed_s = from->closed_s;
    count_open(room, entry, true);
    if (entry->state == CHALLENGE_APPROVED) account_unlink(room, entry);
    if (account_is_none(entry->account)) {
        memcpy(entry->account, from->account, sizeof entry->account);
        account_link(room, entry);
    }
    return result_ok();
}

void challenge_undo(struct challenge_room *room, const struct challenge_entry *before, bool new)
{
    struct challenge_entry *entry = (struct challenge_entry *)challenge_find(room, before->id);
    CHECK(entry);
    account_unlink(room, entry);
    bool was_open = entry_open(entry);
    if (new) {
        /* Out of sight; its place is free when its slot of the wheel comes up. */
        id_unlink(room, entry);
        *entry = (struct challenge_entry){.purpose = PURPOSE_UNDONE,
                                          .state = CHALLENGE_WITHDRAWN,
                                          .client = entry->client,
                                          .next_in_wheel = entry->next_in_wheel};
        count_open(room, entry, was_open);
        return;
    }
    entry->state = before->state;
    entry->reason = before->reason;
    entry->device = before->device;
    entry->closed_s = before->closed_s;
    memcpy(entry->account, before->account, sizeof entry->account);
    count_open(room, entry, was_open);
    account_link(room, entry);
}
