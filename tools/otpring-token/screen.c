/* The terminal screen: accounts with their codes and how long these last, and what the bank asks, whole. Drawn anew
 * once a second and at each key, by plain ANSI sequences on the alternate screen. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "os/arena.h"
#include "question.h"

enum {
    ASK_EVERY_S = 5,
    BAR_WIDTH = 15,
    NAME_WIDTH = 30,
    TYPED_MAX = 65,
    WIDTH_DEFAULT = 80,
    KEY_UP = 256,
    KEY_DOWN,
    KEY_OTHER
};

/* What keys mean just now. */
enum mode { MODE_LIST, MODE_NUMBER, MODE_CHALLENGE };

struct screen {
    struct settings settings;
    struct accounts *accounts;
    unsigned chosen;
    enum mode mode;
    struct question questions[QUESTIONS_MAX];
    unsigned question_count; /* the first is shown */
    int64_t asked_s;
    char typed[TYPED_MAX];
    char told[256]; /* the line below everything: what became of the last key */
    struct termios before;
    int width;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- drawing ---- */

/* At most `width` columns of text, filled up with blanks where `fill`; what has no place on a screen is left out. */
static void put(const char *text, size_t size, int width, bool fill)
{
    mbstate_t state = {0};
    while (size > 0) {
        wchar_t wide;
        size_t used = mbrtowc(&wide, text, size, &state);
        if (used == 0 || used > size) break;
        int columns = wcwidth(wide);
        if (columns > width) break;
        if (columns > 0) printf("%.*s", (int)used, text);
        if (columns > 0) width -= columns;
        text += used;
        size -= used;
    }
    for (; fill && width > 0; width--) putchar(' ');
}

static void line_end(void)
{
    fputs("\033[K\r\n", stdout);
}

/* 755 224: easier to read than six digits in a row. */
static void put_code(const char *code)
{
    size_t half = strlen(code) / 2;
    printf("\033[1m%.*s %s\033[0m", (int)half, code, code + half);
}

static void put_account(const struct screen *screen, unsigned i, int64_t now_s)
{
    const struct account *account = &screen->accounts->items[i];
    char name[2 * OTP_NAME_SIZE_MAX + 8], code[16];
    snprintf(name, sizeof(name), "%s%s%s", account->user, account->company[0] ? " of " : "", account->company);
    printf(" %c %-3u ", i == screen->chosen ? '>' : ' ', account->number);
    put(name, strlen(name), NAME_WIDTH, true);
    putchar(' ');
    if (account->state == ACCOUNT_UNBOUND) {
        fputs("unbound: the bank does not know it any more", stdout);
    } else if (account->state != ACCOUNT_ACTIVE) {
        printf("%s: go on with otpring-token enrol", account_state_name(account->state));
    } else if (account->parameters.type == OTP_TOTP) {
        unsigned left_s = code_now(account, now_s, code), period_s = account->parameters.period_s;
        unsigned bar = (left_s * BAR_WIDTH + period_s - 1) / period_s;
        put_code(code);
        fputs("  ", stdout);
        for (unsigned b = 0; b < BAR_WIDTH; b++) putchar(b < bar ? '#' : '-');
        printf(" %2u s", left_s);
        secret_wipe(code, sizeof(code));
    } else {
        fputs(account->parameters.type == OTP_HOTP ? "space: next code" : "c: answer a challenge", stdout);
    }
    line_end();
}

static void put_field(const struct question *question, enum challenge_field field, const char *name)
{
    struct challenge_text text = question->body.fields[field];
    if (!text.bytes) return;
    /* Never cut short: a long text goes on in the next lines. */
    printf("   %-10s %.*s", name, (int)text.size, text.bytes);
    line_end();
}

static void put_question(const struct screen *screen, int64_t now_s)
{
    const struct question *question = &screen->questions[0];
    int64_t left_s = (int64_t)question->body.expires_s - now_s;
    fputs(" \033[7m ", stdout);
    put(question->body.fields[CHALLENGE_SITE].bytes, question->body.fields[CHALLENGE_SITE].size, screen->width, false);
    fputs(" asks ", stdout);
    text_print(question->account->user);
    fputs(" of ", stdout);
    text_print(question->account->company);
    printf(" \033[0m  %lld s left", (long long)(left_s > 0 ? left_s : 0));
    line_end();
    put_field(question, CHALLENGE_TEXT, "");
    put_field(question, CHALLENGE_AMOUNT, "amount");
    put_field(question, CHALLENGE_CURRENCY, "currency");
    put_field(question, CHALLENGE_PAYEE, "payee");
    put_field(question, CHALLENGE_REFERENCE, "reference");
    line_end();
}

static void put_keys(const struct screen *screen)
{
    if (screen->mode == MODE_NUMBER)
        printf(" The number that the screen shows: %s_   (escape: back)", screen->typed);
    else if (screen->mode == MODE_CHALLENGE)
        printf(" The challenge: %s_   (return: respond, escape: back)", screen->typed);
    else if (screen->question_count)
        fputs(" y approve   n refuse   x it was not me   r response to be typed   q quit", stdout);
    else
        printf(" arrows choose%s   q quit", screen->settings.socket ? "   a ask the bank" : "");
    line_end();
}

static void draw(struct screen *screen, int64_t now_s)
{
    struct winsize size = {0};
    screen->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDTH_DEFAULT;
    fputs("\033[H", stdout);
    fputs(" otpring-token", stdout);
    line_end();
    line_end();
    for (unsigned i = 0; i < screen->accounts->count; i++) put_account(screen, i, now_s);
    if (screen->accounts->count == 0) {
        fputs(" There is no account yet: otpring-token enrol --help", stdout);
        line_end();
    }
    line_end();
    if (screen->question_count) put_question(screen, now_s);
    put_keys(screen);
    putchar(' ');
    put(screen->told, strlen(screen->told), screen->width - 1, false);
    fputs("\033[K\033[J", stdout);
    fflush(stdout);
}

/* ---- what the bank asks ---- */

static void ask(struct screen *screen, int64_t now_s)
{
    screen->asked_s = now_s;
    screen->question_count = 0;
    for (unsigned i = 0; i < screen->accounts->count && !screen->question_count; i++) {
        struct account *account = &screen->accounts->items[i];
        if (!account_is_enrolled(account)) continue;
        (void)questions_fetch(&screen->settings, screen->accounts, account, screen->questions, &screen->question_count);
    }
}

static void answer(struct screen *screen, enum question_decision decision, unsigned number)
{
    char state[64] = "";
    screen->told[0] = 0;
    int status = question_answer(&screen->settings, screen->accounts, &screen->questions[0], decision, number, state,
                                 sizeof(state));
    if (status == EXIT_DONE) snprintf(screen->told, sizeof(screen->told), "%s", state);
    if (status != EXIT_UNAVAILABLE) screen->question_count = 0;
    screen->mode = MODE_LIST;
}

static void approve(struct screen *screen)
{
    if (!(screen->questions[0].body.flags & CHALLENGE_MATCH_NUMBER)) {
        answer(screen, QUESTION_APPROVE, 0);
        return;
    }
    screen->typed[0] = 0;
    screen->mode = MODE_NUMBER;
}

static void respond(struct screen *screen)
{
    char text[OCRA_RESPONSE_SIZE_MAX + 1];
    if (question_response(&screen->questions[0], text) == EXIT_DONE)
        snprintf(screen->told, sizeof(screen->told), "type this where you were asked, to approve it: %s", text);
    secret_wipe(text, sizeof(text));
}

/* ---- keys ---- */

static void question_key(struct screen *screen, int key)
{
    if (key == 'y') approve(screen);
    if (key == 'n') answer(screen, QUESTION_NOT_WANTED, 0);
    if (key == 'x') answer(screen, QUESTION_NOT_ME, 0);
    if (key == 'r') respond(screen);
}

static void next_code(struct screen *screen, struct account *account)
{
    char code[16];
    (void)code_now(account, 0, code);
    account->moving++;
    if (keep_save(&screen->settings, screen->accounts) == EXIT_DONE)
        snprintf(screen->told, sizeof(screen->told), "code: %s", code);
    secret_wipe(code, sizeof(code));
}

static void list_key(struct screen *screen, int key, int64_t now_s)
{
    struct account *account = screen->accounts->count ? &screen->accounts->items[screen->chosen] : NULL;
    if (screen->question_count) question_key(screen, key);
    if (key == 'a' && screen->settings.socket) {
        screen->told[0] = 0;
        ask(screen, now_s);
        if (!screen->question_count && !screen->told[0])
            snprintf(screen->told, sizeof(screen->told), "nothing is asked");
    }
    if (!account) return;
    if ((key == KEY_UP || key == 'k') && screen->chosen > 0) screen->chosen--;
    if ((key == KEY_DOWN || key == 'j') && screen->chosen + 1 < screen->accounts->count) screen->chosen++;
    if (key == ' ' && account->state == ACCOUNT_ACTIVE && account->parameters.type == OTP_HOTP)
        next_code(screen, account);
    if (key == 'c' && account_answers_by_hand(account)) {
        screen->typed[0] = screen->told[0] = 0;
        screen->mode = MODE_CHALLENGE;
    }
}

static void challenge_done(struct screen *screen)
{
    char text[OCRA_RESPONSE_SIZE_MAX + 1] = "";
    struct settings settings = screen->settings;
    settings.challenge = screen->typed;
    screen->told[0] = 0;
    if (response_by_hand(&settings, screen->accounts, &screen->accounts->items[screen->chosen], text) == EXIT_DONE)
        snprintf(screen->told, sizeof(screen->told), "response: %s", text);
    secret_wipe(text, sizeof(text));
    screen->mode = MODE_LIST;
}

static void typing_key(struct screen *screen, int key)
{
    size_t size = strlen(screen->typed);
    bool number = screen->mode == MODE_NUMBER;
    if (key == 27) screen->mode = MODE_LIST;
    if ((key == 127 || key == 8) && size > 0) screen->typed[size - 1] = 0;
    if (key == '\r' || key == '\n') {
        if (!number && size > 0) challenge_done(screen);
        return;
    }
    bool fits = number ? key >= '0' && key <= '9' : key > ' ' && key < 127;
    if (!fits || size + 1 >= sizeof(screen->typed)) return;
    screen->typed[size] = (char)key;
    screen->typed[size + 1] = 0;
    if (number && size + 1 == 2) answer(screen, QUESTION_APPROVE, (unsigned)strtoul(screen->typed, NULL, 10));
}

/* What was read in one go: several keys where somebody types fast, or pastes. */
struct keys {
    unsigned char bytes[256];
    size_t at, count;
};

/* The next key; arrows come as three bytes. 0: none. The end of the input is a q. */
static int key_next(struct keys *keys)
{
    if (keys->at == keys->count) return 0;
    const unsigned char *bytes = keys->bytes + keys->at;
    if (keys->count - keys->at >= 3 && bytes[0] == 27 && bytes[1] == '[') {
        keys->at += 3;
        return bytes[2] == 'A' ? KEY_UP : bytes[2] == 'B' ? KEY_DOWN : KEY_OTHER;
    }
    keys->at++;
    return bytes[0] ? bytes[0] : KEY_OTHER;
}

static struct keys keys_read(void)
{
    struct keys keys = {.at = 0};
    ssize_t got = read(STDIN_FILENO, keys.bytes, sizeof(keys.bytes));
    if (got == 0) keys.bytes[0] = 'q';
    keys.count = got > 0 ? (size_t)got : got == 0;
    return keys;
}

/* False: the user has had enough. */
static bool keys_take(struct screen *screen, int64_t now_s)
{
    struct keys keys = keys_read();
    for (int key; (key = key_next(&keys));) {
        if (screen->mode != MODE_LIST)
            typing_key(screen, key);
        else if (key == 'q')
            return false;
        else
            list_key(screen, key, now_s);
    }
    secret_wipe(&keys, sizeof(keys));
    return true;
}

static void run(struct screen *screen)
{
    struct pollfd keyboard = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!stopped && !ferror(stdout)) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        bool due = screen->settings.socket && now.tv_sec >= screen->asked_s + ASK_EVERY_S;
        if (due && screen->mode == MODE_LIST && !screen->question_count) ask(screen, now.tv_sec);
        if (screen->question_count && screen->mode == MODE_LIST &&
            question_has_expired(&screen->questions[0], now.tv_sec))
            screen->question_count = 0;
        draw(screen, now.tv_sec);
        if (poll(&keyboard, 1, (int)(1000 - now.tv_nsec / 1000000)) <= 0) continue;
        if (!keys_take(screen, now.tv_sec)) return;
    }
}

static bool terminal_take(struct screen *screen)
{
    struct sigaction action = {.sa_handler = on_signal};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &screen->before) != 0) return false;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    fputs("\033[?1049h\033[?25l\033[2J", stdout);
    return true;
}

static void terminal_give(const struct screen *screen)
{
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
}

int run_screen(const struct settings *settings)
{
    static struct accounts accounts;
    static struct screen screen;
    int status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) {
        screen.settings = *settings;
        screen.accounts = &accounts;
        if (terminal_take(&screen)) {
            complain_into(screen.told, sizeof(screen.told));
            run(&screen);
            complain_into(NULL, 0);
            terminal_give(&screen);
        } else {
            status = complain(EXIT_USAGE, "screen needs a terminal");
        }
    }
    secret_wipe(&screen, sizeof(screen));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
