/* cpio_next and cpio_find: what they accept, and the named error of each way to be wrong. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "image/cpio.h"

struct archive {
    uint8_t bytes[4096];
    size_t size;
};

static void pad(struct archive *a)
{
    while (a->size % 4)
        a->bytes[a->size++] = 0;
}

/* Append an entry as newc has it; name_size counts the zero. */
static void put(struct archive *a, const char *name, unsigned mode, const void *data, unsigned size)
{
    a->size += (size_t)sprintf((char *)a->bytes + a->size,
                               "070701%08X%08X%08X%08X%08X%08X%08x%08X%08X%08X%08X%08X%08X", 1,
                               mode, 0, 0, 1, 0, size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    memcpy(a->bytes + a->size, name, strlen(name) + 1);
    a->size += strlen(name) + 1;
    pad(a);
    memcpy(a->bytes + a->size, data, size);
    a->size += size;
    pad(a);
}

static struct archive sample(void)
{
    struct archive a = {.size = 0};
    put(&a, "bin", 0040755, "", 0);
    put(&a, "agent", 0100755, "first", 5);
    put(&a, "./lib/arpd", 0100644, "arp daemon", 10);
    put(&a, "empty", 0100644, "", 0);
    put(&a, "agent", 0100755, "second", 6);
    put(&a, "TRAILER!!!", 0, "", 0);
    return a;
}

/* The archive in memory of exactly its size, so that the sanitizer sees any byte read beyond. */
static int find(const struct archive *a, const char *name, struct cpio_entry *e)
{
    uint8_t *exact = malloc(a->size ? a->size : 1);
    memcpy(exact, a->bytes, a->size);
    int status = cpio_find(exact, a->size, name, e);
    free(exact);
    return status;
}

static void iterates_in_order_and_ends_at_the_trailer(void **state)
{
    (void)state;
    static const char *const names[] = {"bin", "agent", "./lib/arpd", "empty", "agent"};
    struct archive a = sample();
    struct cpio_entry e;
    size_t offset = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 1);
        assert_string_equal(e.name, names[i]);
        assert_int_equal(offset % 4, 0);
    }
    assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 0);
    assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 0);
}

static void finds_the_first_regular_file_of_a_name(void **state)
{
    (void)state;
    struct archive a = sample();
    struct cpio_entry e;
    assert_int_equal(cpio_find(a.bytes, a.size, "agent", &e), 0);
    assert_int_equal(e.size, 5);
    assert_memory_equal(e.data, "first", 5);
    assert_int_equal(e.mode, 0100755);
    assert_int_equal(cpio_find(a.bytes, a.size, "lib/arpd", &e), 0);
    assert_memory_equal(e.data, "arp daemon", 10);
    assert_int_equal(cpio_find(a.bytes, a.size, "empty", &e), 0);
    assert_int_equal(e.size, 0);
}

static void doesnt_find_directories_prefixes_or_the_trailer(void **state)
{
    (void)state;
    struct archive a = sample();
    struct cpio_entry e;
    static const char *const names[] = {"bin", "agen", "agentx", "", "TRAILER!!!", "arpd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(find(&a, names[i], &e), -CPIO_E_NOT_FOUND);
}

static void an_archive_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    struct archive whole = sample();
    struct cpio_entry e;
    size_t trailer_name = whole.size; /* the padding behind the trailer's name may be missing */
    while (whole.bytes[trailer_name - 1] == 0)
        trailer_name--;
    for (size_t size = 0; size <= trailer_name; size++) {
        struct archive a = whole;
        a.size = size;
        assert_int_equal(find(&a, "absent", &e), -CPIO_E_TRUNCATED);
    }
    whole.size = trailer_name + 1;
    assert_int_equal(find(&whole, "absent", &e), -CPIO_E_NOT_FOUND);
}

/* One change of bytes in the first entry's header, and what it must cost. */
static const struct {
    size_t at;
    const char *text;
    int error;
} damage[] = {
    {0, "070707", -CPIO_E_MAGIC},        {0, "070702", -CPIO_E_MAGIC},
    {0, "\0\0\0\0\0\0", -CPIO_E_MAGIC},  {6, "0000000g", -CPIO_E_DIGIT},
    {14, "-0000001", -CPIO_E_DIGIT},     {54, "0x000005", -CPIO_E_DIGIT},
    {94, "0000001 ", -CPIO_E_DIGIT},     {94, "00000000", -CPIO_E_NAME},
    {94, "00000001", -CPIO_E_NAME},      {94, "00000003", -CPIO_E_NAME},
    {94, "00000005", -CPIO_E_NAME},      {94, "ffffffff", -CPIO_E_TRUNCATED},
    {54, "ffffffff", -CPIO_E_TRUNCATED}, {54, "FFFFFFFC", -CPIO_E_TRUNCATED},
    {54, "00001000", -CPIO_E_TRUNCATED}, {110, "b\0n", -CPIO_E_NAME},
};

static void each_damaged_field_has_its_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        struct archive a = sample();
        struct cpio_entry e;
        size_t length = damage[i].at == 110 ? 3 : damage[i].at == 0 ? 6 : 8;
        memcpy(a.bytes + damage[i].at, damage[i].text, length);
        assert_int_equal(find(&a, "agent", &e), damage[i].error);
    }
}

static void an_error_leaves_the_offset(void **state)
{
    (void)state;
    struct archive a = sample();
    struct cpio_entry e;
    size_t offset = a.size + 100;
    assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), -CPIO_E_TRUNCATED);
    assert_int_equal(offset, a.size + 100);
    offset = 2;
    assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), -CPIO_E_MAGIC);
    assert_int_equal(offset, 2);
}

static void each_error_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < CPIO_E_NOT_FOUND; a++)
        for (int b = a + 1; b <= CPIO_E_NOT_FOUND; b++)
            assert_string_not_equal(cpio_strerror(-a), cpio_strerror(-b));
}

/* With a path as argument: an archive as a packer wrote it has to hold these files, with these
 * bytes. */
static const char *packed;

static void reads_what_the_packer_wrote(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(packed, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct cpio_entry e;
    assert_int_equal(cpio_find(bytes, size, "one", &e), 0);
    assert_int_equal(e.size, 1);
    assert_int_equal(cpio_find(bytes, size, "three", &e), 0);
    assert_int_equal(e.size, 3);
    assert_memory_equal(e.data, "\0\n\0", 3);
    assert_int_equal(size % 512, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: image_cpio_test ARCHIVE\n"), 2;
    packed = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iterates_in_order_and_ends_at_the_trailer),
        cmocka_unit_test(finds_the_first_regular_file_of_a_name),
        cmocka_unit_test(doesnt_find_directories_prefixes_or_the_trailer),
        cmocka_unit_test(an_archive_cut_anywhere_is_truncated),
        cmocka_unit_test(each_damaged_field_has_its_error),
        cmocka_unit_test(an_error_leaves_the_offset),
        cmocka_unit_test(each_error_has_a_sentence_of_its_own),
        cmocka_unit_test(reads_what_the_packer_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
