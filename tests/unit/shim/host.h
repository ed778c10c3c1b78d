/*
 * The machine that the kernel's own files find when a unit test compiles them for the host: the
 * headers in this folder stand in front of the kernel's and replace what only RISC-V has.
 *
 * Physical memory is a buffer; an access outside of it ends the test. Registers are variables,
 * fences call hooks, and what never returns in the kernel jumps back into host_run.
 */
#ifndef AEGIS_TESTS_HOST_H
#define AEGIS_TESTS_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Physical memory [host_base, host_base + host_size), which the test owns. */
extern uint8_t *host_memory;
extern uint64_t host_base, host_size;

/* Where a physical address of size bytes lies in the buffer; ends the test if it isn't memory. */
void *host_at(uint64_t physical, uint64_t size);

/* Why code of the kernel didn't return. */
enum host_end {
    HOST_RETURNED,
    HOST_REFUSED,  /* refuse */
    HOST_PANICKED, /* panic */
    HOST_LEFT,     /* slice_next: the processor was given away */
    HOST_ENTERED,  /* env_resume: user mode */
    HOST_OFF,      /* power_off */
    HOST_RESTARTED /* call_restart: host_restart says with what */
};

/*
 * Calls function(argument) and tells how it ended. An end without host_run around it ends the test.
 * May not be nested.
 */
enum host_end host_run(void (*function)(void *), void *argument);

/* What refuse or panic said last. */
extern char host_text[512];

/* What print has printed since host_log_clear, cut off when it gets long. */
extern char host_log[4096];
void host_log_clear(void);

/* Control and status registers: csr_read(name) reads host_csr_name. */
extern uint64_t host_csr_satp, host_csr_sepc, host_csr_sstatus, host_csr_sie, host_csr_sip,
    host_csr_scounteren, host_csr_time;

/* Called at each fence, with the kinds of access before and after it ("w", "rw", ...), unless NULL.
 */
extern void (*host_on_fence)(const char *before, const char *after);
void host_fence(const char *before, const char *after);

/* What the last call_restart has its caller call again: number, a0 to a2. */
extern uint64_t host_restart[4];

/* Called at each sfence.vma, unless NULL: one address, or all if va is HOST_ALL; one ASID, or all.
 */
#define HOST_ALL UINT64_MAX
extern void (*host_on_sfence)(uint64_t va, uint64_t asid);
void host_sfence(uint64_t va, uint64_t asid);

/* Device registers: called for each access of size bytes; plain memory if they are NULL. */
extern uint32_t (*host_on_mmio_read)(const volatile void *at, size_t size);
extern void (*host_on_mmio_write)(volatile void *at, uint32_t value);
uint32_t host_mmio_read(const volatile void *at, size_t size);
void host_mmio_write(volatile uint32_t *at, uint32_t value);

/* The handler that interrupt_bind was given for irq, called; ends the test if there is none. */
void host_interrupt(uint32_t irq);

#endif
