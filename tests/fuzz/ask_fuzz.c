/* Hostile JSON where auth servers and devices send theirs: frames of ask.sock, put to a whole store in which one user
 * has a bound device and one open question; and documents of enrolments, as admin.sock takes them.
 *
 * A fuzzer signs nothing and knows no number that was drawn. So a ~ and a letter in its text stand for what is right at
 * that moment (the table below), and texts get as far as their form lets them. */
#include "unit/admin/enrol_fixture.h"

#include "approval/internal.h"
#include "base/bytes.h"
#include "base/check.h"
#include "challenge/uri.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 65536, LIFE_MAX_S = 60, KEEP_EVERY = 64, ITEM_COUNT_MAX = APPROVAL_ITEMS_MAX / 2 - 1 };

static const char question_frame[] =
    "{\"act\":\"ask\",\"items\":[{\"company\":\"Demo Co\",\"user\":\"ana\",\"session\":\"s\",\"channel\":\"push\","
    "\"purpose\":\"login\",\"site\":\"Demo Bank\",\"text\":\"Log in?\",\"life_s\":60,\"match\":false,\"typed\":true}]}";

static struct fixture fixture;
static struct account account;
static struct approvals *approvals;
static const struct core_client client = {.id = 7, .uid = 1000, .rights = CORE_RIGHT_ASK};
static uint8_t open_id[CHALLENGE_ID_SIZE]; /* the question that is open whenever an input begins */
static unsigned answered_count;            /* frames of the present turn */

/* ---- answers: whatever is asked, they have the form that the protocol promises ---- */

static void outcome_check(const json_t *outcome)
{
    const json_t *ok = json_object_get(outcome, "ok");
    CHECK(json_is_boolean(ok));
    if (json_is_true(ok)) return;
    CHECK(json_string_length(json_object_get(outcome, "code")) > 0);
    CHECK(json_string_length(json_object_get(outcome, "error")) > 0);
}

static void answered(void *context, const struct approval_asker *asker, const char *json, size_t size)
{
    json_error_t error;
    json_t *answer = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error), *items = json_object_get(answer, "items");
    size_t i;
    json_t *item;
    (void)context;
    CHECK(size <= approvals_answer_max(asker->count));
    outcome_check(answer);
    if (json_is_true(json_object_get(answer, "ok"))) CHECK(json_array_size(items) == asker->count);
    json_array_foreach(items, i, item)
    {
        outcome_check(item);
    }
    json_decref(answer);
    answered_count++;
}

static enum approval_told event(void *context, uint64_t owner, uint64_t tag, const char *json, size_t size)
{
    json_t *told = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    (void)context;
    (void)owner;
    (void)tag;
    CHECK(json_is_string(json_object_get(told, "challenge")) && json_is_string(json_object_get(told, "state")));
    json_decref(told);
    return APPROVAL_TOLD;
}

static bool client_sees(void *context, uint16_t id, const uint8_t company[8])
{
    (void)context;
    (void)id;
    (void)company;
    return true;
}

/* ---- the store ---- */

static void offer(const char *json, size_t size, size_t count)
{
    struct approval_asker asker = {.client = &client, .owner = 3, .tag = 5, .count = (uint16_t)count};
    CHECK(approvals_take(approvals, &asker, (const uint8_t *)json, (uint32_t)size));
}

static void turn(unsigned frames)
{
    answered_count = 0;
    approvals_turn(approvals);
    CHECK(answered_count == frames);
}

/* Withdraws what inputs have left open, so that each finds the same: one question, to nobody known before. */
static void question_renew(void)
{
    static const struct core_actor itself = {.uid = 0};
    const struct challenge_keep *keep = &approvals->keep;
    const struct challenge_entry *entry;
    while ((entry = challenge_open_any(keep->room, NULL, NULL, approvals->now_s))) {
        uint8_t id[CHALLENGE_ID_SIZE];
        memcpy(id, entry->id, sizeof id);
        admin_ok(challenge_keep_withdraw(&approvals->keep, &itself, id, CHALLENGE_ENGINE, CHALLENGE_CANCELLED));
    }
    offer(question_frame, strlen(question_frame), 1);
    turn(1);
    entry = challenge_open_any(keep->room, NULL, NULL, approvals->now_s);
    CHECK(entry);
    memcpy(open_id, entry->id, sizeof open_id);
}

static bool question_stands(void)
{
    const struct challenge_room *room = approvals->keep.room;
    const struct challenge_entry *entry = challenge_open_any(room, NULL, NULL, approvals->now_s);
    return entry && memcmp(entry->id, open_id, sizeof open_id) == 0 &&
           !challenge_open_any(room, NULL, entry, approvals->now_s);
}

/* Under which number the store has it, for devices say so themselves. */
static uint64_t device_number(void)
{
    struct act act = {.admin = &approvals->admin};
    struct people people = {.act = &act, .store = approvals->keep.store};
    struct standing standing;
    uint8_t name[16];
    core_name("Demo Co", 7, "ana", 3, name);
    admin_ok(store_begin(people.store, false, &people.txn));
    admin_ok(standing_read(&people, name, &standing));
    store_abort(people.store, people.txn);
    CHECK(standing.device_count == 1);
    return standing.devices[0];
}

static void clear_up(void)
{
    approvals_destroy(approvals);
    fixture_remove(&fixture);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    struct approvals_options options = {
        .engine = fixture.engine,
        .worker = fixture.worker,
        .os = fixture.engine->os,
        .limits = {.capacity = 1 << 18, .life_max_s = LIFE_MAX_S, .cool_down_s = 0, .window_s = 0, .prompts_max = 1000},
        .client_sees = client_sees,
        .answered = answered,
        .event = event};
    admin_ok(approvals_create(&options, &approvals));
    atexit(clear_up);
    account.device = device_number();
    question_renew();
    return 0;
}

/* ---- what stands for what ---- */

/* The text being made, and what it took from the table. */
struct text {
    char bytes[TEXT_MAX];
    size_t size;
    bool has_statement, has_signature, has_response;
};

static void put(struct text *text, const char *bytes, size_t size)
{
    if (size > TEXT_MAX - text->size) return;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void put_base64url(struct text *text, const void *bytes, size_t size)
{
    char encoded[BASE64URL_SIZE(256)];
    base64url_encode(bytes, size, encoded);
    put(text, encoded, strlen(encoded));
}

static void put_number(struct text *text, uint64_t number)
{
    char digits[24];
    put(text, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number));
}

static void put_signature(struct text *text, const struct device_statement *statement)
{
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    admin_ok(device_sign(account.algorithm, account.sign_private, statement, signature));
    put_base64url(text, signature, sizeof signature);
}

/* The device approves what is open. */
static struct device_statement approval(void)
{
    struct challenge_answer answer = {.act = CHALLENGE_APPROVE, .device = account.device};
    struct device_statement statement = {.size = CHALLENGE_STATEMENT_SIZE};
    memcpy(answer.digest, challenge_find(approvals->keep.room, open_id)->digest, sizeof answer.digest);
    challenge_statement_write(&answer, account.answers, statement.bytes);
    return statement;
}

/* The device asks what there is for it. */
static struct device_statement poll(void)
{
    struct device_statement statement;
    uint8_t number[8];
    device_statement_begin(&statement, "otpring device questions 1");
    store_be64(number, account.device);
    device_statement_add(&statement, number, sizeof number);
    store_be64(number, approvals->now_s);
    device_statement_add(&statement, number, sizeof number);
    return statement;
}

static void put_response(struct text *text)
{
    static const char *const suites[KERNEL_ALGORITHM_COUNT] = {"OCRA-1:HOTP-SHA1-8:QH40", "OCRA-1:HOTP-SHA256-8:QH40",
                                                               "OCRA-1:HOTP-SHA512-8:QH40"};
    const char *name = suites[account.parameters.algorithm];
    struct ocra_suite suite;
    struct ocra_message message;
    char question[OCRA_QUESTION_SIZE_MAX + 1], response[OCRA_RESPONSE_SIZE_MAX + 1];
    admin_ok(ocra_suite_parse(name, strlen(name), &suite));
    admin_ok(challenge_question(&suite, challenge_find(approvals->keep.room, open_id)->digest, question));
    struct ocra_input input = {.questions = {{question, strlen(question)}}};
    admin_ok(ocra_message_make(&suite, &input, &message));
    ocra_respond_with_seed(&suite, account.seed, account.seed_size, &message, response);
    put(text, response, strlen(response));
}

static void put_right(struct text *text, char letter)
{
    struct device_statement statement;
    switch (letter) {
    case 'c': /* the open question */
        put_base64url(text, open_id, sizeof open_id);
        break;
    case 'a': /* the device's approval of it */
        statement = approval();
        put_base64url(text, statement.bytes, statement.size);
        text->has_statement = true;
        break;
    case 's': /* and its signature */
        statement = approval();
        put_signature(text, &statement);
        text->has_signature = true;
        break;
    case 'r': /* the response to be typed */
        put_response(text);
        text->has_response = true;
        break;
    case 'd': /* the device */
        put_number(text, account.device);
        break;
    case 't': /* the time */
        put_number(text, approvals->now_s);
        break;
    case 'p': /* the signature under which the device asks at that time */
        statement = poll();
        put_signature(text, &statement);
        break;
    case 'h': /* its enrolment */
        put_base64url(text, account.handle, sizeof account.handle);
        break;
    default:
        put(text, &letter, 1);
        break;
    }
}

static void text_make(const uint8_t *data, size_t size, struct text *ret_text)
{
    ret_text->size = 0;
    ret_text->has_statement = ret_text->has_signature = ret_text->has_response = false;
    account.answers++;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '~' && i + 1 < size)
            put_right(ret_text, (char)data[++i]);
        else
            put(ret_text, (const char *)&data[i], 1);
    }
}

/* ---- one input ---- */

/* As a frame whose header tells the truth, and as one whose header counts an item too many. */
static void ask_socket(const struct text *text, const json_t *json)
{
    size_t count = json ? json_array_size(json_object_get(json, "items")) : 1;
    if (count > ITEM_COUNT_MAX) return;
    offer(text->bytes, text->size, count);
    offer(text->bytes, text->size, count + 1);
    turn(2);
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, open_id);
    if (entry && entry->state == CHALLENGE_APPROVED)
        CHECK((text->has_statement && text->has_signature) || text->has_response);
}

static void enrolment(json_t *document)
{
    static struct core_client enrolling = {.id = 8, .uid = 1001, .rights = CORE_RIGHT_ENROL};
    struct admin_peer peer = {.uid = enrolling.uid, .client = &enrolling};
    json_t *request = json_pack("{s:s,s:O}", "act", "enrol.device", "document", document);
    char *asked = json_dumps(request, JSON_COMPACT), *told = NULL;
    (void)result_failed(admin_request_by(fixture.admin, &peer, asked, strlen(asked), &told));
    json_t *answer = told ? json_loads(told, JSON_REJECT_DUPLICATES, NULL) : NULL;
    outcome_check(answer);
    json_decref(answer);
    admin_text_free(told);
    free(asked);
    json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text text;
    static unsigned number;
    json_error_t error;
    text_make(data, size, &text);
    json_t *json = json_loadb(text.bytes, text.size, JSON_REJECT_DUPLICATES, &error);
    ask_socket(&text, json);
    if (json_is_object(json)) enrolment(json);
    json_decref(json);
    if (!question_stands()) question_renew();
    if (++number % KEEP_EVERY == 0) admin_tidy(fixture.admin);
    return 0;
}
