/*
 * Device trees that lack something, or have it wrong: each refusal by name, and what is read of the
 * rest. Argument: the tree made of board.dts, which each test changes.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>
#include "board_read.h"
#include "kernel/rv64/layout.h"

#define ROOM 16384 /* for edits */

static uint8_t *good;

static void assert_range(struct range range, uint64_t start, uint64_t end)
{
    if (range.start != start || range.end != end)
        fail_msg("0x%lx to 0x%lx instead of 0x%lx to 0x%lx", range.start, range.end, start, end);
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
        uint64_t reg[2] = {cpu_to_fdt64(0x10000 + (uint64_t)i * 0x1000), cpu_to_fdt64(0x1000)};
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

#define EDIT(name) cmocka_unit_test_setup(name, begin)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
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
    };
    size_t size;

    if (argc != 2) {
        fprintf(stderr, "usage: %s board.dtb\n", argv[0]);
        return 2;
    }
    good = read_file(argv[1], &size);
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    free(good);
    return status;
}
