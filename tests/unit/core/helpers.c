#include "helpers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/hmac.h>

#include "core/marks.h"
#include "os/arena.h"
#include "os/os_uring.h"

static void answered(void *context, const struct core_answer *answer)
{
    struct answered *to = context;
    to->frames++;
    to->owner = answer->owner;
    to->count = answer->count;
    memcpy(to->answers, answer->answers, answer->count * sizeof *answer->answers);
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct answered *to = context;
    to->hellos++;
    to->hello = *answer;
}

static struct vault *vault_make(void)
{
    char folder[] = "/tmp/otpring-core-XXXXXX";
    char path[64];
    uint8_t store_id[VAULT_STORE_ID_SIZE], row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
    struct vault *vault;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    assert_ok(vault_key_file_create(path));
    assert_ok(vault_create(path, store_id, row, &row_size));
    assert_ok(vault_open(path, store_id, row, row_size, &vault));
    unlink(path);
    rmdir(folder);
    return vault;
}

static struct result no_blocks(void *context, const struct journal_block_view *block)
{
    (void)context;
    (void)block;
    return result_ok();
}

static struct result keys_changed(void *context)
{
    (void)context;
    return result_ok();
}

static void profiles_make(struct core *core)
{
    struct profile_row totp = {.id = PROFILE_TOTP, .type = OTP_TOTP, .digits = 6, .period_s = 30};
    totp.window_behind = totp.window_ahead = 1;
    totp.resync_window = 20;
    totp.throttle_free = 5;
    totp.throttle_base_s = 2;
    totp.throttle_max_s = 900;
    totp.drift_max = 3;
    struct profile_row hotp = totp;
    hotp.id = PROFILE_HOTP;
    hotp.type = OTP_HOTP;
    hotp.period_s = 0;
    hotp.look_ahead = 10;
    hotp.look_behind = 1;
    hotp.resync_window = 100;
    struct profile_row wide = totp;
    wide.id = PROFILE_TOTP_SHA256_8;
    wide.algorithm = KERNEL_SHA256;
    wide.digits = 8;
    wide.period_s = 60;
    wide.t0_s = 7;
    const struct profile_row *rows[] = {&totp, &hotp, &wide};
    core->profiles = calloc(CORE_PROFILES_MAX, sizeof *core->profiles);
    for (size_t i = 0; i < 3; i++) {
        core->profiles[i].row = *rows[i];
        core->profiles[i].used = true;
    }
    core->profile_count = 3;
}

static void journal_make(struct fixture *fixture)
{
    static const struct journal_writer_options keeper = {.block_count = 2, .slots_per_block = 64};
    uint64_t bad;
    struct journal_options options = {.folder = fixture->folder,
                                      .segment_size = 8 << 20,
                                      .keep_size = (uint64_t)512 << 20,
                                      .spare_count = 2,
                                      .depth_max = 16,
                                      .keys_changed = keys_changed};
    memcpy(options.store_id, vault_store_id(fixture->core.vault), 16);
    assert_ok(
        journal_open(fixture->os, &options, fixture->core.vault, 0, no_blocks, NULL, &fixture->core.journal, &bad));
    assert_ok(journal_writer_create(fixture->core.journal, fixture->os, &keeper, &fixture->keeper));
}

static struct os *os_make(struct fixture *fixture)
{
    if (!fixture->on_ring) return os_sim_create(fixture->world);
    struct os *os = NULL;
    static const struct os_uring_options options = {.entries = 64};
    return result_failed(os_uring_create(&options, &os)) ? NULL : os;
}

void worker_make(struct fixture *fixture, int index)
{
    fixture->worker_os[index] = os_make(fixture);
    assert_non_null(fixture->worker_os[index]);
    fixture->answered[index].fixture = fixture;
    struct core_worker_options options = {.os = fixture->worker_os[index],
                                          .items_max = 4096,
                                          .answered = answered,
                                          .hello_answered = hello_answered,
                                          .context = &fixture->answered[index]};
    assert_ok(core_worker_create(&fixture->core, &options, &fixture->workers[index]));
}

void worker_end(struct fixture *fixture, int index)
{
    core_worker_destroy(fixture->workers[index]);
    os_destroy(fixture->worker_os[index]);
    fixture->workers[index] = NULL;
    fixture->worker_os[index] = NULL;
}

static void core_make(struct fixture *fixture)
{
    struct core *core = &fixture->core;
    arena_allow_unlocked(true);
    core->vault = vault_make();
    core->options = (struct core_options){.sessions_max = 64, .kept_size = 8 << 20, .unknown_entries = 1 << 12};
    struct table_options table = {.lines_max = {1 << 14, 1 << 10, 1 << 10}, .names_expected = 1 << 14};
    memcpy(table.secret, vault_table_secret(core->vault), 32);
    assert_ok(table_create(&table, &core->table));
    assert_ok(unknown_create(core->options.unknown_entries, vault_table_secret(core->vault), &core->unknown));
    assert_ok(gates_create(vault_table_secret(core->vault), &core->gates));
    assert_ok(marks_create(1024, vault_table_secret(core->vault), &core->marks));
    assert_ok(sessions_create(&core->options, &core->sessions));
    assert_ok(kernel_choose(NULL, &core->kernel));
    pthread_mutex_init(&core->act_mutex, NULL);
    profiles_make(core);
    clock_start(&core->clock, os_time(fixture->os), 0, 0);
    fixture->client = (struct core_client){.id = 77, .uid = 1000, .rights = CORE_RIGHT_VERIFY | CORE_RIGHT_SEE_STATES};
}

struct fixture *fixture_create(uint64_t seed)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct os_sim_options world = {.seed = seed, .wall_ms = (int64_t)FIXTURE_WALL_S * 1000};
    snprintf(fixture->folder, sizeof fixture->folder, "journal");
    assert_ok(os_sim_world_create(&world, &fixture->world));
    fixture->os = os_make(fixture);
    core_make(fixture);
    journal_make(fixture);
    for (int i = 0; i < FIXTURE_WORKERS; i++) worker_make(fixture, i);
    fixture_keep(fixture);
    fixture->session = fixture_session(fixture, &fixture->client, 8, 4096);
    return fixture;
}

struct fixture *fixture_create_on_ring(void)
{
    char folder[] = "/var/tmp/otpring-core-XXXXXX";
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->on_ring = true;
    assert_non_null(mkdtemp(folder));
    snprintf(fixture->folder, sizeof fixture->folder, "%s", folder);
    fixture->os = os_make(fixture);
    char probe[80];
    snprintf(probe, sizeof probe, "%s/probe", folder);
    struct os_op open = {.kind = OS_OPEN, .path = probe, .flags = OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT};
    int64_t file = fixture->os ? os_run(fixture->os, &open) : -1;
    unlink(probe);
    if (file < 0) {
        rmdir(folder);
        free(fixture);
        return NULL;
    }
    close((int)file);
    core_make(fixture);
    journal_make(fixture);
    fixture_keep(fixture);
    return fixture;
}

static void folder_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    char path[320];
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir) closedir(dir);
    rmdir(folder);
}

void fixture_destroy(struct fixture *fixture)
{
    struct core *core = &fixture->core;
    for (int i = 0; i < FIXTURE_WORKERS; i++) {
        if (fixture->workers[i]) worker_end(fixture, i);
    }
    journal_writer_destroy(fixture->keeper);
    journal_close(core->journal, fixture->os);
    os_destroy(fixture->os);
    if (fixture->on_ring) folder_remove(fixture->folder);
    if (!fixture->on_ring) os_sim_world_destroy(fixture->world);
    sessions_destroy(core->sessions);
    unknown_destroy(core->unknown);
    gates_destroy(core->gates);
    marks_destroy(core->marks);
    table_destroy(core->table);
    vault_close(core->vault);
    free(core->profiles);
    free(fixture);
}

void fixture_keep(struct fixture *fixture)
{
    bool more = true;
    for (int i = 0; more && i < 1000 && journal_status(fixture->core.journal).spares < 2; i++)
        assert_ok(journal_keep(fixture->core.journal, fixture->keeper, os_time(fixture->os).wall_ms, 0, &more));
}

/* ---- tokens ---- */

void fixture_name(uint32_t company, uint32_t user, uint8_t ret_name[16])
{
    uint64_t hashes[2] = {company * 0x9e3779b97f4a7c15u + 1, (company * 131071ull + user + 1) * 0xc2b2ae3d27d4eb4fu};
    memcpy(ret_name, hashes, 16);
}

static uint16_t token_profile_of(const struct token *token)
{
    return token->profile < 3 ? token->profile : PROFILE_TOTP;
}

struct token fixture_token(struct fixture *fixture, uint32_t company, uint32_t user, uint16_t profile, uint32_t number,
                           uint32_t floor)
{
    struct token token = {.profile = profile};
    fixture_name(company, user, token.name);
    for (int i = 0; i < 20; i++)
        token.seed[i] = (uint8_t)((number + 1) * 2654435761u >> (i % 4 * 8)) ^ (uint8_t)(i * 29);
    token.algorithm = fixture->core.profiles[token_profile_of(&token)].row.algorithm;
    token.ordinal = table_ordinal(token.algorithm, fixture->lines[token.algorithm]++);
    _Alignas(64) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    kernel_midstates(token.algorithm, token.seed, sizeof token.seed, midstates);
    struct table_token insert = {
        .ordinal = token.ordinal, .midstates = midstates, .token = token_word(floor, 1), .profile = profile};
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    memcpy(insert.name, token.name, 16);
    if (table_find(fixture->core.table, insert.name, hits) == 0) insert.flags = TABLE_FIRST;
    assert_ok(table_insert(fixture->core.table, &insert));
    assert_true(table_line(fixture->core.table, token.ordinal, &token.hit));
    return token;
}

/* RFC 4226 5.3 over OpenSSL's HMAC. */
uint32_t token_code(struct fixture *fixture, const struct token *token, uint64_t step)
{
    const struct profile_row *row = &fixture->core.profiles[token_profile_of(token)].row;
    const EVP_MD *md = row->algorithm == KERNEL_SHA1 ? EVP_sha1() : EVP_sha256();
    uint8_t counter[8], hash[64];
    unsigned size = 0;
    for (int i = 0; i < 8; i++) counter[i] = (uint8_t)(step >> (56 - 8 * i));
    assert_non_null(HMAC(md, token->seed, sizeof token->seed, counter, 8, hash, &size));
    unsigned at = hash[size - 1] & 15;
    uint32_t value =
        (hash[at] & 0x7fu) << 24 | (uint32_t)hash[at + 1] << 16 | (uint32_t)hash[at + 2] << 8 | hash[at + 3];
    return value % (row->digits == 6 ? 1000000u : row->digits == 7 ? 10000000u : 100000000u);
}

uint32_t token_wrong_code(struct fixture *fixture, const struct token *token, uint64_t step)
{
    for (uint32_t code = 123456;; code++) {
        bool right = false;
        for (uint64_t s = step < 150 ? 0 : step - 150; s < step + 150; s++)
            right |= token_code(fixture, token, s) == code;
        if (!right) return code;
    }
}

uint64_t totp_now(struct fixture *fixture, const struct token *token)
{
    const struct profile_row *row = &fixture->core.profiles[token->profile].row;
    return (uint64_t)((os_time(fixture->os).wall_ms / 1000 - row->t0_s) / row->period_s);
}

uint32_t totp_code(struct fixture *fixture, const struct token *token, int64_t distance)
{
    return token_code(fixture, token, totp_now(fixture, token) + (uint64_t)distance);
}

uint32_t floor_of(const struct token *token)
{
    return token_floor(atomic_load(&token->hit.tail->token));
}

uint64_t budget_of(const struct token *token)
{
    return atomic_load(&token->hit.tail->budget);
}

/* ---- asking ---- */

struct otpring_wire_query query_of(struct fixture *fixture, const struct token *token, uint32_t code)
{
    struct otpring_wire_query query = {.code = code, .kind = OTPRING_QUERY_CODE};
    query.digits = fixture->core.profiles[token_profile_of(token)].row.digits;
    memcpy(query.company, token->name, 8);
    memcpy(query.account, token->name + 8, 8);
    return query;
}

uint64_t fixture_session(struct fixture *fixture, const struct core_client *client, uint16_t slots, uint16_t items_max)
{
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = slots, .items_max = items_max};
    uint32_t before = fixture->answered[0].hellos;
    enum core_admit admit = core_hello(fixture->workers[0], &hello, client, 1);
    assert_true(admit == CORE_TAKEN || admit == CORE_ANSWERED);
    core_turn(fixture->workers[0]);
    worker_settle(fixture, 0);
    assert_int_equal(fixture->answered[0].hellos, before + 1);
    assert_int_equal(fixture->answered[0].hello.error, 0);
    return fixture->answered[0].hello.hello.session;
}

struct frame frame_of(struct fixture *fixture, uint16_t slot, enum otpring_wire_kind kind, const void *items,
                      uint16_t count)
{
    return (struct frame){.header = {.kind = (uint16_t)kind,
                                     .count = count,
                                     .tag = fixture->next_owner,
                                     .session = fixture->session,
                                     .slot = slot,
                                     .sequence = ++fixture->sequences[slot]},
                          .items = items,
                          .client = &fixture->client};
}

enum core_admit frame_offer(struct fixture *fixture, int worker, const struct frame *frame,
                            enum otpring_wire_error_code *ret_error)
{
    enum otpring_wire_error_code error = 0;
    struct core_frame offered = {
        .header = &frame->header, .items = frame->items, .client = frame->client, .owner = ++fixture->next_owner};
    enum core_admit admit = core_frame(fixture->workers[worker], &offered, &error);
    if (ret_error) *ret_error = error;
    return admit;
}

void worker_step(struct fixture *fixture, int worker)
{
    struct result stepped = os_step(fixture->worker_os[worker], 1000000, NULL);
    (void)stepped;
    core_poll(fixture->workers[worker]);
}

void worker_settle(struct fixture *fixture, int worker)
{
    for (int i = 0; i < 1000 && !core_drained(fixture->workers[worker]); i++) worker_step(fixture, worker);
}

const struct otpring_wire_answer *frame_ask(struct fixture *fixture, int worker, const struct frame *frame)
{
    struct answered *answers = &fixture->answered[worker];
    uint32_t before = answers->frames;
    fixture_keep(fixture);
    enum core_admit admit = frame_offer(fixture, worker, frame, NULL);
    assert_true(admit == CORE_TAKEN || admit == CORE_ANSWERED);
    core_turn(fixture->workers[worker]);
    worker_settle(fixture, worker);
    assert_int_equal(answers->frames, before + 1);
    assert_int_equal(answers->count, frame->header.count);
    return answers->answers;
}

const struct otpring_wire_answer *ask(struct fixture *fixture, const struct otpring_wire_query *queries, uint16_t count)
{
    struct frame frame = frame_of(fixture, 0, OTPRING_WIRE_VERIFY, queries, count);
    return frame_ask(fixture, 0, &frame);
}

struct otpring_wire_answer ask_one(struct fixture *fixture, const struct token *token, uint32_t code)
{
    struct otpring_wire_query query = query_of(fixture, token, code);
    return *ask(fixture, &query, 1);
}

struct otpring_wire_answer ask_pair(struct fixture *fixture, const struct token *token, uint32_t code,
                                    uint32_t code_next)
{
    struct otpring_wire_pair pair = {.query = query_of(fixture, token, code), .code_next = code_next};
    struct frame frame = frame_of(fixture, 0, OTPRING_WIRE_RESYNC, &pair, 1);
    return *frame_ask(fixture, 0, &frame);
}

/* ---- records ---- */

static size_t records_of_block(const struct journal_block_view *block, struct seen *ret_seen, size_t most, size_t count)
{
    struct slot_frame frame = {0};
    for (uint32_t i = 0; i < block->header->slot_count; i++) {
        const uint8_t *slot = block->slots + (size_t)i * JOURNAL_SLOT_SIZE;
        uint8_t kind = slot[63];
        if (kind == SLOT_ACT) i += ((const struct slot_act *)slot)->slot_count;
        if (kind == SLOT_FRAME) memcpy(&frame, slot, sizeof frame);
        if (kind == SLOT_SEAL || kind == SLOT_CHECKPOINT) break;
        if (kind != SLOT_VERIFY) continue;
        if (count < most) {
            memcpy(&ret_seen[count].verify, slot, sizeof(struct slot_verify));
            ret_seen[count].record = block->header->position << 14 | i;
            ret_seen[count].frame = frame;
        }
        count++;
    }
    return count;
}

size_t fixture_records(struct fixture *fixture, struct seen *ret_seen, size_t most)
{
    struct journal_reader_options options = {0};
    struct journal_reader *reader;
    struct journal_block_view block;
    size_t count = 0;
    assert_ok(journal_reader_open(fixture->os, fixture->folder, &options, &reader));
    for (;;) {
        struct result result = journal_reader_next(reader, &block);
        if (result.code == STORE_NOT_FOUND) break;
        assert_ok(result);
        count = records_of_block(&block, ret_seen, most, count);
    }
    journal_reader_close(reader);
    return count;
}
