#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/time/time.h"
#include "libos/vm/vm.h"

void test_fail(const char *file, int line, const char *format, ...)
{
    char text[512];
    const char *base = strrchr(file, '/');
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (exos.start)
        snprintf(test_why(exos.start), TEST_WHY_SIZE, "%s:%d: %s", base ? base + 1 : file, line,
                 text);
    exit(1);
}

void test_equal(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        test_fail(file, line, "%s is %lld (0x%llx), not %lld (0x%llx)", what, (long long)got,
                  (unsigned long long)got, (long long)wanted, (unsigned long long)wanted);
}

void test_error(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        test_fail(file, line, "%s gives %s (%lld), not %s", what, aegis_error_name(got),
                  (long long)got, aegis_error_name(wanted));
}

uint64_t test_limit(void)
{
    char arguments[AEGIS_BOOTARGS_SIZE + 1] = "";
    for (size_t i = 0; i < AEGIS_BOOTARGS_SIZE; i++)
        arguments[i] = aegis_info()->bootargs[i];
    const char *limit = strstr(arguments, "limit=");
    return limit ? strtoul(limit + 6, NULL, 10) : 60;
}

uint64_t test_deadline(void)
{
    return time_now() + test_limit() * aegis_info()->timebase / 2;
}

uint64_t test_page(void)
{
    int64_t ppn = aegis_page_alloc(AEGIS_ANY);
    if (ppn < 0)
        FAIL("no page: %s", aegis_error_name(ppn));
    return (uint64_t)ppn;
}

const char *test_argument(int argc, char **argv, int index)
{
    return index < argc ? argv[index] : "";
}

void raw_create(struct raw *raw, const char *name, const void *code, const void *code_end)
{
    char padded[AEGIS_NAME_SIZE] = "";
    strncpy(padded, name, sizeof padded - 1);
    int64_t env = aegis_env_create(test_page(), test_page(), padded);
    if (env < 0)
        FAIL("env_create: %s", aegis_error_name(env));
    raw->env = (uint32_t)env;

    char *window = vm_reserve(1);
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, (uint64_t)window, page, VM_READ_WRITE, NULL));
    memset(window, 0, AEGIS_PAGE_SIZE);
    memcpy(window, code, (size_t)((const char *)code_end - (const char *)code));
    CHECK_OK(aegis_unmap(0, (uint64_t)window, 1));
    vm_free(window);
    CHECK_OK(aegis_page_give(page, raw->env));
    CHECK_OK(vm_map(raw->env, RAW_CODE, page, AEGIS_PROT_READ | AEGIS_PROT_EXEC, NULL));

    raw->data = vm_alloc(1, VM_READ_WRITE);
    CHECK(raw->data);
    CHECK_OK(vm_map(raw->env, RAW_DATA, (uint64_t)vm_page_at(raw->data), VM_READ_WRITE, NULL));
}

void raw_start(const struct raw *raw, uint64_t argument)
{
    CHECK_OK(aegis_env_start(raw->env, RAW_CODE, RAW_DATA + AEGIS_PAGE_SIZE, argument));
}

struct aegis_env_info raw_finish(struct raw *raw)
{
    struct aegis_predicate ended = aegis_when_ended(raw->env);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    struct aegis_env_info info = *(const struct aegis_env_info *)(uintptr_t)aegis_env(raw->env);
    CHECK_OK(aegis_env_free(raw->env));
    CHECK_OK(vm_free(raw->data));
    return info;
}

void raw_run(struct raw *raw, const char *name, const void *code, const void *code_end,
             uint64_t argument)
{
    raw_create(raw, name, code, code_end);
    raw_start(raw, argument);
}
