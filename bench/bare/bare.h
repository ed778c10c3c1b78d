/*
 * What the bench's bare programs share: they run in S-mode under OpenSBI on QEMU virt, with no
 * protection, and know the board's addresses by heart (QEMU's hw/riscv/virt.c).
 */
#ifndef BENCH_BARE_BARE_H
#define BENCH_BARE_BARE_H

#include <stdint.h>

/* The program; start.c calls it on the boot hart and ends the machine with its result, 0 to 255. */
int main(void);

/* Prints on the firmware's console (SBI legacy extension 1: OpenSBI 1.1 has no debug console). */
void sbi_puts(const char *text);
void sbi_put_number(uint64_t number);

#endif
