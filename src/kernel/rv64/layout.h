/*
 * Where things are in the kernel's half of the address space (Sv39, root entries 256 to 511).
 *
 *   ffffffc0_00000000  PHYSMAP: physical address 0 on; memory that the kernel may touch,
 * read-write, never executable; without the kernel's image and the firmware's memory, read-only
 * over CODE ffffffe0_00000000  end of PHYSMAP (128 GiB) fffffff0_00000000  DEVICE: registers, in
 * the order in which they were found fffffff4_00000000  CODE: generated code, executable, not
 * writable fffffff6_00000000  CODE_ALIAS: the same, writable, mapped only while code is written
 * (code.c) fffffff8_00000000  STACK: per hart, STACK_STRIDE apart: guard, stack, guard, emergency
 * stack, guard ffffffff_80000000  KERNEL: the image, text RX, rodata R, data RW
 */
#ifndef AEGIS_KERNEL_RV64_LAYOUT_H
#define AEGIS_KERNEL_RV64_LAYOUT_H

#define PHYSMAP_BASE   0xffffffc000000000
#define PHYSMAP_SIZE   0x2000000000
#define DEVICE_BASE    0xfffffff000000000
#define DEVICE_SIZE    0x40000000
#define CODE_BASE      0xfffffff400000000
#define CODE_ALIAS     0xfffffff600000000
#define STACK_BASE     0xfffffff800000000
#define STACK_STRIDE   0x10000
#define STACK_SIZE     0x4000 /* of either stack of a hart */
#define STACK_OFFSET   0x1000 /* of the stack in its stride */
#define ESTACK_OFFSET  0x6000 /* of the emergency stack */
#define KERNEL_BASE    0xffffffff80000000
#define KERNEL_VIRTUAL 0xffffffff80200000
#define KERNEL_LOAD    0x80200000 /* where kernel.ld has the image loaded; entry.S runs from there */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096

#endif
