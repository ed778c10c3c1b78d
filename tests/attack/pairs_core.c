/* The errors of calls about time, text, entropy and capabilities. */
#include "attack.h"

int64_t yield_RANGE(void)
{
    return aegis_yield(aegis_info()->env_count);
}

int64_t yield_STATE(void)
{
    uint32_t child = child_make();
    int64_t result = aegis_yield(child);
    child_end(child);
    return result;
}

int64_t wait_RANGE(void)
{
    struct aegis_predicate predicates[AEGIS_PREDICATES_MAX + 1] = {0};
    return aegis_wait(predicates, AEGIS_PREDICATES_MAX + 1, 0);
}

static int64_t wait_on(uint64_t word, uint64_t op)
{
    struct aegis_predicate p = {.word = (const volatile uint64_t *)word, .op = op};
    return aegis_wait(&p, 1, 0);
}

int64_t wait_ADDRESS(void)
{
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(wait_on(bad_addresses[i], AEGIS_WAKE_EQ), ADDRESS);
    /* Mapped for the kernel's own use alone. */
    CHECK_ERROR(wait_on(AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE), AEGIS_WAKE_EQ), ADDRESS);
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(aegis_wait((const struct aegis_predicate *)bad_addresses[i], 4, 0), ADDRESS);
    return aegis_wait((const struct aegis_predicate *)(AEGIS_USER_END - 16), 1, 0);
}

int64_t wait_ALIGNMENT(void)
{
    static uint64_t words[2];
    return wait_on((uint64_t)words + 4, AEGIS_WAKE_EQ);
}

int64_t wait_INVALID(void)
{
    static uint64_t word;
    CHECK_ERROR(wait_on((uint64_t)&word, UINT64_MAX), INVALID);
    return wait_on((uint64_t)&word, AEGIS_WAKE_GE + 1);
}

int64_t log_RANGE(void)
{
    CHECK_ERROR(aegis_log("", UINT64_MAX), RANGE);
    return aegis_log("", 1025);
}

int64_t log_ADDRESS(void)
{
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(aegis_log((const char *)bad_addresses[i], 1), ADDRESS);
    return aegis_log((const char *)(AEGIS_USER_END - 1), 2);
}

int64_t entropy_RANGE(void)
{
    char bytes[8];
    CHECK_ERROR(aegis_entropy(bytes, UINT64_MAX), RANGE);
    return aegis_entropy(bytes, 257);
}

int64_t entropy_ADDRESS(void)
{
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(aegis_entropy((void *)bad_addresses[i], 8), ADDRESS);
    return aegis_entropy((void *)AEGIS_EXPOSED_BASE, 8);
}

int64_t cap_mint_INVALID(void)
{
    struct aegis_cap cap;
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_NONE, 0, AEGIS_RIGHT_READ, &cap), INVALID);
    CHECK_ERROR(aegis_cap_mint(UINT32_MAX, 0, AEGIS_RIGHT_READ, &cap), INVALID);
    return aegis_cap_mint(AEGIS_KIND_COUNT, 0, AEGIS_RIGHT_READ, &cap);
}

int64_t cap_mint_RANGE(void)
{
    struct aegis_cap cap;
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, 0, AEGIS_RIGHT_READ, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, 1UL << 40, AEGIS_RIGHT_CALL, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_BINDING, UINT64_MAX, AEGIS_RIGHT_TAP, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_CONSOLE, 1, AEGIS_RIGHT_READ, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_MACHINE, 1, AEGIS_RIGHT_CONTROL, &cap), RANGE);
    return aegis_cap_mint(AEGIS_KIND_PAGE, aegis_info()->first_ppn + aegis_info()->page_count,
                          AEGIS_RIGHT_READ, &cap);
}

int64_t cap_mint_OWNER(void)
{
    struct aegis_cap cap;
    CHECK_ERROR(
        aegis_cap_mint(AEGIS_KIND_PAGE, page_of_victim(AEGIS_PAGE_DATA), AEGIS_RIGHT_READ, &cap),
        OWNER);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, VICTIM, AEGIS_RIGHT_CONTROL, &cap), OWNER);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_BINDING, DESK->binding, AEGIS_RIGHT_TAP, &cap), OWNER);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ, &cap), OWNER);
    return aegis_cap_mint(AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_CONTROL, &cap);
}

int64_t cap_mint_RIGHTS(void)
{
    struct aegis_cap cap;
    uint64_t page = test_page();
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, 0, &cap), RIGHTS);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, UINT32_MAX, &cap), RIGHTS);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_WRITE, &cap), RIGHTS);
    int64_t result = aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_DELEGATE, &cap);
    CHECK_OK(aegis_page_free(page));
    return result;
}

int64_t cap_mint_ADDRESS(void)
{
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL,
                                   (struct aegis_cap *)bad_addresses[i]),
                    ADDRESS);
    return aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL,
                          (struct aegis_cap *)AEGIS_EXPOSED_BASE);
}
