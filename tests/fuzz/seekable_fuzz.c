/* A packed segment of any bytes: refused, or read within its bounds, at every offset the same. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "otpring-log/seekable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHOLE = 3 * SEEKABLE_FRAME };

static void read_everywhere(struct seekable *seekable)
{
    static uint8_t whole[WHOLE], part[64];
    size_t have, again;
    uint64_t size = seekable_size(seekable);
    if (result_failed(seekable_read(seekable, whole, sizeof whole, 0, &have))) return;
    if (have != (size < WHOLE ? size : WHOLE)) abort();
    for (uint64_t at = 0; at < have; at += 1 + have / 7) {
        if (result_failed(seekable_read(seekable, part, sizeof part, at, &again))) abort();
        size_t wanted = have - at < sizeof part ? have - at : sizeof part;
        if (again < wanted || memcmp(part, whole + at, wanted) != 0) abort();
    }
    if (!result_failed(seekable_read(seekable, part, sizeof part, size, &again)) && again != 0) abort();
    (void)!result_failed(seekable_read(seekable, part, sizeof part, UINT64_MAX - 8, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seekable *seekable;
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0) return 0;
    if (write(file, data, size) == (ssize_t)size && !result_failed(seekable_open(file, &seekable))) {
        read_everywhere(seekable);
        seekable_close(seekable);
    }
    close(file);
    return 0;
}
