/*
 * The reader of handler images: each thing that is wrong with one, by name; and cut off anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ash/ash.h"
#include "insns.h"

/* An image with one of everything. */
struct image {
    struct ash_header header;
    struct ash_map_info maps[2];
    struct ash_insn insns[2];
    struct ash_line lines[2];
    char text[16];
    uint8_t data[8];
};

static struct image good(void)
{
    return (struct image){
        .header = {.magic = ASH_MAGIC,
                   .version = ASH_VERSION,
                   .event = ASH_EVENT_FRAME,
                   .insns = 2,
                   .lines = 2,
                   .text = 16,
                   .data = 8,
                   .maps = 2,
                   .name = "echo"},
        .maps = {{.name = "counts",
                  .type = ASH_MAP_ARRAY,
                  .key_size = 4,
                  .value_size = 8,
                  .entries = 4},
                 {.name = ".data",
                  .type = ASH_MAP_ARRAY,
                  .key_size = 4,
                  .value_size = 8,
                  .entries = 1,
                  .flags = ASH_MAP_GLOBAL,
                  .data_size = 8}},
        .insns = {MOV_K(0, 2), EXIT},
        .lines = {{.insn = 0, .line = 7}, {.insn = 1, .line = 9, .file = 7}},
        .text = "echo.c\0lib.h",
        .data = {1, 2, 3},
    };
}

/* Opens and verifies a copy of exactly size bytes. */
static int check(const struct image *image, size_t size)
{
    void *copy = malloc(size ? size : 1);
    struct ash_image view;
    memcpy(copy, image, size);
    int error = ash_image_open(copy, size, &view);
    if (!error) {
        uint32_t n = view.header->insns;
        void *scratch = malloc(ash_scratch_size(n)), *program = malloc(ash_program_size(n));
        error = ash_verify(scratch, ash_scratch_size(n), &view, ASH_EVENT_FRAME, ASH_HELPERS_ALL,
                           program, ash_program_size(n));
        free(scratch);
        free(program);
    }
    free(copy);
    return error;
}

/* A good image with one change is refused by that name. */
#define WRONG(name, change)                                                                        \
    do {                                                                                           \
        struct image i = good();                                                                   \
        change;                                                                                    \
        assert_int_equal(check(&i, sizeof i), ASH_E_##name);                                       \
    } while (0)

static void a_good_image_is_taken(void **state)
{
    (void)state;
    struct image i = good();
    struct ash_image view;
    assert_int_equal(check(&i, sizeof i), 0);
    assert_int_equal(ash_image_open(&i, sizeof i, &view), 0);
    assert_ptr_equal(view.maps, i.maps);
    assert_ptr_equal(view.insns, i.insns);
    assert_ptr_equal(view.lines, i.lines);
    assert_ptr_equal(view.text, i.text);
    assert_ptr_equal(view.data, i.data);
}

static void cut_off_anywhere_it_is_refused(void **state)
{
    (void)state;
    struct image i = good();
    for (size_t size = 0; size < sizeof i; size++)
        assert_int_equal(check(&i, size), ASH_E_TRUNCATED);
    struct {
        struct image image;
        uint64_t more;
    } longer = {.image = i};
    assert_int_equal(check(&longer.image, sizeof longer), ASH_E_TRAILING);
}

static void the_header_is_checked(void **state)
{
    (void)state;
    WRONG(MAGIC, i.header.magic++);
    WRONG(VERSION, i.header.version++);
    WRONG(EVENT, i.header.event = ASH_EVENT_MEMORY);
    WRONG(EVENT, i.header.event = 77);
    WRONG(INSNS, i.header.insns = 0);
    WRONG(INSNS, i.header.insns = ASH_INSNS_MAX + 1);
    WRONG(INSNS, i.header.insns = UINT32_MAX);
    WRONG(MAPS, i.header.maps = ASH_MAPS_MAX + 1);
    WRONG(LINES, i.header.lines = UINT32_MAX);
    WRONG(LINES, i.header.text = UINT32_MAX);
    WRONG(MAP_DATA, i.header.data = UINT32_MAX);
    WRONG(TRUNCATED, i.header.data = 9);
    WRONG(TRAILING, i.header.data = 7);
    WRONG(RESERVED, i.header.reserved[2] = 1);
    WRONG(NAME, i.header.name[0] = 0);
    WRONG(NAME, i.header.name[2] = 27);
    WRONG(NAME, i.header.name[15] = 'x');
    WRONG(NAME, memset(i.header.name, 'x', 16));
    struct ash_image view;
    struct {
        uint8_t one;
        struct image image;
    } __attribute__((packed)) shifted = {.image = good()};
    assert_int_equal(ash_image_open((uint8_t *)&shifted + 1, sizeof(struct image), &view),
                     ASH_E_ALIGNMENT);
}

static void maps_are_checked(void **state)
{
    (void)state;
    WRONG(MAP_TYPE, i.maps[0].type = 1);
    WRONG(MAP_SIZE, i.maps[0].key_size = 8);
    WRONG(MAP_SIZE, i.maps[0].value_size = 0);
    WRONG(MAP_SIZE, i.maps[0].value_size = UINT32_MAX);
    WRONG(MAP_SIZE, i.maps[0].entries = 0);
    WRONG(MAP_SIZE, i.maps[0].entries = ASH_MAP_MAX / 8 + 1);
    WRONG(MAP_SIZE, i.maps[0].entries = UINT32_MAX);
    WRONG(MAP_FLAGS, i.maps[0].flags = 4);
    WRONG(RESERVED, i.maps[0].reserved = 1);
    WRONG(NAME, i.maps[0].name[0] = 0);
    WRONG(MAP_DATA, i.maps[1].data = 1);
    WRONG(MAP_DATA, i.maps[1].data = UINT32_MAX);
    WRONG(MAP_DATA, i.maps[1].data_size = 9);
    WRONG(MAP_DATA, (i.maps[1].value_size = 4, i.maps[1].data_size = 16, i.maps[1].data = 0));
    struct image i = good();
    i.maps[0].type = ASH_MAP_PERCPU_ARRAY;
    i.maps[0].entries = ASH_MAP_MAX / 8;
    assert_int_equal(check(&i, sizeof i), 0);
}

static void lines_and_text_are_checked(void **state)
{
    (void)state;
    WRONG(LINES, i.lines[1].insn = 0);
    WRONG(LINES, i.lines[1].insn = 2);
    WRONG(LINES, i.lines[1].file = 16);
    WRONG(NAME, i.text[15] = 'x');
    WRONG(NAME, i.text[2] = 27);
}

static void refusals_and_aborts_name_their_line(void **state)
{
    (void)state;
    struct image i = good();
    struct ash_program program = {0};
    char text[ASH_TEXT_SIZE];
    assert_int_equal(ash_image_open(&i, sizeof i, &program.image), 0);
    struct ash_refusal refusal = {ASH_E_OPCODE, 1, 0xff};
    ash_explain_error(&program.image, refusal, text, sizeof text);
    assert_string_equal(text, "insn 1 (lib.h:9): unknown opcode 0xff");
    refusal = (struct ash_refusal){ASH_E_UNINITIALISED, 0, 3};
    ash_explain_error(&program.image, refusal, text, sizeof text);
    assert_string_equal(
        text, "insn 0 (echo.c:7): a register is read that some path leaves without a value: r3");
    refusal = (struct ash_refusal){ASH_E_JUMP, 0, (uint32_t)-2};
    ash_explain_error(&program.image, refusal, text, sizeof text);
    assert_string_equal(text, "insn 0 (echo.c:7): a jump leaves the program: to insn -2");
    refusal = (struct ash_refusal){ASH_E_LINES, ASH_NO_INSN, 1};
    ash_explain_error(&program.image, refusal, text, sizeof text);
    assert_string_equal(text, ash_strerror(ASH_E_LINES));
    assert_int_equal(ash_explain_error(&program.image, refusal, text, 9), 8);
    assert_string_equal(text, "the line");

    struct ash_run run = {.abort = {ASH_ABORT_GUARD, 1, ASH_STACK_TOP - 520}};
    ash_explain_abort(&program, &run, text, sizeof text);
    assert_string_equal(
        text, "(lib.h:9), insn 1, guard: stack -520"); /* the kernel says "handler 7" before it */
    run.abort = (struct ash_abort){ASH_ABORT_FUEL, 0, 0};
    ash_explain_abort(&program, &run, text, sizeof text);
    assert_string_equal(text, "(echo.c:7), insn 0, fuel");
    run.abort = (struct ash_abort){ASH_ABORT_GUARD, 0, ASH_BASE(ASH_REGION_WINDOW + 1) + 5};
    ash_explain_abort(&program, &run, text, sizeof text);
    assert_string_equal(text, "(echo.c:7), insn 0, guard: window 1 +5");
}

static void an_address_is_named_by_the_region_that_it_just_missed(void **state)
{
    (void)state;
    static const struct {
        uint32_t address;
        const char *text;
    } rows[] = {
        {ASH_BASE(ASH_REGION_WINDOW) - 1, "insn 2, guard: window 0 -1"},
        {ASH_BASE(ASH_REGION_WINDOW), "insn 2, guard: window 0 +0"},
        {ASH_BASE(ASH_REGION_MAP) - 8, "insn 2, guard: map 0 -8"},
        {ASH_BASE(ASH_REGION_MAP + 2) - 1, "insn 2, guard: map 2 -1"},
        {ASH_BASE(ASH_REGION_MAP + 1) - 1, "insn 2, guard: map 0 +16777215"}, /* a large map */
        {ASH_BASE(ASH_REGION_CONTEXT) - 1, "insn 2, guard: context -1"},
        {ASH_BASE(ASH_REGION_STACK) - 1, "insn 2, guard: stack -4097"},
        {ASH_BASE(ASH_REGION_STACK) + 8000, "insn 2, guard: stack +3904"},
    };
    struct image i = good();
    struct ash_program program = {0};
    i.maps[0].entries = ASH_MAP_MAX / 8;
    i.header.lines = 0;
    i.header.text += sizeof i.lines;
    assert_int_equal(ash_image_open(&i, sizeof i, &program.image), 0);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct ash_run run = {.abort = {ASH_ABORT_GUARD, 2, rows[r].address}};
        char text[ASH_TEXT_SIZE];
        ash_explain_abort(&program, &run, text, sizeof text);
        assert_string_equal(text, rows[r].text);
    }
}

static void every_error_has_a_sentence(void **state)
{
    (void)state;
    for (int error = -35; error < 0; error++)
        assert_string_not_equal(ash_strerror(error), "unknown error");
    assert_string_equal(ash_strerror(-36), "unknown error");
    assert_string_equal(ash_strerror(0), "no error");
}

static void instructions_are_written_as_formulas(void **state)
{
    (void)state;
    static const struct {
        struct ash_insn insn[2];
        const char *text;
    } rows[] = {
        {{ADD(1, 2)}, "r1 = r1 + r2"},
        {{INSN(0x04, 3, 0, 0, -7)}, "w3 = w3 + -7"},
        {{INSN(0x3f, 1, 2, 1, 0)},
         "r1 = r2 == 0 ? 0 : r2 == (u64)-1 ? -r1 : (u64)((s64)r1 / (s64)r2)"},
        {{INSN(0xbf, 1, 2, 8, 0)}, "r1 = (u64)(s64)(int8_t)r2"},
        {{JGT(3, 2, 8)}, "if r3 > r2 goto + 8"},
        {{INSN(0x66, 3, 0, -8, 5)}, "if (s32)w3 > (s32)5 goto - 8"},
        {{LDXW(2, 1, 4)}, "r2 = *(uint32_t *)(r1 + 4)"},
        {{STXH(10, 3, -2)}, "*(uint16_t *)(r10 - 2) = r3"},
        {{STW(10, -4, 9)}, "*(uint32_t *)(r10 - 4) = 9"},
        {{ATOMIC_DW(0, 1, 8, 0xf1)},
         "old = *(uint64_t *)(r0 + 8) = old == r0 ? r1 : old, r0 = old"},
        {{ATOMIC_W(0, 1, 8, 1)}, "old = *(uint32_t *)(r0 + 8) = old + r1, r1 = old"},
        {{LDDW(1, 0x123456789)}, "r1 = 0x123456789"},
        {{LDMAP(1, 3)}, "r1 = map 3"},
        {{LDVALUE(1, 3, 8)}, "r1 = address of map 3 + 8"},
        {{JA(-3)}, "goto - 3"},
        {{CALL(1)}, "r0 = bpf_map_lookup_elem"},
        {{CALL(999)}, "r0 = helper 999"},
        {{CALL_LOCAL(7)}, "call + 7"},
        {{EXIT}, "return r0"},
        {{INSN(0xff, 0, 0, 0, 0)}, "unknown opcode"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[ASH_TEXT_SIZE];
        size_t length = ash_disassemble(&rows[i].insn[0], &rows[i].insn[1], text, sizeof text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(length, strlen(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_image_is_taken),
        cmocka_unit_test(cut_off_anywhere_it_is_refused),
        cmocka_unit_test(the_header_is_checked),
        cmocka_unit_test(maps_are_checked),
        cmocka_unit_test(lines_and_text_are_checked),
        cmocka_unit_test(refusals_and_aborts_name_their_line),
        cmocka_unit_test(an_address_is_named_by_the_region_that_it_just_missed),
        cmocka_unit_test(every_error_has_a_sentence),
        cmocka_unit_test(instructions_are_written_as_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
