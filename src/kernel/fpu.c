#include "kernel/fpu.h"

#include "kernel/direct.h"
#include "kernel/env.h"

void fpu_save(uint64_t area[33]);       /* entry.S */
void fpu_load(const uint64_t area[33]); /* entry.S */

void fpu_switch(const struct env *env)
{
    csr_clear(sstatus, SSTATUS_FS);
    if (this_hart->fpu == env)
        csr_set(sstatus, FS_DIRTY);
}

bool fpu_take(struct env *env)
{
    if ((csr_read(sstatus) & SSTATUS_FS) != FS_OFF)
        return false;
    csr_set(sstatus, FS_DIRTY);
    if (this_hart->fpu)
        fpu_save(this_hart->fpu->fpu);
    /* A new environment's area is zero, so its first use loads zeros. */
    fpu_load(env->fpu);
    this_hart->fpu = env;
    direct_forget(); /* its next illegal instruction is one */
    return true;
}

bool fpu_is_of(const struct env *env)
{
    return this_hart->fpu == env;
}

void fpu_forget(const struct env *env)
{
    if (this_hart->fpu == env)
        this_hart->fpu = NULL;
}
