/*
 * Floating-point registers, moved on first use (design section 4): FS is Off whenever an
 * environment is entered that doesn't own them, so that nothing of them carries over.
 */
#ifndef AEGIS_KERNEL_FPU_H
#define AEGIS_KERNEL_FPU_H

#include <stdbool.h>

struct env;

/* Called when env is entered: opens the registers to their owner, closes them to others. */
void fpu_switch(const struct env *env);

/*
 * On an illegal instruction of env: if FS was Off, gives env the registers and returns true (the
 * instruction is tried again, and is illegal for good if it traps with FS on).
 */
bool fpu_take(struct env *env);

/* Whether env has the registers, and FS lets it use them while it runs. */
bool fpu_is_of(const struct env *env);

/* env ends: its values are nobody's any more. */
void fpu_forget(const struct env *env);

#endif
