/*
 * An example of each system call. docs/abi.md shows them (cmake/abi.py): behind a comment that
 * names the calls, a function. Each runs here as it stands there, and has to return what the table
 * at the end says.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/net/headers.h"
#include "libos/vm/vm.h"
#include "test.h"

static jmp_buf here;

static void come_back(void)
{
    longjmp(here, 1);
}

/* null */
static int64_t nothing(void)
{
    return aegis_null();
}

/* yield */
static int64_t let_others_run(void)
{
    return aegis_yield(0);
}

/* wait */
static int64_t sleep_a_millisecond(void)
{
    uint64_t now;
    __asm__ volatile("rdtime %0" : "=r"(now));
    return aegis_wait(NULL, 0, now + aegis_info()->timebase / 1000);
}

/* log */
static int64_t say_hello(void)
{
    static const char text[] = "hello\n";
    return aegis_log(text, sizeof text - 1);
}

/* entropy */
static int64_t draw_a_key(void)
{
    uint8_t key[16];
    return aegis_entropy(key, sizeof key);
}

/* slice_alloc, slice_free */
static int64_t run_twice_a_round(void)
{
    int64_t slot = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL);
    return slot < 0 ? slot : aegis_slice_free(0, (uint32_t)slot);
}

/* slice_give */
static int64_t give_a_slot_to_a_child(void)
{
    struct raw child; /* a test's: env_create, and its address space */
    raw_create(&child, "child", blob_end, blob_end_end);
    int64_t slot = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL);
    int64_t result = slot < 0 ? slot : aegis_slice_give(0, (uint32_t)slot, child.env);
    aegis_env_end(child.env, 0);
    raw_finish(&child); /* its slots are free again */
    return result;
}

/* slice_bind */
static int64_t let_the_kernel_keep_registers(void)
{
    return aegis_slice_bind(0, 0); /* an epilogue and a prologue: libos/slice/entry.S */
}

/* page_alloc, page_free */
static int64_t take_the_lowest_free_page(void)
{
    const volatile struct aegis_info *info = aegis_info();
    uint64_t ppn = info->first_ppn;
    while (aegis_page(ppn)->state != AEGIS_PAGE_FREE)
        ppn++;
    int64_t page = aegis_page_alloc(ppn); /* AEGIS_ANY, if it doesn't matter which */
    return page < 0 ? page : aegis_page_free((uint64_t)page);
}

/* table_insert, map, protect, unmap, table_remove */
static int64_t map_a_page(void)
{
    const uint64_t va = 0x3f00000000; /* where no table is yet */
    for (uint32_t level = 2; level-- > 0;) {
        int64_t table = aegis_page_alloc(AEGIS_ANY), links = aegis_page_alloc(AEGIS_ANY);
        int64_t status = aegis_table_insert(0, va, level, (uint64_t)table, (uint64_t)links);
        if (status < 0)
            return status;
    }
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    int64_t status = aegis_map(0, va, (uint64_t)page, AEGIS_PROT_READ | AEGIS_PROT_WRITE, NULL);
    if (status < 0)
        return status;
    *(volatile uint64_t *)va = 42;
    status = aegis_protect(0, va, 1, AEGIS_PROT_READ);
    if (status < 0)
        return status;
    status = aegis_unmap(0, va, 1);
    if (status < 0)
        return status;
    aegis_table_remove(0, va, 0);
    aegis_table_remove(0, va, 1);
    return aegis_page_free((uint64_t)page); /* and the tables' four, if they aren't kept */
}

/* page_alloc_run */
static int64_t take_two_neighbours(void)
{
    const volatile struct aegis_info *info = aegis_info();
    uint64_t ppn = info->first_ppn;
    while (aegis_page(ppn)->state != AEGIS_PAGE_FREE ||
           aegis_page(ppn + 1)->state != AEGIS_PAGE_FREE)
        ppn++;
    int64_t first = aegis_page_alloc_run(ppn, 2);
    if (first < 0)
        return first;
    aegis_page_free(ppn + 1);
    return aegis_page_free(ppn);
}

/* map_batch */
static int64_t change_two_pages_at_once(void)
{
    char *region = vm_alloc(2, VM_READ_WRITE); /* so that there are tables */
    uint64_t from = (uint64_t)region, to = from + AEGIS_PAGE_SIZE,
             second = (uint64_t)vm_page_at(region + AEGIS_PAGE_SIZE);
    const struct aegis_map_op ops[] = {
        {.va = from, .change = AEGIS_MAP_PROTECT, .prot = AEGIS_PROT_READ},
        {.va = to, .change = AEGIS_MAP_REMOVE},
    };
    int64_t status = aegis_map_batch(0, ops, 2);
    if (status < 0)
        return status;
    const struct aegis_map_op back = {
        .va = to, .ppn = second, .change = AEGIS_MAP_INSERT, .prot = VM_READ_WRITE};
    status = aegis_map_batch(0, &back, 1);
    return status < 0 ? status : vm_free(region);
}

/* map_share */
static int64_t share_memory_with_a_child(void)
{
    struct raw child; /* a test's: env_create, and its address space */
    raw_create(&child, "child", blob_end, blob_end_end);
    uint64_t *memory = vm_alloc(1, VM_READ_WRITE);
    uint64_t va = (uint64_t)memory, ppn = (uint64_t)vm_page_at(memory);
    *memory = 42;
    int64_t status = vm_map(child.env, va, ppn, VM_READ_WRITE, NULL); /* so that there are tables */
    if (status == 0)
        status = aegis_unmap(child.env, va, 1);
    if (status < 0)
        return status;
    int64_t shared = aegis_map_share(child.env, va, 1, AEGIS_SHARE_PRIVATE, va);
    if (shared != 1)
        return shared;
    /* Now neither may write to it; when this program frees it, the child owns it. */
    status = vm_free(memory);
    uint32_t owner = aegis_page(ppn)->owner;
    aegis_env_end(child.env, 0);
    uint32_t heir = child.env;
    raw_finish(&child);
    return status < 0 ? status : owner == heir ? 0 : -1;
}

/* map_own */
static int64_t copy_on_write(void)
{
    uint64_t *memory = vm_alloc(1, VM_READ_WRITE);
    uint64_t page = (uint64_t)vm_page_at(memory);
    int64_t status = aegis_protect(0, (uint64_t)memory, 1, AEGIS_PROT_READ);
    if (status < 0)
        return status;
    /* The fault's handler: nobody else has the page, so there is nothing to copy. */
    int64_t own = aegis_map_own((uint64_t)memory, AEGIS_PROT_READ | AEGIS_PROT_WRITE);
    if (own < 0)
        return own;
    *memory = 42;
    status = vm_free(memory);
    return status < 0 ? status : (uint64_t)own == page ? 0 : -1;
}

/* cap_derive, cap_revoke */
static int64_t pass_on_less_and_take_it_all_back(void)
{
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    struct aegis_cap both, one; /* one may go to somebody who is trusted less */
    int64_t status = aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)page,
                                    AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &both);
    if (status == 0)
        status = aegis_cap_derive(&both, AEGIS_RIGHT_READ, &one);
    if (status == 0) /* both are stale from now on, and what was mapped with them is unmapped */
        status = aegis_cap_revoke(AEGIS_KIND_PAGE, (uint64_t)page, AEGIS_REVOKE_SEVER);
    return status < 0 ? status : aegis_page_free((uint64_t)page);
}

/* cap_mint */
static int64_t let_others_read_a_page(void)
{
    struct aegis_cap cap; /* plain bytes: whoever has them may map the page to read it */
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    int64_t status = aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)page, AEGIS_RIGHT_READ, &cap);
    return status < 0 ? status : aegis_page_free((uint64_t)page); /* and the bytes are worthless */
}

/* env_create, page_give, env_end, env_free */
static int64_t make_and_end_an_environment(void)
{
    int64_t state = aegis_page_alloc(AEGIS_ANY), root = aegis_page_alloc(AEGIS_ANY);
    int64_t env = aegis_env_create((uint64_t)state, (uint64_t)root, "example\0\0\0\0\0\0\0\0");
    if (env < 0)
        return env;
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    int64_t status = aegis_page_give((uint64_t)page, (uint32_t)env);
    if (status < 0)
        return status;
    aegis_env_end((uint32_t)env, 0); /* the page, too, is taken back in the environment's slots */
    struct aegis_predicate ended = aegis_when_ended((uint32_t)env);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    return aegis_env_free((uint32_t)env);
}

/* env_start */
static int64_t run_an_environment(void)
{
    /* a0 is the argument: env_end(0, argument) */
    static const uint32_t code[] = {0x00050593, 0x00000513, 0x000018b7, 0x02288893, 0x00000073};
    const uint64_t va = 0x10000;
    uint64_t pages[6];
    for (int i = 0; i < 6; i++)
        pages[i] = (uint64_t)aegis_page_alloc(AEGIS_ANY);
    int64_t env = aegis_env_create(pages[0], pages[1], "example\0\0\0\0\0\0\0\0");
    uint32_t *memory = vm_alloc(1, VM_READ_WRITE);
    memcpy(memory, code, sizeof code);
    __asm__ volatile("fence.i");
    aegis_table_insert((uint32_t)env, va, 1, pages[2], pages[3]);
    aegis_table_insert((uint32_t)env, va, 0, pages[4], pages[5]);
    aegis_map((uint32_t)env, va, (uint64_t)vm_page_at(memory), AEGIS_PROT_READ | AEGIS_PROT_EXEC,
              NULL);
    int64_t status = aegis_env_start((uint32_t)env, va, 0, 7);
    if (status < 0)
        return status;
    struct aegis_predicate ended = aegis_when_ended((uint32_t)env);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    int64_t value = (int64_t)aegis_env((uint32_t)env)->exit_value; /* 7 */
    aegis_env_free((uint32_t)env);
    vm_free(memory);
    return value;
}

/* upcall_bind */
static int64_t take_and_leave_exceptions(void)
{
    /* begins with t0 = the frame; entry.S of the library is a complete one */
    extern const char upcall_entry[];
    struct aegis_upcall_page *page = vm_alloc(1, VM_READ_WRITE);
    int64_t status = aegis_upcall_bind(page, (uint64_t)upcall_entry);
    if (status < 0)
        return status;
    status = aegis_upcall_bind(NULL, 0);
    return status < 0 ? status : vm_free(page);
}

/* resume */
static int64_t go_on_elsewhere(void)
{
    static _Alignas(16) uint64_t stack[512];
    struct aegis_context context = {.pc = (uint64_t)come_back};
    context.x[1] = (uint64_t)(stack + 512); /* sp is x2 */
    __asm__("mv %0, tp" : "=r"(context.x[3]));
    if (setjmp(here))
        return 0; /* come_back's longjmp leads here */
    return aegis_resume(&context, 0);
}

/* repossession_bind */
static int64_t be_told_what_is_taken(void)
{
    struct aegis_repossession *vector = vm_alloc(1, VM_READ_WRITE);
    int64_t status = aegis_repossession_bind(vector); /* vector->count counts entries from now on */
    if (status == 0)
        status = aegis_repossession_bind(NULL);
    return status < 0 ? status : vm_free(vector);
}

/* revoke */
static int64_t ask_for_a_page_back(void)
{
    struct raw child; /* it sleeps, so that its page is taken when the deadline is over */
    raw_create(&child, "sleep", blob_sleep, blob_sleep_end);
    raw_start(&child, 0);
    int64_t status = aegis_revoke(child.env, AEGIS_KIND_PAGE, 1);
    struct aegis_predicate done = AEGIS_WHEN(aegis_env(child.env)->revoking, EQ, 0);
    if (status == 0)
        aegis_wait(&done, 1, AEGIS_FOREVER);
    aegis_env_end(child.env, 0);
    raw_finish(&child);
    return status;
}

/* gate_bind, gate_call, gate_unbind, gate_accept, gate_return, gate_send */
static int64_t call_a_server(void)
{
    /* Its code is gate_accept, and at its entry gate_return: blobs.S; libos/gate serves in C. */
    struct raw server;
    raw_create(&server, "mirror", blob_mirror, blob_mirror_end);
    raw_start(&server, 0);
    struct aegis_cap cap;
    int64_t status = aegis_cap_mint(AEGIS_KIND_ENV, server.env, AEGIS_RIGHT_CALL, &cap);
    if (status == 0)
        status = aegis_gate_bind(0, &cap);
    if (status < 0)
        return status;
    int64_t answered; /* who did: BUSY until the server accepts, TIME at a slice's end */
    while ((answered = aegis_gate_call(0)) == -AEGIS_E_BUSY || answered == -AEGIS_E_TIME)
        aegis_yield(0);
    status = aegis_gate_send(0, 1, 2, 3, 4); /* it is entered with them in its next slice */
    aegis_gate_unbind(0);
    aegis_env_end(server.env, 0);
    raw_finish(&server);
    return status < 0 ? status : answered == server.env;
}

/* quota_set */
static int64_t give_a_child_its_share(void)
{
    struct raw child; /* 20 pages beyond those that it has, a slot and a number; nothing else */
    raw_create(&child, "end", blob_end, blob_end_end);
    const struct aegis_limits limits = {
        .limit = {[AEGIS_QUOTA_PAGES] = aegis_env(child.env)->pages + 20,
                  [AEGIS_QUOTA_SLOTS] = 1,
                  [AEGIS_QUOTA_ENVS] = 1}};
    int64_t status = aegis_quota_set(child.env, &limits);
    raw_start(&child, 0);
    raw_finish(&child);
    return status;
}

/* net_bind, net_ring, net_send, net_counters, net_unbind */
static int64_t receive_udp_and_send_arp(void)
{
    struct filter_image ingress, egress; /* DPF images: dpfc makes them of a line of text */
    filter_udp_to(&ingress, 4711);
    filter_sent_type(&egress, 0, ETH_TYPE_ARP);
    struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_ROOT], /* DELEGATE */
                                        .ingress = ingress.words,
                                        .ingress_size = ingress.size,
                                        .egress = egress.words,
                                        .egress_size = egress.size};
    int64_t binding = aegis_net_bind(&request);
    if (binding < 0)
        return binding;
    struct aegis_ring *ring = vm_alloc(1 + 64 / 2, VM_READ_WRITE);
    int64_t status = aegis_net_ring((uint32_t)binding, ring, 64); /* ring->head counts frames */
    if (status < 0)
        return status;
    static uint8_t frame[60];
    for (size_t i = 0; i < 6; i++)
        frame[ETH_SOURCE + i] = aegis_info()->netifs[0].mac[i];
    frame[ETH_TYPE] = ETH_TYPE_ARP >> 8;
    frame[ETH_TYPE + 1] = ETH_TYPE_ARP & 0xff;
    struct aegis_frame_out out = {.address = frame, .length = sizeof frame};
    int64_t taken = aegis_net_send((uint32_t)binding, &out, 1);
    if (taken < 0)
        return taken;
    struct aegis_counters counters;
    status = aegis_net_counters((uint32_t)binding, &counters, NULL);
    if (status < 0)
        return status;
    status = aegis_net_unbind((uint32_t)binding);
    vm_free(ring);
    return status < 0 ? status : (int64_t)counters.sent; /* 1 */
}

/* handler_load, handler_bind, handler_status, handler_unload */
static int64_t run_a_handler(void)
{
    /* What ashc makes of a C function that returns XDP_PASS. */
    static const struct {
        struct ash_header header;
        struct ash_insn insns[2];
    } image = {
        .header = {.magic = ASH_MAGIC,
                   .version = ASH_VERSION,
                   .event = ASH_EVENT_FRAME,
                   .insns = 2,
                   .name = "pass"},
        .insns = {{0xb7, 0, 0, 2}, {0x95, 0, 0, 0}}, /* r0 = 2; exit */
    };
    char message[AEGIS_MESSAGE_SIZE];
    struct aegis_handler_request request = {
        .image = &image, .image_size = sizeof image, .message = message};
    int64_t handler = aegis_handler_load(&request);
    if (handler < 0)
        return handler; /* message says which instruction is wrong, and why */
    struct filter_image ingress, egress;
    filter_udp_to(&ingress, 4712);
    filter_sent_type(&egress, 0, ETH_TYPE_IPV4);
    int64_t binding = filter_bind(&ingress, &egress); /* as in the example of net_bind */
    if (binding < 0)
        return binding;
    int64_t status = aegis_handler_bind((uint32_t)handler, (uint32_t)binding);
    struct aegis_handler_status done;
    if (status == 0)
        status = aegis_handler_status((uint32_t)handler, &done);
    if (status == 0)
        status = aegis_handler_unload((uint32_t)handler);
    aegis_net_unbind((uint32_t)binding);
    return status < 0 ? status : (int64_t)done.insns; /* 2 */
}

/* console_read */
static int64_t take_what_the_host_sent(void)
{
    uint8_t bytes[512];
    return aegis_console_read(bytes, sizeof bytes); /* how many; 0: none are there */
}

/* console_write */
static int64_t answer_the_host(void)
{
    static const char text[] = "hello";
    return aegis_console_write(text, sizeof text - 1); /* how many were taken */
}

/* extent_alloc, extent_split, extent_resize, extent_free */
static int64_t make_and_change_an_extent(void)
{
    const struct aegis_cap *root = &exos.start->caps[TEST_CAP_DISK]; /* DELEGATE */
    struct aegis_extent_request request = {.parent = AEGIS_CAP_INDEX(root->name),
                                           .capability = root,
                                           .first = AEGIS_ANY,
                                           .count = 8, /* of 4,096 bytes */
                                           .label = "example"};
    if (!aegis_info()->disk_count)
        return 0;
    int64_t extent = aegis_extent_alloc(&request), rest = 0;
    struct aegis_predicate done =
        AEGIS_WHEN(aegis_info()->disks[0].changes, GE, aegis_info()->disks[0].changes + 1);
    if (extent < 0)
        return extent;
    for (int step = 0; step < 4; step++) {
        aegis_wait(&done, 1, AEGIS_FOREVER); /* the last change is on the disk, or has failed */
        done.value++;
        int64_t status = step == 0   ? aegis_extent_resize((uint32_t)extent, 10, root)
                         : step == 1 ? rest = aegis_extent_split((uint32_t)extent, 6, NULL)
                         : step == 2 ? aegis_extent_free((uint32_t)rest, AEGIS_EXTENT_RETURN)
                                     : aegis_extent_free((uint32_t)extent, AEGIS_EXTENT_RETURN);
        if (status < 0)
            return status;
    }
    aegis_wait(&done, 1, AEGIS_FOREVER);
    return aegis_extent((uint32_t)extent)->state; /* AEGIS_EXTENT_NONE */
}

/* extent_claim */
static int64_t take_ones_own_again(void)
{
    static const uint8_t secret[AEGIS_SECRET_SIZE] = "only we know it";
    /* Where it was made, with which secret, is known from before the reboot. There is none here. */
    return aegis_info()->disk_count ? aegis_extent_claim(0, 1000, 8, secret) : -AEGIS_E_CAPABILITY;
}

/* disk_bind, disk_ring, disk_submit, disk_unbind */
static int64_t read_a_block(void)
{
    const struct aegis_cap *root = &exos.start->caps[TEST_CAP_DISK]; /* READ */
    if (!aegis_info()->disk_count)
        return 0;
    int64_t binding =
        aegis_disk_bind((uint32_t)AEGIS_CAP_INDEX(root->name), AEGIS_RIGHT_READ, root);
    if (binding < 0)
        return binding;
    struct aegis_disk_ring *ring = vm_alloc(1, VM_READ_WRITE);
    void *memory = vm_alloc(1, VM_READ_WRITE);
    int64_t status = aegis_disk_ring(ring);
    if (status < 0)
        return status;
    const struct aegis_disk_request request = {.binding = (uint32_t)binding,
                                               .op = AEGIS_DISK_READ,
                                               .offset = 0, /* in the extent */
                                               .cookie = 1,
                                               .memory = memory,
                                               .length = AEGIS_PAGE_SIZE};
    int64_t taken = aegis_disk_submit(&request, 1);
    if (taken < 0)
        return taken;
    struct aegis_predicate answered = AEGIS_WHEN(ring->head, NE, ring->tail);
    aegis_wait(&answered, 1, AEGIS_FOREVER);
    status = ring->entries[ring->tail++ % AEGIS_DISK_RING].status; /* of cookie 1 */
    aegis_disk_unbind((uint32_t)binding);
    aegis_disk_ring(NULL);
    vm_free(ring);
    vm_free(memory);
    return status;
}

/* net_give */
static int64_t take_an_interface_over(void)
{
    return aegis_net_give(aegis_info()->netifs[0].root, 0);
}

/* console_bind */
static int64_t talk_with_the_host(void)
{
    struct aegis_cap cap = exos.start->caps[TEST_CAP_CONSOLE]; /* from the first application */
    return aegis_console_bind(&cap);
}

/* shutdown */
static int64_t end_the_machine(void)
{
    return aegis_shutdown(0);
}

int main(void)
{
    /* The one machine that is tested without a console says so to anybody. */
    bool console = aegis_console_read(NULL, 0) != -AEGIS_E_NO_DEVICE;
    const struct {
        const char *name;
        int64_t (*run)(void);
        int64_t result;
    } examples[] = {
        {"null", nothing, 0},
        {"yield", let_others_run, 0},
        {"wait", sleep_a_millisecond, 0},
        {"log", say_hello, 0},
        {"entropy", draw_a_key, 0},
        {"slice_alloc", run_twice_a_round, 0},
        {"slice_give", give_a_slot_to_a_child, 0},
        {"slice_bind", let_the_kernel_keep_registers, 0},
        {"page_alloc", take_the_lowest_free_page, 0},
        {"map", map_a_page, 0},
        {"page_alloc_run", take_two_neighbours, 0},
        {"map_batch", change_two_pages_at_once, 0},
        {"map_share", share_memory_with_a_child, 0},
        {"map_own", copy_on_write, 0},
        {"cap_derive", pass_on_less_and_take_it_all_back, 0},
        {"cap_mint", let_others_read_a_page, 0},
        {"env_create", make_and_end_an_environment, 0},
        {"env_start", run_an_environment, 7},
        {"resume", go_on_elsewhere, 0},
        {"upcall_bind", take_and_leave_exceptions, 0},
        {"repossession_bind", be_told_what_is_taken, 0},
        {"quota_set", give_a_child_its_share, 0},
        {"revoke", ask_for_a_page_back, 0},
        {"gate_bind", call_a_server, 1},
        {"net_bind", receive_udp_and_send_arp, 1},
        {"net_give", take_an_interface_over, -AEGIS_E_OWNER}, /* it is the first application's */
        {"handler_load", run_a_handler, 2},
        {"extent_alloc", make_and_change_an_extent, 0},
        {"extent_claim", take_ones_own_again, -AEGIS_E_CAPABILITY},
        {"disk_bind", read_a_block, 0},
        /* With its capability; it is given back when this program ends. */
        {"console_bind", talk_with_the_host, console ? 0 : -AEGIS_E_NO_DEVICE},
        {"console_read", take_what_the_host_sent, console ? 0 : -AEGIS_E_NO_DEVICE},
        {"console_write", answer_the_host, console ? 5 : -AEGIS_E_NO_DEVICE},
        /* This is the first application's. */
        {"shutdown", end_the_machine, -AEGIS_E_OWNER},
    };

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        int64_t result = examples[i].run();
        if (result != examples[i].result)
            FAIL("%s: %lld, %s", examples[i].name, (long long)result, aegis_error_name(result));
    }
    return 0;
}
