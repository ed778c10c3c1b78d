/* The life of environments: made, started, ended, forgotten, and nothing of them is left. */
#include <string.h>

#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

static const char name[AEGIS_NAME_SIZE] = "child";

static void creating_errors(void)
{
    uint64_t a = test_page(), b = test_page(), mapped = test_page();
    CHECK_ERROR(aegis_env_create(UINT64_MAX, b, name), RANGE);
    CHECK_ERROR(aegis_env_create(a, UINT64_MAX, name), RANGE);
    CHECK_ERROR(aegis_env_create(aegis_info()->first_ppn, b, name), OWNER);
    CHECK_ERROR(aegis_env_create(a, aegis_info()->first_ppn, name), OWNER);
    CHECK_ERROR(aegis_env_create(a, a, name), STATE);
    CHECK_ERROR(aegis_env_create(a, b, NULL), ADDRESS);
    CHECK_OK(vm_map(0, 0x2000000000, mapped, VM_READ_WRITE, NULL));
    CHECK_ERROR(aegis_env_create(mapped, b, name), STATE);
    CHECK_ERROR(aegis_env_create(a, mapped, name), STATE);
    CHECK_OK(aegis_unmap(0, 0x2000000000, 1));
    CHECK_OK(aegis_page_free(a));
    CHECK_OK(aegis_page_free(b));
    CHECK_OK(aegis_page_free(mapped));
}

static void wait_for_end(uint32_t env)
{
    struct aegis_predicate ended = aegis_when_ended(env);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
}

static void states_and_owners(void)
{
    struct raw raw;
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    const volatile struct aegis_env_info *info = aegis_env(raw.env);
    CHECK_EQ(info->state, AEGIS_ENV_CREATED);
    CHECK_EQ(info->owner, exos.env);
    CHECK_EQ(info->maker, aegis_env(exos.env)->serial);
    CHECK(!memcmp((const char *)(uintptr_t)info->name, "spin\0\0\0\0\0\0\0\0\0\0\0",
                  AEGIS_NAME_SIZE));
    CHECK_ERROR(aegis_env_start(exos.env, RAW_CODE, RAW_DATA, 0), STATE);
    CHECK_ERROR(aegis_env_start(0, RAW_CODE, RAW_DATA, 0), STATE);
    CHECK_ERROR(aegis_env_start(exos.parent, RAW_CODE, RAW_DATA, 0), OWNER);
    CHECK_ERROR(aegis_env_start(UINT32_MAX, RAW_CODE, RAW_DATA, 0), RANGE);
    CHECK_ERROR(aegis_env_start(raw.env, AEGIS_USER_END, RAW_DATA, 0), RANGE);
    CHECK_ERROR(aegis_env_start(raw.env, 0xffffffff80200000, RAW_DATA, 0), RANGE);
    CHECK_ERROR(aegis_env_start(raw.env, RAW_CODE + 1, RAW_DATA, 0), RANGE);
    CHECK_ERROR(aegis_env_end(exos.parent, 0), OWNER);
    CHECK_ERROR(aegis_env_end(UINT32_MAX, 0), RANGE);
    CHECK_ERROR(aegis_env_free(raw.env), STATE);
    CHECK_ERROR(aegis_env_free(exos.parent), OWNER);
    CHECK_ERROR(aegis_env_free(0), RANGE);
    CHECK_ERROR(aegis_env_free(UINT32_MAX), RANGE);
    CHECK_ERROR(aegis_yield(raw.env), STATE);
    CHECK_ERROR(aegis_yield(UINT32_MAX), RANGE);

    raw_start(&raw, 0);
    CHECK_EQ(info->state, AEGIS_ENV_LIVE);
    CHECK_ERROR(aegis_env_start(raw.env, RAW_CODE, RAW_DATA, 0), STATE);
    uint64_t ended = aegis_env(exos.env)->ended;
    CHECK_OK(aegis_env_end(raw.env, 5));
    CHECK_ERROR(aegis_env_end(raw.env, 6), STATE);
    wait_for_end(raw.env);
    CHECK_EQ(aegis_env(exos.env)->ended, ended + 1);
    CHECK_EQ(info->exit_reason, AEGIS_EXIT_KILLED);
    CHECK_EQ(info->exit_value, 5);
    CHECK_ERROR(aegis_env_end(raw.env, 0), STATE);
    uint32_t env = raw.env;
    raw_finish(&raw);
    CHECK_EQ(info->state, AEGIS_ENV_NONE);
    CHECK_ERROR(aegis_env_end(env, 0), OWNER);
    CHECK_ERROR(aegis_env_free(env), OWNER);
}

/* A thousand lives: no page is lost, numbers and serials behave. */
static void thousand_rounds(void)
{
    struct raw raw;
    RAW(&raw, end, 0); /* the first makes this program's window's tables */
    raw_finish(&raw);
    uint64_t before = aegis_info()->free_pages;
    uint32_t serial = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t value = i % 100 == 0 ? i : 0; /* the log stays short */
        RAW(&raw, end, value);
        CHECK(aegis_env(raw.env)->serial > serial);
        serial = aegis_env(raw.env)->serial;
        if (i % 100 == 1)
            aegis_env_end(raw.env, value); /* before it ran at all */
        struct aegis_env_info info = raw_finish(&raw);
        CHECK_EQ(info.exit_value, value);
        CHECK_EQ(info.pages, 0);
    }
    CHECK_EQ(aegis_info()->free_pages, before);
}

/* An environment that was never started ends like any other. */
static void ended_before_started(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t generation = aegis_env(raw.env)->generation;
    CHECK_OK(aegis_env_end(raw.env, 9));
    struct aegis_env_info info = raw_finish(&raw);
    CHECK_EQ(info.exit_reason, AEGIS_EXIT_KILLED);
    CHECK(info.generation > generation);
}

/* All slots of the vector taken: named, nothing lost, and others still run. */
static void table_full(void)
{
    static struct raw many[AEGIS_SLOTS];
    size_t count = 0;
    uint64_t a = test_page(), b = test_page();
    int64_t env;
    while ((env = aegis_env_create(a, b, name)) >= 0) {
        CHECK(count < AEGIS_SLOTS);
        many[count++].env = (uint32_t)env;
        a = test_page();
        b = test_page();
    }
    CHECK_ERROR(env, NO_SLOT);
    CHECK(count > AEGIS_SLOTS / 2);
    CHECK_EQ(aegis_page(a)->owner, exos.env);
    CHECK_OK(aegis_page_free(a));
    CHECK_OK(aegis_page_free(b));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(aegis_env_end(many[i].env, 0));
    for (size_t i = 0; i < count; i++) {
        wait_for_end(many[i].env);
        CHECK_OK(aegis_env_free(many[i].env));
    }
}

int main(void)
{
    creating_errors();
    states_and_owners();
    ended_before_started();
    thousand_rounds();
    table_full();
    return 0;
}
