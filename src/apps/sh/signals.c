#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int number;
    const char *name, *sentence;
} signals[] = {
    {SIGHUP, "HUP", "hung up"},          {SIGINT, "INT", "interrupted"},
    {SIGQUIT, "QUIT", "quit"},           {SIGILL, "ILL", "illegal instruction"},
    {SIGTRAP, "TRAP", "breakpoint"},     {SIGABRT, "ABRT", "aborted"},
    {SIGFPE, "FPE", "arithmetic error"}, {SIGKILL, "KILL", "killed"},
    {SIGBUS, "BUS", "bus error"},        {SIGSEGV, "SEGV", "segmentation fault"},
    {SIGPIPE, "PIPE", "broken pipe"},    {SIGALRM, "ALRM", "alarm clock"},
    {SIGTERM, "TERM", "terminated"},     {SIGUSR1, "USR1", "user signal 1"},
    {SIGUSR2, "USR2", "user signal 2"},  {SIGCHLD, "CHLD", "child signal"},
    {SIGSTOP, "STOP", "stopped"},        {SIGTSTP, "TSTP", "stopped"},
    {SIGTTIN, "TTIN", "stopped"},        {SIGTTOU, "TTOU", "stopped"},
    {SIGCONT, "CONT", "goes on"},
};
#define SIGNALS (sizeof signals / sizeof *signals)

const char *signals_name(int signal)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i].number == signal)
            return signals[i].name;
    return NULL;
}

const char *signals_sentence(int signal)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i].number == signal)
            return signals[i].sentence;
    return "ended by a signal";
}

int signals_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (end != text && !*end)
        return number >= 0 && number < 32 ? (int)number : -1;
    if (!strncmp(text, "SIG", 3))
        text += 3;
    for (size_t i = 0; i < SIGNALS; i++)
        if (!strcmp(signals[i].name, text))
            return signals[i].number;
    return -1;
}
