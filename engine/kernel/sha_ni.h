/* Steps with the SHA instructions of x86: up to four streams side by side, since one alone waits for its own results.
 */
#ifndef OTPRING_KERNEL_SHA_NI_H
#define OTPRING_KERNEL_SHA_NI_H

#include "kernel/messages.h"

enum { SHA_NI_STREAMS = 4 };

kernel_run_function sha_ni_sha1;
kernel_run_function sha_ni_sha256;
kernel_messages_function sha_ni_sha256_many;

#endif
