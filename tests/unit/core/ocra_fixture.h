/* Challenges and responses put to a whole core (state_fixture.h): for the ocra_* tests. */
#ifndef TESTS_CORE_OCRA_FIXTURE_H
#define TESTS_CORE_OCRA_FIXTURE_H

#include "state_fixture.h"

#include "otp/ocra.h"

#define CHALLENGED "OCRA-1:HOTP-SHA1-6:QN08"
#define COUNTED "OCRA-1:HOTP-SHA1-6:C-QN08"
#define TIMED "OCRA-1:HOTP-SHA1-6:QN08-T1M"
#define BOTH "OCRA-1:HOTP-SHA1-6:C-QN08-T1M"

static uint16_t profile_of(struct state *state, const char *suite)
{
    uint16_t id;
    state_ok(core_profile_for_suite(state->worker, &state_actor, suite, &id));
    return id;
}

/* What the device with the seed of this number shows. */
static void response_to(const char *suite_text, uint32_t number, const struct ocra_input *input,
                        char ret[OCRA_RESPONSE_SIZE_MAX + 1])
{
    struct ocra_suite suite;
    struct ocra_message message;
    uint8_t seed[20];
    state_seed(number, seed);
    state_ok(ocra_suite_parse(suite_text, strlen(suite_text), &suite));
    state_ok(ocra_message_make(&suite, input, &message));
    ocra_respond_with_seed(&suite, seed, sizeof seed, &message, ret);
}

static MAYBE_UNUSED void response_of(const char *suite_text, uint32_t number, uint64_t counter, uint64_t step,
                                     const char *challenge, char ret[OCRA_RESPONSE_SIZE_MAX + 1])
{
    struct ocra_input input = {
        .counter = counter, .step = step, .questions = {{.text = challenge, .size = strlen(challenge)}}};
    response_to(suite_text, number, &input, ret);
}

/* What is asked beside the user: the response, then what it answers. */
struct asked {
    const char *response;
    const char *challenge;
    const char *pin_hash; /* 20 bytes, or NULL */
    const char *session;  /* or NULL */
};

static struct otpring_wire_ocra head_of(const char *user, const struct asked *asked)
{
    struct otpring_wire_ocra head = {.query.kind = OTPRING_QUERY_OCRA,
                                     .response_size = (uint8_t)strlen(asked->response),
                                     .question_sizes = {(uint8_t)strlen(asked->challenge), 0},
                                     .pin_hash_size = asked->pin_hash ? 20 : 0,
                                     .session_size = asked->session ? (uint16_t)strlen(asked->session) : 0};
    uint8_t name[16];
    core_name("acme", 4, user, strlen(user), name);
    memcpy(head.query.company, name, 8);
    memcpy(head.query.account, name + 8, 8);
    return head;
}

/* A verdict, or UNAVAILABLE when the world ended before one was given. */
static enum otpring_verdict ask_with(struct state *state, const struct core_client *client,
                                     struct otpring_wire_ocra head, const struct asked *asked)
{
    static _Alignas(8) uint8_t item[OTPRING_WIRE_OCRA_SIZE_MAX];
    size_t at = sizeof head;
    enum otpring_wire_error_code error = 0;
    state->answer = (struct otpring_wire_answer){.verdict = OTPRING_UNAVAILABLE};
    if (!state_session(state)) return OTPRING_UNAVAILABLE;
    memset(item, 0, sizeof item);
    const struct store_bytes fields[] = {
        bytes_of(asked->response, head.response_size), bytes_of(asked->challenge, head.question_sizes[0]),
        bytes_of(asked->pin_hash, head.pin_hash_size), bytes_of(asked->session, head.session_size)};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].size) memcpy(item + at, fields[i].bytes, fields[i].size);
        at += fields[i].size;
    }
    head.size = (uint16_t)((at + 7) & ~(size_t)7);
    memcpy(item, &head, sizeof head);
    struct otpring_wire_header header = {.size = (uint32_t)(sizeof header + head.size),
                                         .kind = OTPRING_WIRE_OCRA,
                                         .count = 1,
                                         .session = state->session,
                                         .sequence = ++state->sequences[0]};
    struct core_frame frame = {.header = &header, .items = item, .client = client, .owner = 2};
    if (core_frame(state->worker, &frame, &error) != CORE_TAKEN) return OTPRING_UNAVAILABLE;
    core_turn(state->worker);
    (void)state_drain(state);
    return state->answer.verdict;
}

static enum otpring_verdict ask(struct state *state, const char *user, const char *challenge, const char *response)
{
    const struct asked asked = {.response = response, .challenge = challenge};
    return ask_with(state, &state_client, head_of(user, &asked), &asked);
}

#endif
