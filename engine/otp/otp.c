#include "otp/otp.h"

#include <string.h>

#include "kernel/kernel.h"

enum { YEARS_AHEAD = 50 };
#define YEAR_S ((int64_t)31556952)

struct result otp_check_parameters(const struct otp_parameters *parameters, int64_t now_s)
{
    if ((parameters->type != OTP_HOTP && parameters->type != OTP_TOTP) ||
        (unsigned)parameters->algorithm >= KERNEL_ALGORITHM_COUNT)
        return result_of(BAD_ARGUMENT);
    if (parameters->digits < OTP_DIGITS_MIN || parameters->digits > OTP_DIGITS_MAX) return result_of(BAD_DIGITS);
    if (parameters->type == OTP_HOTP) return result_ok();
    if (parameters->period_s < OTP_PERIOD_S_MIN || parameters->period_s > OTP_PERIOD_S_MAX)
        return result_of(BAD_PERIOD);
    /* T0 so far away that the sums below could leave 64 bits is as wrong as one whose steps leave 32. */
    if (parameters->t0_s > now_s || parameters->t0_s < -(int64_t)UINT32_MAX * OTP_PERIOD_S_MAX)
        return result_of(STEP_TOO_FAR);
    int64_t last = otp_step(parameters, now_s + YEARS_AHEAD * YEAR_S);
    return last < (int64_t)UINT32_MAX ? result_ok() : result_of(STEP_TOO_FAR);
}

uint32_t otp_code(const struct otp_parameters *parameters, const uint8_t *seed, size_t seed_size, uint64_t counter)
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    const void *one = midstates;
    const struct kernel *const *kernels;
    uint32_t truncated;
    kernel_list(&kernels);
    kernel_midstates(parameters->algorithm, seed, seed_size, midstates);
    kernels[0]->steps[parameters->algorithm](&one, &counter, &truncated, 1);
    explicit_bzero(midstates, sizeof midstates);
    return kernel_digits(truncated, parameters->digits);
}

int64_t otp_step(const struct otp_parameters *parameters, int64_t unix_s)
{
    int64_t since = unix_s - parameters->t0_s;
    int64_t period = parameters->period_s;
    return since >= 0 ? since / period : -((-since + period - 1) / period);
}

void otp_code_text(uint32_t code, unsigned digits, char ret_text[9])
{
    for (unsigned i = digits; i-- > 0; code /= 10) ret_text[i] = (char)('0' + code % 10);
    ret_text[digits] = 0;
}

struct result otp_code_parse(const char *text, size_t size, uint32_t *ret_code, uint8_t *ret_digits)
{
    uint32_t code = 0;
    if (size < OTP_DIGITS_MIN || size > OTP_DIGITS_MAX) return result_of(BAD_DIGITS);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return result_of(BAD_ARGUMENT);
        code = code * 10 + (uint32_t)(text[i] - '0');
    }
    *ret_code = code;
    *ret_digits = (uint8_t)size;
    return result_ok();
}
