#include "libos/proc/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "libos/proc/image.h"
#include "libos/proc/internal.h"
#include "libos/proc/signals.h"
#include "libos/proc/table.h"
#include "libos/start/error.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

static EXOS_HOT pid_t self;

pid_t proc_self(void)
{
    return self;
}

const volatile uint64_t *proc_doorbell(void)
{
    return table_self ? &table_self->doorbell : NULL;
}

/* This process is `pid` from now on. */
static void become(pid_t pid)
{
    self = pid;
    table_self = table_entry((uint32_t)pid % TABLE_SLOTS);
    table_collected = aegis_env(exos.env)->ended;
    exos_wait_hooks.doorbell = &table_self->doorbell;
    signal_listen();
}

/* Pages for a table, mapped at its address in place of what is there. */
static int64_t map_pages(void)
{
    uint64_t first = 0;

    if (table_self)
        aegis_unmap(0, EXOS_SESSION_ADDRESS, EXOS_SESSION_PAGES);
    table_self = NULL;
    for (uint64_t i = 0; i < EXOS_SESSION_PAGES; i++) {
        uint64_t va = EXOS_SESSION_ADDRESS + i * AEGIS_PAGE_SIZE;
        int64_t ppn = aegis_page_alloc(AEGIS_ANY), error = ppn;
        if (ppn >= 0)
            error = vm_map(0, va, (uint64_t)ppn, VM_READ_WRITE, NULL);
        if (error < 0) {
            if (ppn >= 0)
                aegis_page_free((uint64_t)ppn);
            if (i) {
                aegis_unmap(0, EXOS_SESSION_ADDRESS, i);
                aegis_page_free(first);
            }
            return error;
        }
        memset((void *)va, 0, AEGIS_PAGE_SIZE);
        first = (uint64_t)ppn;
    }
    return 0;
}
_Static_assert(EXOS_SESSION_ADDRESS + EXOS_SESSION_SIZE <= AEGIS_PROGRAM_BASE, "below programs");
_Static_assert(EXOS_SESSION_PAGES == 2, "one page to give back when the other is missing");

static uint64_t own_carrier(void)
{
    return carrier_of(exos.env, aegis_env(exos.env)->serial);
}

void proc_name(struct table_entry *entry, uint32_t env)
{
    for (size_t i = 0; i < sizeof entry->name; i++)
        entry->name[i] = aegis_env(env)->name[i];
}

/* Who claims it alone can, for nobody else knows the entry yet. */
static void fill(struct table_entry *entry, uint64_t incarnation, uint64_t kin)
{
    __atomic_store_n(&entry->kin, kin, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->pending, incarnation << 40, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->said, incarnation << 40, __ATOMIC_RELEASE);
}

int proc_session_make(void)
{
    if (self == 1)
        return 0;
    int64_t error = map_pages();
    if (error < 0) {
        self = 0;
        exos_wait_hooks.doorbell = NULL;
        return aegis_errno(error);
    }
    struct table_entry *first = table_entry(1);
    fill(first, 0, 1UL << 32 | 1);
    proc_name(first, exos.env);
    table_move(first, 0, life_make(0, LIFE_LIVE, own_carrier()));
    become(1);
    return 0;
}

int proc_session_need(void)
{
    return self ? 0 : proc_session_make();
}

/* Make `pid` a process of this environment, if it is still what its maker has left. */
static bool take(pid_t pid, enum life_state state, uint32_t from)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    if (!entry || (life_state(life) == LIFE_LIVE && life_rest(life) == own_carrier()))
        return entry; /* its maker was quicker, or ended so early that the entry is gone */
    if (life_state(life) != state || carrier_env(life) != from)
        return false;
    table_move(entry, life, life_make(life_incarnation(life), LIFE_LIVE, own_carrier()));
    life = table_life(entry);
    return life_state(life) == LIFE_LIVE && life_rest(life) == own_carrier();
}

void proc_enter(const struct exos_start *start)
{
    if (start->pid > INT32_MAX || start->pid % TABLE_SLOTS == 0)
        return;
    proc_begin_signals(start);
    become((pid_t)start->pid);
    if (!take(self, start->replaces ? LIFE_LIVE : LIFE_MAKING, (uint32_t)start->parent))
        aegis_env_end(0, SIGKILL << 8); /* the process has been ended meanwhile */
    proc_name(table_self, exos.env);
}

void table_replace(uint32_t from, uint32_t to)
{
    uint64_t life;
    struct table_entry *entry = table_find(self, &life);

    if (entry && life_state(life) == LIFE_LIVE && carrier_env(life) == from)
        table_move(
            entry, life,
            life_make(life_incarnation(life), LIFE_LIVE, carrier_of(to, aegis_env(to)->serial)));
}

void proc_adopt(pid_t pid, uint32_t env)
{
    exos.env = env;
    exos.parent = aegis_env(env)->owner;
    table_making = 0;
    table_self = NULL;
    table_forget_held();
    proc_forget_images();
    proc_forget_signals();
    if (pid <= 0)
        return;
    become(pid);
    if (!take(pid, LIFE_MAKING, exos.parent))
        aegis_env_end(0, SIGKILL << 8);
}

static size_t count_children(void)
{
    size_t count = 0;

    for (uint32_t slot = 1; slot < TABLE_SLOTS; slot++)
        count += life_state(table_life(table_entry(slot))) != LIFE_FREE &&
                 (pid_t)table_entry(slot)->kin == self;
    return count;
}

static pid_t try_claim(void)
{
    uint64_t hint = __atomic_fetch_add(&table_head()->hint, 1, __ATOMIC_RELAXED);
    uint64_t kin = (table_self->kin >> 32 << 32) | (uint32_t)self;

    for (uint32_t i = 0; i < TABLE_SLOTS - 1; i++) {
        uint32_t slot = 1 + (uint32_t)((hint + i) % (TABLE_SLOTS - 1));
        struct table_entry *entry = table_entry(slot);
        uint64_t life = table_life(entry), incarnation = life_incarnation(life);
        if (i == TABLE_SLOTS / 2 && count_children() >= PROC_CHILDREN_MAX)
            return -EAGAIN;
        if (life_state(life) != LIFE_FREE ||
            !table_move(entry, life, life_make(incarnation, LIFE_MAKING, own_carrier())))
            continue;
        fill(entry, incarnation, kin);
        return table_pid(slot, life);
    }
    return 0;
}

pid_t proc_claim(void)
{
    if (proc_session_need())
        return -ENOMEM;
    pid_t pid = try_claim();
    if (pid == 0) { /* the dead may still have theirs */
        table_tidy();
        pid = try_claim();
    }
    if (pid > 0)
        table_making++;
    return pid ? pid : -EAGAIN;
}

void proc_carry(pid_t pid, uint32_t env)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    table_making--;
    table_note_carrier(env);
    if (!entry)
        return;
    proc_name(entry, env);
    uint64_t carrier = carrier_of(env, aegis_env(env)->serial);
    if (life_state(life) == LIFE_MAKING)
        table_move(entry, life, life_make(life_incarnation(life), LIFE_LIVE, carrier));
}

void proc_join(pid_t pid, pid_t group, bool leads)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    if (!entry)
        return;
    entry->kin = (uint64_t)(uint32_t)group << 32 | (uint32_t)entry->kin;
    if (leads)
        entry->said |= TABLE_LEADER;
}

void proc_release(pid_t pid)
{
    uint64_t life = table_settle((uint32_t)pid % TABLE_SLOTS);
    struct table_entry *entry = table_find(pid, &life);

    if (entry && life_state(life) == LIFE_ZOMBIE)
        table_move(entry, life, life_make(life_incarnation(life) + 1, LIFE_FREE, 0));
}

void proc_drop(pid_t pid)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    table_making--;
    if (entry)
        table_move(entry, life, life_make(life_incarnation(life) + 1, LIFE_FREE, 0));
}

int64_t proc_session_share(uint32_t env)
{
    int64_t shared = aegis_map_share(env, EXOS_SESSION_ADDRESS, EXOS_SESSION_PAGES,
                                     AEGIS_SHARE_SHARED, EXOS_SESSION_ADDRESS);

    if (shared < 0)
        return shared;
    return shared == EXOS_SESSION_PAGES ? 0 : -AEGIS_E_ADDRESS;
}

void proc_ring(pid_t pid)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    if (entry)
        __atomic_fetch_add(&entry->doorbell, 1, __ATOMIC_RELEASE);
}

size_t proc_list(struct proc_view *views, size_t most)
{
    size_t count = 0;

    for (uint32_t slot = 1; table_self && slot < TABLE_SLOTS; slot++) {
        const struct table_entry *entry = table_entry(slot);
        uint64_t life = table_settle(slot), kin = entry->kin; /* some may have ended unseen */
        if (life_state(life) != LIFE_LIVE && life_state(life) != LIFE_ZOMBIE)
            continue;
        if (count++ >= most)
            continue;
        bool lives = life_state(life) == LIFE_LIVE;
        bool stopped = entry->said >> 40 == life_incarnation(life) && entry->said & TABLE_STOPPED;
        struct proc_view *view = &views[count - 1];
        *view = (struct proc_view){.pid = table_pid(slot, life),
                                   .parent = table_parent(entry),
                                   .group = (pid_t)(kin >> 32),
                                   .state = !lives    ? PROC_ZOMBIE
                                            : stopped ? PROC_STOPPED
                                                      : PROC_RUNNING,
                                   .env = lives ? carrier_env(life) : 0,
                                   .status = lives ? 0 : (int)(life_rest(life) & 0xffff)};
        memcpy(view->name, entry->name, sizeof view->name - 1);
    }
    return count;
}

uint32_t proc_env(pid_t pid, uint32_t *serial)
{
    uint64_t life;
    const struct table_entry *entry = table_find(pid, &life);

    if (!entry || life_state(life) != LIFE_LIVE || !table_carried(life))
        return 0;
    if (serial)
        *serial = aegis_env(carrier_env(life))->serial;
    return carrier_env(life);
}
