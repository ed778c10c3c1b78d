/* Where a fork's child begins (mark.S). */
#ifndef EXOS_PROC_MARK_H
#define EXOS_PROC_MARK_H

#define FORK_MARK_SIZE 240 /* bytes */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct fork_mark {
    uint64_t
        /* ra, sp, tp, fcsr, s0 to s11, fs0 to fs11, whether one of these or fcsr isn't 0 */
        sp_etc[FORK_MARK_SIZE / sizeof(uint64_t)];
};

int64_t fork_mark(struct fork_mark *mark) __attribute__((returns_twice));
void fork_resume(struct fork_mark *mark);
#endif
#endif
