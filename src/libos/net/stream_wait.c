/* TCP's sockets: who drives lwIP. Whoever waits, for whatever: there is no thread for it. */
#include <errno.h>

#include "libos/net/share.h"
#include "libos/net/stream.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "lwip/priv/tcp_priv.h"

#define LAST_WORDS                                                                                 \
    10000000000UL             /* ns that a process which exits gives its peers to take the rest */
#define LOOK_AGAIN 10000000UL /* ns, where there is no room for a predicate */

int stream_wait(struct stream *t, uint64_t deadline)
{
    struct aegis_predicate frames = net_lwip_when();
    uint64_t due = net_lwip_next;

    return socket_wait(&t->socket, &frames, 1, due < deadline ? due : deadline);
}

/* exos_wait's hook. Who holds something and waits may be lwIP itself, for room in the device's
 * queue.
 */
static uint64_t meanwhile(struct aegis_predicate *all, size_t *total, uint64_t until)
{
    if (exos_held || upcall_is_inside())
        return until;
    until = share_look(until);
    exos_hold();
    stream_serve();
    struct aegis_predicate frames = net_lwip_when();
    uint64_t due = net_lwip_next;
    exos_release();
    size_t i = 0;
    while (i < *total && all[i].word != frames.word)
        i++;
    if (i == *total && *total <= EXOS_WAIT_MAX)
        all[(*total)++] = frames;
    else if (i == *total && due > time_after(LOOK_AGAIN))
        due = time_after(LOOK_AGAIN);
    return due < until ? due : until;
}

void stream_drive(void)
{
    exos_wait_hooks.meanwhile = meanwhile;
}

static bool has_address(const ip_addr_t *address, const struct socket_end *end)
{
    struct socket_end other = stream_end(address, 0);
    return other.address == end->address &&
           (other.address || net_ipv6_equal(&other.six, &end->six));
}

static bool is_of(const struct tcp_pcb *pcb, const struct stream *t)
{
    return pcb->local_port == ntohs(t->socket.own.port) &&
           pcb->remote_port == ntohs(t->socket.peer.port) &&
           has_address(&pcb->remote_ip, &t->socket.peer);
}

bool stream_owes(const struct stream *t)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (t ? pcb->state != SYN_SENT && pcb->state != SYN_RCVD && (pcb->unsent || pcb->unacked) &&
                    is_of(pcb, t)
              : net_lwip_owes(pcb))
            return true;
    return false;
}

/* Descriptors are closed: what was written goes out before the process goes away. */
static void say_last_words(void)
{
    uint64_t end = time_after(LAST_WORDS);

    if (!exos_wait_hooks.meanwhile)
        return;
    for (stream_serve(); stream_owes(NULL) && time_now() < end; stream_serve()) {
        struct aegis_predicate frames = net_lwip_when();
        uint64_t due = net_lwip_next;
        exos_wait(&frames, 1, due < end ? due : end);
    }
    net_lwip_leave();
    net_lwip_reap();
}

/* The connections are the parent's. */
static void in_child(void)
{
    exos_wait_hooks.meanwhile = NULL;
    net_lwip_forget();
}

static const struct exos_part stream_part = {
    .name = "streams", .in_child = in_child, .at_exit = say_last_words};
EXOS_PART(39, stream_part);
