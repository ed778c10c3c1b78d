/*
 * A first program of its own that owns the machine's disks, for tests that end the machine or break
 * a disk. What it does, the boot arguments say: mode=make, claim, errors, late or change; what came
 * of it, a line on the log that begins with DISKER.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/start/calls.h"
#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/vm/vm.h"

#define BLOCK  AEGIS_DISK_BLOCK
#define BLOCKS 8
#define LATE   4 /* requests to a disk that takes one a second */
#define SECRET "not for everyone"

static struct aegis_disk_ring *ring;
static uint8_t *memory;

_Noreturn static void end(const char *text, int64_t value, int status)
{
    printf("DISKER %s %lld%s%s\n", text, (long long)value, value < 0 ? " " : "",
           value < 0 ? aegis_error_name(value) : "");
    aegis_shutdown((uint64_t)status);
    for (;;)
        aegis_yield(0);
}

static uint64_t must(const char *what, int64_t result)
{
    if (result < 0)
        end(what, result, 1);
    return (uint64_t)result;
}

/* A number of the boot arguments. */
static uint64_t argument(const char *name, uint64_t otherwise)
{
    const char *at = strstr((const char *)(uintptr_t)aegis_info()->bootargs, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : otherwise;
}

static bool mode(const char *name)
{
    return strstr((const char *)(uintptr_t)aegis_info()->bootargs, name);
}

static uint32_t bind(uint32_t extent, uint32_t rights)
{
    return (uint32_t)must("disk_bind", aegis_disk_bind(extent, rights, NULL));
}

static int64_t answer(void)
{
    struct aegis_predicate come = AEGIS_WHEN(ring->head, NE, ring->tail);
    aegis_wait(&come, 1, AEGIS_FOREVER);
    return ring->entries[ring->tail++ % AEGIS_DISK_RING].status;
}

static int64_t submit(uint32_t binding, uint32_t op, uint64_t block, uint64_t blocks)
{
    const struct aegis_disk_request r = {.binding = binding,
                                         .op = op,
                                         .offset = block * BLOCK,
                                         .memory = memory,
                                         .length = blocks * BLOCK};
    return aegis_disk_submit(&r, 1);
}

static int64_t ask(uint32_t binding, uint32_t op, uint64_t block, uint64_t blocks)
{
    int64_t taken = submit(binding, op, block, blocks);
    return taken < 0 ? taken : answer();
}

/* Waits until the disk has the change; whether it does. */
static bool settled(uint64_t failed)
{
    const volatile struct aegis_disk_info *disk = &aegis_info()->disks[0];
    struct aegis_predicate over = {.word = (const volatile uint64_t *)&disk->block_size,
                                   .mask = (uint64_t)AEGIS_DISK_CHANGING << 32,
                                   .op = AEGIS_WAKE_EQ};
    aegis_wait(&over, 1, AEGIS_FOREVER);
    return disk->failed == failed;
}

static int64_t alloc(uint64_t count)
{
    struct aegis_extent_request r = {.parent = aegis_info()->disks[0].extents,
                                     .first = AEGIS_ANY,
                                     .count = count,
                                     .flags = AEGIS_EXTENT_SEALED,
                                     .label = "disker"};
    memcpy(r.secret, SECRET, sizeof r.secret);
    return aegis_extent_alloc(&r);
}

static void pattern(uint8_t *bytes)
{
    for (size_t i = 0; i < BLOCKS * BLOCK; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
}

/* Makes an extent with data in it, flushed; then waits for the machine to lose its power. */
static void make(void)
{
    uint32_t extent = (uint32_t)must("extent_alloc", alloc(BLOCKS));
    if (!settled(0))
        end("the table was not written", -AEGIS_E_DEVICE, 1);
    uint32_t b = bind(extent, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE);
    pattern(memory);
    must("write", ask(b, AEGIS_DISK_WRITE, 0, BLOCKS));
    must("flush", ask(b, AEGIS_DISK_FLUSH, 0, 0));
    printf("DISKER made %llu\n", (unsigned long long)aegis_extent(extent)->first);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
}

/* After a reboot: nobody's until the secret is shown; then all is there. */
static void claim(void)
{
    uint64_t first = argument("first=", 0);
    uint32_t root = bind(aegis_info()->disks[0].extents, AEGIS_RIGHT_READ);
    int64_t guess = aegis_extent_claim(0, first, BLOCKS, (const uint8_t *)"not for everyonE");
    if (guess != -AEGIS_E_CAPABILITY)
        end("a guess gives", guess, 1);
    uint64_t own = first - aegis_extent(aegis_info()->disks[0].extents)->first;
    int64_t through = ask(root, AEGIS_DISK_READ, own, 1);
    if (through != -AEGIS_E_OWNER)
        end("reading it through the root gives", through, 1);
    uint32_t extent = (uint32_t)must("extent_claim",
                                     aegis_extent_claim(0, first, BLOCKS, (const uint8_t *)SECRET));
    must("read", ask(bind(extent, AEGIS_RIGHT_READ), AEGIS_DISK_READ, 0, BLOCKS));
    uint8_t *wanted = vm_alloc(BLOCKS, VM_READ_WRITE);
    pattern(wanted);
    end("claimed", memcmp(memory, wanted, BLOCKS * BLOCK) ? -AEGIS_E_STATE : 0, 0);
}

/* Block 40 can't be read, and block 50 not be written; the others can, meanwhile. */
static void errors(void)
{
    uint32_t b = bind(aegis_info()->disks[0].extents, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE);
    for (uint64_t block = 36; block < 56; block++) {
        int64_t read = ask(b, AEGIS_DISK_READ, block, 1),
                write = ask(b, AEGIS_DISK_WRITE, block, 1);
        if (read != (block == 40 ? -AEGIS_E_DEVICE : 0))
            end("read gives", read, 1);
        if (write != (block == 50 ? -AEGIS_E_DEVICE : 0))
            end("write gives", write, 1);
    }
    end("errors", (int64_t)aegis_info()->disks[0].errors, 0);
}

/* A disk slower than the deadline: told so, the page stays the disk's, and goes when it answers. */
static void late(void)
{
    uint32_t b = bind(aegis_info()->disks[0].extents, AEGIS_RIGHT_READ);
    const volatile struct aegis_page *page = aegis_page((uint64_t)vm_page_at(memory));
    int64_t late = 0;
    for (int i = 0; i < LATE; i++)
        must("submit", submit(b, AEGIS_DISK_READ, 0, 1));
    for (int i = 0; i < LATE; i++) {
        int64_t status = answer();
        if (status == -AEGIS_E_TIMEOUT)
            late++;
        else if (status)
            end("read gives", status, 1);
    }
    if (!late || !page->pins)
        end("all were in time", late, 1);
    struct aegis_predicate done = AEGIS_WHEN(aegis_info()->disks[0].done, GE, LATE);
    aegis_wait(&done, 1, AEGIS_FOREVER);
    if (page->pins || ring->head != ring->tail)
        end("pins are left, or a second answer came", page->pins, 1);
    end("late", late, 0);
}

/* Changes the table, and goes on, until the power is lost; errors leave it as it was. */
static void change(void)
{
    static uint32_t own[16];
    uint64_t seed = argument("seed=", 1), failed = 0, done = 0;
    for (;; done++) {
        uint32_t i = (uint32_t)rand_r((unsigned *)&seed) % 16;
        int64_t status;
        if (!own[i])
            status = alloc(1 + (uint64_t)rand_r((unsigned *)&seed) % 20);
        else if (rand_r((unsigned *)&seed) % 2)
            status =
                aegis_extent_resize(own[i], 1 + (uint64_t)rand_r((unsigned *)&seed) % 30, NULL);
        else
            status = aegis_extent_free(own[i], AEGIS_EXTENT_RETURN);
        bool made = status > 0 && !own[i];
        if (status < 0)
            continue;
        if (made)
            own[i] = (uint32_t)status;
        if (!settled(failed))
            failed++;
        if (aegis_extent(own[i])->state == AEGIS_EXTENT_NONE)
            own[i] = 0;
        if (done % 20 == 0)
            printf("DISKER changed %llu, %llu failed\n", (unsigned long long)done,
                   (unsigned long long)failed);
    }
}

int main(void)
{
    if (aegis_info()->disk_count == 0)
        end("no disk", -AEGIS_E_NO_DEVICE, 1);
    ring = vm_alloc(1, VM_READ_WRITE);
    memory = vm_alloc(BLOCKS, VM_READ_WRITE);
    must("disk_ring", aegis_disk_ring(ring));
    if (mode("mode=make"))
        make();
    else if (mode("mode=claim"))
        claim();
    else if (mode("mode=errors"))
        errors();
    else if (mode("mode=late"))
        late();
    else
        change();
}
