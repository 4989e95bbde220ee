/* The calls of ask.h against a daemon that follows a script: frames as PROTOCOL.md has them, answers, events, and what
 * goes wrong. */
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpring/ask.h"

static const struct otpring_question question = {.company = "Demo Bank",
                                                 .user = "ana",
                                                 .session = "s1",
                                                 .channel = "push",
                                                 .purpose = "login",
                                                 .site = "Demo Bank",
                                                 .text = "Log in?",
                                                 .match = -1,
                                                 .quiet = 1};

static void text_read(struct fake *fake, const char *wanted, uint64_t *ret_tag)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    fake_read(fake, frame);
    char *text = strndup((const char *)frame->bytes + 32, frame->size - 32);
    fake_require(frame->header.kind == OTPRING_WIRE_QUESTION && frame->header.count == 1, "a question of one item");
    fake_require(strcmp(text, wanted) == 0, text);
    *ret_tag = frame->header.tag;
    free(text);
    free(frame);
}

static void text_write(struct fake *fake, uint16_t kind, uint64_t tag, const char *text)
{
    uint8_t bytes[2048];
    struct otpring_wire_header header = {.size = (uint32_t)(32 + strlen(text)), .kind = kind, .tag = tag};
    memcpy(bytes, &header, 32);
    memcpy(bytes + 32, text, strlen(text));
    fake_write(fake, bytes, header.size);
}

static void hello(struct fake *fake)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello_answer answer;
    } said = {.header = {.size = 64, .kind = OTPRING_WIRE_HELLO_ANSWER},
              .answer = {.version = 1, .slots = 16, .items_max = 256}};
    fake_accept(fake);
    fake_read(fake, frame);
    fake_require(frame->header.kind == OTPRING_WIRE_HELLO, "hello");
    fake_write(fake, &said, sizeof said);
    free(frame);
}

static const char asked_text[] =
    "{\"act\":\"ask\",\"items\":[{\"company\":\"Demo Bank\",\"user\":\"ana\",\"session\":\"s1\",\"channel\":\"push\","
    "\"purpose\":\"login\",\"site\":\"Demo Bank\",\"text\":\"Log in?\",\"match\":false,\"events\":false}]}";

static void play_ask(struct fake *fake)
{
    uint64_t tag;
    hello(fake);
    text_read(fake, asked_text, &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_EVENT, 77, "{\"ok\":true,\"challenge\":\"C\",\"state\":\"expired\"}");
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag - 1, "{\"ok\":true,\"items\":[]}"); /* of a call given up */
    text_write(
        fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
        "{\"ok\":true,\"items\":[{\"ok\":true,\"challenge\":\"AAECAwQFBgcICQoLDA0ODw\",\"joined\":true,\"number\":42,"
        "\"pushed\":2,\"expires_s\":119,\"uri\":\"OTPRING:AA\",\"later\":1}]}");
    text_read(fake, "{\"act\":\"wait\",\"items\":[{\"challenge\":\"C\",\"session\":\"s1\"}]}", &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
               "{\"ok\":true,\"items\":[{\"ok\":false,\"code\":\"QUESTION_UNKNOWN\",\"error\":\"x\"}]}");
    text_read(fake, "{\"act\":\"device\",\"items\":[{\"v\":1}]}", &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
               "{\"ok\":true,\"items\":[{\"ok\":false,\"code\":\"BAD_JSON\"}]}");
    text_read(fake, "{\"act\":\"alert\",\"items\":[{\"company\":\"B\",\"user\":\"u\",\"service\":\"portal\"}]}", &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag, "{\"ok\":true,\"items\":[{\"ok\":true,\"pushed\":3}]}");
    text_write(
        fake, OTPRING_WIRE_QUESTION_EVENT, 1,
        "{\"ok\":true,\"challenge\":\"D\",\"state\":\"approved\",\"reason\":\"none\",\"device\":7,\"company\":\"B\","
        "\"user\":\"u\"}");
}

static void play_exchange(struct fake *fake)
{
    uint64_t tag;
    hello(fake);
    text_read(
        fake,
        "{\"act\":\"exchange\",\"items\":[{\"company\":\"B\",\"user\":\"u\",\"session\":\"s1\",\"client_challenge\":"
        "\"CLI22220\",\"session_information\":\"i\",\"life_s\":30,\"events\":false}]}",
        &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
               "{\"ok\":true,\"items\":[{\"ok\":true,\"challenge\":\"C\",\"state\":\"asked\",\"joined\":false,"
               "\"expires_s\":30,\"server_challenge\":\"SRV11110\",\"server_response\":\"28247970\"}]}");
    text_read(
        fake,
        "{\"act\":\"typed\",\"items\":[{\"challenge\":\"C\",\"session\":\"s1\",\"response\":\"15510767\",\"pin_hash\":"
        "\"--8_AAECAwQFBgcICQoLDA0ODxA\",\"session_information\":\"i\"}]}",
        &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
               "{\"ok\":true,\"items\":[{\"ok\":true,\"state\":\"approved\",\"reason\":\"none\"}]}");
    text_read(fake,
              "{\"act\":\"exchange\",\"items\":[{\"company\":\"B\",\"user\":\"v\",\"session\":\"s1\",\"client_"
              "challenge\":\"1\"}]}",
              &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag,
               "{\"ok\":true,\"items\":[{\"ok\":false,\"code\":\"QUESTION_BUSY\",\"retry_after_s\":9}]}");
}

static void an_exchange_goes_out_and_its_response_after_it(void **unused)
{
    (void)unused;
    static const uint8_t pin_hash[20] = {0xfb, 0xef, 0x3f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct fake fake;
    struct otpring_asker *asker;
    struct otpring_exchanged exchanged;
    struct otpring_outcome outcome;
    struct otpring_exchange exchange = {.company = "B",
                                        .user = "u",
                                        .session = "s1",
                                        .client_challenge = "CLI22220",
                                        .session_information = "i",
                                        .life_s = 30,
                                        .quiet = 1};
    fake_start(&fake, play_exchange, NULL);
    assert_int_equal(otpring_asker_open(fake.path, 5000, &asker), 0);
    assert_int_equal(otpring_exchange(asker, &exchange, 0, &exchanged), OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_exchange(asker, &exchange, 1, &exchanged), 0);
    assert_string_equal(exchanged.code, "");
    assert_string_equal(exchanged.server_challenge, "SRV11110");
    assert_string_equal(exchanged.server_response, "28247970");
    assert_true(exchanged.joined == 0 && exchanged.expires_s == 30);
    const struct otpring_asked_by by = {.challenge = exchanged.challenge,
                                        .session = "s1",
                                        .response = "15510767",
                                        .pin_hash = pin_hash,
                                        .pin_hash_size = sizeof pin_hash,
                                        .session_information = "i"};
    assert_int_equal(otpring_typed(asker, &by, 1, &outcome), 0);
    assert_string_equal(outcome.state, "approved");
    exchange = (struct otpring_exchange){.company = "B", .user = "v", .session = "s1", .client_challenge = "1"};
    assert_int_equal(otpring_exchange(asker, &exchange, 1, &exchanged), 0);
    assert_string_equal(exchanged.code, "QUESTION_BUSY");
    assert_int_equal(exchanged.retry_after_s, 9);
    fake_stop(&fake);
    otpring_asker_close(asker);
}

static void structs_go_out_as_the_page_s_json_and_answers_come_back(void **unused)
{
    (void)unused;
    struct fake fake;
    struct otpring_asker *asker;
    struct otpring_asked asked;
    struct otpring_outcome outcome;
    fake_start(&fake, play_ask, NULL);
    assert_int_equal(otpring_asker_open(fake.path, 5000, &asker), 0);
    assert_int_equal(otpring_closed(asker, 0, &outcome), OTPRING_E_CONNECT);
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), 0);
    assert_string_equal(asked.code, "");
    assert_string_equal(asked.challenge, "AAECAwQFBgcICQoLDA0ODw");
    assert_string_equal(asked.uri, "OTPRING:AA");
    assert_true(asked.joined == 1 && asked.number == 42 && asked.pushed == 2 && asked.expires_s == 119);
    assert_true(otpring_asker_fd(asker) >= 0);
    assert_int_equal(otpring_closed(asker, 0, &outcome), 1); /* came while the answer was waited for */
    assert_string_equal(outcome.state, "expired");
    const struct otpring_asked_by by = {.challenge = "C", .session = "s1"};
    assert_int_equal(otpring_wait(asker, &by, 1, &outcome), 0);
    assert_string_equal(outcome.code, "QUESTION_UNKNOWN");
    const char *documents[] = {"{\"v\": 1}"};
    char *answers[1];
    assert_int_equal(otpring_documents(asker, documents, 1, answers), 0);
    assert_string_equal(answers[0], "{\"ok\":false,\"code\":\"BAD_JSON\"}");
    otpring_answer_free(answers[0]);
    unsigned pushed;
    char code[OTPRING_CODE_TEXT_MAX + 1];
    assert_int_equal(otpring_alert(asker, "B", "u", "portal", &pushed, code), 0);
    assert_true(pushed == 3 && code[0] == 0);
    assert_int_equal(otpring_closed(asker, 5000, &outcome), 1);
    assert_true(outcome.device == 7);
    assert_string_equal(outcome.user, "u");
    otpring_asker_close(asker);
    fake_stop(&fake);
}

static void play_trouble(struct fake *fake)
{
    static const struct {
        struct otpring_wire_header header;
        struct otpring_wire_error error;
    } error = {.header = {.size = 48, .kind = OTPRING_WIRE_ERROR},
               .error = {.code = OTPRING_ERROR_NO_RIGHT, .kind = OTPRING_WIRE_QUESTION}};
    uint64_t tag;
    hello(fake);
    text_read(fake, asked_text, &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag, "{\"ok\":false,\"code\":\"FULL\",\"error\":\"too much\"}");
    text_read(fake, asked_text, &tag);
    text_write(fake, OTPRING_WIRE_QUESTION_ANSWER, tag, "{\"ok\":tru");
    hello(fake);
    text_read(fake, asked_text, &tag);
    fake_write(fake, &error, sizeof error);
    hello(fake);
    text_read(fake, asked_text, &tag);
    fake_cut(fake);
    hello(fake);
    text_read(fake, asked_text, &tag); /* and says nothing */
    fake_require(fake_sees_end(fake), "the asker closes");
}

static void whatever_goes_wrong_is_an_error_and_the_next_call_connects_again(void **unused)
{
    (void)unused;
    struct fake fake;
    struct otpring_asker *asker;
    struct otpring_asked asked;
    fake_start(&fake, play_trouble, NULL);
    assert_int_equal(otpring_asker_open(fake.path, 300, &asker), 0);
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_ARGUMENT);
    assert_non_null(strstr(otpring_asker_last_error(asker), "too much"));
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_PROTOCOL);
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_PROTOCOL);
    assert_non_null(strstr(otpring_asker_last_error(asker), "error 7"));
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_CONNECT);
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_TIMEOUT);
    otpring_asker_close(asker);
    fake_stop(&fake);
}

static void what_cannot_be_asked_is_refused_before_anything_is_sent(void **unused)
{
    (void)unused;
    struct otpring_asker *asker;
    struct otpring_asked asked;
    struct otpring_question bad = question;
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_int_equal(otpring_asker_open(path, 0, &asker), OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_asker_open("/nonexistent/ask.sock", 0, &asker), 0);
    assert_int_equal(otpring_asker_fd(asker), -1);
    assert_int_equal(otpring_ask(asker, &question, 0, &asked), OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_ask(asker, &question, OTPRING_BATCH_MAX + 1, &asked), OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_ask(asker, &question, 1, &asked), OTPRING_E_CONNECT);
    bad.text = "\xff";
    assert_int_equal(otpring_ask(asker, &bad, 1, &asked), OTPRING_E_CONNECT);
    otpring_asker_close(asker);
    otpring_asker_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_goes_out_and_its_response_after_it),
        cmocka_unit_test(structs_go_out_as_the_page_s_json_and_answers_come_back),
        cmocka_unit_test(whatever_goes_wrong_is_an_error_and_the_next_call_connects_again),
        cmocka_unit_test(what_cannot_be_asked_is_refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
