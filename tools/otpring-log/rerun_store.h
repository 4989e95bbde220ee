/* The store that a re-run begins with: a copy in memory, so that nothing on a disk is changed. Either of a backup as it
 * was made, or of a store before its first record. */
#ifndef TOOLS_OTPRING_LOG_RERUN_STORE_H
#define TOOLS_OTPRING_LOG_RERUN_STORE_H

#include "rerun_policy.h"
#include "store/schema.h"
#include "vault/vault.h"

struct rerun_store {
    struct store *store;
    struct vault *vault;
    uint64_t checkpoint_position; /* words are as of here, or a little later */
    int64_t checkpoint_ms;        /* journal time then; 0: before the first record */
    uint64_t admin_position;      /* rows of acts through here are there */
};

/* from: a folder with a store.mdb, of the same store as `folder`; NULL: the state before the first record. Its profiles
 * are changed by the policy. Journal and sessions begin anew. STORE_FOREIGN: `from` is another store's; STORE_*,
 * VAULT_*, NO_MEMORY. */
struct result rerun_store_open(const char *folder, const char *from, const char *key_path,
                               const struct rerun_policy *policy, struct rerun_store *ret_store) MUST_USE;
void rerun_store_close(struct rerun_store *store);

#endif
