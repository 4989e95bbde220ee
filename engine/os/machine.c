#include "os/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/check.h"

/* How long an answer of adjtimex holds: it takes a lock of the kernel's clock, too much for every turn. */
enum { SYNCHRONISED_NS = 100000000, SHORT_SLICE_NS = 100000 };

uint64_t machine_clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Where asking is refused (some containers), the clock counts as not synchronised. */
static bool synchronised(struct machine_clock *clock)
{
    uint64_t now = machine_clock_ns(CLOCK_BOOTTIME);
    if (clock->asked_ns && now - clock->asked_ns < SYNCHRONISED_NS) return clock->synchronised;
    struct timex timex = {0};
    int state = adjtimex(&timex);
    clock->asked_ns = now;
    return clock->synchronised = state >= 0 && state != TIME_ERROR && !(timex.status & STA_UNSYNC);
}

struct os_time machine_time(struct machine_clock *clock)
{
    return (struct os_time){
        .wall_ms = (int64_t)(machine_clock_ns(CLOCK_REALTIME) / 1000000u),
        .boot_ms = machine_clock_ns(CLOCK_BOOTTIME) / 1000000u,
        .synchronised = synchronised(clock),
    };
}

unsigned machine_cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}

/* struct sched_attr of linux/sched/types.h (its first version), which does not go together with sched.h. */
struct slice {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* of SCHED_OTHER: the slice */
    uint64_t deadline_ns;
    uint64_t period_ns;
};
_Static_assert(sizeof(struct slice) == 48, "SCHED_ATTR_SIZE_VER0");

void machine_short_slice(void)
{
    struct slice now = {0};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER) return;
    now.runtime_ns = SHORT_SLICE_NS;
    /* An older kernel, or a sandbox, refuses or ignores it: then the usual slice stays. */
    (void)!syscall(SYS_sched_setattr, 0, &now, 0);
}

void machine_thread_yields(void)
{
    enum { NICER = 10 };
    /* Of the thread, not of the process, on Linux; where it is refused, all have the same share. */
    (void)!setpriority(PRIO_PROCESS, 0, NICER);
    /* A lower share alone lets it finish its slice while one that matters more has woken up. */
    machine_short_slice();
}

uint64_t machine_resident_size(void)
{
    char text[128];
    unsigned long long pages = 0;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    if (sscanf(text, "%*u %llu", &pages) != 1) return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t machine_disk_waits(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    return (uint64_t)usage.ru_majflt;
}

void machine_random(void *ret_bytes, size_t size)
{
    for (uint8_t *at = ret_bytes; size > 0;) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        CHECK(got > 0);
        at += got;
        size -= (size_t)got;
    }
}

struct result machine_list(const char *folder, void (*each)(void *context, const char *name, uint64_t size),
                           void *context)
{
    DIR *list = opendir(folder);
    if (!list) return os_result(-(int64_t)errno);
    const struct dirent *entry;
    while ((entry = readdir(list))) {
        struct stat about;
        if (fstatat(dirfd(list), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode))
            each(context, entry->d_name, (uint64_t)about.st_size);
    }
    closedir(list);
    return result_ok();
}
