/* Time of the small parts of the verify path that the other micro benchmarks leave out (stages_bench has records):
 * truncation, wire decoding, a journal block's checksum, sealing its blocks. Items a second and ns an item, on data in
 * cache. Ends with a calibration: additions that depend on each other, one a cycle, so that ns can be told as cycles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/format.h"
#include "journal/merkle.h"
#include "kernel/kernel.h"
#include "server/wire.h"
#include "shim.h"
#include "vault/vault.h"

enum { BATCH = 1024, FRAMES = 64, ADDITIONS = 4096 };

static uint32_t truncated[BATCH], codes[BATCH];
static _Alignas(64) uint8_t slots[(BATCH + 64) * JOURNAL_SLOT_SIZE];
static struct journal_block_header header;
static uint8_t frames[FRAMES][WIRE_HEADER_SIZE];
static uint8_t digests[BATCH][20];
static uint8_t leaf[32];
static struct merkle merkle;
static uint64_t sum;

static void digits_pass(void *argument)
{
    (void)argument;
    for (int i = 0; i < BATCH; i++) codes[i] = kernel_digits(truncated[i], 6);
}

static void truncate_pass(void *argument)
{
    (void)argument;
    for (int i = 0; i < BATCH; i++) codes[i] = kernel_truncate(digests[i], sizeof digests[i]);
}

static void wire_pass(void *argument)
{
    (void)argument;
    for (int i = 0; i < FRAMES; i++) {
        struct otpring_wire_header decoded;
        struct wire_fault fault;
        if (!wire_check_header(frames[i], OTPRING_WIRE_FRAME_SIZE_MAX, &decoded, &fault)) abort();
        sum += decoded.count;
    }
}

static void checksum_pass(void *argument)
{
    (void)argument;
    format_block_body(&header, slots);
    format_block_finish(&header);
    sum += header.header_checksum;
}

static void seal_pass(void *argument)
{
    (void)argument;
    vault_merkle_leaf(slots, format_block_size(BATCH), leaf);
    merkle_add(&merkle, leaf);
}

static void addition_pass(void *argument)
{
    (void)argument;
    uint64_t value = sum, three = 3;
    /* By a register, as in kernel_bench: newer cores do additions of constants while renaming, several a cycle. */
    for (int i = 0; i < ADDITIONS; i++) __asm__ volatile("add %1, %0" : "+r"(value) : "r"(three));
    sum = value;
}

static void fill(void)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        truncated[i] = i * 2654435761u & INT32_MAX;
        memcpy(digests[i] + 16, &truncated[i], 4);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct otpring_wire_header frame = {.size = WIRE_HEADER_SIZE + 32 * (i + 1),
                                            .kind = OTPRING_WIRE_VERIFY,
                                            .count = (uint16_t)(i + 1),
                                            .session = 7,
                                            .sequence = i + 1};
        wire_put_header(frames[i], &frame);
    }
    header = (struct journal_block_header){
        .magic = JOURNAL_BLOCK_MAGIC, .version = JOURNAL_FORMAT_VERSION, .slot_count = BATCH, .position = 1};
    merkle_start(&merkle);
}

int main(int argc, char **argv)
{
    fill();
    bench_register("truncation to 6 digits", digits_pass, NULL, BATCH);
    bench_register("wire: a frame's header", wire_pass, NULL, FRAMES);
    bench_register("truncation of a digest of 20 bytes", truncate_pass, NULL, BATCH);
    bench_register("journal: checksum of a block of 1024, a record", checksum_pass, NULL, BATCH);
    bench_register("seal: Merkle leaf of a block of 1024, a record", seal_pass, NULL, BATCH);
    bench_register("calibration: additions in a chain, one a cycle", addition_pass, NULL, ADDITIONS);
    return bench_run(argc, argv);
}
