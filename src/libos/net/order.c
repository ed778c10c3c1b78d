#include "libos/net/order.h"

/* RFC 6724, section 2.1; the longest prefixes first. */
static const struct policy {
    uint8_t prefix[16];
    uint8_t bits, precedence, label;
} policies[] = {
    {{[15] = 1}, 128, 50, 0},  {{[10] = 0xff, 0xff}, 96, 35, 4}, /* IPv4 */
    {{0}, 96, 1, 3},           {{0x20, 0x01}, 32, 5, 5},         {{0x20, 0x02}, 16, 30, 2},
    {{0x3f, 0xfe}, 16, 1, 12}, {{0xfe, 0xc0}, 10, 1, 11},        {{0xfc}, 7, 3, 13},
    {{0}, 0, 40, 1},
};

static bool has_prefix(const struct net_ipv6 *address, const struct policy *p)
{
    const uint8_t *bytes = (const uint8_t *)address;

    for (unsigned bit = 0; bit < p->bits; bit++)
        if ((bytes[bit / 8] ^ p->prefix[bit / 8]) & 0x80 >> bit % 8)
            return false;
    return true;
}

static const struct policy *policy_of(const struct net_ipv6 *address)
{
    const struct policy *p = policies;

    while (!has_prefix(address, p))
        p++; /* the last has all of them */
    return p;
}

enum scope { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

/* Sections 3.1 and 3.2. */
static enum scope scope_of(const struct net_ipv6 *a)
{
    const uint8_t *bytes = (const uint8_t *)a;

    if (net_ipv6_is_mapped(a)) {
        bool is_near = bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254);
        return is_near ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    if (net_ipv6_is_loopback(a) || net_ipv6_is_link_local(a))
        return SCOPE_LINK;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

bool net_way_before(const struct net_way *a, const struct net_way *b)
{
    const struct policy *of_a = policy_of(&a->destination), *of_b = policy_of(&b->destination);
    enum scope scope_a = scope_of(&a->destination), scope_b = scope_of(&b->destination);

    if (a->is_usable != b->is_usable)
        return a->is_usable;
    bool fits_a = scope_a == scope_of(&a->source), fits_b = scope_b == scope_of(&b->source);
    if (a->is_usable && fits_a != fits_b)
        return fits_a;
    fits_a = of_a->label == policy_of(&a->source)->label;
    fits_b = of_b->label == policy_of(&b->source)->label;
    if (a->is_usable && fits_a != fits_b)
        return fits_a;
    if (of_a->precedence != of_b->precedence)
        return of_a->precedence > of_b->precedence;
    return scope_a < scope_b;
}
