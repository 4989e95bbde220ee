/* Time of sealing and opening a seed, of the MACs, and of a signature. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/arena.h"
#include "shim.h"
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

static void frame_pass(void *argument)
{
    vault_frame_mac(vault, frame, 16, frame, *(const size_t *)argument * 32, mac);
}

static void sign_pass(void *argument)
{
    (void)argument;
    must(vault_sign(vault, frame, 200, mac));
}

int main(int argc, char **argv)
{
    static const size_t one = 1, many = 1024;
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
    bench_register("MAC of a frame of 1 query", frame_pass, (void *)(uintptr_t)&one, 1);
    bench_register("MAC of a frame of 1024 queries", frame_pass, (void *)(uintptr_t)&many, 1);
    bench_register("sign a checkpoint", sign_pass, NULL, 1);
    int status = bench_run(argc, argv);
    vault_close(vault);
    return status;
}
