/* Steps with the SHA instructions of x86: four streams side by side, since one alone waits for its own results. */
#ifndef OTPRING_KERNEL_SHA_NI_H
#define OTPRING_KERNEL_SHA_NI_H

#include "kernel/kernel.h"

enum { SHA_NI_STREAMS = 4 };

kernel_steps_function sha_ni_sha1;
kernel_steps_function sha_ni_sha256;

#endif
