/* The compression functions of FIPS 180-4 (section 6), one block at a time, in plain C: the portable kernel and the
 * making of midstates. Message words are given as numbers, already big-endian decoded. Inline only: any kernel file may
 * include it. */
#ifndef OTPRING_KERNEL_SHA_H
#define OTPRING_KERNEL_SHA_H

#include <stdint.h>

static inline uint32_t rotate_left32(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static inline uint32_t rotate_right32(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static inline uint64_t rotate_right64(uint64_t value, unsigned by)
{
    return value >> by | value << (64 - by);
}

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint64_t sha512_constants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

static const uint32_t sha1_initial[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
static const uint32_t sha256_initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint64_t sha512_initial[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                           0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                           0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

static inline void sha1_compress(uint32_t state[5], const uint32_t message[16])
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++) w[i] = message[i];
    for (int i = 16; i < 80; i++) w[i] = rotate_left32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
#pragma GCC unroll 80
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t t = rotate_left32(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate_left32(b, 30);
        b = a;
        a = t;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

#define SHA2_COMPRESS(name, word, rounds, constants, rotate, S0, S1, s0, s1)                                           \
    static inline void name(word state[8], const word message[16])                                                     \
    {                                                                                                                  \
        word w[rounds], v[8];                                                                                          \
        for (int i = 0; i < 16; i++) w[i] = message[i];                                                                \
        for (int i = 16; i < rounds; i++) w[i] = s1(w[i - 2]) + w[i - 7] + s0(w[i - 15]) + w[i - 16];                  \
        for (int i = 0; i < 8; i++) v[i] = state[i];                                                                   \
        for (int i = 0; i < rounds; i++) {                                                                             \
            word t1 = v[7] + S1(v[4]) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + w[i];                        \
            word t2 = S0(v[0]) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));                                      \
            for (int j = 7; j > 0; j--) v[j] = v[j - 1];                                                               \
            v[4] += t1;                                                                                                \
            v[0] = t1 + t2;                                                                                            \
        }                                                                                                              \
        for (int i = 0; i < 8; i++) state[i] += v[i];                                                                  \
    }

#define SHA256_S0(x) (rotate_right32(x, 2) ^ rotate_right32(x, 13) ^ rotate_right32(x, 22))
#define SHA256_S1(x) (rotate_right32(x, 6) ^ rotate_right32(x, 11) ^ rotate_right32(x, 25))
#define SHA256_s0(x) (rotate_right32(x, 7) ^ rotate_right32(x, 18) ^ (x) >> 3)
#define SHA256_s1(x) (rotate_right32(x, 17) ^ rotate_right32(x, 19) ^ (x) >> 10)
#define SHA512_S0(x) (rotate_right64(x, 28) ^ rotate_right64(x, 34) ^ rotate_right64(x, 39))
#define SHA512_S1(x) (rotate_right64(x, 14) ^ rotate_right64(x, 18) ^ rotate_right64(x, 41))
#define SHA512_s0(x) (rotate_right64(x, 1) ^ rotate_right64(x, 8) ^ (x) >> 7)
#define SHA512_s1(x) (rotate_right64(x, 19) ^ rotate_right64(x, 61) ^ (x) >> 6)

SHA2_COMPRESS(sha256_compress, uint32_t, 64, sha256_constants, rotate_right32, SHA256_S0, SHA256_S1, SHA256_s0,
              SHA256_s1)
SHA2_COMPRESS(sha512_compress, uint64_t, 80, sha512_constants, rotate_right64, SHA512_S0, SHA512_S1, SHA512_s0,
              SHA512_s1)

#endif
