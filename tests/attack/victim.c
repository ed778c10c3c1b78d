/* The victim: has one of each resource that exists, and serves. */
#include "victim.h"

#include <string.h>

#include "ash/ash.h"
#include "attack.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

static struct {
    struct ash_header header;
    struct ash_map_info map;
    struct ash_insn insns[7];
} __attribute__((packed, aligned(8))) handler = {
    .header = {.magic = ASH_MAGIC,
               .version = ASH_VERSION,
               .event = ASH_EVENT_FRAME,
               .insns = 7,
               .maps = 1,
               .name = "count"},
    .map = {.name = "counts", .type = ASH_MAP_ARRAY, .key_size = 4, .value_size = 8, .entries = 1},
    /* r1 = &counts[0]; r2 = *r1; r2++; *r1 = r2; return PASS */
    .insns = {{0x18, 1 | 6 << 4, 0, 0},
              {0, 0, 0, 0},
              {0x79, 2 | 1 << 4, 0, 0},
              {0x07, 2, 0, 1},
              {0x7b, 1 | 2 << 4, 0, 0},
              {0xb7, 0, 0, 2},
              {0x95, 0, 0, 0}},
};

static uint64_t *memory;
static volatile uint64_t *counts;

static void bind_handler(uint32_t binding)
{
    char message[AEGIS_MESSAGE_SIZE];
    counts = vm_alloc(1, VM_READ_WRITE);
    struct aegis_handler_request request = {.image = &handler,
                                            .image_size = sizeof handler,
                                            .maps = (void *)(uintptr_t)counts,
                                            .maps_size = AEGIS_PAGE_SIZE,
                                            .message = message};
    int64_t number = aegis_handler_load(&request);
    if (number < 0)
        FAIL("handler_load: %s: %s", aegis_error_name(number), message);
    CHECK_OK(aegis_handler_bind((uint32_t)number, binding));
}

static void answer(struct net *net, struct aegis_slot_header *slot)
{
    static uint8_t out[QUESTION_FRAME];
    struct question question;
    const struct aegis_frame_out frame = {.address = out, .length = sizeof out};
    const volatile uint8_t *mac = aegis_info()->netifs[0].mac;

    memcpy(out, net_frame(slot), sizeof out);
    memcpy(out + ETH_DESTINATION, out + ETH_SOURCE, 6);
    for (int i = 0; i < 6; i++)
        out[ETH_SOURCE + i] = mac[i];
    net_put16(out + ETH_SIZE + IPV4_LEAST + UDP_SOURCE, VICTIM_PORT);
    net_put16(out + ETH_SIZE + IPV4_LEAST + UDP_DESTINATION, ASKER_PORT);
    memcpy(&question, out + QUESTION_OFFSET, sizeof question);
    question.checksum = victim_sum(memory);
    question.counted = *counts;
    memcpy(out + QUESTION_OFFSET, &question, sizeof question);
    CHECK_EQ(net_send(net, &frame, 1), 1);
}

static bool ignore(struct upcall_context *context)
{
    (void)context;
    return false;
}

/* A window on the PTEs of its program. */
static void open_window(void)
{
    CHECK_OK(aegis_table_insert(0, AEGIS_WINDOW_BASE, 1, test_page(), AEGIS_NO_PAGE));
    CHECK_OK(
        aegis_table_insert(0, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE), 0, test_page(), AEGIS_NO_PAGE));
}

int main(void)
{
    struct net net;
    open_window();
    memory = vm_alloc(VICTIM_PAGES, VM_READ_WRITE);
    CHECK(memory);
    for (uint64_t i = 0; i < VICTIM_PAGES * 512; i++)
        memory[i] = victim_word(i);
    upcall_set(UPCALL_BREAKPOINT, ignore); /* so that it has an upcall page */
    CHECK_EQ(net_open_next(&net, 4), 1);
    bind_handler(net.binding);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)vm_page_at(memory), AEGIS_RIGHT_READ,
                            &exos.start->caps[ATTACK_CAP_VICTIM_PAGE]));
    DESK->victim_va = (uint64_t)memory;
    DESK->done = 1;
    for (;;) {
        struct aegis_slot_header *slot = net_next(&net);
        struct aegis_predicate arrived = net_readable(&net);
        if (!slot) {
            CHECK_EQ(aegis_wait(&arrived, 1, AEGIS_FOREVER), 0);
            continue;
        }
        answer(&net, slot);
        net_release(&net);
    }
}
