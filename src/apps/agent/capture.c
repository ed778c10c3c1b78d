/*
 * Captures: taps on an interface's root binding, whose copies the host asks for. A request for
 * frames waits here until there are some, so that the host learns of them at once and needn't ask
 * again and again; it is the kernel's ring that holds what nobody asked for yet, and counts what is
 * lost when it is full. So a flood of frames costs the console what the host reads, no more.
 */
#include "agent.h"

#include <stdio.h>
#include <string.h>

#include "dpf/dpf.h"
#include "libos/net/net.h"
#include "libos/time/time.h"

#define CAPTURES_MAX 16
#define LOOK_AGAIN   2000000UL /* ns, for rings that there are not predicates enough to wait on */
#define PATIENCE     (CONTROL_FRAMES_MS * 1000000UL)

_Static_assert(CONTROL_BYTES_MAX >= AEGIS_SLOT_SIZE - AEGIS_SLOT_FRAME, "a row holds any frame");

struct capture {
    uint32_t number; /* 0: free */
    uint32_t snaplen;
    bool asked; /* request waits to be answered, until answer_by (ticks) */
    uint32_t request;
    uint64_t answer_by;
    struct net net;
};

static struct capture captures[CAPTURES_MAX];

static struct capture *find(uint32_t number)
{
    for (size_t i = 0; i < CAPTURES_MAX; i++)
        if (captures[i].number == number)
            return &captures[i];
    return NULL;
}

/* The capture that a request names, or NULL with *refusal. */
static struct capture *named(uint32_t number, struct refusal *refusal)
{
    struct capture *c = number ? find(number) : NULL;
    if (!c)
        refuse(refusal, CONTROL_E_NO_CAPTURE, "no capture has the number %u", (unsigned)number);
    return c;
}

/* Bind a tap for the filter, which is verified, and give it a ring. False with *refusal. */
static bool open_tap(struct net *net, uint32_t netif, const void *filter, size_t size,
                     struct refusal *refusal)
{
    struct aegis_net_binding request = {.parent = agent_root(netif),
                                        .ingress = filter,
                                        .ingress_size = size,
                                        .flags = AEGIS_BIND_TAP};
    int64_t binding = net_bind(&request);
    if (binding < 0)
        return refuse_kernel(refusal, "tap", binding);
    int64_t status = net_open(net, (uint32_t)binding, AEGIS_RING_SLOTS);
    if (status == 0)
        return true;
    aegis_net_unbind((uint32_t)binding);
    return refuse_kernel(refusal, "the tap's ring", status);
}

static bool check(const struct control_capture *asked, struct dpf_filter *filter,
                  const uint64_t *image, struct refusal *refusal)
{
    if (asked->netif >= aegis_info()->netif_count)
        return refuse(refusal, CONTROL_E_NO_NETIF,
                      "the machine has %u network interfaces, no number %u",
                      (unsigned)aegis_info()->netif_count, (unsigned)asked->netif);
    if (!asked->snaplen)
        return refuse(refusal, CONTROL_E_MALFORMED, "a capture of 0 bytes of each frame");
    int status = dpf_verify(image, asked->filter.size, filter);
    return status ? refuse_filter(refusal, "capture's", status) : true;
}

bool capture_begin(const struct control_message *message, struct refusal *refusal)
{
    static uint64_t image[DPF_IMAGE_MAX / 8]; /* aligned as the library wants it */
    static uint32_t last;
    struct control_capture asked;
    struct dpf_filter filter;
    struct capture *c = find(0);

    if (!request_decode(message, CONTROL_RECORD_capture, &asked, refusal))
        return false;
    if (!c)
        return refuse(refusal, CONTROL_E_FULL, "%u captures are under way; end one first",
                      CAPTURES_MAX);
    memcpy(image, asked.filter.data, asked.filter.size);
    if (!check(&asked, &filter, image, refusal) ||
        !open_tap(&c->net, asked.netif, image, asked.filter.size, refusal))
        return false;
    do
        last++;
    while (!last || find(last));
    c->number = last;
    c->snaplen = asked.snaplen;
    c->asked = false;
    request_reply(message, CONTROL_RECORD_capturing,
                  &(struct control_capturing){.capture = c->number});
    return true;
}

/* Send the frames that wait, as many as fit a message, in answer to the request. */
static void answer(struct capture *c)
{
    struct control_framed framed = {.now = time_now(), .dropped = c->net.ring->dropped};
    size_t room = reply_room(); /* then others have their turn */
    int head = control_encode(CONTROL_RECORD_framed, &framed, reply_body, room);
    size_t used = head < 0 ? 0 : (size_t)head;
    struct aegis_slot_header *slot;

    while ((slot = net_next(&c->net))) {
        struct control_frame_row row = {
            .time = slot->time,
            .length = slot->length,
            .sent = slot->flags & AEGIS_FRAME_SENT ? 1 : 0,
            .bytes = {net_frame(slot), slot->length < c->snaplen ? slot->length : c->snaplen}};
        int size =
            control_encode_row(CONTROL_RECORD_frame_row, &row, reply_body + used, room - used);
        if (size < 0)
            break;
        used += (size_t)size;
        net_release(&c->net);
    }
    c->asked = false;
    session_send(CONTROL_FRAMES | CONTROL_REPLY, c->request, reply_body, (uint32_t)used);
}

bool capture_frames(const struct control_message *message, struct refusal *refusal)
{
    struct control_frames asked;
    if (!request_decode(message, CONTROL_RECORD_frames, &asked, refusal))
        return false;
    struct capture *c = named(asked.capture, refusal);
    if (!c)
        return false;
    if (c->asked)
        return refuse(refusal, CONTROL_E_BUSY, "the frames of capture %u are asked for already",
                      (unsigned)c->number);
    c->asked = true;
    c->request = message->id;
    c->answer_by = time_after(PATIENCE);
    return true; /* captures_answer does, once the console has been read */
}

static void end(struct capture *c)
{
    net_close(&c->net);
    c->number = 0;
}

bool capture_end(const struct control_message *message, struct refusal *refusal)
{
    struct control_capture_end asked;
    struct control_capture_ended ended;
    if (!request_decode(message, CONTROL_RECORD_capture_end, &asked, refusal))
        return false;
    struct capture *c = named(asked.capture, refusal);
    if (!c)
        return false;
    if (c->asked)
        answer(c);
    ended = (struct control_capture_ended){.dropped = c->net.ring->dropped,
                                           .left = net_head(&c->net) - c->net.tail,
                                           .capture = c->number};
    end(c);
    request_reply(message, CONTROL_RECORD_capture_ended, &ended);
    return true;
}

void captures_answer(void)
{
    for (struct capture *c = captures; c < captures + CAPTURES_MAX; c++)
        if (c->number && c->asked && (net_next(&c->net) || time_now() >= c->answer_by))
            answer(c);
}

size_t captures_wait(struct aegis_predicate *when, size_t most, uint64_t *deadline)
{
    size_t count = 0;
    for (struct capture *c = captures; c < captures + CAPTURES_MAX; c++) {
        if (!c->number || !c->asked)
            continue;
        uint64_t by = c->answer_by;
        if (count < most)
            when[count++] = net_readable(&c->net);
        else if (time_after(LOOK_AGAIN) < by)
            by = time_after(LOOK_AGAIN);
        if (by < *deadline)
            *deadline = by;
    }
    return count;
}

void captures_end_all(void)
{
    for (struct capture *c = captures; c < captures + CAPTURES_MAX; c++)
        if (c->number)
            end(c);
}
