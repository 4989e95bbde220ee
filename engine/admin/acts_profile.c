/* Profiles in JSON. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "admin/acts.h"
#include "otp/ocra.h"

/* Fields that are plain numbers, and where they stand. */
static const struct {
    const char *key;
    size_t offset;
    size_t size;
    uint64_t least; /* of what may be given; 0 stands where a field is not given and does not apply */
    uint64_t most;
} number_fields[] = {
    {"digits", offsetof(struct profile_row, digits), 1, OTP_DIGITS_MIN, OTP_DIGITS_MAX},
    {"period", offsetof(struct profile_row, period_s), 4, OTP_PERIOD_S_MIN, OTP_PERIOD_S_MAX},
    {"t0", offsetof(struct profile_row, t0_s), 8, 0, INT64_MAX / 2},
    {"window_behind", offsetof(struct profile_row, window_behind), 1, 0, 255},
    {"window_ahead", offsetof(struct profile_row, window_ahead), 1, 0, 255},
    {"look_ahead", offsetof(struct profile_row, look_ahead), 1, 0, 255},
    {"look_behind", offsetof(struct profile_row, look_behind), 1, 0, 255},
    {"resync_window", offsetof(struct profile_row, resync_window), 2, 0, UINT16_MAX},
    {"throttle_free", offsetof(struct profile_row, throttle_free), 1, 0, 255},
    {"throttle_base_s", offsetof(struct profile_row, throttle_base_s), 4, 0, UINT32_MAX},
    {"throttle_max_s", offsetof(struct profile_row, throttle_max_s), 4, 0, UINT32_MAX},
    {"drift_max", offsetof(struct profile_row, drift_max), 1, 0, 127},
};

enum { NUMBER_FIELD_COUNT = sizeof(number_fields) / sizeof(number_fields[0]) };

/* Hosts are little-endian (format.h of the journal says so for all of otpring): the low bytes come first. */
static uint64_t field_get(const struct profile_row *row, size_t i)
{
    uint64_t number = 0;
    memcpy(&number, (const uint8_t *)row + number_fields[i].offset, number_fields[i].size);
    return number;
}

static void field_set(struct profile_row *row, size_t i, uint64_t number)
{
    memcpy((uint8_t *)row + number_fields[i].offset, &number, number_fields[i].size);
}

const char *admin_type_name(uint8_t type)
{
    static const char *const names[] = {"hotp", "totp", "ocra"};
    return type <= OTP_OCRA ? names[type] : "";
}

json_t *admin_profile_json(const struct profile_row *row)
{
    static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
    json_t *profile =
        json_pack("{s:i,s:s,s:s,s:s}", "id", row->id, "name", row->name, "type", admin_type_name(row->type),
                  "algorithm", row->algorithm < 3 ? algorithms[row->algorithm] : "");
    for (size_t i = 0; profile && i < NUMBER_FIELD_COUNT; i++) {
        json_object_set_new(profile, number_fields[i].key, json_integer((json_int_t)field_get(row, i)));
    }
    if (row->type == OTP_OCRA) json_object_set_new(profile, "suite", json_string(row->suite));
    if (row->mutual) json_object_set_new(profile, "mutual", json_true());
    return profile;
}

static struct result fields_take(struct act *act, struct profile_row *row)
{
    const char *name = row->name;
    char copy[SCHEMA_LABEL_MAX + 1];
    TRY(act_text(act, "name", false, &name));
    if (strlen(name) > SCHEMA_LABEL_MAX) return act_detail(act, BAD_NAME, "name");
    snprintf(copy, sizeof(copy), "%s", name);
    memcpy(row->name, copy, sizeof(row->name));
    for (size_t i = 0; i < NUMBER_FIELD_COUNT; i++) {
        uint64_t number = field_get(row, i);
        TRY(act_number(act, number_fields[i].key, false, number_fields[i].least, number_fields[i].most, &number));
        field_set(row, i, number);
    }
    return result_ok();
}

static struct result codes_take(struct act *act, struct profile_row *row)
{
    const char *type = row->type == OTP_TOTP ? "totp" : "hotp", *algorithm = NULL;
    enum otp_type type_new;
    enum kernel_algorithm algorithm_new = row->algorithm;
    TRY(act_text(act, "type", false, &type));
    TRY(act_text(act, "algorithm", false, &algorithm));
    if (!csv_type_parse(type, strlen(type), &type_new))
        return act_detail(act, BAD_ARGUMENT, "type is totp or hotp; an ocra profile is one with a suite");
    if (algorithm && !csv_algorithm_parse(algorithm, strlen(algorithm), &algorithm_new)) {
        return act_detail(act, BAD_ARGUMENT, "algorithm is sha1, sha256 or sha512");
    }
    row->type = (uint8_t)type_new;
    row->algorithm = (uint8_t)algorithm_new;
    return result_ok();
}

/* The suite says what these would say. */
static struct result suite_alone(struct act *act)
{
    static const char *const others[] = {"algorithm", "digits", "period", "t0"};
    const char *type = "ocra";
    TRY(act_text(act, "type", false, &type));
    if (strcmp(type, "ocra") != 0) return act_detail(act, BAD_ARGUMENT, "suite is for type ocra");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (json_object_get(act->request, others[i]))
            return act_detail(act, BAD_ARGUMENT, "the suite says all; leave %s out", others[i]);
    }
    return result_ok();
}

static struct result suite_same(struct act *act, const char *suite)
{
    const char *given = suite;
    TRY(act_text(act, "suite", false, &given));
    TRY(suite_alone(act));
    return strcmp(given, suite) == 0 ? result_ok() : act_detail(act, STORE_IN_USE, "a profile keeps its suite");
}

enum { MUTUAL_CHALLENGE_MIN = 6 /* characters: of fewer digits there are too few that differ */ };

/* Whether its tokens answer exchanges, and nothing else. */
static struct result mutual_take(struct act *act, struct profile_row *row)
{
    const json_t *value = json_object_get(act->request, "mutual");
    struct ocra_suite suite;
    if (!value) return result_ok();
    if (!json_is_boolean(value)) return act_detail(act, BAD_JSON, "mutual must be true or false");
    row->mutual = json_is_true(value);
    if (!row->mutual) return result_ok();
    if (row->type != OTP_OCRA) return act_detail(act, BAD_ARGUMENT, "mutual is for profiles with a suite");
    TRY(ocra_suite_parse(row->suite, strlen(row->suite), &suite));
    if (suite.question_max >= MUTUAL_CHALLENGE_MIN) return result_ok();
    return act_detail(act, BAD_SUITE, "mutual mode wants challenges of %d characters or more", MUTUAL_CHALLENGE_MIN);
}

/* People tell profiles apart by name. */
static struct result name_check(struct act *act, const struct profile_row *row)
{
    struct profile_row other;
    for (uint16_t id = 0; id < UINT16_MAX; id++) {
        if (id == row->id || !core_profile_get(act->admin->core, id, &other) || strcmp(other.name, row->name) != 0)
            continue;
        return act_detail(act, STORE_EXISTS, "profile %u has this name", id);
    }
    return result_ok();
}

static struct result profile_write(struct act *act, const struct profile_row *row)
{
    uint16_t id;
    TRY(core_profile_set(act->admin->options.worker, &act->actor, row, &id));
    json_object_set_new(act->answer, "id", json_integer(id));
    return result_ok();
}

/* The defaults of a type are those of its own default profile. */
static struct result default_take(struct act *act, const char *suite, struct profile_row *ret_row)
{
    struct core_worker *worker = act->admin->options.worker;
    struct profile_row row = {.type = OTP_TOTP};
    uint16_t id;
    if (suite) {
        TRY(suite_alone(act));
        TRY(core_profile_for_suite(worker, &act->actor, suite, &id));
        return core_profile_get(act->admin->core, id, ret_row) ? result_ok() : result_of(STORE_DAMAGED);
    }
    TRY(codes_take(act, &row));
    struct otp_parameters parameters = {
        .type = row.type, .algorithm = KERNEL_SHA1, .digits = 6, .period_s = row.type == OTP_TOTP ? 30 : 0};
    enum kernel_algorithm algorithm = row.algorithm;
    TRY(core_profile_for(worker, &act->actor, &parameters, &id));
    if (!core_profile_get(act->admin->core, id, ret_row)) return result_of(STORE_DAMAGED);
    ret_row->algorithm = (uint8_t)algorithm;
    return result_ok();
}

struct result act_profile_add(struct act *act)
{
    struct profile_row row;
    const char *name, *suite = NULL;
    TRY(act_text(act, "name", true, &name));
    TRY(act_text(act, "suite", false, &suite));
    TRY(default_take(act, suite, &row));
    row.id = UINT16_MAX;
    TRY(fields_take(act, &row));
    TRY(mutual_take(act, &row));
    TRY(name_check(act, &row));
    return profile_write(act, &row);
}

struct result act_profile_set(struct act *act)
{
    struct profile_row row;
    uint64_t id;
    TRY(act_number(act, "id", true, 0, UINT16_MAX - 1, &id));
    if (!core_profile_get(act->admin->core, (uint16_t)id, &row)) return act_detail(act, STORE_NOT_FOUND, "profile");
    if (row.type == OTP_OCRA)
        TRY(suite_same(act, row.suite));
    else
        TRY(codes_take(act, &row));
    TRY(fields_take(act, &row));
    TRY(mutual_take(act, &row));
    if (json_object_get(act->request, "name")) TRY(name_check(act, &row));
    return profile_write(act, &row);
}

struct result act_profile_list(struct act *act)
{
    struct profile_row row;
    json_t *profiles = json_array();
    for (uint16_t id = 0; id < UINT16_MAX; id++) {
        if (core_profile_get(act->admin->core, id, &row)) json_array_append_new(profiles, admin_profile_json(&row));
    }
    json_object_set_new(act->answer, "profiles", profiles);
    return result_ok();
}
