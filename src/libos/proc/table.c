#include "libos/proc/table.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "libos/proc/internal.h"
#include "libos/proc/signals.h"
#include "libos/start/start.h"
#include "libos/upcall/upcall.h"

_Static_assert(sizeof(struct table_entry) == 64, "entries fill the session's pages");
_Static_assert(sizeof(struct table_head) <= sizeof(struct table_entry), "the head is entry 0");
_Static_assert(TABLE_SLOTS * sizeof(struct table_entry) == EXOS_SESSION_SIZE, "likewise");

EXOS_HOT struct table_entry *table_self;
EXOS_HOT uint64_t table_collected;
EXOS_HOT uint32_t table_making;

/* Of 64 environments: bit env % 64 of word env / 64. */
struct marks {
    uint64_t held;
    uint64_t carriers; /* made here for processes of the session */
};
#define MARKS (1024 / 64)
static EXOS_HOT struct marks marks[MARKS];
static EXOS_HOT uint32_t marks_used; /* the words behind are 0 */

/* Serials of environments that came here when their maker ended, which carried no process of the
 * session. Few programs have any. */
static uint32_t strangers[AEGIS_SLOTS];
static uint32_t strangers_used;

static void mark(uint32_t env, size_t which, bool set)
{
    uint64_t bit = 1UL << env % 64;
    uint64_t *word = (uint64_t *)((char *)&marks[env / 64 % MARKS] + which);

    if (env / 64 >= MARKS)
        return;
    *word = set ? *word | bit : *word & ~bit;
    if (env / 64 >= marks_used)
        marks_used = env / 64 + 1;
}

static bool is_marked(uint32_t env, size_t which)
{
    const uint64_t *word = (const uint64_t *)((const char *)&marks[env / 64 % MARKS] + which);

    return env / 64 < MARKS && *word >> env % 64 & 1;
}

#define MARK(env, which, set) mark(env, offsetof(struct marks, which), set)
#define IS(env, which)        is_marked(env, offsetof(struct marks, which))

void table_hold(uint32_t env, bool hold)
{
    MARK(env, held, hold);
}

void table_note_carrier(uint32_t env)
{
    MARK(env, carriers, true);
}

bool table_move(struct table_entry *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&entry->life, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

struct table_entry *table_find(pid_t pid, uint64_t *life)
{
    uint32_t slot = (uint32_t)pid % TABLE_SLOTS;

    if (!table_self || pid <= 0 || slot == 0)
        return NULL;
    struct table_entry *entry = table_entry(slot);
    *life = table_life(entry);
    return life_state(*life) != LIFE_FREE && table_pid(slot, *life) == pid ? entry : NULL;
}

static const volatile struct aegis_env_info *carrier(uint64_t life)
{
    uint32_t env = carrier_env(life);
    const volatile struct aegis_env_info *info = aegis_env(env);

    if (env == 0 || env >= aegis_info()->env_count)
        return NULL;
    return info->state != AEGIS_ENV_NONE && carrier_of(env, info->serial) == life_rest(life) ? info
                                                                                             : NULL;
}

bool table_carried(uint64_t life)
{
    const volatile struct aegis_env_info *info = carrier(life);

    return info && info->state != AEGIS_ENV_ENDED;
}

/* The signal that POSIX knows an exception by. */
static int signal_of(uint64_t cause)
{
    static const uint8_t signals[UPCALL_CAUSES] = {
        [UPCALL_ILLEGAL] = SIGILL,          [UPCALL_BREAKPOINT] = SIGTRAP,
        [UPCALL_LOAD_FAULT] = SIGBUS,       [UPCALL_STORE_FAULT] = SIGBUS,
        [UPCALL_FETCH_FAULT] = SIGBUS,      [UPCALL_MISALIGNED_LOAD] = SIGBUS,
        [UPCALL_MISALIGNED_STORE] = SIGBUS, [UPCALL_MISALIGNED_FETCH] = SIGBUS,
        [UPCALL_FOREIGN] = SIGSYS,
    };
    return cause < UPCALL_CAUSES && signals[cause] ? signals[cause] : SIGSEGV;
}

int table_status(const volatile struct aegis_env_info *info)
{
    int signal = (int)(info->exit_value >> 8 & 0x7f);

    switch ((enum aegis_exit_reason)info->exit_reason) {
    case AEGIS_EXIT_STATUS:
        return signal ? signal : (int)(info->exit_value & 0xff) << 8;
    case AEGIS_EXIT_EXCEPTION:
        return signal_of(info->exit_value);
    case AEGIS_EXIT_DEPTH:
        return SIGSEGV;
    case AEGIS_EXIT_OVERRUN:
        return SIGXCPU;
    default: /* by its owner, who may have said why */
        return signal ? signal : SIGKILL;
    }
}

/* The environment with this serial, if this process owns its record; else 0. */
static uint32_t find_serial(uint32_t serial)
{
    uint32_t count = aegis_info()->env_count;

    for (uint32_t env = 1; env < count; env++)
        if (aegis_env(env)->owner == exos.env && aegis_env(env)->serial == serial)
            return env;
    return 0;
}

static bool is_stranger(uint32_t serial)
{
    for (uint32_t i = 0; i < strangers_used; i++)
        if (strangers[i] == serial)
            return true;
    return false;
}

/* In place of one whose record is gone, if there is one. */
static void note_stranger(uint32_t serial)
{
    uint32_t place = 0;

    while (place < strangers_used && find_serial(strangers[place]))
        place++;
    if (place == strangers_used && place < AEGIS_SLOTS)
        strangers_used++;
    strangers[place % AEGIS_SLOTS] = serial;
}

bool table_is_process(uint32_t env)
{
    const volatile struct aegis_env_info *info = aegis_env(env);
    uint32_t self = aegis_env(exos.env)->serial;

    if (env == 0 || env >= aegis_info()->env_count || info->owner != exos.env || env == exos.env)
        return false;
    /* It came here when its maker ended, whose record may still be there: makers are older, so that
     * this comes to an end. */
    while (info->maker != self) {
        uint32_t maker = find_serial(info->maker);
        if (is_stranger(info->serial))
            return false;
        if (maker == 0 || maker == exos.env || aegis_env(maker)->serial >= info->serial)
            return true;
        env = maker;
        info = aegis_env(env);
    }
    return IS(env, carriers);
}

/* The children of a stranger whose record goes are strangers. */
static void disown_children(uint32_t stranger)
{
    uint32_t count = aegis_info()->env_count, serial = aegis_env(stranger)->serial;

    for (uint32_t env = 1; env < count; env++)
        if (aegis_env(env)->owner == exos.env && aegis_env(env)->maker == serial)
            note_stranger(aegis_env(env)->serial);
}

void table_free_env(uint32_t env)
{
    if (aegis_env(env)->owner != exos.env || aegis_env(env)->state != AEGIS_ENV_ENDED ||
        IS(env, held))
        return;
    /* One that was ended may have left something half made: it isn't seen to until a sweep. */
    bool whole = WIFEXITED(table_status(aegis_env(env)));
    if (!table_is_process(env))
        disown_children(env);
    MARK(env, carriers, false);
    if (aegis_env_free(env) == 0)
        table_collected += whole;
}

pid_t table_parent(const struct table_entry *entry)
{
    pid_t parent = (pid_t)__atomic_load_n(&entry->kin, __ATOMIC_RELAXED);
    uint64_t life;

    if (parent == 1 || !table_find(parent, &life))
        return 1;
    return life_state(life) == LIFE_LIVE && table_carried(life) ? parent : 1;
}

/*
 * What is known of a LIVE entry's end, as a status; -1 if it hasn't ended. Its record is the truth;
 * when the record is gone, since the owner ended or freed it, what the process said of itself.
 */
static int end_of(const struct table_entry *entry, uint64_t life)
{
    const volatile struct aegis_env_info *info = carrier(life);

    if (info && info->state != AEGIS_ENV_ENDED)
        return -1;
    int status = info ? table_status(info) : 0;
    if (info && carrier(life) == info)
        return status;
    uint64_t said = __atomic_load_n(&entry->said, __ATOMIC_ACQUIRE);
    bool its = said >> 40 == life_incarnation(life) && said & TABLE_SAID;
    return its ? (int)(said & 0xffff) : SIGKILL;
}

/* A zombie that nobody will wait for: its parent was another than process 1, and has ended. */
static bool is_orphan(const struct table_entry *entry)
{
    pid_t parent = (pid_t)__atomic_load_n(&entry->kin, __ATOMIC_RELAXED);
    uint64_t life;

    if (parent == 1 && table_find(1, &life))
        return !table_carried(life);
    return table_parent(entry) != parent;
}

/* The step that life asks for; returns what it is to become, life itself if it stays. */
static uint64_t next_life(const struct table_entry *entry, uint64_t life)
{
    uint64_t incarnation = life_incarnation(life);
    uint64_t free = life_make(incarnation + 1, LIFE_FREE, 0);

    if (life_state(life) == LIFE_MAKING)
        return table_carried(life) ? life : free;
    if (life_state(life) == LIFE_ZOMBIE)
        return is_orphan(entry) ? free : life;
    if (life_state(life) != LIFE_LIVE)
        return life;
    int status = end_of(entry, life);
    return status < 0 ? life : life_make(incarnation, LIFE_ZOMBIE, (uint64_t)status);
}

uint64_t table_settle(uint32_t slot)
{
    struct table_entry *entry = table_entry(slot);
    uint64_t life = table_life(entry);

    /* LIVE, ZOMBIE, FREE are two steps; somebody may scribble meanwhile, but not make this loop. */
    for (int step = 0; step < 3; step++) {
        uint64_t next = next_life(entry, life);
        if (next == life)
            break;
        bool moved = table_move(entry, life, next);
        if (life_state(life) == LIFE_LIVE) {
            if (carrier(life) && table_is_process(carrier_env(life)))
                table_free_env(carrier_env(life));
            if (moved && !is_orphan(entry))
                table_signal(table_parent(entry), SIGCHLD);
        }
        life = table_life(entry);
    }
    return life;
}

void table_tidy(void)
{
    for (uint32_t slot = 1; slot < TABLE_SLOTS; slot++)
        table_settle(slot);
}

bool table_signal(pid_t pid, int signal)
{
    uint64_t life;
    struct table_entry *entry = table_find(pid, &life);

    if (!entry || life_state(life) != LIFE_LIVE || !table_carried(life))
        return false;
    /* The incarnation in the word keeps the signal from who comes after. */
    uint64_t pending = __atomic_load_n(&entry->pending, __ATOMIC_ACQUIRE), bit = SIGNAL_BIT(signal);
    uint64_t undone = bit & SIGNAL_STOPS  ? SIGNAL_BIT(SIGCONT)
                      : signal == SIGCONT ? SIGNAL_STOPS
                                          : 0;
    __atomic_store_n(&entry->sender, (uint64_t)proc_self(), __ATOMIC_RELAXED);
    for (int i = 0; i < TABLE_TRIES && pending >> 40 == life_incarnation(life); i++)
        if (__atomic_compare_exchange_n(&entry->pending, &pending, (pending & ~undone) | bit, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            __atomic_fetch_add(&entry->doorbell, 1, __ATOMIC_RELEASE);
            return true;
        }
    return false;
}

void table_forget_held(void)
{
    EXOS_SET(strangers_used, 0);
    while (marks_used)
        marks[--marks_used] = (struct marks){0};
}

/* A process that is made, and not started yet. */
static bool is_made(uint32_t env)
{
    uint64_t carrier = carrier_of(env, aegis_env(env)->serial);

    for (uint32_t slot = 1; table_self && slot < TABLE_SLOTS; slot++) {
        uint64_t life = table_life(table_entry(slot));
        if (life_state(life) == LIFE_LIVE && life_rest(life) == carrier)
            return true;
    }
    return false;
}

void table_sweep(void)
{
    uint32_t count = aegis_info()->env_count;

    for (uint32_t env = 1; env < count; env++) {
        const volatile struct aegis_env_info *info = aegis_env(env);
        if (info->owner != exos.env || env == exos.env || IS(env, held))
            continue;
        if (info->state == AEGIS_ENV_CREATED && !table_making && !is_made(env))
            aegis_env_end(env, SIGKILL << 8); /* its maker ended before it was done */
        else if (info->state == AEGIS_ENV_ENDED)
            table_free_env(env);
    }
}
