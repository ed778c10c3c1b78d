/* The reader of device trees: a board to the letter, QEMU's own tree, each refusal by name, and
 * trees that are broken in ways that no compiler makes. Arguments: the tree made of board.dts, and
 * QEMU's. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>
#include "board_check.h"
#include "host.h"
#include "kernel/rv64/board.h"
#include "kernel/rv64/layout.h"
#include "random.h"

#define AT   0x87000000UL /* where the firmware has put the tree */
#define ROOM 16384        /* for edits */

static uint8_t *good, *qemu;
static size_t good_size, qemu_size;

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(2 << 20);

    if (!file || !bytes) {
        perror(path);
        exit(1);
    }
    *size = fread(bytes, 1, 2 << 20, file);
    fclose(file);
    return bytes;
}

/* A tree in memory of exactly its size, at a physical address, read for a boot hart. */
struct reading {
    const void *tree;
    size_t size;
    uint64_t hart;
    struct board board;
};

static void read_board(void *argument)
{
    struct reading *r = argument;

    board_read(&r->board, host_base, r->hart);
}

static enum host_end read_exactly(struct reading *r)
{
    host_memory = aligned_alloc(8, (r->size + 7) & ~7UL);
    memcpy(host_memory, r->tree, r->size);
    /* Bytes behind the tree would be somebody else's memory; aligned_alloc's padding is ours. */
    __asan_poison_memory_region(host_memory + r->size, ((r->size + 7) & ~7UL) - r->size);
    host_base = AT;
    host_size = r->size;
    enum host_end how = host_run(read_board, r);
    if (how == HOST_RETURNED)
        check_board(&r->board, r->size);
    return how;
}

static void forget(void)
{
    __asan_unpoison_memory_region(host_memory, (host_size + 7) & ~7UL);
    free(host_memory);
}

static struct board read_good(const void *tree, size_t size, uint64_t hart)
{
    static struct reading r;

    r = (struct reading){.tree = tree, .size = size, .hart = hart};
    if (read_exactly(&r) != HOST_RETURNED)
        fail_msg("%s", host_text);
    return r.board;
}

#define HART 0x500000002UL /* that board.dts's tree is read for, but where a test says */

static void assert_range(struct range range, uint64_t start, uint64_t end)
{
    if (range.start != start || range.end != end)
        fail_msg("0x%lx to 0x%lx instead of 0x%lx to 0x%lx", range.start, range.end, start, end);
}

static void a_board_is_read_to_the_letter(void **state)
{
    (void)state;
    struct board b = read_good(good, good_size, HART);

    assert_int_equal(b.memory_count, 3);
    assert_range(b.memory[0], 0x90000000, 0x94000000);
    assert_range(b.memory[1], 0x98000000, 0x9a000000);
    assert_range(b.memory[2], 0xa0000000, 0xa1000000);
    assert_int_equal(b.reserved_count, 5);
    assert_range(b.reserved[0], 0x90000000, 0x90021000);
    assert_range(b.reserved[1], 0x91000000, 0x91000010);
    assert_range(b.reserved[2], 0x98000000, 0x98040000);
    assert_range(b.reserved[3], 0x98100000, 0x98101000);
    assert_range(b.reserved[4], 0x1000000000, 0x1000002000);
    assert_range(b.tree, AT, AT + good_size);
    assert_range(b.initrd, 0x94000000, 0x94012345);
    assert_true(b.hart_count == 2 && b.harts[0] == 1 && b.harts[1] == HART);
    assert_true(b.timebase == 24000000 && b.sstc);
    assert_string_equal(b.isa, "rv64imafdc_zicsr_sstc");
    assert_range(b.uart.registers, 0x3000, 0x3800);
    assert_true(b.uart.irq == 33 && b.uart_shift == 2);
    assert_range(b.plic, 0xc000000, 0xc400000);
    assert_true(b.plic_context == 4 && b.plic_sources == 77);
    assert_range(b.test.registers, 0x100004000, 0x100005000);
    assert_range(b.rtc.registers, 0x5000, 0x6000);
    assert_int_equal(b.virtio_count, 2); /* the third is disabled */
    assert_range(b.virtio[0].registers, 0x6000, 0x7000);
    assert_range(b.virtio[1].registers, 0x8000, 0x8200);
    assert_true(b.virtio[0].irq == 1 && b.virtio[1].irq == 3);
    assert_string_equal(b.bootargs, "ip=10.1.2.3/24,10.1.2.1 trace=1  panic= x=y=z ip=late");
    assert_int_equal(b.rng_seed_size, 12);
    assert_memory_equal(b.rng_seed, "\1\2\3\4\5\6\7\10\11\12\13\14", 12);
    forget();
}

static void another_boot_hart_has_its_own_context_and_isa(void **state)
{
    (void)state;
    struct board b = read_good(good, good_size, 1);

    assert_true(b.plic_context == 2 && !b.sstc); /* sstcx is another extension */
    assert_string_equal(b.isa, "rv64imafdc_zicsr_sstcx_zba");
    forget();
}

static void qemus_tree_is_read(void **state)
{
    (void)state;
    struct board b = read_good(qemu, qemu_size, 1);

    assert_true(b.memory_count == 1 && b.hart_count == 2 && b.virtio_count == 8);
    assert_range(b.memory[0], 0x80000000, 0x80000000 + (96 << 20));
    assert_true(b.timebase == 10000000 && b.plic_context == 3 && b.sstc);
    assert_true(b.uart.registers.start == 0x10000000 && b.uart.irq == 10);
    assert_true(b.test.registers.start == 0x100000 && b.rtc.registers.start == 0x101000);
    assert_true(b.rng_seed_size == 32 && *b.bootargs == 0 && b.initrd.end == 0);
    forget();
}

/* A tree to change. */
static uint8_t edited[ROOM];

static int edit(const char *path)
{
    int node = fdt_path_offset(edited, path);

    if (node < 0)
        fail_msg("%s: %s", path, fdt_strerror(node));
    return node;
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(fdt_open_into(good, edited, ROOM), 0);
    return 0;
}

static struct board read_edited(void)
{
    assert_int_equal(fdt_pack(edited), 0);
    return read_good(edited, fdt_totalsize(edited), HART);
}

static void refuses(const char *why)
{
    static struct reading r;

    fdt_pack(edited);
    r = (struct reading){.tree = edited, .size = fdt_totalsize(edited), .hart = HART};
    assert_int_equal(read_exactly(&r), HOST_REFUSED);
    assert_string_equal(host_text, why);
    forget();
}

static void delete_node(const char *path)
{
    assert_int_equal(fdt_del_node(edited, edit(path)), 0);
}

static void delete_property(const char *path, const char *name)
{
    assert_int_equal(fdt_delprop(edited, edit(path), name), 0);
}

static void set(const char *path, const char *name, const void *value, int size)
{
    assert_int_equal(fdt_setprop(edited, edit(path), name, value, size), 0);
}

static void no_memory(void **state)
{
    (void)state;
    delete_node("/memory@90000000");
    delete_node("/memory@a0000000");
    refuses("device tree: no memory");
}

static void no_cpus(void **state)
{
    (void)state;
    delete_node("/cpus");
    refuses("device tree: no /cpus");
}

static void no_timebase(void **state)
{
    (void)state;
    delete_property("/cpus", "timebase-frequency");
    refuses("device tree: no timebase-frequency in /cpus");
}

static void no_isa_of_the_boot_hart(void **state)
{
    (void)state;
    delete_property("/cpus/cpu@500000002", "riscv,isa");
    refuses("device tree: no riscv,isa of rv64 for hart 21474836482");
}

static void a_boot_hart_of_32_bits(void **state)
{
    (void)state;
    set("/cpus/cpu@500000002", "riscv,isa", "rv32imac", 9);
    refuses("device tree: no riscv,isa of rv64 for hart 21474836482");
}

static void a_boot_hart_that_the_tree_does_not_have(void **state)
{
    (void)state;
    delete_node("/cpus/cpu@500000002");
    refuses("device tree: no riscv,isa of rv64 for hart 21474836482");
}

static void no_interrupt_controller(void **state)
{
    (void)state;
    delete_node("/interrupt-controller@c000000");
    refuses("device tree: no interrupt controller sifive,plic-1.0.0");
}

static void no_context_for_the_boot_hart(void **state)
{
    (void)state;
    uint32_t others[6] = {cpu_to_fdt32(0x12), cpu_to_fdt32(9), cpu_to_fdt32(0x13),
                          cpu_to_fdt32(11),   cpu_to_fdt32(9), cpu_to_fdt32(0x13)};

    set("/interrupt-controller@c000000", "interrupts-extended", others, sizeof(others));
    refuses("device tree: the PLIC has no supervisor context for the boot hart");
}

static void more_ranges_than_there_is_room_for(void **state)
{
    (void)state;
    uint32_t reg[2 * (BOARD_RANGES + 1)];

    for (uint32_t i = 0; i < 2 * (BOARD_RANGES + 1); i += 2) {
        reg[i] = cpu_to_fdt32(0x80000000 + i * 0x1000);
        reg[i + 1] = cpu_to_fdt32(0x1000);
    }
    set("/memory@90000000", "reg", reg, sizeof(reg));
    refuses("device tree: more than 16 ranges of memory");
}

static void more_harts_than_there_is_room_for(void **state)
{
    (void)state;
    char name[16];

    for (int i = 0; i < BOARD_HARTS; i++) {
        snprintf(name, sizeof(name), "cpu@%x", 0x10 + i);
        int node = fdt_add_subnode(edited, edit("/cpus"), name);
        assert_true(node >= 0);
        fdt_setprop(edited, node, "device_type", "cpu", 4);
        fdt_setprop_u32(edited, node, "reg", (uint32_t)(0x10 + i));
    }
    refuses("device tree: more than 64 harts");
}

static void more_devices_than_there_is_room_for_are_left_alone(void **state)
{
    (void)state;
    char name[32];

    for (int i = 0; i < BOARD_VIRTIO + 5; i++) {
        snprintf(name, sizeof(name), "virtio@%x", 0x10000 + i * 0x1000);
        int node = fdt_add_subnode(edited, edit("/soc"), name);
        assert_true(node >= 0);
        fdt_setprop_string(edited, node, "compatible", "virtio,mmio");
        uint64_t reg[2] = {cpu_to_fdt64((uint64_t)(0x10000 + i * 0x1000)), cpu_to_fdt64(0x1000)};
        fdt_setprop(edited, node, "reg", reg, sizeof(reg));
    }
    assert_int_equal(read_edited().virtio_count, BOARD_VIRTIO);
    forget();
}

static void what_is_not_there_is_empty(void **state)
{
    (void)state;
    delete_node("/soc");
    delete_node("/chosen");
    delete_node("/reserved-memory");
    struct board b = read_edited();
    assert_true(b.uart.registers.end == 0 && b.test.registers.end == 0 && b.rtc.registers.end == 0);
    assert_true(b.virtio_count == 0 && b.initrd.end == 0 && b.rng_seed_size == 0);
    assert_true(b.reserved_count == 2 && *b.bootargs == 0);
    forget();
}

/* Strings of the tree that don't end: the bytes behind them are the tree's, or nobody's. */
static void a_string_without_an_end_is_none(void **state)
{
    (void)state;
    set("/chosen", "bootargs", "ip=1.2.3.4", 10);
    assert_string_equal(read_edited().bootargs, "");
    forget();
    assert_int_equal(fdt_open_into(good, edited, ROOM), 0);
    set("/soc/virtio@6000", "status", "okay", 4);
    assert_int_equal(read_edited().virtio_count, 1);
    forget();
    assert_int_equal(fdt_open_into(good, edited, ROOM), 0);
    set("/soc/virtio@6000", "status", "", 0);
    assert_int_equal(read_edited().virtio_count, 1);
    forget();
    assert_int_equal(fdt_open_into(good, edited, ROOM), 0);
    set("/cpus/cpu@1", "device_type", "cpu", 3);
    assert_int_equal(read_edited().hart_count, 1);
    forget();
    assert_int_equal(fdt_open_into(good, edited, ROOM), 0);
    set("/cpus/cpu@500000002", "riscv,isa", "rv64imac_sstc", 13);
    refuses("device tree: no riscv,isa of rv64 for hart 21474836482");
}

static void set_ranges(const char *path, const uint64_t *cells, int count)
{
    uint64_t big[8];

    for (int i = 0; i < count; i++)
        big[i] = cpu_to_fdt64(cells[i]);
    fdt_setprop_u32(edited, 0, "#address-cells", 2);
    fdt_setprop_u32(edited, 0, "#size-cells", 2);
    set(path, "reg", big, count * 8);
}

static void memory_is_whole_pages_and_ends_where_the_physical_map_does(void **state)
{
    (void)state;
    delete_node("/memory@a0000000");
    /* The PLIC's cells change their meaning with the root's: give it none that count. */
    uint64_t plic[2] = {cpu_to_fdt64(0xc000000), cpu_to_fdt64(0x400000)};
    set("/interrupt-controller@c000000", "reg", plic, sizeof(plic));
    const uint64_t cells[] = {0x90000800,   0x3000,  /* three pages and two halves */
                              0x91000000,   0,       /* nothing */
                              0x92000001,   0xffe,   /* not one page */
                              PHYSMAP_SIZE, 0x1000}; /* beyond */
    set_ranges("/memory@90000000", cells, 8);
    struct board b = read_edited();
    assert_int_equal(b.memory_count, 1);
    assert_range(b.memory[0], 0x90001000, 0x90003000);
    forget();
    const uint64_t end[] = {0x90000000, UINT64_MAX,         PHYSMAP_SIZE - 0x1000,
                            0x2000,     UINT64_MAX - 0xfff, 0x1000,
                            UINT64_MAX, UINT64_MAX};
    set_ranges("/memory@90000000", end, 8);
    b = read_edited();
    assert_int_equal(b.memory_count, 2);
    assert_range(b.memory[0], 0x90000000, PHYSMAP_SIZE);
    assert_range(b.memory[1], PHYSMAP_SIZE - 0x1000, PHYSMAP_SIZE);
    forget();
}

static void what_is_reserved_to_the_end_of_all_addresses_stays_reserved(void **state)
{
    (void)state;
    while (fdt_num_mem_rsv(edited) > 0)
        assert_int_equal(fdt_del_mem_rsv(edited, 0), 0);
    fdt_add_mem_rsv(edited, 0x93000000, UINT64_MAX - 0x93000000 + 1);
    fdt_add_mem_rsv(edited, 0x93001000, UINT64_MAX); /* and round again */
    fdt_add_mem_rsv(edited, UINT64_MAX, 1);
    fdt_add_mem_rsv(edited, 0x92000000, 0x1000);
    uint32_t reg[6] = {0, cpu_to_fdt32(0x98000000), UINT32_MAX, UINT32_MAX, 0, cpu_to_fdt32(1)};
    set("/reserved-memory/firmware@98000000", "reg", reg, sizeof(reg));
    delete_node("/reserved-memory/far@1000000000");
    struct board b = read_edited();
    assert_int_equal(b.reserved_count, 4);
    assert_range(b.reserved[0], 0x93000000, PHYSMAP_SIZE);
    assert_range(b.reserved[1], 0x93001000, PHYSMAP_SIZE);
    assert_range(b.reserved[2], 0x92000000, 0x92001000);
    assert_range(b.reserved[3], 0x98000000, 0x98000000 + 0xffffffffUL);
    forget();
}

static void a_tree_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
    } breaks[] = {{0, 0}, {3, 0}, {27, 99}, {4, 0x80}};

    for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
        static struct reading r;
        memcpy(edited, good, good_size);
        edited[breaks[i].at] = breaks[i].byte;
        r = (struct reading){.tree = edited, .size = good_size, .hart = HART};
        assert_int_equal(read_exactly(&r), HOST_REFUSED);
        assert_string_equal(host_text,
                            "no device tree at 0x87000000, where the firmware says that it is");
        forget();
    }
}

struct place {
    uint64_t at;
    struct board board;
};

static void read_at(void *argument)
{
    struct place *p = argument;

    board_read(&p->board, p->at, 0);
}

static void an_address_that_can_not_be_is_refused_before_it_is_read(void **state)
{
    (void)state;
    static struct place places[] = {
        {.at = PHYSMAP_SIZE}, {.at = UINT64_MAX & ~7UL}, {.at = AT + 4}};

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        host_size = 0;
        assert_int_equal(host_run(read_at, &places[i]), HOST_REFUSED);
    }
}

/* Any byte, any bit, any cut: refused, or a board that holds what board.h promises. */
static void mutated_trees_end_well(void **state)
{
    (void)state;
    static struct reading r;
    size_t read = 0, refused = 0;

    seed_random(8);
    for (int i = 0; i < 5000; i++) {
        size_t size = good_size;
        memcpy(edited, good, good_size);
        for (uint64_t n = 1 + random_below(6); n > 0; n--) {
            size_t at = random_below(good_size);
            switch (random_below(4)) {
            case 0:
                edited[at] ^= (uint8_t)(1 << random_below(8));
                break;
            case 1:
                edited[at] = (uint8_t)random_below(256);
                break;
            case 2: /* a word of the header, or a cell */
                at = random_below(2) ? random_below(10) * 4 : at & ~3UL;
                memcpy(edited + at, &(uint32_t){(uint32_t)random_below(1UL << 32)}, 4);
                break;
            default: /* a piece of it again, elsewhere */
                if (at + 8 <= good_size)
                    memmove(edited + at, edited + random_below(good_size - 8), 8);
            }
        }
        if (random_below(8) == 0)
            size = 40 + random_below(good_size - 40);
        if (fdt_totalsize(edited) >
            size) /* what the firmware says of its length has to be believed */
            fdt_set_totalsize(edited, (uint32_t)size);
        r = (struct reading){.tree = edited, .size = size, .hart = HART};
        if (read_exactly(&r) == HOST_RETURNED)
            read++;
        else
            refused++;
        forget();
    }
    assert_true(read > 500 && refused > 500);
}

static void arguments_are_found_by_whole_names(void **state)
{
    (void)state;
    struct board b = {.bootargs = "ip=10.1.2.3 trace=1  panic= x=y=z xip=9 ip=late ip "};
    static const struct {
        const char *name, *value;
    } rows[] = {{"ip", "10.1.2.3"}, {"trace", "1"}, {"panic", ""},    {"x", "y=z"}, {"xip", "9"},
                {"p", NULL},        {"i", NULL},    {"tracer", NULL}, {"y", NULL},  {"late", NULL}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t length = 99;
        const char *value = board_argument(&b, rows[i].name, &length);
        if (!rows[i].value) {
            assert_null(value);
            continue;
        }
        assert_int_equal(length, strlen(rows[i].value));
        assert_memory_equal(value, rows[i].value, length);
    }
    b.bootargs = "";
    size_t length;
    assert_null(board_argument(&b, "ip", &length));
    b.bootargs = "   ";
    assert_null(board_argument(&b, "ip", &length));
}

#define EDIT(name) cmocka_unit_test_setup(name, begin)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_board_is_read_to_the_letter),
        cmocka_unit_test(another_boot_hart_has_its_own_context_and_isa),
        cmocka_unit_test(qemus_tree_is_read),
        EDIT(no_memory),
        EDIT(no_cpus),
        EDIT(no_timebase),
        EDIT(no_isa_of_the_boot_hart),
        EDIT(a_boot_hart_of_32_bits),
        EDIT(a_boot_hart_that_the_tree_does_not_have),
        EDIT(no_interrupt_controller),
        EDIT(no_context_for_the_boot_hart),
        EDIT(more_ranges_than_there_is_room_for),
        EDIT(more_harts_than_there_is_room_for),
        EDIT(more_devices_than_there_is_room_for_are_left_alone),
        EDIT(what_is_not_there_is_empty),
        EDIT(a_string_without_an_end_is_none),
        EDIT(memory_is_whole_pages_and_ends_where_the_physical_map_does),
        EDIT(what_is_reserved_to_the_end_of_all_addresses_stays_reserved),
        cmocka_unit_test(a_tree_that_is_none_is_refused),
        cmocka_unit_test(an_address_that_can_not_be_is_refused_before_it_is_read),
        cmocka_unit_test(mutated_trees_end_well),
        cmocka_unit_test(arguments_are_found_by_whole_names),
    };

    if (argc != 3) {
        fprintf(stderr, "usage: %s board.dtb qemu.dtb\n", argv[0]);
        return 2;
    }
    good = read_file(argv[1], &good_size);
    qemu = read_file(argv[2], &qemu_size);
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    free(good), free(qemu);
    return status;
}
