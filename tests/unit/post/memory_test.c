/* The readers of a machine's memory and of the kernel's symbols, on memories and files that the
 * tests make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/rv64/layout.h"
#include "tools/aegisctl/memory.h"

#define PAGES 16
static uint64_t pages[PAGES][512];

static uint64_t physical(unsigned int page)
{
    return RAM_BASE + (uint64_t)page * PAGE_SIZE;
}

static uint64_t pte(uint64_t at, uint64_t bits)
{
    return at >> PAGE_SHIFT << 10 | bits;
}

#define TABLE 0x01
#define LEAF  0xc7 /* D A W R V */

/* Pages 0, 1, 2: root, level 1, level 0 for address 0; pages 8 and 5 at 0x0 and 0x1000. */
static struct ram make_ram(void)
{
    memset(pages, 0, sizeof pages);
    pages[0][0] = pte(physical(1), TABLE);
    pages[1][0] = pte(physical(2), TABLE);
    pages[2][0] = pte(physical(8), LEAF);
    pages[2][1] = pte(physical(5), LEAF);
    return (struct ram){(const uint8_t *)pages, sizeof pages, physical(0)};
}

static void reads_follow_the_page_table_across_pages(void **state)
{
    struct ram ram = make_ram();
    uint64_t got[2];

    (void)state;
    pages[8][511] = 0x1111;
    pages[5][0] = 0x2222;
    assert_true(ram_read(&ram, 0xff8, got, sizeof got));
    assert_int_equal(got[0], 0x1111);
    assert_int_equal(got[1], 0x2222);
}

static void larger_leaves_are_followed(void **state)
{
    struct ram ram = make_ram();
    uint64_t got;

    (void)state;
    pages[9][3] = 0x3333;
    pages[1][1] = pte(RAM_BASE, LEAF); /* 2 MiB at 0x200000 */
    pages[0][1] = pte(RAM_BASE, LEAF); /* 1 GiB at 0x40000000 */
    assert_true(ram_read(&ram, 0x200000 + 9 * PAGE_SIZE + 24, &got, sizeof got));
    assert_int_equal(got, 0x3333);
    assert_true(ram_read(&ram, 0x40000000 + 9 * PAGE_SIZE + 24, &got, sizeof got));
    assert_int_equal(got, 0x3333);
    assert_false(ram_read(&ram, 0x40000000 + sizeof pages, &got, sizeof got));
}

static void what_is_not_there_is_zero_and_told(void **state)
{
    struct ram ram = make_ram();
    uint64_t got[2] = {7, 7};

    (void)state;
    pages[5][511] = 0x4444;
    assert_false(
        ram_read(&ram, 0x1ff8, got, sizeof got)); /* the second word's page is not mapped */
    assert_int_equal(got[0], 0x4444);
    assert_int_equal(got[1], 0);
    pages[2][2] = pte(0x1000, LEAF); /* below the memory */
    assert_false(ram_read(&ram, 0x2000, got, 8));
    pages[2][2] = pte(physical(PAGES), LEAF); /* behind it */
    assert_false(ram_read(&ram, 0x2000, got, 8));
    pages[0][0] = UINT64_MAX & ~UINT64_C(0xe); /* a table far away */
    assert_false(ram_read(&ram, 0, got, 8));
    pages[2][0] = 0;
    pages[0][0] = pte(physical(0), TABLE); /* a root that is its own table, all the way down */
    assert_false(ram_read(&ram, 0, got, 8));
    assert_null(ram_copy(&ram, 0, 0));
    assert_null(ram_copy(&ram, 0x1000, UINT64_MAX));
}

static void without_a_page_table_only_the_image_is_read(void **state)
{
    static uint8_t memory[0x201000];
    struct ram ram = {memory, sizeof memory, 0};
    uint8_t got;

    (void)state;
    memory[0x200010] = 42;
    assert_true(ram_read(&ram, KERNEL_VIRTUAL + 0x10, &got, 1));
    assert_int_equal(got, 42);
    assert_false(ram_read(&ram, PHYSMAP_BASE + RAM_BASE, &got, 1));
    assert_false(ram_read(&ram, KERNEL_VIRTUAL + 0x1000, &got, 1));
}

static void a_saved_memory_is_the_same_and_sparse(void **state)
{
    char path[] = "/tmp/post-memory-XXXXXX";
    int fd = memfd_create("test", 0), made = mkstemp(path);
    static uint8_t bytes[3 << 20];
    struct stat st;
    struct ram ram;
    struct why why;

    (void)state;
    close(made);
    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, 5 << 20), sizeof bytes);
    assert_int_equal(ram_save(fd, path), 0);
    assert_int_equal(ram_open(&ram, path, &why), 0);
    assert_int_equal(ram.size, 64 << 20);
    assert_memory_equal(ram.bytes + (5 << 20), bytes, sizeof bytes);
    assert_int_equal(ram.bytes[0] | ram.bytes[(8 << 20)] | ram.bytes[(64 << 20) - 1], 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks * 512 < 16 << 20);
    ram_close(&ram);
    unlink(path);
    close(fd);
}

static const struct elf_symbol symbols[] = {
    {"first", 0xfffffff400000000, 0x10, true},
    {"second", 0xfffffff400000040, 0x20, true},
    {"data", 0xfffffff400000060, 8, false},
};

/* A written file's bytes, from malloc. */
static uint8_t *written(size_t *size)
{
    static const uint8_t code[0x80] = {1, 2, 3};
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, size);

    assert_int_equal(elf_file_write(out, code, sizeof code, symbols[0].address, symbols, 3), 0);
    fclose(out);
    return (uint8_t *)bytes;
}

static void written_symbols_are_read_again(void **state)
{
    const uint8_t *code;
    struct elf_file file;
    struct why why;
    uint64_t offset, address;
    size_t size, code_size;
    uint8_t *bytes = written(&size);

    (void)state;
    assert_int_equal(elf_file_take(&file, bytes, size, "test", &why), 0);
    assert_int_equal(elf_file_address(&file, "second"), symbols[1].address);
    assert_int_equal(elf_file_address(&file, "third"), 0);
    assert_string_equal(elf_file_function(&file, symbols[1].address + 8, &offset), "second");
    assert_int_equal(offset, 8);
    assert_string_equal(elf_file_function(&file, symbols[2].address, &offset), "second");
    assert_null(elf_file_function(&file, symbols[0].address - 1, &offset));
    assert_null(elf_file_function(&file, symbols[0].address + 0x80, &offset));
    assert_true(elf_file_text(&file, &code, &code_size, &address));
    assert_int_equal(code_size, 0x80);
    assert_int_equal(code[2], 3);
    assert_int_equal(address, symbols[0].address);
    elf_file_close(&file);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    size_t size;
    uint8_t *bytes = written(&size);

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        struct elf_file file;
        struct why why;

        memcpy(copy, bytes, cut);
        assert_int_equal(elf_file_take(&file, copy, cut, "test", &why), -1);
    }
    free(bytes);
}

static void pieces_of_code_have_names_for_debuggers(void **state)
{
    struct aegis_post_code code = {.name = "echo 1.c\n"};
    char name[64];

    (void)state;
    memory_code_name(AEGIS_CODE_HANDLER, 7, &code, name, sizeof name);
    assert_string_equal(name, "handler_7_echo_1_c_");
    memset(code.name, 'x', sizeof code.name); /* no zero */
    memory_code_name(AEGIS_CODE_HANDLER, 1, &code, name, sizeof name);
    assert_string_equal(name, "handler_1_xxxxxxxxxxxxxxxx");
    memory_code_name(AEGIS_CODE_CLASSIFIER, 0, &(struct aegis_post_code){0}, name, sizeof name);
    assert_string_equal(name, "classifier_net0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_follow_the_page_table_across_pages),
        cmocka_unit_test(larger_leaves_are_followed),
        cmocka_unit_test(what_is_not_there_is_zero_and_told),
        cmocka_unit_test(without_a_page_table_only_the_image_is_read),
        cmocka_unit_test(a_saved_memory_is_the_same_and_sparse),
        cmocka_unit_test(written_symbols_are_read_again),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(pieces_of_code_have_names_for_debuggers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
