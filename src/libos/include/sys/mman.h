/*
 * Memory by address (POSIX.1-2017, with MAP_ANONYMOUS and madvise as other systems have them).
 * Anonymous memory comes when it is touched; MAP_SHARED memory is there at once, so that children
 * share all of it. Only anonymous memory can be mapped: files of the archive are copied by read.
 */
#ifndef EXOS_SYS_MMAN_H
#define EXOS_SYS_MMAN_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROT_NONE  0
#define PROT_READ  1
#define PROT_WRITE 2
#define PROT_EXEC  4

#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_ANON            MAP_ANONYMOUS
#define MAP_NORESERVE       0x4000   /* more than there is memory for may be asked for */
#define MAP_POPULATE        0x8000   /* all pages at once */
#define MAP_STACK           0x20000  /* a fault right below it is a stack's overflow */
#define MAP_FIXED_NOREPLACE 0x100000 /* EEXIST instead of taking the place of something */
#define MAP_FAILED          ((void *)-1)

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

#define MADV_NORMAL     0
#define MADV_RANDOM     1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED   3 /* pages come now */
#define MADV_DONTNEED   4 /* pages go now; what is touched again is zero */
#define MADV_FREE       8 /* pages may go when memory is asked back; those are zero then */

#define POSIX_MADV_NORMAL     MADV_NORMAL
#define POSIX_MADV_RANDOM     MADV_RANDOM
#define POSIX_MADV_SEQUENTIAL MADV_SEQUENTIAL
#define POSIX_MADV_WILLNEED   MADV_WILLNEED
#define POSIX_MADV_DONTNEED   MADV_NORMAL /* may not change what is there */

/* All as POSIX says; munmap fails with EBUSY while a device uses a page of one's own. */
void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset);
int munmap(void *address, size_t length);
int mprotect(void *address, size_t length, int prot);
int msync(void *address, size_t length, int flags);
int madvise(void *address, size_t length, int advice);
int posix_madvise(void *address, size_t length, int advice);

/* Pages come now, and the pager leaves them alone until munlock. */
int mlock(const void *address, size_t length);
int munlock(const void *address, size_t length);

/* vec[i] bit 0: whether page i is there. */
int mincore(void *address, size_t length, unsigned char *vec);

#ifdef __cplusplus
}
#endif
#endif
