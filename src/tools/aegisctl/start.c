/* aegisctl start: start a program of the initial RAM disk, and with --wait show what it prints
 * until it ends. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "commands.h"

#define POLL_US 50000

/* The program that is waited for, and the lines of the log that are its own: they lie between two
 * of the agent's. What comes before is of another program that had the same number. */
struct watch {
    FILE *log;
    char line[4096]; /* of the log, as far as it is there */
    size_t fill;
    char prefix[64];          /* of its lines */
    char begin[96], end[112]; /* of the agent's */
    bool begun;
    int status; /* -1 until it has ended */
};

/* "status 3" of an end is the program's own; any other is a failure. */
static int status_of(const char *how)
{
    char *end;
    long status = strncmp(how, "status ", 7) == 0 ? strtol(how + 7, &end, 10) : -1;

    return status >= 0 && *end == 0 ? (int)status & 0xff : 1;
}

/* The agent's log lines begin "[N agent] agent: "; N is whatever init gave it. */
static const char *skip_agent(const char *line)
{
    const char *text = strstr(line, " agent] ");

    return line[0] == '[' && text != NULL &&
                   strspn(line + 1, "0123456789") == (size_t)(text - line - 1)
               ? text + 8
               : "";
}

static void take_line(struct watch *watch)
{
    size_t length = strlen(watch->prefix);
    const char *agents = skip_agent(watch->line);

    if (!watch->begun) {
        watch->begun = strcmp(agents, watch->begin) == 0;
    } else if (strncmp(watch->line, watch->prefix, length) == 0) {
        client_printable(watch->line);
        printf("%s\n", watch->line + length);
    } else if (strncmp(agents, watch->end, strlen(watch->end)) == 0) {
        watch->status = status_of(agents + strlen(watch->end));
        if (strncmp(agents + strlen(watch->end), "status ", 7) != 0) {
            client_printable(watch->line);
            fprintf(stderr, "aegisctl: start: %s\n", skip_agent(watch->line));
        }
    }
}

/* Take the complete lines that the log has. */
static void read_lines(struct watch *watch)
{
    int c;

    clearerr(watch->log);
    while (watch->status < 0 && (c = getc(watch->log)) != EOF) {
        if (c == '\n') {
            while (watch->fill > 0 && watch->line[watch->fill - 1] == '\r') {
                watch->fill--;
            }
            watch->line[watch->fill] = 0;
            take_line(watch);
            watch->fill = 0;
        } else if (watch->fill < sizeof watch->line - 1) {
            watch->line[watch->fill++] = (char)c;
        }
    }
}

/* Show what it says until it ends. Returns its status, or -1. */
static int wait_for(struct watch *watch, const struct instance *instance, const char *app,
                    uint32_t env, long seconds, struct why *why)
{
    int64_t deadline = clock_ms() + seconds * 1000;
    bool runs = true;

    snprintf(watch->prefix, sizeof watch->prefix, "[%" PRIu32 " %s] ", env, app);
    snprintf(watch->begin, sizeof watch->begin, "agent: starts %s (environment %" PRIu32 ")", app,
             env);
    snprintf(watch->end, sizeof watch->end, "agent: %s (environment %" PRIu32 ") has ended: ", app,
             env);
    while (watch->status < 0 && runs) {
        if (clock_ms() >= deadline) {
            return why_set(why,
                           "%s (environment %" PRIu32
                           ") still runs after %ld s; its output goes on in aegisctl log",
                           app, env, seconds);
        }
        runs = instance_runs(instance); /* asked first, so that nothing is missed */
        read_lines(watch);
        if (watch->status < 0 && runs) {
            usleep(POLL_US);
        }
    }
    return watch->status >= 0 ? watch->status
                              : why_set(why, "the machine ended before %s did", app);
}

/* What is printed before the program starts is not its own. */
static FILE *open_log(const struct instance *instance, struct why *why)
{
    char path[INSTANCE_PATH_MAX];
    FILE *log;

    instance_path(instance, "serial.log", path);
    log = fopen(path, "re");
    if (log == NULL || fseek(log, 0, SEEK_END) != 0) {
        why_set(why, "%s: %s", path, strerror(errno));
        if (log != NULL) {
            fclose(log);
        }
        return NULL;
    }
    return log;
}

/* argv[1..] one behind the other. Returns -1 if they are too long. */
static int join(struct control_start *start, int count, char **argv, struct why *why)
{
    static uint8_t bytes[CONTROL_ARGUMENTS_MAX];
    size_t used = 0;

    for (int i = 1; i < count; i++) {
        size_t size = strlen(argv[i]) + 1;

        if (size > sizeof bytes - used) {
            return why_set(why, "the arguments take more than %d bytes", CONTROL_ARGUMENTS_MAX);
        }
        memcpy(bytes + used, argv[i], size);
        used += size;
    }
    start->arguments = (struct control_bytes){bytes, (uint32_t)used};
    return 0;
}

/* The texts of --extent, likewise. */
static int join_extents(struct control_start *start, const struct option_list *list,
                        struct why *why)
{
    static uint8_t bytes[CONTROL_EXTENTS_MAX];
    size_t used = 0;

    for (int i = 0; i < list->count; i++) {
        size_t size = strlen(list->values[i]) + 1;

        if (size > sizeof bytes - used) {
            return why_set(why, "the extents take more than %d bytes", CONTROL_EXTENTS_MAX);
        }
        memcpy(bytes + used, list->values[i], size);
        used += size;
    }
    start->extents = (struct control_bytes){bytes, (uint32_t)used};
    return 0;
}

/* Of each extent that was made, what leads to it after a reboot: on standard error, since standard
 * output is the program's with --wait. */
static void show_extents(const struct control_started *started)
{
    if (started->extents.size > 0) {
        fprintf(stderr, "%.*s", (int)started->extents.size, (const char *)started->extents.data);
    }
}

static int start_app(const char *name, struct control_start *request, bool wait, long seconds,
                     struct why *why)
{
    struct watch watch = {.status = -1};
    struct control_started started;
    struct client_session session;
    int status = client_open(&session, name, why);

    if (status == 0 && (watch.log = open_log(&session.instance, why)) == NULL) {
        status = -1;
    }
    if (status == 0) {
        status = client_call(&session, CONTROL_START, CONTROL_RECORD_start, request,
                             CLIENT_LIMIT_MS, CONTROL_RECORD_started, &started, why);
    }
    if (status == 0) {
        show_extents(&started);
    }
    if (status == 0 && wait) {
        status = wait_for(&watch, &session.instance, request->app, started.env, seconds, why);
    } else if (status == 0) {
        printf("%s: environment %" PRIu32 "\n", request->app, started.env);
    }
    if (watch.log != NULL) {
        fclose(watch.log);
    }
    client_close(&session);
    return status;
}

static int start(const struct command *command, int argc, char **argv)
{
    const char *instance = INSTANCE_DEFAULT;
    bool wait = false;
    long seconds = 30;
    struct option_list extents = {.count = 0};
    const struct option_row rows[] = {
        {"extent", OPTION_LIST, &extents, "EXTENT",
         "give the program an extent of a disk, which it names by its label; up to 8. LABEL:SIZE "
         "makes "
         "it, and shows what leads to it after a reboot; LABEL: one that is there; "
         "DISK,FIRST,COUNT,SECRET",
         0, 0},
        {"wait", OPTION_FLAG, &wait, NULL,
         "show what it prints until it ends, and exit with its status", 0, 0},
        {"timeout", OPTION_NUMBER, &seconds, "S", "limit for --wait (default: 30)", 1, 86400},
        {"instance", OPTION_TEXT, &instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct control_start request = {0};
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (!control_is_name(argv[0], sizeof request.app)) {
        return usage_error(command, "\"%s\" is no name of a program: 1 to %zu of A-Z a-z 0-9 . _ -",
                           argv[0], sizeof request.app - 1);
    }
    strcpy(request.app, argv[0]);
    status = join(&request, count, argv, &why);
    if (status == 0) {
        status = join_extents(&request, &extents, &why);
    }
    if (status == 0) {
        status = start_app(instance, &request, wait, seconds, &why);
    }
    return status >= 0 ? status : why_print(&why, "start");
}

const struct command command_start = {
    "start", "APP [ARG...]", 1, 33, "Start a program of the initial RAM disk.", start,
};
