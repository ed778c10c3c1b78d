/*
 * int64_t fork_mark(struct fork_mark *mark): notes where the caller is, and returns 0; returns 1 where fork_resume,
 * at which a child begins, is given a copy of the note. What the psABI has a function keep is kept, tp as well.
 */
#include "libos/proc/mark.h"

        .text
        .globl  fork_mark, fork_resume
        .type   fork_mark, @function
fork_mark:
        sd      ra, 0(a0)
        sd      sp, 8(a0)
        sd      tp, 16(a0)
        frcsr   t0
        sd      t0, 24(a0)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 32 + 8 * \n(a0)
        fsd     fs\n, 128 + 8 * \n(a0)
        fmv.x.d t1, fs\n
        or      t0, t0, t1
        .endr
        sd      t0, 224(a0)
        li      a0, 0
        ret
        .size   fork_mark, . - fork_mark

        .type   fork_resume, @function
fork_resume:
        ld      ra, 0(a0)
        ld      sp, 8(a0)
        ld      tp, 16(a0)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 32 + 8 * \n(a0)
        .endr
        ld      t0, 224(a0)
        beqz    t0, 1f                  /* so they begin: a child that doesn't compute needs no registers */
        ld      t0, 24(a0)
        fscsr   t0
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        fld     fs\n, 128 + 8 * \n(a0)
        .endr
1:
        li      a0, 1
        ret
        .size   fork_resume, . - fork_resume
