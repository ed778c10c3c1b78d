/*
 * Reads on Linux, O_DIRECT: one at a time by pread, several by io_submit (Linux's asynchronous
 * interface of 2002, which needs no library).
 */
#define _GNU_SOURCE
#include "bench/guest/disk_port.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096UL

static int disk = -1;
static uint64_t size, each, depth;
static char *memory;
static aio_context_t context;
static uint64_t read_alone; /* the slot of a read that pread has done */

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

void port_print(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        exit(1);
}

uint64_t port_disk_open(uint64_t wanted, uint64_t length)
{
    if (disk < 0) {
        disk = open("/dev/vda", O_RDONLY | O_DIRECT);
        if (disk < 0 || ioctl(disk, BLKGETSIZE64, &size) < 0)
            fail("disk: /dev/vda");
        if (syscall(SYS_io_setup, DEPTH_MOST, &context) < 0)
            fail("disk: io_setup");
    }
    free(memory);
    if (posix_memalign((void **)&memory, BLOCK, wanted * length) != 0)
        fail("disk: memory");
    memset(memory, 1, wanted * length);
    depth = wanted;
    each = length;
    return size;
}

void port_disk_start(uint64_t slot, uint64_t offset, uint64_t length)
{
    struct iocb request = {.aio_data = slot,
                           .aio_lio_opcode = IOCB_CMD_PREAD,
                           .aio_fildes = (uint32_t)disk,
                           .aio_buf = (uint64_t)(memory + slot * each),
                           .aio_nbytes = length,
                           .aio_offset = (int64_t)offset};
    struct iocb *requests[] = {&request};
    if (depth > 1) {
        if (syscall(SYS_io_submit, context, 1, requests) != 1)
            fail("disk: io_submit");
        return;
    }
    if (pread(disk, memory, length, (off_t)offset) != (ssize_t)length)
        fail("disk: pread");
    read_alone = slot;
}

uint64_t port_disk_wait(void)
{
    static struct io_event events[DEPTH_MOST];
    static long next, count;
    if (depth == 1)
        return read_alone;
    if (next == count) {
        next = 0;
        count = syscall(SYS_io_getevents, context, 1, DEPTH_MOST, events, NULL);
        if (count < 1)
            fail("disk: io_getevents");
    }
    if (events[next].res != (int64_t)each)
        fail("disk: a read");
    return events[next++].data;
}

void port_disk_reads(uint64_t n)
{
    for (uint64_t offset = 0; n > 0; n--, offset = (offset + 17 * BLOCK) % size)
        if (pread(disk, memory, BLOCK, (off_t)offset) != (ssize_t)BLOCK)
            fail("disk: pread");
}

void port_rest(uint64_t milliseconds)
{
    struct timespec time = {.tv_sec = (time_t)(milliseconds / 1000),
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
}
