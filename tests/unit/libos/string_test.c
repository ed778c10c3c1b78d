/* ExOS's string functions against the host's: every alignment of both sides, every size to 80, and
 * some larger. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void *exos_memcpy(void *restrict to, const void *restrict from, size_t size);
void *exos_memmove(void *to, const void *from, size_t size);
void *exos_memset(void *to, int value, size_t size);
int exos_memcmp(const void *first, const void *second, size_t size);
void *exos_memchr(const void *memory, int value, size_t size);
size_t exos_strlen(const char *text);
int exos_strcmp(const char *first, const char *second);
char *exos_strchr(const char *text, int value);
size_t exos_strnlen(const char *text, size_t most);
char *exos_strcpy(char *restrict to, const char *restrict from);

#define ROOM 512
static uint8_t source[ROOM], wanted[ROOM], got[ROOM];

/* The same noise each time. */
static void fill(uint8_t *memory)
{
    static uint8_t noise[ROOM];
    unsigned seed = 1;
    for (size_t i = 0; i < ROOM && !noise[0]; i++)
        noise[ROOM - 1 - i] = (uint8_t)(rand_r(&seed) | 1);
    memcpy(memory, noise, ROOM);
}

#define EACH(size)          for (size_t size = 0; size < 300; size += size < 80 ? 1 : 37)
#define EACH_OFFSET(offset) for (size_t offset = 16; offset < 24; offset++)

static void memcpy_copies_exactly(void **state)
{
    (void)state;
    fill(source);
    EACH_OFFSET(to) EACH_OFFSET(from) EACH(size)
    {
        fill(got);
        fill(wanted);
        memcpy(wanted + to, source + from, size);
        assert_ptr_equal(exos_memcpy(got + to, source + from, size), got + to);
        assert_memory_equal(got, wanted, ROOM);
    }
}

static void memmove_bears_overlap_either_way(void **state)
{
    (void)state;
    for (size_t to = 0; to < 60; to++)
        for (size_t from = 0; from < 60; from++)
            EACH(size)
            {
                fill(got);
                fill(wanted);
                memmove(wanted + to, wanted + from, size);
                assert_ptr_equal(exos_memmove(got + to, got + from, size), got + to);
                assert_memory_equal(got, wanted, ROOM);
            }
}

static void memset_fills_exactly(void **state)
{
    (void)state;
    EACH_OFFSET(to) EACH(size)
    {
        fill(got);
        fill(wanted);
        memset(wanted + to, 0x1a5, size);
        assert_ptr_equal(exos_memset(got + to, 0x1a5, size), got + to);
        assert_memory_equal(got, wanted, ROOM);
    }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void memcmp_finds_the_first_difference(void **state)
{
    (void)state;
    EACH_OFFSET(a) EACH_OFFSET(b) for (size_t size = 0; size < 70; size++)
    {
        fill(got);
        memcpy(wanted + b, got + a, size);
        assert_int_equal(exos_memcmp(got + a, wanted + b, size), 0);
        for (size_t at = 0; at < size; at++) {
            wanted[b + at] ^= 0x80;
            wanted[b + size - 1] ^= 1; /* a later one, the other way perhaps: doesn't count */
            assert_int_equal(sign(exos_memcmp(got + a, wanted + b, size)),
                             sign(memcmp(got + a, wanted + b, size)));
            wanted[b + at] ^= 0x80;
            wanted[b + size - 1] ^= 1;
        }
    }
}

static void memchr_finds_the_first(void **state)
{
    (void)state;
    EACH_OFFSET(at) for (size_t size = 0; size < 70; size++)
    {
        memset(got, 'x', ROOM);
        assert_null(exos_memchr(got + at, 'y', size));
        got[at + size] = 'y'; /* just behind */
        assert_null(exos_memchr(got + at, 'y', size));
        for (size_t i = 0; i < size; i++) {
            got[at + i] = 'y';
            assert_ptr_equal(exos_memchr(got + at, 0x100 + 'y', size), got + at + i);
            got[at + i] = 'x';
        }
    }
    static const uint8_t nearly[] = "\x01\x80\x81\x7f\x00\xff";
    assert_ptr_equal(exos_memchr(nearly, 0, 6), nearly + 4);
    assert_ptr_equal(exos_memchr(nearly, 0xff, 6), nearly + 5);
}

static void strlen_stops_at_the_first_zero(void **state)
{
    (void)state;
    EACH_OFFSET(at) for (size_t size = 0; size < 70; size++)
    {
        memset(got, 0x80, ROOM);
        memset(got, 0, at);
        got[at + size] = 0;
        assert_int_equal(exos_strlen((char *)got + at), size);
    }
}

/* A text of each length at each offset, with the byte at its first place, at its last, and nowhere.
 */
static void strchr_finds_the_first_or_the_end(void **state)
{
    (void)state;
    EACH_OFFSET(at) EACH(size)
    {
        memset(got, 'x', ROOM);
        char *text = (char *)got + at;
        text[size] = 0;
        assert_null(exos_strchr(text, 'y'));
        assert_ptr_equal(exos_strchr(text, 0), text + size);
        assert_ptr_equal(exos_strchr(text, 0x100), text + size);
        if (size == 0)
            continue;
        text[size - 1] = 'y';
        assert_ptr_equal(exos_strchr(text, 'y'), text + size - 1);
        text[size / 2] = (char)0xfe;
        assert_ptr_equal(exos_strchr(text, 0xfe), text + size / 2);
        got[at + size + 1] = 0xfd;
        assert_null(exos_strchr(text, 0xfd));
    }
}

static void strnlen_and_strcpy_agree_with_the_hosts(void **state)
{
    (void)state;
    EACH_OFFSET(at) EACH(size)
    {
        fill(source);
        fill(got);
        memcpy(wanted, got, ROOM);
        source[at + size] = 0;
        for (size_t most = size > 3 ? size - 3 : 0; most < size + 4; most++)
            assert_int_equal(exos_strnlen((char *)source + at, most),
                             strnlen((char *)source + at, most));
        strcpy((char *)wanted + 19, (char *)source + at);
        assert_ptr_equal(exos_strcpy((char *)got + 19, (char *)source + at), got + 19);
        assert_memory_equal(got, wanted, ROOM);
    }
}

static void strcmp_orders_as_unsigned_bytes(void **state)
{
    (void)state;
    EACH_OFFSET(a) EACH_OFFSET(b) for (size_t size = 0; size < 40; size++)
    {
        memset(got, 'q', ROOM);
        memset(wanted, 'q', ROOM);
        got[a + size] = wanted[b + size] = 0;
        got[a + size + 1] = 1; /* behind the end: doesn't count */
        assert_int_equal(exos_strcmp((char *)got + a, (char *)wanted + b), 0);
        for (size_t at = 0; at <= size; at++) {
            uint8_t good = wanted[b + at];
            static const uint8_t others[] = {0, 1, 'p', 'r', 0x80, 0xff};
            for (size_t i = 0; i < sizeof others; i++) {
                wanted[b + at] = others[i];
                wanted[b + size + (at == size)] = 0;
                assert_int_equal(sign(exos_strcmp((char *)got + a, (char *)wanted + b)),
                                 sign(strcmp((char *)got + a, (char *)wanted + b)));
            }
            wanted[b + at] = good;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_copies_exactly),
        cmocka_unit_test(memmove_bears_overlap_either_way),
        cmocka_unit_test(memset_fills_exactly),
        cmocka_unit_test(memcmp_finds_the_first_difference),
        cmocka_unit_test(memchr_finds_the_first),
        cmocka_unit_test(strlen_stops_at_the_first_zero),
        cmocka_unit_test(strcmp_orders_as_unsigned_bytes),
        cmocka_unit_test(strchr_finds_the_first_or_the_end),
        cmocka_unit_test(strnlen_and_strcpy_agree_with_the_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
