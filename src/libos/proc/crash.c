/* What a program says of the exception that ends it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libos/proc/signals.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/vm.h"

#define TRACE_MOST  12   /* return addresses */
#define TRACE_WORDS 4096 /* of the stack that are looked at */

extern const char __text_start[], __text_end[]; /* app.ld */

const char *signal_name(int signal)
{
    static const char *const names[NSIG] = {
        [SIGHUP] = "SIGHUP",     [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT",
        [SIGILL] = "SIGILL",     [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
        [SIGEMT] = "SIGEMT",     [SIGFPE] = "SIGFPE",       [SIGKILL] = "SIGKILL",
        [SIGBUS] = "SIGBUS",     [SIGSEGV] = "SIGSEGV",     [SIGSYS] = "SIGSYS",
        [SIGPIPE] = "SIGPIPE",   [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
        [SIGURG] = "SIGURG",     [SIGSTOP] = "SIGSTOP",     [SIGTSTP] = "SIGTSTP",
        [SIGCONT] = "SIGCONT",   [SIGCHLD] = "SIGCHLD",     [SIGTTIN] = "SIGTTIN",
        [SIGTTOU] = "SIGTTOU",   [SIGIO] = "SIGIO",         [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ",   [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
        [SIGWINCH] = "SIGWINCH", [SIGLOST] = "SIGLOST",     [SIGUSR1] = "SIGUSR1",
        [SIGUSR2] = "SIGUSR2",
    };
    return signal > 0 && signal < NSIG && names[signal] ? names[signal] : "?";
}

/* Whether a call stands before address: jal or jalr with rd = ra, or c.jalr (unprivileged
 * ISA 2.5, 16.4). */
static bool is_behind_call(uint64_t address)
{
    uint64_t offset = address - (uint64_t)__text_start;
    if (address % 2 || offset < 4 || offset > (uint64_t)__text_end - (uint64_t)__text_start)
        return false;
    uint16_t halves[2];
    memcpy(halves, (const void *)(address - 4), sizeof halves);
    uint32_t insn = halves[0] | (uint32_t)halves[1] << 16;
    bool jal = (insn & 0xfff) == (0x6f | 1 << 7), jalr = (insn & 0x7fff) == (0x67 | 1 << 7);
    return jal || jalr || ((halves[1] & 0xf07f) == 0x9002 && halves[1] != 0x9002);
}

/*
 * Programs keep no frame pointers: words on the stack that point behind a call are taken for return
 * addresses. Some may be left over from calls that have returned.
 */
static size_t trace(const struct upcall_context *context, uint64_t found[TRACE_MOST])
{
    const volatile uint64_t *at = (const volatile uint64_t *)(context->x[2] & ~7UL);
    size_t count = 0;
    uint64_t word;

    if (is_behind_call(context->x[1]))
        found[count++] = context->x[1];
    for (size_t i = 0; i < TRACE_WORDS && count < TRACE_MOST; i++) {
        if (!upcall_probe(at + i, &word)) {
            if ((uint64_t)(at + i) % AEGIS_PAGE_SIZE == 0 && i > AEGIS_PAGE_SIZE / sizeof word)
                break;
            i |= AEGIS_PAGE_SIZE / sizeof word - 1; /* below the stack's end: an overflow */
            continue;
        }
        if (is_behind_call(word) && (count == 0 || found[count - 1] != word))
            found[count++] = word;
    }
    return count;
}

/* What vm found out about a page fault, which goes before the rest; "" about other exceptions. */
static const char *reason(const struct upcall_context *context)
{
    static const char *const words[] = {[VM_UNMAPPED] = "nothing is there: ",
                                        [VM_FORBIDDEN] = "protected: ",
                                        [VM_OVERFLOW] = "stack overflow: ",
                                        [VM_LOST] = "the page was taken by force: ",
                                        [VM_NO_MEMORY] = "no memory is left for the page: "};
    int64_t error;
    bool fault = context->cause == UPCALL_FETCH_PAGE || context->cause == UPCALL_LOAD_PAGE ||
                 context->cause == UPCALL_STORE_PAGE;
    return fault ? words[vm_why(context->value, &error)] : "";
}

static void report(const char *what, const struct upcall_context *context)
{
    const volatile char *name = aegis_env(exos.env)->name;
    char text[512], program[AEGIS_NAME_SIZE];
    uint64_t calls[TRACE_MOST];
    static bool reporting;

    if (reporting) /* the report's own exception, or it is out already */
        return;
    reporting = true;
    for (size_t i = 0; i < sizeof program; i++)
        program[i] = name[i];
    program[sizeof program - 1] = 0;
    int used = snprintf(text, sizeof text, "%s: %s%s at pc 0x%llx, address 0x%llx; called from",
                        program, reason(context), what, (unsigned long long)context->pc,
                        (unsigned long long)context->value);
    size_t count = trace(context, calls);
    for (size_t i = 0; i < count && used < (int)sizeof text - 24; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, " 0x%llx",
                         (unsigned long long)calls[i]);
    text[used++] = '\n';
    if (exos_held || write(STDERR_FILENO, text, (size_t)used) < 0)
        aegis_log(text, (uint64_t)used);
}

void signal_report(int signal, const struct upcall_context *context)
{
    report(signal_name(signal), context);
}

/* Of programs that have nothing to do with signals: the kernel's number. */
void upcall_last_words(const struct upcall_context *context)
{
    char what[32];
    snprintf(what, sizeof what, "exception %u", (unsigned)context->cause);
    report(what, context);
}
