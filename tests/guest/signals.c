/*
 * Signals: each way in which a handler is entered, what it is told, what it may change, how calls
 * go on behind it; and the places where a signal must not come between.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SECOND 1000000000UL

static volatile sig_atomic_t count, last, code, from;
static volatile uint64_t fault_address, fault_pc, handler_sp;
static sigset_t inner;

static void note(int signal)
{
    count++;
    last = signal;
    sigprocmask(SIG_BLOCK, NULL, &inner);
}

static void handle(int signal, void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
    count = last = 0;
}

static pid_t spawn(char *const argv[])
{
    pid_t pid = 0;
    int error = posix_spawn(&pid, "signals", NULL, NULL, argv, environ);
    if (error)
        FAIL("posix_spawn: %s", strerror(error));
    return pid;
}
#define SPAWN(...) spawn((char *[]){"signals", __VA_ARGS__, NULL})

static int status_of(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    return status;
}

static void raised(void)
{
    sigset_t set;
    handle(SIGUSR1, note, 0);
    handle(SIGFPE, note, 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK(count == 1 && last == SIGUSR1);
    CHECK(sigismember(&inner, SIGUSR1) == 1 && sigismember(&inner, SIGFPE) == 0);
    CHECK_EQ(raise(SIGFPE), 0);
    CHECK(count == 2 && last == SIGFPE);
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &set), 0);
    CHECK_EQ(set, 0);
    CHECK(raise(0) == -1 && errno == EINVAL);
    CHECK(raise(NSIG) == -1 && errno == EINVAL);
    CHECK(kill(getpid(), NSIG) == -1 && errno == EINVAL);
    CHECK(kill(getpid(), -1) == -1 && errno == EINVAL);
    CHECK(sigaction(SIGKILL, &(struct sigaction){.sa_handler = note}, NULL) == -1);
    CHECK(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = note}, NULL) == -1);
    CHECK_EQ(sigaction(SIGKILL, NULL, &(struct sigaction){0}), 0);
}

static void flags(void)
{
    handle(SIGUSR1, note, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(sigismember(&inner, SIGUSR1), 0);
    handle(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(count == 1 && now.sa_handler == SIG_DFL);
    CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
    raise(SIGUSR1);
    CHECK(signal(SIGUSR1, note) == SIG_IGN);
    CHECK_EQ(count, 1);
    struct sigaction mask = {.sa_handler = note};
    sigaddset(&mask.sa_mask, SIGUSR2);
    CHECK_EQ(sigaction(SIGUSR1, &mask, NULL), 0);
    raise(SIGUSR1);
    CHECK(sigismember(&inner, SIGUSR2) == 1);
}

static void blocked(void)
{
    sigset_t set, pending, before;
    handle(SIGUSR1, note, 0);
    handle(SIGUSR2, note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGKILL); /* which can't be */
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &before), 0);
    CHECK_EQ(before, 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(count, 0);
    CHECK_EQ(sigpending(&pending), 0);
    CHECK_EQ(pending, 1UL << SIGUSR1);
    raise(SIGUSR2);
    CHECK(count == 1 && last == SIGUSR2);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, &before), 0);
    CHECK_EQ(before, 1UL << SIGUSR1);
    CHECK(count == 2 && last == SIGUSR1); /* twice is once */
    CHECK(sigprocmask(77, &set, NULL) == -1 && errno == EINVAL);

    /* sigsuspend lets it in, and blocks it again. */
    CHECK_EQ(sigprocmask(SIG_SETMASK, &set, NULL), 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 2);
    sigset_t none = 0;
    errno = 0;
    CHECK(sigsuspend(&none) == -1 && errno == EINTR);
    CHECK_EQ(count, 3);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &none, &before), 0);
    CHECK_EQ(before, 1UL << SIGUSR1);

    int got = 0;
    CHECK_EQ(sigprocmask(SIG_SETMASK, &set, NULL), 0);
    raise(SIGUSR1);
    CHECK_EQ(sigwait(&set, &got), 0);
    CHECK(got == SIGUSR1 && count == 3);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &none, NULL), 0);
    CHECK_EQ(count, 3);
}

/* Exceptions. */

static volatile uint64_t *guarded;

static void mend(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    count++;
    last = signal;
    code = info->si_code;
    fault_address = (uint64_t)info->si_addr;
    fault_pc = uc->uc_mcontext.__gregs[REG_PC];
    handler_sp = (uint64_t)__builtin_frame_address(0);
    if (signal == SIGSEGV && info->si_code == SEGV_ACCERR)
        vm_protect((void *)(uintptr_t)guarded, 1, VM_READ_WRITE);
}

/* Goes on behind the instruction, of 4 bytes, with another a0 and fa0. */
static void skip(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    mend(signal, info, context);
    uc->uc_mcontext.__gregs[REG_PC] += 4;
    uc->uc_mcontext.__gregs[REG_A0] = 4711;
    uc->uc_mcontext.__fpregs[10] = 0.25;
    sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int more)
{
    const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | more};
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
    count = last = 0;
}

static void exceptions_return_where_the_handler_says(void)
{
    sigset_t set;
    uint64_t result;
    double real;
    handle_info(SIGSEGV, skip, 0);
    handle_info(SIGILL, skip, 0);
    handle_info(SIGTRAP, skip, 0);
    __asm__ volatile(".option push\n.option norvc\nli a0, 1\nlw a0, 16(zero)\n.option pop\n"
                     "mv %0, a0\nfmv.d %1, fa0"
                     : "=r"(result), "=f"(real)
                     :
                     : "a0", "fa0", "gp", "memory");
    CHECK(count == 1 && last == SIGSEGV && code == SEGV_MAPERR);
    CHECK(result == 4711 && real == 0.25);
    CHECK_EQ(fault_address, 16);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &(sigset_t){0}, &set), 0);
    CHECK_EQ(set, 1UL << SIGUSR2);
    __asm__ volatile(".option push\n.option norvc\nunimp\n.option pop" ::: "a0", "fa0", "gp");
    CHECK(count == 2 && last == SIGILL && code == ILL_ILLOPC && fault_address == fault_pc);
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "a0", "fa0", "gp");
    CHECK(count == 3 && last == SIGTRAP && code == TRAP_BRKPT);
    sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
    signal(SIGILL, SIG_DFL);
    signal(SIGTRAP, SIG_DFL);
}

/* Also where a slice begins on the way to the handler. */
static void each_exception_is_handled_once_where_it_was(void)
{
    int rounds = 0;
    handle_info(SIGTRAP, skip, 0);
    for (uint64_t end = aegis_env(exos.env)->slices + 20; aegis_env(exos.env)->slices < end;) {
        uint64_t result;
        __asm__ volatile(".option push\n.option norvc\nli a0, 1\nebreak\n.option pop\nmv %0, a0"
                         : "=r"(result)
                         :
                         : "a0", "fa0", "gp", "memory");
        CHECK_EQ(result, 4711);
        CHECK_EQ(count, ++rounds);
    }
    sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
    signal(SIGTRAP, SIG_DFL);
}

static volatile uint64_t reserved_word;

static void change_and_reserve(int signal, siginfo_t *info, void *context)
{
    uint64_t value;
    skip(signal, info, context);
    reserved_word = 1;
    __asm__ volatile("lr.d %0, (%1)" : "=&r"(value) : "r"(&reserved_word) : "memory");
}

/* What a handler reserves isn't what the interrupted code has reserved. */
static void a_reservation_ends_with_the_handler(void)
{
    uint64_t failed;
    handle_info(SIGTRAP, change_and_reserve, 0);
    __asm__ volatile("lr.d %0, (%1)\n"
                     ".option push\n.option norvc\nebreak\n.option pop\n"
                     "sc.d %0, zero, (%1)"
                     : "=&r"(failed)
                     : "r"(&reserved_word)
                     : "a0", "fa0", "gp", "memory");
    CHECK(failed && reserved_word == 1);
    CHECK_EQ(count, 1);
    sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
    signal(SIGTRAP, SIG_DFL);
}

static void exceptions_are_mended(void)
{
    guarded = vm_alloc(1, VM_READ_WRITE);
    CHECK(guarded);
    guarded[5] = 1;
    handle_info(SIGSEGV, mend, 0);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(vm_protect((void *)(uintptr_t)guarded, 1, AEGIS_PROT_READ));
        guarded[5] += 2;
        CHECK_EQ(guarded[5], 1 + 2 * (i + 1));
    }
    CHECK(count == 100 && code == SEGV_ACCERR);
    CHECK_EQ(fault_address, &guarded[5]);
    CHECK_OK(vm_free((void *)(uintptr_t)guarded));
}

static sigjmp_buf back;

static void leave(int signal)
{
    count++;
    last = signal;
    siglongjmp(back, 1);
}

/* Many times: no frame of an upcall, and no stack, is left behind. */
static void handlers_may_leave_by_siglongjmp(void)
{
    handle(SIGSEGV, leave, 0);
    for (volatile int i = 0; i < 50; i++)
        if (sigsetjmp(back, 1) == 0) {
            __asm__ volatile("sw zero, 24(zero)");
            FAIL("it went on");
        }
    CHECK_EQ(count, 50);
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK_EQ(set, 0);
    signal(SIGSEGV, SIG_DFL);
}

static char alternate[SIGSTKSZ];

static int overflow(int depth)
{
    volatile char room[65536];
    room[0] = (char)depth;
    return depth < 0 ? 0 : overflow(depth + 1) + room[0];
}

static void on_top(int signal)
{
    handler_sp = (uint64_t)__builtin_frame_address(0);
    stack_t now;
    sigaltstack(NULL, &now);
    code = now.ss_flags;
    leave(signal);
}

static void a_stack_that_overflows_is_handled_on_another(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, before;
    CHECK_EQ(sigaltstack(&stack, &before), 0);
    CHECK(before.ss_flags & SS_DISABLE);
    CHECK(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 100}, NULL) == -1);
    handle(SIGSEGV, on_top, SA_ONSTACK);
    for (volatile int i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0)
            overflow(0);
    CHECK_EQ(count, 3);
    CHECK(handler_sp > (uint64_t)alternate && handler_sp <= (uint64_t)alternate + sizeof alternate);
    CHECK(code & SS_ONSTACK);
    CHECK_EQ(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), 0);
    signal(SIGSEGV, SIG_DFL);
}

/* Of others. */

static void told(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last = signal;
    code = info->si_code;
    from = info->si_pid;
}

/* It computes all the time: only the beginning of a slice can come between. */
static void signals_come_between_any_two_instructions(void)
{
    handle_info(SIGUSR1, told, 0);
    char text[16];
    snprintf(text, sizeof text, "%d", getpid());
    pid_t pid = SPAWN("send", text, "100000");
    double sum = 1;
    uint64_t limit = time_after(20 * SECOND), rounds = 0;
    while (count < 10 && time_now() < limit) {
        for (int i = 0; i < 1000; i++)
            sum = sum * 1.0001 + (double)i - (double)i;
        sum = sum > 1e6 ? 1 : sum;
        rounds++;
    }
    CHECK(count >= 10);
    CHECK(last == SIGUSR1 && from == pid && code == SI_USER);
    CHECK(rounds > 20 && sum >= 1);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(status_of(pid), SIGKILL);
}

static void use_heap(int signal)
{
    (void)signal;
    count++;
}

/* While malloc and free run, which a handler waits for (exos_hold). */
static void signals_wait_for_malloc(void)
{
    handle(SIGUSR1, use_heap, SA_RESTART);
    char text[16];
    snprintf(text, sizeof text, "%d", getpid());
    pid_t pid = SPAWN("send", text, "100000");
    uint64_t limit = time_after(20 * SECOND);
    void *blocks[64] = {0};
    for (uint64_t i = 0; count < 10 && time_now() < limit; i++) {
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(16 + i * 37 % 5000);
        CHECK(blocks[i % 64]);
    }
    CHECK(count >= 10);
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(status_of(pid), SIGKILL);
}

static void sleeps_are_interrupted(void)
{
    handle(SIGUSR1, note, SA_RESTART);
    char text[16];
    snprintf(text, sizeof text, "%d", getpid());
    pid_t pid = SPAWN("send", text, "3");
    for (int i = 0; i < 3; i++) {
        int before = count;
        CHECK(pause() == -1 && errno == EINTR);
        CHECK(count > before);
        if (count == 3)
            break;
    }
    CHECK_EQ(status_of(pid), 0);
    /* waitpid goes on with SA_RESTART, and doesn't without. */
    pid = SPAWN("send", text, "1");
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    handle(SIGUSR1, note, 0);
    pid_t other = SPAWN("wait");
    pid = SPAWN("send", text, "1");
    CHECK(waitpid(other, &status, 0) == -1 && errno == EINTR);
    CHECK_EQ(kill(other, SIGTERM), 0);
    CHECK_EQ(status_of(other), SIGTERM);
    CHECK_EQ(status_of(pid), 0);
}

static void children_are_reported(void)
{
    handle(SIGCHLD, note, SA_RESTART);
    pid_t pid = SPAWN("exit");
    uint64_t limit = time_after(20 * SECOND);
    while (count == 0 && time_now() < limit)
        usleep(1000);
    CHECK(count >= 1 && last == SIGCHLD);
    CHECK_EQ(status_of(pid), 0);
    signal(SIGCHLD, SIG_DFL);
}

static void alarms(void)
{
    handle(SIGALRM, note, 0);
    uint64_t begun = time_now(), second = aegis_info()->timebase;
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(1), 100);
    handle(SIGUSR1, note, 0);
    CHECK_EQ(raise(SIGUSR1), 0); /* handled before the wait, which it doesn't end */
    CHECK(count == 1 && last == SIGUSR1);
    CHECK(pause() == -1);
    CHECK(count == 2 && last == SIGALRM);
    CHECK(time_now() - begun >= second && time_now() - begun < 50 * second);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(0), 100);
    /* Its default action ends, also one that computes. */
    CHECK_EQ(status_of(SPAWN("alarm")), SIGALRM);
}

static void ends(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t waits = SPAWN("wait"), spins = SPAWN("spin");
        usleep(20000);
        CHECK_EQ(kill(waits, signals[i]), 0);
        CHECK_EQ(kill(spins, signals[i]), 0);
        CHECK_EQ(status_of(waits), signals[i]);
        CHECK_EQ(status_of(spins), signals[i]);
    }
    pid_t pid = SPAWN("wait");
    CHECK_EQ(kill(pid, SIGCHLD), 0); /* ignored by default */
    CHECK_EQ(kill(pid, SIGSTOP), 0);
    int status;
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    CHECK_EQ(kill(pid, SIGTERM), 0); /* waits until it goes on */
    usleep(50000);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_EQ(kill(pid, SIGCONT), 0);
    CHECK_EQ(status_of(pid), SIGTERM);
    pid = SPAWN("abort");
    CHECK_EQ(status_of(pid), SIGABRT);
}

/* What is ignored and blocked goes along, but for what the attributes say. */
static void what_children_begin_with(void)
{
    posix_spawnattr_t attributes;
    sigset_t set = 1UL << SIGUSR1;
    pid_t pid;
    char *argv[] = {"signals", "begins", NULL};
    signal(SIGUSR2, SIG_IGN);
    signal(SIGUSR1, note); /* handlers don't */
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("begins"))), 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &(sigset_t){0});
    posix_spawnattr_setsigdefault(&attributes, &(sigset_t){1UL << SIGUSR2});
    CHECK_EQ(posix_spawn(&pid, "signals", NULL, &attributes, argv, environ), 0);
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 0);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    signal(SIGUSR2, SIG_DFL);
}

static int child(char **argv)
{
    const char *what = argv[1];
    if (!strcmp(what, "send"))
        for (int i = 0; i < atoi(argv[3]); i++) {
            usleep(30000);
            if (kill(atoi(argv[2]), SIGUSR1))
                return 1;
        }
    if (!strcmp(what, "wait"))
        for (;;)
            pause();
    if (!strcmp(what, "spin"))
        for (;;)
            __asm__ volatile("");
    if (!strcmp(what, "alarm")) {
        alarm(1);
        for (;;)
            __asm__ volatile("");
    }
    if (!strcmp(what, "abort")) {
        signal(SIGABRT, note);
        abort();
    }
    if (!strcmp(what, "begins")) {
        sigset_t mask;
        struct sigaction action;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        sigaction(SIGUSR2, NULL, &action);
        bool plain = sigaction(SIGUSR1, NULL, &(struct sigaction){0}) == 0;
        return (mask == 1UL << SIGUSR1) + 2 * (action.sa_handler == SIG_IGN) + !plain * 4;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv);
    raised();
    flags();
    blocked();
    exceptions_return_where_the_handler_says();
    each_exception_is_handled_once_where_it_was();
    a_reservation_ends_with_the_handler();
    exceptions_are_mended();
    handlers_may_leave_by_siglongjmp();
    a_stack_that_overflows_is_handled_on_another();
    signals_come_between_any_two_instructions();
    signals_wait_for_malloc();
    sleeps_are_interrupted();
    children_are_reported();
    alarms();
    ends();
    what_children_begin_with();
    return 0;
}
