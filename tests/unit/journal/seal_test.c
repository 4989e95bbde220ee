/* Seals and signed checkpoints: made by the housekeeper, across restarts and crashes, and whatever is changed is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/format.h"
#include "journal/merkle.h"

static uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];

static void create_sealing(struct rig *rig, uint64_t seed)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    vault_public_key(rig->vault, public_key);
}

static struct result check(struct rig *rig, struct journal_check_report *ret_report)
{
    return journal_check(rig->main_os, "/j", &(struct journal_check_options){.public_key = public_key}, ret_report);
}

static void fill(struct rig *rig, unsigned count, uint32_t slots)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + i % slots, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 100;
        if (i % 10 == 0) assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
}

static void seals_cover_every_block_and_checkpoints_every_closed_segment(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_check_report report;
    create_sealing(&rig, 1);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 200, 150);
    assert_ok(rig_finish(&rig));
    struct journal_status status = journal_status(rig.journal);
    assert_true(status.rotations >= 5);
    rig_close(&rig);
    assert_ok(check(&rig, &report));
    assert_string_equal(report.finding, "");
    assert_int_equal(report.first_position, 1);
    /* Behind the last seal stand its own record and the closing checkpoint. */
    assert_int_equal(report.last_position, report.sealed_through + 2);
    assert_int_equal(report.signed_through, report.sealed_through);
    rig_destroy(&rig);
}

static void an_idle_journal_seals_once_and_then_rests(void **state)
{
    (void)state;
    struct rig rig;
    create_sealing(&rig, 2);
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_append(&rig, 0, 5, NULL));
    assert_true(rig_drain(&rig));
    for (int i = 0; i < 100; i++) {
        rig.now_ms += 1500;
        assert_ok(rig_keep(&rig));
    }
    assert_int_equal(journal_status(rig.journal).position_next, 3); /* the block, its seal */
    assert_int_equal(journal_status(rig.journal).sealed_through, 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* Runs that crash anywhere; each start takes the seals up where the records stand. */
static void seals_and_checkpoints_verify_after_crashes_at_any_point(void **state)
{
    (void)state;
    uint64_t signed_sum = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct rig rig;
        create_sealing(&rig, seed);
        for (int life = 0; life < 4; life++) {
            os_sim_faults_set(rig.world, &(struct os_sim_faults){.crash_at = 60 + os_sim_draw(rig.world) % 300});
            if (!result_failed(rig_open(&rig, 0)) && !result_failed(rig_keep(&rig))) {
                assert_true(rig_promises_kept(&rig, 0));
                for (int i = 0; i < 60; i++) {
                    rig_append(&rig, (uint32_t)i % 3, 1 + (uint32_t)(os_sim_draw(rig.world) % 150), NULL);
                    rig.now_ms += 400;
                    if (!rig_step(&rig) || result_failed(rig_keep(&rig))) break;
                }
                if (life == 1 && !os_sim_crashed(rig.world)) (void)!result_failed(rig_finish(&rig));
            } else if (!os_sim_crashed(rig.world)) {
                fail_msg("seed %llu life %d does not open", (unsigned long long)seed, life);
            }
            rig_crash(&rig);
        }
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        assert_ok(rig_ready(&rig, 0));
        assert_ok(rig_finish(&rig));
        uint64_t end = journal_status(rig.journal).position_next;
        rig_close(&rig);
        struct journal_check_report report;
        struct result result = check(&rig, &report);
        if (result_failed(result))
            fail_msg("seed %llu: %s at %llu", (unsigned long long)seed, report.finding,
                     (unsigned long long)report.bad_position);
        assert_int_equal(report.sealed_through, end - 3);
        signed_sum += report.signed_through;
        rig_destroy(&rig);
    }
    assert_true(signed_sum > 5000);
}

static void macs_verify_with_the_first_key_walked_forward(void **state)
{
    (void)state;
    struct rig rig;
    create_sealing(&rig, 4);
    vault_close(rig.vault);
    struct vault *early;
    rig_vault_twins(rig.options.store_id, &rig.vault, &early);
    vault_public_key(early, public_key);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 100, 150);
    assert_ok(rig_finish(&rig));
    assert_true(vault_mac_segment(rig.vault) > vault_mac_segment(early) + 2);
    rig_close(&rig);
    struct journal_check_report report;
    assert_ok(journal_check(rig.main_os, "/j",
                            &(struct journal_check_options){.public_key = public_key, .vault = early}, &report));
    assert_true(report.macs_checked >= 4);
    vault_close(early);
    rig_destroy(&rig);
}

/* A housekeeper that comes late seals several segments at once, in one that comes after them all; then they go, and
 * their seals stay. */
static void a_journal_that_recycles_checks_however_late_its_seals_come(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_check_report report;
    create_sealing(&rig, 9);
    rig.options.spare_count = 12;
    rig.options.keep_size = 1;
    assert_ok(rig_ready(&rig, 0));
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned i = 0; i < 4 * (round % 5 + 1); i++) {
            while (!rig_append(&rig, i % 3, 200, NULL)) assert_true(rig_step(&rig));
        }
        assert_true(rig_drain(&rig));
        rig.now_ms += 5000;
        assert_ok(rig_keep(&rig));
        struct result result = check(&rig, &report);
        if (result_failed(result)) print_message("round %u: %s\n", round, report.finding);
        assert_ok(result);
    }
    assert_true(report.first_position > 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* Every so many bytes one is flipped. Under gcc's address sanitizer each check takes long: a ninth of them there. */
#ifdef __SANITIZE_ADDRESS__
enum { FLIPS_APART = 61 };
#else
enum { FLIPS_APART = 7 };
#endif

static void each_flipped_byte_of_sealed_blocks_and_seals_is_found(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_check_report report;
    create_sealing(&rig, 5);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 10, 70);
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    assert_ok(check(&rig, &report));
    uint64_t size;
    uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(1), &size);
    uint64_t end = SEGMENT_HEADER_SIZE;
    for (uint64_t i = 0; i < report.sealed_through; i++)
        end += format_block_size(((struct journal_block_header *)(void *)(bytes + end))->slot_count);
    for (uint64_t at = SEGMENT_HEADER_SIZE; at < end; at += FLIPS_APART) {
        bytes[at] ^= 1 << at % 8;
        struct journal_check_report damaged;
        struct result result = check(&rig, &damaged);
        if (result.code != JOURNAL_CORRUPT && result.code != JOURNAL_BAD_SEAL)
            fail_msg("byte %llu: %s", (unsigned long long)at, result_name(result));
        assert_string_not_equal(damaged.finding, "");
        bytes[at] ^= 1 << at % 8;
    }
    assert_ok(check(&rig, &report));
    rig_destroy(&rig);
}

/* A forger who can compute every checksum: rewrites a block and mends the chain behind it. */
static void mend(uint8_t *bytes, uint64_t from, uint64_t last)
{
    uint64_t predecessor = 0;
    uint64_t at = SEGMENT_HEADER_SIZE;
    for (uint64_t position = 1; position <= last; position++) {
        struct journal_block_header *header = (void *)(bytes + at);
        if (position >= from) {
            header->predecessor = predecessor;
            format_block_body(header, (uint8_t *)(header + 1));
            format_block_finish(header);
        }
        predecessor = header->header_checksum;
        at += format_block_size(header->slot_count);
    }
}

static uint64_t offset_of(const uint8_t *bytes, uint64_t position)
{
    uint64_t at = SEGMENT_HEADER_SIZE;
    while (--position)
        at += format_block_size(((const struct journal_block_header *)(const void *)(bytes + at))->slot_count);
    return at;
}

static void a_forger_who_mends_every_checksum_is_found_by_the_seal(void **state)
{
    (void)state;
    for (uint64_t victim = 1; victim <= 12; victim++) {
        struct rig rig;
        struct journal_check_report report;
        create_sealing(&rig, 6);
        assert_ok(rig_ready(&rig, 0));
        fill(&rig, 12, 20);
        assert_ok(rig_finish(&rig));
        rig_close(&rig);
        assert_ok(check(&rig, &report));
        uint64_t size;
        uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(1), &size);
        bytes[offset_of(bytes, victim) + 64 + 20] ^= 0x55;
        mend(bytes, victim, report.last_position);
        assert_code(check(&rig, &report), JOURNAL_BAD_SEAL);
        rig_destroy(&rig);
    }
}

static void a_forged_checkpoint_does_not_verify(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_check_report report;
    create_sealing(&rig, 7);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 12, 20);
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    assert_ok(check(&rig, &report));
    uint64_t size;
    uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(1), &size);
    uint64_t at = offset_of(bytes, report.last_position) + 64;
    for (unsigned byte = 0; byte < sizeof(struct slot_checkpoint); byte++) {
        if (byte == offsetof(struct slot_checkpoint, kind)) continue; /* then it is no checkpoint at all */
        struct journal_check_report damaged;
        bytes[at + byte] ^= 0x10;
        mend(bytes, report.last_position, report.last_position);
        assert_code(check(&rig, &damaged), JOURNAL_BAD_SEAL);
        assert_true(damaged.bad_position <= report.last_position);
        assert_int_equal(damaged.bad_last, report.last_position);
        bytes[at + byte] ^= 0x10;
    }
    rig_destroy(&rig);
}

/* RFC 6962 section 2.1, written down as it stands there: split at the largest power of two below n. */
static void tree_hash(uint8_t (*leaves)[32], unsigned count, uint8_t ret_hash[32])
{
    if (count == 1) {
        memcpy(ret_hash, leaves[0], 32);
        return;
    }
    unsigned split = 1;
    while (split * 2 < count) split *= 2;
    uint8_t left[32];
    uint8_t right[32];
    tree_hash(leaves, split, left);
    tree_hash(leaves + split, count - split, right);
    vault_merkle_node(left, right, ret_hash);
}

static void the_tree_is_that_of_rfc_6962(void **state)
{
    (void)state;
    uint8_t leaves[70][32];
    for (unsigned i = 0; i < 70; i++) vault_merkle_leaf(&i, sizeof i, leaves[i]);
    for (unsigned count = 1; count <= 70; count++) {
        struct merkle merkle;
        uint8_t expected[32];
        uint8_t root[32];
        merkle_start(&merkle);
        for (unsigned i = 0; i < count; i++) merkle_add(&merkle, leaves[i]);
        merkle_root(&merkle, root);
        tree_hash(leaves, count, expected);
        assert_memory_equal(root, expected, 32);
    }
    /* The vectors of the Certificate Transparency implementations: the roots of 0, 1, 2 and 3 leaves of their test
     * data. */
    static const struct {
        const char *bytes;
        size_t size;
        const char *root;
    } steps[] = {
        {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    };
    struct merkle merkle;
    uint8_t root[32];
    char text[65];
    merkle_start(&merkle);
    merkle_root(&merkle, root);
    for (unsigned i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", root[i]);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (unsigned step = 0; step < 3; step++) {
        uint8_t leaf[32];
        vault_merkle_leaf(steps[step].bytes, steps[step].size, leaf);
        merkle_add(&merkle, leaf);
        merkle_root(&merkle, root);
        for (unsigned i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", root[i]);
        assert_string_equal(text, steps[step].root);
    }
}

/* Blocks of one page and of more than a vector of pages, so that pages wait, are hashed where they lie, and are left.
 */
static void the_leaves_of_blocks_are_their_pages_however_they_were_added(void **state)
{
    (void)state;
    enum { PAGES = 75 };
    static uint8_t bytes[PAGES * MERKLE_PAGE];
    static uint8_t leaves[PAGES][32];
    static const size_t patterns[][6] = {{75}, {1, 17, 40, 16, 1}, {15, 2, 33, 25}, {16, 16, 16, 16, 11}, {0}};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31 + i / MERKLE_PAGE);
    for (size_t i = 0; i < PAGES; i++) vault_merkle_leaf(bytes + i * MERKLE_PAGE, MERKLE_PAGE, leaves[i]);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        static struct page_tree pages;
        uint8_t root[32];
        uint8_t expected[32];
        size_t count = 0;
        page_tree_start(&pages);
        for (size_t i = 0; i < 6; count += patterns[p][i++])
            page_tree_add(&pages, bytes + count * MERKLE_PAGE, patterns[p][i] * MERKLE_PAGE);
        page_tree_root(&pages, root);
        if (count == 0)
            vault_sha256("", 0, expected);
        else
            tree_hash(leaves, (unsigned)count, expected);
        assert_memory_equal(root, expected, 32);
    }
}

/* Of its body, of its header, or all of it: another block stands there. */
static void rot_of_an_acknowledged_block_is_noticed_when_it_is_read_back(void **state)
{
    (void)state;
    for (int shape = 0; shape < 3; shape++) {
        struct rig rig;
        create_sealing(&rig, 8);
        assert_ok(rig_ready(&rig, 0));
        for (int i = 0; i < 2; i++) {
            assert_true(rig_append(&rig, 0, 5, NULL));
            assert_true(rig_drain(&rig));
        }
        uint64_t size;
        uint8_t *first = os_sim_file(rig.world, rig_segment_path(1), &size) + SEGMENT_HEADER_SIZE;
        if (shape == 0) first[90] ^= 4;
        if (shape == 1) first[0] ^= 4;
        if (shape == 2) memcpy(first, first + JOURNAL_BLOCK_ALIGNMENT, JOURNAL_BLOCK_ALIGNMENT);
        rig.now_ms += 2000;
        assert_code(rig_keep(&rig), JOURNAL_CORRUPT);
        assert_true(journal_status(rig.journal).poisoned);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_cover_every_block_and_checkpoints_every_closed_segment),
        cmocka_unit_test(an_idle_journal_seals_once_and_then_rests),
        cmocka_unit_test(seals_and_checkpoints_verify_after_crashes_at_any_point),
        cmocka_unit_test(macs_verify_with_the_first_key_walked_forward),
        cmocka_unit_test(a_journal_that_recycles_checks_however_late_its_seals_come),
        cmocka_unit_test(each_flipped_byte_of_sealed_blocks_and_seals_is_found),
        cmocka_unit_test(a_forger_who_mends_every_checksum_is_found_by_the_seal),
        cmocka_unit_test(a_forged_checkpoint_does_not_verify),
        cmocka_unit_test(the_tree_is_that_of_rfc_6962),
        cmocka_unit_test(the_leaves_of_blocks_are_their_pages_however_they_were_added),
        cmocka_unit_test(rot_of_an_acknowledged_block_is_noticed_when_it_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
