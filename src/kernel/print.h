/*
 * The kernel's log: text on the UART, before the device tree is read through the firmware's
 * console.
 */
#ifndef AEGIS_KERNEL_PRINT_H
#define AEGIS_KERNEL_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Formats as printf does; knows %s %c %d %u %x %p with l, zero padding and width, and %%.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *format, va_list arguments);

/* Prints bytes as they are. */
void print_bytes(const char *bytes, size_t length);

/* Names where the log goes from now on; returns where it went. */
void (*print_to_swap(void (*put)(char c)))(char c);

/* Refuses to boot: prints "aegis: " and one line, and ends the machine with status 1. */
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A bug of the kernel: prints message, registers and back trace, leaves the epitaph, and ends the
 * machine with status 2.
 */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define assert_kernel(condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            panic("%s:%d: %s does not hold", __FILE_NAME__, __LINE__, #condition);                 \
    } while (0)

#endif
