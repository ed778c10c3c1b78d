#include "agent.h"

#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/console/console.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define DRAIN_LIMIT 1000000000UL /* ns for the last reply to leave */

/* What init has handed over. It is kept here, since what is in the start block goes down to
 * children: the shell's programs have no business with it. */
static struct aegis_cap handed[EXOS_CAPS_MAX];
static uint32_t handed_count;

static void take_capabilities(void)
{
    if (!exos.start || exos.start->cap_count > EXOS_CAPS_MAX)
        return;
    handed_count = exos.start->cap_count;
    memcpy(handed, exos.start->caps, sizeof handed);
    memset(exos.start->caps, 0, sizeof exos.start->caps);
    exos.start->cap_count = 0;
}

struct aegis_cap agent_root(uint32_t netif)
{
    const struct aegis_cap none = {0};

    return netif <= aegis_info()->netif_count && netif + 1 < handed_count ? handed[1 + netif]
                                                                          : none;
}

const struct aegis_cap *agent_root_extent(uint32_t disk)
{
    size_t place = 2 + aegis_info()->netif_count + disk;

    return place < handed_count ? &handed[place] : NULL;
}

/* A machine without a console is served as it booted. */
static bool take_console(void)
{
    int64_t status = -AEGIS_E_CAPABILITY;

    if (handed_count > aegis_info()->netif_count + 1)
        status = aegis_console_bind(&handed[0]);
    if (status == 0 || status == -AEGIS_E_NO_DEVICE)
        return true;
    fprintf(stderr, "agent: the console: %s; only init can start an agent\n",
            aegis_strerror(status));
    return false;
}

const char program_name[] = "agent";
const char program_usage[] = "agent  (init starts it: it serves aegisctl)";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    take_capabilities();
    if (!take_console())
        return 1;
    network_begin();
    session_open();
    for (;;) {
        apps_reap();
        network_look();
        int stop = session_serve();
        if (stop >= 0) {
            console_drain(time_after(DRAIN_LIMIT));
            return stop; /* init ends the machine with it */
        }
        captures_answer();
        consoles_serve();
        struct aegis_predicate when[AEGIS_PREDICATES_MAX] = {console_readable(), apps_when_ended()};
        uint64_t deadline = AEGIS_FOREVER;
        size_t count = 2;
        count += consoles_wait(when + count, &deadline);
        size_t room = count > 2 ? AEGIS_PREDICATES_MAX : EXOS_WAIT_MAX; /* with the doorbell */
        count += captures_wait(when + count, room - count, &deadline);
        exos_wait(when, count, deadline);
    }
}
