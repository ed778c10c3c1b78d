#include "words.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

int words_join(int count, char **words, char *text, size_t size, const char *what,
               const char *instead, struct why *why)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        size_t length = strlen(words[i]);

        if (used + length + 2 > size) {
            return why_set(why, "the %s is longer than %zu bytes; %s", what, size, instead);
        }
        if (i > 0) {
            text[used++] = ' ';
        }
        memcpy(text + used, words[i], length + 1);
        used += length;
    }
    return (int)used;
}

int signals_catch(int count, const int *others)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    for (int i = 0; i < count; i++) {
        sigaddset(&set, others[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}
