/* The device's side of an enrolment: the documents that an auth server hands on. include/otpring/DEVICE.md is the page
 * to read. What a device says is hostile until its signature verifies, and most of it after. */
#include "admin/enrol.h"

#include <string.h>

#include "admin/admin_verify.h"
#include "base/base64url.h"
#include "core/gate.h"
#include "os/arena.h"

enum { KEY_BYTES_MAX = 128, STATEMENT_SIZE = 16, SEALED_TEXT_MAX = 1024 };

/* ---- fields ---- */

/* A field of base64url; of exactly `size` bytes where that is not 0. */
static struct result bytes_get(struct act *act, const char *key, uint8_t *ret_bytes, size_t size_max, size_t size,
                               size_t *ret_size)
{
    const char *text;
    size_t got = 0;
    TRY(act_text(act, key, true, &text));
    if (!base64url_decode(text, ret_bytes, size_max, &got) || (size != 0 && got != size)) {
        return act_detail(act, BAD_JSON, "%s is not base64url of the right size", key);
    }
    if (ret_size) *ret_size = got;
    return result_ok();
}

static void bytes_answer(struct act *act, const char *key, const void *bytes, size_t size)
{
    char text[BASE64URL_SIZE(SEALED_TEXT_MAX + HPKE_TAG_SIZE)];
    base64url_encode(bytes, size, text);
    json_object_set_new(act->answer, key, json_string(text));
}

/* What every answer says. */
static void state_answer(const struct enrolling *enrolling)
{
    struct act *act = enrolling->people->act;
    const struct enrolment_row *row = &enrolling->row;
    bool ends = row->due_ms > enrolling->people->now_ms && row->state < ENROLMENT_ACTIVE;
    bytes_answer(act, "enrolment", row->handle, sizeof(row->handle));
    json_object_set_new(act->answer, "state", json_string(rule_state_name(MACHINE_ENROLMENT, row->state)));
    if (!ends) return;
    json_object_set_new(act->answer, "expires_s", json_integer((row->due_ms - enrolling->people->now_ms) / 1000));
}

/* ---- opening and closing a step ---- */

static struct result client_may(const struct enrolling *enrolling)
{
    const struct core_client *client = enrolling->people->act->client;
    if (!client || client->company_count == 0) return result_ok();
    for (uint32_t i = 0; i < client->company_count; i++) {
        if (memcmp(client->companies[i], enrolling->name, 8) == 0) return result_ok();
    }
    return result_of(ENROL_UNKNOWN);
}

/* Over, by itself or by somebody: said clearly. ret_refusal: it has just ended, which is to be put. */
static struct result over_check(struct enrolling *enrolling, struct result *ret_refusal)
{
    struct act *act = enrolling->people->act;
    const struct enrolment_row *row = &enrolling->row;
    if (row->state > ENROLMENT_FINAL) {
        return act_detail(act, ENROL_OVER, "it is %s", rule_state_name(MACHINE_ENROLMENT, row->state));
    }
    if (row->state >= ENROLMENT_ACTIVE || row->due_ms == 0 || enrolling->people->now_ms < row->due_ms) {
        return result_ok();
    }
    TRY(enrolling_step(enrolling, ROLE_ENGINE, DO_ENROL_EXPIRE, 0, 0));
    enrolling->row.seed_size = 0;
    TRY(enrolling_put(enrolling, DO_ENROL_EXPIRE));
    *ret_refusal = act_detail(act, ENROL_OVER, "it is expired");
    return result_ok();
}

static struct result step_open(struct people *people, struct enrolling *ret_enrolling)
{
    uint8_t handle[ENROL_HANDLE_SIZE], name[16];
    TRY(bytes_get(people->act, "enrolment", handle, sizeof(handle), sizeof(handle), NULL));
    struct result got = enrol_find_handle(people, handle, name);
    if (got.code == STORE_NOT_FOUND) return result_of(ENROL_UNKNOWN);
    TRY(got);
    TRY(enrolling_open(people, NULL, NULL, name, ret_enrolling));
    return client_may(ret_enrolling);
}

static void statement_of(const struct enrolling *enrolling, const char *domain, struct device_statement *ret_statement)
{
    device_statement_begin(ret_statement, domain);
    device_statement_add(ret_statement, enrolling->row.handle, sizeof(enrolling->row.handle));
}

static struct result signature_check(struct act *act, const struct device_key *key,
                                     const struct device_statement *statement)
{
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    TRY(bytes_get(act, "signature", signature, sizeof(signature), sizeof(signature), NULL));
    return device_verify(key, statement, signature) ? result_ok() : result_of(ENROL_SIGNATURE);
}

/* The state is at this one or past it, and not over: the step was taken before, and is answered again. */
static bool done_before(const struct enrolling *enrolling, enum enrolment_state state)
{
    return enrolling->row.state >= state && enrolling->row.state <= ENROLMENT_FINAL;
}

static struct result device_step(struct enrolling *enrolling, enum rule_act act, uint64_t valid_s)
{
    return enrolling_step(enrolling, ROLE_DEVICE, act, 0, valid_s);
}

/* ---- present ---- */

struct presenting {
    char activation[ACTIVATION_SIZE + 1];
    struct enrol_device device;
    const char *name;
    const char *push; /* where a push reaches it; "": it asks by itself */
};

static struct result keys_get(struct act *act, struct enrol_device *device)
{
    const char *text;
    enum device_algorithm algorithm;
    uint8_t bytes[KEY_BYTES_MAX];
    size_t size;
    TRY(act_text(act, "algorithm", true, &text));
    if (!device_algorithm_parse(text, &algorithm)) return act_detail(act, BAD_JSON, "algorithm is ES256 or Ed25519");
    TRY(bytes_get(act, "sign_key", bytes, sizeof(bytes), 0, &size));
    TRY(device_key_parse(algorithm, bytes, size, &device->sign_key));
    TRY(bytes_get(act, "seal_key", bytes, sizeof(bytes), 0, &size));
    TRY(device_seal_key_parse(algorithm, bytes, size, device->seal_key));
    /* One key for two purposes is one that some other protocol may be made to use. */
    size = hpke_public_size(device_kem(algorithm));
    bool same = algorithm == DEVICE_ES256 && memcmp(device->seal_key, device->sign_key.bytes, size) == 0;
    return same ? act_detail(act, BAD_DEVICE_KEY, "sign_key and seal_key must be two keys") : result_ok();
}

static struct result presenting_get(struct act *act, struct presenting *ret_presenting)
{
    struct presenting *presenting = ret_presenting;
    struct device_statement statement;
    const char *text, *platform, *algorithm;
    *presenting = (struct presenting){.push = ""};
    TRY(act_text(act, "activation", true, &text));
    if (!activation_parse(text, presenting->activation)) return result_of(ENROL_CODE);
    TRY(keys_get(act, &presenting->device));
    TRY(act_text(act, "name", true, &presenting->name));
    TRY(act_text(act, "platform", true, &platform));
    if (!core_text_valid(presenting->name, 1, ENROL_DEVICE_NAME_MAX)) return act_detail(act, BAD_NAME, "name");
    if (!core_text_valid(platform, 1, ENROL_PLATFORM_MAX)) return act_detail(act, BAD_NAME, "platform");
    TRY(act_text(act, "push", false, &presenting->push));
    if (!core_text_valid(presenting->push, 0, ENROL_PUSH_MAX)) return act_detail(act, BAD_NAME, "push");
    strcpy(presenting->device.platform, platform);
    const struct device_key *key = &presenting->device.sign_key;
    algorithm = device_algorithm_name((enum device_algorithm)key->algorithm);
    device_statement_begin(&statement, "otpring device present 1");
    device_statement_add(&statement, presenting->activation, ACTIVATION_SIZE);
    device_statement_add(&statement, algorithm, strlen(algorithm));
    device_statement_add(&statement, key->bytes, key->size);
    device_statement_add(&statement, presenting->device.seal_key,
                         hpke_public_size(device_kem((enum device_algorithm)key->algorithm)));
    device_statement_add(&statement, presenting->name, strlen(presenting->name));
    device_statement_add(&statement, platform, strlen(platform));
    device_statement_add(&statement, presenting->push, strlen(presenting->push));
    return signature_check(act, key, &statement);
}

static bool same_device(const struct enrol_device *a, const struct enrol_device *b)
{
    return memcmp(&a->sign_key, &b->sign_key, sizeof(a->sign_key)) == 0 &&
           memcmp(a->seal_key, b->seal_key, sizeof(a->seal_key)) == 0;
}

static void present_answer(const struct enrolling *enrolling)
{
    struct act *act = enrolling->people->act;
    json_t *needs = json_array();
    json_array_append_new(needs, json_string("statement"));
    if (enrolling->row.needs_code) json_array_append_new(needs, json_string("code"));
    json_object_set_new(act->answer, "needs", needs);
    json_object_set_new(act->answer, "company", json_string(enrolling->company.name));
    json_object_set_new(act->answer, "user", json_string(enrolling->user.user));
    state_answer(enrolling);
}

/* A wrong code costs a try; the last one ends the invitation. */
static struct result code_wrong(struct enrolling *enrolling, struct result *ret_refusal)
{
    *ret_refusal = result_of(ENROL_CODE);
    if (enrolling->row.state != ENROLMENT_INVITED) return *ret_refusal;
    enum rule_act act = enrolling->row.tries <= 1 ? DO_ENROL_EXPIRE : DO_ENROL_WRONG_CODE;
    TRY(enrolling_step(enrolling, ROLE_ENGINE, act, 0, act == DO_ENROL_EXPIRE ? 0 : ENROL_KEEP));
    if (enrolling->row.tries > 0) enrolling->row.tries--;
    return enrolling_put(enrolling, act);
}

static struct result present(struct people *people, struct result *ret_refusal)
{
    struct presenting presenting;
    struct enrolling enrolling;
    uint8_t name[16], mac[ENROL_MAC_SIZE];
    TRY(presenting_get(people->act, &presenting));
    struct result got = enrol_find_activation(people, presenting.activation, name);
    if (got.code == STORE_NOT_FOUND) return result_of(ENROL_CODE);
    TRY(got);
    TRY(enrolling_open(people, NULL, NULL, name, &enrolling));
    if (result_failed(client_may(&enrolling)) || enrolling.row.state > ENROLMENT_FINAL) return result_of(ENROL_CODE);
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    enrol_mac(people->act->admin, ENROL_SECRET_ACTIVATION, name, presenting.activation, ACTIVATION_SIZE, mac);
    bool right = vault_equal(mac, enrolling.row.activation_mac, sizeof(mac));
    bool again = enrolling.row.state != ENROLMENT_INVITED;
    /* Another device with the right code hears what one with a wrong code hears. */
    if (!right || (again && !same_device(&enrolling.row.device, &presenting.device))) {
        return code_wrong(&enrolling, ret_refusal);
    }
    if (!again) {
        TRY(device_step(&enrolling, DO_ENROL_PRESENT, ENROL_PROVE_S));
        enrolling.row.device = presenting.device;
        os_random(people->act->admin->options.os, enrolling.row.handle, sizeof(enrolling.row.handle));
        TRY(enrol_about_seal(&enrolling, presenting.name, presenting.push));
        TRY(enrolling_put(&enrolling, DO_ENROL_PRESENT));
    }
    present_answer(&enrolling);
    return result_ok();
}

static struct result act_present(struct act *act)
{
    return enrol_change(act, present);
}

/* ---- prove ---- */

struct proving {
    uint8_t statement_mac[ENROL_MAC_SIZE];
    uint8_t code_mac[ENROL_MAC_SIZE];
    uint32_t code; /* digits 0: none given */
    uint8_t digits;
};

/* Everything but the code of the old token. */
static struct result proving_check(struct enrolling *enrolling, struct proving *ret_proving)
{
    struct act *act = enrolling->people->act;
    struct device_statement signed_bytes;
    uint8_t statement[STATEMENT_SIZE];
    const char *code = "";
    *ret_proving = (struct proving){0};
    TRY(bytes_get(act, "statement", statement, sizeof(statement), sizeof(statement), NULL));
    TRY(act_text(act, "code", false, &code));
    statement_of(enrolling, "otpring device prove 1", &signed_bytes);
    device_statement_add(&signed_bytes, statement, sizeof(statement));
    device_statement_add(&signed_bytes, code, strlen(code));
    TRY(signature_check(act, &enrolling->row.device.sign_key, &signed_bytes));
    enrol_mac(act->admin, ENROL_SECRET_STATEMENT, enrolling->name, statement, sizeof(statement),
              ret_proving->statement_mac);
    if (!*code) return result_ok();
    TRY(otp_code_parse(code, strlen(code), &ret_proving->code, &ret_proving->digits));
    enrol_mac(act->admin, ENROL_SECRET_CODE, enrolling->row.handle, code, strlen(code), ret_proving->code_mac);
    return result_ok();
}

static struct result statement_check(const struct enrolling *enrolling, const struct proving *proving)
{
    const struct enrolment_row *row = &enrolling->row;
    bool good = row->statement_until_ms > enrolling->people->now_ms &&
                vault_equal(proving->statement_mac, row->statement_mac, sizeof(row->statement_mac));
    return good ? result_ok() : result_of(ENROL_STATEMENT);
}

static struct result proven(struct enrolling *enrolling)
{
    TRY(device_step(enrolling, DO_ENROL_PROVE, ENROL_BIND_S));
    enrolling->row.statement_until_ms = 0; /* used */
    enrolling->row.code_session = 0;
    return enrolling_put(enrolling, DO_ENROL_PROVE);
}

/* The first half: with a code to verify, where its verification will be found again after a crash is noted first. */
static struct result prove_begin(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct proving proving;
    struct act *act = people->act;
    TRY(step_open(people, &enrolling));
    TRY(proving_check(&enrolling, &proving));
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    if (done_before(&enrolling, ENROLMENT_PROVEN)) {
        state_answer(&enrolling);
        return result_ok();
    }
    TRY(statement_check(&enrolling, &proving));
    /* A token that the user was given since the invitation is asked for as well. */
    if (!enrolling.row.needs_code) TRY(enrol_armed(people, enrolling.name, &enrolling.row.needs_code));
    if (!enrolling.row.needs_code) {
        TRY(proven(&enrolling));
        state_answer(&enrolling);
        return result_ok();
    }
    if (proving.digits == 0) return act_detail(act, ENROL_TOKEN_CODE, "one code of the present token is needed");
    bool noted = enrolling.row.code_session != 0 &&
                 vault_equal(enrolling.row.code_mac, proving.code_mac, sizeof(proving.code_mac));
    json_object_set_new(act->answer, "verify", json_true());
    if (noted) return result_ok();
    TRY(device_step(&enrolling, DO_ENROL_CODE, ENROL_KEEP));
    enrolling.row.code_session = act->admin->verify.session;
    enrolling.row.code_sequence = ++act->admin->verify.sequence;
    memcpy(enrolling.row.code_mac, proving.code_mac, sizeof(proving.code_mac));
    return enrolling_put(&enrolling, DO_ENROL_CODE);
}

struct asking {
    uint64_t session;
    uint32_t sequence;
    struct otpring_wire_query query;
};

/* The query, the same to the byte each time it is asked. */
static struct result asking_get(struct people *people, struct asking *ret_asking)
{
    struct enrolling enrolling;
    struct proving proving;
    TRY(step_open(people, &enrolling));
    TRY(proving_check(&enrolling, &proving));
    *ret_asking = (struct asking){.session = enrolling.row.code_session,
                                  .sequence = enrolling.row.code_sequence,
                                  .query = {.source = load_le64(enrolling.row.handle),
                                            .code = proving.code,
                                            .digits = proving.digits,
                                            .kind = OTPRING_QUERY_CODE}};
    memcpy(ret_asking->query.company, enrolling.name, 8);
    memcpy(ret_asking->query.account, enrolling.name + 8, 8);
    return result_ok();
}

/* The second half, after the code was accepted. */
static struct result prove_end(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct proving proving;
    TRY(step_open(people, &enrolling));
    TRY(proving_check(&enrolling, &proving));
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    TRY(proven(&enrolling));
    state_answer(&enrolling);
    return result_ok();
}

static struct result asking_read(struct act *act, struct asking *ret_asking)
{
    struct people people = {.act = act, .store = core_store(act->admin->core), .now_ms = admin_now_ms(act->admin)};
    TRY(store_begin(people.store, false, &people.txn));
    struct result result = asking_get(&people, ret_asking);
    store_abort(people.store, people.txn);
    return result;
}

static struct result act_prove(struct act *act)
{
    struct asking asking;
    struct otpring_wire_answer answer;
    if (json_object_get(act->request, "code")) TRY(admin_verify_ready(act->admin));
    TRY(enrol_change(act, prove_begin));
    if (!json_object_get(act->answer, "verify")) return result_ok();
    json_object_clear(act->answer);
    TRY(asking_read(act, &asking));
    struct result result = admin_verify(act->admin, asking.session, asking.sequence, &asking.query, &answer);
    secret_wipe(&asking.query, sizeof(asking.query));
    TRY(result);
    if (answer.verdict == OTPRING_ACCEPTED) return enrol_change(act, prove_end);
    if (answer.verdict == OTPRING_UNAVAILABLE) return result_of(ENROL_UNAVAILABLE);
    const char *verdict = otpring_verdict_name((enum otpring_verdict)answer.verdict);
    json_object_set_new(act->answer, "verdict", json_string(verdict));
    if (answer.retry_after_s > 0) {
        json_object_set_new(act->answer, "retry_after_s", json_integer(answer.retry_after_s));
    }
    return act_detail(act, ENROL_TOKEN_CODE, "%s", verdict);
}

/* ---- bind ---- */

/* What the device needs to compute codes, as the document says: sealed in this form, never in clear. */
static json_t *seed_document(const struct enrolling *enrolling, const struct profile_row *profile, const uint8_t *seed)
{
    char text[BASE64URL_SIZE(ENROL_SEED_SIZE_MAX)], bank_text[BASE64URL_SIZE(VAULT_PUBLIC_KEY_SIZE)];
    uint8_t bank_key[VAULT_PUBLIC_KEY_SIZE];
    static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
    base64url_encode(seed, enrolling->row.seed_size, text);
    vault_public_key(core_vault(enrolling->people->act->admin->core), bank_key);
    base64url_encode(bank_key, sizeof(bank_key), bank_text);
    json_t *document = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:s,s:s}", "company", enrolling->company.name, "user",
                                 enrolling->user.user, "type", "totp", "algorithm", algorithms[profile->algorithm],
                                 "digits", profile->digits, "period", (int)profile->period_s, "t0",
                                 (json_int_t)profile->t0_s, "seed", text, "bank_key", bank_text);
    secret_wipe(text, sizeof(text));
    return document;
}

static struct result document_seal(const struct enrolling *enrolling, const char *text)
{
    struct act *act = enrolling->people->act;
    const struct enrol_device *device = &enrolling->row.device;
    struct hpke_suite suite = {.kem = (uint16_t)device_kem((enum device_algorithm)device->sign_key.algorithm),
                               .aead = HPKE_AES_256_GCM};
    struct device_statement associated;
    uint8_t encapsulated[HPKE_PUBLIC_MAX], sealed[SEALED_TEXT_MAX + HPKE_TAG_SIZE];
    size_t size = strlen(text);
    if (size > SEALED_TEXT_MAX) return result_of(BAD_ARGUMENT);
    statement_of(enrolling, "otpring device seed 1", &associated);
    device_statement_add(&associated, device->sign_key.bytes, device->sign_key.size);
    struct hpke_message message = {.info = "otpring device seed 1",
                                   .info_size = 21,
                                   .associated = associated.bytes,
                                   .associated_size = associated.size};
    TRY(hpke_seal(suite, device->seal_key, &message, text, size, encapsulated, sealed));
    bytes_answer(act, "encapsulated", encapsulated, hpke_public_size((enum hpke_kem)suite.kem));
    bytes_answer(act, "sealed", sealed, size + HPKE_TAG_SIZE);
    return result_ok();
}

static struct result seed_answer(const struct enrolling *enrolling)
{
    struct profile_row profile;
    uint8_t seed[ENROL_SEED_SIZE_MAX];
    if (!core_profile_get(enrolling->people->act->admin->core, enrolling->row.profile, &profile)) {
        return result_of(STORE_DAMAGED);
    }
    struct result result = enrol_seed_open(enrolling, seed);
    json_t *document = result_failed(result) ? NULL : seed_document(enrolling, &profile, seed);
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    if (!result_failed(result)) result = text ? document_seal(enrolling, text) : result_of(NO_MEMORY);
    secret_wipe(seed, sizeof(seed));
    json_decref(document);
    admin_text_free(text);
    return result;
}

static struct result seed_make(struct enrolling *enrolling)
{
    struct admin *admin = enrolling->people->act->admin;
    struct profile_row profile;
    uint8_t seed[ENROL_SEED_SIZE_MAX];
    if (!core_profile_get(admin->core, enrolling->row.profile, &profile)) return result_of(STORE_DAMAGED);
    size_t size = profile.algorithm == KERNEL_SHA1 ? 20 : profile.algorithm == KERNEL_SHA256 ? 32 : 64;
    os_random(admin->options.os, seed, size);
    struct result result = enrol_seed_seal(enrolling, seed, size);
    secret_wipe(seed, sizeof(seed));
    return result;
}

static struct result bind(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct device_statement statement;
    TRY(step_open(people, &enrolling));
    statement_of(&enrolling, "otpring device bind 1", &statement);
    TRY(signature_check(people->act, &enrolling.row.device.sign_key, &statement));
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    /* A device that did not get the answer gets the same seed again, until it has confirmed. */
    if (enrolling.row.state != ENROLMENT_BINDING && enrolling.row.state != ENROLMENT_BOUND) {
        TRY(device_step(&enrolling, DO_ENROL_BIND, ENROL_STORE_S));
        TRY(seed_make(&enrolling));
        TRY(enrolling_put(&enrolling, DO_ENROL_BIND));
        /* From now on there is a token for this user, though it does not accept anything yet. */
        TRY(gate_require(people, enrolling.name));
        enrolling.user.flags = (uint8_t)((enrolling.user.flags | USER_WAS_REQUIRED) & ~USER_IS_RELEASED);
        TRY(people_user_put(people, enrolling.name, &enrolling.user));
    }
    state_answer(&enrolling);
    return seed_answer(&enrolling);
}

static struct result act_bind(struct act *act)
{
    return enrol_change(act, bind);
}

/* ---- stored ---- */

static struct result proof_check(const struct enrolling *enrolling, const uint8_t proof[DEVICE_PROOF_SIZE])
{
    struct device_statement statement;
    uint8_t seed[ENROL_SEED_SIZE_MAX], expected[DEVICE_PROOF_SIZE];
    TRY(enrol_seed_open(enrolling, seed));
    statement_of(enrolling, "otpring device seed held 1", &statement);
    device_seed_proof(seed, enrolling->row.seed_size, &statement, expected);
    bool good = vault_equal(expected, proof, sizeof(expected));
    secret_wipe(seed, sizeof(seed));
    secret_wipe(expected, sizeof(expected));
    return good ? result_ok() : result_of(ENROL_SEED);
}

static struct result stored(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct device_statement statement;
    uint8_t proof[DEVICE_PROOF_SIZE];
    TRY(step_open(people, &enrolling));
    TRY(bytes_get(people->act, "proof", proof, sizeof(proof), sizeof(proof), NULL));
    statement_of(&enrolling, "otpring device stored 1", &statement);
    device_statement_add(&statement, proof, sizeof(proof));
    TRY(signature_check(people->act, &enrolling.row.device.sign_key, &statement));
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    if (!done_before(&enrolling, ENROLMENT_BOUND)) {
        TRY(device_step(&enrolling, DO_ENROL_STORED, ENROL_CONFIRM_S));
        TRY(proof_check(&enrolling, proof));
        os_random(people->act->admin->options.os, enrolling.row.nonce, sizeof(enrolling.row.nonce));
        TRY(enrolling_put(&enrolling, DO_ENROL_STORED));
        TRY(enrol_notice_bound(&enrolling));
    }
    state_answer(&enrolling);
    return result_ok();
}

static struct result act_stored(struct act *act)
{
    return enrol_change(act, stored);
}

/* ---- status ---- */

static struct result status(struct people *people)
{
    struct enrolling enrolling;
    TRY(step_open(people, &enrolling));
    state_answer(&enrolling);
    if (enrolling.row.state != ENROLMENT_BOUND && enrolling.row.state != ENROLMENT_ACTIVE) return result_ok();
    bytes_answer(people->act, "nonce", enrolling.row.nonce, sizeof(enrolling.row.nonce));
    bool spanish = strcmp(enrolling.user.language, "es") == 0;
    json_object_set_new(people->act->answer, "text",
                        json_string(spanish ? "Activación exitosa" : "Activation successful"));
    return result_ok();
}

static struct result act_status_of_device(struct act *act)
{
    struct people people = {.act = act, .store = core_store(act->admin->core), .now_ms = admin_now_ms(act->admin)};
    TRY(store_begin(people.store, false, &people.txn));
    struct result result = status(&people);
    store_abort(people.store, people.txn);
    return result;
}

/* ---- confirm ---- */

static struct result device_put(struct enrolling *enrolling)
{
    struct people *people = enrolling->people;
    struct device_row row = {.state = ENROL_DEVICE_BOUND,
                             .stock_number = enrolling->row.stock_number,
                             .bound_ms = people->now_ms,
                             .device = enrolling->row.device};
    memcpy(row.name, enrolling->name, sizeof(row.name));
    row.number = enrolling->row.device_number;
    return enrol_device_put(people, &row);
}

/* When the next thing is due by itself: the old token goes, or the way back is closed. */
static void due_set(struct enrolling *enrolling)
{
    struct enrolment_row *row = &enrolling->row;
    int64_t days_ms = (int64_t)row->days * 86400000;
    row->rollback_until_ms = row->active_ms + (int64_t)row->rollback_s * 1000;
    row->due_ms = row->overlap == OVERLAP_DAYS        ? row->active_ms + days_ms
                  : row->overlap == OVERLAP_FIRST_USE ? 0
                                                      : row->rollback_until_ms;
}

static struct result activate(struct enrolling *enrolling)
{
    struct people *people = enrolling->people;
    TRY(device_step(enrolling, DO_ENROL_CONFIRM, ENROL_KEEP));
    enrolling->row.active_ms = people->now_ms;
    due_set(enrolling);
    TRY(enrol_token_enter(enrolling));
    TRY(people_number(people, "device", &enrolling->row.device_number));
    TRY(device_put(enrolling));
    if (enrolling->row.overlap == OVERLAP_AT_ONCE) TRY(enrol_old_suspend(enrolling, DO_ENROL_RETIRE));
    enrolling->row.seed_size = 0; /* it stands in the stock now */
    TRY(enrolling_put(enrolling, DO_ENROL_CONFIRM));
    return enrol_notice_active(enrolling);
}

static struct result confirm(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct device_statement statement;
    TRY(step_open(people, &enrolling));
    statement_of(&enrolling, "otpring device confirm 1", &statement);
    device_statement_add(&statement, enrolling.row.nonce, sizeof(enrolling.row.nonce));
    TRY(signature_check(people->act, &enrolling.row.device.sign_key, &statement));
    TRY(over_check(&enrolling, ret_refusal));
    if (result_failed(*ret_refusal)) return result_ok();
    if (!done_before(&enrolling, ENROLMENT_ACTIVE)) TRY(activate(&enrolling));
    state_answer(&enrolling);
    json_object_set_new(people->act->answer, "device", json_integer((json_int_t)enrolling.row.device_number));
    return result_ok();
}

static struct result act_confirm(struct act *act)
{
    return enrol_change(act, confirm);
}

/* ---- the documents ---- */

static const struct {
    const char *step;
    act_function *serve;
    const char *keys; /* fields it knows, each between blanks */
} steps[] = {
    {"present", act_present, " v step activation algorithm sign_key seal_key name platform push signature "},
    {"prove", act_prove, " v step enrolment statement code signature "},
    {"bind", act_bind, " v step enrolment signature "},
    {"stored", act_stored, " v step enrolment proof signature "},
    {"status", act_status_of_device, " v step enrolment "},
    {"confirm", act_confirm, " v step enrolment signature "},
};

static struct result document_serve(struct act *act)
{
    const char *step;
    uint64_t version;
    TRY(act_number(act, "v", true, 1, 1, &version));
    TRY(act_text(act, "step", true, &step));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(steps[i].step, step) != 0) continue;
        TRY(act_keys_check(act, steps[i].keys));
        return steps[i].serve(act);
    }
    return act_detail(act, BAD_JSON, "there is no step \"%.20s\"", step);
}

struct result act_enrol_device(struct act *act)
{
    json_t *whole = act->request, *document = json_object_get(whole, "document");
    if (!json_is_object(document)) return act_detail(act, BAD_JSON, "document must be an object");
    act->request = document;
    struct result result = document_serve(act);
    act->request = whole;
    return result;
}
