/*
 * Reads on Aegis-V: the first program of an archive of its own, which has the root extent of the
 * first disk, whatever that holds. A request is at most 32 pages, so a large read is several, which
 * one call makes.
 */
#include "bench/guest/disk_port.h"
#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include <stdio.h>
#include <string.h>

#define BLOCK AEGIS_DISK_BLOCK
#define PART  (AEGIS_DISK_PAGES * (uint64_t)AEGIS_PAGE_SIZE) /* bytes of a request */

/* Beside the ring, as a library would have them: the kernel finds what lies in one table's region
 * sooner. */
static struct shared {
    struct aegis_disk_request requests[AEGIS_DISK_SUBMIT];
    struct aegis_predicate ended;
} * shared;
static struct aegis_disk_ring *ring;
static char *memory;
static uint64_t each;                 /* bytes of a read at most */
static uint64_t left[DEPTH_MOST];     /* requests of a read that have not ended */
static uint64_t done[DEPTH_MOST * 2]; /* reads that have, and that nobody was told of */
static uint64_t done_count;
static uint32_t binding;

void port_print(const char *line)
{
    aegis_log(line, strlen(line));
}

_Noreturn static void fail(const char *what, int64_t error)
{
    char line[160];
    snprintf(line, sizeof line, "bench: %s: %s\n", what, aegis_strerror(error));
    port_print(line);
    aegis_shutdown(1);
    for (;;)
        aegis_yield(0);
}

static uint64_t must(const char *what, int64_t result)
{
    if (result < 0)
        fail(what, result);
    return (uint64_t)result;
}

uint64_t port_disk_open(uint64_t depth, uint64_t length)
{
    if (!ring) {
        if (aegis_info()->disk_count == 0)
            fail("no disk", -AEGIS_E_NO_DEVICE);
        ring = vm_alloc(3, VM_READ_WRITE);
        shared = (void *)((char *)ring + AEGIS_PAGE_SIZE);
        binding = (uint32_t)must(
            "disk_bind", aegis_disk_bind(aegis_info()->disks[0].extents, AEGIS_RIGHT_READ, NULL));
        must("disk_ring", aegis_disk_ring(ring));
    }
    if (memory)
        vm_free(memory);
    memory = vm_alloc(depth * length / AEGIS_PAGE_SIZE, VM_READ_WRITE);
    if (!memory)
        fail("memory", -AEGIS_E_NO_PAGE);
    memset(memory, 1, depth * length);
    each = length;
    return aegis_extent(aegis_info()->disks[0].extents)->count * BLOCK;
}

/* Takes the answers that have come. */
static void take(void)
{
    for (; ring->tail != ring->head; ring->tail++) {
        const struct aegis_disk_completion *end = &ring->entries[ring->tail % AEGIS_DISK_RING];
        if (end->status != 0)
            fail("a read", end->status);
        if (--left[end->cookie] == 0)
            done[done_count++] = end->cookie;
    }
}

static void wait_for_answers(void)
{
    shared->ended = AEGIS_WHEN(ring->head, NE, ring->tail);
    aegis_wait(&shared->ended, 1, AEGIS_FOREVER);
    take();
}

void port_disk_start(uint64_t slot, uint64_t offset, uint64_t length)
{
    uint64_t count = (length + PART - 1) / PART;
    left[slot] = count;
    for (uint64_t i = 0; i < count; i++)
        shared->requests[i] = (struct aegis_disk_request){
            .binding = binding,
            .op = AEGIS_DISK_READ,
            .offset = offset + i * PART,
            .cookie = slot,
            .memory = memory + slot * each + i * PART,
            .length = length - i * PART < PART ? length - i * PART : PART};
    for (uint64_t i = 0; i < count;) {
        int64_t taken = aegis_disk_submit(&shared->requests[i], count - i);
        if (taken == -AEGIS_E_FULL)
            wait_for_answers();
        else
            i += must("disk_submit", taken);
    }
}

uint64_t port_disk_wait(void)
{
    take();
    while (done_count == 0)
        wait_for_answers();
    uint64_t slot = done[0];
    memmove(done, done + 1, --done_count * sizeof *done);
    return slot;
}

void port_disk_reads(uint64_t n)
{
    const uint64_t size = aegis_extent(aegis_info()->disks[0].extents)->count * BLOCK;
    struct aegis_disk_request *request = shared->requests;
    struct aegis_predicate *ended = &shared->ended;
    struct aegis_disk_ring *answers = ring;
    uint64_t tail = answers->tail, failed = 0;

    *request = (struct aegis_disk_request){.binding = binding,
                                           .op = AEGIS_DISK_READ,
                                           .memory = (char *)ring + 2UL * AEGIS_PAGE_SIZE,
                                           .length = BLOCK};
    *ended = AEGIS_WHEN(answers->head, NE, tail);
    for (; n > 0; n--) {
        failed |= aegis_disk_submit(request, 1) != 1;
        ended->value = tail;
        aegis_wait_bare(ended, 1, AEGIS_FOREVER);
        failed |= answers->entries[tail % AEGIS_DISK_RING].status != 0;
        answers->tail = ++tail;
        request->offset = (request->offset + 17 * BLOCK) % size;
    }
    if (failed)
        fail("a read", -AEGIS_E_DEVICE);
}

void port_rest(uint64_t milliseconds)
{
    aegis_wait(NULL, 0, time_after(milliseconds * 1000000));
}
