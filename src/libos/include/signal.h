/*
 * POSIX signal.h. Numbers are picolibc's, whose strsignal knows them. Signals of other processes
 * are noticed where a slice begins, in what blocks, and where one looks (sigprocmask, sched_yield);
 * those of exceptions at once. There are no queued signals: two of one number may come as one.
 */
#ifndef EXOS_SIGNAL_H
#define EXOS_SIGNAL_H

#define _SYS_SIGNAL_H /* picolibc's, whose structures these replace */

#include <stddef.h>
#include <stdint.h>
#include <sys/_sigset.h>
#include <sys/_timespec.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef _SIGSET_T_DECLARED
#define _SIGSET_T_DECLARED
typedef __sigset_t sigset_t; /* bit n: signal n */
#endif

typedef int sig_atomic_t;
typedef void (*_sig_func_ptr)(int);
typedef _sig_func_ptr sighandler_t;

#define SIG_DFL ((_sig_func_ptr)0)
#define SIG_IGN ((_sig_func_ptr)1)
#define SIG_ERR ((_sig_func_ptr)-1)

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGIOT    6
#define SIGEMT    7
#define SIGFPE    8 /* by raise alone: RISC-V has no such exception */
#define SIGKILL   9
#define SIGBUS    10
#define SIGSEGV   11
#define SIGSYS    12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGURG    16
#define SIGSTOP   17
#define SIGTSTP   18
#define SIGCONT   19
#define SIGCHLD   20
#define SIGCLD    20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGIO     23
#define SIGPOLL   23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGLOST   29
#define SIGUSR1   30
#define SIGUSR2   31
#define NSIG      32

#define SIG_SETMASK 0
#define SIG_BLOCK   1
#define SIG_UNBLOCK 2

#define SA_NOCLDSTOP 0x01 /* no SIGCHLD for children that stop or go on */
#define SA_SIGINFO   0x02
#define SA_ONSTACK   0x04
#define SA_RESTART   0x08
#define SA_NODEFER   0x10
#define SA_RESETHAND 0x20

/* siginfo_t.si_code */
#define SI_USER     1 /* by kill, of si_pid */
#define SI_KERNEL   2
#define SI_TIMER    3
#define SEGV_MAPERR 0x11 /* nothing is mapped at si_addr */
#define SEGV_ACCERR 0x12 /* something is, but not for this */
#define BUS_ADRALN  0x21
#define BUS_ADRERR  0x22
#define ILL_ILLOPC  0x31
#define TRAP_BRKPT  0x41
#define SYS_SECCOMP 0x51 /* a system call that isn't the kernel's */

union sigval {
    int sival_int;
    void *sival_ptr;
};

#define SIGEV_NONE   1
#define SIGEV_SIGNAL 2
#define SIGEV_THREAD 3
struct sigevent {
    int sigev_notify;
    int sigev_signo;
    union sigval sigev_value;
};

typedef struct {
    int si_signo;
    int si_errno;
    int si_code;
    pid_t si_pid;  /* SI_USER: who sent it; of several, the last */
    void *si_addr; /* of an exception: the address that faulted, or the instruction's */
    int si_status;
    union sigval si_value;
} siginfo_t;

struct sigaction {
    union {
        _sig_func_ptr sa_handler;
        void (*sa_sigaction)(int signal, siginfo_t *info, void *context);
    };
    sigset_t sa_mask;
    int sa_flags;
};

#define MINSIGSTKSZ 2048
#define SIGSTKSZ    16384
#define SS_ONSTACK  1
#define SS_DISABLE  2
typedef struct sigaltstack {
    void *ss_sp;
    int ss_flags;
    size_t ss_size;
} stack_t;

/* A handler may change what is in here, and returns to it. */
typedef struct {
    uint64_t __gregs[32]; /* [0]: pc; [n]: register n */
    double __fpregs[32];
    uint64_t __fcsr;
} mcontext_t;
#define REG_PC 0
#define REG_RA 1
#define REG_SP 2
#define REG_TP 4
#define REG_S0 8
#define REG_A0 10

typedef struct ucontext {
    unsigned long uc_flags;
    struct ucontext *uc_link;
    stack_t uc_stack;
    sigset_t uc_sigmask; /* becomes the mask when the handler returns */
    mcontext_t uc_mcontext;
} ucontext_t;

int sigaction(int signal, const struct sigaction *action, struct sigaction *before);
_sig_func_ptr signal(int signal, _sig_func_ptr handler);
int sigprocmask(int how, const sigset_t *set, sigset_t *before);
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before); /* of all threads */
int sigpending(sigset_t *set);
int sigsuspend(const sigset_t *mask);
int sigwait(const sigset_t *set, int *signal);
int sigaltstack(const stack_t *stack, stack_t *before);
int siginterrupt(int signal, int flag);
int raise(int signal);
int kill(pid_t pid, int signal);
int killpg(pid_t group, int signal);
void psignal(int signal, const char *text);

static inline int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

static inline int sigfillset(sigset_t *set)
{
    *set = 0xfffffffe;
    return 0;
}

/* errno isn't set: -1 alone says that there is no such signal. */
static inline int sigaddset(sigset_t *set, int signal)
{
    if (signal <= 0 || signal >= NSIG)
        return -1;
    *set |= 1UL << signal;
    return 0;
}

static inline int sigdelset(sigset_t *set, int signal)
{
    if (signal <= 0 || signal >= NSIG)
        return -1;
    *set &= ~(1UL << signal);
    return 0;
}

static inline int sigismember(const sigset_t *set, int signal)
{
    return signal <= 0 || signal >= NSIG ? -1 : (int)(*set >> signal & 1);
}

#ifdef __cplusplus
}
#endif

#endif
