/* libotpring: the client of ask.sock, by which an auth server has users asked on their devices.
 *
 * One struct otpring_asker is used by one thread at a time; any number of them may exist. It connects on the first use
 * and again after a connection was lost. Every call takes a batch, goes as one frame, and waits for its answer; what
 * becomes of a question is told by itself (otpring_closed), and can be asked for at any time (otpring_wait). No
 * function aborts or prints. PROTOCOL.md (Questions) says what the fields mean and which codes there are.
 *
 * Asking again after a failure is harmless: the same question of the same session joins the one that is open, and a
 * device's document, or a typed response, that was taken is answered as before. */
#ifndef OTPRING_ASK_H
#define OTPRING_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "otpring/client.h"

#ifdef __cplusplus
extern "C" {
#endif

struct otpring_asker;

enum {
    OTPRING_BATCH_MAX = 256,         /* items of one call */
    OTPRING_CHALLENGE_TEXT = 22,     /* characters of what a challenge is called */
    OTPRING_URI_TEXT_MAX = 996,      /* characters of a challenge as it stands in a QR code */
    OTPRING_NAME_TEXT_MAX = 255,     /* bytes of a company's or user's name */
    OTPRING_CODE_TEXT_MAX = 31,      /* characters of a refusal's code */
    OTPRING_WORD_TEXT_MAX = 15,      /* of a state's or reason's name */
    OTPRING_DOCUMENT_TEXT_MAX = 4096 /* bytes of one device's document */
};

/* socket_path: DIR/ask.sock. timeout_ms: of one call, connecting included; 0: 5000. 0, or OTPRING_E_*. */
int otpring_asker_open(const char *socket_path, uint32_t timeout_ms, struct otpring_asker **ret_asker);
void otpring_asker_close(struct otpring_asker *asker);

/* All calls below: 0, or a negative enum otpring_error where the frame as a whole got no answer: whether it was taken
 * is not known, and asking again is the way to find out. Each item says for itself whether it was taken: `code` is ""
 * then, and else the name of what is wrong. Texts are NUL-terminated UTF-8. */

struct otpring_question {
    const char *company, *user; /* both NULL: whoever scans it; channel "qr" alone */
    const char *session;        /* the caller's own name for the browser session or payment, 1 to 255 bytes */
    const char *channel;        /* "push", "qr" */
    const char *purpose;        /* "login", "query", "authorisation", "transaction" */
    const char *site, *text;
    const char *amount, *currency, *payee, *reference; /* of a transaction; else NULL */
    uint32_t life_s;                                   /* 10 to 3600; 0: 120 */
    int match; /* the number on the screen is entered on the device: 1 yes, -1 no, 0: as the channel has it */
    int typed; /* a response may be typed: likewise */
    int quiet; /* 1: nobody is told by itself when it is closed */
};

struct otpring_asked {
    char code[OTPRING_CODE_TEXT_MAX + 1];
    char challenge[OTPRING_CHALLENGE_TEXT + 1];
    char uri[OTPRING_URI_TEXT_MAX + 1]; /* to be shown as a QR code */
    int joined;                         /* it was open already, by the same question of the same session */
    unsigned number;                    /* 10 to 99, to be shown in the session that asks; 0: none */
    unsigned pushed;                    /* devices that are told */
    uint32_t expires_s;
    uint32_t retry_after_s; /* with QUESTION_BUSY, QUESTION_COOLING, QUESTION_LIMITED */
};

int otpring_ask(struct otpring_asker *asker, const struct otpring_question *questions, size_t count,
                struct otpring_asked *ret_asked);

/* A challenge of this client's, as the session that asked it names it. */
struct otpring_asked_by {
    const char *challenge;
    const char *session;
    /* otpring_typed alone: what the user typed, and who they say they are where the question names nobody. */
    const char *response;
    const char *company, *user;
    /* of an exchange, where the suite has them: the PIN's hash, and the session information of its beginning */
    const uint8_t *pin_hash; /* pin_hash_size bytes: 20, 32 or 64 */
    size_t pin_hash_size;
    const char *session_information;
};

struct otpring_outcome {
    char code[OTPRING_CODE_TEXT_MAX + 1];
    char challenge[OTPRING_CHALLENGE_TEXT + 1];
    char state[OTPRING_WORD_TEXT_MAX + 1]; /* "asked", "shown", "approved", "refused", "expired", "withdrawn" */
    char reason[OTPRING_WORD_TEXT_MAX + 1];
    char company[OTPRING_NAME_TEXT_MAX + 1], user[OTPRING_NAME_TEXT_MAX + 1]; /* who answered */
    uint64_t device;
    uint32_t expires_s; /* while it is open */
};

/* What became of them so far; who waits for one that is open is told by otpring_closed. */
int otpring_wait(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                 struct otpring_outcome *ret_outcomes);
int otpring_cancel(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                   struct otpring_outcome *ret_outcomes);
/* Responses that users typed. */
int otpring_typed(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                  struct otpring_outcome *ret_outcomes);

/* OCRA's mutual mode (RFC 6287 section 7.2; PROTOCOL.md, Exchanges): the engine answers the token's challenge, then the
 * token's response to the engine's goes to otpring_typed. */
enum { OTPRING_OCRA_CHALLENGE_MAX = 64, OTPRING_OCRA_RESPONSE_MAX = 128 };

struct otpring_exchange {
    const char *company, *user;
    const char *session;
    const char *client_challenge;    /* QC: the token's, as long as its suite allows */
    const char *session_information; /* where the suite has it; else NULL */
    uint32_t life_s;                 /* as of a question */
    int quiet;                       /* the same */
};

struct otpring_exchanged {
    char code[OTPRING_CODE_TEXT_MAX + 1];
    char challenge[OTPRING_CHALLENGE_TEXT + 1];            /* what the exchange is called */
    char server_challenge[OTPRING_OCRA_CHALLENGE_MAX + 1]; /* QS */
    char server_response[OTPRING_OCRA_RESPONSE_MAX + 1];   /* RS: the token compares it before it answers */
    int joined;
    uint32_t expires_s;
    uint32_t retry_after_s;
};

int otpring_exchange(struct otpring_asker *asker, const struct otpring_exchange *exchanges, size_t count,
                     struct otpring_exchanged *ret_exchanged);

/* The next challenge that was closed, once each: 1; none within timeout_ms: 0. After a lost connection
 * (OTPRING_E_CONNECT) ask by otpring_wait for what was open. */
int otpring_closed(struct otpring_asker *asker, uint32_t timeout_ms, struct otpring_outcome *ret_outcome);
/* For event loops: readable when otpring_closed has something to look at, besides what it may hold already; -1: not
 * connected. */
int otpring_asker_fd(const struct otpring_asker *asker);

/* Documents of devices, JSON objects as they came (DEVICE.md), and the answers to be handed back, each to be freed with
 * otpring_answer_free; one that is no JSON object is answered BAD_JSON. */
int otpring_documents(struct otpring_asker *asker, const char *const documents[], size_t count, char *ret_answers[]);
void otpring_answer_free(char *answer);

/* "Your account was entered from SERVICE", to the user's devices; gives how many are told in ret_pushed. */
int otpring_alert(struct otpring_asker *asker, const char *company, const char *user, const char *service,
                  unsigned *ret_pushed, char ret_code[OTPRING_CODE_TEXT_MAX + 1]);

/* The last error in words; lives until the next call. */
const char *otpring_asker_last_error(const struct otpring_asker *asker);

#ifdef __cplusplus
}
#endif

#endif
