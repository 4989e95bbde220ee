/* A store folder as one thing: everything that otpringd, and the command line without a daemon, need to open it.
 *
 *   DIR/identity    tells this place from a copy (store_lock.h)
 *   DIR/lock        held by whoever has the store open
 *   DIR/store.mdb   LMDB
 *   DIR/journal/    segments
 *   DIR/audit.pub   the key that signed checkpoints are checked with: 64 hexadecimal digits and a newline
 *   DIR/verify.sock, DIR/admin.sock
 *   DIR.key         the key file, beside the folder unless told otherwise; never inside a backup
 *
 * Start, tools and the administrator's thread only. */
#ifndef OTPRING_ADMIN_ENGINE_H
#define OTPRING_ADMIN_ENGINE_H

#include "core/core.h"

enum { ENGINE_PATH_SIZE = 1024 };

struct engine_options {
    const char *folder;
    const char *key_path;    /* NULL: folder with ".key" behind it */
    uint64_t store_size_max; /* greatest size of store.mdb; 0: 16 GiB, of address space */
    struct core_options
        core; /* journal_folder is filled in; take_over and restore_now_ms count for a foreign place too */
};

struct engine {
    char folder[ENGINE_PATH_SIZE];
    char key_path[ENGINE_PATH_SIZE];
    char journal_folder[ENGINE_PATH_SIZE];
    int lock;
    struct os *os; /* the opening thread's own */
    struct store *store;
    struct vault *vault;
    struct core *core;
};

/* A new store in `folder` (made when it is not there, else it must be empty) and its key file (which must not be
 * there, and not inside). OS_EXISTS, VAULT_KEY_INSIDE, BAD_ARGUMENT (path too long), what the rooms below give. */
struct result engine_init(const char *folder, const char *key_path) MUST_USE;

/* Opens everything. STORE_BUSY; STORE_FOREIGN when it was last served elsewhere or is a copy and take_over is not set;
 * STORE_RESTORED when take_over is set without a time, or the store is a restored backup. */
struct result engine_open(const struct engine_options *options, struct engine **ret_engine) MUST_USE;
/* All workers are gone. A clean stop is core_finish on the last worker before this. */
void engine_close(struct engine *engine);

/* A backup of the open engine into the new folder: store.mdb, journal segments from the checkpoint on, audit.pub. Never
 * the key. os: the calling thread's own. */
struct result engine_backup(struct engine *engine, struct os *os, struct core_worker *worker,
                            const struct core_actor *actor, const char *folder) MUST_USE;

/* Makes a store folder of a backup, marked as restored: it opens only with take_over and a time. journal_from: a folder
 * with later segments that survived, instead of the backup's; NULL: the backup's. The key file must be the store's: it
 * stays where it is. */
struct result engine_restore(const char *backup, const char *journal_from, const char *folder,
                             const char *key_path) MUST_USE;

/* The public key of DIR/audit.pub. */
struct result engine_public_key(const char *folder, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE]) MUST_USE;

#endif
