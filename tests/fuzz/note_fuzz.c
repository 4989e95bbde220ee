/* A published checkpoint of any bytes: it is none, or exactly what would be printed for it. */
#include <stdlib.h>
#include <string.h>

#include "otpring-log/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[VAULT_PUBLIC_KEY_SIZE];
    struct slot_checkpoint checkpoint;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    /* The key comes first, so that the key id in the text can be its own. */
    memcpy(key, zeros, sizeof key);
    if (size > sizeof key && data[0] != 'o') {
        memcpy(key, data, sizeof key);
        data += sizeof key;
        size -= sizeof key;
    }
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    const char *at = text, *rest;
    while (note_parse(at, key, &checkpoint, &rest)) {
        char *printed = NULL;
        size_t printed_size = 0;
        FILE *memory = open_memstream(&printed, &printed_size);
        if (!memory) break;
        note_print(memory, &checkpoint, key);
        fclose(memory);
        if (rest <= at || rest > text + strlen(text) || !strstr(text, printed)) abort();
        free(printed);
        at = rest;
    }
    free(text);
    return 0;
}
