/* What a bank asks: read off a signed URI, shown whole, answered by a signature or by digits that the user types
 * (include/otpring/QR.md, DEVICE.md). */
#ifndef TOOLS_OTPRING_TOKEN_QUESTION_H
#define TOOLS_OTPRING_TOKEN_QUESTION_H

#include "challenge/statement.h"
#include "challenge/uri.h"
#include "token.h"

enum { QUESTIONS_MAX = 8, QUESTION_ID_TEXT = 24 };

struct question {
    struct account *account; /* whose bank signed it */
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX];
    size_t size;
    struct challenge_body body; /* points into bytes: question_copy */
    char id[QUESTION_ID_TEXT];
};

/* Reads a URI under the bank key of this account, or, where it is NULL, of whichever account it fits (one alone, or the
 * one that settings name). EXIT_DONE, or complained. */
int question_read(const struct settings *settings, struct accounts *accounts, struct account *account, const char *uri,
                  struct question *ret_question);
void question_copy(struct question *to, const struct question *from);
bool question_has_expired(const struct question *question, int64_t now_s);
/* Every field, whole. */
void question_print(const struct question *question);
json_t *question_json(const struct question *question);

/* What an account is asked at its bank: at most QUESTIONS_MAX. */
int questions_fetch(const struct settings *settings, struct accounts *accounts, struct account *account,
                    struct question *ret_questions, unsigned *ret_count);

enum question_decision { QUESTION_APPROVE, QUESTION_NOT_ME, QUESTION_NOT_WANTED };
/* Signs and sends; the counter is kept before. ret_state: what the bank says, such as "approved". */
int question_answer(const struct settings *settings, const struct accounts *accounts, struct question *question,
                    enum question_decision decision, unsigned number, char *ret_state, size_t size);
/* The digits that the user types where there is no network. */
int question_response(const struct question *question, char ret_text[OCRA_RESPONSE_SIZE_MAX + 1]);

#endif
