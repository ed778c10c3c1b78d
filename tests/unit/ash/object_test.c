/*
 * The reader of objects on broken ones: cut off at each length, and with each byte changed.
 * Arguments: objects that are good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ashc/ashlift.h"

static char **objects;

static const struct ashlift_options options = {.event = ASH_EVENT_FRAME};

struct counts {
    unsigned taken, refused;
};

/* Either it becomes an image that can be opened, or a sentence says why not. The bytes are copied,
   so that a sanitizer sees a read behind their end. */
static void try(const char *bytes, size_t size, struct counts *counts)
{
    char error[ASHLIFT_ERROR_SIZE] = "", *copy = malloc(size ? size : 1);
    struct ashlift_image image = {0};
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum ashlift_status status = ashlift_bytes(copy, size, "test", &options, &image, error);
    free(copy);
    if (status == ASHLIFT_OK) {
        struct ash_image view;
        assert_int_equal(ash_image_open(image.bytes, image.size, &view), 0);
        ashlift_free(&image);
        counts->taken++;
        return;
    }
    assert_int_equal(status, ASHLIFT_REFUSED);
    assert_in_range(strlen(error), 10, ASHLIFT_ERROR_SIZE - 1);
    assert_null(strchr(error, '\n'));
    counts->refused++;
}

static char *read_object(const char *path, size_t *size)
{
    char error[ASHLIFT_ERROR_SIZE];
    char *bytes = ashlift_read(path, size, error);
    if (!bytes)
        fail_msg("%s: %s", path, error);
    return bytes;
}

static void an_object_cut_off_at_any_length_is_refused(void **state)
{
    (void)state;
    for (char **path = objects; *path; path++) {
        size_t size;
        struct counts counts = {0};
        char *bytes = read_object(*path, &size);
        for (size_t length = 0; length < size; length++)
            try(bytes, length, &counts);
        assert_int_equal(counts.taken, 0);
        try(bytes, size, &counts);
        assert_int_equal(counts.taken, 1);
        free(bytes);
    }
}

/* Wherever one byte is wrong, the reader ends, and the image it then makes, if any, is sound. */
static void any_byte_may_be_wrong(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0xff, 0x01, 0x80};
    struct counts counts = {0};
    for (char **path = objects; *path; path++) {
        size_t size;
        char *bytes = read_object(*path, &size);
        for (size_t at = 0; at < size; at++) {
            bytes[at] = (char)(bytes[at] ^ changes[at % sizeof changes]);
            try(bytes, size, &counts);
            bytes[at] = (char)(bytes[at] ^ changes[at % sizeof changes]);
        }
        free(bytes);
    }
    assert_true(counts.refused > 500);
    assert_true(counts.taken > 500); /* most bytes only name things */
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    objects = argv + 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_cut_off_at_any_length_is_refused),
        cmocka_unit_test(any_byte_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
