/* aegisctl load: compile a filter and have the agent bind it for an application. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "commands.h"
#include "tools/dpfc/dpflift.h"

/* A file if there is one of that name, or it could only be one; else an expression. */
static bool is_file(const char *text)
{
    return strcmp(text, "-") == 0 || access(text, F_OK) == 0 || text[0] == '/' ||
           strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

static int compile(const char *text, struct dpflift_image *ingress, struct dpflift_image *egress,
                   struct why *why)
{
    char error[DPFLIFT_ERROR_SIZE];
    enum dpflift_status status;

    if (text[strspn(text, " \t\n")] == 0) {
        return why_set(why, "the filter is empty; \"greater 1\" takes all frames");
    }
    status = is_file(text) ? dpflift_file(text, ingress, egress, error)
                           : dpflift_text(text, ingress, egress, error);
    return status == DPFLIFT_OK ? 0 : why_set(why, "filter: %s", error);
}

/* The name of a binding that was not given one: the file's, if it can be one, else the
 * application's. */
static const char *default_name(const char *text, const char *app)
{
    const char *slash = strrchr(text, '/');
    const char *base = slash != NULL ? slash + 1 : text;

    return is_file(text) && strcmp(text, "-") != 0 && control_is_name(base, CONTROL_NAME_SIZE)
               ? base
               : app;
}

static void report(const struct control_load *load, const struct control_loaded *loaded)
{
    printf("%s: binding %" PRIu32 " feeds %s (environment %" PRIu32 "); filters of %" PRIu32
           " and %" PRIu32 " bytes\n",
           load->name, loaded->binding, load->app, loaded->env, load->ingress.size,
           load->egress.size);
    if (loaded->slots == 0) {
        fflush(stdout);
        fprintf(stderr,
                "aegisctl: load: warning: %s has not named a ring for the binding: until it does, "
                "its frames are dropped\n",
                load->app);
    }
}

static int bind_filter(const char *instance, struct control_load *load, const char *text,
                       struct why *why)
{
    struct dpflift_image ingress = {0}, egress = {0};
    struct client_session session;
    struct control_loaded loaded;
    int status;

    if (compile(text, &ingress, &egress, why) != 0) {
        return -1;
    }
    load->ingress = (struct control_bytes){ingress.bytes, (uint32_t)ingress.size};
    load->egress = (struct control_bytes){egress.bytes, (uint32_t)egress.size};
    status = client_open(&session, instance, why);
    if (status == 0) {
        status = client_call(&session, CONTROL_LOAD, CONTROL_RECORD_load, load, CLIENT_LIMIT_MS,
                             CONTROL_RECORD_loaded, &loaded, why);
    }
    client_close(&session);
    if (status == 0) {
        report(load, &loaded);
    }
    dpflift_free(&ingress);
    dpflift_free(&egress);
    return status;
}

static int load(const struct command *command, int argc, char **argv)
{
    const char *instance = INSTANCE_DEFAULT, *app = NULL, *name = NULL;
    long netif = 0;
    const struct option_row rows[] = {
        {"app", OPTION_TEXT, &app, "NAME", "application that gets the frames; started if needed", 0,
         0},
        {"name", OPTION_TEXT, &name, "NAME",
         "name of the binding (default: the file's, else the application's)", 0, 0},
        {"netif", OPTION_NUMBER, &netif, "N", "network interface (default: 0)", 0, 255},
        {"instance", OPTION_TEXT, &instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct control_load request = {0};
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (app == NULL || !control_is_name(app, sizeof request.app)) {
        return usage_error(command, "--app NAME is needed, 1 to %zu of A-Z a-z 0-9 . _ -",
                           sizeof request.app - 1);
    }
    name = name != NULL ? name : default_name(argv[0], app);
    if (!control_is_name(name, sizeof request.name)) {
        return usage_error(command, "--name is \"%s\", not 1 to %zu of A-Z a-z 0-9 . _ -", name,
                           sizeof request.name - 1);
    }
    strcpy(request.app, app);
    strcpy(request.name, name);
    request.netif = (uint32_t)netif;
    return bind_filter(instance, &request, argv[0], &why) == 0 ? 0 : why_print(&why, "load");
}

const struct command command_load = {
    "load",
    "FILTER|EXPR",
    1,
    1,
    "Bind a filter, a file or text as in pcap-filter(7), to an application.",
    load,
};
