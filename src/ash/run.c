/*
 * What a run needs, and where sandbox addresses lie.
 */
#include <string.h>

#include "ash/program.h"

static void set_region(struct ash_run *run, unsigned region, void *memory, uint32_t low,
                       uint32_t size)
{
    run->regions[region] = (struct ash_region){(uint64_t)(uintptr_t)memory - low, low, low + size};
}

void ash_run_init(struct ash_run *run, const struct ash_program *program, void *stack,
                  const struct ash_services *services, void *owner)
{
    memset(run, 0, sizeof *run);
    run->program = program;
    run->services = services;
    run->owner = owner;
    run->helpers = ash_helper_functions;
    run->read_only = 1u << ASH_REGION_CONTEXT;
    set_region(run, ASH_REGION_CONTEXT, &run->md, ASH_BASE(ASH_REGION_CONTEXT), sizeof run->md);
    run->stack_top = (uint8_t *)stack + program->stack;
    set_region(run, ASH_REGION_STACK, stack, ASH_STACK_TOP - program->stack, program->stack);
}

void ash_run_map(struct ash_run *run, unsigned map, void *memory)
{
    const struct ash_map_info *info = &run->program->image.maps[map];
    unsigned region = ASH_REGION_MAP + map;
    set_region(run, region, memory, ASH_BASE(region), ash_map_size(info));
    if (info->flags & ASH_MAP_READ_ONLY)
        run->read_only |= 1u << region;
}

void ash_run_window(struct ash_run *run, unsigned window, void *memory, uint32_t size,
                    bool writable)
{
    unsigned region = ASH_REGION_WINDOW + window;
    set_region(run, region, memory, ASH_BASE(region), size);
    if (!writable)
        run->read_only |= 1u << region;
}

uint8_t *ash_reach(const struct ash_run *run, uint64_t address, uint64_t size, bool store,
                   uint32_t *reason)
{
    uint64_t index = address >> ASH_REGION_SHIFT;
    *reason = ASH_ABORT_GUARD;
    if (index >= ASH_REGIONS)
        return NULL;
    const struct ash_region *region = &run->regions[index];
    if (address < region->low || address > region->end || size > region->end - address)
        return NULL;
    if (store && run->read_only >> index & 1) {
        *reason = ASH_ABORT_READ_ONLY;
        return NULL;
    }
    return (uint8_t *)(uintptr_t)(address + region->delta);
}
