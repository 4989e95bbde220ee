/* The simulated disk: files with a volatile and a durable side, and names with a log of what no folder sync has covered
 * yet. os_sim.c drives it; one thread. */
#ifndef OTPRING_OS_SIM_DISK_H
#define OTPRING_OS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_SECTOR = 512, SIM_PATH_MAX = 256, SIM_FILES_MAX = 512, SIM_BAD_SECTORS_MAX = 8 };

struct sim_file {
    uint8_t *bytes;   /* what reads see */
    uint8_t *durable; /* of dirty sectors alone: what a crash leaves at least */
    uint8_t *dirty;   /* a flag a sector: bytes and durable may differ; 2: and a sync no longer makes them the same */
    uint64_t size;
    uint64_t durable_size;
    uint64_t capacity;
    unsigned open_count; /* handles: the bytes stay while one is open, name or no name */
    bool used;
};

struct sim_name {
    char path[SIM_PATH_MAX];
    int file;
};

enum sim_name_kind { SIM_NAME_MADE, SIM_NAME_GONE, SIM_NAME_MOVED };

struct sim_name_op {
    enum sim_name_kind kind;
    char path[SIM_PATH_MAX];
    char path_to[SIM_PATH_MAX];
    int file;
};

struct sim_names {
    struct sim_name *entries;
    unsigned count;
    unsigned capacity;
};

/* A sector that cannot be read until it is written again. */
struct sim_bad_sector {
    int file;
    uint64_t sector;
};

struct sim_disk {
    struct sim_file files[SIM_FILES_MAX];
    struct sim_names now;
    struct sim_names durable;
    struct sim_name_op *ops;
    unsigned op_count;
    unsigned op_capacity;
    struct sim_bad_sector bad[SIM_BAD_SECTORS_MAX];
    unsigned bad_count;
    uint64_t size_max;
    uint64_t size_used;
};

/* Results as of system calls: a number or -errno. */
int sim_disk_open(struct sim_disk *disk, const char *path, bool create);
void sim_disk_close(struct sim_disk *disk, int file);
int64_t sim_disk_read(const struct sim_disk *disk, int file, uint64_t offset, void *buffer, uint32_t size);
int64_t sim_disk_write(struct sim_disk *disk, int file, uint64_t offset, const void *buffer, uint32_t size);
int64_t sim_disk_allocate(struct sim_disk *disk, int file, uint64_t size);
void sim_disk_sync_range(struct sim_disk *disk, int file, uint64_t offset, uint64_t size);
void sim_disk_sync(struct sim_disk *disk, int file);
/* The file ends here, if it does not end before: nothing of the rest is there or comes back. */
void sim_disk_cut(struct sim_disk *disk, int file, uint64_t size);
/* A sync that failed: the cache forgets that these sectors are not safe, as Linux does, so no later sync covers them
 * unless they are written again. */
void sim_disk_sync_failed(struct sim_disk *disk, int file, uint64_t offset, uint64_t size);
void sim_disk_sync_folder(struct sim_disk *disk, const char *folder);
int64_t sim_disk_rename(struct sim_disk *disk, const char *path, const char *path_to);
int64_t sim_disk_unlink(struct sim_disk *disk, const char *path);
int sim_disk_find(const struct sim_disk *disk, const char *path);

/* A write that was in flight at the crash: each sector lands, is torn, or is lost. Call before sim_disk_crash. */
void sim_disk_tear(struct sim_disk *disk, int file, uint64_t offset, const uint8_t *buffer, uint32_t size,
                   uint64_t (*draw)(void *), void *context);
/* Puts a part of a write that was in flight down for good. */
void sim_disk_land(struct sim_disk *disk, int file, uint64_t offset, const uint8_t *bytes, uint32_t size);
/* Leaves what survived: the draw decides over each volatile sector and over which changes of names were kept: in half
 * of the crashes a prefix of them, as a file system with a journal does, else each for itself. */
void sim_disk_crash(struct sim_disk *disk, uint64_t (*draw)(void *), void *context);
/* What a process that died leaves to the next one on the same machine: everything written, synced or not. What a failed
 * sync forgot stays forgotten. */
void sim_disk_close_all(struct sim_disk *disk);
/* A disk of its own with the same content, names and unsynced sectors, and the same open files. */
void sim_disk_copy(const struct sim_disk *from, struct sim_disk *ret_disk);
/* From now on reads of this sector fail with -EIO, until it is written. */
void sim_disk_spoil(struct sim_disk *disk, int file, uint64_t offset);
void sim_disk_free(struct sim_disk *disk);

#endif
