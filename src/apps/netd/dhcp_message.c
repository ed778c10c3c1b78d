#include "dhcp_message.h"

#include <string.h>

#include "libos/net/datagram.h"
#include "libos/net/dns.h"

#define SERVER 67 /* its port */

/* In the message: BOOTP's fields (RFC 951), the cookie, options. */
#define AT_OP         0
#define AT_HTYPE      1
#define AT_HLEN       2
#define AT_XID        4
#define AT_SECS       8
#define AT_CIADDR     12
#define AT_YIADDR     16
#define AT_CHADDR     28
#define AT_SNAME      44
#define AT_FILE       108
#define AT_COOKIE     236
#define AT_OPTIONS    240
#define LEAST         300 /* bytes that some servers and relays want (RFC 1542, 2.1) */
#define SECONDS_LEAST 4   /* of a lease: a shorter one would be asked for all the time */
#define QUESTION      1   /* op */
#define ANSWER        2
#define ETHERNET      1
#define COOKIE        0x63825363

/* Options. */
#define PAD       0
#define NETMASK   1
#define ROUTER    3
#define DNS       6
#define DOMAIN    15
#define REQUESTED 50
#define SECONDS   51
#define OVERLOAD  52
#define KIND      53
#define WHO       54 /* the server's identifier */
#define WANTED    55
#define RENEW     58
#define REBIND    59
#define SEARCH    119 /* RFC 3397 */
#define END       255

static uint8_t *put_number(uint8_t *to, uint8_t option, uint32_t value)
{
    *to++ = option;
    *to++ = 4;
    net_put32(to, value);
    return to + 4;
}

static size_t put_options(uint8_t *options, const struct dhcp *d, enum dhcp_kind kind)
{
    static const uint8_t wanted[] = {WANTED, 7,     NETMASK, ROUTER, DNS,
                                     DOMAIN, RENEW, REBIND,  SEARCH};
    uint8_t *to = options;

    *to++ = KIND;
    *to++ = 1;
    *to++ = (uint8_t)kind;
    if (d->state == DHCP_REQUESTING) {
        to = put_number(to, REQUESTED, d->offer.address);
        to = put_number(to, WHO, d->offer.server);
    }
    memcpy(to, wanted, sizeof wanted);
    to += sizeof wanted;
    *to++ = END;
    return (size_t)(to - options);
}

size_t dhcp_write(uint8_t *frame, const struct dhcp *d, enum dhcp_kind kind, uint16_t seconds)
{
    static const uint8_t everybody[6]
        __attribute__((aligned(2))) = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t own[6] __attribute__((aligned(2))), to[6] __attribute__((aligned(2)));
    uint8_t *message = frame + NET_DATAGRAM_HEADERS;
    struct net_datagram datagram = {.destination = UINT32_MAX,
                                    .source_port = NET_WIRE16(DHCP_CLIENT),
                                    .destination_port = NET_WIRE16(SERVER)};

    memset(message, 0, DHCP_FRAME - NET_DATAGRAM_HEADERS);
    message[AT_OP] = QUESTION;
    message[AT_HTYPE] = ETHERNET;
    message[AT_HLEN] = sizeof d->mac;
    net_put32(message + AT_XID, d->number);
    net_put16(message + AT_SECS, seconds);
    memcpy(message + AT_CHADDR, d->mac, sizeof d->mac);
    net_put32(message + AT_COOKIE, COOKIE);
    size_t size = AT_OPTIONS + put_options(message + AT_OPTIONS, d, kind);
    datagram.size = size < LEAST ? LEAST : size;
    memcpy(own, d->mac, sizeof own);
    memcpy(to, everybody, sizeof to);
    if (d->state >= DHCP_BOUND) {
        net_put32(message + AT_CIADDR, d->lease.address);
        datagram.source = __builtin_bswap32(d->lease.address);
    }
    if (d->state == DHCP_RENEWING) {
        datagram.destination = __builtin_bswap32(d->lease.server);
        memcpy(to, d->lease.server_mac, sizeof to);
    }
    return net_datagram_write(frame, &datagram, to, own, 64);
}

/* What the options say; each the first time, but for a list that is cut into several. */
struct said {
    uint8_t kind, overload;
    uint32_t numbers[END + 1]; /* of those with four bytes and more: the first four */
    uint8_t has[END + 1];
    const uint8_t *dns, *domain; /* NULL: none */
    uint8_t dns_size, domain_size;
    uint8_t search[2 * UINT8_MAX]; /* all of them, one behind the other (RFC 3396) */
    size_t search_size;
};

static void read_names(uint8_t option, const uint8_t *from, uint8_t size, struct said *said)
{
    if (option == DNS && !said->dns) {
        said->dns = from;
        said->dns_size = size;
    } else if (option == DOMAIN && !said->domain) {
        said->domain = from;
        said->domain_size = size;
    } else if (option == SEARCH && size <= sizeof said->search - said->search_size) {
        memcpy(said->search + said->search_size, from, size);
        said->search_size += size;
    }
}

/* Goes through an area of options; false if one reaches over its end. */
static bool read_area(const uint8_t *from, const uint8_t *end, struct said *said)
{
    while (from < end && *from != END) {
        uint8_t option = *from++;
        if (option == PAD)
            continue;
        if (from == end || *from > end - from - 1)
            return false;
        uint8_t size = *from++;
        if (size >= 4 && !said->has[option]) {
            said->has[option] = true;
            said->numbers[option] = net_get32(from);
        }
        read_names(option, from, size, said);
        if (size == 1 && option == KIND)
            said->kind = *from;
        if (size == 1 && option == OVERLOAD)
            said->overload = *from;
        from += size;
    }
    return true;
}

static bool read_options(const uint8_t *message, size_t size, struct said *said)
{
    memset(said, 0, sizeof *said);
    if (!read_area(message + AT_OPTIONS, message + size, said))
        return false;
    if (said->overload & 1 && !read_area(message + AT_FILE, message + AT_COOKIE, said))
        return false;
    return !(said->overload & 2) || read_area(message + AT_SNAME, message + AT_FILE, said);
}

/* One machine's address: not nobody's, a loop's, a group's or everybody's. */
static bool is_somebody(uint32_t address)
{
    uint32_t first = address >> 24;

    return first && first != 127 && first < 224;
}

static uint32_t mask_of(uint8_t prefix)
{
    return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

/* The mask's length; without a mask the class's (RFC 2131, 2.2 refers to RFC 950). 0: none. */
static uint8_t prefix_of(const struct said *said, uint32_t address)
{
    if (!said->has[NETMASK])
        return address >> 31 == 0 ? 8 : address >> 30 == 2 ? 16 : 24;
    for (uint8_t prefix = 1; prefix <= 32; prefix++)
        if (said->numbers[NETMASK] == mask_of(prefix))
            return prefix;
    return 0;
}

static void take_servers(const struct said *said, struct dhcp_lease *lease)
{
    size_t count = 0;

    for (size_t at = 0; at + 4 <= said->dns_size && count < DHCP_SERVERS; at += 4)
        if (is_somebody(net_get32(said->dns + at)))
            lease->dns[count++] = net_get32(said->dns + at);
}

/* The search list, or else the one domain, which is text; some servers end it by a zero. */
static void take_domains(const struct said *said, struct dhcp_lease *lease)
{
    static const char of_names[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    uint8_t question[DNS_QUESTION_MAX];
    char *domain = lease->search;

    dns_list(said->search, said->search_size, lease->search, sizeof lease->search);
    if (said->search_size || !said->domain)
        return;
    memcpy(domain, said->domain, said->domain_size);
    domain[said->domain_size] = 0;
    if (domain[strspn(domain, of_names)] || !dns_ask(question, 0, domain, DNS_A))
        domain[0] = 0;
}

/* A lease that can be used. */
static bool make_lease(const struct said *said, struct dhcp_lease *lease)
{
    uint32_t seconds = said->numbers[SECONDS];

    lease->prefix = prefix_of(said, lease->address);
    if (!is_somebody(lease->address) || !said->has[SECONDS] || seconds < SECONDS_LEAST ||
        !lease->prefix)
        return false;
    if (lease->prefix < 31 && (!(lease->address & ~mask_of(lease->prefix)) ||
                               !(~lease->address & ~mask_of(lease->prefix))))
        return false; /* the network's own, and everybody's in it */
    if (said->has[ROUTER] && is_somebody(said->numbers[ROUTER]) &&
        !((said->numbers[ROUTER] ^ lease->address) & mask_of(lease->prefix)))
        lease->router = said->numbers[ROUTER];
    take_servers(said, lease);
    take_domains(said, lease);
    lease->seconds = seconds;
    lease->renew = said->has[RENEW] ? said->numbers[RENEW] : seconds / 2;
    lease->rebind = said->has[REBIND] ? said->numbers[REBIND] : seconds - seconds / 8;
    if (!lease->renew || lease->rebind > seconds ||
        lease->renew > lease->rebind) { /* RFC 2131, 4.4.5: T1 before T2 before the end */
        lease->renew = seconds / 2;
        lease->rebind = seconds - seconds / 8;
    }
    return true;
}

/* Whether it answers our question. */
static bool is_for(const struct net_datagram *datagram, const struct dhcp *d)
{
    const uint8_t *message = datagram->payload;

    return datagram->source_port == NET_WIRE16(SERVER) &&
           datagram->destination_port == NET_WIRE16(DHCP_CLIENT) && datagram->size > AT_OPTIONS &&
           message[AT_OP] == ANSWER && message[AT_HTYPE] == ETHERNET &&
           message[AT_HLEN] == sizeof d->mac && net_get32(message + AT_XID) == d->number &&
           !memcmp(message + AT_CHADDR, d->mac, sizeof d->mac) &&
           net_get32(message + AT_COOKIE) == COOKIE;
}

enum dhcp_kind dhcp_read(const uint8_t *frame, size_t length, const struct dhcp *d,
                         struct dhcp_lease *lease)
{
    struct net_datagram datagram;
    struct said said;

    memset(lease, 0, sizeof *lease);
    if (!net_datagram_read(frame, length, &datagram) || !is_for(&datagram, d) ||
        !read_options(datagram.payload, datagram.size, &said) || !said.has[WHO])
        return DHCP_NONE;
    lease->server = said.numbers[WHO];
    if (said.kind == DHCP_NAK)
        return DHCP_NAK;
    if (said.kind != DHCP_OFFER && said.kind != DHCP_ACK)
        return DHCP_NONE;
    lease->address = net_get32(datagram.payload + AT_YIADDR);
    memcpy(lease->server_mac, frame + ETH_SOURCE, sizeof lease->server_mac);
    return make_lease(&said, lease) ? (enum dhcp_kind)said.kind : DHCP_NONE;
}
