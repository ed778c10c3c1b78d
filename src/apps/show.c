/*
 * show [pages|slices|environments|accounts|bindings|totals]: prints who has what of the machine,
 * all of it or one part, from the exposed pages alone. It makes no system call between its first
 * instruction and the end of its look: what it finds is put into memory, and printed at the end.
 * What changes meanwhile may be seen half changed.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/start/start.h"

const char program_name[] = "show";
const char program_usage[] =
    "show [pages|slices|environments|accounts|bindings|totals]  (without a part: all of them)";

#define STATES   8
#define ENVS_MAX 1024

static const char *const page_states[STATES] = {"free", "kernel", "data", "ptable",
                                                "env",  "code",   "ring", "window"};
static const char *const env_states[] = {"-", "created", "live", "ending", "ended"};
_Static_assert(AEGIS_PAGE_WINDOW + 1 == STATES, "a name a state");
_Static_assert(AEGIS_ENV_ENDED + 1 == sizeof env_states / sizeof *env_states, "a name a state");

static char text[128 << 10]; /* what will be printed */
static size_t used;
static uint32_t counts[ENVS_MAX][STATES]; /* pages of each owner */

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
    if (n > 0)
        used = (size_t)n < sizeof text - used ? used + (size_t)n : sizeof text - 1;
}

/* Copies of rows of exposed arrays; number is below the info page's count. */
static struct aegis_env_info env_at(uint32_t number)
{
    return *(const struct aegis_env_info *)(uintptr_t)aegis_env(number);
}

static const char *env_name(uint32_t number)
{
    static char name[AEGIS_NAME_SIZE + 1];
    struct aegis_env_info env = env_at(number);
    memcpy(name, env.name, sizeof env.name);
    return number ? name : "-";
}

static void pages(void)
{
    const volatile struct aegis_info *info = aegis_info();
    for (uint64_t i = 0; i < info->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(info->first_ppn + i);
        uint32_t owner = page->owner, state = page->state;
        if (owner < ENVS_MAX && state < STATES)
            counts[owner][state]++;
    }
    add("pages of 4 KiB by owner and state:\n%5s %-15s", "owner", "name");
    for (int state = 0; state < STATES; state++)
        add(" %7s", page_states[state]);
    add("\n");
    for (uint32_t owner = 0; owner < info->env_count && owner < ENVS_MAX; owner++) {
        uint32_t sum = 0;
        for (int state = 0; state < STATES; state++)
            sum += counts[owner][state];
        if (!sum)
            continue;
        add("%5u %-15s", (unsigned)owner, env_name(owner));
        for (int state = 0; state < STATES; state++)
            add(" %7u", (unsigned)counts[owner][state]);
        add("\n");
    }
}

static void slices(void)
{
    const volatile struct aegis_info *info = aegis_info();
    const volatile struct aegis_slot *slots = (const volatile struct aegis_slot *)info->slots;
    add("slices of %u ticks of hart 0:\n slot owner   env name\n", (unsigned)info->slice);
    for (unsigned i = 0; i < AEGIS_SLOTS; i++) {
        uint32_t number = slots[i].env;
        if (!number)
            continue;
        add("%5u %5u %5u %s\n", i, (unsigned)slots[i].owner, (unsigned)number, env_name(number));
    }
}

static void environments(void)
{
    add("environments:\n  env name            owner state     pages   slices overruns     debt     "
        " charged  "
        "exit\n");
    for (uint32_t i = 1; i < aegis_info()->env_count; i++) {
        struct aegis_env_info env = env_at(i);
        if (env.state == AEGIS_ENV_NONE)
            continue;
        add("%5u %-15s %5u %-7s %7u %8llu %8u %8llu %12llu", (unsigned)i, env_name(i),
            (unsigned)env.owner, env.state <= AEGIS_ENV_ENDED ? env_states[env.state] : "?",
            (unsigned)env.pages, (unsigned long long)env.slices, (unsigned)env.overruns,
            (unsigned long long)env.debt, (unsigned long long)env.charged);
        if (env.state == AEGIS_ENV_ENDED)
            add("  reason %u, value 0x%llx", env.exit_reason, (unsigned long long)env.exit_value);
        add("\n");
    }
}

static void accounts(void)
{
    static const char *const kinds[] = {"pages",    "slots",  "environments", "bindings",
                                        "handlers", "blocks", "arena bytes",  "code bytes"};
    _Static_assert(sizeof kinds / sizeof *kinds == AEGIS_QUOTAS, "a name a kind");
    add("accounts, used and limit:\n owner name           ");
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++)
        add(" %15s", kinds[kind]);
    add("\n");
    for (uint32_t i = 1; i < aegis_info()->env_count; i++) {
        struct aegis_env_info env = env_at(i);
        const volatile struct aegis_account *account = aegis_account(i);
        if (env.state == AEGIS_ENV_NONE || env.account != i)
            continue;
        add("%6u %-15s", (unsigned)i, env_name(i));
        for (int kind = 0; kind < AEGIS_QUOTAS; kind++)
            add(" %7llu %7llu", (unsigned long long)account->used[kind],
                (unsigned long long)account->limit[kind]);
        add("\n");
    }
}

static void bindings(void)
{
    add("bindings:\nbinding owner name            binder parent netif slots flags\n");
    for (uint32_t i = 0; i < aegis_info()->binding_count; i++) {
        const volatile struct aegis_binding_info *b = aegis_binding(i);
        uint32_t owner = b->owner;
        if (owner)
            add("%7u %5u %-15s %6u %6u %5u %5u %s\n", (unsigned)i, (unsigned)owner, env_name(owner),
                (unsigned)b->binder, (unsigned)b->parent, b->netif, b->slots,
                b->flags & AEGIS_BIND_TAP     ? "tap"
                : b->flags & AEGIS_BIND_SHARE ? "share"
                                              : "-");
    }
}

static void totals(void)
{
    const volatile struct aegis_info *info = aegis_info();
    const volatile struct aegis_slot *slots = (const volatile struct aegis_slot *)info->slots;
    unsigned envs = 0, bound = 0, taken = 0;
    for (uint32_t i = 1; i < info->env_count; i++)
        envs += aegis_env(i)->state != AEGIS_ENV_NONE;
    for (uint32_t i = 0; i < info->binding_count; i++)
        bound += aegis_binding(i)->owner != 0;
    for (unsigned i = 0; i < AEGIS_SLOTS; i++)
        taken += slots[i].env != 0;
    add("totals: %llu of %llu pages free, %u of %u environments, %u of %u slices, %u of %u "
        "bindings\n",
        (unsigned long long)info->free_pages, (unsigned long long)info->page_count, envs,
        (unsigned)info->env_count - 1, taken, AEGIS_SLOTS, bound, (unsigned)info->binding_count);
    for (uint32_t i = 0; i < info->netif_count; i++)
        add("net%u: %llu frames received, %llu unclaimed, %llu sent\n", (unsigned)i,
            (unsigned long long)info->netifs[i].received,
            (unsigned long long)info->netifs[i].unclaimed,
            (unsigned long long)info->netifs[i].sent);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*gather)(void);
    } parts[] = {{"pages", pages},       {"slices", slices},     {"environments", environments},
                 {"accounts", accounts}, {"bindings", bindings}, {"totals", totals}};
    bool known = argc < 2;

    take_help(argc, argv);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (argc < 2 || !strcmp(argv[1], parts[i].name)) {
            parts[i].gather();
            known = true;
        }
    if (!known || argc > 2)
        return usage();
    fwrite(text, 1, used, stdout);
    return finish(0);
}
