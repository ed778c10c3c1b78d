/*
 * What tests of pipes share: children in roles, which are the test's program started with an
 * argument.
 */
#ifndef GUEST_PIPE_TEST_H
#define GUEST_PIPE_TEST_H

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/ipc/internal.h"
#include "test.h"

#define IN  3 /* descriptors that a child gets */
#define OUT 4

#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((call), -1);                                                                      \
        CHECK_EQ(errno, (error));                                                                  \
    } while (0)

static inline uint32_t random_below(uint32_t bound)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % bound;
}

/* A child that runs program in a role, with in as IN and out as OUT (negative: none), and no other
 * of ours. */
static inline pid_t start(const char *program, const char *role, int in, int out)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)role, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 100);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 101);
    for (int fd = IN; fd < 40; fd++)
        posix_spawn_file_actions_addclose(&actions, fd);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, 100, IN);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, 101, OUT);
    posix_spawn_file_actions_addclose(&actions, 100);
    posix_spawn_file_actions_addclose(&actions, 101);
    CHECK_EQ(posix_spawn(&pid, program, &actions, NULL, argv, NULL), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static inline int finish(pid_t pid)
{
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static inline struct pipe_page *page_of(int fd)
{
    return ((struct pipe_end *)fd_object(fd))->pipe->page;
}

#endif
