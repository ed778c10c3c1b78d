/*
 * Group disk: how long reads take, one at a time and 32 at a time, small ones at random and large
 * ones in a row, by the clock; and reads of 4 KiB for whoever counts instructions from outside
 * (bench/plugin), between rests by whose count the program's idling is subtracted. The same on
 * Aegis-V and on Linux.
 */
#include "bench/guest/disk_port.h"
#include <stdbool.h>
#include <stdio.h>

#define SAMPLES_MOST 8192
#define TICK         100  /* ns of rdtime on QEMU's virt board */
#define REST         1000 /* ms */
#define COUNTED      2000 /* reads whose instructions are counted; bench/harness/disk.py knows */

static const struct load {
    const char *name;
    uint64_t length, depth, count; /* of reads */
    bool in_a_row;
} loads[] = {
    {"rand4k", 4096, 1, 3000, false},
    {"rand4k", 4096, DEPTH_MOST, 8000, false},
    {"seq1m", 1 << 20, 1, 256, true},
    {"seq1m", 1 << 20, DEPTH_MOST, 512, true},
};

static uint64_t now(void)
{
    uint64_t time;
    __asm__ volatile("rdtime %0" : "=r"(time)::"memory");
    return time;
}

static uint64_t draw(uint64_t below)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* Shell's sort: an insertion sort of 8,000 would take longer than what it sorts. */
static void sort(uint32_t *values, uint64_t count)
{
    for (uint64_t gap = count / 2; gap > 0; gap /= 2)
        for (uint64_t i = gap; i < count; i++) {
            uint32_t value = values[i];
            uint64_t j = i;
            for (; j >= gap && values[j - gap] > value; j -= gap)
                values[j] = values[j - gap];
            values[j] = value;
        }
}

static uint64_t place(const struct load *load, uint64_t number, uint64_t size)
{
    uint64_t places = size / load->length;
    return (load->in_a_row ? number % places : draw(places)) * load->length;
}

static void measure(const struct load *load)
{
    static uint32_t samples[SAMPLES_MOST];
    uint64_t begun[DEPTH_MOST], size = port_disk_open(load->depth, load->length), started = 0;
    uint64_t start = now();
    for (; started < load->depth; started++) {
        begun[started] = now();
        port_disk_start(started, place(load, started, size), load->length);
    }
    for (uint64_t ended = 0; ended < load->count; ended++) {
        uint64_t slot = port_disk_wait(), time = now();
        samples[ended] = (uint32_t)(time - begun[slot]);
        if (started == load->count)
            continue;
        begun[slot] = time;
        port_disk_start(slot, place(load, started++, size), load->length);
    }
    uint64_t ticks = now() - start;
    sort(samples, load->count);
    char line[160];
    snprintf(line, sizeof line,
             "{\"load\": \"%s\", \"depth\": %lu, \"ns\": %lu, \"bytes_a_second\": %lu}\n",
             load->name, (unsigned long)load->depth, (unsigned long)samples[load->count / 2] * TICK,
             (unsigned long)(load->count * load->length * (1000000000 / TICK) / ticks));
    port_print(line);
}

int main(void)
{
    for (const struct load *l = loads; l < loads + sizeof loads / sizeof *loads; l++)
        measure(l);
    port_disk_reads(1); /* first touches */
    for (uint64_t n = 0; n <= COUNTED; n += COUNTED) {
        port_print("bench: rest\n");
        port_rest(REST);
        port_disk_reads(n);
    }
    port_print("bench: rest\n");
    port_rest(REST);
    port_print("bench: disk done\n");
    return 0;
}
