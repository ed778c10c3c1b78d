/* ps [-e]: the processes of this session; with -e all environments of the machine. */
#include <stdbool.h>

#include "libos/proc/session.h"
#include "apps/program.h"

const char program_name[] = "ps";
const char program_usage[] = "ps [-e]  (-e: all environments, also of other sessions and of none)";

#define PROCESSES_MAX 1024

static void print_processes(void)
{
    static struct proc_view views[PROCESSES_MAX];
    size_t count = proc_list(views, PROCESSES_MAX);

    printf("%5s %6s %5s %4s %-7s %6s %8s %s\n", "pid", "parent", "group", "env", "state", "pages",
           "slices", "name");
    for (size_t i = 0; i < count && i < PROCESSES_MAX; i++) {
        const struct proc_view *p = &views[i];
        bool runs = p->state != PROC_ZOMBIE && p->env && p->env < aegis_info()->env_count;
        const char *how = !runs ? "ended" : p->state == PROC_STOPPED ? "stopped" : "runs";
        printf("%5d %6d %5d %4u %-7s %6u %8llu %.*s\n", (int)p->pid, (int)p->parent, (int)p->group,
               (unsigned)p->env, how, runs ? (unsigned)aegis_env(p->env)->pages : 0,
               runs ? (unsigned long long)aegis_env(p->env)->slices : 0, AEGIS_NAME_SIZE, p->name);
    }
}

static void print_environments(void)
{
    static const char *const states[] = {"-", "created", "live", "ending", "ended"};

    printf("%4s %5s %-7s %6s %8s %s\n", "env", "owner", "state", "pages", "slices", "name");
    for (uint32_t i = 1; i < aegis_info()->env_count; i++) {
        struct aegis_env_info env = *(const struct aegis_env_info *)(uintptr_t)aegis_env(i);
        if (env.state == AEGIS_ENV_NONE || env.state > AEGIS_ENV_ENDED)
            continue;
        printf("%4u %5u %-7s %6u %8llu %.*s\n", (unsigned)i, (unsigned)env.owner, states[env.state],
               (unsigned)env.pages, (unsigned long long)env.slices, AEGIS_NAME_SIZE, env.name);
    }
}

int main(int argc, char **argv)
{
    take_help(argc, argv);
    bool all = argc == 2 && !strcmp(argv[1], "-e");
    if (argc > 1 && !all)
        return usage();
    if (all)
        print_environments();
    else
        print_processes();
    return finish(0);
}
