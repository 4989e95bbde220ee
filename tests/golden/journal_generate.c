/* Makes the golden journals of tests/golden/journal: journal_generate FOLDER. Keys are fresh each time, so MACs and
 * signatures differ from run to run. Run it again only with a new format version. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../unit/journal/helpers.h"
#include "journal/format.h"
#include "otpring/verdict.h"

static const char *folder;

static void append(struct rig *rig, const void *slots, uint32_t slot_count)
{
    struct journal_block *block;
    assert_ok(journal_begin(rig->writers[0], &block));
    memcpy(block->slots, slots, (size_t)slot_count * JOURNAL_SLOT_SIZE);
    uint64_t id = ++rig->block_count;
    rig->blocks[id - 1].id = id;
    /* The rig's settled looks an id up in the first slot: these blocks are of another make. */
    block->owner = NULL;
    journal_append(block, slot_count, rig->now_ms);
    rig->now_ms += 250;
}

static void settled(struct journal_block *block, struct result result)
{
    (void)block;
    assert_ok(result);
}

static void name_of(const char *company, const char *user, uint8_t name[16])
{
    uint8_t hash[32];
    char both[128];
    vault_sha256(company, strlen(company), hash);
    memcpy(name, hash, 8);
    int size = snprintf(both, sizeof both, "%s%c%s", company, 0, user);
    vault_sha256(both, (size_t)size, hash);
    memcpy(name + 8, hash, 8);
}

static void append_act(struct rig *rig, uint16_t act, uint32_t ordinal, const char *user)
{
    uint8_t slots[2][JOURNAL_SLOT_SIZE] = {{0}};
    struct slot_act *head = (void *)slots[0];
    *head = (struct slot_act){
        .ordinal = ordinal, .payload_size = 16, .uid = 1000, .act = act, .slot_count = 1, .kind = SLOT_ACT};
    if (user) name_of("acme", user, head->name);
    memset(slots[1], 0x1b, 16); /* an escape character: payloads are never printed */
    append(rig, slots, 2);
}

static void append_frame(struct rig *rig, uint32_t number)
{
    static const char *const users[] = {"ann", "bob", "cy"};
    static const uint8_t verdicts[] = {OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED, OTPRING_THROTTLED,
                                       OTPRING_UNKNOWN};
    uint8_t slots[4][JOURNAL_SLOT_SIZE] = {{0}};
    struct slot_frame *frame = (void *)slots[0];
    *frame = (struct slot_frame){
        .session = 77, .tag = number, .sequence = number, .item_count = 3, .client = 0x00a1, .kind = SLOT_FRAME};
    for (uint16_t i = 0; i < 3; i++) {
        uint8_t verdict = verdicts[(number + i) % 5];
        bool matched = verdict == OTPRING_ACCEPTED || verdict == OTPRING_REPLAYED;
        struct slot_verify *verify = (void *)slots[1 + i];
        *verify = (struct slot_verify){.token = matched ? number : 0,
                                       .source = 0x7f000001,
                                       .ordinal = matched ? i : UINT32_MAX,
                                       .first_ordinal = verdict == OTPRING_UNKNOWN ? UINT32_MAX : i,
                                       .item = i,
                                       .client = 0x00a1,
                                       .step_distance = matched ? (int16_t)(number % 3) - 1 : 0,
                                       .verdict = verdict,
                                       .method = 1,
                                       .retry_after_s = verdict == OTPRING_THROTTLED ? 4 : 0,
                                       .kind = SLOT_VERIFY};
        name_of("acme", users[i], verify->name);
    }
    append(rig, slots, 4);
}

static void save(struct rig *rig, const char *name, uint64_t segments)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) abort();
    snprintf(path, sizeof path, "%s/%s/journal", folder, name);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) abort();
    for (uint64_t number = 1; number <= segments; number++) {
        uint64_t size;
        const uint8_t *bytes = os_sim_file(rig->world, rig_segment_path(number), &size);
        snprintf(path, sizeof path, "%s/%s/journal/%016" PRIx64 ".seg", folder, name, number);
        FILE *file = fopen(path, "wb");
        if (!bytes || !file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
    }
    snprintf(path, sizeof path, "%s/%s/audit.pub", folder, name);
    FILE *file = fopen(path, "w");
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    vault_public_key(rig->vault, key);
    for (unsigned i = 0; i < sizeof key; i++) fprintf(file, "%02x", key[i]);
    fputc('\n', file);
    if (fclose(file) != 0) abort();
}

/* A run of frames that fills segment 1 and rotates into 2; finished cleanly; then a second run of one act. */
static void make(struct rig *rig)
{
    rig_create(rig, 1);
    rig->vault = rig_vault(rig->options.store_id);
    assert_ok(rig_ready(rig, 0));
    journal_writer_destroy(rig->writers[0]);
    struct journal_writer_options options = {.slots_per_block = 255, .settled = settled};
    assert_ok(journal_writer_create(rig->journal, rig->os[0], &options, &rig->writers[0]));
    append_act(rig, 1, UINT32_MAX, NULL);
    append_act(rig, 3, 0, "ann");
    for (uint32_t i = 0; i < 12; i++) {
        append_frame(rig, i);
        assert_true(rig_drain(rig));
        if (i % 4 == 3) assert_ok(rig_keep(rig));
    }
    append_act(rig, 2, UINT32_MAX, NULL);
    assert_ok(rig_finish(rig));
    rig_close(rig);
}

static uint8_t *block_at(struct rig *rig, uint64_t number, uint64_t index)
{
    uint64_t size;
    return os_sim_file(rig->world, rig_segment_path(number), &size) + SEGMENT_HEADER_SIZE +
           index * JOURNAL_BLOCK_ALIGNMENT;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    folder = argv[1];
    struct rig rig;
    make(&rig);
    save(&rig, "good", 2);

    /* The middle of the first segment: committed long ago. */
    block_at(&rig, 1, 5)[64 + 70] ^= 1;
    save(&rig, "corrupt", 2);
    block_at(&rig, 1, 5)[64 + 70] ^= 1;

    /* The header of the second segment. */
    uint64_t size;
    os_sim_file(rig.world, rig_segment_path(2), &size)[60] ^= 1;
    save(&rig, "header", 2);
    os_sim_file(rig.world, rig_segment_path(2), &size)[60] ^= 1;

    /* One segment only, its last block torn in the middle of its body: what a crash leaves. */
    memset(block_at(&rig, 1, 14) + 512, 0xee, 100);
    save(&rig, "torn", 1);
    rig_destroy(&rig);

    /* A verdict changed by someone who mends every checksum behind it. */
    make(&rig);
    struct slot_verify *verify = (void *)(block_at(&rig, 1, 3) + 64 + 64);
    verify->verdict = OTPRING_ACCEPTED;
    uint64_t predecessor = 0;
    for (uint64_t i = 0; i < 15; i++) {
        struct journal_block_header *header = (void *)block_at(&rig, 1, i);
        if (header->magic != JOURNAL_BLOCK_MAGIC) break;
        header->predecessor = predecessor;
        format_block_body(header, (uint8_t *)(header + 1));
        format_block_finish(header);
        predecessor = header->header_checksum;
    }
    struct segment_header *second = (void *)os_sim_file(rig.world, rig_segment_path(2), &size);
    second->predecessor = predecessor;
    format_header_finish(second);
    for (uint64_t i = 0; i < 15; i++) {
        struct journal_block_header *header = (void *)block_at(&rig, 2, i);
        if (header->magic != JOURNAL_BLOCK_MAGIC) break;
        header->predecessor = predecessor;
        format_block_finish(header);
        predecessor = header->header_checksum;
    }
    save(&rig, "forged", 2);
    rig_destroy(&rig);
    return 0;
}
