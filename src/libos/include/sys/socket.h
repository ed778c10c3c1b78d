/* POSIX sys/socket.h: sockets of the Internet (libos/net/socket.h says what there is). */
#ifndef EXOS_SYS_SOCKET_H
#define EXOS_SYS_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef uint32_t socklen_t;
typedef uint16_t sa_family_t;

#define AF_UNSPEC 0
#define AF_INET   2
#define AF_INET6  10
#define PF_UNSPEC AF_UNSPEC
#define PF_INET   AF_INET
#define PF_INET6  AF_INET6

#define SOCK_STREAM   1
#define SOCK_DGRAM    2
#define SOCK_NONBLOCK 0x4000 /* with the type: as O_NONBLOCK */
#define SOCK_CLOEXEC  0x8000 /* with the type: as FD_CLOEXEC */

#define MSG_OOB      0x01 /* refused: there is no urgent data */
#define MSG_PEEK     0x02
#define MSG_TRUNC    0x20 /* in: the datagram's length, however short the buffer; out: it was cut */
#define MSG_DONTWAIT 0x40
#define MSG_WAITALL  0x100 /* of a stream: the whole vector, unless it ends or something happens */
#define MSG_NOSIGNAL 0x4000

#define SOL_SOCKET    1
#define SO_REUSEADDR  2
#define SO_TYPE       3
#define SO_ERROR      4
#define SO_BROADCAST  6
#define SO_SNDBUF     7
#define SO_RCVBUF     8
#define SO_KEEPALIVE  9
#define SO_LINGER     13 /* struct linger */
#define SO_RCVTIMEO   20 /* struct timeval; zero: for ever */
#define SO_SNDTIMEO   21
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL   38
#define SO_DOMAIN     39

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2

#define SOMAXCONN 128

struct sockaddr {
    sa_family_t sa_family;
    char sa_data[14];
};

struct linger {
    int l_onoff;  /* whether close waits for what isn't acknowledged yet, */
    int l_linger; /* for so many seconds at most; 0: it resets the connection */
};

/* Room for an address of any family, and aligned for it. */
struct sockaddr_storage {
    sa_family_t ss_family;
    uint64_t ss_space[15];
};

struct msghdr {
    void *msg_name;
    socklen_t msg_namelen;
    struct iovec *msg_iov;
    int msg_iovlen;
    void *msg_control; /* there is none */
    socklen_t msg_controllen;
    int msg_flags;
};

int socket(int domain, int type, int protocol);
int bind(int fd, const struct sockaddr *address, socklen_t size);
int listen(int fd, int backlog);
int accept(int fd, struct sockaddr *address, socklen_t *size);
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags); /* SOCK_NONBLOCK... */
int connect(int fd, const struct sockaddr *address, socklen_t size);
ssize_t send(int fd, const void *bytes, size_t count, int flags);
ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *address,
               socklen_t size);
ssize_t sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t recv(int fd, void *bytes, size_t count, int flags);
ssize_t recvfrom(int fd, void *bytes, size_t count, int flags, struct sockaddr *address,
                 socklen_t *size);
ssize_t recvmsg(int fd, struct msghdr *message, int flags);
int shutdown(int fd, int how);
int getsockname(int fd, struct sockaddr *address, socklen_t *size);
int getpeername(int fd, struct sockaddr *address, socklen_t *size);
int getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int setsockopt(int fd, int level, int option, const void *value, socklen_t size);

#endif
