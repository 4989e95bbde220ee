/* Steps in plain C; also what wider kernels hand their tails to. */
#ifndef OTPRING_KERNEL_PORTABLE_H
#define OTPRING_KERNEL_PORTABLE_H

#include "kernel/messages.h"

kernel_run_function portable_sha1;
kernel_run_function portable_sha256;
kernel_run_function portable_sha512;
kernel_messages_function portable_sha256_many;

#endif
