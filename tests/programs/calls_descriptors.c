/* Descriptors that are none, or no sockets; and what makes sockets. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"

static void on_wrong(int fd)
{
    struct sockaddr_in address = calls_address(9);
    socklen_t size = sizeof address;
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    int number = 1;

    TRY(bind(fd, P(address), size));
    TRY(connect(fd, P(address), size));
    TRY(listen(fd, 1));
    TRY(accept(fd, NULL, NULL));
    TRY(send(fd, &byte, 1, 0));
    TRY(sendto(fd, &byte, 1, 0, P(address), size));
    TRY(sendmsg(fd, &message, 0));
    TRY(recv(fd, &byte, 1, 0));
    TRY(recvfrom(fd, &byte, 1, 0, P(address), &size));
    TRY(recvmsg(fd, &message, 0));
    TRY(shutdown(fd, SHUT_RDWR));
    TRY(shutdown(fd, 7));
    TRY(getsockname(fd, P(address), &size));
    TRY(getpeername(fd, P(address), &size));
    size = sizeof number;
    TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &size));
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &number, sizeof number));
}

static void kinds(void)
{
    calls_begin("socket");
    TRY(socket(9999, SOCK_STREAM, 0));
    TRY(socket(AF_UNSPEC, SOCK_STREAM, 0));
    TRY(socket(AF_INET, 77, 0));
    TRY(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    TRY(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    TRY(socket(AF_INET, SOCK_STREAM, 255));
    MAKES(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    MAKES(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
    MAKES(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/* Sockets as descriptors. */
static void as_files(void)
{
    struct stat status;
    char bytes[4];
    int number = -1;
    int fd = calls_socket(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NULL);

    calls_begin("as files");
    TRY(lseek(fd, 0, SEEK_SET));
    TRY(isatty(fd));
    TRY(fstat(fd, &status));
    TELL(S_ISSOCK(status.st_mode));
    TELL((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    TELL((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    TELL(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    number = 0;
    TRY(ioctl(fd, FIONBIO, &number));
    TELL((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    TRY(read(fd, bytes, sizeof bytes));
    int other = dup(fd);
    TRY(close(fd));
    TRY(getpeername(fd, NULL, NULL));
    TRY(listen(other, 1));
    TRY(close(other));
    TRY(listen(other, 1));

    int ends[2];
    calls_pair_of_datagrams(ends);
    TRY(ioctl(ends[1], FIONREAD, &number));
    TELL(number);
    TRY(write(ends[0], "abcdef", 6));
    TRY(write(ends[0], "", 0));
    calls_await(ends[1], 1);
    TRY(ioctl(ends[1], FIONREAD, &number));
    TELL(number);
    TRY(read(ends[1], bytes, sizeof bytes));
    TRY(recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT)); /* the empty one */
    TRY(recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT));
    close(ends[0]), close(ends[1]);
}

void calls_descriptors(void)
{
    int pipes[2];

    calls_begin("no descriptor");
    on_wrong(-1);
    calls_begin("a closed one");
    int fd = dup(0);
    close(fd);
    on_wrong(fd);
    calls_begin("a pipe");
    if (pipe(pipes))
        return;
    on_wrong(pipes[1]);
    close(pipes[0]), close(pipes[1]);
    kinds();
    as_files();
}
