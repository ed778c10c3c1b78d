/* aegisctl maps: what the maps of a handler hold, once or again and again. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ash/ash.h"
#include "commands.h"
#include "maps_read.h"

struct asked {
    const char *instance, *binding, *map, *set;
    bool all, watch;
    long interval_ms, count;
    uint32_t entry; /* of set */
    uint64_t value;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* All maps, or the one that was asked for, with their entries. */
static int print_maps(struct client_session *session, const struct asked *asked,
                      const struct maps *maps, const struct control_map_row *only, struct why *why)
{
    for (uint32_t i = 0; i < maps->count; i++) {
        const struct control_map_row *map = &maps->rows[i];
        uint32_t printed;

        if (only != NULL && only != map) {
            continue;
        }
        printf("%s: map %" PRIu32 ", %" PRIu32 " entries of %" PRIu32 " bytes%s%s\n", map->name,
               map->map, map->entries, map->value_size,
               map->flags & ASH_MAP_GLOBAL ? ", variables" : "",
               map->flags & ASH_MAP_READ_ONLY ? ", read-only" : "");
        if (maps_print(session, asked->binding, map, asked->all, &printed, why) != 0) {
            return -1;
        }
        if (printed == 0) {
            printf("          all zeros\n");
        }
    }
    if (maps->count == 0) {
        printf("the handler has no maps\n");
    }
    fflush(stdout);
    return 0;
}

/* Again and again, in place if that is a terminal, until ^C, the count, or the reader's end. */
static int watch(struct client_session *session, const struct asked *asked, const struct maps *maps,
                 const struct control_map_row *only, struct why *why)
{
    bool terminal = isatty(STDOUT_FILENO);
    struct sigaction action = {.sa_handler = interrupt};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (long i = 0; !interrupted && !ferror(stdout); i++) {
        printf(terminal ? "\033[H\033[2J" : i != 0 ? "\n" : "");
        if (print_maps(session, asked, maps, only, why) != 0) {
            return -1;
        }
        if (asked->count != 0 && i + 1 >= asked->count) {
            break;
        }
        poll(NULL, 0, (int)asked->interval_ms);
    }
    return 0;
}

static int act(const struct asked *asked, struct why *why)
{
    const struct control_map_row *only = NULL;
    struct client_session session;
    struct maps maps;
    int status = client_open(&session, asked->instance, why);

    if (status == 0) {
        status = maps_ask(&session, asked->binding, &maps, why);
    }
    if (status == 0 && asked->map != NULL) {
        only = maps_find(&maps, asked->map, why);
        status = only != NULL ? 0 : -1;
    }
    if (status == 0) {
        status = asked->set != NULL
                     ? maps_set(&session, asked->binding, only, asked->entry, asked->value, why)
                 : asked->watch ? watch(&session, asked, &maps, only, why)
                                : print_maps(&session, asked, &maps, only, why);
    }
    client_close(&session);
    return status;
}

/* "ENTRY=VALUE", both as C writes numbers. */
static bool parse_set(struct asked *asked)
{
    char *end;
    unsigned long entry;

    errno = 0;
    entry = strtoul(asked->set, &end, 0);
    if (asked->set[0] < '0' || asked->set[0] > '9' || *end != '=' || entry > UINT32_MAX ||
        end[1] < '0' || end[1] > '9') {
        return false;
    }
    asked->entry = (uint32_t)entry;
    asked->value = strtoull(end + 1, &end, 0);
    return errno == 0 && *end == 0;
}

static int check(const struct command *command, struct asked *asked)
{
    if (!control_is_name(asked->binding, CONTROL_NAME_SIZE)) {
        return usage_error(command, "\"%s\" is no name of a binding: 1 to %d of A-Z a-z 0-9 . _ -",
                           asked->binding, CONTROL_NAME_SIZE - 1);
    }
    if (asked->set != NULL && asked->map == NULL) {
        return usage_error(command, "--set needs the name of a map");
    }
    if (asked->set != NULL && !parse_set(asked)) {
        return usage_error(command, "--set is \"%s\", not ENTRY=VALUE", asked->set);
    }
    return -1;
}

static int maps(const struct command *command, int argc, char **argv)
{
    struct asked asked = {.instance = INSTANCE_DEFAULT, .interval_ms = 1000};
    const struct option_row rows[] = {
        {"all", OPTION_FLAG, &asked.all, NULL, "also entries that are all zeros", 0, 0},
        {"watch", OPTION_FLAG, &asked.watch, NULL, "print again and again, until ^C", 0, 0},
        {"interval", OPTION_NUMBER, &asked.interval_ms, "MS",
         "between two looks of --watch (default: 1000)", 1, 3600000},
        {"count", OPTION_NUMBER, &asked.count, "N", "end --watch after N looks", 1, 1000000000},
        {"set", OPTION_TEXT, &asked.set, "ENTRY=VALUE", "set an entry of MAP instead", 0, 0},
        {"instance", OPTION_TEXT, &asked.instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct why why;

    if (status >= 0) {
        return status;
    }
    asked.binding = argv[0];
    asked.map = count > 1 ? argv[1] : NULL;
    status = check(command, &asked);
    if (status >= 0) {
        return status;
    }
    return act(&asked, &why) == 0 ? 0 : why_print(&why, "maps");
}

const struct command command_maps = {
    "maps", "NAME [MAP]", 1, 2, "Print what the maps of a binding's handler hold.", maps,
};
