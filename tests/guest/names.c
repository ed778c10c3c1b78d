/*
 * Names that need no server, by the functions of before getaddrinfo: hosts, services, protocols,
 * and interfaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "libos/start/start.h"
#include "test.h"

static void hosts_are_found_by_name_and_number(void)
{
    const uint8_t here[] = {127, 0, 0, 1}, there[] = {10, 0, 2, 2};
    struct hostent *h = gethostbyname("localhost");

    CHECK(h);
    CHECK(!strcmp(h->h_name, "localhost"));
    CHECK_EQ(h->h_addrtype, AF_INET);
    CHECK_EQ(h->h_length, 4);
    CHECK(!memcmp(h->h_addr, here, sizeof here));
    CHECK(!h->h_addr_list[1] && !h->h_aliases[0]);
    CHECK(h = gethostbyname("10.0.2.2"));
    CHECK(!memcmp(h->h_addr, there, sizeof there));
    CHECK(h = gethostbyname2("localhost", AF_INET6));
    CHECK_EQ(h->h_length, 16);
    CHECK(!memcmp(h->h_addr, &in6addr_loopback, 16));
    CHECK(h = gethostbyname(h->h_name)); /* its own memory */
    CHECK(!strcmp(h->h_name, "localhost"));
}

static void what_is_no_host_says_why(void)
{
    static char longer[300];

    memset(longer, 'a', sizeof longer - 1);
    CHECK(!gethostbyname(longer));
    CHECK_EQ(h_errno, HOST_NOT_FOUND);
    h_errno = 0;
    CHECK(!gethostbyname2("localhost", AF_UNSPEC));
    CHECK_EQ(h_errno, NO_RECOVERY);
    h_errno = 0;
    CHECK(!gethostbyaddr("\177\0\0\1", 5, AF_INET));
    CHECK_EQ(h_errno, NO_RECOVERY);
    CHECK(strcmp(hstrerror(HOST_NOT_FOUND), hstrerror(NO_RECOVERY)) != 0);
    CHECK(hstrerror(-7));
}

static void services_and_protocols_are_known(void)
{
    struct servent *s = getservbyname("domain", "udp");

    CHECK(s && !strcmp(s->s_proto, "udp") && !s->s_aliases[0]);
    CHECK_EQ(ntohs((uint16_t)s->s_port), 53);
    CHECK(s = getservbyname("domain", NULL));
    CHECK(!strcmp(s->s_proto, "tcp"));
    CHECK(!getservbyname("tftp", "tcp"));
    CHECK(!getservbyname("no such", NULL));
    CHECK(s = getservbyport(htons(69), NULL));
    CHECK(!strcmp(s->s_name, "tftp") && !strcmp(s->s_proto, "udp"));
    CHECK(!getservbyport(htons(69), "sctp"));
    CHECK_EQ(getprotobyname("tcp")->p_proto, IPPROTO_TCP);
    CHECK(!strcmp(getprotobynumber(IPPROTO_ICMPV6)->p_name, "ipv6-icmp"));
    CHECK(!getprotobyname("no such") && !getprotobynumber(255));
}

static void interfaces_have_names_and_numbers(void)
{
    unsigned count = aegis_info()->netif_count + 1, seen = 0;
    struct if_nameindex *list = if_nameindex();
    char name[IF_NAMESIZE];

    CHECK(list);
    for (const struct if_nameindex *i = list; i->if_index; i++, seen++) {
        CHECK_EQ(if_nametoindex(i->if_name), i->if_index);
        CHECK(!strcmp(if_indextoname(i->if_index, name), i->if_name));
    }
    CHECK_EQ(seen, count);
    CHECK_EQ(if_nametoindex("lo"), count);
    if_freenameindex(list);
    errno = 0;
    CHECK(!if_nametoindex("eth0") && errno == ENODEV);
    CHECK(!if_indextoname(0, name) && errno == ENXIO);
    CHECK(!if_indextoname(count + 1, name));
}

static void zones_are_interfaces_by_name_too(void)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;

    CHECK_EQ(getaddrinfo("fe80::2%lo", "7", &hints, &found), 0);
    CHECK_EQ(((struct sockaddr_in6 *)found->ai_addr)->sin6_scope_id, if_nametoindex("lo"));
    freeaddrinfo(found);
    CHECK_EQ(getaddrinfo("fe80::2%eth0", "7", &hints, &found), EAI_NONAME);
    CHECK_EQ(getaddrinfo("fec0::2%lo", "7", &hints, &found), EAI_NONAME);
}

int main(void)
{
    hosts_are_found_by_name_and_number();
    what_is_no_host_says_why();
    services_and_protocols_are_known();
    interfaces_have_names_and_numbers();
    zones_are_interfaces_by_name_too();
    return 0;
}
