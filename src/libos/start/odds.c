/*
 * Functions of C and POSIX that picolibc declares and leaves to nobody: limits of the system, the
 * one user there is, ways to end at once, and places in a stream as an object.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libos/start/start.h"

#define QUICK_MOST    32 /* C11 7.22.4.3 */
#define POSIX_2008    200809L
#define DESCRIPTORS   4096
#define THREAD_KEYS   128 /* pthread.h */
#define STACK_LEAST   8192
#define SEMAPHORE_MAX 0x7fffffff

/* What doesn't depend on the machine. */
static const struct {
    int name;
    long value;
} limits[] = {
    {_SC_ARG_MAX, EXOS_STRINGS_MAX},    {_SC_CLK_TCK, CLOCKS_PER_SEC},
    {_SC_MONOTONIC_CLOCK, POSIX_2008},  {_SC_NPROCESSORS_CONF, 1},
    {_SC_NPROCESSORS_ONLN, 1},          {_SC_OPEN_MAX, DESCRIPTORS},
    {_SC_PAGESIZE, AEGIS_PAGE_SIZE},    {_SC_SEM_VALUE_MAX, SEMAPHORE_MAX},
    {_SC_THREAD_KEYS_MAX, THREAD_KEYS}, {_SC_THREAD_STACK_MIN, STACK_LEAST},
    {_SC_THREADS, POSIX_2008},
};

long sysconf(int name)
{
    if (name == _SC_PHYS_PAGES)
        return (long)aegis_info()->page_count;
    if (name == _SC_AVPHYS_PAGES)
        return (long)aegis_info()->free_pages;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].name == name)
            return limits[i].value;
    errno = EINVAL;
    return -1;
}

uid_t getuid(void)
{
    return 0;
}

uid_t geteuid(void)
{
    return 0;
}

gid_t getgid(void)
{
    return 0;
}

gid_t getegid(void)
{
    return 0;
}

int gethostname(char *name, size_t size)
{
    static const char ours[] = "aegis-v";
    if (size < sizeof ours) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, ours, sizeof ours);
    return 0;
}

static void (*quick[QUICK_MOST])(void);
static unsigned quick_count;

int at_quick_exit(void (*function)(void))
{
    if (quick_count == QUICK_MOST)
        return 1;
    quick[quick_count++] = function;
    return 0;
}

_Noreturn void quick_exit(int status)
{
    while (quick_count)
        quick[--quick_count]();
    _exit(status);
}

int fgetpos(FILE *stream, fpos_t *position)
{
    *position = ftello(stream);
    return *position < 0 ? -1 : 0;
}

int fsetpos(FILE *stream, fpos_t *position)
{
    return fseeko(stream, (off_t)*position, SEEK_SET);
}
