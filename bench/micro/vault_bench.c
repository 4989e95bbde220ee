/* Time of sealing and opening a seed, of the MACs, and of a signature. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/arena.h"
#include "shim.h"
#include "vault/block_mac.h"
#include "vault/device_key.h"
#include "vault/vault.h"

enum { SEED_SIZE = 20, ASSOCIATED_SIZE = 24 };

static struct vault *vault;
static uint8_t seed[SEED_SIZE], associated[ASSOCIATED_SIZE], sealed[SEED_SIZE + VAULT_SEAL_EXTRA], mac[64],
    frame[32 * 1024];

static void must(struct result result)
{
    if (result_failed(result)) abort();
}

static void seal_pass(void *argument)
{
    (void)argument;
    must(vault_seal(vault, associated, sizeof(associated), seed, sizeof(seed), sealed));
}

static void unseal_pass(void *argument)
{
    (void)argument;
    must(vault_unseal(vault, associated, sizeof(associated), sealed, sizeof(sealed), seed));
}

static void fingerprint_pass(void *argument)
{
    (void)argument;
    vault_fingerprint(vault, seed, sizeof(seed), mac);
}

static void sign_pass(void *argument)
{
    (void)argument;
    must(vault_sign(vault, frame, 200, mac));
}

/* ---- frames ---- */

enum { FRAMES_MANY = 64 };

static struct block_mac *frame_mac;
static uint8_t heads[FRAMES_MANY][BLOCK_MAC_SIZE], bodies[FRAMES_MANY][BLOCK_MAC_SIZE];
static size_t frames_few = 1, frames_many = FRAMES_MANY;

static void frames_pass(void *argument)
{
    const size_t *count = argument;
    block_macs(frame_mac, *count, heads, (const uint8_t(*)[BLOCK_MAC_SIZE])bodies);
}

static void frame_mac_make(void)
{
    uint8_t key[VAULT_KEY_SIZE];
    vault_frame_key(vault, key);
    must(block_mac_create(key, &frame_mac));
    secret_wipe(key, sizeof(key));
}

/* ---- devices ---- */

enum { SIGNED_COUNT = 64 };

struct device_case {
    enum device_algorithm algorithm;
    struct device_key key;
    uint8_t private_key[DEVICE_PRIVATE_SIZE], signature[DEVICE_SIGNATURE_SIZE], seal_key[HPKE_PUBLIC_MAX];
    struct device_statement statement;
    struct device_signed items[SIGNED_COUNT];
};

static struct device_case es256 = {.algorithm = DEVICE_ES256}, ed25519 = {.algorithm = DEVICE_ED25519};

static void device_make(struct device_case *device)
{
    uint8_t seal_private[HPKE_PRIVATE_SIZE];
    must(device_pair_make(device->algorithm, device->private_key, &device->key));
    must(hpke_pair_make(device_kem(device->algorithm), seal_private, device->seal_key));
    device_statement_begin(&device->statement, "otpring bench 1");
    device_statement_add(&device->statement, frame, 200);
    must(device_sign(device->algorithm, device->private_key, &device->statement, device->signature));
    for (int i = 0; i < SIGNED_COUNT; i++) {
        device->items[i] = (struct device_signed){.key = &device->key,
                                                  .bytes = device->statement.bytes,
                                                  .size = device->statement.size,
                                                  .signature = device->signature};
    }
}

static void device_verify_pass(void *argument)
{
    struct device_case *device = argument;
    device_verify_many(device->items, SIGNED_COUNT);
    if (!device->items[0].good) abort();
}

static void device_seal_pass(void *argument)
{
    struct device_case *device = argument;
    struct hpke_suite suite = {.kem = (uint16_t)device_kem(device->algorithm), .aead = HPKE_AES_256_GCM};
    struct hpke_message none = {0};
    uint8_t encapsulated[HPKE_PUBLIC_MAX], out[300 + HPKE_TAG_SIZE];
    must(hpke_seal(suite, device->seal_key, &none, frame, 300, encapsulated, out));
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/otpring-bench-XXXXXX", path[64];
    uint8_t store_id[VAULT_STORE_ID_SIZE], row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
    arena_allow_unlocked(true);
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof(path), "%s/key", folder);
    must(vault_key_file_create(path));
    must(vault_create(path, store_id, row, &row_size));
    must(vault_open(path, store_id, row, row_size, &vault));
    unlink(path);
    rmdir(folder);
    seal_pass(NULL);
    bench_register("seal a seed of 20 bytes", seal_pass, NULL, 1);
    bench_register("open it", unseal_pass, NULL, 1);
    bench_register("fingerprint of a seed", fingerprint_pass, NULL, 1);
    bench_register("sign a checkpoint", sign_pass, NULL, 1);
    frame_mac_make();
    bench_register("MAC of one frame", frames_pass, &frames_few, frames_few);
    bench_register("MACs of 64 frames at once", frames_pass, &frames_many, frames_many);
    device_make(&es256);
    device_make(&ed25519);
    bench_register("verify 64 signatures of devices, ES256", device_verify_pass, &es256, SIGNED_COUNT);
    bench_register("verify 64 signatures of devices, Ed25519", device_verify_pass, &ed25519, SIGNED_COUNT);
    bench_register("seal 300 bytes to a device, P-256", device_seal_pass, &es256, 1);
    bench_register("seal 300 bytes to a device, X25519", device_seal_pass, &ed25519, 1);
    int status = bench_run(argc, argv);
    block_mac_destroy(frame_mac);
    vault_close(vault);
    return status;
}
