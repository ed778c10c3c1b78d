/*
 * What the rows need of a system: aegis.c (with trap.S) implements it on ExOS and the kernel's
 * calls, peers/linux/port.c on Linux. A function that cannot do its work ends the program with a
 * sentence.
 */
#ifndef BENCH_GUEST_PORT_H
#define BENCH_GUEST_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "bench/guest/measure.h"

#define PAGE_SIZE 4096UL

/* A system call that does nothing: its number and, for all there is, no arguments. */
#if defined(__linux__)
#define PORT_NULL_CALL 172 /* getpid */
#else
#define PORT_NULL_CALL 0x1000 /* abi/calls.def: null */
#endif

/* What the program's exception handler does. */
enum port_handler {
    PORT_SKIP,   /* goes on behind the instruction, which is 4 bytes long; shortest way there is */
    PORT_SKIP_C, /* the same in a C function */
    PORT_NOTE,   /* as its first instruction reads the counter, puts it in port_noted, and skips */
    PORT_UNPROTECT, /* makes the page at port_page writable, and tries again */
};
void port_handle(enum port_handler handler);
extern volatile uint64_t port_noted;
extern void *volatile port_page;

/* count contiguous pages, touched and writable. */
void *port_pages(uint64_t count);

/* Makes count pages from page on read-only or writable, by one system call. */
#if defined(__linux__)
void port_protect(void *page, uint64_t count, bool writable);
#else
#include "libos/start/calls.h"
void port_failed(const char *what, int64_t status) __attribute__((noreturn));
static inline void port_protect(void *page, uint64_t count, bool writable)
{
    int64_t status = aegis_protect(0, (uint64_t)page, count,
                                   writable ? AEGIS_PROT_READ | AEGIS_PROT_WRITE : AEGIS_PROT_READ);
    if (status < 0)
        port_failed("protect", status);
}
#endif

/* Prints a line that ends in '\n', at once. */
void port_print(const char *line);

/* Rows that only this system has, or that it does in its own way. */
extern const struct row port_rows[];
extern const uint64_t port_row_count;

#endif
