/* MACs of frames: what they tell apart, and the same bytes from OpenSSL's own CBC over the two blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "core/turn_state.h"

enum { FRAMES_MAX = 200, SECRET_BYTE = 0x5c };

struct fixture {
    struct turns turns;
    struct core_worker worker;
    uint8_t key[BLOCK_MAC_KEY_SIZE];
    uint8_t items[4 * sizeof(struct otpring_wire_pair)];
    struct otpring_wire_header header;
};

static void fixture_make(struct fixture *f)
{
    *f = (struct fixture){.header = {.size = sizeof(struct otpring_wire_header) + sizeof(struct otpring_wire_query),
                                     .kind = OTPRING_WIRE_VERIFY,
                                     .count = 1,
                                     .session = 0x0123456789abcdef,
                                     .sequence = 0xfffffffe,
                                     .slot = OTPRING_WIRE_SLOTS_MAX - 1}};
    for (size_t i = 0; i < sizeof f->key; i++) f->key[i] = (uint8_t)(3 * i + 1);
    for (size_t i = 0; i < sizeof f->items; i++) f->items[i] = (uint8_t)(5 * i + 2);
    memset(f->turns.content_secret, SECRET_BYTE, sizeof f->turns.content_secret);
    assert_false(result_failed(block_mac_create(f->key, &f->turns.block_mac)));
    f->worker.turns = &f->turns;
}

static void fixture_end(struct fixture *f)
{
    block_mac_destroy(f->turns.block_mac);
}

/* Little-endian: session 8, sequence 4, then slot (10 bits), count (13) and kind (9); the hash of the content. */
static void the_mac_is_the_last_block_of_cbc_over_the_header_and_the_contents_hash(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f);
    uint8_t message[32] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
                           0xfe, 0xff, 0xff, 0xff, 0xff, 0x07, 0x80, 0x01}; /* 1023, 1 << 10, 3 << 23 */
    uint8_t out[32], zeros[16] = {0}, mac[16];
    int done = 0;
    checksum128_keyed(f.items, sizeof(struct otpring_wire_query), f.turns.content_secret, message + 16);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_cbc(), NULL, f.key, zeros), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &done, message, sizeof message), 1);
    assert_int_equal(done, sizeof out);
    EVP_CIPHER_CTX_free(context);
    frame_mac(&f.worker, &f.header, f.items, mac);
    assert_memory_equal(mac, out + 16, sizeof mac);
    fixture_end(&f);
}

static void each_field_of_the_header_and_the_content_change_the_mac_and_the_tag_does_not(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f);
    struct otpring_wire_header headers[9];
    uint8_t macs[9][16], other[16];
    for (int i = 0; i < 9; i++) headers[i] = f.header;
    headers[1].session ^= 1;
    headers[2].session ^= (uint64_t)1 << 63;
    headers[3].sequence ^= 1;
    headers[4].slot ^= 1;
    headers[5].slot = 0;
    headers[6].count = 2;
    headers[7].kind = OTPRING_WIRE_RESYNC;
    headers[8].kind = OTPRING_WIRE_OCRA; /* with the same bytes of content as the first */
    for (int i = 0; i < 9; i++) {
        frame_mac(&f.worker, &headers[i], f.items, macs[i]);
        for (int k = 0; k < i; k++) assert_memory_not_equal(macs[i], macs[k], 16);
    }
    headers[0].tag = 77;
    frame_mac(&f.worker, &headers[0], f.items, other);
    assert_memory_equal(other, macs[0], 16);
    f.items[sizeof(struct otpring_wire_query)] ^= 1; /* behind the content */
    frame_mac(&f.worker, &headers[0], f.items, other);
    assert_memory_equal(other, macs[0], 16);
    f.items[sizeof(struct otpring_wire_query) - 1] ^= 1;
    frame_mac(&f.worker, &headers[0], f.items, other);
    assert_memory_not_equal(other, macs[0], 16);
    fixture_end(&f);
}

static void another_key_gives_another_mac(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t macs[2][16];
    fixture_make(&f);
    frame_mac(&f.worker, &f.header, f.items, macs[0]);
    block_mac_destroy(f.turns.block_mac);
    f.key[31] ^= 0x80;
    assert_false(result_failed(block_mac_create(f.key, &f.turns.block_mac)));
    frame_mac(&f.worker, &f.header, f.items, macs[1]);
    assert_memory_not_equal(macs[0], macs[1], 16);
    fixture_end(&f);
}

/* Every third is a retry, whose MAC is that of its first time and is left alone. */
static void a_turns_new_frames_get_the_macs_that_each_gets_alone(void **state)
{
    (void)state;
    static struct turn_frame frames[FRAMES_MAX];
    const uint8_t untouched[16] = {0};
    struct fixture f;
    fixture_make(&f);
    for (uint32_t count = 0; count <= FRAMES_MAX; count++) {
        struct turn turn = {.frame_count = count, .frames = frames};
        for (uint32_t i = 0; i < FRAMES_MAX; i++) {
            frames[i] = (struct turn_frame){.header = f.header, .items = f.items, .retry = i % 3 == 2};
            frames[i].header.sequence = i + 1;
        }
        frame_macs(&f.worker, &turn);
        for (uint32_t i = 0; i < FRAMES_MAX; i++) {
            uint8_t mac[16];
            frame_mac(&f.worker, &frames[i].header, f.items, mac);
            assert_memory_equal(frames[i].ticket.mac, i < count && i % 3 != 2 ? mac : untouched, 16);
        }
    }
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mac_is_the_last_block_of_cbc_over_the_header_and_the_contents_hash),
        cmocka_unit_test(each_field_of_the_header_and_the_content_change_the_mac_and_the_tag_does_not),
        cmocka_unit_test(another_key_gives_another_mac),
        cmocka_unit_test(a_turns_new_frames_get_the_macs_that_each_gets_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
