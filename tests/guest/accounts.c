/*
 * Accounts: what an environment may have is carved out of its owner's share; beyond it nothing is
 * given, and at its end all of it comes back.
 */
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

enum { STAGE, CONTROL, ROOT };

static struct aegis_limits limits_of(uint32_t env)
{
    struct aegis_limits limits;
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++)
        limits.limit[kind] = aegis_account(env)->limit[kind];
    return limits;
}

static bool same(const volatile struct aegis_account *a, const struct aegis_account *b)
{
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++)
        if (a->limit[kind] != b->limit[kind] || a->used[kind] != b->used[kind])
            return false;
    return true;
}

static struct aegis_account copy_of(const volatile struct aegis_account *account)
{
    return *(const struct aegis_account *)(uintptr_t)account;
}

static void named_errors(void)
{
    struct raw raw, other;
    raw_create(&raw, "end", blob_end, blob_end_end);
    struct aegis_account before = copy_of(aegis_account(exos.env));
    uint64_t pages = aegis_env(raw.env)->pages;
    struct aegis_limits limits = {{pages + 10, 1, 1, 0, 0}}, bad;
    CHECK_EQ(aegis_env(raw.env)->account, aegis_env(exos.env)->account);
    CHECK_ERROR(aegis_quota_set(0, &limits), INVALID);
    CHECK_ERROR(aegis_quota_set(exos.parent, &limits), OWNER);
    CHECK_ERROR(aegis_quota_set(aegis_info()->env_count, &limits), RANGE);
    CHECK_ERROR(aegis_quota_set(raw.env, (const struct aegis_limits *)8), ADDRESS);
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++) {
        bad = limits;
        bad.limit[kind] = UINT64_MAX;
        CHECK_ERROR(aegis_quota_set(raw.env, &bad), QUOTA);
        bad.limit[kind] = before.limit[kind] - before.used[kind] + limits.limit[kind] + 1;
        CHECK_ERROR(aegis_quota_set(raw.env, &bad), QUOTA);
        if (kind < AEGIS_QUOTA_BINDINGS) {
            bad.limit[kind] = 0;
            CHECK_ERROR(aegis_quota_set(raw.env, &bad), RANGE); /* it has more than that */
        }
    }
    CHECK(same(aegis_account(exos.env), &before));
    CHECK_OK(aegis_quota_set(raw.env, &limits));
    CHECK_EQ(aegis_env(raw.env)->account, raw.env);
    CHECK_EQ(aegis_account(raw.env)->used[AEGIS_QUOTA_PAGES], pages);
    CHECK_EQ(aegis_account(raw.env)->limit[AEGIS_QUOTA_PAGES], pages + 10);
    CHECK_EQ(aegis_account(exos.env)->limit[AEGIS_QUOTA_PAGES],
             before.limit[AEGIS_QUOTA_PAGES] - pages - 10);
    /* A donated page brings its share along. */
    CHECK_OK(aegis_page_give(test_page(), raw.env));
    CHECK_EQ(aegis_account(raw.env)->limit[AEGIS_QUOTA_PAGES], pages + 11);
    /* More and less of it, later. */
    limits = limits_of(raw.env);
    limits.limit[AEGIS_QUOTA_PAGES] += 5;
    limits.limit[AEGIS_QUOTA_BINDINGS] = 3;
    CHECK_OK(aegis_quota_set(raw.env, &limits));
    limits.limit[AEGIS_QUOTA_BINDINGS] = 0;
    limits.limit[AEGIS_QUOTA_PAGES] = pages;
    CHECK_ERROR(aegis_quota_set(raw.env, &limits), RANGE);
    limits.limit[AEGIS_QUOTA_PAGES] = pages + 1;
    CHECK_OK(aegis_quota_set(raw.env, &limits));
    raw_create(&other, "end", blob_end, blob_end_end);
    raw_start(&raw, 0);
    raw_start(&other, 0);
    raw_finish(&raw);
    raw_finish(&other);
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++) /* all limits are back */
        CHECK_EQ(aegis_account(exos.env)->limit[kind], before.limit[kind]);
}

/* Takes what it can get of everything, and says how much that was, in its start block. */
static int greedy_child(void)
{
    struct aegis_cap *caps = exos.start->caps;
    int64_t status;
    uint64_t count = 0;
    caps[STAGE].name = 1;
    while (caps[STAGE].name == 1)
        aegis_yield(0);
    const volatile struct aegis_account *account = aegis_account(exos.env);
    /* Environments first: they need pages. */
    for (;;) {
        uint64_t page = test_page(), root = test_page();
        status = aegis_env_create(page, root, "bomb\0\0\0\0\0\0\0\0\0\0\0");
        if (status < 0)
            break;
        count++;
    }
    CHECK_EQ(status, -AEGIS_E_QUOTA);
    CHECK_EQ(count, 3);
    /* Bindings inside the root: the third is refused. */
    struct filter_image in, out;
    struct aegis_net_binding request = {
        .parent = caps[ROOT], .ingress = in.words, .egress = out.words};
    for (count = 0;; count++) {
        filter_udp_to(&in, (uint16_t)(7000 + count));
        filter_sent_type(&out, 0, (uint16_t)(0x9000 + count));
        request.ingress_size = in.size;
        request.egress_size = out.size;
        if ((status = aegis_net_bind(&request)) < 0)
            break;
    }
    CHECK_EQ(status, -AEGIS_E_QUOTA);
    CHECK_EQ(count, 2);
    while ((status = aegis_page_alloc(AEGIS_ANY)) > 0)
        continue;
    CHECK_EQ(status, -AEGIS_E_QUOTA);
    CHECK_EQ(account->used[AEGIS_QUOTA_PAGES], account->limit[AEGIS_QUOTA_PAGES]);
    uint64_t free = aegis_info()->first_ppn;
    while (aegis_page(free)->state != AEGIS_PAGE_FREE ||
           aegis_page(free + 1)->state != AEGIS_PAGE_FREE)
        free++;
    CHECK_ERROR(aegis_page_alloc(free), QUOTA);
    CHECK_ERROR(aegis_page_alloc_run(free, 2), QUOTA);
    __atomic_store_n(&caps[STAGE].name, 3, __ATOMIC_RELEASE);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 0;
}

/* A program that returns 2, as a handler. */
static int64_t load_handler(void)
{
    static const struct {
        struct ash_header header;
        struct ash_insn insns[2];
    } image = {.header = {.magic = ASH_MAGIC,
                          .version = ASH_VERSION,
                          .event = ASH_EVENT_FRAME,
                          .insns = 2,
                          .name = "two"},
               .insns = {{0xb7, 0, 0, 2}, {0x95, 0, 0, 0}}};
    const struct aegis_handler_request request = {.image = &image, .image_size = sizeof image};
    return aegis_handler_load(&request);
}

/* Filters and handlers count with the bytes that they take, while they are there; what a binding of
 * the greedy one's takes of the arena. */
static uint64_t bytes_are_counted(void)
{
    const volatile struct aegis_account *account = aegis_account(exos.env);
    struct aegis_account before = copy_of(account);
    struct filter_image in, out;
    filter_udp_to(&in, 7000);
    filter_sent_type(&out, 0, 0x9000);
    const struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                              .ingress = in.words,
                                              .ingress_size = in.size,
                                              .egress = out.words,
                                              .egress_size = out.size};
    int64_t binding = aegis_net_bind(&request);
    CHECK(binding > 0);
    uint64_t arena = account->used[AEGIS_QUOTA_ARENA] - before.used[AEGIS_QUOTA_ARENA];
    uint64_t code = account->used[AEGIS_QUOTA_CODE] - before.used[AEGIS_QUOTA_CODE];
    CHECK(arena >= in.size + out.size && arena < in.size + out.size + 128);
    CHECK(code > 0 && code < 4096);
    int64_t handler = load_handler();
    CHECK(handler >= 0);
    CHECK(account->used[AEGIS_QUOTA_ARENA] >
          before.used[AEGIS_QUOTA_ARENA] + arena + sizeof(struct ash_header));
    CHECK(account->used[AEGIS_QUOTA_CODE] > before.used[AEGIS_QUOTA_CODE] + code);
    CHECK_OK(aegis_handler_unload((uint32_t)handler));
    CHECK_EQ(account->used[AEGIS_QUOTA_ARENA], before.used[AEGIS_QUOTA_ARENA] + arena);
    CHECK_EQ(account->used[AEGIS_QUOTA_CODE], before.used[AEGIS_QUOTA_CODE] + code);
    CHECK_OK(aegis_net_unbind((uint32_t)binding));
    CHECK(same(account, &before));
    return arena;
}

/* The greedy one takes its share, and others still get what they want. It may have so many
 * bindings, and bytes of the arena: each allows two. */
static void a_bomb_stays_in_its_account(uint64_t most_bindings, uint64_t arena)
{
    char *const arguments[] = {"accounts", "greedy"};
    struct aegis_cap caps[3];
    struct proc proc;
    struct proc_status status;
    memset(caps, 0, sizeof caps);
    caps[ROOT] = exos.start->caps[TEST_CAP_ROOT];
    struct proc_options options = {
        .name = "accounts", .argc = 2, .argv = arguments, .caps = caps, .cap_count = 3};
    struct aegis_account before = copy_of(aegis_account(exos.env));
    CHECK_OK(proc_spawn(&proc, &options));
    while (proc.start->caps[STAGE].name != 1)
        aegis_yield(0);
    struct aegis_limits limits = {.limit = {[AEGIS_QUOTA_PAGES] = aegis_env(proc.env)->pages + 100,
                                            [AEGIS_QUOTA_SLOTS] = 4,
                                            [AEGIS_QUOTA_ENVS] = 4,
                                            [AEGIS_QUOTA_BINDINGS] = most_bindings,
                                            [AEGIS_QUOTA_ARENA] = arena}};
    CHECK_OK(aegis_quota_set(proc.env, &limits));
    proc.start->caps[STAGE].name = 2;
    struct aegis_predicate done[] = {AEGIS_WHEN(proc.start->caps[STAGE].name, EQ, 3),
                                     aegis_when_ended(proc.env)};
    if (aegis_wait(done, 2, test_deadline()) != 0)
        FAIL("the child: %s", test_why(proc.start));
    CHECK_OK(aegis_page_free(test_page()));
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end); /* a victim gets an environment still */
    raw_start(&raw, 0);
    raw_finish(&raw);
    CHECK_OK(proc_kill(&proc, 0));
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    /* Its children are this program's now, with what they have. */
    for (uint32_t n = 1; n < aegis_info()->env_count; n++)
        if (aegis_env(n)->owner == exos.env && aegis_env(n)->state != AEGIS_ENV_NONE) {
            CHECK_EQ(aegis_env(n)->account, aegis_env(exos.env)->account);
            struct aegis_predicate ended = aegis_when_ended(n);
            CHECK_OK(aegis_env_end(n, 0));
            aegis_wait(&ended, 1, AEGIS_FOREVER);
            CHECK_OK(aegis_env_free(n));
        }
    for (int kind = 0; kind < AEGIS_QUOTAS; kind++) {
        CHECK_EQ(aegis_account(exos.env)->limit[kind], before.limit[kind]);
        if (kind != AEGIS_QUOTA_PAGES)
            CHECK_EQ(aegis_account(exos.env)->used[kind], before.used[kind]);
    }
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "greedy"))
        return greedy_child();
    named_errors();
    uint64_t arena = bytes_are_counted();
    a_bomb_stays_in_its_account(2, 3 * arena);
    a_bomb_stays_in_its_account(3, 2 * arena + arena / 2);
    return 0;
}
