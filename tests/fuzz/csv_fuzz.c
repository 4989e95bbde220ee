/* No line of a CSV import breaks the parser, and what it takes keeps to the limits that it promises. The first line of
 * the input is the header, the second a row. */
#include <stdlib.h>
#include <string.h>

#include "admin/csv.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv_header header;
    struct csv_token token;
    const uint8_t *end = memchr(data, '\n', size);
    size_t head = end ? (size_t)(end - data) : size;
    const char *row = (const char *)data + (end ? head + 1 : 0);
    size_t row_size = end ? size - head - 1 : size;
    if (result_failed(csv_header_parse((const char *)data, head, &header))) {
        header = (struct csv_header){.columns = {CSV_COMPANY, CSV_USER, CSV_SECRET, CSV_TYPE, CSV_DIGITS, CSV_PERIOD},
                                     .count = 6};
    }
    if (!result_failed(csv_token_parse(&header, row, row_size, &token))) {
        CHECK(strlen(token.company) >= 1 && strlen(token.company) <= OTP_NAME_SIZE_MAX);
        CHECK(strlen(token.user) >= 1 && strlen(token.user) <= OTP_NAME_SIZE_MAX);
        CHECK(strlen(token.label) <= CSV_LABEL_MAX);
        CHECK(token.seed_size >= OTP_SEED_SIZE_MIN && token.seed_size <= OTP_SEED_SIZE_MAX);
        CHECK(token.parameters.digits >= 6 && token.parameters.digits <= 8);
    }
    return 0;
}
