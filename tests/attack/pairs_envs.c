/* The errors of calls about environments. */
#include "attack.h"
#include "libos/vm/vm.h"

static const char name[AEGIS_NAME_SIZE] = "child";

int64_t env_create_RANGE(void)
{
    uint64_t page = test_page();
    CHECK_ERROR(aegis_env_create(UINT64_MAX, page, name), RANGE);
    int64_t result = aegis_env_create(page, UINT64_MAX, name);
    CHECK_OK(aegis_page_free(page));
    return result;
}

int64_t env_create_OWNER(void)
{
    uint64_t page = test_page();
    CHECK_ERROR(aegis_env_create(page_of_victim(AEGIS_PAGE_ENV), page, name), OWNER);
    CHECK_ERROR(aegis_env_create(page_in_state(AEGIS_PAGE_FREE), page, name), OWNER);
    int64_t result = aegis_env_create(page, page_of_victim(AEGIS_PAGE_DATA), name);
    CHECK_OK(aegis_page_free(page));
    return result;
}

/* A root that is mapped could be written to. */
int64_t env_create_STATE(void)
{
    uint64_t page = test_page(), mapped = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_ERROR(aegis_env_create(page, page, name), STATE);
    CHECK_ERROR(aegis_env_create(mapped, page, name), STATE);
    int64_t result = aegis_env_create(page, mapped, name);
    CHECK_OK(aegis_page_free(page));
    page_gone(FREE_VA, mapped);
    return result;
}

int64_t env_create_PINNED(void)
{
    uint64_t page = test_page(), pinned = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_OK(aegis_upcall_bind((struct aegis_upcall_page *)FREE_VA, AEGIS_PROGRAM_BASE));
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    CHECK_ERROR(aegis_env_create(page, pinned, name), PINNED);
    int64_t result = aegis_env_create(pinned, page, name);
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(pinned));
    return result;
}

/* All slots of the vector. */
int64_t env_create_NO_SLOT(void)
{
    uint32_t children[AEGIS_SLOTS], count = 0;
    uint64_t page = test_page(), root = test_page();
    int64_t result;
    while ((result = aegis_env_create(page, root, name)) >= 0) {
        CHECK(count < AEGIS_SLOTS);
        children[count++] = (uint32_t)result;
        page = test_page();
        root = test_page();
    }
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(root));
    for (uint32_t i = 0; i < count; i++)
        child_end(children[i]);
    return result;
}

int64_t env_create_ADDRESS(void)
{
    uint64_t page = test_page(), root = test_page();
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result = aegis_env_create(page, root, (const char *)bad_addresses[i]),
                 -AEGIS_E_ADDRESS);
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(root));
    return result;
}

int64_t env_start_RANGE(void)
{
    uint32_t child = child_make();
    CHECK_ERROR(aegis_env_start(child, AEGIS_USER_END, 0, 0), RANGE);
    CHECK_ERROR(aegis_env_start(child, 0xffffffff80200000, 0, 0), RANGE);
    CHECK_ERROR(aegis_env_start(child, 0x10001, 0, 0), RANGE);
    CHECK_ERROR(aegis_env_start(UINT32_MAX, 0x10000, 0, 0), RANGE);
    int64_t result = aegis_env_start(child, 0x10000, UINT64_MAX, 0);
    child_end(child);
    return result;
}

int64_t env_start_OWNER(void)
{
    CHECK_ERROR(aegis_env_start(exos.parent, 0x10000, 0, 0), OWNER);
    return aegis_env_start(VICTIM, 0x10000, 0, 0);
}

/* Twice: the second would move another's pc. */
int64_t env_start_STATE(void)
{
    uint32_t child = child_make();
    CHECK_ERROR(aegis_env_start(0, 0x10000, 0, 0), STATE);
    CHECK_OK(aegis_env_start(child, 0x10000, 0, 0));
    int64_t result = aegis_env_start(child, 0x10000, 0, 0);
    child_end(child);
    return result;
}

int64_t env_end_RANGE(void)
{
    CHECK_ERROR(aegis_env_end(aegis_info()->env_count, 0), RANGE);
    return aegis_env_end(UINT32_MAX, 0);
}

int64_t env_end_OWNER(void)
{
    CHECK_ERROR(aegis_env_end(exos.parent, 0), OWNER);
    return aegis_env_end(VICTIM, 0);
}

int64_t env_end_STATE(void)
{
    uint32_t child = child_make();
    CHECK_OK(aegis_env_end(child, 0));
    int64_t result = aegis_env_end(child, 0);
    struct aegis_predicate over = aegis_when_ended(child);
    CHECK_EQ(aegis_wait(&over, 1, AEGIS_FOREVER), 0);
    CHECK_ERROR(aegis_env_end(child, 0), STATE);
    CHECK_OK(aegis_env_free(child));
    return result;
}

int64_t env_free_RANGE(void)
{
    CHECK_ERROR(aegis_env_free(0), RANGE);
    return aegis_env_free(UINT32_MAX);
}

int64_t env_free_OWNER(void)
{
    CHECK_ERROR(aegis_env_free(exos.parent), OWNER);
    return aegis_env_free(VICTIM);
}

int64_t env_free_STATE(void)
{
    uint32_t child = child_make();
    int64_t result = aegis_env_free(child);
    child_end(child);
    return result;
}

static int64_t bind_upcall(uint64_t page, uint64_t handler)
{
    return aegis_upcall_bind((struct aegis_upcall_page *)page, handler);
}

/* The kernel writes there: only a page of one's own will do. */
int64_t upcall_bind_ADDRESS(void)
{
    uint64_t page = page_at(FREE_VA, AEGIS_PROT_READ);
    for (size_t i = 1; i < bad_address_count; i++)
        if (bad_addresses[i] % 64 == 0)
            CHECK_ERROR(bind_upcall(bad_addresses[i], AEGIS_PROGRAM_BASE), ADDRESS);
    CHECK_ERROR(bind_upcall(AEGIS_EXPOSED_BASE, AEGIS_PROGRAM_BASE), ADDRESS);
    CHECK_ERROR(bind_upcall((uint64_t)exos.start, AEGIS_PROGRAM_BASE), ADDRESS);
    int64_t result = bind_upcall(FREE_VA, AEGIS_PROGRAM_BASE);
    page_gone(FREE_VA, page);
    return result;
}

int64_t upcall_bind_ALIGNMENT(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_ERROR(bind_upcall(FREE_VA, AEGIS_PROGRAM_BASE + 1), ALIGNMENT);
    CHECK_ERROR(bind_upcall(FREE_VA + 8, AEGIS_PROGRAM_BASE), ALIGNMENT);
    int64_t result = bind_upcall(FREE_VA + AEGIS_PAGE_SIZE - 64, AEGIS_PROGRAM_BASE);
    page_gone(FREE_VA, page);
    return result;
}

/* An exception must not lead into the kernel's half. */
int64_t upcall_bind_RANGE(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_ERROR(bind_upcall(FREE_VA, AEGIS_USER_END), RANGE);
    int64_t result = bind_upcall(FREE_VA, 0xffffffff80200000);
    page_gone(FREE_VA, page);
    return result;
}
