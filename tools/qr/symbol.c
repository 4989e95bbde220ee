/* Text to modules, by libqrencode. */
#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#include "qr/qr.h"

struct qr {
    QRcode *code;
};

enum { ECI_UTF8 = 26 }; /* of AIM's register; without it readers guess, and some guess Big5 */

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if (*text & 0x80) return false;
    return true;
}

static QRcode *utf8_encode(const char *text, QRecLevel level)
{
    QRinput *input = QRinput_new2(0, level);
    if (!input) return NULL;
    QRcode *code = NULL;
    if (QRinput_appendECIheader(input, ECI_UTF8) == 0 &&
        QRinput_append(input, QR_MODE_8, (int)strlen(text), (const unsigned char *)text) == 0)
        code = QRcode_encodeInput(input);
    int why = errno;
    QRinput_free(input);
    errno = why;
    return code;
}

struct result qr_make(const char *text, enum qr_level level, struct qr **ret_qr)
{
    static const QRecLevel levels[QR_LEVEL_COUNT] = {QR_ECLEVEL_L, QR_ECLEVEL_M, QR_ECLEVEL_Q, QR_ECLEVEL_H};
    if (!*text || (unsigned)level >= QR_LEVEL_COUNT) return result_of(BAD_ARGUMENT);
    struct qr *qr = malloc(sizeof *qr);
    if (!qr) return result_of(NO_MEMORY);
    /* Version 0: the smallest; ASCII is cut into pieces of the modes that suit them best. */
    qr->code =
        is_ascii(text) ? QRcode_encodeString(text, 0, levels[level], QR_MODE_8, 1) : utf8_encode(text, levels[level]);
    if (!qr->code) {
        struct result why = result_of(errno == ERANGE ? FULL : errno == ENOMEM ? NO_MEMORY : BAD_ARGUMENT);
        free(qr);
        return why;
    }
    *ret_qr = qr;
    return result_ok();
}

void qr_free(struct qr *qr)
{
    if (!qr) return;
    explicit_bzero(qr->code->data, (size_t)qr->code->width * (size_t)qr->code->width);
    QRcode_free(qr->code);
    free(qr);
}

int qr_width(const struct qr *qr)
{
    return qr->code->width;
}

bool qr_dark(const struct qr *qr, int x, int y)
{
    int width = qr->code->width;
    if (x < 0 || y < 0 || x >= width || y >= width) return false;
    return qr->code->data[y * width + x] & 1;
}
