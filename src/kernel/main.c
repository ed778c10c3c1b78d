/*
 * The boot, in order. At its end the kernel has bound nothing for itself that an application could
 * use: everything goes to the first application.
 */
#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/check/check.h"
#include "kernel/code.h"
#include "kernel/disk.h"
#include "kernel/drivers/plic.h"
#include "kernel/drivers/rtc.h"
#include "kernel/drivers/uart.h"
#include "kernel/drivers/virtio.h"
#include "kernel/drivers/virtio_console.h"
#include "kernel/drivers/virtio_rng.h"
#include "kernel/entropy.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/fault.h"
#include "kernel/first.h"
#include "kernel/handler.h"
#include "kernel/irqoff.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/power.h"
#include "kernel/print.h"
#include "kernel/quota.h"
#include "kernel/rv64/sbi.h"
#include "kernel/rv64/timer.h"
#include "siphash/siphash.h"
#include "kernel/slice.h"
#include "kernel/slice_round.h"

#define SEED_BYTES 32 /* taken from virtio-rng */

_Noreturn void kernel_main(uint64_t hart, uint64_t tree);
_Noreturn void run_on_stack(uint64_t top, void (*function)(void)); /* entry.S */

struct hart boot_hart;
static struct board board;
static struct virtio devices[BOARD_VIRTIO];
static size_t device_count;

/* The first most devices of a kind, in the order of the device tree; returns how many. */
static size_t collect(uint32_t id, const char *name, struct virtio *found, size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < device_count; i++) {
        if (devices[i].id != id)
            continue;
        if (count == most)
            print("aegis: more than %lu %s devices: the rest is left alone\n", most, name);
        else
            found[count++] = devices[i];
    }
    return count;
}

static void find_devices(void)
{
    for (size_t i = 0; i < board.virtio_count; i++)
        if (virtio_probe(&devices[device_count], &board.virtio[i]))
            device_count++;
}

static void init_entropy(void)
{
    uint8_t seed[SEED_BYTES];

    if (board_has(&board, "zbb"))
        siphash_use_zbb();
    for (size_t i = 0; i < device_count; i++)
        if (devices[i].id == VIRTIO_ID_RNG)
            entropy_add(seed, virtio_rng_read(&devices[i], seed, sizeof(seed)));
    if (board.rng_seed_size)
        entropy_add(board.rng_seed, board.rng_seed_size);
    entropy_ready();
    memset(seed, 0, sizeof(seed));
    cap_init(entropy_key(ENTROPY_CAPABILITIES));
}

/* How long a disk's answer is waited for: AEGIS_DISK_SECONDS, or disk-deadline= of the boot
 * arguments. */
static uint64_t disk_seconds(void)
{
    size_t length;
    const char *text = board_argument(&board, "disk-deadline", &length);
    uint64_t value = 0;

    if (!text)
        return AEGIS_DISK_SECONDS;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || value > 100000)
            refuse("disk-deadline= takes seconds");
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value == 0)
        refuse("disk-deadline= takes 1 or more seconds");
    return value;
}

static void init_devices(void)
{
    struct virtio nics[AEGIS_NETIF_MAX], blocks[AEGIS_DISKS_MAX];
    unsigned int isa = (board_has(&board, "zba") ? RV64_ZBA : RV64_BASE) |
                       (board_has(&board, "zbb") ? RV64_ZBB : RV64_BASE);
    size_t nic_count = collect(VIRTIO_ID_NET, "network", nics, AEGIS_NETIF_MAX);

    netif_init(nics, nic_count, isa);
    handler_init();
    disk_init(blocks, collect(VIRTIO_ID_BLOCK, "block", blocks, AEGIS_DISKS_MAX), disk_seconds());
    if (nic_count == 0)
        print("aegis: no network device: start QEMU with -device virtio-net-device\n");
    for (size_t i = 0; i < device_count; i++)
        if (devices[i].id == VIRTIO_ID_CONSOLE) {
            console_init(&devices[i]);
            return;
        }
    print("aegis: no control console: start QEMU with -device virtconsole\n");
}

/* The boot hart runs; the others must be where the firmware parks them. */
static void check_parked(void)
{
    size_t parked = 0;

    for (size_t i = 0; i < board.hart_count; i++) {
        if (board.harts[i] == this_hart->id)
            continue;
        if (sbi_hart_status(board.harts[i]) != SBI_HART_STOPPED)
            refuse("hart %lu is not stopped: the firmware must hold it (SBI HSM)", board.harts[i]);
        parked++;
    }
    print("aegis: hart %lu runs, %lu parked\n", this_hart->id, parked);
}

static void init_hart(void)
{
    size_t length;
    const char *trace = board_argument(&board, "trace", &length);

    call_init(this_hart, trace_init(trace, length));
    /* The exposed time is rdtime; cycles and instructions may be read as well (section 4.1.5). */
    csr_write(scounteren, 7);
    csr_write(sie, SIE_STIE | SIE_SEIE);
    /* No vector state is kept or moved: off, its instructions are illegal ones. */
    csr_clear(sstatus, SSTATUS_SPP | SSTATUS_FS | SSTATUS_VS);
    csr_set(sstatus, SSTATUS_SPIE);
}

/* On the mapped stack, with guard pages, under the final page table. */
static void boot(void)
{
    const char *fault;
    size_t length;

    uart_init(&board);
    power_init(&board.test);
    timer_init(board.sstc);
    plic_init(&board);
    page_init(&board);
    expose_init(&board);
    code_init();
    info->wall = rtc_wall_at_zero(&board);
    env_init();
    slice_init();
    find_devices();
    init_entropy();
    init_devices();
    init_hart();
    check_init(&board);
    post_init();
    page_init_free();
    quota_open(handler_most());
    check_parked();
    print("aegis: %lu MiB of memory, %lu pages free, timebase %lu Hz%s\n",
          page_count * PAGE_SIZE >> 20, info->free_pages, board.timebase,
          board.sstc ? ", sstc" : "");
    fault = board_argument(&board, "panic", &length);
    if (fault)
        fault_commit(fault, length);
    first_load(&board);
    irqoff_begin(); /* the boot is no stretch that anybody waits for */
    slice_next();
}

void kernel_main(uint64_t hart, uint64_t tree)
{
    print("\nAegis-V " AEGIS_VERSION ": an exokernel for RISC-V\n");
    this_hart->id = hart;
    /* Until its own stack is mapped, a panic runs on the first one. */
    uint64_t sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    this_hart->emergency = sp;
    board_read(&board, tree, hart);
    boot_memory_init(&board);
    paging_init(&board);
    this_hart->stack = STACK_BASE + STACK_OFFSET + STACK_SIZE;
    this_hart->emergency = STACK_BASE + ESTACK_OFFSET + STACK_SIZE;
    run_on_stack(this_hart->stack, boot);
}
