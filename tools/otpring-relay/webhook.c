/* Messages as HTTP requests. One POST a delivery, signed, with the message's id as its idempotency key; no redirects (a
 * signed body goes where the configuration says and nowhere else), no proxy, no cookies, answers are not read.
 *
 * Each request has a connection of its own: when one that was used before dies without an answer, libcurl sends the
 * request again by itself, and a receiver that had taken it would see it twice without a mark. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/arena.h"
#include "otpring-relay/files.h"
#include "otpring-relay/place.h"
#include "otpring-relay/sign.h"
#include "otpring-relay/way.h"

enum {
    ANSWER_SIZE_MAX = 1 << 20,
    HEADER_FILE_MAX = 8192,
    URL_SIZE_MAX = 4096,
    CONNECT_MS_MAX = 10000,
    RETRY_S_MAX = 3600
};

struct webhook {
    const struct way_config *config;
    struct way_tools tools;
    json_t *body;
    char secret[SIGN_SECRET_MAX + 1];
};

/* One request under way. */
struct exchange {
    struct webhook *webhook;
    struct delivery *delivery;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t body_size;
    size_t answer_size;
    char url[URL_SIZE_MAX];
};

/* ---- making ---- */

static bool url_check(const struct way_config *config, char ret_error[WAY_ERROR_SIZE])
{
    static const struct message nobody;
    char url[URL_SIZE_MAX], why[PLACE_ERROR_SIZE];
    struct body_values values = {.message = &nobody, .text = ""};
    if (place_fill(config->url, body_value, &values, url, sizeof url, why)) return true;
    snprintf(ret_error, WAY_ERROR_SIZE, "[webhook %s] url: %s", config->name, why);
    return false;
}

static bool files_load(struct webhook *webhook, char ret_error[WAY_ERROR_SIZE])
{
    const struct way_config *config = webhook->config;
    char value[HEADER_FILE_MAX];
    if (!body_load(config->body, &webhook->body, ret_error) ||
        !file_secret(config->secret_file, webhook->secret, sizeof webhook->secret, ret_error))
        return false;
    if (strlen(webhook->secret) < SIGN_SECRET_MIN) {
        snprintf(ret_error, WAY_ERROR_SIZE, "%.300s: a secret of fewer than %d bytes", config->secret_file,
                 SIGN_SECRET_MIN);
        return false;
    }
    for (unsigned i = 0; i < config->header_count; i++) {
        if (!config->headers[i].from_file) continue;
        if (!file_secret(config->headers[i].value, value, sizeof value, ret_error)) return false;
        secret_wipe(value, sizeof value);
    }
    return url_check(config, ret_error);
}

bool webhook_create(const struct way_config *config, const struct way_tools *tools, struct webhook **ret_webhook,
                    char ret_error[WAY_ERROR_SIZE])
{
    struct webhook *webhook = calloc(1, sizeof *webhook);
    if (!webhook) {
        snprintf(ret_error, WAY_ERROR_SIZE, "not enough memory");
        return false;
    }
    webhook->config = config;
    webhook->tools = *tools;
    if (!files_load(webhook, ret_error)) {
        webhook_destroy(webhook);
        return false;
    }
    *ret_webhook = webhook;
    return true;
}

void webhook_destroy(struct webhook *webhook)
{
    if (!webhook) return;
    json_decref(webhook->body);
    secret_wipe(webhook->secret, sizeof webhook->secret);
    free(webhook);
}

/* ---- a request ---- */

static void exchange_free(struct exchange *exchange)
{
    if (exchange->easy) curl_easy_cleanup(exchange->easy);
    for (struct curl_slist *at = exchange->headers; at; at = at->next) secret_wipe(at->data, strlen(at->data));
    curl_slist_free_all(exchange->headers);
    if (exchange->body) secret_wipe(exchange->body, exchange->body_size);
    free(exchange->body);
    secret_wipe(exchange->url, sizeof exchange->url);
    free(exchange);
}

static bool header_add(struct exchange *exchange, const char *line)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    if (longer) exchange->headers = longer;
    return longer != NULL;
}

/* A token that expires is renewed by whoever renews it: its file is read for every request. */
static bool header_configured(struct exchange *exchange, const struct config_header *header)
{
    char value[HEADER_FILE_MAX], line[HEADER_FILE_MAX + 64], error[FILES_ERROR_SIZE];
    if (header->from_file && !file_secret(header->value, value, sizeof value, error)) {
        delivery_done(exchange->delivery, OUTCOME_LATER, 0, "the file of the header %s cannot be read", header->name);
        return false;
    }
    snprintf(line, sizeof line, "%s: %s", header->name, header->from_file ? value : header->value);
    bool added = header_add(exchange, line);
    secret_wipe(line, sizeof line);
    secret_wipe(value, sizeof value);
    return added;
}

static bool headers_make(struct exchange *exchange)
{
    const struct webhook *webhook = exchange->webhook;
    const struct message *message = &exchange->delivery->message;
    char line[SIGN_HEADER_SIZE];
    bool made =
        header_add(exchange, "Content-Type: application/json; charset=utf-8") && header_add(exchange, "Expect:");
    for (unsigned i = 0; made && i < webhook->config->header_count; i++)
        made = header_configured(exchange, &webhook->config->headers[i]);
    if (!made) return false;
    snprintf(line, sizeof line, "Idempotency-Key: %s", message->id);
    made = header_add(exchange, line);
    if (message->handed > 1) {
        snprintf(line, sizeof line, "Otpring-Redelivery: %u", message->handed - 1);
        made = made && header_add(exchange, line);
    }
    return made &&
           sign_body((const uint8_t *)webhook->secret, strlen(webhook->secret), (int64_t)time(NULL), exchange->body,
                     exchange->body_size, line) &&
           header_add(exchange, line);
}

struct escaping {
    struct body_values values;
    CURL *easy;
    char *escaped; /* the value given last */
};

static const char *escaped_value(void *context, const char *name)
{
    struct escaping *escaping = context;
    const char *value = body_value(&escaping->values, name);
    curl_free(escaping->escaped);
    escaping->escaped = value ? curl_easy_escape(escaping->easy, value, 0) : NULL;
    return escaping->escaped;
}

static bool url_make(struct exchange *exchange)
{
    char why[PLACE_ERROR_SIZE];
    struct escaping escaping = {
        .values = {.texts = exchange->webhook->tools.texts, .message = &exchange->delivery->message, .text = ""},
        .easy = exchange->easy};
    bool made =
        place_fill(exchange->webhook->config->url, escaped_value, &escaping, exchange->url, sizeof exchange->url, why);
    curl_free(escaping.escaped);
    if (!made) delivery_done(exchange->delivery, OUTCOME_NEVER, 0, "the address cannot be made");
    return made;
}

static size_t answer_drop(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    (void)bytes;
    exchange->answer_size += size * count;
    return exchange->answer_size <= ANSWER_SIZE_MAX ? size * count : 0;
}

static bool tls_set(CURL *easy, const struct way_config *config)
{
    bool set = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    /* A certificate authority of one's own stands instead of the system's, not beside them. */
    if (*config->ca_file)
        set = set && curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (*config->cert_file)
        set = set && curl_easy_setopt(easy, CURLOPT_SSLCERT, config->cert_file) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key_file) == CURLE_OK;
    if (*config->pinned_key)
        set = set && curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, config->pinned_key) == CURLE_OK;
    return set;
}

static bool request_set(struct exchange *exchange)
{
    CURL *easy = exchange->easy;
    const struct way_config *config = exchange->webhook->config;
    long timeout_ms = (long)config->timeout_s * 1000;
    long connect_ms = timeout_ms < CONNECT_MS_MAX ? timeout_ms : CONNECT_MS_MAX;
    return tls_set(easy, config) && curl_easy_setopt(easy, CURLOPT_URL, exchange->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)exchange->body_size) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "otpring-relay/" OTPRING_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_drop) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK;
}

void webhook_start(struct webhook *webhook, struct delivery *delivery)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        delivery_done(delivery, OUTCOME_LATER, 0, "not enough memory");
        return;
    }
    exchange->webhook = webhook;
    exchange->delivery = delivery;
    exchange->easy = curl_easy_init();
    delivery->state = DELIVERY_OUT;
    exchange->body = delivery_body(delivery, &webhook->tools, webhook->body, &exchange->body_size);
    bool begun = exchange->body && exchange->easy && url_make(exchange) && headers_make(exchange) &&
                 request_set(exchange) && curl_multi_add_handle(webhook->tools.multi, exchange->easy) == CURLM_OK;
    if (begun) return;
    if (delivery->state != DELIVERY_DONE) delivery_done(delivery, OUTCOME_LATER, 0, "the request cannot be made");
    exchange_free(exchange);
}

/* ---- its end ---- */

/* What another try may mend: an overload, a fault of theirs, a credential of ours that somebody will renew. The other
 * answers of 4xx say that this message will never be taken. */
static bool status_passes(long status)
{
    static const long passing[] = {401, 403, 407, 408, 425, 429};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (passing[i] == status) return true;
    return status < 400 || status >= 500;
}

static void answer_judge(struct exchange *exchange)
{
    long status = 0;
    curl_off_t retry_s = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_s);
    if (retry_s < 0 || retry_s > RETRY_S_MAX) retry_s = RETRY_S_MAX;
    if (status >= 200 && status < 300)
        delivery_done(exchange->delivery, OUTCOME_DELIVERED, 0, "HTTP %ld", status);
    else if (status_passes(status))
        delivery_done(exchange->delivery, OUTCOME_LATER, (uint32_t)retry_s, "HTTP %ld", status);
    else
        delivery_done(exchange->delivery, OUTCOME_NEVER, 0, "HTTP %ld", status);
}

static void exchange_end(CURLM *multi, struct exchange *exchange, CURLcode code)
{
    if (code == CURLE_OK)
        answer_judge(exchange);
    else
        delivery_done(exchange->delivery, OUTCOME_LATER, 0, "%s", curl_easy_strerror(code));
    curl_multi_remove_handle(multi, exchange->easy);
    exchange_free(exchange);
}

void webhooks_move(CURLM *multi)
{
    int running, left;
    curl_multi_perform(multi, &running);
    for (CURLMsg *news; (news = curl_multi_info_read(multi, &left));) {
        struct exchange *exchange = NULL;
        if (news->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(news->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        exchange_end(multi, exchange, news->data.result);
    }
}
