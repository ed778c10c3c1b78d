/* Any memory in a machine's place: what post prints of it is bounded, whatever the kernel's tables
 * hold. */
#include <stdio.h>
#include <string.h>

#include "kernel/rv64/layout.h"
#include "tools/aegisctl/post.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES 16
static uint8_t memory[PAGES][PAGE_SIZE];

/* A root whose first gigapage is the memory, so that small addresses lead into the input. */
static void make_root(void)
{
    uint64_t entry = RAM_BASE >> PAGE_SHIFT << 10 | 0xc7;

    memcpy(memory[PAGES - 1], &entry, sizeof entry);
}

/* The input, over and over. */
static void fill(void *to, size_t size, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = data[i % length];
    }
}

/* Addresses and counts that mostly fit. */
static void tame(struct memory *m, uint8_t how)
{
    uint64_t *const addresses[] = {
        &m->info.pages,          &m->info.envs,     &m->info.slots, &m->info.bindings,
        &m->post.trace,          &m->post.counters, &m->post.code,  &m->post.codes[0].pieces,
        &m->post.codes[2].pieces};

    m->post.root = m->ram.root;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        *addresses[i] %= how & 1 ? sizeof memory : UINT64_MAX;
    }
    if (how & 2) {
        m->info.page_count %= 300;
        m->info.env_count %= 300;
        m->info.binding_count %= 300;
        m->post.trace_size %= 300;
        m->post.codes[0].count %= 300;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nothing;
    struct memory m = {
        .ram = {(const uint8_t *)memory, sizeof memory, RAM_BASE + (PAGES - 1) * PAGE_SIZE}};

    if (nothing == NULL) {
        nothing = freopen("/dev/null", "w", stdout);
    }
    if (size == 0) {
        return 0;
    }
    fill(&m.info, sizeof m.info, data, size);
    fill(&m.post, sizeof m.post, data, size);
    fill(memory, sizeof memory, data, size);
    make_root();
    tame(&m, data[size - 1]);
    post_environments(&m);
    post_pages(&m);
    post_bindings(&m);
    post_code(&m);
    post_trace(&m, 100);
    return 0;
}
