/*
 * Revocation against two that work together: one is asked for a page, and a friend of its maps that
 * page faster than the kernel unmaps it, and lends it time to seal new capabilities.
 */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA       0x2000000000UL
#define MAPPINGS 1024 /* more than a step of the abort protocol takes */

/* What the start blocks' capabilities are used for: parent and hoarder, hoarder and friend. */
enum { PAGE, FRIEND, PLACES };

static _Noreturn void friend_of_a_hoarder(void)
{
    struct aegis_cap *shown = &exos.start->caps[PAGE];

    for (;;)
        for (uint64_t i = 0; i < MAPPINGS; i++) {
            struct aegis_cap cap = *shown;
            if (vm_map(0, VA + i * AEGIS_PAGE_SIZE, AEGIS_CAP_INDEX(cap.name), VM_READ_WRITE,
                       &cap) == -AEGIS_E_CAPABILITY)
                aegis_yield(exos.parent);
        }
}

static void spawn(struct proc *proc, const char *part)
{
    char *const arguments[] = {"hoarding", (char *)(uintptr_t)part};
    struct aegis_cap caps[PLACES];
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "hoarding", .argc = 2, .argv = arguments, .caps = caps, .cap_count = PLACES};
    CHECK_OK(proc_spawn(proc, &options));
}

static _Noreturn void hoarder(void)
{
    struct proc proc;

    spawn(&proc, "friend");
    uint64_t page = test_page(); /* the newest is taken first */
    exos.start->caps[PAGE].name = page;
    __atomic_store_n(&exos.start->caps[FRIEND].name, proc.env, __ATOMIC_RELEASE);
    for (;;) {
        struct aegis_cap cap;
        if (aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &cap) == 0)
            proc.start->caps[PAGE] = cap;
        aegis_yield(proc.env);
    }
}

/* Waits until a word of the exposed pages, or of one's own, is at least a value. */
static void until(const volatile uint64_t *word, uint64_t value)
{
    struct aegis_predicate reached = {.word = (const uint64_t *)(uintptr_t)word,
                                      .mask = UINT64_MAX,
                                      .value = value,
                                      .op = AEGIS_WAKE_GE};
    CHECK_EQ(aegis_wait(&reached, 1, test_deadline()), 0);
}

int main(int argc, char **argv)
{
    const char *part = test_argument(argc, argv, 1);
    if (!strcmp(part, "hoarder"))
        hoarder();
    if (!strcmp(part, "friend"))
        friend_of_a_hoarder();

    struct proc proc;
    struct proc_status status;
    spawn(&proc, "hoarder");
    until(&proc.start->caps[FRIEND].name, 1);
    uint64_t page = proc.start->caps[PAGE].name;
    for (uint64_t end = test_deadline(); aegis_page(page)->refs < MAPPINGS && time_now() < end;)
        aegis_yield(0);
    CHECK_EQ(aegis_page(page)->refs, MAPPINGS);

    uint64_t before = aegis_env(proc.env)->pages;
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 1));
    struct aegis_predicate done = AEGIS_WHEN(aegis_env(proc.env)->revoking, EQ, 0);
    CHECK_EQ(aegis_wait(&done, 1, test_deadline()), 0);
    CHECK_EQ(aegis_env(proc.env)->pages, before - 1);
    CHECK_EQ(aegis_page(page)->refs, 0);

    CHECK_OK(proc_kill(&proc, 0));
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    /* The friend loses its start block, the hoarder's, and so ends, too. */
    return 0;
}
