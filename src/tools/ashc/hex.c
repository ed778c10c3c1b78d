/*
 * Hex digits.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ashc/lift.h"

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    if (c >= 'A' && c <= 'F')
        c = (char)(c - 'A' + 'a');
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_hex(const char *text, size_t size)
{
    size_t digits = 0;
    for (size_t i = 0; i < size; i++) {
        if (digit(text[i]) >= 0)
            digits++;
        else if (!is_blank(text[i]))
            return false;
    }
    return digits >= 2;
}

uint8_t *from_hex(const char *text, size_t length, size_t *size, char *error)
{
    uint8_t *bytes = malloc(length / 2 + 1);
    size_t digits = 0;
    if (!bytes) {
        ashlift_fail(error, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        int value = digit(text[i]);
        if (value < 0 && is_blank(text[i]))
            continue;
        if (value < 0) {
            ashlift_fail(error, "character %zu is not a hex digit", i + 1);
            free(bytes);
            return NULL;
        }
        if (digits % 2)
            bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | value);
        else
            bytes[digits / 2] = (uint8_t)value;
        digits++;
    }
    if (digits % 2) {
        ashlift_fail(error, "%zu hex digits are no whole number of bytes", digits);
        free(bytes);
        return NULL;
    }
    *size = digits / 2;
    return bytes;
}
