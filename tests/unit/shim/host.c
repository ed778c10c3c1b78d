#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/call.h"
#include "kernel/code.h"
#include "kernel/env.h"
#include "kernel/hart.h"
#include "kernel/interrupt.h"
#include "kernel/power.h"
#include "kernel/print.h"
#include "kernel/rv64/timer.h"

uint8_t *host_memory;
uint64_t host_base, host_size;
char host_text[512], host_log[4096];
uint64_t host_csr_satp, host_csr_sepc, host_csr_sstatus, host_csr_sie, host_csr_sip,
    host_csr_scounteren, host_csr_time;
void (*host_on_fence)(const char *before, const char *after);
void (*host_on_sfence)(uint64_t va, uint64_t asid);
uint32_t (*host_on_mmio_read)(const volatile void *at, size_t size);
void (*host_on_mmio_write)(volatile void *at, uint32_t value);

static struct hart hart;
struct hart *this_hart = &hart;

/* The kernel's image: its sections' ends, of which only distances count. */
char host_image[4 * 4096] __attribute__((aligned(4096)));
__asm__(".globl kernel_start, kernel_text_end, kernel_rodata_end, kernel_end\n"
        ".set kernel_start, host_image\n"
        ".set kernel_text_end, host_image + 0x2000\n"
        ".set kernel_rodata_end, host_image + 0x3000\n"
        ".set kernel_end, host_image + 0x4000\n");

/* What entry.S has. */
_Noreturn void run_on_stack(uint64_t top, void (*function)(void));
_Noreturn void env_resume(struct env *env);
_Noreturn void env_resume_call(struct env *env);
void fpu_save(uint64_t area[33]);
void fpu_load(const uint64_t area[33]);

static jmp_buf jump;
static bool is_running;

static _Noreturn void leave(enum host_end how)
{
    static const char *const names[] = {"returned", "refused",     "panicked", "left",
                                        "entered",  "powered off", "restarted"};

    if (!is_running) {
        fprintf(stderr, "the kernel %s outside of host_run: %s\n", names[how], host_text);
        abort();
    }
    longjmp(jump, (int)how);
}

enum host_end host_run(void (*function)(void *), void *argument)
{
    int how = setjmp(jump);

    if (how == HOST_RETURNED) {
        is_running = true;
        function(argument);
    }
    is_running = false;
    return (enum host_end)how;
}

void *host_at(uint64_t physical, uint64_t size)
{
    if (physical - host_base >= host_size || host_size - (physical - host_base) < size) {
        fprintf(stderr, "the kernel names physical address 0x%lx, which is no memory\n", physical);
        abort();
    }
    return host_memory + (physical - host_base);
}

void refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(host_text, sizeof(host_text), format, arguments);
    va_end(arguments);
    leave(HOST_REFUSED);
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(host_text, sizeof(host_text), format, arguments);
    va_end(arguments);
    leave(HOST_PANICKED);
}

void power_off(uint32_t status)
{
    snprintf(host_text, sizeof(host_text), "power_off(%u)", status);
    leave(HOST_OFF);
}

void run_on_stack(uint64_t top, void (*function)(void))
{
    (void)top, (void)function;
    leave(HOST_LEFT);
}

void env_resume(struct env *env)
{
    (void)env;
    leave(HOST_ENTERED);
}

void env_resume_call(struct env *env)
{
    (void)env;
    leave(HOST_ENTERED);
}

void fpu_save(uint64_t area[33])
{
    memset(area, 0xf1, 33 * sizeof(*area));
}

void fpu_load(const uint64_t area[33])
{
    (void)area;
}

void vprint(const char *format, va_list arguments)
{
    size_t at = strlen(host_log);

    vsnprintf(host_log + at, sizeof(host_log) - at, format, arguments);
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
}

void host_log_clear(void)
{
    host_log[0] = 0;
}

void host_fence(const char *before, const char *after)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (host_on_fence)
        host_on_fence(before, after);
}

void host_sfence(uint64_t va, uint64_t asid)
{
    if (host_on_sfence)
        host_on_sfence(va, asid);
}

uint32_t host_mmio_read(const volatile void *at, size_t size)
{
    if (host_on_mmio_read)
        return host_on_mmio_read(at, size);
    return size == 1   ? *(const volatile uint8_t *)at
           : size == 2 ? *(const volatile uint16_t *)at
                       : *(const volatile uint32_t *)at;
}

void host_mmio_write(volatile uint32_t *at, uint32_t value)
{
    if (host_on_mmio_write)
        host_on_mmio_write(at, value);
    else
        *at = value;
}

void timer_set(uint64_t time)
{
    (void)time;
}

static struct {
    interrupt_handler *handler;
    void *argument;
} handlers[64];

void interrupt_bind(uint32_t irq, interrupt_handler *handler, void *argument)
{
    if (irq >= sizeof(handlers) / sizeof(*handlers))
        refuse("device tree: interrupt %u is none of the PLIC's", irq);
    handlers[irq].handler = handler;
    handlers[irq].argument = argument;
}

bool interrupt_poll(void)
{
    return false;
}

void interrupt_wait(void)
{
}

void host_interrupt(uint32_t irq)
{
    if (irq >= sizeof(handlers) / sizeof(*handlers) || !handlers[irq].handler) {
        fprintf(stderr, "nobody has bound interrupt %u\n", irq);
        abort();
    }
    handlers[irq].handler(handlers[irq].argument);
}

/* Generated code can't run on the host: there is never room for any, so the kernel interprets. */
bool code_alloc_step(struct code_search *search, size_t bytes, struct code *code)
{
    (void)search, (void)bytes;
    *code = (struct code){0, 0};
    return true;
}

void code_free(struct code *code)
{
    *code = (struct code){0, 0};
}

void code_trim(struct code *code, size_t bytes)
{
    (void)code, (void)bytes;
}

uint8_t *code_open(const struct code *code)
{
    (void)code;
    abort();
}

void code_close(const struct code *code)
{
    (void)code;
}

void *code_entry(const struct code *code)
{
    (void)code;
    abort();
}

uint64_t host_restart[4];

void call_restart(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    memcpy(host_restart, (uint64_t[]){number, a0, a1, a2}, sizeof(host_restart));
    leave(HOST_RESTARTED);
}

void print_bytes(const char *bytes, size_t length)
{
    print("%.*s", (int)length, bytes);
}
