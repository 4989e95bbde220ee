/* The kinds of messages that go out to people, and the fields that each must have: the engine refuses a message without
 * them, and otpring-relay refuses a text that uses others. One list for both, so that a queued message can be rendered.
 *
 *   MESSAGE_KINDS     KIND(NAME, text, fields): rows hold their number, so new ones go to the end. Fields stand between
 *                     blanks; one that begins with @ is a time, in seconds since 1970, which is rendered in the
 *                     language and time zone of the reader; one that begins with # is for the app, and
 *                     stands in no text
 *   MESSAGE_CHANNELS  CHANNEL(NAME, text): by which way it goes */
#ifndef OTPRING_ADMIN_MESSAGE_KINDS_H
#define OTPRING_ADMIN_MESSAGE_KINDS_H

#define MESSAGE_KINDS(KIND)                                                                                            \
    KIND(INVITATION, "invitation", " link code @valid_until ")                                                         \
    KIND(ACTIVATED, "activated", " device @when ")                                                                     \
    KIND(UNASSIGNED, "unassigned", " company count oldest_days ")                                                      \
    KIND(ACCESS_ALERT, "access-alert", " service @when ")                                                              \
    KIND(TOKEN_LOST, "token-lost", " serial @when ")                                                                   \
    KIND(TOKEN_REPLACED, "token-replaced", " serial @when ")                                                           \
    KIND(QUESTION, "question", " #challenge @valid_until ")

#define MESSAGE_CHANNELS(CHANNEL)                                                                                      \
    CHANNEL(SMS, "sms")                                                                                                \
    CHANNEL(PUSH, "push")

enum message_kind {
#define KIND(name, text, fields) MESSAGE_##name,
    MESSAGE_KIND_NONE,
    MESSAGE_KINDS(KIND) MESSAGE_KIND_END
#undef KIND
};

enum message_channel {
#define CHANNEL(name, text) CHANNEL_##name,
    CHANNEL_NONE,
    MESSAGE_CHANNELS(CHANNEL) CHANNEL_END
#undef CHANNEL
};

enum {
    MESSAGE_FIELDS_MAX = 8,
    MESSAGE_FIELD_NAME_MAX = 24,
    MESSAGE_FIELD_VALUE_MAX = 255, /* bytes, UTF-8 */
    MESSAGE_TO_MAX = 512,          /* a phone number (E.164), or a push service's name for an app on a device */
    MESSAGE_ID_MAX = 63,
};

#endif
