/* Steps in plain C; also what wider kernels hand their tails to. */
#ifndef OTPRING_KERNEL_PORTABLE_H
#define OTPRING_KERNEL_PORTABLE_H

#include "kernel/kernel.h"

kernel_steps_function portable_sha1;
kernel_steps_function portable_sha256;
kernel_steps_function portable_sha512;

#endif
