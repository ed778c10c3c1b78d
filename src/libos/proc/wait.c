#include "libos/proc/proc.h"

#include <stdio.h>

#include "image/cpio.h"
#include "image/elf.h"
#include "libos/start/error.h"
#include "libos/vm/vm.h"

int proc_reap(struct proc *proc, struct proc_status *status)
{
    const volatile struct aegis_env_info *info = aegis_env(proc->env);
    if (info->state != AEGIS_ENV_ENDED)
        return 0;
    *status = (struct proc_status){.reason = info->exit_reason,
                                   .value = info->exit_value,
                                   .pc = info->exit_pc,
                                   .address = info->exit_address};
    aegis_env_free(proc->env);
    vm_free(proc->start);
    *proc = (struct proc){0};
    return 1;
}

int proc_wait(struct proc *proc, struct proc_status *status, uint64_t deadline)
{
    struct aegis_predicate ended = aegis_when_ended(proc->env);
    aegis_wait(&ended, 1, deadline);
    return proc_reap(proc, status);
}

int64_t proc_kill(struct proc *proc, uint64_t status)
{
    return aegis_env_end(proc->env, status);
}

const char *proc_strerror(int64_t error)
{
    int64_t number = -error;
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
