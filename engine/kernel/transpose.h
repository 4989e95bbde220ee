/* Words of many lines to lanes of words, for any vector: the including file has included its vector header. Inline
 * only. */
#ifndef OTPRING_KERNEL_TRANSPOSE_H
#define OTPRING_KERNEL_TRANSPOSE_H

/* Four words at `offset` of each line. Line 4k + i comes from place k of load i. */
KERNEL_INLINE void load_words32(const void *const *lines, size_t offset, vector ret_words[4])
{
    vector line0 = load_lines(lines, 4, offset), line1 = load_lines(lines + 1, 4, offset);
    vector line2 = load_lines(lines + 2, 4, offset), line3 = load_lines(lines + 3, 4, offset);
    vector low01 = unpack_low32(line0, line1), high01 = unpack_high32(line0, line1);
    vector low23 = unpack_low32(line2, line3), high23 = unpack_high32(line2, line3);
    ret_words[0] = unpack_low64(low01, low23);
    ret_words[1] = unpack_high64(low01, low23);
    ret_words[2] = unpack_low64(high01, high23);
    ret_words[3] = unpack_high64(high01, high23);
}

KERNEL_INLINE void load_words64(const void *const *lines, size_t offset, vector ret_words[2])
{
    vector line0 = load_lines(lines, 2, offset), line1 = load_lines(lines + 1, 2, offset);
    ret_words[0] = unpack_low64(line0, line1);
    ret_words[1] = unpack_high64(line0, line1);
}

#endif
