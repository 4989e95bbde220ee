/* The tokens that every peer gets: read from a file that peer_tokens wrote, which are those of otpring-load. */
#ifndef OTPRING_BENCH_TOKENS_H
#define OTPRING_BENCH_TOKENS_H

#include <stdint.h>

enum { TOKEN_SEED_SIZE = 20 };

struct token {
    char user[16];
    uint8_t seed[TOKEN_SEED_SIZE];
};

/* Ends the program when the file cannot be read. The caller frees. */
struct token *tokens_read(const char *path, uint32_t *ret_count);

double bench_now_s(void);
double bench_cpu_s(void);

#endif
