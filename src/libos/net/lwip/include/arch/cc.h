/* The compiler and the C library, for lwIP. */
#ifndef EXOS_ARCH_CC_H
#define EXOS_ARCH_CC_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/types.h>

#include <arpa/inet.h>

#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

typedef int sys_prot_t;

/* gcc calls a function for __builtin_bswap32, lwIP's own are functions, too. */
static inline uint32_t net_lwip_swap4(uint32_t x)
{
    return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
}
#define lwip_htons(x)                         __builtin_bswap16(x)
#define lwip_htonl(x)                         net_lwip_swap4(x)
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1
#define LWIP_TIMEVAL_PRIVATE                  0
#define LWIP_ERRNO_STDINCLUDE                 1

/* Headers lie at multiples of four, here and in frames (AEGIS_SLOT_FRAME), and have no gaps: so
 * their members are read whole. init.c looks whether the compiler would pack them. */
#ifndef NET_LWIP_PACKED
#define PACK_STRUCT_STRUCT
#endif

/* An assertion that fails ends the program, which is the only one that it concerns. */
_Noreturn void net_lwip_fail(const char *what, int line, const char *file);
#define LWIP_PLATFORM_ASSERT(what) net_lwip_fail(what, __LINE__, __FILE__)

unsigned net_lwip_random(void);
#define LWIP_RAND() net_lwip_random()

#endif
