/* The kernel's tables, as aegisctl post prints them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dpf/trie.h"
#include "kernel/env_offsets.h"
#include "kernel/rv64/layout.h"
#include "post.h"

#define PAGE_STATES 8

static const char *const env_states[] = {"-", "created", "live", "ending", "ended"};
static const char *const page_states[PAGE_STATES] = {"free", "kernel", "data", "ptable",
                                                     "env",  "code",   "ring", "window"};
_Static_assert(sizeof env_states / sizeof *env_states == AEGIS_ENV_ENDED + 1, "a name a state");
_Static_assert(PAGE_STATES == AEGIS_PAGE_WINDOW + 1, "a name a state");

/* Where an environment that doesn't run will go on: its ENV page has its registers. */
static bool saved_pc(const struct memory *memory, const struct aegis_page *pages, uint32_t env,
                     uint64_t *pc)
{
    const struct aegis_info *info = &memory->info;

    for (uint64_t i = 0; i < info->page_count; i++) {
        if (pages[i].state == AEGIS_PAGE_ENV && pages[i].owner == env) {
            return ram_read(&memory->ram,
                            PHYSMAP_BASE + ((info->first_ppn + i) << PAGE_SHIFT) + ENV_PC, pc,
                            sizeof *pc);
        }
    }
    return false;
}

static void print_env(const struct memory *memory, const struct aegis_page *pages, uint32_t number,
                      const struct aegis_env_info *env)
{
    char name[AEGIS_NAME_SIZE + 1];
    uint64_t pc;

    post_text(name, sizeof name, env->name, sizeof env->name);
    printf("%4" PRIu32 " %-15s %5" PRIu32 " %-7s %7" PRIu32 " %8" PRIu64, number, name, env->owner,
           env->state <= AEGIS_ENV_ENDED ? env_states[env->state] : "?", env->pages, env->slices);
    if (env->state == AEGIS_ENV_ENDED) {
        printf(" exit reason %u, value 0x%" PRIx64 "\n", env->exit_reason, env->exit_value);
    } else if (pages != NULL && saved_pc(memory, pages, number, &pc)) {
        printf(" 0x%" PRIx64 "\n", pc);
    } else {
        printf("\n");
    }
}

static void print_slots(const struct memory *memory)
{
    struct aegis_slot *slots = memory_array(memory, memory->info.slots, AEGIS_SLOTS, sizeof *slots);

    printf("slices:");
    for (int i = 0; slots != NULL && i < AEGIS_SLOTS; i++) {
        if (slots[i].env != 0) {
            printf(" %d:%" PRIu32, i, slots[i].env);
        }
    }
    printf("\n");
    free(slots);
}

void post_environments(const struct memory *memory)
{
    const struct aegis_info *info = &memory->info;
    struct aegis_env_info *envs = memory_array(memory, info->envs, info->env_count, sizeof *envs);
    struct aegis_page *pages = memory_array(memory, info->pages, info->page_count, sizeof *pages);

    printf("\nenvironments:\n env name            owner state     pages   slices pc when it last "
           "left\n");
    for (uint32_t i = 1; envs != NULL && i < info->env_count; i++) {
        if (envs[i].state != AEGIS_ENV_NONE) {
            print_env(memory, pages, i, &envs[i]);
        }
    }
    print_slots(memory);
    free(pages);
    free(envs);
}

/* One line an owner: pages by state. */
static void count_owner(const struct aegis_page *pages, uint64_t count, uint32_t owner,
                        uint64_t by_state[PAGE_STATES])
{
    memset(by_state, 0, PAGE_STATES * sizeof *by_state);
    for (uint64_t i = 0; i < count; i++) {
        if (pages[i].owner == owner && pages[i].state < PAGE_STATES) {
            by_state[pages[i].state]++;
        }
    }
}

void post_pages(const struct memory *memory)
{
    const struct aegis_info *info = &memory->info;
    struct aegis_page *pages = memory_array(memory, info->pages, info->page_count, sizeof *pages);
    uint64_t by_state[PAGE_STATES], pinned = 0;

    printf("\npages by owner and state:\n owner");
    for (int state = 0; state < PAGE_STATES; state++) {
        printf(" %7s", page_states[state]);
    }
    printf("\n");
    for (uint32_t owner = 0; pages != NULL && owner < info->env_count; owner++) {
        uint64_t sum = 0;

        count_owner(pages, info->page_count, owner, by_state);
        for (int state = 0; state < PAGE_STATES; state++) {
            sum += by_state[state];
        }
        if (sum == 0) {
            continue;
        }
        printf("%6" PRIu32, owner);
        for (int state = 0; state < PAGE_STATES; state++) {
            printf(" %7" PRIu64, by_state[state]);
        }
        printf("\n");
    }
    for (uint64_t i = 0; pages != NULL && i < info->page_count; i++) {
        pinned += pages[i].pins != 0;
    }
    printf("pinned %7" PRIu64 "\n", pinned);
    free(pages);
}

static void print_trie(const struct memory *memory, uint32_t netif)
{
    struct dpf_trie trie;

    if (ram_read(&memory->ram, memory->post.tries[netif], &trie, sizeof trie)) {
        printf("net%" PRIu32 ": trie of %" PRIu32 " nodes, %" PRIu32 " bindings and %" PRIu32
               " taps, %zu of %zu bytes\n",
               netif, trie.nodes, trie.members, trie.taps, trie.used, trie.size);
    }
}

void post_bindings(const struct memory *memory)
{
    const struct aegis_info *info = &memory->info;
    struct aegis_binding_info *bindings =
        memory_array(memory, info->bindings, info->binding_count, sizeof *bindings);

    printf("\nbindings:\nbinding owner binder parent netif slots   received  dropped       sent "
           "refused\n");
    for (uint32_t i = 0; bindings != NULL && i < info->binding_count; i++) {
        const struct aegis_binding_info *b = &bindings[i];
        struct aegis_counters c;

        if (b->owner == 0) {
            continue;
        }
        ram_read(&memory->ram, memory->post.counters + (uint64_t)i * memory->post.counters_stride,
                 &c, sizeof c);
        printf("%7" PRIu32 " %5" PRIu32 " %6" PRIu32 " %6" PRIu32 " %5u %5u %10" PRIu64 " %8" PRIu64
               " %10" PRIu64 " %7" PRIu64 "%s\n",
               i, b->owner, b->binder, b->parent, b->netif, b->slots, c.received, c.dropped, c.sent,
               c.refused,
               b->flags & AEGIS_BIND_TAP     ? " tap"
               : b->flags & AEGIS_BIND_SHARE ? " share"
                                             : "");
    }
    for (uint32_t i = 0; i < info->netif_count && i < AEGIS_NETIF_MAX; i++) {
        print_trie(memory, i);
    }
    free(bindings);
}

static void print_code(void *context, enum aegis_code_kind kind, uint32_t number,
                       const struct aegis_post_code *code)
{
    char name[64];

    (void)context;
    memory_code_name(kind, number, code, name, sizeof name);
    printf("0x%" PRIx64 " %6" PRIu32 " %5" PRIu32 " %s\n", code->entry, code->size, code->owner,
           name);
}

void post_code(const struct memory *memory)
{
    printf("\ngenerated code:\n%-18s %6s %5s name\n", "entry", "bytes", "owner");
    memory_each_code(memory, print_code, NULL);
}
