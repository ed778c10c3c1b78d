/* What fork asks of vm; not for programs. */
#ifndef EXOS_VM_FORK_H
#define EXOS_VM_FORK_H

#include <stdint.h>

/* Before there is a child: 0, or a negated error of the kernel's. */
int64_t vm_fork_ready(void);

/*
 * Hand memory to env as regions say: copies that are due where either writes, shared pages, or
 * nothing. The stack in [low, high), the exception stacks and what their handlers write to are
 * copied at once. Caller holds (exos_hold). 0, or a negated error; env is to be ended then.
 */
int64_t vm_fork(uint32_t env, uint64_t low, uint64_t high);

/* Child: first of all but upcalls. */
void vm_forked(void);

#endif
