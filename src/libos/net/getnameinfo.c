#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "libos/net/inet6.h"
#include "libos/net/names.h"
#include "libos/net/resolve.h"

#define FLAGS (NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN | NI_NAMEREQD | NI_DGRAM)

/* Address and port (host byte order) of a socket address; 0 or EAI_FAMILY. */
static int read_end(const struct sockaddr *address, socklen_t size, struct resolve_address *a,
                    uint16_t *port)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    memset(a, 0, sizeof *a);
    if (size >= sizeof in && address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        a->size = 4;
        memcpy(a->bytes, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
        return 0;
    }
    if (size < sizeof in6 || address->sa_family != AF_INET6)
        return EAI_FAMILY;
    memcpy(&in6, address, sizeof in6);
    a->size = 16;
    memcpy(a->bytes, &in6.sin6_addr, 16);
    a->zone = in6.sin6_scope_id;
    *port = ntohs(in6.sin6_port);
    return 0;
}

static int put(const char *text, char *to, socklen_t size)
{
    if (strlen(text) >= size)
        return EAI_OVERFLOW;
    strcpy(to, text);
    return 0;
}

static int put_host(const struct resolve_address *a, char *host, socklen_t size, int flags)
{
    char text[DNS_NAME_MAX];

    if (!(flags & NI_NUMERICHOST)) {
        int error = resolve_address(a, text);
        if (!error)
            return put(text, host, size);
        if (flags & NI_NAMEREQD)
            return error;
    } else if (flags & NI_NAMEREQD) {
        return EAI_BADFLAGS;
    }
    if (a->size == 4)
        snprintf(text, sizeof text, "%u.%u.%u.%u", a->bytes[0], a->bytes[1], a->bytes[2],
                 a->bytes[3]);
    else
        inet6_write(a->bytes, text);
    if (a->zone)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%%%u", (unsigned)a->zone);
    return put(text, host, size);
}

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                char *service, socklen_t service_size, int flags)
{
    struct resolve_address a;
    uint16_t port = 0;
    char number[6];
    bool wants_host = host && host_size, wants_service = service && service_size;

    if (flags & ~FLAGS)
        return EAI_BADFLAGS;
    if (!wants_host && !wants_service)
        return EAI_NONAME;
    int error = read_end(address, size, &a, &port);
    if (!error && wants_host)
        error = put_host(&a, host, host_size, flags);
    if (error || !wants_service)
        return error;
    const char *name = flags & NI_NUMERICSERV ? NULL : names_service(port, flags & NI_DGRAM);
    snprintf(number, sizeof number, "%u", port);
    return put(name ? name : number, service, service_size);
}

const char *gai_strerror(int error)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {0, "Success"},
        {EAI_BADFLAGS, "Flags that don't exist or don't go together"},
        {EAI_NONAME, "Name or service not known"},
        {EAI_AGAIN, "No name server answers now"},
        {EAI_FAIL, "The name server can't answer"},
        {EAI_FAMILY, "Address family not supported"},
        {EAI_SOCKTYPE, "Socket type not supported"},
        {EAI_SERVICE, "Service not known for this socket type"},
        {EAI_MEMORY, "Out of memory"},
        {EAI_SYSTEM, "System error"},
        {EAI_OVERFLOW, "The result doesn't fit the buffer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].error == error)
            return rows[i].text;
    return "Unknown error";
}
