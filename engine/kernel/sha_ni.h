/* Steps with the SHA instructions of x86, on a CPU that has AVX too: up to four streams side by side, since one waits
 * for its own results. */
#ifndef OTPRING_KERNEL_SHA_NI_H
#define OTPRING_KERNEL_SHA_NI_H

#include "kernel/messages.h"

enum { SHA_NI_STREAMS = 4 };

kernel_run_function sha_ni_sha1;
kernel_run_function sha_ni_sha256;
kernel_messages_function sha_ni_sha256_many;

/* One block, words as numbers: as sha1_compress and sha256_compress. */
void sha_ni_sha1_compress(uint32_t state[5], const uint32_t message[16]);
void sha_ni_sha256_compress(uint32_t state[8], const uint32_t message[16]);

#endif
