/* Assertions that stay on in release. For our own bugs only: bytes from a peer or a disk get a result, never a CHECK.
 * The condition must not have side effects. Any thread. */
#ifndef OTPRING_BASE_CHECK_H
#define OTPRING_BASE_CHECK_H

/* Prints "file:line: check failed: condition" on standard error and aborts. */
void check_failed(const char *file, int line, const char *condition) __attribute__((noreturn, cold));

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0)) check_failed(__FILE__, __LINE__, #condition);                           \
    } while (0)

#endif
