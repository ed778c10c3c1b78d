/*
 * Runs clang on C source.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/ashc/lift.h"

#define TIME_MAX 60 /* seconds */

/* Version 4 of the instruction set came with clang 18; Debian has clang-19 beside its default. */
#define CLANG_V4 "clang-19"

static bool in_path(const char *name)
{
    const char *path = getenv("PATH");
    char file[4096];
    while (path && *path) {
        size_t length = strcspn(path, ":");
        if (snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name) < (int)sizeof file &&
            access(file, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static const char *compiler(const struct ashlift_options *options)
{
    if (options->clang)
        return options->clang;
    if (getenv("CLANG"))
        return getenv("CLANG");
    if (options->cpu && strcmp(options->cpu, "v4") == 0 && in_path(CLANG_V4))
        return CLANG_V4;
    return "clang";
}

static void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

/* Waits for a process, at most TIME_MAX seconds; then it is killed. Returns its status, or -1. */
static int wait_for(pid_t pid)
{
    int status;
    time_t end = time(NULL) + TIME_MAX;
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid)
            return status;
        if (done < 0 && errno != EINTR)
            return -1;
        if (time(NULL) > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        wait_a_little();
    }
}

/* The object goes to clang's standard output. Status 127, as a shell has it, says that the program
 * could not be run. */
static pid_t start(const char *clang, const char *path, const char *cpu, int output)
{
    char option[32];
    snprintf(option, sizeof option, "-mcpu=%s", cpu);
    const char *arguments[] = {clang,
                               "-target",
                               "bpf",
                               option,
                               "-O2",
                               "-g",
                               "-Wall",
                               "-c",
                               ASHC_ARCH_DEFINE,
                               "-idirafter",
                               ASHC_ARCH_INCLUDE,
                               "-o",
                               "-",
                               path,
                               NULL};
    pid_t pid = fork();
    if (pid == 0) {
        dup2(output, STDOUT_FILENO);
        execvp(clang, (char **)(void *)arguments);
        _exit(127);
    }
    return pid;
}

static enum ashlift_status check(int status, const char *clang, char *error)
{
    if (status == 0)
        return ASHLIFT_OK;
    if (status == -1) {
        ashlift_fail(error, "%s took more than %d s", clang, TIME_MAX);
        return ASHLIFT_SYSTEM;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        ashlift_fail(
            error,
            "can't run %s; install it (apt-get install clang), or name another by --clang or CLANG",
            clang);
        return ASHLIFT_SYSTEM;
    }
    if (WIFSIGNALED(status)) {
        ashlift_fail(error, "%s was ended by signal %d", clang, WTERMSIG(status));
        return ASHLIFT_SYSTEM;
    }
    ashlift_fail(error, "%s refused it", clang);
    return ASHLIFT_SOURCE;
}

/* The object lies in memory alone: whoever interrupts leaves no file behind. */
enum ashlift_status clang_compile(const char *path, const struct ashlift_options *options,
                                  char **object, size_t *size, char *error)
{
    const char *clang = compiler(options);
    char output[32];
    int fd = memfd_create("ashc-object", MFD_CLOEXEC);
    if (fd < 0) {
        ashlift_fail(error, "no memory for the object: %s", strerror(errno));
        return ASHLIFT_SYSTEM;
    }
    pid_t pid = start(clang, path, options->cpu ? options->cpu : "v3", fd);
    enum ashlift_status result = ASHLIFT_SYSTEM;
    if (pid < 0)
        ashlift_fail(error, "fork: %s", strerror(errno));
    else
        result = check(wait_for(pid), clang, error);
    if (result == ASHLIFT_OK) {
        snprintf(output, sizeof output, "/proc/self/fd/%d", fd);
        *object = ashlift_read(output, size, error);
        if (!*object)
            result = ASHLIFT_SYSTEM;
    }
    close(fd);
    return result;
}
