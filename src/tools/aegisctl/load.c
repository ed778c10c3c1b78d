/* aegisctl load: compile a filter and a handler, and have the agent bind them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "client.h"
#include "commands.h"
#include "filter.h"
#include "handler.h"

/* What the command line asks for. */
struct asked {
    const char *filter, *handler, *app, *name, *instance;
    long netif, fuel;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* The name of a binding that was not given one: the filter file's, if it can be one, else the
 * application's, else the handler file's up to its suffix. */
static void default_name(char name[CONTROL_NAME_SIZE], const struct asked *asked)
{
    const char *base = asked->app;
    size_t length;

    if (filter_is_file(asked->filter) && strcmp(asked->filter, "-") != 0 &&
        control_is_name(base_name(asked->filter), CONTROL_NAME_SIZE)) {
        base = base_name(asked->filter);
    }
    length = base != NULL ? strlen(base) : strcspn(base = base_name(asked->handler), ".");
    snprintf(name, CONTROL_NAME_SIZE, "%.*s", (int)length, base);
}

static void report(const struct control_load *load, const struct control_loaded *loaded)
{
    printf("%s: binding %" PRIu32, load->name, loaded->binding);
    if (load->app[0] != 0) {
        printf(" feeds %s (environment %" PRIu32 ")", load->app, loaded->env);
    } else {
        printf(" feeds its handler alone");
    }
    printf("; filters of %" PRIu32 " and %" PRIu32 " bytes\n", load->ingress.size,
           load->egress.size);
    if (loaded->insns != 0) {
        printf("%s: handler %" PRIu32 ": %" PRIu32 " instructions, %" PRIu32
               " bytes of code, %" PRIu32 " guards, %" PRIu32 " maps\n",
               load->name, loaded->handler, loaded->insns, loaded->code, loaded->guards,
               loaded->maps);
    }
    if (load->app[0] != 0 && loaded->slots == 0) {
        fflush(stdout);
        fprintf(stderr,
                "aegisctl: load: warning: %s has not named a ring for the binding: until it does, "
                "its frames are dropped\n",
                load->app);
    }
}

static int send_load(const char *instance, const struct control_load *load, struct why *why)
{
    struct client_session session;
    struct control_loaded loaded;
    int status = client_open(&session, instance, why);

    if (status == 0) {
        status = client_call(&session, CONTROL_LOAD, CONTROL_RECORD_load, load, CLIENT_LIMIT_MS,
                             CONTROL_RECORD_loaded, &loaded, why);
    }
    client_close(&session);
    if (status == 0) {
        report(load, &loaded);
    }
    return status;
}

/* Returns 0, -1, or the status to exit with. */
static int compile_and_send(const struct asked *asked, struct control_load *load, struct why *why)
{
    struct dpflift_image ingress = {0}, egress = {0};
    struct ashlift_image handler = {0};
    int status = filter_compile(asked->filter, &ingress, &egress, why);

    if (status != 0) {
        return status;
    }
    status = asked->handler != NULL ? handler_compile(asked->handler, &handler, why) : 0;
    if (status == 0) {
        load->ingress = (struct control_bytes){ingress.bytes, (uint32_t)ingress.size};
        load->egress = (struct control_bytes){egress.bytes, (uint32_t)egress.size};
        load->handler = (struct control_bytes){handler.bytes, (uint32_t)handler.size};
        status = send_load(asked->instance, load, why);
    }
    dpflift_free(&ingress);
    dpflift_free(&egress);
    ashlift_free(&handler);
    return status;
}

/* Check what was asked for, and put its names into the request. Returns -1, or 2 after a mistake
 * was named. */
static int check(const struct command *command, const struct asked *asked,
                 struct control_load *request)
{
    if (asked->app == NULL && asked->handler == NULL) {
        return usage_error(command, "--app NAME or --handler FILE is needed, or both");
    }
    if (asked->app != NULL && !control_is_name(asked->app, sizeof request->app)) {
        return usage_error(command, "--app is \"%s\", not 1 to %zu of A-Z a-z 0-9 . _ -",
                           asked->app, sizeof request->app - 1);
    }
    if (asked->fuel != 0 && asked->handler == NULL) {
        return usage_error(command, "--fuel needs --handler");
    }
    if (asked->handler != NULL && strcmp(asked->handler, "-") == 0 &&
        strcmp(asked->filter, "-") == 0) {
        return usage_error(command, "filter and handler can't both be standard input");
    }
    if (asked->name != NULL) {
        snprintf(request->name, sizeof request->name, "%s", asked->name);
    } else {
        default_name(request->name, asked);
    }
    if (!control_is_name(asked->name != NULL ? asked->name : request->name, sizeof request->name)) {
        return usage_error(command, "--name is \"%s\", not 1 to %zu of A-Z a-z 0-9 . _ -",
                           asked->name != NULL ? asked->name : request->name,
                           sizeof request->name - 1);
    }
    if (asked->app != NULL) {
        strcpy(request->app, asked->app);
    }
    request->netif = (uint32_t)asked->netif;
    request->fuel = (uint32_t)asked->fuel;
    return -1;
}

static int load(const struct command *command, int argc, char **argv)
{
    struct asked asked = {.instance = INSTANCE_DEFAULT};
    const struct option_row rows[] = {
        {"app", OPTION_TEXT, &asked.app, "NAME",
         "application that gets the frames; started if needed", 0, 0},
        {"handler", OPTION_TEXT, &asked.handler, "FILE",
         "C source or BPF object that the kernel runs on the frames first", 0, 0},
        {"fuel", OPTION_NUMBER, &asked.fuel, "N",
         "instructions that a run of it may take (default: 4096)", 1, AEGIS_FUEL_MAX},
        {"name", OPTION_TEXT, &asked.name, "NAME",
         "name of the binding (default: the filter file's, application's or handler's)", 0, 0},
        {"netif", OPTION_NUMBER, &asked.netif, "N", "network interface (default: 0)", 0, 255},
        {"instance", OPTION_TEXT, &asked.instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct control_load request = {0};
    struct why why;

    if (status >= 0) {
        return status;
    }
    asked.filter = argv[0];
    status = check(command, &asked, &request);
    if (status >= 0) {
        return status;
    }
    status = compile_and_send(&asked, &request, &why);
    if (status != 0) {
        why_print(&why, "load");
    }
    return status < 0 ? 1 : status;
}

const struct command command_load = {
    "load",
    "FILTER|EXPR",
    1,
    1,
    "Bind a filter, a file or text as in pcap-filter(7), to an application, a handler or both.",
    load,
};
