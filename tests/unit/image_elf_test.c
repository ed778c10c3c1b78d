/* elf_read: a good program is read to the letter; each way to be wrong has its error. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h> /* the host's: an independent definition of the format */
#include "image/elf.h"

#define LOWEST  0x10000UL
#define HIGHEST 0x3f7ff80000UL
#define SIZE    0x3000

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr segments[20];
    uint8_t rest[SIZE - sizeof(Elf64_Ehdr) - 20 * sizeof(Elf64_Phdr)];
};
_Static_assert(sizeof(struct file) == SIZE, "no padding");

/* text R-X 0x10000 + 0x800, rodata R-- 0x11000 + 0x10, data RW- 0x12010 + 0x20 of 0x5000 */
static struct file good(void)
{
    struct file f = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x10100,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 5},
        .segments = {{.p_type = PT_NOTE, .p_offset = UINT64_MAX},
                     {PT_LOAD, PF_R | PF_X, 0x1000, 0x10000, 0, 0x800, 0x800, 0x1000},
                     {PT_LOAD, PF_R, 0x2000, 0x11000, 0, 0x10, 0x10, 0x1000},
                     {PT_LOAD, PF_R | PF_W, 0x2010, 0x12010, 0, 0x20, 0x5000, 0x1000},
                     {PT_LOAD, PF_R | PF_W, 0, 0, 0, 0, 0, 0}},
    };
    return f;
}

/* From memory of exactly that size and an odd address, so that the sanitizers see every slip. */
static int read_exact(const struct file *f, size_t size, struct elf_program *p)
{
    uint8_t *exact = malloc(size + 1);
    memcpy(exact + 1, f, size);
    int status = elf_read(exact + 1, size, LOWEST, HIGHEST, p);
    free(exact);
    return status;
}

static void a_good_program_is_read_to_the_letter(void **state)
{
    (void)state;
    struct file f = good();
    struct elf_program p;
    assert_int_equal(elf_read(&f, sizeof f, LOWEST, HIGHEST, &p), 0);
    assert_int_equal(p.entry, 0x10100);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.lower, 0x10000);
    assert_int_equal(p.upper, 0x18000);
    const struct elf_segment *data = &p.segments[2];
    assert_int_equal(data->address, 0x12010);
    assert_int_equal(data->memory_size, 0x5000);
    assert_int_equal(data->file_size, 0x20);
    assert_ptr_equal(data->data, (uint8_t *)&f + 0x2010);
    assert_int_equal(data->flags, ELF_READ | ELF_WRITE);
    assert_int_equal(p.segments[0].flags, ELF_READ | ELF_EXEC);
    assert_int_equal(p.segments[1].flags, ELF_READ);
}

/* One field of the good program changed: offset and width in the file, new value, what it must
 * cost. */
#define HEADER(field, value, error)                                                                \
    {                                                                                              \
        offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field), (value), -(error), #field   \
    }
#define SEGMENT(n, field, value, error)                                                            \
    {                                                                                              \
        sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field),               \
            sizeof(((Elf64_Phdr *)0)->field), (value), -(error), #n "." #field                     \
    }

static const struct {
    size_t at, width;
    uint64_t value;
    int status;
    const char *what;
} changes[] = {
    {0, 4, 0x464c457e, -ELF_E_MAGIC, "ident"},
    {4, 1, ELFCLASS32, -ELF_E_CLASS, "class"},
    {5, 1, ELFDATA2MSB, -ELF_E_CLASS, "byte order"},
    {6, 1, 0, -ELF_E_CLASS, "ident version"},
    HEADER(e_version, 2, ELF_E_CLASS),
    HEADER(e_machine, EM_X86_64, ELF_E_MACHINE),
    HEADER(e_type, ET_DYN, ELF_E_TYPE),
    HEADER(e_type, ET_REL, ELF_E_TYPE),
    HEADER(e_phentsize, 55, ELF_E_HEADERS),
    HEADER(e_phentsize, 0, ELF_E_HEADERS),
    HEADER(e_phnum, 65, ELF_E_HEADERS),
    HEADER(e_phnum, 65535, ELF_E_HEADERS),
    HEADER(e_phnum, 0, ELF_E_SEGMENTS),
    HEADER(e_phnum, 1, ELF_E_SEGMENTS),
    HEADER(e_phoff, SIZE - 5 * sizeof(Elf64_Phdr) + 1, ELF_E_TRUNCATED),
    HEADER(e_phoff, SIZE + 1, ELF_E_TRUNCATED),
    HEADER(e_phoff, UINT64_MAX, ELF_E_TRUNCATED),
    HEADER(e_phoff, UINT64_MAX - 5 * sizeof(Elf64_Phdr) + 1, ELF_E_TRUNCATED),
    HEADER(e_entry, 0, ELF_E_ENTRY),
    HEADER(e_entry, 0x10101, ELF_E_ENTRY),
    HEADER(e_entry, 0x10800, ELF_E_ENTRY),
    HEADER(e_entry, 0x107fe, 0),
    HEADER(e_entry, 0x11000, ELF_E_ENTRY),
    HEADER(e_entry, 0x12010, ELF_E_ENTRY),
    HEADER(e_entry, UINT64_MAX - 1, ELF_E_ENTRY),
    SEGMENT(0, p_type, PT_INTERP, ELF_E_TYPE),
    SEGMENT(1, p_offset, SIZE - 0x800 + 1, ELF_E_FILE_RANGE),
    SEGMENT(1, p_offset, SIZE - 0x800, 0),
    SEGMENT(1, p_offset, SIZE + 1, ELF_E_FILE_RANGE),
    SEGMENT(1, p_offset, UINT64_MAX, ELF_E_FILE_RANGE),
    SEGMENT(1, p_filesz, UINT64_MAX, ELF_E_FILE_RANGE),
    SEGMENT(1, p_filesz, UINT64_MAX - 0xfff, ELF_E_FILE_RANGE),
    SEGMENT(1, p_filesz, 0x801, ELF_E_SIZES),
    SEGMENT(1, p_memsz, 0, ELF_E_SIZES),
    SEGMENT(1, p_memsz, 0x7ff, ELF_E_SIZES),
    SEGMENT(1, p_vaddr, 0xf000, ELF_E_RANGE),
    SEGMENT(1, p_vaddr, 0, ELF_E_RANGE),
    SEGMENT(3, p_vaddr, HIGHEST, ELF_E_RANGE),
    SEGMENT(3, p_vaddr, HIGHEST - 0x4fff, ELF_E_RANGE),
    SEGMENT(3, p_vaddr, HIGHEST - 0x5000, 0),
    SEGMENT(3, p_vaddr, UINT64_MAX - 0xfff, ELF_E_RANGE),
    SEGMENT(3, p_vaddr, 0xffffffc000000000, ELF_E_RANGE),
    SEGMENT(3, p_memsz, UINT64_MAX, ELF_E_RANGE),
    SEGMENT(3, p_memsz, UINT64_MAX - 0x12010 + 1, ELF_E_RANGE),
    SEGMENT(3, p_memsz, HIGHEST - 0x12010, 0),
    SEGMENT(3, p_memsz, HIGHEST - 0x12010 + 1, ELF_E_RANGE),
    SEGMENT(1, p_memsz, 0x1001, ELF_E_OVERLAP),
    SEGMENT(1, p_memsz, 0x1000, 0),
    SEGMENT(2, p_vaddr, 0x10ff0, ELF_E_OVERLAP),
    SEGMENT(3, p_vaddr, 0x11fff, ELF_E_OVERLAP),
    SEGMENT(3, p_vaddr, 0x10000, ELF_E_OVERLAP),
    SEGMENT(1, p_flags, PF_R | PF_W | PF_X, ELF_E_FLAGS),
    SEGMENT(1, p_flags, PF_R, ELF_E_ENTRY),
    SEGMENT(2, p_flags, 0, ELF_E_FLAGS),
    SEGMENT(2, p_flags, PF_W, ELF_E_FLAGS),
    SEGMENT(2, p_flags, PF_X, ELF_E_FLAGS),
    SEGMENT(2, p_flags, 0x00f00000 | PF_R, 0),
};

static void each_wrong_field_has_its_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct file f = good();
        struct elf_program p;
        memcpy((uint8_t *)&f + changes[i].at, &changes[i].value, changes[i].width);
        int status = read_exact(&f, sizeof f, &p);
        if (status != changes[i].status)
            fail_msg("%s = %#llx: %s", changes[i].what, (unsigned long long)changes[i].value,
                     elf_strerror(status));
    }
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct file f = good();
    struct elf_program p;
    size_t headers = sizeof(Elf64_Ehdr) + 5 * sizeof(Elf64_Phdr);
    for (size_t size = 0; size < 0x2030; size++)
        assert_int_equal(read_exact(&f, size, &p),
                         size < headers ? -ELF_E_TRUNCATED : -ELF_E_FILE_RANGE);
    assert_int_equal(read_exact(&f, 0x2030, &p), 0);
}

static void at_most_sixteen_segments(void **state)
{
    (void)state;
    struct file f = good();
    struct elf_program p;
    for (int n = 4; n < 20; n++)
        f.segments[n] = (Elf64_Phdr){PT_LOAD, PF_R, 0, 0x100000 + 0x1000 * (uint64_t)n, 0, 1, 1, 1};
    f.header.e_phnum = 17;
    assert_int_equal(read_exact(&f, sizeof f, &p), 0);
    assert_int_equal(p.count, ELF_SEGMENTS_MAX);
    f.header.e_phnum = 18;
    assert_int_equal(read_exact(&f, sizeof f, &p), -ELF_E_SEGMENTS);
}

static void each_error_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < ELF_E_ENTRY; a++)
        for (int b = a + 1; b <= ELF_E_ENTRY; b++)
            assert_string_not_equal(elf_strerror(-a), elf_strerror(-b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_program_is_read_to_the_letter),
        cmocka_unit_test(each_wrong_field_has_its_error),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(at_most_sixteen_segments),
        cmocka_unit_test(each_error_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
