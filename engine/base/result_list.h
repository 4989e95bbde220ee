/* Every result code of the engine: X(code, class, text). One text each; texts say what is wrong, callers add where. */
X(OK, RESULT_DONE, "done")
/* machine and files */
X(OS_FAILED, RESULT_FENCE, "the operating system failed a call that must not fail")
X(OS_NO_SPACE, RESULT_RETRY, "no space left on the device")
X(OS_NOT_FOUND, RESULT_REFUSE, "no such file or folder")
X(OS_EXISTS, RESULT_REFUSE, "the file exists already")
X(OS_PERMISSION, RESULT_REFUSE, "permission denied")
X(OS_READ_ONLY, RESULT_REFUSE, "the file system is mounted read-only")
X(OS_NO_DIRECT_IO, RESULT_REFUSE,
  "this file system does not support direct I/O (O_DIRECT); put the store on a disk file system such as ext4 or xfs")
X(OS_NO_LOCKED_MEMORY, RESULT_REFUSE,
  "memory cannot be locked; raise the limit (ulimit -l, LimitMEMLOCK=) or start with --insecure-memory")
X(OS_NETWORK_FILE_SYSTEM, RESULT_REFUSE, "the store is on a network file system; it must be on a local disk")
X(OS_MEMORY_FILE_SYSTEM, RESULT_REFUSE,
  "the store is on a file system in memory (tmpfs), where nothing is durable; put it on a disk file system such as "
  "ext4 "
  "or xfs")
X(OS_NO_IO_URING, RESULT_REFUSE, "io_uring is not available or lacks a feature of Linux 6.1")
X(NO_MEMORY, RESULT_REFUSE, "not enough memory")
X(SOCKET_IN_USE, RESULT_REFUSE, "another process listens on this socket")
X(SOCKET_BAD_PATH, RESULT_REFUSE,
  "the socket's path is too long (107 bytes at most) or names something that is no socket")
X(FULL, RESULT_RETRY, "a configured limit is reached")
/* input */
X(BAD_ARGUMENT, RESULT_REFUSE, "an argument is out of range")
X(BAD_BASE32, RESULT_REFUSE, "the secret is not valid base32")
X(BAD_URI, RESULT_REFUSE, "not a valid otpauth URI")
X(URI_NO_SECRET, RESULT_REFUSE, "the otpauth URI has no secret")
X(URI_NO_COUNTER, RESULT_REFUSE, "the otpauth URI is of a HOTP token, but has no counter")
X(URI_NO_ISSUER, RESULT_REFUSE, "the otpauth URI names no issuer; give --company")
X(URI_TWO_ISSUERS, RESULT_REFUSE, "the otpauth URI names two issuers")
X(URI_REPEATED, RESULT_REFUSE, "a parameter stands twice in the otpauth URI")
X(BAD_CSV, RESULT_REFUSE, "not a valid CSV line: its quotes do not match, or it is longer than 4096 bytes")
X(CSV_HEADER, RESULT_REFUSE,
  "the first line must name the columns: company, user, secret, and of the others those that are known, each once")
X(CSV_FIELDS, RESULT_REFUSE, "another number of fields than there are columns")
X(BAD_TYPE, RESULT_REFUSE, "type is totp or hotp")
X(BAD_ALGORITHM, RESULT_REFUSE, "algorithm is sha1, sha256 or sha512")
X(BAD_COUNTER, RESULT_REFUSE, "counter or look_ahead is not a whole number in its range, or stands at a TOTP token")
X(BAD_T0, RESULT_REFUSE, "t0 is not a whole number of seconds since 1970, or stands at a HOTP token")
X(BAD_PROFILE, RESULT_REFUSE,
  "profile is not the number of one, or stands beside what a profile says: type, algorithm, digits, period, t0, "
  "look_ahead")
X(BAD_DEVICE_KEY, RESULT_REFUSE, "not a public key of this algorithm: wrong size or form, or no point of the curve")
X(BAD_NAME, RESULT_REFUSE, "a name is empty, too long, or holds a byte that is not allowed")
X(BAD_CONFIG, RESULT_REFUSE, "the configuration has an unknown key or a bad value")
X(BAD_JSON, RESULT_REFUSE, "not a valid request")
X(BAD_DIGITS, RESULT_REFUSE, "digits must be 6, 7 or 8")
X(BAD_PERIOD, RESULT_REFUSE, "the period must be 1 to 3600 seconds")
X(BAD_SECRET_SIZE, RESULT_REFUSE, "a secret must have 10 to 128 bytes")
X(BAD_SUITE, RESULT_REFUSE, "not an OCRA suite, such as OCRA-1:HOTP-SHA1-6:QN08 (RFC 6287, section 6)")
X(BAD_CHALLENGE, RESULT_REFUSE,
  "the challenge is missing, longer than its OCRA suite says, or has characters that the suite does not have")
X(BAD_PIN_HASH, RESULT_REFUSE, "the PIN's hash is missing, or not of the kind that the OCRA suite says")
X(BAD_SESSION_INFORMATION, RESULT_REFUSE, "the session information is missing, or longer than the OCRA suite says")
X(BAD_RESPONSE, RESULT_REFUSE, "the response does not have the digits that the OCRA suite says")
X(STEP_TOO_FAR, RESULT_REFUSE, "the token's steps could leave 32 bits within 50 years")
/* challenges */
X(CHALLENGE_BAD_BODY, RESULT_REFUSE, "not a challenge of a version, purpose and form that is known")
X(CHALLENGE_FIELDS, RESULT_REFUSE,
  "a challenge has a site and a text; amount, currency and payee if it is a transaction, and none of them if it is not")
X(CHALLENGE_BAD_TEXT, RESULT_REFUSE,
  "a text is empty, too long, not UTF-8, has a blank at an end, or characters that do not show as themselves")
X(CHALLENGE_BAD_AMOUNT, RESULT_REFUSE,
  "an amount is digits without leading zeros, perhaps a point and 1 to 4 digits; a currency is three capital letters")
X(CHALLENGE_BAD_URI, RESULT_REFUSE, "not an OTPRING URI in its one spelling")
X(CHALLENGE_DENIED, RESULT_REFUSE,
  "the challenge was answered, has expired or was withdrawn, or this is not yours to do")
X(CHALLENGE_BAD_STATEMENT, RESULT_REFUSE,
  "not the statement of a device about a challenge, in the one form that it has")
X(CHALLENGE_BAD_SIGNATURE, RESULT_REFUSE, "the challenge is not signed by this key, or was changed")
X(QUESTION_UNKNOWN, RESULT_REFUSE, "there is no such challenge for whoever asks")
X(QUESTION_OVER, RESULT_REFUSE, "the challenge was answered, has expired or was withdrawn")
X(QUESTION_CONTENT, RESULT_REFUSE, "the device was shown something else than what was asked")
X(QUESTION_COUNTER, RESULT_REFUSE, "the device's counter is not greater than that of its last answer")
X(QUESTION_BUSY, RESULT_REFUSE, "the account is being asked something else")
X(QUESTION_COOLING, RESULT_REFUSE, "the user refused a moment ago")
X(QUESTION_LIMITED, RESULT_REFUSE, "the account was asked too often")
X(QUESTION_NO_DEVICE, RESULT_REFUSE,
  "nobody there who could answer: no such account, no bound device, suspended, or locked")
X(EXCHANGE_UNAVAILABLE, RESULT_RETRY, "the response cannot be judged now; hand it in again")
X(QUESTION_CLIENT_FULL, RESULT_REFUSE, "this client has as many challenges open as it may")
X(DEVICE_UNKNOWN, RESULT_REFUSE, "there is no such device, or it is not bound any more")
X(QUESTION_CLOCK, RESULT_REFUSE, "the device's clock is off by more than five minutes")
/* wire */
X(WIRE_BAD_SIZE, RESULT_CLOSE, "the frame's size does not fit its kind and count")
X(WIRE_BAD_KIND, RESULT_CLOSE, "unknown frame kind")
X(WIRE_BAD_VERSION, RESULT_CLOSE, "no common protocol version")
X(WIRE_RESERVED_SET, RESULT_CLOSE, "a reserved bit or byte is not zero")
X(WIRE_NO_HELLO, RESULT_CLOSE, "a frame came before hello")
X(WIRE_TOO_MANY, RESULT_CLOSE, "more items than the session was granted")
X(WIRE_NO_RIGHT, RESULT_CLOSE, "this client may not ask that")
X(SESSION_UNKNOWN, RESULT_CLOSE, "the session is expired or was never issued to this client")
X(SESSION_BAD_SLOT, RESULT_CLOSE, "the slot is out of range")
X(SESSION_BAD_SEQUENCE, RESULT_CLOSE, "the slot's sequence number is not the last one or the one after")
X(SESSION_CHANGED_CONTENT, RESULT_CLOSE, "the sequence number was used for other content")
X(SESSION_BUSY, RESULT_RETRY, "the slot still has a frame in flight")
/* keys and seals */
X(VAULT_WRONG_KEY, RESULT_REFUSE, "this key file does not belong to this store")
X(VAULT_KEY_MODE, RESULT_REFUSE, "the key file must be a regular file that others cannot read (mode 0400)")
X(VAULT_KEY_INSIDE, RESULT_REFUSE, "the key file must not lie inside the store that it opens")
X(VAULT_NO_KEY_FILE, RESULT_REFUSE, "its key file is not there; name it with --key FILE")
X(VAULT_BAD_KEY_FILE, RESULT_REFUSE, "the key file is damaged or not an otpring key file")
X(VAULT_FAILED, RESULT_FENCE, "a cryptographic operation failed")
X(VAULT_NOT_OPENED, RESULT_REFUSE, "this was not sealed for this key, or was changed on the way")
X(VAULT_BAD_SEAL, RESULT_FENCE, "sealed data does not open: damaged, or sealed for something else")
/* table and store */
X(TABLE_FULL, RESULT_RETRY, "the token table is full; raise tokens-max")
X(TABLE_TOO_MANY_TOKENS, RESULT_REFUSE, "the account has the greatest number of tokens already")
X(STORE_NONE, RESULT_REFUSE, "no store is there; make one with: otpring init --store DIR")
X(STORE_UNFINISHED, RESULT_REFUSE,
  "this is a backup, or a restore that broke off, and no store; make a store of a backup with: otpring restore")
X(STORE_BUSY, RESULT_REFUSE, "another process has this store open")
X(STORE_DAMAGED, RESULT_FENCE, "the store is damaged")
X(STORE_FOREIGN, RESULT_REFUSE,
  "the store was last served elsewhere or is a copy; otpringd --take-over treats it as a restore")
X(STORE_VERSION, RESULT_REFUSE, "the store was made by another version of the format")
X(STORE_FULL, RESULT_RETRY, "the store has reached its size limit")
X(STORE_NOT_FOUND, RESULT_REFUSE, "not found")
X(STORE_EXISTS, RESULT_REFUSE, "exists already")
X(BACKUP_INSIDE, RESULT_REFUSE, "a backup must lie outside the store that it is made of")
X(STORE_SEED_LIVE, RESULT_REFUSE, "this seed is live on another token")
X(FLOOR_UNKNOWN, RESULT_REFUSE,
  "its counter is not known since the restore; resynchronise it first, with two adjacent unused codes")
X(PROFILES_FULL, RESULT_REFUSE, "there are as many profiles as there can be (4096); use one of them")
X(STORE_IN_USE, RESULT_REFUSE, "in use; type, algorithm, period and T0 cannot change")
X(IN_STOCK, RESULT_REFUSE, "the stock's rules hold for this token")
X(STORE_RESTORED, RESULT_REFUSE,
  "the store is a restored backup or a copy: --take-over also needs the present time, confirmed by --restore-now TIME")
X(RESTORE_TIME, RESULT_REFUSE,
  "the time confirmed is before the machine's clock or the journal's end, or far after both; set the clock, then "
  "confirm "
  "the present time")
X(STORE_PENDING, RESULT_RETRY,
  "an act is durable in the journal but the store has no room for it yet; nothing else is administered until it has")
X(CHANGE_TOO_LARGE, RESULT_REFUSE, "more in one act than a block of the journal takes; ask for less at once")
X(NAME_TAKEN, RESULT_REFUSE, "another company or user has the same 16-byte name; choose another spelling")
/* people */
X(RULE, RESULT_REFUSE, "not allowed")
X(OPERATOR, RESULT_REFUSE, "no such operator, or this is not their key or their user id")
X(SECOND_PERSON, RESULT_REFUSE, "this takes two persons")
X(SEED_FLOOR_AHEAD, RESULT_REFUSE,
  "this seed was used before with other parameters; the steps kept as used could not be passed in years")
/* enrolment: what a device or an auth server is told */
X(ENROL_CODE, RESULT_REFUSE, "no invitation has this activation code, or it is used up")
X(ENROL_UNKNOWN, RESULT_REFUSE, "there is no such enrolment")
X(ENROL_STATEMENT, RESULT_REFUSE, "the statement that the password passed is used, too old, or of another account")
X(ENROL_TOKEN_CODE, RESULT_REFUSE, "the code of the present token did not pass")
X(ENROL_SIGNATURE, RESULT_REFUSE, "the signature does not verify")
X(ENROL_SEED, RESULT_REFUSE, "the proof is of another seed")
X(ENROL_OVER, RESULT_REFUSE, "the enrolment is over; a new invitation is needed")
X(ENROL_UNAVAILABLE, RESULT_RETRY, "this cannot be verified now; ask again")
/* journal */
X(JOURNAL_NO_ROOM, RESULT_RETRY, "no journal room until a spare segment is made, or the seals have caught up")
X(JOURNAL_POISONED, RESULT_FENCE, "a journal write failed; the daemon must be restarted when the disk is sound")
X(JOURNAL_CORRUPT, RESULT_FENCE, "the journal is corrupt below a committed position")
X(JOURNAL_FOREIGN, RESULT_REFUSE, "the segment belongs to another store")
X(JOURNAL_VERSION, RESULT_REFUSE, "the segment has another format version")
X(JOURNAL_MISSING, RESULT_FENCE, "a segment that recovery needs is missing")
X(JOURNAL_BAD_SEAL, RESULT_FENCE, "a seal or signed checkpoint does not verify")
X(JOURNAL_NEEDED, RESULT_REFUSE,
  "recovery or a seal still needs part of it: everything must be checkpointed and sealed")
X(PROOF_UNSEALED, RESULT_RETRY,
  "no signed checkpoint covers this record yet: one is made when its segment is full, and at a clean stop")
X(PROOF_GONE, RESULT_REFUSE, "records that this one was sealed together with are no longer kept")
X(PROOF_NO_CHECKPOINT, RESULT_REFUSE, "the log has no such checkpoint behind this record")
/* engine */
X(CLOCK_UNSURE, RESULT_RETRY, "the wall clock cannot be trusted yet")
X(STOPPING, RESULT_RETRY, "the engine is stopping")
/* outbox */
X(OUTBOX_FULL, RESULT_RETRY,
  "the outbox holds as many messages as it may; see that otpring-relay delivers, and look at the dead ones with: "
  "otpring "
  "outbox list --state dead")
X(OUTBOX_USER_FULL, RESULT_RETRY, "as many messages to this user wait already as may")
X(OUTBOX_STATE, RESULT_REFUSE, "only a message that waits or is dead can be tried again")
X(OUTBOX_EXPIRED, RESULT_REFUSE, "what this message says is no longer of use; have a new one made")
