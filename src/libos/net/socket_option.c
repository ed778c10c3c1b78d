/* Options of sockets of any protocol. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>

#include "libos/net/socket.h"

#define NS 1000000000UL

/* As elsewhere, what is longer is taken for what its beginning says. */
int socket_read_int(const void *value, socklen_t size, int least, int most, int *number)
{
    int said;

    if (size < sizeof said)
        return -EINVAL;
    memcpy(&said, value, sizeof said);
    if (said < least || said > most)
        return -EINVAL;
    *number = said;
    return 0;
}

int socket_read_flag(const void *value, socklen_t size, bool *flag)
{
    int number, error = socket_read_int(value, size, INT_MIN, INT_MAX, &number);

    if (!error)
        *flag = number != 0;
    return error;
}

int socket_read_linger(const void *value, socklen_t size, struct linger *linger)
{
    if (size < sizeof *linger)
        return -EINVAL;
    memcpy(linger, value, sizeof *linger);
    linger->l_onoff = linger->l_onoff != 0;
    linger->l_linger = linger->l_linger < 0 ? 0 : linger->l_linger;
    return 0;
}

/* Those of IPPROTO_IP may be one byte. */
static int read_byte(int level, const void *value, socklen_t size, int least, int *number)
{
    if (level == IPPROTO_IP && size >= 1 && size < sizeof *number) {
        *number = *(const uint8_t *)value;
        return *number < least ? -EINVAL : 0;
    }
    int error = socket_read_int(value, size, -1, UINT8_MAX, number);
    return !error && *number >= 0 && *number < least ? -EINVAL : error;
}

static int read_time(const void *value, socklen_t size, uint64_t *ns)
{
    struct timeval time;

    if (size < sizeof time)
        return -EINVAL;
    memcpy(&time, value, sizeof time);
    if (time.tv_sec < 0 || time.tv_usec < 0 || time.tv_usec >= 1000000)
        return -EDOM;
    if ((uint64_t)time.tv_sec > UINT64_MAX / NS - 1)
        *ns = 0; /* as good as for ever */
    else
        *ns = (uint64_t)time.tv_sec * NS + (uint64_t)time.tv_usec * 1000;
    return 0;
}

static int set_v6_only(struct socket *s, const void *value, socklen_t size)
{
    bool flag;
    int error = socket_read_flag(value, size, &flag);

    if (!error && s->own.port)
        return -EINVAL; /* too late: its port was taken for the one or for both */
    s->six_only = error ? s->six_only : flag;
    return error;
}

/* Both families have the one field for each. -1 means the default. */
int socket_set_ip(struct socket *s, int level, int option, const void *value, socklen_t size,
                  uint8_t kept_service)
{
    bool is_six = level == IPPROTO_IPV6;
    int number, error;

    if (is_six ? !s->is_six : level != IPPROTO_IP)
        return -ENOPROTOOPT;
    if (is_six && option == IPV6_V6ONLY)
        return set_v6_only(s, value, size);
    if (option == (is_six ? IPV6_UNICAST_HOPS : IP_TTL)) {
        error = read_byte(level, value, size, is_six ? 0 : 1, &number);
        s->ttl = error ? s->ttl : number < 0 ? SOCKET_TTL : (uint8_t)number;
        return error;
    }
    if (option != (is_six ? IPV6_TCLASS : IP_TOS))
        return -ENOPROTOOPT;
    error = read_byte(level, value, size, 0, &number);
    number = number < 0 ? 0 : number;
    if (!error)
        s->tos = (uint8_t)((s->tos & kept_service) | (number & ~kept_service));
    return error;
}

int socket_set(struct socket *s, int level, int option, const void *value, socklen_t size)
{
    int error = s->protocol->set ? s->protocol->set(s, level, option, value, size) : -ENOPROTOOPT;

    if (error != -ENOPROTOOPT)
        return error;
    if (level != SOL_SOCKET && s->protocol->family)
        return -EOPNOTSUPP;
    if (level != SOL_SOCKET)
        return socket_set_ip(s, level, option, value, size, 0);
    switch (option) {
    case SO_BROADCAST:
        return socket_read_flag(value, size, &s->broadcast);
    case SO_RCVTIMEO:
        return read_time(value, size, &s->receive_ns);
    case SO_SNDTIMEO:
        return read_time(value, size, &s->send_ns);
    default:
        return -ENOPROTOOPT;
    }
}

int socket_write_value(void *value, socklen_t *size, const void *from, socklen_t has)
{
    if (*size > has)
        *size = has;
    memcpy(value, from, *size);
    return 0;
}

static int write_time(void *value, socklen_t *size, uint64_t ns)
{
    struct timeval time = {(time_t)(ns / NS), (suseconds_t)(ns % NS / 1000)};
    return socket_write_value(value, size, &time, sizeof time);
}

/* What there is by now: the protocol may have heard of it only when it was asked. */
static int take_error(struct socket *s, void *value, socklen_t *size)
{
    int error = s->error;

    s->error = 0;
    return socket_write_value(value, size, &error, sizeof error);
}

int socket_get(struct socket *s, int level, int option, void *value, socklen_t *size)
{
    const struct {
        int level, option, number;
    } numbers[] = {
        {SOL_SOCKET, SO_TYPE, s->protocol->type},
        {SOL_SOCKET, SO_PROTOCOL, s->protocol->number},
        {SOL_SOCKET, SO_DOMAIN,
         s->protocol->family ? s->protocol->family
         : s->is_six         ? AF_INET6
                             : AF_INET},
        {SOL_SOCKET, SO_BROADCAST, s->broadcast},
        {SOL_SOCKET, SO_ACCEPTCONN, 0},
        {IPPROTO_IP, IP_TTL, s->ttl},
        {IPPROTO_IP, IP_TOS, s->tos},
        {IPPROTO_IPV6, IPV6_V6ONLY, s->six_only},
        {IPPROTO_IPV6, IPV6_UNICAST_HOPS, s->ttl},
        {IPPROTO_IPV6, IPV6_TCLASS, s->tos},
    };

    if (*size > INT_MAX) /* POSIX's may be negative */
        return -EINVAL;
    if (level != SOL_SOCKET && s->protocol->family)
        return -EOPNOTSUPP;
    if (level == IPPROTO_IPV6 && !s->is_six)
        return -ENOPROTOOPT;
    int error = s->protocol->get ? s->protocol->get(s, level, option, value, size) : -ENOPROTOOPT;
    if (error != -ENOPROTOOPT)
        return error;
    if (level == SOL_SOCKET && option == SO_ERROR)
        return take_error(s, value, size);
    if (level == SOL_SOCKET && option == SO_RCVTIMEO)
        return write_time(value, size, s->receive_ns);
    if (level == SOL_SOCKET && option == SO_SNDTIMEO)
        return write_time(value, size, s->send_ns);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].level == level && numbers[i].option == option)
            return socket_write_value(value, size, &numbers[i].number, sizeof numbers[i].number);
    return -ENOPROTOOPT;
}
