/* map_batch: many changes in one call, all or none. */
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA 0x2000000000UL

static struct aegis_map_op ops[AEGIS_MAP_OPS_MAX + 1];
static uint64_t pages[AEGIS_MAP_OPS_MAX];

static void fill(uint32_t change, uint32_t prot)
{
    for (uint64_t i = 0; i <= AEGIS_MAP_OPS_MAX; i++)
        ops[i] = (struct aegis_map_op){.va = VA + 2 * i * AEGIS_PAGE_SIZE,
                                       .ppn = i < AEGIS_MAP_OPS_MAX ? pages[i] : 0,
                                       .change = change,
                                       .prot = prot};
}

static bool is_mapped(uint64_t i)
{
    uint64_t value;
    return upcall_probe((const volatile uint64_t *)(VA + 2 * i * AEGIS_PAGE_SIZE), &value);
}

static void a_hundred_in_one(void)
{
    fill(AEGIS_MAP_INSERT, VM_READ_WRITE);
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX + 1), RANGE);
    CHECK_ERROR(aegis_map_batch(0, ops, UINT64_MAX), RANGE);
    CHECK_OK(aegis_map_batch(0, ops, 0));
    CHECK_OK(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX));
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        *(volatile uint64_t *)ops[i].va = i;
    fill(AEGIS_MAP_PROTECT, AEGIS_PROT_READ);
    CHECK_OK(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX));
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        CHECK_EQ(*(volatile uint64_t *)ops[i].va, i);
    fill(AEGIS_MAP_CLEAN, 0);
    CHECK_OK(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX));
}

/* The last change is wrong: nothing has happened to the others. */
static void none_if_one_is_wrong(void)
{
    uint64_t last = AEGIS_MAP_OPS_MAX - 1;
    fill(AEGIS_MAP_REMOVE, 0);
    ops[last].va += AEGIS_PAGE_SIZE;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), ADDRESS);
    ops[last].va = ops[0].va;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), INVALID);
    ops[last].va = ops[last - 1].va;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), INVALID);
    fill(AEGIS_MAP_REMOVE, 0);
    ops[last].va += 8;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), ALIGNMENT);
    ops[last].va = AEGIS_EXPOSED_BASE;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), RANGE);
    ops[last].va = VA + (1UL << 30);
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), NO_TABLE);
    fill(AEGIS_MAP_REMOVE, 0);
    ops[last].change = AEGIS_MAP_CLEAN + 1;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), INVALID);
    ops[last] = (struct aegis_map_op){
        .va = ops[last].va, .ppn = pages[last], .prot = 8, .change = AEGIS_MAP_PROTECT};
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), INVALID);
    ops[last].change = AEGIS_MAP_INSERT;
    ops[last].prot = AEGIS_PROT_READ;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), IN_USE);
    ops[last].va += AEGIS_PAGE_SIZE;
    ops[last].ppn = aegis_info()->first_ppn;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), OWNER);
    ops[last].ppn = UINT64_MAX;
    CHECK_ERROR(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), RANGE);
    CHECK_ERROR(aegis_map_batch(exos.parent, ops, 1), OWNER);
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        CHECK(is_mapped(i));
}

/* Somebody else's page needs its capability here as well. */
static void rights_of_others_pages(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t page = test_page();
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap));
    CHECK_OK(aegis_page_give(page, raw.env));
    struct aegis_map_op op = {.va = VA + AEGIS_PAGE_SIZE, .ppn = page, .prot = AEGIS_PROT_READ};
    CHECK_ERROR(aegis_map_batch(0, &op, 1), OWNER);
    op.capability = &cap;
    CHECK_ERROR(aegis_map_batch(0, &op, 1), CAPABILITY);
    op.capability = (const struct aegis_cap *)8;
    CHECK_ERROR(aegis_map_batch(0, &op, 1), ADDRESS);
    /* In its own space its owner's creator maps it, and neither can then raise it above that. */
    op = (struct aegis_map_op){
        .va = RAW_CODE + AEGIS_PAGE_SIZE, .ppn = page, .prot = AEGIS_PROT_READ};
    CHECK_OK(aegis_map_batch(raw.env, &op, 1));
    op.change = AEGIS_MAP_PROTECT;
    op.prot = VM_READ_WRITE;
    CHECK_OK(aegis_map_batch(raw.env, &op, 1)); /* it is the environment's own */
    op.change = AEGIS_MAP_REMOVE;
    CHECK_OK(aegis_map_batch(raw.env, &op, 1));
    raw_start(&raw, 0);
    raw_finish(&raw);
}

int main(void)
{
    for (int i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        pages[i] = test_page();
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, VA, page, VM_READ_WRITE, NULL)); /* brings the tables */
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(page));
    a_hundred_in_one();
    none_if_one_is_wrong();
    rights_of_others_pages();
    fill(AEGIS_MAP_REMOVE, 0);
    CHECK_OK(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX));
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++) {
        CHECK(!is_mapped(i));
        CHECK_OK(aegis_page_free(pages[i]));
    }
    return 0;
}
