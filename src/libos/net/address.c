#include <stdio.h>
#include <string.h>

#include "libos/net/net.h"

#define DEFAULT_ADDRESS "10.0.2.15/24,10.0.2.2" /* QEMU's user networking gives guests this one */

/* A decimal number to limit at *text, which is moved behind it; -1 if there is none. */
static int read_number(const char **text, int limit)
{
    const char *at = *text;
    int number = 0;
    if (*at < '0' || *at > '9')
        return -1;
    for (; *at >= '0' && *at <= '9'; at++)
        if ((number = number * 10 + (*at - '0')) > limit)
            return -1;
    *text = at;
    return number;
}

static bool read_ipv4(const char **text, uint32_t *address)
{
    *address = 0;
    for (int i = 0; i < 4; i++) {
        if (i && *(*text)++ != '.')
            return false;
        int byte = read_number(text, 255);
        if (byte < 0)
            return false;
        *address = *address << 8 | (uint32_t)byte;
    }
    return true;
}

bool net_parse_address(const char *text, struct net_address *address)
{
    struct net_address a = {0};
    if (!read_ipv4(&text, &a.address) || *text++ != '/')
        return false;
    int prefix = read_number(&text, 32);
    if (prefix < 0)
        return false;
    a.prefix = (uint8_t)prefix;
    if (*text == ',' && (text++, !read_ipv4(&text, &a.gateway)))
        return false;
    if (*text && *text != ' ')
        return false;
    *address = a;
    return true;
}

/* The value of ip= among blank-separated words, or NULL. */
static const char *find_argument(const char *args)
{
    for (const char *at = args; at; at = strchr(at, ' ')) {
        at += strspn(at, " ");
        if (!strncmp(at, "ip=", 3))
            return at + 3;
    }
    return NULL;
}

bool net_boot_address(struct net_address *address, char text[64])
{
    const char *given = find_argument((const char *)(uintptr_t)aegis_info()->bootargs);
    bool good = !given || net_parse_address(given, address);
    if (!given || !good) {
        net_parse_address(DEFAULT_ADDRESS, address);
        given = DEFAULT_ADDRESS;
    }
    snprintf(text, 64, "%.*s", (int)strcspn(given, " "), given);
    return good;
}
