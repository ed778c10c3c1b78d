#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int why_set(struct why *why, const char *format, ...)
{
    int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    errno = saved;
    return -1;
}

int why_in(struct why *why, const char *format, ...)
{
    char inner[sizeof why->text];
    va_list arguments;
    size_t used;

    memcpy(inner, why->text, sizeof inner);
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    used = strlen(why->text);
    snprintf(why->text + used, sizeof why->text - used, ": %s", inner);
    return -1;
}

int why_print(const struct why *why, const char *layer)
{
    fflush(stdout);
    fprintf(stderr, "aegisctl: %s: %s\n", layer, why->text);
    return 1;
}
