/* The errors of calls about revocation, upcalls and the console's binding. */
#include <string.h>

#include "attack.h"
#include "libos/vm/vm.h"

/* A child that runs for ever; end_spinning ends it. */
static void spin(struct raw *raw)
{
    raw_create(raw, "spin", blob_spin, blob_spin_end);
    raw_start(raw, 0);
}

static void end_spinning(struct raw *raw)
{
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
}

int64_t revoke_RANGE(void)
{
    struct raw raw;
    spin(&raw);
    CHECK_ERROR(aegis_revoke(UINT32_MAX, AEGIS_KIND_PAGE, 1), RANGE);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 0), RANGE);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, UINT64_MAX), RANGE);
    int64_t result = aegis_revoke(raw.env, AEGIS_KIND_BINDING, 1); /* it has none */
    end_spinning(&raw);
    return result;
}

int64_t revoke_OWNER(void)
{
    CHECK_ERROR(aegis_revoke(exos.parent, AEGIS_KIND_PAGE, 1), OWNER);
    CHECK_ERROR(aegis_revoke(VICTIM, AEGIS_KIND_BINDING, 1), OWNER);
    return aegis_revoke(VICTIM, AEGIS_KIND_PAGE, 8);
}

int64_t revoke_STATE(void)
{
    uint32_t child = child_make();
    int64_t result = aegis_revoke(child, AEGIS_KIND_PAGE, 1);
    child_end(child);
    return result;
}

int64_t revoke_INVALID(void)
{
    struct raw raw;
    spin(&raw);
    CHECK_ERROR(aegis_revoke(0, AEGIS_KIND_PAGE, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_NONE, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_MACHINE, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, UINT32_MAX, 1), INVALID);
    int64_t result = aegis_revoke(raw.env, AEGIS_KIND_COUNT, 1);
    end_spinning(&raw);
    return result;
}

int64_t revoke_BUSY(void)
{
    struct raw raw;
    spin(&raw);
    CHECK_OK(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 1));
    int64_t result = aegis_revoke(raw.env, AEGIS_KIND_PAGE, 1);
    end_spinning(&raw);
    return result;
}

int64_t resume_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result = aegis_resume((const struct aegis_context *)bad_addresses[i], 0),
                 -AEGIS_E_ADDRESS);
    return result;
}

/* Into the kernel's half, and beyond the frames. */
int64_t resume_RANGE(void)
{
    struct aegis_context context = {.pc = AEGIS_PROGRAM_BASE};
    CHECK_ERROR(aegis_resume(&context, AEGIS_UPCALL_FRAMES), RANGE);
    CHECK_ERROR(aegis_resume(&context, UINT64_MAX), RANGE);
    context.pc++;
    CHECK_ERROR(aegis_resume(&context, 0), RANGE);
    context.pc = AEGIS_USER_END;
    CHECK_ERROR(aegis_resume(&context, 0), RANGE);
    context.pc = 0xffffffff80200000;
    return aegis_resume(&context, 0);
}

int64_t resume_STATE(void)
{
    const struct aegis_context context = {.pc = AEGIS_PROGRAM_BASE};
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    return aegis_resume(&context, 0);
}

static int64_t bind_vector(uint64_t va)
{
    return aegis_repossession_bind((struct aegis_repossession *)va);
}

int64_t repossession_bind_ADDRESS(void)
{
    uint64_t page = page_at(FREE_VA, AEGIS_PROT_READ);
    for (size_t i = 1; i < bad_address_count; i++)
        if (bad_addresses[i] % AEGIS_PAGE_SIZE == 0)
            CHECK_ERROR(bind_vector(bad_addresses[i]), ADDRESS);
    CHECK_ERROR(bind_vector(AEGIS_EXPOSED_BASE), ADDRESS);
    CHECK_ERROR(bind_vector((uint64_t)exos.start), ADDRESS);
    int64_t result = bind_vector(FREE_VA);
    page_gone(FREE_VA, page);
    return result;
}

int64_t repossession_bind_ALIGNMENT(void)
{
    return bind_vector(FREE_VA + 64);
}

int64_t console_bind_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result = aegis_console_bind((const struct aegis_cap *)bad_addresses[i]),
                 -AEGIS_E_ADDRESS);
    return result;
}

int64_t console_bind_CAPABILITY(void)
{
    struct aegis_cap forged = exos.start->caps[ATTACK_CAP_CONSOLE];
    CHECK_ERROR(aegis_console_bind(&exos.start->caps[ATTACK_CAP_VICTIM_PAGE]), CAPABILITY);
    forged.generation++;
    return aegis_console_bind(&forged);
}

int64_t console_bind_RIGHTS(void)
{
    struct aegis_cap less;
    CHECK_OK(aegis_cap_derive(&exos.start->caps[ATTACK_CAP_CONSOLE], AEGIS_RIGHT_READ, &less));
    return aegis_console_bind(&less);
}

/* A child has it. */
int64_t console_bind_IN_USE(void)
{
    struct raw raw;
    raw_create(&raw, "console", blob_console, blob_console_end);
    memcpy(raw.data + 8, &exos.start->caps[ATTACK_CAP_CONSOLE], sizeof(struct aegis_cap));
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(raw.env);
    CHECK_EQ(raw.data[1], 0);
    int64_t result = aegis_console_bind(&exos.start->caps[ATTACK_CAP_CONSOLE]);
    end_spinning(&raw);
    return result;
}

int64_t console_bind_NO_DEVICE(void)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &cap));
    return aegis_console_bind(&cap);
}
