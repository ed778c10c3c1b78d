/* The platform-level interrupt controller (RISC-V PLIC specification 1.0), one context: this hart,
 * supervisor. */
#ifndef AEGIS_KERNEL_DRIVERS_PLIC_H
#define AEGIS_KERNEL_DRIVERS_PLIC_H

#include <stdint.h>

struct board;

/* Maps the PLIC and masks every source. */
void plic_init(const struct board *board);

/* Highest interrupt number. */
uint32_t plic_sources(void);

void plic_enable(uint32_t irq);

/* The most urgent pending interrupt, or 0; each claim needs a complete. */
uint32_t plic_claim(void);
void plic_complete(uint32_t irq);

#endif
