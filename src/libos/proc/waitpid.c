/*
 * Waiting for children. That one has stopped, it says itself (stop.c). That one has ended is seen
 * in the kernel's record of its environment (table_settle); what is slept on is this process's
 * count of ended environments, the doorbell, and the state of a child whose environment is somebody
 * else's (as after execve: table.h).
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define LOOK_AGAIN 2000000 /* ns, where several children's environments are somebody else's */

/* What one look at the table has found. */
struct found {
    pid_t pid; /* of a child that is now this caller's to tell; 0: none */
    int status;
    bool any;         /* there are children that may yet end */
    uint32_t foreign; /* the environment of one that belongs to another than this one; 0: none */
    uint32_t foreigns;
};

static bool wanted(pid_t asked, pid_t pid, uint64_t kin)
{
    pid_t group = (pid_t)(kin >> 32);

    if (asked == -1)
        return true;
    if (asked == 0)
        return group == (pid_t)(table_self->kin >> 32);
    return asked < -1 ? group == -asked : pid == asked;
}

static void look_at(uint32_t slot, pid_t asked, int options, struct found *found)
{
    struct table_entry *entry = table_entry(slot);
    uint64_t life = table_life(entry);
    uint64_t kin = __atomic_load_n(&entry->kin, __ATOMIC_RELAXED);
    pid_t pid = table_pid(slot, life);

    if (life_state(life) == LIFE_FREE || pid == proc_self() || !wanted(asked, pid, kin) ||
        ((pid_t)kin != proc_self() && !(proc_self() == 1 && table_parent(entry) == 1)))
        return;
    life = table_settle(slot);
    if (table_pid(slot, life) != pid)
        return;
    if (life_state(life) == LIFE_ZOMBIE) {
        uint64_t free = life_make(life_incarnation(life) + 1, LIFE_FREE, 0);
        if (!found->pid && table_move(entry, life, free)) {
            found->pid = pid;
            found->status = (int)(life_rest(life) & 0xffff);
        }
        return;
    }
    if (life_state(life) == LIFE_FREE)
        return;
    found->any = true;
    int news = found->pid ? -1 : table_news(entry, life, options);
    if (news >= 0) {
        found->pid = pid;
        found->status = news;
    }
    if (aegis_env(carrier_env(life))->owner != exos.env && found->foreigns++ == 0)
        found->foreign = carrier_env(life);
}

static struct found look(pid_t asked, int options)
{
    struct found found = {0};

    if (asked > 0) {
        if (asked % TABLE_SLOTS)
            look_at((uint32_t)asked % TABLE_SLOTS, asked, options, &found);
        return found;
    }
    for (uint32_t slot = 1; slot < TABLE_SLOTS && !found.pid; slot++)
        look_at(slot, asked, options, &found);
    return found;
}

/*
 * Holds when an environment of another owner has ended; its record may be gone right behind that,
 * so that leaving LIVE is what is waited for, and then, for a short while, the rest.
 */
static struct aegis_predicate when_it_ends(uint32_t env, uint64_t *deadline)
{
    struct aegis_predicate when = aegis_when_ended(env);

    if (aegis_env(env)->state == AEGIS_ENV_ENDING) {
        *deadline = time_after(LOOK_AGAIN);
    } else {
        when.value = AEGIS_ENV_LIVE;
        when.op = AEGIS_WAKE_NE;
    }
    return when;
}

/* Sleep until another look may find more. Returns 0 or an errno value. */
static int sleep_on(const struct found *found, uint64_t ended, uint64_t rung)
{
    struct aegis_predicate when[3] = {AEGIS_WHEN(aegis_env(exos.env)->ended, NE, ended),
                                      AEGIS_WHEN(*proc_doorbell(), NE, rung)};
    uint64_t deadline = found->foreigns > 1 ? time_after(LOOK_AGAIN) : AEGIS_FOREVER;
    if (found->foreigns)
        when[2] = when_it_ends(found->foreign, &deadline);
    int64_t which = exos_wait(when, found->foreigns ? 3 : 2, deadline);

    return which == -EXOS_INTERRUPTED ? EINTR : 0;
}

/* Take back what came to this process and is nobody's: seen by the count of ends. */
static void clean_up(uint64_t ended, int status)
{
    if (ended == table_collected && WIFEXITED(status))
        return;
    table_sweep();
    table_collected = ended;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    int error = options & ~(WNOHANG | WUNTRACED | WCONTINUED) ? EINVAL : 0;

    while (!error && proc_self()) {
        uint64_t ended = aegis_env(exos.env)->ended, rung = *proc_doorbell();
        struct found found = look(pid, options);
        if (found.pid || !found.any || options & WNOHANG)
            clean_up(ended, found.status);
        if (found.pid && status)
            *status = found.status;
        if (found.pid)
            return found.pid;
        if (!found.any)
            break;
        if (options & WNOHANG)
            return 0;
        error = sleep_on(&found, ended, rung);
    }
    errno = error ? error : ECHILD;
    return -1;
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}
