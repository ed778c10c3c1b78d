#include "kernel/check/internal.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/netif.h"
#include "kernel/rv64/board.h"
#include "kernel/rv64/csr.h"

#define POISON       0xb5
#define POISON_STACK 2048 /* bytes below the stack pointer, before each call */

const char *const invariant_names[INVARIANT_COUNT] = {
#define AEGIS_INVARIANT(name, sentence) #name,
#include "kernel/check/invariants.def"
#undef AEGIS_INVARIANT
};

struct shadow *shadows;
const char *check_after = "boot";

static uint64_t every = 1; /* walks after each so many entries */
static uint64_t entries;
static uint64_t slice;                            /* ticks of a mean one, 0: as usual */
static enum invariant mutation = INVARIANT_COUNT; /* to commit; INVARIANT_COUNT: none */

static uint64_t number(const char *name, const char *text, size_t length)
{
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || value > UINT32_MAX)
            refuse("%s= takes a number", name);
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    return value;
}

static enum invariant named(const char *name, size_t length)
{
    for (unsigned i = 0; i < INVARIANT_COUNT; i++)
        if (strlen(invariant_names[i]) == length && !strncmp(invariant_names[i], name, length))
            return (enum invariant)i;
    refuse("mutation= takes a name of invariants.def");
}

void check_init(const struct board *board)
{
    size_t length;
    const char *value = board_argument(board, "check", &length);

    if (value)
        every = number("check", value, length);
    if (every == 0)
        refuse("check= takes 1 or more");
    value = board_argument(board, "slice", &length);
    if (value)
        slice = number("slice", value, length);
    value = board_argument(board, "mutation", &length);
    if (value)
        mutation = named(value, length);
    shadows = boot_alloc((page_count * sizeof(*shadows) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    check_filters_init();
    print("aegis: checked kernel, a walk after every %lu entries%s%s\n", every,
          value ? ", mutation " : "", value ? invariant_names[mutation] : "");
}

void check_role(const struct aegis_page *page, enum role role, enum aegis_page_state state,
                uint32_t owner)
{
    HOLDS(page_role, shadow_of(page)->role == ROLE_NONE, "page %lu serves twice", page_index(page));
    HOLDS(page_role, page->state == state && page->owner == owner,
          "page %lu is in state %u, of %u, and serves as %u of %u", page_index(page), page->state,
          page->owner, role, owner);
    shadow_of(page)->role = (uint8_t)role;
}

void check_all(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        shadows[i].words[0] = shadows[i].words[1] = 0;
    check_envs();
    check_tables();
    check_frames();
    check_disks();
    check_filters();
    check_code();
    check_pages();
}

static bool due(void)
{
    if (!shadows)
        return false;
    if (mutation == INVARIANT_COUNT)
        return ++entries % every == 0;
    if (mutation == INVARIANT_failed_call || !mutate(mutation))
        return false;
    print("aegis: mutation %s is committed\n", invariant_names[mutation]);
    return true;
}

void check_walk(const char *what)
{
    if (what)
        check_after = what;
    if (due()) {
        check_all();
        if (mutation != INVARIANT_COUNT)
            panic("mutation %s went unnoticed", invariant_names[mutation]);
    }
}

/*
 * What a failed call may not change, in a number: who owns what in which state, and how it is
 * mapped. Pins are left out, which the device gives back when it likes.
 */
static uint64_t fingerprint(void)
{
    uint64_t sum = info->free_pages;

    for (uint64_t i = 0; i < page_count; i++) {
        const struct aegis_page *p = &pages[i];
        if (p->state == AEGIS_PAGE_FREE || p->state == AEGIS_PAGE_KERNEL)
            continue;
        sum = (sum ^ p->owner ^ (uint64_t)p->state << 32) * 0x9e3779b97f4a7c15;
        sum ^= p->refs + ((uint64_t)p->region << 32) + ((uint64_t)p->links << 16) + p->generation;
        sum += sum << 7;
    }
    for (uint32_t i = 1; i < ENV_COUNT; i++) {
        const struct aegis_env_info *e = &env_infos[i];
        if (e->state != AEGIS_ENV_NONE)
            sum = (sum ^ e->owner ^ (uint64_t)e->state << 32 ^ (uint64_t)e->pages << 40) *
                      0x9e3779b97f4a7c15 +
                  e->generation;
    }
    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        if (b)
            sum = (sum ^ i ^ (uint64_t)b->owner << 32 ^ (uint64_t)b->slots << 16) *
                      0x9e3779b97f4a7c15 +
                  b->generation;
    }
    for (uint32_t i = 0; i < info->extent_count; i++) {
        const struct aegis_extent_info *x = &extents[i];
        if (x->owner)
            sum = (sum ^ i ^ (uint64_t)x->owner << 32) * 0x9e3779b97f4a7c15 + x->generation +
                  x->count;
    }
    return sum;
}

/* What a function leaves unset must not look like zero. */
static void __attribute__((noinline)) poison_stack(void)
{
    uint64_t room[POISON_STACK / sizeof(uint64_t)];

    memset(room, POISON, sizeof(room));
    __asm__ volatile("" ::"r"(room) : "memory"); /* the compiler must not leave it out */
}

long check_call(const char *name, call_function *function, const uint64_t r[5])
{
    bool full = every == 1 && mutation == INVARIANT_COUNT;
    uint64_t before = full ? fingerprint() : 0;

    check_after = name;
    poison_stack();
    long result = function(r[0], r[1], r[2], r[3], r[4]);
    check_after = name;
    if (mutation == INVARIANT_failed_call && result < 0) {
        before = fingerprint();
        full = mutate(mutation);
    }
    if (result < 0 && full)
        HOLDS(failed_call, fingerprint() == before, "it returned %ld", result);
    check_walk(name);
    return result;
}

void check_clear(const void *page)
{
    const uint64_t *words = page;

    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        if (words[i])
            panic("a page that is freed as clear holds 0x%lx at %lu", words[i], i * sizeof(*words));
}

void check_fill(void *page)
{
    memset(page, POISON, PAGE_SIZE);
}

uint64_t check_slice(uint64_t usual)
{
    static uint64_t given; /* slices so far */

    if (slice == 0)
        return usual;
    uint64_t random = (++given + (time_now() << 32)) * 0x9e3779b97f4a7c15;
    return slice - slice / 2 + (random >> 33) % (slice + 1);
}
