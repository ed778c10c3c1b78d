/*
 * The reader of device trees: a board to the letter, QEMU's own tree, and trees that are broken in
 * ways that no compiler makes. Arguments: the tree made of board.dts, and QEMU's.
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
#include "random.h"

static uint8_t *good, *qemu;
static size_t good_size, qemu_size;

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

static uint8_t edited[16384];

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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_board_is_read_to_the_letter),
        cmocka_unit_test(another_boot_hart_has_its_own_context_and_isa),
        cmocka_unit_test(qemus_tree_is_read),
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
