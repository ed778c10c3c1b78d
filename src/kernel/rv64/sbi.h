/*
 * Calls of the Supervisor Binary Interface (RISC-V SBI 1.0): for what the hart itself can't do.
 */
#ifndef AEGIS_KERNEL_RV64_SBI_H
#define AEGIS_KERNEL_RV64_SBI_H

#include <stdint.h>

/* Legacy console putchar (chapter 5.2): the only output before a device is known. */
void sbi_console_put(char c);

/* TIME extension (chapter 6): the next timer interrupt comes at rdtime >= time. */
void sbi_set_timer(uint64_t time);

/* HSM hart_get_status (chapter 9): SBI_HART_* or a negative SBI error. */
long sbi_hart_status(uint64_t hart);
#define SBI_HART_STARTED 0
#define SBI_HART_STOPPED 1

/* SRST (chapter 10): shutdown, reason system failure; returns only if the firmware lacks it. */
void sbi_shutdown(void);

#endif
