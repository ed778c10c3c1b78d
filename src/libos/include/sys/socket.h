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
#define AF_UNIX   1 /* of socketpair alone */
#define AF_LOCAL  AF_UNIX
#define AF_INET   2
#define AF_INET6  10
#define PF_UNSPEC AF_UNSPEC
#define PF_UNIX   AF_UNIX
#define PF_LOCAL  AF_UNIX
#define PF_INET   AF_INET
#define PF_INET6  AF_INET6

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3      /* there are none of it, */
#define SOCK_SEQPACKET 5      /* or of it */
#define SOCK_NONBLOCK  0x4000 /* with the type: as O_NONBLOCK */
#define SOCK_CLOEXEC   0x8000 /* with the type: as FD_CLOEXEC */

#define MSG_OOB      0x01 /* refused: there is no urgent data */
#define MSG_PEEK     0x02
#define MSG_CTRUNC   0x08 /* out: there was no room for all of msg_control */
/* In: the datagram's length, however short the buffer; of a stream: its bytes are thrown away. Out:
 * a datagram was cut. */
#define MSG_TRUNC    0x20
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
    void *msg_control; /* NULL, or room for struct cmsghdr, aligned as that is */
    socklen_t msg_controllen;
    int msg_flags;
};

/* What goes along with a message: each of these begins at a multiple of 8 (RFC 3542, 20.2). */
struct cmsghdr {
    socklen_t cmsg_len; /* with its data: CMSG_LEN */
    int cmsg_level, cmsg_type;
};

#define CMSG_ALIGN(size)   (((size) + 7) & ~(size_t)7)
#define CMSG_SPACE(size)   (CMSG_ALIGN(sizeof(struct cmsghdr)) + CMSG_ALIGN(size))
#define CMSG_LEN(size)     (CMSG_ALIGN(sizeof(struct cmsghdr)) + (size))
#define CMSG_DATA(control) ((unsigned char *)(control) + CMSG_ALIGN(sizeof(struct cmsghdr)))
#define CMSG_FIRSTHDR(message)                                                                     \
    ((message)->msg_controllen >= sizeof(struct cmsghdr)                                           \
         ? (struct cmsghdr *)(message)->msg_control                                                \
         : (struct cmsghdr *)0)
#define CMSG_NXTHDR(message, control) exos_cmsg_next(message, control)

/* The one behind it, or NULL; the first one if it is NULL. */
static inline struct cmsghdr *exos_cmsg_next(const struct msghdr *message, struct cmsghdr *control)
{
    if (!control)
        return CMSG_FIRSTHDR(message);
    size_t at = (size_t)((unsigned char *)control - (unsigned char *)message->msg_control);
    size_t next = at + CMSG_ALIGN(control->cmsg_len);
    if (control->cmsg_len < sizeof *control || next + sizeof *control > message->msg_controllen)
        return NULL;
    return (struct cmsghdr *)((unsigned char *)message->msg_control + next);
}

int socket(int domain, int type, int protocol);

/* Two connected sockets of AF_UNIX and SOCK_STREAM, of this process and its children. */
int socketpair(int domain, int type, int protocol, int fds[2]);

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
