/* What may be done with companies, users, tokens, operators and requests. These lists are the law: the tables of
 * rules.c are made of them, the tests go through every pair of them, and the drawing in engine/README.md is printed
 * from them. What no line allows is refused.
 *
 *   RULE_ACTS         ACT(NAME, text, grant): the act's name in requests and in the log, and what an operator of the
 *                     bank must have been granted for it
 *   RULE_CONDITIONS   RULE(NAME, refusal): what a line may ask for besides, and the text where it does not hold
 *   X_STATES          STATE(NAME, text): the first of a machine is "none": there is no such thing yet. Rows hold them,
 * so new ones go to the end X_LINES           LINE(state, ACT, role, next state, conditions)
 *
 * Roles: BANK, an operator of the bank; COMPANY, a company's administrator; ENGINE, the engine itself; DEVICE, a device
 * that is being enrolled; CLIENT, an auth server. A user has no act here: users act by enrolling a device, and by
 * their codes. */
#ifndef OTPRING_ADMIN_RULES_LIST_H
#define OTPRING_ADMIN_RULES_LIST_H

#define RULE_ACTS(ACT)                                                                                                 \
    ACT(COMPANY_ADD, "company.add", COMPANIES)                                                                         \
    ACT(COMPANY_ADOPT, "company.adopt", COMPANIES)                                                                     \
    ACT(COMPANY_ACTIVATE, "company.activate", COMPANIES)                                                               \
    ACT(COMPANY_SUSPEND, "company.suspend", COMPANIES)                                                                 \
    ACT(USER_ADD, "user.add", USERS)                                                                                   \
    ACT(USER_SET, "user.set", USERS)                                                                                   \
    ACT(USER_ADMINISTRATOR, "user.administrator", COMPANIES)                                                           \
    ACT(USER_DEACTIVATE, "user.deactivate", USERS)                                                                     \
    ACT(USER_REACTIVATE, "user.reactivate", USERS)                                                                     \
    ACT(USER_RELEASE, "user.release", RELEASE)                                                                         \
    ACT(USER_UNLOCK, "user.unlock", USERS)                                                                             \
    ACT(USER_RESET, "user.reset", USERS)                                                                               \
    ACT(USER_ERASE, "user.erase", ERASE)                                                                               \
    ACT(STOCK_ADD, "stock.add", STOCK)                                                                                 \
    ACT(STOCK_GIVE, "stock.give", STOCK)                                                                               \
    ACT(STOCK_ASSIGN, "stock.assign", TOKENS)                                                                          \
    ACT(STOCK_TAKE, "stock.take", TOKENS)                                                                              \
    ACT(STOCK_SUSPEND, "stock.suspend", TOKENS)                                                                        \
    ACT(STOCK_RESUME, "stock.resume", TOKENS)                                                                          \
    ACT(STOCK_LOST, "stock.lost", TOKENS)                                                                              \
    ACT(STOCK_REPLACE, "stock.replace", TOKENS)                                                                        \
    ACT(STOCK_RETIRE, "stock.retire", STOCK)                                                                           \
    ACT(STOCK_FIRST_CODE, "stock.first-code", NOTHING)                                                                 \
    ACT(OPERATOR_ADD, "operator.add", OPERATORS)                                                                       \
    ACT(OPERATOR_GRANT, "operator.grant", OPERATORS)                                                                   \
    ACT(OPERATOR_DISABLE, "operator.disable", OPERATORS)                                                               \
    ACT(REQUEST_ASK, "request.ask", NOTHING)                                                                           \
    ACT(REQUEST_CONFIRM, "request.confirm", CONFIRM)                                                                   \
    ACT(REQUEST_REFUSE, "request.refuse", CONFIRM)                                                                     \
    ACT(ENROL_INVITE, "enrol.invite", TOKENS)                                                                          \
    ACT(ENROL_WRONG_CODE, "enrol.wrong-code", NOTHING)                                                                 \
    ACT(ENROL_PRESENT, "enrol.present", NOTHING)                                                                       \
    ACT(ENROL_VOUCH, "enrol.vouch", NOTHING)                                                                           \
    ACT(ENROL_CODE, "enrol.code", NOTHING)                                                                             \
    ACT(ENROL_PROVE, "enrol.prove", NOTHING)                                                                           \
    ACT(ENROL_BIND, "enrol.bind", NOTHING)                                                                             \
    ACT(ENROL_STORED, "enrol.stored", NOTHING)                                                                         \
    ACT(ENROL_CONFIRM, "enrol.confirm", NOTHING)                                                                       \
    ACT(ENROL_RETIRE, "enrol.retire", NOTHING)                                                                         \
    ACT(ENROL_FINISH, "enrol.finish", NOTHING)                                                                         \
    ACT(ENROL_EXPIRE, "enrol.expire", NOTHING)                                                                         \
    ACT(ENROL_CANCEL, "enrol.cancel", TOKENS)                                                                          \
    ACT(ENROL_ROLLBACK, "enrol.rollback", TOKENS)                                                                      \
    ACT(DEVICE_UNBIND, "device.unbind", TOKENS)

#define RULE_CONDITIONS(RULE)                                                                                          \
    RULE(OWN_COMPANY, "an administrator sees and touches the own company alone")                                       \
    RULE(COMPANY_OPEN, "the company is suspended")                                                                     \
    RULE(COMPANY_FRESH, "the company has tokens already: its scheme begins active; give the day of training")          \
    RULE(COMPANY_USED, "the company has no tokens yet: its scheme begins when it is activated")                        \
    RULE(TRAINED, "the company's people must have been trained: give the day of training, today or before")            \
    RULE(SAME_COMPANY, "the token is in the custody of another company")                                               \
    RULE(USER_ACTIVE, "the user is not active")                                                                        \
    RULE(FIRST_ADMINISTRATOR,                                                                                          \
         "the bank assigns a token to a company's first administrator alone; that administrator assigns the others")   \
    RULE(NOT_SELF, "nobody does this to oneself; another administrator or the bank does")                              \
    RULE(HELD, "no user has this token; give another out instead")                                                     \
    RULE(NO_TOKENS, "the user still has tokens; take them back first")                                                 \
    RULE(OTHER_PERSON, "whoever asked cannot decide: another person does")                                             \
    RULE(IN_TIME, "the request has expired")                                                                           \
    RULE(NOT_LAST, "somebody must be there who may grant; give another operator the grant \"operators\" first")        \
    RULE(PHYSICAL, "a virtual token stays with its device; unbind the device instead")                                 \
    RULE(SCHEME_ACTIVE, "the company's scheme is not active")                                                          \
    RULE(PHONE_KNOWN, "the user has no phone number; set one first")                                                   \
    RULE(ROLLBACK_OPEN, "the time in which this can be taken back is over")

#define COMPANY_STATES(STATE)                                                                                          \
    STATE(NONE, "none")                                                                                                \
    STATE(WAITING, "waiting")                                                                                          \
    STATE(ACTIVE, "active")                                                                                            \
    STATE(SUSPENDED, "suspended")

#define COMPANY_LINES(LINE)                                                                                            \
    LINE(NONE, COMPANY_ADD, BANK, WAITING, R(COMPANY_FRESH))                                                           \
    LINE(NONE, COMPANY_ADOPT, BANK, ACTIVE, R(COMPANY_USED) | R(TRAINED))                                              \
    LINE(WAITING, COMPANY_ACTIVATE, BANK, ACTIVE, R(TRAINED))                                                          \
    LINE(SUSPENDED, COMPANY_ACTIVATE, BANK, ACTIVE, 0)                                                                 \
    LINE(ACTIVE, COMPANY_SUSPEND, BANK, SUSPENDED, 0)

#define USER_STATES(STATE)                                                                                             \
    STATE(NONE, "none")                                                                                                \
    STATE(ACTIVE, "active")                                                                                            \
    STATE(INACTIVE, "inactive")                                                                                        \
    STATE(ERASED, "erased")

#define USER_LINES(LINE)                                                                                               \
    LINE(NONE, USER_ADD, BANK, ACTIVE, R(COMPANY_OPEN))                                                                \
    LINE(NONE, USER_ADD, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN))                                            \
    LINE(ERASED, USER_ADD, BANK, ACTIVE, R(COMPANY_OPEN))                                                              \
    LINE(ERASED, USER_ADD, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN))                                          \
    LINE(ACTIVE, USER_SET, BANK, ACTIVE, 0)                                                                            \
    LINE(ACTIVE, USER_SET, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN))                                          \
    LINE(INACTIVE, USER_SET, BANK, INACTIVE, 0)                                                                        \
    LINE(INACTIVE, USER_SET, COMPANY, INACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN))                                      \
    LINE(ACTIVE, USER_ADMINISTRATOR, BANK, ACTIVE, 0)                                                                  \
    LINE(INACTIVE, USER_ADMINISTRATOR, BANK, INACTIVE, 0)                                                              \
    LINE(ACTIVE, USER_DEACTIVATE, BANK, INACTIVE, 0)                                                                   \
    LINE(ACTIVE, USER_DEACTIVATE, COMPANY, INACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(NOT_SELF))                   \
    LINE(INACTIVE, USER_REACTIVATE, BANK, ACTIVE, 0)                                                                   \
    LINE(INACTIVE, USER_REACTIVATE, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(NOT_SELF))                   \
    LINE(ACTIVE, USER_RELEASE, BANK, ACTIVE, 0)                                                                        \
    LINE(ACTIVE, USER_UNLOCK, BANK, ACTIVE, 0)                                                                         \
    LINE(ACTIVE, USER_UNLOCK, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(NOT_SELF))                         \
    LINE(ACTIVE, USER_RESET, BANK, ACTIVE, 0)                                                                          \
    LINE(ACTIVE, USER_RESET, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(NOT_SELF))                          \
    LINE(INACTIVE, USER_RESET, BANK, INACTIVE, 0)                                                                      \
    LINE(INACTIVE, USER_RESET, COMPANY, INACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(NOT_SELF))                      \
    LINE(INACTIVE, USER_ERASE, BANK, ERASED, R(NO_TOKENS))

#define STOCK_STATES(STATE)                                                                                            \
    STATE(NONE, "none")                                                                                                \
    STATE(ORDERED, "ordered")                                                                                          \
    STATE(CUSTODY, "custody")                                                                                          \
    STATE(ASSIGNED, "assigned")                                                                                        \
    STATE(ACTIVE, "active")                                                                                            \
    STATE(SUSPENDED, "suspended")                                                                                      \
    STATE(LOST, "lost")                                                                                                \
    STATE(REPLACED, "replaced")                                                                                        \
    STATE(RETIRED, "retired")

#define STOCK_LINES(LINE)                                                                                              \
    LINE(NONE, STOCK_ADD, BANK, ORDERED, 0)                                                                            \
    LINE(ORDERED, STOCK_GIVE, BANK, CUSTODY, R(COMPANY_OPEN))                                                          \
    LINE(CUSTODY, STOCK_ASSIGN, BANK, ASSIGNED,                                                                        \
         R(SAME_COMPANY) | R(COMPANY_OPEN) | R(USER_ACTIVE) | R(FIRST_ADMINISTRATOR))                                  \
    LINE(CUSTODY, STOCK_ASSIGN, COMPANY, ASSIGNED,                                                                     \
         R(OWN_COMPANY) | R(SAME_COMPANY) | R(COMPANY_OPEN) | R(USER_ACTIVE))                                          \
    LINE(ASSIGNED, STOCK_FIRST_CODE, ENGINE, ACTIVE, 0)                                                                \
    LINE(ASSIGNED, STOCK_TAKE, BANK, CUSTODY, R(PHYSICAL))                                                             \
    LINE(ASSIGNED, STOCK_TAKE, COMPANY, CUSTODY, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(PHYSICAL))                       \
    LINE(ACTIVE, STOCK_TAKE, BANK, CUSTODY, R(PHYSICAL))                                                               \
    LINE(ACTIVE, STOCK_TAKE, COMPANY, CUSTODY, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(PHYSICAL))                         \
    LINE(SUSPENDED, STOCK_TAKE, BANK, CUSTODY, R(PHYSICAL))                                                            \
    LINE(SUSPENDED, STOCK_TAKE, COMPANY, CUSTODY, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(PHYSICAL))                      \
    LINE(REPLACED, STOCK_TAKE, BANK, CUSTODY, R(PHYSICAL))                                                             \
    LINE(REPLACED, STOCK_TAKE, COMPANY, CUSTODY, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(PHYSICAL))                       \
    LINE(ASSIGNED, STOCK_SUSPEND, BANK, SUSPENDED, 0)                                                                  \
    LINE(ASSIGNED, STOCK_SUSPEND, COMPANY, SUSPENDED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                \
    LINE(ACTIVE, STOCK_SUSPEND, BANK, SUSPENDED, 0)                                                                    \
    LINE(ACTIVE, STOCK_SUSPEND, COMPANY, SUSPENDED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                  \
    LINE(SUSPENDED, STOCK_RESUME, BANK, ACTIVE, R(USER_ACTIVE))                                                        \
    LINE(SUSPENDED, STOCK_RESUME, COMPANY, ACTIVE, R(OWN_COMPANY) | R(COMPANY_OPEN) | R(USER_ACTIVE) | R(NOT_SELF))    \
    LINE(CUSTODY, STOCK_LOST, BANK, LOST, 0)                                                                           \
    LINE(CUSTODY, STOCK_LOST, COMPANY, LOST, R(OWN_COMPANY) | R(COMPANY_OPEN))                                         \
    LINE(ASSIGNED, STOCK_LOST, BANK, LOST, 0)                                                                          \
    LINE(ASSIGNED, STOCK_LOST, COMPANY, LOST, R(OWN_COMPANY) | R(COMPANY_OPEN))                                        \
    LINE(ACTIVE, STOCK_LOST, BANK, LOST, 0)                                                                            \
    LINE(ACTIVE, STOCK_LOST, COMPANY, LOST, R(OWN_COMPANY) | R(COMPANY_OPEN))                                          \
    LINE(SUSPENDED, STOCK_LOST, BANK, LOST, 0)                                                                         \
    LINE(SUSPENDED, STOCK_LOST, COMPANY, LOST, R(OWN_COMPANY) | R(COMPANY_OPEN))                                       \
    LINE(ASSIGNED, STOCK_REPLACE, BANK, REPLACED, 0)                                                                   \
    LINE(ASSIGNED, STOCK_REPLACE, COMPANY, REPLACED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                 \
    LINE(ACTIVE, STOCK_REPLACE, BANK, REPLACED, 0)                                                                     \
    LINE(ACTIVE, STOCK_REPLACE, COMPANY, REPLACED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                   \
    LINE(SUSPENDED, STOCK_REPLACE, BANK, REPLACED, 0)                                                                  \
    LINE(SUSPENDED, STOCK_REPLACE, COMPANY, REPLACED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                \
    LINE(LOST, STOCK_REPLACE, BANK, REPLACED, R(HELD))                                                                 \
    LINE(LOST, STOCK_REPLACE, COMPANY, REPLACED, R(HELD) | R(OWN_COMPANY) | R(COMPANY_OPEN))                           \
    LINE(ORDERED, STOCK_RETIRE, BANK, RETIRED, 0)                                                                      \
    LINE(CUSTODY, STOCK_RETIRE, BANK, RETIRED, 0)                                                                      \
    LINE(LOST, STOCK_RETIRE, BANK, RETIRED, 0)                                                                         \
    LINE(REPLACED, STOCK_RETIRE, BANK, RETIRED, 0)

#define OPERATOR_STATES(STATE)                                                                                         \
    STATE(NONE, "none")                                                                                                \
    STATE(ACTIVE, "active")                                                                                            \
    STATE(DISABLED, "disabled")

#define OPERATOR_LINES(LINE)                                                                                           \
    LINE(NONE, OPERATOR_ADD, BANK, ACTIVE, R(NOT_LAST))                                                                \
    LINE(ACTIVE, OPERATOR_GRANT, BANK, ACTIVE, R(NOT_SELF) | R(NOT_LAST))                                              \
    LINE(ACTIVE, OPERATOR_DISABLE, BANK, DISABLED, R(NOT_SELF) | R(NOT_LAST))                                          \
    LINE(DISABLED, OPERATOR_GRANT, BANK, ACTIVE, R(NOT_SELF))

#define REQUEST_STATES(STATE)                                                                                          \
    STATE(NONE, "none")                                                                                                \
    STATE(OPEN, "open")                                                                                                \
    STATE(CONFIRMED, "confirmed")                                                                                      \
    STATE(REFUSED, "refused")

#define REQUEST_LINES(LINE)                                                                                            \
    LINE(NONE, REQUEST_ASK, BANK, OPEN, 0)                                                                             \
    LINE(NONE, REQUEST_ASK, COMPANY, OPEN, R(OWN_COMPANY))                                                             \
    LINE(OPEN, REQUEST_CONFIRM, BANK, CONFIRMED, R(OTHER_PERSON) | R(IN_TIME))                                         \
    LINE(OPEN, REQUEST_CONFIRM, COMPANY, CONFIRMED, R(OWN_COMPANY) | R(OTHER_PERSON) | R(IN_TIME))                     \
    LINE(OPEN, REQUEST_REFUSE, BANK, REFUSED, 0)                                                                       \
    LINE(OPEN, REQUEST_REFUSE, COMPANY, REFUSED, R(OWN_COMPANY))

#define ENROLMENT_STATES(STATE)                                                                                        \
    STATE(NONE, "none")                                                                                                \
    STATE(INVITED, "invited")                                                                                          \
    STATE(PRESENTED, "presented")                                                                                      \
    STATE(PROVEN, "proven")                                                                                            \
    STATE(BINDING, "binding")                                                                                          \
    STATE(BOUND, "bound")                                                                                              \
    STATE(ACTIVE, "active")                                                                                            \
    STATE(FINAL, "final")                                                                                              \
    STATE(EXPIRED, "expired")                                                                                          \
    STATE(CANCELLED, "cancelled")                                                                                      \
    STATE(ROLLED_BACK, "rolled-back")                                                                                  \
    STATE(UNBOUND, "unbound")

#define ENROLMENT_LINES(LINE)                                                                                          \
    LINE(NONE, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                        \
    LINE(NONE, ENROL_INVITE, COMPANY, INVITED, R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))    \
    LINE(INVITED, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                     \
    LINE(INVITED, ENROL_INVITE, COMPANY, INVITED, R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN)) \
    LINE(FINAL, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                       \
    LINE(FINAL, ENROL_INVITE, COMPANY, INVITED, R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))   \
    LINE(EXPIRED, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                     \
    LINE(EXPIRED, ENROL_INVITE, COMPANY, INVITED, R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN)) \
    LINE(CANCELLED, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                   \
    LINE(CANCELLED, ENROL_INVITE, COMPANY, INVITED,                                                                    \
         R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                                          \
    LINE(ROLLED_BACK, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                 \
    LINE(ROLLED_BACK, ENROL_INVITE, COMPANY, INVITED,                                                                  \
         R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                                          \
    LINE(UNBOUND, ENROL_INVITE, BANK, INVITED, R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN))                     \
    LINE(UNBOUND, ENROL_INVITE, COMPANY, INVITED, R(OWN_COMPANY) | R(SCHEME_ACTIVE) | R(USER_ACTIVE) | R(PHONE_KNOWN)) \
    LINE(INVITED, ENROL_WRONG_CODE, ENGINE, INVITED, 0)                                                                \
    LINE(INVITED, ENROL_PRESENT, DEVICE, PRESENTED, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                 \
    LINE(PRESENTED, ENROL_VOUCH, CLIENT, PRESENTED, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                 \
    LINE(PRESENTED, ENROL_CODE, DEVICE, PRESENTED, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                  \
    LINE(PRESENTED, ENROL_PROVE, DEVICE, PROVEN, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                    \
    LINE(PROVEN, ENROL_BIND, DEVICE, BINDING, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                       \
    LINE(BINDING, ENROL_STORED, DEVICE, BOUND, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                      \
    LINE(BOUND, ENROL_CONFIRM, DEVICE, ACTIVE, R(SCHEME_ACTIVE) | R(USER_ACTIVE))                                      \
    LINE(ACTIVE, ENROL_RETIRE, ENGINE, ACTIVE, 0)                                                                      \
    LINE(ACTIVE, ENROL_FINISH, ENGINE, FINAL, 0)                                                                       \
    LINE(INVITED, ENROL_EXPIRE, ENGINE, EXPIRED, 0)                                                                    \
    LINE(PRESENTED, ENROL_EXPIRE, ENGINE, EXPIRED, 0)                                                                  \
    LINE(PROVEN, ENROL_EXPIRE, ENGINE, EXPIRED, 0)                                                                     \
    LINE(BINDING, ENROL_EXPIRE, ENGINE, EXPIRED, 0)                                                                    \
    LINE(BOUND, ENROL_EXPIRE, ENGINE, EXPIRED, 0)                                                                      \
    LINE(INVITED, ENROL_CANCEL, BANK, CANCELLED, 0)                                                                    \
    LINE(INVITED, ENROL_CANCEL, COMPANY, CANCELLED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                  \
    LINE(PRESENTED, ENROL_CANCEL, BANK, CANCELLED, 0)                                                                  \
    LINE(PRESENTED, ENROL_CANCEL, COMPANY, CANCELLED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                \
    LINE(PROVEN, ENROL_CANCEL, BANK, CANCELLED, 0)                                                                     \
    LINE(PROVEN, ENROL_CANCEL, COMPANY, CANCELLED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                   \
    LINE(BINDING, ENROL_CANCEL, BANK, CANCELLED, 0)                                                                    \
    LINE(BINDING, ENROL_CANCEL, COMPANY, CANCELLED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                  \
    LINE(BOUND, ENROL_CANCEL, BANK, CANCELLED, 0)                                                                      \
    LINE(BOUND, ENROL_CANCEL, COMPANY, CANCELLED, R(OWN_COMPANY) | R(COMPANY_OPEN))                                    \
    LINE(ACTIVE, ENROL_ROLLBACK, BANK, ROLLED_BACK, R(ROLLBACK_OPEN) | R(USER_ACTIVE))                                 \
    LINE(ACTIVE, ENROL_ROLLBACK, COMPANY, ROLLED_BACK,                                                                 \
         R(OWN_COMPANY) | R(COMPANY_OPEN) | R(ROLLBACK_OPEN) | R(USER_ACTIVE))                                         \
    LINE(ACTIVE, DEVICE_UNBIND, BANK, UNBOUND, 0)                                                                      \
    LINE(ACTIVE, DEVICE_UNBIND, COMPANY, UNBOUND, R(OWN_COMPANY) | R(COMPANY_OPEN))                                    \
    LINE(FINAL, DEVICE_UNBIND, BANK, UNBOUND, 0)                                                                       \
    LINE(FINAL, DEVICE_UNBIND, COMPANY, UNBOUND, R(OWN_COMPANY) | R(COMPANY_OPEN))

#endif
