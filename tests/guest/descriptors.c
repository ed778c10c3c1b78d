/* Descriptors, files of the initial RAM disk and streams over them, as POSIX has them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/cpio.h"
#include "libos/proc/part.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define FILE_NAME "descriptors" /* this program, which its archive holds */
#define MOST      4096          /* descriptors of a process */

#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, (error));                                                                  \
    } while (0)

static struct cpio_entry whole; /* the file's bytes */

static uint32_t random_below(uint32_t bound)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % bound;
}

static void files_are_read_where_the_offset_says(void)
{
    char bytes[3000];
    int fd = open("/" FILE_NAME, O_RDONLY);
    CHECK_EQ(fd, 3);
    off_t at = 0;
    for (int round = 0; round < 300; round++) {
        size_t want = random_below(sizeof bytes);
        if (random_below(3) == 0) {
            at = (off_t)random_below(whole.size + 100);
            CHECK_EQ(lseek(fd, at, SEEK_SET), at);
        }
        size_t left = (size_t)at < whole.size ? whole.size - (size_t)at : 0;
        size_t wanted = want < left ? want : left;
        CHECK_EQ(read(fd, bytes, want), wanted);
        CHECK(!memcmp(bytes, whole.data + at, wanted));
        at += (off_t)wanted;
        CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
    }
    CHECK_EQ(lseek(fd, -4, SEEK_END), whole.size - 4);
    CHECK_EQ(read(fd, bytes, 100), 4);
    CHECK_EQ(read(fd, bytes, 100), 0);
    CHECK_EQ(pread(fd, bytes, 16, 8), 16);
    CHECK(!memcmp(bytes, whole.data + 8, 16));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), whole.size);
    CHECK_FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_FAILS(lseek(fd, INT64_MAX, SEEK_END), EINVAL);
    CHECK_FAILS(lseek(fd, 0, 9), EINVAL);
    CHECK_FAILS(write(fd, "x", 1), EBADF);
    CHECK_EQ(close(fd), 0);
    CHECK_FAILS(read(fd, bytes, 1), EBADF);
}

static void names_are_found_or_refused(void)
{
    struct stat status;
    CHECK_FAILS(open("absent", O_RDONLY), ENOENT);
    CHECK_FAILS(open("", O_RDONLY), ENOENT);
    CHECK_FAILS(open("absent", O_WRONLY | O_CREAT, 0666), EROFS);
    CHECK_FAILS(open(FILE_NAME, O_RDWR), EROFS);
    CHECK_FAILS(open(FILE_NAME, O_RDONLY | O_CREAT | O_EXCL, 0666), EEXIST);
    CHECK_FAILS(open(FILE_NAME, O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_FAILS(open("/", O_RDWR), EISDIR);
    CHECK_FAILS(open("/dev/fd/99", O_RDONLY), ENXIO);
    CHECK_FAILS(unlink(FILE_NAME), EROFS);
    CHECK_FAILS(unlink("absent"), ENOENT);
    CHECK_EQ(stat("./" FILE_NAME, &status), 0);
    CHECK(S_ISREG(status.st_mode) && status.st_size == (off_t)whole.size);
    CHECK_EQ(stat("/", &status), 0);
    CHECK(S_ISDIR(status.st_mode));
    CHECK_EQ(stat("/dev/null", &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(access(FILE_NAME, R_OK | X_OK), 0);
    CHECK_FAILS(access(FILE_NAME, W_OK), EROFS);
    int fd = open("/dev/null", O_RDWR);
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(write(fd, "gone", 4), 4);
    CHECK_FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
    CHECK_FAILS(ioctl(fd, TIOCGWINSZ, &byte), ENOTTY);
    CHECK_EQ(isatty(fd), 0);
    CHECK_EQ(close(fd), 0);
}

/* Random dup, dup2, dup3, fcntl and close, against an array that says which object and flag each
 * number has. */
static void numbers_are_the_lowest_free(void)
{
    enum { NUMBERS = 64 };
    struct {
        int object, descriptor;
    } model[NUMBERS] = {{1, 0}, {2, 0}, {2, 0}};
    int two[2] = {open(FILE_NAME, O_RDONLY), open(FILE_NAME, O_RDONLY | O_CLOEXEC)};
    off_t offset[5] = {0};
    for (int i = 0; i < 2; i++)
        model[two[i]].object = 3 + i, model[two[i]].descriptor = i ? FD_CLOEXEC : 0;
    for (int round = 0; round < 4000; round++) {
        int from = 3 + (int)random_below(NUMBERS - 4), to = 3 + (int)random_below(NUMBERS - 4);
        int object = model[from].object, kind = (int)random_below(5), lowest = kind == 4 ? to : 0;
        while (lowest < NUMBERS && model[lowest].object)
            lowest++;
        if (lowest == NUMBERS && kind != 2)
            kind = 0;
        int got = kind == 0   ? close(from)
                  : kind == 1 ? dup(from)
                  : kind == 2 ? dup2(from, to)
                  : kind == 3 ? fcntl(from, F_DUPFD_CLOEXEC, 0)
                              : fcntl(from, F_DUPFD, to);
        int number = kind == 0 ? 0 : kind == 2 ? to : lowest;
        CHECK_EQ(got, object ? number : -1);
        if (!object)
            continue;
        if (kind == 0)
            model[from].object = 0;
        else if (!(kind == 2 && from == to))
            model[number].object = object, model[number].descriptor = kind == 3 ? FD_CLOEXEC : 0;
        /* An offset is the object's, whichever number moves it. */
        if (kind && object >= 3)
            CHECK_EQ(lseek(number, 1, SEEK_CUR), ++offset[object]);
        if (kind)
            CHECK_EQ(fcntl(number, F_GETFD), model[number].descriptor);
    }
    for (int fd = 3; fd < NUMBERS; fd++)
        CHECK_EQ(close(fd), model[fd].object ? 0 : -1);
}

static void flags_are_the_objects(void)
{
    int fd = open("/dev/null", O_WRONLY), other = dup(fd);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK | O_RDWR), 0);
    CHECK_EQ(fcntl(other, F_GETFL), O_WRONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    CHECK_EQ(fcntl(other, F_GETFD), 0);
    CHECK_FAILS(fcntl(fd, 77, 0), EINVAL);
    CHECK_FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_FAILS(fcntl(fd, F_DUPFD, MOST), EINVAL);
    CHECK_FAILS(fcntl(99, F_GETFL), EBADF);
    CHECK_FAILS(dup2(fd, MOST), EBADF);
    CHECK_FAILS(dup2(fd, -1), EBADF);
    CHECK_FAILS(dup3(fd, fd, 0), EINVAL);
    CHECK_EQ(dup3(fd, 9, O_CLOEXEC), 9);
    CHECK_EQ(fcntl(9, F_GETFD), FD_CLOEXEC);
    CHECK(close(9) == 0 && close(fd) == 0 && close(other) == 0);
}

static void there_are_4096_descriptors(void)
{
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 3; i < MOST; i++)
            CHECK_EQ(i % 2 ? open("/dev/null", O_RDWR) : dup(i - 1), i);
        CHECK_FAILS(dup(5), EMFILE);
        CHECK_FAILS(open("/dev/null", O_RDWR), EMFILE);
        CHECK_FAILS(open(FILE_NAME, O_RDONLY), EMFILE);
        CHECK_EQ(write(MOST - 1, "x", 1), 1);
        CHECK_EQ(close(1000), 0);
        CHECK_EQ(dup(5), 1000);
        for (int i = 3; i < MOST; i++)
            CHECK_EQ(close(i), 0);
        if (round == 1) /* the heap has all the pages that it touches */
            before = aegis_env(exos.env)->pages;
    }
    CHECK_EQ(aegis_env(exos.env)->pages, before);
}

static void vectors_are_gathered_and_scattered(void)
{
    char a[5], b[1], c[4000];
    struct iovec in[] = {{a, sizeof a}, {b, sizeof b}, {NULL, 0}, {c, sizeof c}};
    int fd = open(FILE_NAME, O_RDONLY), null = open("/dev/null", O_WRONLY);
    CHECK_EQ(readv(fd, in, 4), 4006);
    CHECK(!memcmp(a, whole.data, 5) && b[0] == (char)whole.data[5] &&
          !memcmp(c, whole.data + 6, 4000));
    CHECK_EQ(writev(null, in, 2), 6);
    CHECK_EQ(writev(null, in, 4), 4006);
    CHECK_FAILS(writev(null, in, 0), EINVAL);
    CHECK_FAILS(writev(null, in, IOV_MAX + 1), EINVAL);
    in[0].iov_len = SIZE_MAX;
    CHECK_FAILS(readv(fd, in, 1), EINVAL);
    CHECK(close(fd) == 0 && close(null) == 0);
}

static void poll_says_what_is_ready(void)
{
    int fd = open(FILE_NAME, O_RDONLY);
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = -1, .events = POLLIN, .revents = 9},
                           {.fd = 1000, .events = POLLIN},
                           {.fd = fd, .events = 0}};
    CHECK_EQ(poll(fds, 4, -1), 2);
    CHECK(fds[0].revents == POLLIN && fds[1].revents == 0 && fds[2].revents == POLLNVAL &&
          fds[3].revents == 0);
    CHECK_FAILS(poll(fds, MOST + 1, 0), EINVAL);
    uint64_t before = time_now();
    CHECK_EQ(poll(NULL, 0, 30), 0);
    CHECK(time_now() >= before + time_from_ns(30000000));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    struct timeval none = {0};
    CHECK_EQ(select(fd + 1, &set, NULL, NULL, &none), 1);
    CHECK(FD_ISSET(fd, &set));
    FD_SET(60, &set);
    CHECK_FAILS(select(61, &set, NULL, NULL, &none), EBADF);
    CHECK_EQ(close(fd), 0);
}

/* Reading by characters, lines, blocks and seeks comes to the same bytes. */
static void streams_read_what_the_file_holds(void)
{
    static char bytes[9000];
    FILE *file = fopen(FILE_NAME, "rb");
    CHECK(file);
    long at = 0;
    for (int round = 0; round < 500; round++) {
        unsigned how = random_below(4), count = random_below(sizeof bytes);
        if (how == 0) {
            at = (long)random_below(whole.size);
            CHECK_EQ(fseek(file, at, SEEK_SET), 0);
        } else if (how == 1) {
            int c = getc(file);
            CHECK_EQ(c, at < (long)whole.size ? whole.data[at] : EOF);
            at += c != EOF;
            if (c != EOF && count % 2) {
                CHECK_EQ(ungetc(c, file), c);
                at--;
            }
        } else if (how == 2) {
            size_t left = whole.size - (size_t)at, wanted = count < left ? count : left;
            CHECK_EQ(fread(bytes, 1, count, file), wanted);
            CHECK(!memcmp(bytes, whole.data + at, wanted));
            at += (long)wanted;
        } else {
            CHECK_EQ(fseek(file, -at / 3, SEEK_CUR), 0);
            at -= at / 3;
        }
        CHECK_EQ(ftell(file), at);
    }
    CHECK_EQ(fseek(file, 0, SEEK_END), 0);
    CHECK(getc(file) == EOF && feof(file) && !ferror(file));
    CHECK_EQ(fputc('x', file), EOF);
    CHECK_EQ(fclose(file), 0);
    CHECK(!fopen("absent", "r") && errno == ENOENT);
    CHECK(!fopen(FILE_NAME, "q") && errno == EINVAL);
    CHECK(!fopen(FILE_NAME, "w") && errno == EROFS);
}

static void lines_are_read_whole(void)
{
    char *line = NULL;
    size_t size = 0, total = 0;
    FILE *file = fopen(FILE_NAME, "r");
    for (ssize_t got; (got = getline(&line, &size, file)) >= 0;) {
        CHECK(got > 0 && (line[got - 1] == '\n' || feof(file)));
        CHECK(!memchr(line, '\n', (size_t)got - 1));
        CHECK(!memcmp(line, whole.data + total, (size_t)got));
        total += (size_t)got;
    }
    CHECK_EQ(total, whole.size);
    free(line);
    CHECK_EQ(fclose(file), 0);
}

static void streams_and_descriptors_are_one(void)
{
    int fd = open(FILE_NAME, O_RDONLY);
    CHECK(!fdopen(fd, "w") && errno == EINVAL);
    CHECK(!fdopen(77, "r") && errno == EBADF);
    FILE *file = fdopen(fd, "r");
    CHECK_EQ(fileno(file), fd);
    CHECK_EQ(getc(file), whole.data[0]);
    CHECK_EQ(fflush(file), 0); /* gives back what was read ahead */
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
    CHECK_EQ(fclose(file), 0);
    CHECK_FAILS(close(fd), EBADF);
    CHECK_EQ(fileno(stdout), 1);
    CHECK(freopen(FILE_NAME, "r", stdin) == stdin);
    CHECK(fileno(stdin) == 0 && getchar() == whole.data[0]);
    CHECK(freopen("/dev/null", "r", stdin) == stdin && getchar() == EOF);
    CHECK_EQ(dprintf(open("/dev/null", O_WRONLY), "%d %s", 12, "abc"), 6);
    CHECK_EQ(close(3), 0);
    CHECK_EQ(fflush(NULL), 0);
}

/* /dev/null takes what is written, full descriptors are refused: a stream tells. */
static void writing_that_fails_is_told(void)
{
    FILE *file = fopen("/dev/null", "w");
    CHECK_EQ(fprintf(file, "%s %d", "text", 5), 6);
    CHECK_EQ(fwrite(whole.data, 1, 5000, file), 5000);
    CHECK_EQ(fflush(file), 0);
    CHECK_EQ(setvbuf(file, NULL, _IONBF, 0), 0);
    CHECK_EQ(close(fileno(file)), 0);
    CHECK_EQ(fputc('x', file), EOF);
    CHECK(ferror(file) && errno == EBADF);
    CHECK_EQ(fwrite("abc", 1, 3, file), 0);
    CHECK_EQ(fclose(file), EOF);
}

static void the_root_lists_the_archive(void)
{
    bool seen = false;
    unsigned entries = 0;
    DIR *directory = opendir("/");
    CHECK(directory);
    for (struct dirent *entry; (entry = readdir(directory)); entries++)
        seen |= !strcmp(entry->d_name, FILE_NAME) && entry->d_type == DT_REG;
    CHECK(seen && entries >= 3);
    rewinddir(directory);
    for (; readdir(directory); entries--)
        ;
    CHECK_EQ(entries, 0);
    char byte;
    CHECK_FAILS(read(dirfd(directory), &byte, 1), EISDIR);
    CHECK_EQ(closedir(directory), 0);
    CHECK(!opendir(FILE_NAME) && errno == ENOTDIR);
}

/* A parent may pass what it likes: the bytes make descriptors or don't, and that is all. */
static int take_anything(void)
{
    static const char *const tags[] = {"null", "log ", "file", "pipe", "\0\0\0"};
    static uint8_t bytes[400];
    extern const struct exos_part fd_part;
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(random_below(3) ? 0 : random_below(256));
        for (size_t at = 0; at + 40 < sizeof bytes; at += 32) {
            uint64_t address = VM_SHARED_BASE + random_below(100) * AEGIS_PAGE_SIZE / 2;
            memcpy(bytes + at, tags[random_below(5)], 4);
            bytes[at + 12] = (uint8_t)(random_below(2) ? 16 : random_below(40));
            memset(bytes + at + 13, 0, 3);
            if (random_below(2)) {
                memcpy(bytes + at + 16, &address, sizeof address);
                address = random_below(4) << 16;
                memcpy(bytes + at + 24, &address, sizeof address);
            }
        }
        struct exos_pass pass = {bytes, bytes + random_below(sizeof bytes)};
        fd_part.at_start(&pass);
        for (int fd = 0; fd < MOST; fd++)
            close(fd);
    }
    return 0;
}

static void what_a_parent_passes_is_not_trusted(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(take_anything());
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

int main(void)
{
    CHECK_EQ(
        cpio_find((const void *)aegis_info()->initrd, aegis_info()->initrd_size, FILE_NAME, &whole),
        0);
    files_are_read_where_the_offset_says();
    names_are_found_or_refused();
    numbers_are_the_lowest_free();
    flags_are_the_objects();
    there_are_4096_descriptors();
    vectors_are_gathered_and_scattered();
    poll_says_what_is_ready();
    streams_read_what_the_file_holds();
    lines_are_read_whole();
    streams_and_descriptors_are_one();
    writing_that_fails_is_told();
    the_root_lists_the_archive();
    what_a_parent_passes_is_not_trusted();
    return 0;
}
