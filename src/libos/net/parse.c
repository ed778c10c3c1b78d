#include "libos/net/parse.h"

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
