/* The request to start a program that gets no frames. */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "image/cpio.h"

/* Splits zero-terminated strings, one behind the other, into argv behind its first; the count, or
 * -1 if they are malformed. */
static int split(const struct control_bytes *arguments, char *argv[START_ARGUMENTS_MAX + 2])
{
    static char copy[CONTROL_ARGUMENTS_MAX];
    int argc = 1;

    memcpy(copy, arguments->data, arguments->size);
    for (uint32_t at = 0; at < arguments->size; at += strlen(copy + at) + 1) {
        if (argc > START_ARGUMENTS_MAX || !memchr(copy + at, 0, arguments->size - at))
            return -1;
        argv[argc++] = copy + at;
    }
    argv[argc] = NULL;
    return argc;
}

bool request_start(const struct control_message *message, struct refusal *refusal)
{
    static struct extents extents;
    struct control_start asked;
    char *argv[START_ARGUMENTS_MAX + 2];
    int64_t status;

    if (!request_decode(message, CONTROL_RECORD_start, &asked, refusal))
        return false;
    int argc = split(&asked.arguments, argv);
    if (argc < 0)
        return refuse(refusal, CONTROL_E_MALFORMED, "the arguments are no more than %d strings",
                      START_ARGUMENTS_MAX);
    argv[0] = asked.app;
    if (!extents_resolve(&extents, &asked.extents, refusal))
        return false;
    struct app *app = app_make(asked.app, 0, argc, argv, &extents, &status);
    if (app) { /* the number may have been another's: who reads the log tells them apart by this */
        printf("agent: starts %s (environment %u)\n", app->name, (unsigned)app->proc.env);
        status = app_start(app);
    }
    if (app && status < 0)
        app_abandon(app);
    if (status < 0)
        extents_give_back(&extents);
    if (status == -(PROC_CPIO_ERROR + CPIO_E_NOT_FOUND))
        return refuse(refusal, CONTROL_E_NO_APP, "the initial RAM disk has no program %s",
                      asked.app);
    if (status < 0)
        return refuse(refusal, CONTROL_E_APP, "starting %s: %s", asked.app, proc_strerror(status));
    request_reply(message, CONTROL_RECORD_started,
                  &(struct control_started){
                      .env = app->proc.env,
                      .extents = {(const uint8_t *)extents.names, (uint32_t)extents.size}});
    return true;
}
