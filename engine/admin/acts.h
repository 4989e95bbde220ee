/* What the files of the administration share. */
#ifndef OTPRING_ADMIN_ACTS_H
#define OTPRING_ADMIN_ACTS_H

#include <jansson.h>

#include "admin/admin.h"
#include "admin/csv.h"

enum { ADMIN_BATCH_MAX = 4096, LIST_LIMIT_MAX = 1000, WALK_MAX = 65536 };

/* Tokens on their way to core, with room for their texts and seeds. */
struct admin_batch {
    size_t count;
    struct core_token_spec *specs;
    struct csv_token *tokens; /* text of each spec; without seeds, which are in locked memory */
    uint8_t (*seeds)[OTP_SEED_SIZE_MAX];
    uint64_t *lines; /* what the caller calls each: line or index */
    struct result *results;
    uint32_t *ordinals;
};

struct admin {
    struct admin_options options;
    struct core *core;
    struct admin_batch batch;
    uint64_t started_ms; /* boot clock */
    /* company.purge goes on where it stopped */
    char purge_company[OTP_NAME_SIZE_MAX + 1];
    uint8_t purge_after[16];
    bool purge_begun;
    bool purge_found;
    struct {
        uint64_t session; /* of this run; 0: none yet */
        uint32_t sequence;
    } verify;               /* admin_verify.c */
    uint8_t touched[8][16]; /* accounts that this request has records about */
    uint32_t touched_count; /* more than there is room for: any number */
    uint64_t tended_ms;     /* boot clock */
    uint8_t tending[16];
    uint8_t watched[16];
    char detail[400]; /* more about the failure of the request being served */
};

/* As what an actor acts: people.h. */
struct admin_who {
    uint8_t role;     /* enum rule_role */
    uint32_t grants;  /* a bit for each enum rule_grant; of an operator of the bank */
    uint8_t self[16]; /* a company's administrator: the own account, whose first half is the company */
};

/* One request being served. */
struct act {
    struct admin *admin;
    struct core_actor actor;
    struct admin_who who;
    const struct core_client *client; /* the auth server that asks, or NULL */
    const char *reason;               /* why, or NULL */
    bool anybody;                     /* the act needs no operator where there are some */
    json_t *request;
    json_t *answer; /* an object with "ok" */
    void *context;  /* of the act being served, its own */
    unsigned waits; /* for journal room, so far */
    bool partly;    /* some of it is done: it is not to be served from its beginning again */
};

/* Fields of a request. A field of the wrong type is BAD_JSON; detail names it. Absent optional ones leave ret as it is.
 */
struct result act_text(struct act *act, const char *key, bool needed, const char **ret_text) MUST_USE;
struct result act_number(struct act *act, const char *key, bool needed, uint64_t least, uint64_t most,
                         uint64_t *ret_number) MUST_USE;
/* Refuses a field that is not among `known` (each between blanks). */
struct result act_keys_check(struct act *act, const char *known) MUST_USE;
struct result act_detail(struct act *act, enum result_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4))) MUST_USE;

/* type, algorithm, digits, period, t0, look_ahead, suite, profile of a request; and the profile that has them. */
struct result act_profile_find(struct act *act, uint16_t *ret_profile, struct profile_row *ret_row) MUST_USE;
/* Whether a token of this profile may be given this counter. */
struct result act_counter_check(struct act *act, uint64_t counter, const struct profile_row *profile) MUST_USE;
const char *admin_type_name(uint8_t type); /* "hotp", "totp", "ocra" */
struct result admin_profile_for(struct act *act, const struct otp_parameters *parameters, int look_ahead,
                                uint16_t *ret_profile) MUST_USE;

/* The batch: text and seed are copied. */
void batch_clear(struct admin_batch *batch);
void batch_put(struct admin_batch *batch, const struct csv_token *token, uint16_t profile, uint64_t line);
/* Adds the batch's tokens: results and ordinals in the batch. Waits for journal room within reason. */
struct result batch_add(struct act *act) MUST_USE;
/* Whether to try again what gave this result: the journal is short of room, room can be made (it is waited for here),
 * and the request has not waited ten seconds yet. */
bool act_again(struct act *act, struct result result);
/* What reads compare dates with: the time that acts are dated with. */
int64_t admin_now_ms(struct admin *admin);
/* Lets journal and store breathe between two acts when nobody else does. */
struct result admin_keep(struct admin *admin) MUST_USE;
/* After an act, when nobody else keeps house. The act is done and is answered so: what is wrong with the house is told
 * by whatever finds no room in it. */
void admin_tidy(struct admin *admin);
/* As admin_keep, and lets what is on its way to the disk arrive. */
struct result admin_wait(struct admin *admin) MUST_USE;

/* The tokens that a request names: ordinal, ordinals, or company and user (all that live). */
struct result act_tokens(struct act *act, uint32_t *ret_ordinals, size_t capacity, size_t *ret_count) MUST_USE;

/* Notes whom the request is about: see admin_options. */
void admin_touch(struct admin *admin, const uint8_t account[16]);
struct result admin_account_get(struct admin *admin, struct store_txn *txn, const uint8_t name[16],
                                struct account_row *ret_row) MUST_USE;
struct result admin_token_get(struct admin *admin, struct store_txn *txn, uint32_t ordinal,
                              struct token_row *ret_row) MUST_USE;
json_t *admin_token_json(struct admin *admin, const struct token_row *row, const struct account_row *account);
json_t *admin_profile_json(const struct profile_row *row);

/* A function type, for the table of acts; no struct hides behind it. */
typedef struct result act_function(struct act *act);
act_function act_status, act_backup, act_checkpoint, act_clock_consent, act_log_prune;
act_function act_token_add, act_token_add_batch, act_token_remove, act_token_suspend, act_token_resume, act_token_set,
    act_token_unlock, act_token_resync, act_company_purge;
act_function act_token_list, act_token_show;
act_function act_profile_add, act_profile_list, act_profile_set;
act_function act_enrol_invite, act_enrol_list, act_enrol_status, act_enrol_cancel, act_enrol_rollback, act_enrol_vouch,
    act_enrol_device;
act_function act_device_list, act_device_unbind;
act_function act_import;
act_function act_company_add, act_company_activate, act_company_suspend, act_company_show, act_company_list;
act_function act_user_add, act_user_add_batch, act_user_set, act_user_deactivate, act_user_reactivate, act_user_release,
    act_user_unlock, act_user_reset, act_user_erase, act_user_show, act_user_list;
act_function act_stock_add, act_stock_add_batch, act_stock_give, act_stock_assign, act_stock_assign_batch,
    act_stock_take, act_stock_suspend, act_stock_resume, act_stock_lost, act_stock_replace, act_stock_retire,
    act_stock_list;
act_function act_operator_add, act_operator_grant, act_operator_list;
act_function act_request_confirm, act_request_refuse, act_request_list;

act_function act_outbox_put, act_outbox_next, act_outbox_ack, act_outbox_fail, act_outbox_retry, act_outbox_list,
    act_outbox_show, act_outbox_remind;

#endif
