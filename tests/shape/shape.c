#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "vcode/decode.h"

_Noreturn void shape_die(const char *path, const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, detail);
    exit(1);
}

bool shape_line(FILE *in, char line[SHAPE_LINE], char **key, char **rest)
{
    if (!fgets(line, SHAPE_LINE, in) || strcmp(line, "code\n") == 0)
        return false;
    line[strcspn(line, "\n")] = 0;
    char *blank = strchr(line, ' ');
    *key = line;
    *rest = blank ? blank + 1 : line + strlen(line);
    if (blank)
        *blank = 0;
    return true;
}

void shape_bytes(const char *path, const char *hex, uint8_t *bytes, size_t most, size_t *count)
{
    for (; *hex; hex++) {
        unsigned byte;
        int used;
        if (*hex == ' ')
            continue;
        if (sscanf(hex, "%2x%n", &byte, &used) != 1 || used != 2 || *count == most)
            shape_die(path, "not hex digits, or too many", hex);
        bytes[(*count)++] = (uint8_t)byte;
        hex++;
    }
}

unsigned shape_isa(const char *words)
{
    return (strstr(words, "zba") ? RV64_ZBA : 0u) | (strstr(words, "zbb") ? RV64_ZBB : 0u) |
           (strstr(words, "misaligned") ? RV64_MISALIGNED : 0u);
}

void shape_list(const void *code, uint32_t size, uint32_t entry, char text[SHAPE_TEXT])
{
    char *at = text, *end = text + SHAPE_TEXT;
    for (uint32_t offset = 0; offset < size && end - at > 100; offset += 4) {
        char insn[RV64_TEXT];
        uint32_t word;
        memcpy(&word, (const uint8_t *)code + offset, 4);
        rv64_print(insn, word, offset);
        at += snprintf(at, (size_t)(end - at), "%s%4x: %s\n", offset == entry ? "entry\n" : "",
                       offset, insn);
    }
}
