#include "libos/net/inet6.h"

#include <stdio.h>
#include <string.h>

#define GROUPS 8

/* Without leading zeros, which others would take for octal. */
bool inet4_read(const char *text, uint8_t address[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned number = 0, digits = 0;
        if (i && *text++ != '.')
            return false;
        bool is_odd = text[0] == '0' && text[1] >= '0' && text[1] <= '9';
        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
            number = number * 10 + (unsigned)(*text - '0');
        if (is_odd || digits < 1 || digits > 3 || number > 255)
            return false;
        address[i] = (uint8_t)number;
    }
    return !*text;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number as C writes it, up to 32 bits; where it ends, or NULL. */
static const char *read_part(const char *text, uint32_t *part)
{
    uint64_t number = 0;
    int base = 10, digit;

    if (*text == '0' && (text[1] | 0x20) == 'x')
        base = 16, text += 2;
    else if (*text == '0')
        base = 8;
    const char *begin = text;
    for (; (digit = hex(*text)) >= 0 && digit < base; text++)
        if ((number = number * (unsigned)base + (unsigned)digit) > UINT32_MAX)
            return NULL;
    *part = (uint32_t)number;
    return text == begin ? NULL : text;
}

const char *inet4_read_parts(const char *text, uint8_t address[4])
{
    uint32_t number = 0, part;
    unsigned bits = 32;

    while ((text = read_part(text, &part)) && *text == '.') {
        bits -= 8;
        if (!bits || part > 255)
            return NULL;
        number |= part << bits;
        text++;
    }
    if (!text || (bits < 32 && part >> bits))
        return NULL;
    number |= part;
    for (int i = 0; i < 4; i++)
        address[i] = (uint8_t)(number >> (24 - 8 * i));
    return text;
}

/* One group of up to four digits; where it ends, or NULL. */
static const char *read_group(const char *text, uint8_t *bytes)
{
    unsigned number = 0;
    int digits = 0;

    for (; hex(*text) >= 0; text++, digits++)
        number = number << 4 | (unsigned)hex(*text);
    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
    return digits >= 1 && digits <= 4 ? text : NULL;
}

bool inet6_read(const char *text, uint8_t address[16])
{
    uint8_t bytes[16] = {0};
    int count = 0, gap = -1; /* groups so far; those before "::" */

    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text) {
        const char *next;
        if (count == GROUPS)
            return false;
        if (count <= GROUPS - 2 && inet4_read(text, bytes + 2 * count)) {
            count += 2;
            break;
        }
        next = read_group(text, bytes + 2 * count);
        if (!next)
            return false;
        count++;
        text = next;
        if (!*text)
            break;
        if (*text++ != ':' || !*text)
            return false;
        if (*text == ':') {
            if (gap >= 0)
                return false;
            gap = count;
            text++;
        }
    }
    if (gap < 0 ? count != GROUPS : count == GROUPS)
        return false;
    memset(address, 0, sizeof bytes);
    size_t before = gap < 0 ? sizeof bytes : 2 * (size_t)gap, after = 2 * (size_t)count - before;
    memcpy(address, bytes, before);
    if (gap >= 0)
        memcpy(address + sizeof bytes - after, bytes + before, after);
    return true;
}

/* The first longest run of two zero groups or more: its length, and where it begins. */
static int longest_zeros(const uint8_t address[16], int *start)
{
    int best = 1;

    for (int i = 0; i < GROUPS; i++) {
        int length = 0;
        while (i + length < GROUPS && !address[2 * (i + length)] && !address[2 * (i + length) + 1])
            length++;
        if (length > best) {
            best = length;
            *start = i;
        }
    }
    return best > 1 ? best : 0;
}

void inet6_write(const uint8_t address[16], char text[INET6_TEXT])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    int start = 0, zeros = longest_zeros(address, &start);
    size_t at = 0;

    if (!memcmp(address, mapped, sizeof mapped)) {
        snprintf(text, INET6_TEXT, "::ffff:%u.%u.%u.%u", address[12], address[13], address[14],
                 address[15]);
        return;
    }
    text[0] = 0;
    for (int i = 0; i < GROUPS; i++) {
        if (zeros && i == start) {
            at += (size_t)snprintf(text + at, INET6_TEXT - at, "::");
            i += zeros - 1;
            continue;
        }
        const char *colon = i && !(zeros && i == start + zeros) ? ":" : "";
        at += (size_t)snprintf(text + at, INET6_TEXT - at, "%s%x", colon,
                               address[2 * i] << 8u | address[2 * i + 1]);
    }
}
