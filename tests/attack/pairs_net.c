/* The errors of calls about frames. */
#include <string.h>

#include "attack.h"
#include "libos/net/headers.h"
#include "libos/vm/vm.h"
#include "victim.h"

#define OWN_PORT 4711

static struct filter_image in, out;

/* A request that is right. */
static struct aegis_net_binding request(uint16_t port)
{
    filter_udp_to(&in, port);
    filter_sent_udp(&out, 0, port);
    return (struct aegis_net_binding){.parent = exos.start->caps[ATTACK_CAP_ROOT],
                                      .ingress = in.words,
                                      .ingress_size = in.size,
                                      .egress = out.words,
                                      .egress_size = out.size};
}

static uint32_t bind(const struct aegis_net_binding *r)
{
    int64_t binding = aegis_net_bind(r);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

static uint32_t bind_port(uint16_t port)
{
    struct aegis_net_binding r = request(port);
    return bind(&r);
}

int64_t net_bind_ADDRESS(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_ERROR(aegis_net_bind((struct aegis_net_binding *)bad_addresses[i]), ADDRESS);
        r.ingress = (const void *)bad_addresses[i];
        CHECK_EQ(result = aegis_net_bind(&r), -AEGIS_E_ADDRESS);
        r.ingress = in.words;
        r.egress = (const void *)bad_addresses[i];
        CHECK_ERROR(aegis_net_bind(&r), ADDRESS);
        r.egress = out.words;
    }
    return result;
}

int64_t net_bind_INVALID(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    r.flags = AEGIS_BIND_SHARE << 1;
    CHECK_ERROR(aegis_net_bind(&r), INVALID);
    r.parent = exos.start->caps[ATTACK_CAP_TAP];
    r.flags = AEGIS_BIND_TAP | AEGIS_BIND_SHARE;
    CHECK_ERROR(aegis_net_bind(&r), INVALID);
    r.flags = AEGIS_BIND_TAP; /* with an egress filter */
    return aegis_net_bind(&r);
}

int64_t net_bind_RANGE(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    r.egress_size = UINT64_MAX - 8;
    CHECK_ERROR(aegis_net_bind(&r), RANGE);
    r.egress_size = out.size;
    r.ingress_size = AEGIS_FILTER_MAX + 1;
    return aegis_net_bind(&r);
}

int64_t net_bind_CAPABILITY(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    r.parent.mac ^= 1;
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r.parent = exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r.parent.name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, DESK->binding);
    CHECK_ERROR(aegis_net_bind(&r), CAPABILITY);
    r = request(OWN_PORT);
    r.owner.name = AEGIS_CAP_NAME(AEGIS_KIND_ENV, AEGIS_RIGHT_CONTROL, exos.parent);
    return aegis_net_bind(&r);
}

/* CALL is no authority to load frames onto somebody. */
int64_t net_bind_RIGHTS(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    r.owner = exos.start->caps[ATTACK_CAP_VICTIM_ENV];
    CHECK_ERROR(aegis_net_bind(&r), RIGHTS);
    memset(&r.owner, 0, sizeof r.owner);
    r.parent = exos.start->caps[ATTACK_CAP_TAP];
    return aegis_net_bind(&r);
}

int64_t net_bind_FILTER(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    struct dpf_node *nodes = (struct dpf_node *)((char *)in.words + sizeof(struct dpf_header));
    nodes[1].yes = 0; /* a loop */
    CHECK_ERROR(aegis_net_bind(&r), FILTER);
    r = request(OWN_PORT);
    r.egress_size = 0;
    CHECK_ERROR(aegis_net_bind(&r), FILTER);
    r.egress_size = out.size;
    r.ingress_size--;
    return aegis_net_bind(&r);
}

int64_t net_bind_NOT_CONTAINED(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    filter_make(&out, NULL, 0); /* whatever source address */
    r.egress_size = out.size;
    return aegis_net_bind(&r);
}

int64_t net_bind_OVERLAP(void)
{
    struct aegis_net_binding r = request(VICTIM_PORT);
    return aegis_net_bind(&r);
}

/*
 * Disjoint only at the end of each of 2^60 paths: nodes that ask for a byte and go on whatever it
 * is.
 */
static void make_maze(struct filter_image *image, uint8_t last)
{
    static struct {
        struct dpf_header header;
        struct dpf_node nodes[8];
        struct dpf_range ranges[8];
    } maze;
    memset(&maze, 0, sizeof maze);
    maze.header =
        (struct dpf_header){.magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = 8, .ranges = 8};
    for (uint16_t i = 0; i < 8; i++)
        maze.nodes[i] = (struct dpf_node){.kind = DPF_FIELD,
                                          .width = 1,
                                          .offset = (uint16_t)(i ? 20 + i : ETH_TYPE),
                                          .yes = i < 7 ? (uint16_t)(i + 1) : DPF_ACCEPT,
                                          .no = i == 0 || i == 7 ? DPF_REJECT : (uint16_t)(i + 1),
                                          .set = i,
                                          .count = 1,
                                          .mask = 0xff};
    maze.ranges[0] = (struct dpf_range){0x99, 0x99};
    maze.ranges[7] = (struct dpf_range){last, last};
    _Static_assert(sizeof maze <= sizeof image->words, "it fits");
    memcpy(image->words, &maze, sizeof maze);
    image->size = sizeof maze;
}

#define MAZE_NODES 40
struct big_maze {
    struct dpf_header header;
    struct dpf_node nodes[MAZE_NODES];
    struct dpf_range ranges[MAZE_NODES];
};

/* The same with more nodes that decide nothing. */
static void make_big_maze(struct big_maze *big, uint8_t last)
{
    struct filter_image end;
    make_maze(&end, last);
    const struct dpf_node *nodes = (const struct dpf_node *)((char *)end.words + 16);
    *big = (struct big_maze){
        .header = {
            .magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = MAZE_NODES, .ranges = MAZE_NODES}};
    for (uint16_t i = 0; i < MAZE_NODES; i++) {
        bool is_last = i == MAZE_NODES - 1;
        big->nodes[i] = nodes[i == 0 ? 0 : is_last ? 7 : 1];
        big->nodes[i].set = i;
        if (i > 0 && !is_last)
            big->nodes[i].offset = (uint16_t)(30 + i);
        if (!is_last)
            big->nodes[i].yes = (uint16_t)(i + 1);
        if (i > 0 && !is_last)
            big->nodes[i].no = (uint16_t)(i + 1);
    }
    big->ranges[0] = (struct dpf_range){0x99, 0x99};
    big->ranges[MAZE_NODES - 1] = (struct dpf_range){last, last};
}

int64_t net_bind_BUDGET(void)
{
    static struct big_maze big;
    struct aegis_net_binding r = request(OWN_PORT);
    make_maze(&in, 1);
    r.ingress_size = in.size;
    uint32_t first = bind(&r);
    make_big_maze(&big, 2);
    r.ingress = &big;
    r.ingress_size = sizeof big;
    int64_t result = aegis_net_bind(&r);
    if (result >= 0)
        CHECK_OK(aegis_net_unbind((uint32_t)result));
    CHECK_OK(aegis_net_unbind(first));
    return result;
}

/* While another's binding is compared with a maze, which takes several slices. */
int64_t net_bind_BUSY(void)
{
    struct raw raw;
    struct aegis_net_binding r = request(OWN_PORT);
    make_maze(&in, 1);
    r.ingress_size = in.size;
    uint32_t first = bind(&r);
    raw_create(&raw, "bind", blob_bind, blob_bind_end);
    struct aegis_net_binding *theirs = (struct aegis_net_binding *)(raw.data + 8);
    uint64_t *none = raw.data + 32;
    struct big_maze *big = (struct big_maze *)(raw.data + 64);
    make_big_maze(big, 2);
    *theirs = (struct aegis_net_binding){.parent = exos.start->caps[ATTACK_CAP_ROOT],
                                         .ingress = (const void *)(RAW_DATA + 512),
                                         .ingress_size = sizeof *big,
                                         .egress = (const void *)(RAW_DATA + 256),
                                         .egress_size = (uint64_t)dpf_make_none(none, 64)};
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(0);
    r = request(OWN_PORT + 1);
    int64_t result = aegis_net_bind(&r);
    if (result >= 0)
        CHECK_OK(aegis_net_unbind((uint32_t)result));
    aegis_env_end(raw.env, 0);
    raw_finish(&raw);
    CHECK_OK(aegis_net_unbind(first));
    return result;
}

/* All taps of an interface. */
int64_t net_bind_NO_SLOT(void)
{
    uint32_t taps[AEGIS_TAPS_MAX], count = 0;
    struct aegis_net_binding r = request(OWN_PORT);
    int64_t result;
    r.parent = exos.start->caps[ATTACK_CAP_TAP];
    r.flags = AEGIS_BIND_TAP;
    r.egress_size = 0;
    while ((result = aegis_net_bind(&r)) >= 0) {
        CHECK(count < AEGIS_TAPS_MAX);
        taps[count++] = (uint32_t)result;
    }
    while (count > 0)
        CHECK_OK(aegis_net_unbind(taps[--count]));
    return result;
}

#define WIDE_RANGES 2400

/* Egress filters of thousands of values, each in a piece of the arena, until it has no room. */
int64_t arena_fill(uint32_t *bound, uint32_t *count)
{
    static struct {
        struct dpf_header header;
        struct dpf_node nodes[4];
        struct dpf_range ranges[3 + WIDE_RANGES];
    } wide;
    struct aegis_net_binding r = request(OWN_PORT);
    wide.header = (struct dpf_header){
        .magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = 4, .ranges = 3 + WIDE_RANGES};
    memcpy(wide.nodes, (char *)out.words + sizeof wide.header, 3 * sizeof wide.nodes[0]);
    memcpy(wide.ranges, (char *)out.words + sizeof wide.header + 6 * sizeof wide.nodes[0],
           3 * sizeof wide.ranges[0]);
    wide.nodes[3] = (struct dpf_node){.kind = DPF_FIELD,
                                      .width = 4,
                                      .offset = IPV4_DESTINATION,
                                      .yes = DPF_ACCEPT,
                                      .no = DPF_REJECT,
                                      .set = 3,
                                      .count = WIDE_RANGES,
                                      .mask = UINT32_MAX};
    wide.ranges[2] = (struct dpf_range){0x9000, 0x9000}; /* a type that the victim doesn't send */
    for (uint64_t i = 0; i < WIDE_RANGES; i++)
        wide.ranges[3 + i] = (struct dpf_range){i * 16, i * 16 + 3};
    r.egress = &wide;
    r.egress_size = sizeof wide;
    for (uint16_t port = 20000;; port++) {
        filter_udp_to(&in, port);
        int64_t result = aegis_net_bind(&r);
        if (result < 0 || *count == ARENA_BINDINGS)
            return result;
        bound[(*count)++] = (uint32_t)result;
    }
}

int64_t net_bind_NO_SPACE(void)
{
    uint32_t bound[ARENA_BINDINGS], count = 0;
    int64_t result = arena_fill(bound, &count);
    while (count > 0)
        CHECK_OK(aegis_net_unbind(bound[--count]));
    return result;
}

/* For an environment that is being taken apart. */
int64_t net_bind_STATE(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    uint32_t child = child_make();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, child, AEGIS_RIGHT_CONTROL, &r.owner));
    CHECK_OK(aegis_env_end(child, 0));
    int64_t result = aegis_net_bind(&r);
    struct aegis_predicate over = aegis_when_ended(child);
    CHECK_EQ(aegis_wait(&over, 1, AEGIS_FOREVER), 0);
    CHECK_OK(aegis_env_free(child));
    return result;
}

int64_t net_unbind_RANGE(void)
{
    CHECK_ERROR(aegis_net_unbind(UINT32_MAX - 1), RANGE);
    uint32_t binding = bind_port(OWN_PORT);
    CHECK_OK(aegis_net_unbind(binding));
    return aegis_net_unbind(binding);
}

int64_t net_unbind_OWNER(void)
{
    CHECK_ERROR(aegis_net_unbind(aegis_info()->netifs[0].root), OWNER);
    return aegis_net_unbind((uint32_t)DESK->binding);
}

int64_t net_unbind_IN_USE(void)
{
    struct aegis_net_binding r = request(OWN_PORT);
    uint32_t outer = bind(&r);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, outer, AEGIS_RIGHT_DELEGATE, &r.parent));
    uint32_t inner = bind(&r);
    int64_t result = aegis_net_unbind(outer);
    CHECK_OK(aegis_net_unbind(inner));
    CHECK_OK(aegis_net_unbind(outer));
    return result;
}

static int64_t ring(uint32_t binding, uint64_t va, uint64_t slots)
{
    return aegis_net_ring(binding, (struct aegis_ring *)va, slots);
}

int64_t net_ring_RANGE(void)
{
    static const uint64_t wrong[] = {0, 1, 3, 2 * AEGIS_RING_SLOTS, 1UL << 32, UINT64_MAX};
    uint32_t binding = bind_port(OWN_PORT);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(ring(binding, FREE_VA, wrong[i]), RANGE);
    CHECK_OK(aegis_net_unbind(binding));
    return ring(binding, FREE_VA, 2);
}

int64_t net_ring_OWNER(void)
{
    return ring((uint32_t)DESK->binding, FREE_VA, 2);
}

/* The kernel writes there: memory that the caller can't write to won't do. */
int64_t net_ring_ADDRESS(void)
{
    uint32_t binding = bind_port(OWN_PORT);
    uint64_t page = page_at(FREE_VA, AEGIS_PROT_READ);
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_ERROR(ring(binding, bad_addresses[i] & ~0xfffUL, 2), ADDRESS);
    CHECK_ERROR(ring(binding, AEGIS_EXPOSED_BASE, 2), ADDRESS);
    CHECK_ERROR(ring(binding, (uint64_t)exos.start + AEGIS_PAGE_SIZE, 2), ADDRESS);
    int64_t result = ring(binding, FREE_VA, 2);
    page_gone(FREE_VA, page);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

int64_t net_ring_ALIGNMENT(void)
{
    uint32_t binding = bind_port(OWN_PORT);
    int64_t result = ring(binding, FREE_VA + 64, 2);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* Twice, and with one page in two places. */
int64_t net_ring_IN_USE(void)
{
    uint32_t binding = bind_port(OWN_PORT);
    char *memory = vm_alloc(2, VM_READ_WRITE);
    CHECK_OK(ring(binding, (uint64_t)memory, 2));
    int64_t result = ring(binding, (uint64_t)memory, 2);
    CHECK_ERROR(vm_free(memory), PINNED);
    CHECK_OK(aegis_net_unbind(binding));
    CHECK_OK(vm_free(memory));
    return result;
}

int64_t net_ring_STATE(void)
{
    uint32_t binding = bind_port(OWN_PORT), other = bind_port(OWN_PORT + 1);
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_OK(aegis_map(0, FREE_VA + AEGIS_PAGE_SIZE, page, VM_READ_WRITE, NULL));
    CHECK_ERROR(ring(binding, FREE_VA, 2), STATE); /* its slots would lie in its header */
    CHECK_OK(aegis_unmap(0, FREE_VA, 2));
    CHECK_OK(aegis_page_free(page));
    char *memory = vm_alloc(2, VM_READ_WRITE);
    CHECK_OK(ring(binding, (uint64_t)memory, 2));
    int64_t result = ring(other, (uint64_t)memory, 2);
    CHECK_OK(aegis_net_unbind(binding));
    CHECK_OK(aegis_net_unbind(other));
    CHECK_OK(vm_free(memory));
    return result;
}

/* A frame that the binding of OWN_PORT may send on an interface. */
static void put_frame(uint8_t *frame, uint32_t netif)
{
    memset(frame, 0, 60);
    for (int i = 0; i < 6; i++)
        frame[ETH_SOURCE + i] = aegis_info()->netifs[netif].mac[i];
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_SOURCE, OWN_PORT);
}

int64_t net_send_RANGE(void)
{
    static uint8_t frame[60];
    struct aegis_frame_out o = {.address = frame, .length = 60};
    uint32_t binding = bind_port(OWN_PORT);
    put_frame(frame, 0);
    CHECK_ERROR(aegis_net_send(binding, &o, 0), RANGE);
    CHECK_ERROR(aegis_net_send(binding, &o, AEGIS_SEND_MAX + 1), RANGE);
    CHECK_ERROR(aegis_net_send(UINT32_MAX, &o, 1), RANGE);
    o.length = 13;
    CHECK_ERROR(aegis_net_send(binding, &o, 1), RANGE);
    o.length = AEGIS_FRAME_MAX + 1;
    CHECK_ERROR(aegis_net_send(binding, &o, 1), RANGE);
    o.length = UINT64_MAX;
    int64_t result = aegis_net_send(binding, &o, 1);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

int64_t net_send_OWNER(void)
{
    static uint8_t frame[60];
    const struct aegis_frame_out o = {.address = frame, .length = 60};
    CHECK_ERROR(aegis_net_send(aegis_info()->netifs[0].root, &o, 1), OWNER);
    return aegis_net_send((uint32_t)DESK->binding, &o, 1);
}

int64_t net_send_ADDRESS(void)
{
    uint32_t binding = bind_port(OWN_PORT);
    struct aegis_frame_out o = {.length = 60};
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_ERROR(aegis_net_send(binding, (struct aegis_frame_out *)bad_addresses[i], 1),
                    ADDRESS);
        o.address = (const void *)bad_addresses[i];
        CHECK_ERROR(aegis_net_send(binding, &o, 1), ADDRESS);
    }
    /* The header is there, the rest is not. */
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    o.address = (const void *)(FREE_VA + AEGIS_PAGE_SIZE - 200);
    o.length = 300;
    put_frame((uint8_t *)FREE_VA + AEGIS_PAGE_SIZE - 200, 0);
    int64_t result = aegis_net_send(binding, &o, 1);
    page_gone(FREE_VA, page);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* As the victim, and as somebody else's machine. */
int64_t net_send_EGRESS(void)
{
    static uint8_t frame[60];
    const struct aegis_frame_out o = {.address = frame, .length = 60};
    uint32_t binding = bind_port(OWN_PORT);
    put_frame(frame, 0);
    frame[ETH_SOURCE] ^= 2;
    CHECK_ERROR(aegis_net_send(binding, &o, 1), EGRESS);
    put_frame(frame, 0);
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_SOURCE, VICTIM_PORT);
    int64_t result = aegis_net_send(binding, &o, 1);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* On the interface whose other end takes nothing. Frames of this length are copied: nothing stays
 * pinned. */
int64_t net_send_FULL(void)
{
    static uint8_t frame[60];
    struct aegis_frame_out many[AEGIS_SEND_MAX];
    struct aegis_net_binding r = request(OWN_PORT);
    int64_t result = 0;
    filter_sent_udp(&out, 2, OWN_PORT);
    r.parent = exos.start->caps[ATTACK_CAP_STUCK];
    uint32_t binding = bind(&r);
    put_frame(frame, 2);
    for (int i = 0; i < AEGIS_SEND_MAX; i++)
        many[i] = (struct aegis_frame_out){.address = frame, .length = 60};
    for (int i = 0; i < 2000 && result >= 0; i++)
        result = aegis_net_send(binding, many, AEGIS_SEND_MAX);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* From a page that can't be pinned once more. */
int64_t net_send_STATE(void)
{
    struct raw raw;
    uint32_t binding = bind_port(OWN_PORT);
    raw_create(&raw, "pinned", blob_pinned, blob_pinned_end);
    uint64_t code = 0;
    for (uint64_t i = 0; i < aegis_info()->page_count; i++)
        if (aegis_page(aegis_info()->first_ppn + i)->owner == raw.env &&
            aegis_page(aegis_info()->first_ppn + i)->state == AEGIS_PAGE_DATA)
            code = aegis_info()->first_ppn + i;
    raw_start(&raw, code);
    while (!*(volatile uint64_t *)raw.data || !aegis_page(code)->pins)
        aegis_yield(raw.env);
    const struct aegis_cap *cap = (const struct aegis_cap *)(raw.data + 8);
    CHECK_OK(aegis_map(0, FREE_VA + AEGIS_PAGE_SIZE, code, AEGIS_PROT_READ, cap));
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint8_t *frame = (uint8_t *)FREE_VA + AEGIS_PAGE_SIZE - AEGIS_HEADER_COPY;
    const struct aegis_frame_out o = {.address = frame, .length = AEGIS_HEADER_COPY + 100};
    put_frame(frame, 0);
    int64_t result = aegis_net_send(binding, &o, 1);
    CHECK_OK(aegis_unmap(0, FREE_VA, 2));
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

int64_t net_counters_RANGE(void)
{
    struct aegis_counters counters;
    return aegis_net_counters(UINT32_MAX, &counters, NULL);
}

int64_t net_counters_OWNER(void)
{
    struct aegis_counters counters;
    return aegis_net_counters((uint32_t)DESK->binding, &counters, NULL);
}

int64_t net_counters_ADDRESS(void)
{
    uint32_t binding = bind_port(OWN_PORT);
    struct aegis_counters counters;
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_EQ(result =
                     aegis_net_counters(binding, (struct aegis_counters *)bad_addresses[i], NULL),
                 -AEGIS_E_ADDRESS);
        if (bad_addresses[i])
            CHECK_ERROR(aegis_net_counters((uint32_t)DESK->binding, &counters,
                                           (const struct aegis_cap *)bad_addresses[i]),
                        ADDRESS);
    }
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

int64_t net_counters_CAPABILITY(void)
{
    struct aegis_counters counters;
    struct aegis_cap forged = {
        .name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_MONITOR, DESK->binding)};
    CHECK_ERROR(aegis_net_counters((uint32_t)DESK->binding, &counters, &forged), CAPABILITY);
    return aegis_net_counters((uint32_t)DESK->binding, &counters,
                              &exos.start->caps[ATTACK_CAP_ROOT]);
}

int64_t net_counters_RIGHTS(void)
{
    struct aegis_counters counters;
    return aegis_net_counters(aegis_info()->netifs[0].root, &counters,
                              &exos.start->caps[ATTACK_CAP_ROOT]);
}

int64_t net_give_RANGE(void)
{
    uint32_t root = aegis_info()->netifs[0].root, binding = bind_port(OWN_PORT);
    CHECK_ERROR(aegis_net_give(UINT32_MAX, 0), RANGE);
    CHECK_ERROR(aegis_net_give(binding, 0), RANGE); /* one's own, but no root */
    CHECK_ERROR(aegis_net_give((uint32_t)DESK->binding, 0), RANGE);
    CHECK_OK(aegis_net_unbind(binding));
    return aegis_net_give(root, UINT32_MAX);
}

/* The root is the supervisor's, and others are nobody's to give it to. */
int64_t net_give_OWNER(void)
{
    uint32_t root = aegis_info()->netifs[0].root, child = child_make();
    CHECK_ERROR(aegis_net_give(root, VICTIM), OWNER);
    CHECK_ERROR(aegis_net_give(root, exos.parent), OWNER);
    CHECK_ERROR(aegis_net_give(root, child), OWNER);
    child_end(child);
    return aegis_net_give(root, 0);
}

int64_t net_give_STATE(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    CHECK_OK(aegis_env_end(raw.env, 0));
    int64_t result = aegis_net_give(aegis_info()->netifs[0].root, raw.env);
    raw_finish(&raw);
    return result;
}
