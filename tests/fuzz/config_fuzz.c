/* Any text as a configuration: taken, or refused by line; never anything outside the struct. */
#include <string.h>

#include "base/check.h"
#include "otpringd/config.h"

static bool lookup(const char *name, uint32_t *ret_uid)
{
    *ret_uid = 5000 + (uint8_t)name[0];
    return name[0] != 'x';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE] = "";
    config_defaults(&config);
    struct result result = config_parse(&config, (const char *)data, size, lookup, error);
    if (result_failed(result)) {
        CHECK(!strncmp(error, "line ", 5) && strlen(error) < sizeof error);
        return 0;
    }
    CHECK(config.client_count <= CONFIG_CLIENTS_MAX && config.workers <= 60 && !config.take_over);
    for (uint32_t i = 0; i < config.client_count; i++) {
        const struct core_client *client = &config.clients[i];
        CHECK(client->id != 0 && client->rights != 0 && client->name[0] &&
              memchr(client->name, 0, sizeof client->name));
        CHECK(client->company_count <= CORE_CLIENT_COMPANIES_MAX);
    }
    return 0;
}
