#include "libos/proc/proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "image/cpio.h"
#include "image/elf.h"
#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/start/error.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

/*
 * The environment that carries a member now: it may have replaced itself since the last look, and
 * the new one may have ended, with its record gone. Returns the member's life word, 0 if it has
 * none.
 */
static uint64_t follow(struct proc *proc)
{
    uint64_t life = 0;

    if (!proc->pid || !table_find(proc->pid, &life))
        return 0;
    life = table_settle((uint32_t)proc->pid % TABLE_SLOTS);
    uint32_t left = proc->env;
    if (life_state(life) != LIFE_LIVE || carrier_env(life) == left || !table_carried(life) ||
        !table_is_process(carrier_env(life)))
        return life;
    proc->env = carrier_env(life);
    table_hold(proc->env, true);
    table_hold(left, false);
    table_free_env(left);
    return life;
}

/* A zombie's environment is the last one that was followed, or one that came behind that. */
static struct proc_status status_of(const struct proc *proc, uint64_t life)
{
    const volatile struct aegis_env_info *info = aegis_env(proc->env);
    int status = (int)(life_rest(life) & 0xffff);

    if (life_state(life) == LIFE_ZOMBIE &&
        (info->state != AEGIS_ENV_ENDED || status != table_status(info)))
        return (struct proc_status){.reason = AEGIS_EXIT_STATUS,
                                    .value = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status)
                                                               : (uint64_t)WTERMSIG(status) << 8};
    return (struct proc_status){.reason = info->exit_reason,
                                .value = info->exit_value,
                                .pc = info->exit_pc,
                                .address = info->exit_address};
}

/*
 * The environment whose end is waited for; *life is the member's life word. Another than proc->env
 * is one that the table names: on the way through an execve, or because somebody has written that.
 */
static uint32_t watched(struct proc *proc, uint64_t *life)
{
    *life = follow(proc);
    return life_state(*life) == LIFE_LIVE && table_carried(*life) ? carrier_env(*life) : proc->env;
}

int proc_reap(struct proc *proc, struct proc_status *status)
{
    uint64_t life;
    uint32_t env = watched(proc, &life);

    if (aegis_env(env)->state != AEGIS_ENV_ENDED && life_state(life) != LIFE_ZOMBIE)
        return 0;
    *status = status_of(proc, life);
    table_hold(proc->env, false);
    if (proc->pid)
        proc_release(proc->pid);
    table_free_env(proc->env);
    vm_free(proc->start);
    *proc = (struct proc){0};
    return 1;
}

int proc_wait(struct proc *proc, struct proc_status *status, uint64_t deadline)
{
    for (;;) {
        uint64_t life;
        uint32_t env = watched(proc, &life), serial = aegis_env(env)->serial;
        if (proc_reap(proc, status))
            return 1;
        /* Its record may go as soon as it is there, when its owner ends. */
        struct aegis_predicate when[] = {
            aegis_when_ended(env),
            {.word = (const volatile uint64_t *)aegis_env(env),
             .mask = UINT32_MAX,
             .value = serial,
             .op = AEGIS_WAKE_NE},
        };
        int64_t which = exos_wait(when, 2, deadline);
        if (which != 0 && which != 1) /* the deadline, or a signal */
            return proc_reap(proc, status);
    }
}

int64_t proc_kill(struct proc *proc, uint64_t status)
{
    return aegis_env_end(proc->env, status);
}

_Static_assert(offsetof(struct aegis_env_info, serial) == 0, "the first word's lower half");

const char *proc_strerror(int64_t error)
{
    int64_t number = -error;
    if (number >= PROC_NO_ENTRY)
        return "no more processes: the session's table is full, or this process's share of it";
    if (number >= PROC_PART_ERROR)
        return strerror((int)(number - PROC_PART_ERROR));
    if (number >= PROC_ARGUMENTS)
        return "its arguments and capabilities don't fit the start block";
    if (number >= PROC_ELF_ERROR)
        return elf_strerror((int)-(number - PROC_ELF_ERROR));
    if (number >= PROC_CPIO_ERROR)
        return cpio_strerror((int)-(number - PROC_CPIO_ERROR));
    return aegis_strerror(error);
}

char *proc_describe(const struct proc_status *status, char *text, size_t size)
{
    static const char *const formats[] = {
        [AEGIS_EXIT_NONE] = "unknown",
        [AEGIS_EXIT_STATUS] = "status %llu",
        [AEGIS_EXIT_KILLED] = "ended by its owner, status %llu",
        [AEGIS_EXIT_EXCEPTION] = "exception %llu at pc 0x%llx, address 0x%llx",
        [AEGIS_EXIT_DEPTH] = "exception %llu nested too deeply, at pc 0x%llx, address 0x%llx",
        [AEGIS_EXIT_OVERRUN] = "%llu slices whose epilogue would not end, at pc 0x%llx",
    };
    const char *format = (unsigned)status->reason < sizeof formats / sizeof *formats
                             ? formats[status->reason]
                             : formats[AEGIS_EXIT_NONE];
    snprintf(text, size, format, (unsigned long long)status->value, (unsigned long long)status->pc,
             (unsigned long long)status->address);
    return text;
}
