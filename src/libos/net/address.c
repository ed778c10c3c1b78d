#include <stdio.h>
#include <string.h>

#include "libos/net/net.h"

#define DEFAULT_ADDRESS "10.0.2.15/24,10.0.2.2" /* QEMU's user networking gives guests this one */

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
    bool is_leased = given && !strncmp(given, NET_DHCP, strlen(NET_DHCP)) &&
                     strchr(" ", given[strlen(NET_DHCP)]); /* a blank, or the end */
    bool good = !given || is_leased || net_parse_address(given, address);
    if (is_leased)
        *address = (struct net_address){0};
    if (!given || !good) {
        net_parse_address(DEFAULT_ADDRESS, address);
        given = DEFAULT_ADDRESS;
    }
    snprintf(text, 64, "%.*s", (int)strcspn(given, " "), given);
    return good;
}
