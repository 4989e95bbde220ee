/* Lines of any bytes as recorded traffic: what is taken is numbered without a gap, in frames without one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "otpring-load/traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct traffic *traffic)
{
    size_t at = 0;
    for (size_t i = 0; i < traffic->frame_count; i++) {
        if (traffic->frames[i].first != at || traffic->frames[i].count == 0) abort();
        if (traffic->frames[i].count > traffic->greatest_frame) abort();
        at += traffic->frames[i].count;
    }
    if (at != traffic->item_count) abort();
    for (size_t i = 0; i < traffic->item_count; i++) {
        const struct traffic_item *item = &traffic->items[i];
        uint32_t limit = item->kind == TRAFFIC_NOBODY     ? traffic->nobody_count
                         : item->kind == TRAFFIC_INACTIVE ? traffic->suspended_count
                                                          : traffic->account_count;
        if (item->kind >= TRAFFIC_KIND_COUNT || item->account >= limit) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct traffic traffic;
    char path[32];
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (write(file, data, size) == (ssize_t)size) {
        bool read = traffic_read(path, &traffic) == 0;
        if (read != (traffic.item_count > 0)) abort();
        check(&traffic);
        traffic_free(&traffic);
    }
    close(file);
    return 0;
}
