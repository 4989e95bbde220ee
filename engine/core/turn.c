/* The turn: takes frames, judges them all as one batch, appends one journal block.
 *
 * A turn gets its journal block with its first frame, so that what was taken can always be judged and recorded in the
 * next core_turn. Where the journal's next segment is only not ready yet, senders wait for it a little. Without journal
 * room, with an unsure clock or while stopping, frames are taken all the same and answered UNAVAILABLE, unjudged and
 * unkept: the same sequence number is then judged like a new one. */
#include "core/turn_state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { ROOM_WAIT_MS = 250, SEALS_WAIT_MS = 2000 };

/* A large frame has a sixteenth of a turn's items and more. */
enum { LARGE_PART = 16 };

/* ---- taking ---- */

static struct turn *free_turn(const struct turns *turns)
{
    for (uint32_t i = 0; i < turns->turn_count; i++) {
        if (turns->turns[i].state == TURN_FREE) return &turns->turns[i];
    }
    return NULL;
}

/* While small frames have as many turns in flight as the disk is good for (depth.h), others gather for the next one,
 * where each would else begin a turn of little, with a block of its own. Unless they come in such numbers that the last
 * turn was nearly full. */
static bool worth_a_turn(const struct turns *turns, uint32_t items)
{
    return items >= turns->items_max / LARGE_PART || turns->last_items >= turns->items_max / 4 * 3;
}

static bool may_begin(const struct turns *turns, uint32_t items)
{
    bool now = worth_a_turn(turns, items) || turns->small_in_flight < turns->depth.turns;
    return now && free_turn(turns) != NULL;
}

static bool has_room(const struct core_worker *worker, uint32_t items, uint32_t slots)
{
    struct turns *turns = worker->turns;
    const struct turn *turn = turns->collecting;
    if (!turn) return may_begin(turns, items);
    return turn->frame_count < turns->frames_max && turn->answer_count + items <= turns->items_max &&
           turn->slots_wanted + slots <= turns->slots_max;
}

/* Load that outruns the making of segments, or their seals, is held back, not turned away; a disk without space is told
 * at once. */
static bool room_is_coming(struct core_worker *worker)
{
    struct turns *turns = worker->turns;
    uint64_t now_ms = os_time(worker->os).boot_ms;
    struct journal_status status = journal_status(worker->core->journal);
    if (turns->room_since_ms == 0) {
        turns->room_since_ms = now_ms + 1; /* not 0 */
        turns->room_of_seals = false;
    }
    turns->room_of_seals |= status.held_back;
    if (atomic_load(&worker->core->stop_reason) || status.no_room) return false;
    return now_ms < turns->room_since_ms + (turns->room_of_seals ? SEALS_WAIT_MS : ROOM_WAIT_MS);
}

/* The turn being collected, begun with its journal block; NULL: full for now. */
static struct turn *collect(struct core_worker *worker, uint32_t items)
{
    struct turns *turns = worker->turns;
    if (turns->collecting) return turns->collecting;
    struct turn *turn = free_turn(turns);
    CHECK(turn); /* see has_room, which comes first */
    turn->block = NULL;
    turn->unavailable = OTPRING_REASON_NONE;
    struct result result = journal_begin(worker->writer, &turn->block);
    if (result.code == FULL || (result.code == JOURNAL_NO_ROOM && room_is_coming(worker))) return NULL;
    if (!result_failed(result)) turns->room_since_ms = 0;
    if (result_failed(result)) {
        turn->block = NULL;
        turn->unavailable = result.code == JOURNAL_NO_ROOM ? OTPRING_REASON_NO_ROOM : OTPRING_REASON_POISONED;
        if (turn->unavailable == OTPRING_REASON_POISONED) core_poisoned(worker->core);
    } else {
        turn->block->owner = &turn->block_owner;
    }
    turn->state = TURN_COLLECTING;
    turn->poisoned = turn->others_durable = false;
    turn->small = !worth_a_turn(turns, items);
    turn->frame_count = turn->hello_count = turn->answer_count = turn->slots_wanted = turn->slot_count = 0;
    turns->collecting = turn;
    return turn;
}

static enum core_admit give_kept(struct core_worker *worker, const struct core_frame *frame)
{
    struct core_answer answer = {.owner = frame->owner,
                                 .header = *frame->header,
                                 .answers = worker->turns->scratch,
                                 .count = frame->header->count};
    worker->options.answered(worker->options.context, &answer);
    return CORE_ANSWERED;
}

static void take(struct core_worker *worker, struct turn *turn, const struct core_frame *frame,
                 const struct session_ticket *ticket, bool retry)
{
    struct turn_frame *taken = &turn->frames[turn->frame_count++];
    /* Every member is named: where one is not, gcc 12 clears the whole first, by a repeated store that takes longer to
     * begin than all of these. */
    *taken = (struct turn_frame){.header = *frame->header,
                                 .items = frame->items,
                                 .judged = {.client = frame->client,
                                            .client_id = frame->client->id,
                                            .method = frame->header->kind,
                                            .sees_states = (frame->client->rights & CORE_RIGHT_SEE_STATES) != 0,
                                            .needs_others = false},
                                 .owner = frame->owner,
                                 .ticket = *ticket,
                                 .answer_first = turn->answer_count,
                                 .retry = retry,
                                 .released = false,
                                 .answered = false};
    struct otpring_wire_answer *answers = turn->answers + turn->answer_count;
    if (retry) memcpy(answers, worker->turns->scratch, ticket->count * sizeof *answers);
    turn->answer_count += ticket->count;
    turn->slots_wanted += 1u + ticket->count + (ticket->recorded ? 0 : SESSION_RECORD_SLOTS);
}

enum core_admit core_frame(struct core_worker *worker, const struct core_frame *frame,
                           enum otpring_wire_error_code *ret_error)
{
    struct core *core = worker->core;
    const struct otpring_wire_header *header = frame->header;
    bool verifies =
        header->kind == OTPRING_WIRE_VERIFY || header->kind == OTPRING_WIRE_RESYNC || header->kind == OTPRING_WIRE_OCRA;
    enum otpring_wire_error_code error = !verifies                                      ? OTPRING_ERROR_KIND
                                         : !(frame->client->rights & CORE_RIGHT_VERIFY) ? OTPRING_ERROR_NO_RIGHT
                                                                                        : 0;
    if (!error && header->count > worker->turns->items_max) error = OTPRING_ERROR_TOO_MANY;
    if (error) {
        *ret_error = error;
        return CORE_ERROR;
    }
    if (!has_room(worker, header->count, 1u + header->count + SESSION_RECORD_SLOTS)) return CORE_FULL;
    struct session_ticket ticket;
    enum session_admit admit =
        sessions_offer(core->sessions, header, frame->client->id, NULL, &ticket, worker->turns->scratch, ret_error);
    if (admit == SESSION_WANTS_MAC) {
        uint8_t mac[16];
        frame_mac(worker, header, frame->items, mac);
        admit =
            sessions_offer(core->sessions, header, frame->client->id, mac, &ticket, worker->turns->scratch, ret_error);
    }
    if (admit == SESSION_KEPT) return give_kept(worker, frame);
    if (admit == SESSION_IN_FLIGHT) return CORE_JOIN_LATER;
    if (admit == SESSION_REFUSED) return CORE_ERROR;
    struct turn *turn = collect(worker, header->count);
    if (!turn) {
        sessions_release(core->sessions, &ticket);
        return CORE_FULL;
    }
    take(worker, turn, frame, &ticket, admit == SESSION_RETRY);
    return CORE_TAKEN;
}

/* ---- hello ---- */

static struct otpring_wire_hello_answer hello_of(const struct core_worker *worker, const struct act_session *act,
                                                 const struct core_client *client, bool resumed, int64_t now_ms)
{
    uint32_t kinds = 1u << OTPRING_WIRE_HELLO | 1u << OTPRING_WIRE_PING;
    if (client->rights & CORE_RIGHT_VERIFY)
        kinds |= 1u << OTPRING_WIRE_VERIFY | 1u << OTPRING_WIRE_RESYNC | 1u << OTPRING_WIRE_OCRA;
    return (struct otpring_wire_hello_answer){.version = OTPRING_WIRE_VERSION,
                                              .slots = act->slots,
                                              .items_max = act->items_max,
                                              .resumed = resumed,
                                              .session = act->id,
                                              .idle_timeout_s = sessions_idle_s(worker->core->sessions),
                                              .kinds = kinds,
                                              .server_time_ms = (uint64_t)now_ms};
}

static enum core_admit hello_now(struct core_worker *worker, uint64_t owner, enum otpring_wire_error_code error,
                                 const struct otpring_wire_hello_answer *hello)
{
    struct core_hello_answer answer = {.owner = owner, .error = error};
    if (!error) answer.hello = *hello;
    worker->options.hello_answered(worker->options.context, &answer);
    return CORE_ANSWERED;
}

static uint16_t within(uint16_t wished, uint16_t standard, uint32_t most)
{
    if (wished == 0) wished = standard;
    return wished < most ? wished : (uint16_t)most;
}

enum core_admit core_hello(struct core_worker *worker, const struct otpring_wire_hello *hello,
                           const struct core_client *client, uint64_t owner)
{
    struct sessions *sessions = worker->core->sessions;
    struct os_time now = os_time(worker->os);
    int64_t journal_ms = clock_journal_ms(&worker->core->clock, now);
    if (hello->version_min > OTPRING_WIRE_VERSION || hello->version_max < OTPRING_WIRE_VERSION)
        return hello_now(worker, owner, OTPRING_ERROR_VERSION, NULL);
    struct act_session act;
    if (hello->session && sessions_resume(sessions, hello->session, client->id, journal_ms, &act)) {
        struct otpring_wire_hello_answer answer = hello_of(worker, &act, client, true, now.wall_ms);
        return hello_now(worker, owner, 0, &answer);
    }
    if (!has_room(worker, 0, SESSION_RECORD_SLOTS)) return CORE_FULL;
    if (worker->turns->collecting && worker->turns->collecting->hello_count == TURN_HELLOS_MAX) return CORE_FULL;
    uint16_t slots = within(hello->slots, 16, OTPRING_WIRE_SLOTS_MAX);
    uint32_t items_most =
        worker->turns->items_max < OTPRING_WIRE_ITEMS_MAX ? worker->turns->items_max : OTPRING_WIRE_ITEMS_MAX;
    uint16_t items_max = within(hello->items_max, 1024, items_most);
    uint64_t random;
    os_random(worker->os, &random, sizeof random);
    if (!sessions_open(sessions, client->id, slots, items_max, random, journal_ms, &act))
        return hello_now(worker, owner, OTPRING_ERROR_LIMIT, NULL);
    struct turn *turn = collect(worker, 0);
    if (!turn) {
        sessions_close(sessions, act.id);
        return CORE_FULL;
    }
    struct turn_hello *taken = &turn->hellos[turn->hello_count++];
    *taken = (struct turn_hello){.owner = owner, .act = act, .uid = client->uid};
    taken->hello = hello_of(worker, &act, client, false, now.wall_ms);
    turn->slots_wanted += SESSION_RECORD_SLOTS;
    return CORE_TAKEN;
}

/* ---- judging ---- */

static uint16_t to_judge(const struct turn *turn, const struct turn_frame *frame)
{
    if (!frame->retry) return frame->header.count;
    uint16_t count = 0;
    for (uint16_t i = 0; i < frame->header.count; i++)
        count += turn->answers[frame->answer_first + i].verdict == OTPRING_UNAVAILABLE;
    return count;
}

static void frame_slot_write(uint8_t *bytes, const struct turn_frame *frame, uint16_t item_count)
{
    struct slot_frame *slot = (struct slot_frame *)(void *)bytes;
    memset(slot, 0, sizeof *slot);
    slot->session = frame->header.session;
    slot->tag = frame->header.tag;
    memcpy(slot->mac, frame->ticket.mac, 16);
    slot->sequence = frame->header.sequence;
    slot->slot = frame->header.slot;
    slot->item_count = item_count;
    slot->client = frame->judged.client_id;
    slot->frame_kind = frame->header.kind;
    slot->retry = frame->retry;
    slot->kind = SLOT_FRAME;
}

/* Bytes of the item that begins here: in OCRA frames each says so itself, and stands alone. */
static size_t item_size(const struct turn_frame *frame, const uint8_t *item)
{
    switch (frame->judged.method) {
    case OTPRING_WIRE_OCRA:
        return load_le16(item + offsetof(struct otpring_wire_ocra, size));
    case OTPRING_WIRE_RESYNC:
        return sizeof(struct otpring_wire_pair);
    default:
        return sizeof(struct otpring_wire_query);
    }
}

/* The next items of a frame, from `index` on, become the next of the chunk. They stand from `bytes` on. */
static void chunk_add(struct chunk *chunk, struct turn *turn, struct turn_frame *frame, const struct judge *judge,
                      uint32_t index, uint32_t count, const uint8_t *bytes)
{
    uint32_t at = chunk->count;
    struct otpring_wire_answer *answer = turn->answers + frame->answer_first + index;
    uint64_t place = index | (uint64_t)frame->judged.client_id << 16 | (uint64_t)judge->policy << 48;
    if (count == 1) { /* as `gather` has it; a call would take longer than the five stores */
        chunk->queries[at] = bytes;
        chunk->answers[at] = answer;
        chunk->frames[at] = &frame->judged;
        chunk->places[at] = place;
        chunk->records[at] = turn->slot_count;
    } else {
        judge->kernel->stages->gather(&(struct stage_gather){.at = at,
                                                             .count = count,
                                                             .query = bytes,
                                                             .query_size = item_size(frame, bytes),
                                                             .answer = answer,
                                                             .frame = &frame->judged,
                                                             .place = place,
                                                             .record = turn->slot_count,
                                                             .ret_queries = chunk->queries,
                                                             .ret_answers = chunk->answers,
                                                             .ret_frames = chunk->frames,
                                                             .ret_places = chunk->places,
                                                             .ret_records = chunk->records});
    }
    bool codes = frame->judged.method == OTPRING_WIRE_VERIFY;
    if (codes && frame->judged.client->company_count == 0) chunk->plain |= items_mask(count) << at;
    chunk->count = at + count;
    turn->slot_count += count;
}

static void frame_gather(struct turn *turn, struct turn_frame *frame, struct judge *judge, struct group *group)
{
    const uint8_t *item = frame->items;
    bool alone = frame->judged.method == OTPRING_WIRE_OCRA;
    for (uint32_t index = 0; index < frame->header.count;) {
        struct chunk *chunk = group_filling(group);
        uint32_t room = CHUNK_ITEMS - chunk->count, left = alone ? 1 : frame->header.count - index;
        uint32_t count = left < room ? left : room;
        chunk_add(chunk, turn, frame, judge, index, count, item);
        item += count * item_size(frame, item);
        index += count;
        if (chunk->count == CHUNK_ITEMS) group_advance(judge, group);
    }
}

/* Only what was answered UNAVAILABLE is judged again. */
static void retry_gather(struct turn *turn, struct turn_frame *frame, struct judge *judge, struct group *group)
{
    const uint8_t *item = frame->items;
    for (uint32_t index = 0; index < frame->header.count; item += item_size(frame, item), index++) {
        if (turn->answers[frame->answer_first + index].verdict != OTPRING_UNAVAILABLE) continue;
        struct chunk *chunk = group_filling(group);
        chunk_add(chunk, turn, frame, judge, index, 1, item);
        if (chunk->count == CHUNK_ITEMS) group_advance(judge, group);
    }
}

static void frame_judge(struct turn *turn, struct turn_frame *frame, struct judge *judge, struct group *group)
{
    uint8_t *slots = turn->block->slots;
    if (!frame->ticket.recorded) {
        act_session_write(slots + (size_t)turn->slot_count * JOURNAL_SLOT_SIZE, &frame->ticket.act,
                          frame->judged.client->uid);
        turn->slot_count += SESSION_RECORD_SLOTS;
    }
    frame_slot_write(slots + (size_t)turn->slot_count++ * JOURNAL_SLOT_SIZE, frame, to_judge(turn, frame));
    if (frame->retry)
        retry_gather(turn, frame, judge, group);
    else
        frame_gather(turn, frame, judge, group);
}

/* Pairs and responses take other work than loads. */
static bool codes_alone(const struct turn *turn)
{
    bool codes = true;
    for (uint32_t i = 0; i < turn->frame_count; i++) codes &= turn->frames[i].header.kind == OTPRING_WIRE_VERIFY;
    return codes;
}

static void frames_judge(struct core_worker *worker, struct turn *turn)
{
    struct turns *turns = worker->turns;
    bool measured = bursts_begin(&turns->trial, turn->answer_count) && codes_alone(turn);
    uint64_t begun_ns = measured ? os_monotonic_ns(worker->os) : 0;
    turns->group->bursts = turns->trial.way;
    for (uint32_t i = 0; i < turn->frame_count; i++) frame_judge(turn, &turn->frames[i], turns->judge, turns->group);
    while (!group_empty(turns->group)) group_advance(turns->judge, turns->group);
    if (measured) bursts_took(&turns->trial, turn->answer_count, os_monotonic_ns(worker->os) - begun_ns);
}

static void judge_prepare(struct judge *judge, struct core_worker *worker, struct os_time now, int64_t journal_ms,
                          uint32_t items)
{
    struct core *core = worker->core;
    int64_t far = core->options.resync_candidates_per_turn ? core->options.resync_candidates_per_turn : 512;
    judge->core = core;
    judge->kernel = core->kernel;
    judge->wall_s = now.wall_ms / 1000;
    judge->journal_s = (uint32_t)(journal_ms / 1000);
    judge->policy = atomic_load(&core->policy);
    /* Far searches but the first never take more of a turn than its own queries do, however many wrong codes come at
     * once. */
    judge->far_left = far + items;
    judge->pair_left = far * 16;
    judge->far_untouched = judge->pair_untouched = true;
    profile_cache_refresh(judge->profiles, core);
}

static void verdicts_count(struct core *core, struct judge *judge)
{
    for (int i = 0; i < OTPRING_VERDICT_COUNT; i++) {
        if (judge->verdicts[i]) atomic_fetch_add_explicit(&core->verdicts[i], judge->verdicts[i], memory_order_relaxed);
        judge->verdicts[i] = 0;
    }
    atomic_fetch_add_explicit(&core->turns, 1, memory_order_relaxed);
}

static void turn_judge(struct core_worker *worker, struct turn *turn, struct os_time now)
{
    struct turns *turns = worker->turns;
    turn->number = progress_begin(worker);
    judge_prepare(turns->judge, worker, now, turn->journal_ms, turn->answer_count);
    turns->group->slots = turn->block->slots;
    frame_macs(worker, turn);
    bool needs_others = false;
    for (uint32_t i = 0; i < turn->hello_count; i++) {
        act_session_write(turn->block->slots + (size_t)turn->slot_count * JOURNAL_SLOT_SIZE, &turn->hellos[i].act,
                          turn->hellos[i].uid);
        turn->slot_count += SESSION_RECORD_SLOTS;
    }
    frames_judge(worker, turn);
    for (uint32_t i = 0; i < turn->frame_count; i++) needs_others |= turn->frames[i].judged.needs_others;
    turn->others_durable = !needs_others;
    if (needs_others) turn->others_count = progress_snapshot(worker, turn->others);
    verdicts_count(worker->core, turns->judge);
}

static enum otpring_reason refusal(struct core_worker *worker, struct turn *turn, struct os_time now)
{
    int stop_reason = atomic_load(&worker->core->stop_reason);
    if (stop_reason != OTPRING_REASON_NONE) return stop_reason;
    if (!turn->block) return turn->unavailable;
    if (!clock_turn(&worker->core->clock, now, &turn->journal_ms)) return OTPRING_REASON_CLOCK;
    return OTPRING_REASON_NONE;
}

void core_turn(struct core_worker *worker)
{
    struct turns *turns = worker->turns;
    struct turn *turn = turns->collecting;
    if (!turn) return;
    turns->collecting = NULL;
    struct os_time now = os_time(worker->os);
    turn->journal_ms = clock_journal_ms(&worker->core->clock, now);
    enum otpring_reason reason = refusal(worker, turn, now);
    if (reason) {
        if (turn->block) journal_abandon(turn->block);
        turn->block = NULL;
        turn_refuse(turn, reason);
        return;
    }
    turn_judge(worker, turn, now);
    CHECK(turn->slot_count <= turn->block->slot_capacity);
    turn->state = TURN_IN_FLIGHT;
    turns->last_items = turn->answer_count;
    turns->small_in_flight += turn->small;
    turns->flying[turns->flying_count++] = turn;
    turn->depth.appended_ns = os_monotonic_ns(worker->os);
    journal_append(turn->block, turn->slot_count, turn->journal_ms);
    turn->depth.alone = journal_durable_through(worker->core->journal) + 1 >= turn->block->position;
}

void core_poll(struct core_worker *worker)
{
    journal_poll(worker->writer);
    turn_leave(worker);
}

bool core_drained(const struct core_worker *worker)
{
    return !worker->turns->collecting && worker->turns->flying_count == 0;
}

uint32_t core_waiting(const struct core_worker *worker)
{
    return worker->turns->waiting;
}
