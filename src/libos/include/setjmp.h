/* setjmp.h: picolibc's, and POSIX's jumps that keep the signal mask. */
#ifndef EXOS_SETJMP_H
#define EXOS_SETJMP_H

#include_next <setjmp.h>
#include <signal.h>

typedef struct {
    jmp_buf registers;
    int saves;
    sigset_t mask;
} sigjmp_buf[1];

#define sigsetjmp(buffer, mask_too)                                                                \
    ((buffer)->saves = (mask_too), sigprocmask(SIG_BLOCK, NULL, &(buffer)->mask),                  \
     setjmp((buffer)->registers))

_Noreturn void siglongjmp(sigjmp_buf buffer, int value);

#endif
