/*
 * A handler's download that one environment leaves half-way: another's is told BUSY at first, and
 * takes over when the first doesn't go on though it could.
 */
#include <string.h>

#include "ash/ash.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define IMAGE_AT 0x30000UL /* in the raw environment */
#define REQUEST  64        /* word of the data page where its request stands */
#define NOTHING  0x5555

struct image {
    struct ash_header header;
    struct ash_insn insns[ASH_INSNS_MAX];
};
#define IMAGE_PAGES ((sizeof(struct image) + AEGIS_PAGE_SIZE - 1) / AEGIS_PAGE_SIZE)

static const struct ash_insn set_r0 = {0xb7, 0, 0, ASH_PASS}, leave = {0x95, 0, 0, 0};

static uint64_t make_image(struct image *image, uint32_t count)
{
    image->header = (struct ash_header){.magic = ASH_MAGIC,
                                        .version = ASH_VERSION,
                                        .event = ASH_EVENT_FRAME,
                                        .insns = count,
                                        .name = "download"};
    image->insns[0] = set_r0;
    for (uint32_t i = 1; i < count - 1; i++) /* if r0 != i, go to where a third of them loop */
        image->insns[i] = (struct ash_insn){0x55, 0, i % 3 ? 0 : -1, (int32_t)i};
    image->insns[count - 1] = leave;
    return sizeof image->header + count * sizeof *image->insns;
}

/* An environment that downloads a handler of the greatest size, some slices' work, again and again.
 */
static struct image *start_downloader(struct raw *raw)
{
    struct image *image = vm_alloc(IMAGE_PAGES, VM_READ_WRITE);
    CHECK(image);
    uint64_t size = make_image(image, ASH_INSNS_MAX);
    raw_create(raw, "load", blob_load, blob_load_end);
    for (uint64_t i = 0; i < IMAGE_PAGES; i++) {
        int64_t page = vm_page_at((char *)image + i * AEGIS_PAGE_SIZE);
        CHECK_OK(
            vm_map(raw->env, IMAGE_AT + i * AEGIS_PAGE_SIZE, (uint64_t)page, VM_READ_WRITE, NULL));
    }
    const struct aegis_handler_request request = {.image = (const void *)IMAGE_AT,
                                                  .image_size = size};
    memcpy(raw->data + REQUEST, &request, sizeof request);
    raw->data[0] = NOTHING;
    raw_start(raw, RAW_DATA + REQUEST * sizeof *raw->data);
    return image;
}

/* A page of nothing but "c.j .": whichever instruction is next, it is that. */
static uint64_t make_standstill(void)
{
    uint64_t page = test_page();
    uint32_t *words = vm_reserve(1);
    CHECK_OK(vm_map(0, (uint64_t)words, page, VM_READ_WRITE, NULL));
    for (size_t i = 0; i < AEGIS_PAGE_SIZE / sizeof *words; i++)
        words[i] = 0xa001a001;
    CHECK_OK(aegis_unmap(0, (uint64_t)words, 1));
    vm_free(words);
    return page;
}

#define BEDROOM 512 /* halfword of the page at which the program that sleeps begins */

/* The same with a jump to a program that sleeps for ever. */
static uint64_t make_bedroom(void)
{
    uint64_t page = test_page();
    uint16_t *halves = vm_reserve(1);
    CHECK_OK(vm_map(0, (uint64_t)halves, page, VM_READ_WRITE, NULL));
    for (uint32_t i = 0; i < BEDROOM; i++) {
        uint32_t o = (BEDROOM - i) * 2; /* c.j: imm[11|4|9:8|10|6|7|3:1|5] from bit 12 down to 2 */
        halves[i] = (uint16_t)(5 << 13 | (o >> 11 & 1) << 12 | (o >> 4 & 1) << 11 |
                               (o >> 8 & 3) << 9 | (o >> 10 & 1) << 8 | (o >> 6 & 1) << 7 |
                               (o >> 7 & 1) << 6 | (o >> 1 & 7) << 3 | (o >> 5 & 1) << 2 | 1);
    }
    memcpy(halves + BEDROOM, blob_sleep, (size_t)(blob_sleep_end - blob_sleep));
    CHECK_OK(aegis_unmap(0, (uint64_t)halves, 1));
    vm_free(halves);
    return page;
}

static uint32_t slot_of(const struct raw *raw)
{
    const volatile struct aegis_slot *slots =
        (const volatile struct aegis_slot *)aegis_info()->slots;
    uint32_t slot = 0;
    while (slots[slot].env != raw->env)
        slot++;
    return slot;
}

/* From now on the environment's program is that of page: its next instruction is another one. It
 * has no slot meanwhile, so that it doesn't come to where there is none. */
static void lead_astray(const struct raw *raw, uint64_t page)
{
    uint32_t slot = slot_of(raw);
    CHECK_OK(aegis_page_give(page, raw->env));
    CHECK_OK(aegis_slice_free(0, slot));
    CHECK_OK(aegis_unmap(raw->env, RAW_CODE, 1));
    CHECK_OK(vm_map(raw->env, RAW_CODE, page, AEGIS_PROT_READ | AEGIS_PROT_EXEC, NULL));
    CHECK_EQ(aegis_slice_alloc(0, slot, NULL), slot);
    CHECK_OK(aegis_slice_give(0, slot, raw->env));
}

static struct image small;

/* Downloads a small handler and unloads it; why it can't. */
static int64_t load_small(void)
{
    const struct aegis_handler_request request = {.image = &small,
                                                  .image_size = make_image(&small, 2)};
    int64_t handler = aegis_handler_load(&request);
    return handler < 0 ? handler : aegis_handler_unload((uint32_t)handler);
}

static void wait_for_load(int64_t wanted, const struct raw *raw)
{
    uint64_t limit = test_deadline();
    int64_t got;
    while ((got = load_small()) != wanted && time_now() < limit) {
        CHECK(got == 0 || got == -AEGIS_E_BUSY);
        aegis_yield(0);
    }
    CHECK_EQ(raw->data[0], NOTHING); /* the other was told nothing but BUSY */
    test_error(__FILE__, __LINE__, "handler_load", got, wanted);
}

/* page: the program that the first one runs instead of going on. */
static void another_takes_over(uint64_t page)
{
    struct raw raw;
    struct image *image = start_downloader(&raw);
    wait_for_load(-AEGIS_E_BUSY, &raw);
    lead_astray(&raw, page);
    wait_for_load(0, &raw);
    wait_for_load(0, &raw); /* once more: it may still have been the other's turn */
    CHECK_EQ(aegis_env(raw.env)->state, AEGIS_ENV_LIVE);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    CHECK_OK(vm_free(image));
}

/* One that has lost its slots makes nobody wait: it would go on when others let it. */
static void another_passes_who_has_no_slot(void)
{
    struct raw raw;
    struct image *image = start_downloader(&raw);
    wait_for_load(-AEGIS_E_BUSY, &raw);
    CHECK_OK(aegis_slice_free(0, slot_of(&raw)));
    wait_for_load(0, &raw);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    CHECK_OK(vm_free(image));
}

/* One that ends half-way leaves at once. */
static void an_end_frees_the_way(void)
{
    struct raw raw;
    struct image *image = start_downloader(&raw);
    wait_for_load(-AEGIS_E_BUSY, &raw);
    CHECK_OK(aegis_env_end(raw.env, 0));
    CHECK_EQ(raw_finish(&raw).exit_reason, AEGIS_EXIT_KILLED);
    CHECK_OK(load_small());
    CHECK_OK(vm_free(image));
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        another_takes_over(make_standstill());
        another_takes_over(make_bedroom());
        an_end_frees_the_way();
        another_passes_who_has_no_slot();
    }
    return 0;
}
