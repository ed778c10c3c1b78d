/*
 * Reading and writing an application's memory through the physical map, after a walk of its tables:
 * no access of the kernel can fault, and sstatus.SUM stays clear.
 */
#ifndef AEGIS_KERNEL_USER_H
#define AEGIS_KERNEL_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct aegis_page;

/* An address in the caller's space; never dereferenced as it is. */
typedef uint64_t uaddr_t;

/*
 * The kernel's address of the byte at va, if env may access it (bits: PTE_R, PTE_W, PTE_X), else
 * NULL; it serves to the end of its page. Sets A, and D for PTE_W, as an access of the application
 * would.
 */
void *user_at(const struct env *env, uaddr_t va, uint64_t bits);

/* Copy between the caller and the kernel; false, and for user_write nothing written, if not
 * allowed. */
bool user_read(void *to, uaddr_t from, size_t length);
bool user_write(uaddr_t to, const void *from, size_t length);

/* Whether the caller may write to the range. */
bool user_writable(uaddr_t to, size_t length);

#endif
