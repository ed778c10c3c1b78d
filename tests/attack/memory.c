/* Attacks on memory: capabilities, page tables, what the kernel's own calls may touch. */
#include <string.h>

#include "attack.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

#define POISON 0xb5b5b5b5b5b5b5b5

static const struct aegis_cap *victims(void)
{
    return &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
}

static int64_t map_victims(const struct aegis_cap *cap, uint32_t prot)
{
    int64_t result = aegis_map(0, FREE_VA, AEGIS_CAP_INDEX(victims()->name), prot, cap);
    if (result == 0)
        CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    return result;
}

int64_t capability_with_a_bit_flipped(void)
{
    CHECK_OK(map_victims(victims(), AEGIS_PROT_READ));
    for (unsigned bit = 0; bit < 8 * sizeof(struct aegis_cap); bit++) {
        struct aegis_cap forged = *victims();
        ((uint8_t *)&forged)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_ERROR(map_victims(&forged, AEGIS_PROT_READ), CAPABILITY);
    }
    return -AEGIS_E_CAPABILITY;
}

/* A page of one's own is given away, and ends; what was minted for it stays dead. */
int64_t capability_gone_stale(void)
{
    struct aegis_cap cap;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap));
    CHECK_OK(aegis_page_free(page));
    return aegis_map(0, FREE_VA, page, AEGIS_PROT_READ, &cap);
}

/* The seal of one under the name of another. */
int64_t capability_with_anothers_seal(void)
{
    struct aegis_cap own, swapped = *victims();
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &own));
    swapped.mac = own.mac;
    CHECK_ERROR(map_victims(&swapped, AEGIS_PROT_READ), CAPABILITY);
    swapped = own;
    swapped.name = victims()->name | AEGIS_CAP_NAME(0, AEGIS_RIGHT_WRITE, 0);
    CHECK_OK(aegis_page_free(page));
    return map_victims(&swapped, VM_READ_WRITE);
}

/* READ is shown for more, straight away and by way of a derived one. */
int64_t capability_with_too_few_rights(void)
{
    struct aegis_cap derived;
    CHECK_ERROR(aegis_cap_derive(victims(), AEGIS_RIGHT_READ | AEGIS_RIGHT_EXEC, &derived), RIGHTS);
    CHECK_OK(aegis_cap_derive(victims(), AEGIS_RIGHT_READ, &derived));
    CHECK_ERROR(map_victims(&derived, AEGIS_PROT_READ | AEGIS_PROT_EXEC), RIGHTS);
    return map_victims(&derived, VM_READ_WRITE);
}

/* Each page that isn't one's own, whatever its state, of whoever, the kernel's and free ones too.
 */
int64_t every_page_of_others(void)
{
    const volatile struct aegis_info *info = aegis_info();
    uint32_t tried = 0, last = UINT32_MAX;
    for (uint64_t i = 0; i < info->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(info->first_ppn + i);
        uint32_t kind = page->owner << 4 | page->state;
        if (page->owner == exos.env || kind == last) /* one of each run will do */
            continue;
        last = kind;
        tried++;
        CHECK_ERROR(aegis_map(0, FREE_VA, info->first_ppn + i, AEGIS_PROT_READ, NULL), OWNER);
        CHECK_ERROR(aegis_page_free(info->first_ppn + i), OWNER);
    }
    CHECK(tried > 10);
    return -AEGIS_E_OWNER;
}

/* A view for reading is written to. */
int64_t write_through_a_view_for_reading(void)
{
    CHECK_OK(aegis_map(0, FREE_VA, AEGIS_CAP_INDEX(victims()->name), AEGIS_PROT_READ, victims()));
    *(volatile uint64_t *)FREE_VA = 0x600d;
    return 0;
}

int64_t write_to_exposed_pages(void)
{
    ((volatile struct aegis_env_info *)aegis_info()->envs)[exos.env].owner = exos.env;
    return 0;
}

int64_t jump_into_the_kernel(void)
{
    ((void (*)(void))0xffffffff80200000)();
    return 0;
}

int64_t read_the_kernels_memory(void)
{
    uint64_t value;
    for (size_t i = 0; i < bad_address_count; i++) /* one's own page tables may be looked at */
        CHECK((bad_addresses[i] >= AEGIS_WINDOW_BASE && bad_addresses[i] < AEGIS_USER_END) ||
              !upcall_probe((const volatile uint64_t *)bad_addresses[i], &value));
    return 0;
}

int64_t write_to_page_tables(void)
{
    CHECK_OK(aegis_table_insert(0, AEGIS_WINDOW_BASE, 1, test_page(), AEGIS_NO_PAGE));
    CHECK_OK(
        aegis_table_insert(0, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE), 0, test_page(), AEGIS_NO_PAGE));
    volatile uint64_t *entry = (volatile uint64_t *)AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE);
    CHECK(*entry & AEGIS_PTE_VALID);
    *entry |= AEGIS_PROT_WRITE << 1;
    return 0;
}

int64_t privileged_instruction(void)
{
    __asm__ volatile("csrw satp, zero");
    return 0;
}

/* tp and sp of the kernel's, and a call: it must use its own. */
int64_t kernel_pointers_in_registers(void)
{
    register uint64_t a0 __asm__("a0") = 0;
    register uint64_t a7 __asm__("a7") = AEGIS_CALL_null;
    __asm__ volatile("mv s2, sp\n\tmv s3, tp\n\tmv s4, gp\n\t"
                     "li sp, 0xfffffff800005000\n\tli tp, 0xffffffff80200000\n\tmv gp, tp\n\t"
                     "ecall\n\tmv sp, s2\n\tmv tp, s3\n\tmv gp, s4"
                     : "+r"(a0), "+r"(a7)
                     :
                     : "memory", "s2", "s3", "s4", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1",
                       "a2", "a3", "a4", "a5", "a6", "ra");
    return (int64_t)a0;
}

/* What a call leaves in registers: nothing of the kernel's, which a checked kernel makes visible.
 */
int64_t registers_after_a_call(void)
{
    uint64_t in[32], out[32];
    double fin[32] = {0}, fout[32];
    for (unsigned n = 0; n < 32; n++)
        in[n] = 0x100 + n;
    in[17] = AEGIS_CALL_null;
    around_null(in, out, fin, fout);
    for (int n = 5; n < 32; n++)
        if (out[n] != in[n] && out[n] != 0)
            FAIL("x%d is 0x%llx after a call", n, (unsigned long long)out[n]);
    CHECK(!memcmp(fin, fout, sizeof fin));
    return 0;
}

/* Registers, the floating-point ones included, of one who has just ended. */
int64_t registers_of_the_dead(void)
{
    struct raw raw;
    RAW(&raw, fill, 0x5a5a5a5a00000000);
    raw_finish(&raw);
    raw_create(&raw, "dump", blob_dump, blob_dump_end);
    raw_start(&raw, 0x1234);
    struct aegis_predicate ended = aegis_when_ended(raw.env);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    for (int n = 1; n < 65; n++)
        if (n != 2 && n != 10 && raw.data[n])
            FAIL("register %d of a new environment is 0x%llx", n, (unsigned long long)raw.data[n]);
    raw_finish(&raw);
    return 0;
}

/* What calls write into memory: none of it left over on the kernel's stack. */
int64_t memory_that_calls_fill(void)
{
    union {
        uint64_t words[64];
        struct aegis_counters counters;
        struct aegis_cap cap;
    } out;
    memset(&out, 0, sizeof out);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &out.cap));
    CHECK_OK(aegis_cap_derive(&out.cap, AEGIS_RIGHT_CALL, (struct aegis_cap *)&out.words[8]));
    for (size_t i = 0; i < 64; i++)
        CHECK(out.words[i] != POISON);
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE); /* and what it holds that others had */
    for (size_t i = 0; i < AEGIS_PAGE_SIZE / 8; i++)
        CHECK(((volatile uint64_t *)FREE_VA)[i] != POISON ||
              aegis_page(page)->last == aegis_env(exos.env)->serial);
    page_gone(FREE_VA, page);
    return 0;
}
