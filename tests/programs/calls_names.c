/* Addresses as text, and names that need no name server. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"

static void numbers(void)
{
    static const char *const forms[] = {
        "1.2.3.4",
        "1.2.3",
        "1.2",
        "1",
        "127.1",
        "1.2.65535",
        "1.2.65536",
        "1.16777215",
        "1.16777216",
        "4294967295",
        "4294967296",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.01",
        "08.1.1.1",
        "1.2.3.256",
        "1.2.3.0400",
        "1.2.3.0377",
        "1..2",
        ".1",
        "1.",
        "1.2.3.",
        "1.2.3.4.",
        "1.2.3.4.5",
        "",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4 tail",
        "1.2.3.4x",
        "1.2.3.4\n",
        "-1.2.3.4",
        "+1.2.3.4",
        "0x.1",
        "0x",
        "0",
        "00",
        "1.2.3.-4",
        "0x1.0x2.0x3.0x4",
        "0xff.0xffffff",
        "0xg",
        "256.1",
        "1.256.1",
        "99999999999999999999",
        "0xfffffffff",
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const struct in_addr none = {0x55555555};
        struct in_addr address = none, plain = none;
        int is_one = inet_aton(forms[i], &address), is_plain = inet_pton(AF_INET, forms[i], &plain);
        printf("numbers: \"%.*s\": %d %08x, inet_addr %08x, inet_pton %d %08x\n",
               (int)strcspn(forms[i], "\n"), forms[i], is_one, (unsigned)ntohl(address.s_addr),
               (unsigned)ntohl(inet_addr(forms[i])), is_plain, (unsigned)ntohl(plain.s_addr));
    }
}

static void texts(void)
{
    struct in6_addr six;
    struct in_addr four = {htonl(0xc0000201)};
    char text[INET6_ADDRSTRLEN];

    calls_begin("texts");
    TELL(inet_pton(AF_INET6, "2001::1", &six));
    TELL(inet_ntop(AF_INET, &four, text, sizeof text) != NULL);
    TELL(strcmp(text, "192.0.2.1"));
    TELL(strcmp(inet_ntoa(four), "192.0.2.1"));
    TRY(inet_ntop(AF_INET, &four, text, 9) ? 0 : -1);
    TRY(inet_ntop(AF_INET, &four, text, 10) ? 0 : -1);
    TRY(inet_ntop(77, &four, text, sizeof text) ? 0 : -1);
    TRY(inet_pton(77, "1.2.3.4", &four));
    TRY(inet_ntop(AF_INET6, &six, text, 8) ? 0 : -1);
    TRY(inet_ntop(AF_INET6, &six, text, 9) ? 0 : -1);
    TELL(strcmp(text, "2001::1"));
    TELL(INET_ADDRSTRLEN);
    TELL(INET6_ADDRSTRLEN);
    TELL(ntohl(inet_addr("255.255.255.255")) == INADDR_NONE);
}

static const char *said(int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {{0, "found"},
                 {EAI_BADFLAGS, "EAI_BADFLAGS"},
                 {EAI_NONAME, "EAI_NONAME"},
                 {EAI_FAMILY, "EAI_FAMILY"},
                 {EAI_SERVICE, "EAI_SERVICE"},
                 {EAI_SOCKTYPE, "EAI_SOCKTYPE"},
                 {EAI_OVERFLOW, "EAI_OVERFLOW"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            return names[i].name;
    return "another";
}

/* Answers with their order, types and ports. */
static void look_up(const char *node, const char *service, struct addrinfo hints)
{
    struct addrinfo *list = NULL;
    char host[64] = "", port[16] = "";

    int error = getaddrinfo(node, service, &hints, &list);
    printf("getaddrinfo: %s %s flags %x type %d = %s\n", node ? node : "-", service ? service : "-",
           (unsigned)hints.ai_flags, hints.ai_socktype, said(error));
    for (const struct addrinfo *i = error ? NULL : list; i; i = i->ai_next) {
        getnameinfo(i->ai_addr, i->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        printf("getaddrinfo: %s port %s stream %d datagram %d protocol %d length %d name %s\n",
               host, port, i->ai_socktype == SOCK_STREAM, i->ai_socktype == SOCK_DGRAM,
               i->ai_protocol, i->ai_addrlen == sizeof(struct sockaddr_in),
               i->ai_canonname ? i->ai_canonname : "-");
    }
    if (!error)
        freeaddrinfo(list);
}

static void hosts(void)
{
    const struct addrinfo any = {.ai_family = AF_INET,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo hints = any;

    look_up("192.0.2.7", "80", any);
    look_up("127.1", "7", any);
    look_up("0x7f.1", NULL, any);
    look_up("host.invalid.", "80", any);
    look_up("192.0.2.7", "http", any);
    look_up(NULL, NULL, any);
    look_up(NULL, "80", any);
    hints.ai_socktype = SOCK_STREAM;
    look_up("192.0.2.7", "80", hints);
    hints.ai_protocol = IPPROTO_UDP;
    look_up("192.0.2.7", "80", hints);
    hints = any;
    hints.ai_protocol = IPPROTO_UDP;
    look_up("192.0.2.7", "80", hints);
    hints = any;
    hints.ai_flags |= AI_PASSIVE;
    hints.ai_socktype = SOCK_DGRAM;
    look_up(NULL, "80", hints);
    look_up("192.0.2.7", "80", hints);
    hints = any;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags |= AI_CANONNAME;
    look_up("192.0.2.7", "80", hints);
    look_up(NULL, "80", hints);
    hints.ai_socktype = 77;
    hints.ai_flags = 0;
    look_up("192.0.2.7", "80", hints);
    hints = any;
    hints.ai_family = 77;
    look_up("192.0.2.7", "80", hints);
    hints = any;
    hints.ai_flags = 0x40000000;
    look_up("192.0.2.7", "80", hints);
    hints = any;
}

static void back(void)
{
    struct sockaddr_in address = calls_address(7);
    const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
    char host[64], port[16];

    calls_begin("getnameinfo");
    TELL(getnameinfo(P(address), sizeof address, host, sizeof host, port, sizeof port, numeric));
    TELL(strcmp(host, "127.0.0.1") || strcmp(port, "7"));
    TELL(getnameinfo(P(address), sizeof address, host, 9, NULL, 0, numeric) == EAI_OVERFLOW);
    TELL(getnameinfo(P(address), 3, host, sizeof host, NULL, 0, numeric) == EAI_FAMILY);
    address.sin_family = 77;
    TELL(getnameinfo(P(address), sizeof address, host, sizeof host, NULL, 0, numeric) ==
         EAI_FAMILY);
}

void calls_names(void)
{
    numbers();
    texts();
    hosts();
    back();
}
