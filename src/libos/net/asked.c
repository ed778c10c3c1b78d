#include "libos/net/asked.h"

#include <errno.h>
#include <string.h>

#include "libos/net/neighbour.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define ASK_AGAIN 200000000UL   /* ns until netd is asked for a neighbour once more */
#define PATIENCE  10000000000UL /* ns: twice what netd's questions take that nobody answers */

int net_await_neighbour(const struct net_asked *asked, uint64_t *word, uint64_t deadline)
{
    const uint64_t limit = time_after(PATIENCE);

    for (;;) {
        uint64_t words[GATE_WORDS];
        memcpy(words, asked->order, sizeof words);
        if (net_ask(words))
            return -1;
        uint64_t again = time_after(ASK_AGAIN);
        do {
            /* Read before the look, and each time: a place that is another's by now, whatever it
             * says, has to change once more until there is something to see. */
            const volatile unsigned long long *place = asked->place(asked->address);
            uint64_t seen = *place, now = time_now();
            *word = asked->look_up(asked->address);
            if (*word & NEIGHBOUR_MAC_MASK)
                return 0; /* an old one serves while it is asked for anew */
            if (now >= deadline || now >= limit) {
                errno = now >= deadline ? EAGAIN : EHOSTUNREACH;
                return -1;
            }
            struct aegis_predicate changed = AEGIS_WHEN(*place, NE, seen);
            exos_wait(&changed, 1, again < deadline ? again : deadline);
        } while (time_now() < again);
    }
}
