/* Single blocks with the best that the CPU has for them: for midstates and for messages of several blocks.
 * Any thread. */
#ifndef OTPRING_KERNEL_COMPRESS_H
#define OTPRING_KERNEL_COMPRESS_H

#include <stdint.h>

/* As the functions of these names in sha.h. */
struct compressions {
    void (*sha1)(uint32_t state[5], const uint32_t message[16]);
    void (*sha256)(uint32_t state[8], const uint32_t message[16]);
};

/* dispatch.c */
const struct compressions *kernel_compressions(void);

#endif
