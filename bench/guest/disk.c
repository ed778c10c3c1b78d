/*
 * Group disk on Aegis-V: the first program of an archive of its own, which reads from the root
 * extent of the first disk, whatever that holds. Row read4k_raw: one request at a time, from the
 * call that makes it to the answer in the ring, the wait, the interrupt and the wake-up between
 * them included.
 */
#include <stdio.h>
#include <string.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"
#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/vm/vm.h"

#define BLOCK AEGIS_DISK_BLOCK

static struct aegis_disk_ring *ring;

/* Beside the ring, as a library would have them: the kernel finds what lies in one table's region
 * sooner. */
static struct asked {
    struct aegis_disk_request request;
    struct aegis_predicate answered;
} * asked;

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

static uint64_t run_read4k(uint64_t n)
{
    const uint64_t size = aegis_extent(0)->count * BLOCK;
    struct aegis_disk_ring *answers = ring;
    struct asked *ask = asked;
    uint64_t failed = 0, tail = answers->tail;
    uint64_t total = COUNT_LOOP(n, {
        failed |= aegis_disk_submit(&ask->request, 1) != 1;
        ask->answered.value = tail;
        aegis_wait_bare(&ask->answered, 1, AEGIS_FOREVER);
        failed |= answers->entries[tail % AEGIS_DISK_RING].status != 0;
        answers->tail = ++tail;
        ask->request.offset = (ask->request.offset + 17 * BLOCK) % size;
    });
    if (failed)
        fail("a read", -AEGIS_E_DEVICE);
    return total;
}

int main(void)
{
    static const struct row rows[] = {{"disk", "read4k_raw", 64, run_read4k}};

    if (aegis_info()->disk_count == 0)
        fail("no disk", -AEGIS_E_NO_DEVICE);
    ring = vm_alloc(3, VM_READ_WRITE);
    asked = (void *)((char *)ring + AEGIS_PAGE_SIZE);
    asked->answered = AEGIS_WHEN(ring->head, NE, 0);
    asked->request = (struct aegis_disk_request){
        .binding = (uint32_t)must(
            "disk_bind", aegis_disk_bind(aegis_info()->disks[0].extents, AEGIS_RIGHT_READ, NULL)),
        .op = AEGIS_DISK_READ,
        .memory = (char *)ring + 2UL * AEGIS_PAGE_SIZE,
        .length = BLOCK};
    must("disk_ring", aegis_disk_ring(ring));
    measure_rows(rows, sizeof rows / sizeof *rows);
    port_print("bench: rows done\n");
    aegis_shutdown(0);
}
