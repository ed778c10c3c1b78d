/* Datagrams out of fragments: any cut, any order; overlaps, ends and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fragments.h"
#include "libos/net/headers.h"
#include "libos/net/parse.h"

static uint8_t data[FRAGMENTS_DATA_MAX];
static struct fragments_datagram whole;

static int set_up(void **state)
{
    (void)state;
    fragments_forget();
    srand(1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    fragments_forget();
    return 0;
}

/* Who sends what: an identification, from a sender. */
struct from {
    uint32_t source;
    uint16_t id;
    uint32_t now;
};

static bool add(struct from from, const uint8_t *bytes, size_t at, size_t size, bool more)
{
    uint8_t frame[AEGIS_FRAME_MAX] = {0};

    assert_true(ETH_SIZE + IPV4_LEAST + size <= sizeof frame);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IPV4_LEAST + size));
    net_put16(frame + ETH_SIZE + 4, from.id);
    net_put16(frame + IPV4_FRAGMENT, (uint16_t)(at / 8 | (more ? 0x2000 : 0)));
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    memcpy(frame + IPV4_SOURCE, &from.source, 4);
    net_put32(frame + IPV4_DESTINATION, 0x0a00020f);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST));
    memcpy(frame + ETH_SIZE + 10, &sum, 2);
    memcpy(frame + ETH_SIZE + IPV4_LEAST, bytes, size);
    struct fragments_piece piece;
    return fragments_read(frame, ETH_SIZE + IPV4_LEAST + size, &piece) &&
           fragments_add(&piece, from.now, &whole);
}

static bool part(uint16_t id, size_t at, size_t size, size_t total)
{
    return add((struct from){1, id, 0}, data + at, at, size, at + size < total);
}

static void check_whole(size_t size)
{
    assert_true(whole.size == size && whole.source.words[3] == 1 && whole.protocol == IPV4_UDP);
    assert_false(fragments_is_ipv6(&whole));
    assert_memory_equal(whole.data, data, size);
}

static void any_cut_in_any_order(void **state)
{
    (void)state;
    for (uint16_t id = 0; id < 400; id++) {
        size_t at[64], size[64], count = 0, end = 0;
        size_t total = 2 + (size_t)rand() % (id % 8 ? 3000 : FRAGMENTS_DATA_MAX - 2);
        size_t least = total / 63 / 8 * 8 + 8;
        while (end < total) {
            size_t step = least + (size_t)rand() % 64 * 8;
            step = step > 1480 ? 1480 : step;
            at[count] = end;
            size[count] = end + step < total ? step : total - end;
            end += size[count++];
        }
        if (count == 1)
            continue;
        for (size_t i = count - 1; i; i--) { /* shuffled */
            size_t j = (size_t)rand() % (i + 1), t = at[i];
            at[i] = at[j];
            at[j] = t;
            t = size[i];
            size[i] = size[j];
            size[j] = t;
        }
        for (size_t i = 0; i < count; i++) {
            bool is_whole = part(id, at[i], size[i], total);
            assert_int_equal(is_whole, i == count - 1);
            if (!is_whole && rand() % 4 == 0)
                assert_false(part(id, at[i], size[i], total)); /* again */
        }
        check_whole(total);
    }
}

/* Each changes one thing of a datagram in two parts that would be whole. */
static void overlaps_end_the_datagram(void **state)
{
    (void)state;
    assert_false(part(1, 0, 800, 1200)); /* over the end of what is there */
    assert_false(part(1, 792, 408, 1200));
    assert_false(part(1, 800, 400, 1200));
    assert_false(part(2, 800, 400, 1200)); /* over its beginning */
    assert_false(part(2, 0, 808, 1200));
    assert_false(part(2, 0, 800, 1200));
    assert_false(part(3, 0, 800, 1200)); /* the same bytes, but others */
    assert_false(add((struct from){1, 3, 0}, data + 8, 0, 800, true));
    assert_false(part(3, 800, 400, 1200));
    assert_false(part(4, 0, 800, 1200)); /* in the middle of it */
    assert_false(add((struct from){1, 4, 0}, data, 80, 80, true));
    assert_false(part(4, 800, 400, 1200));
    assert_false(part(5, 400, 80, 1200)); /* around it */
    assert_false(part(5, 0, 800, 1200));
    assert_false(part(5, 800, 400, 1200));
    assert_false(part(6, 0, 800, 1200)); /* a copy of the last one that isn't the last */
    assert_false(add((struct from){1, 6, 0}, data + 800, 800, 400, true));
    assert_false(part(6, 800, 400, 1200));
}

#define UNITS 4 /* of the datagram of the next test */

/* A fragment from unit to unit, which says or not that it is the last, with its bytes or others. */
struct fragment {
    size_t begin, end;
    bool is_last, lies;
};

static bool is_true(const struct fragment *f)
{
    return !f->lies && f->is_last == (f->end == UNITS);
}

static bool send(uint16_t id, const struct fragment *f)
{
    return add((struct from){1, id, 0}, data + f->begin * 8 + f->lies, f->begin * 8,
               (f->end - f->begin) * 8, !f->is_last);
}

/* Number n of all there are; false behind the last one. */
static bool fragment_at(size_t n, struct fragment *f)
{
    size_t count = 0;

    for (size_t begin = 0; begin < UNITS; begin++)
        for (size_t end = begin + 1; end <= UNITS; end++, count += 4)
            if (n / 4 == count / 4) {
                *f = (struct fragment){begin, end, n % 4 / 2, n % 2};
                return true;
            }
    return false;
}

static bool is_all(bool is_whole)
{
    return is_whole && whole.size == UNITS * 8 && !memcmp(whole.data, data, whole.size);
}

/* Whether two make a datagram without more, whichever it is. */
static bool are_one(const struct fragment *a, const struct fragment *b)
{
    const struct fragment *first = a->begin < b->begin ? a : b, *second = first == a ? b : a;
    return !first->begin && !first->is_last && first->end == second->begin && second->is_last;
}

/* What comes of two, and then of all that they should have been. */
static void check_two(uint16_t id, const struct fragment *a, const struct fragment *b)
{
    bool is_none[2] = {!a->begin && a->is_last, !b->begin && b->is_last}; /* no fragments */
    bool is_beside = b->end <= a->begin || b->begin >= a->end;
    bool is_copy = b->begin >= a->begin && b->end <= a->end;
    bool fits = is_beside ? is_true(b) : is_copy && !b->lies && (!b->is_last || b->end == UNITS);
    bool wanted = are_one(a, b) ||
                  (is_none[0] ? is_none[1] || is_true(b) : is_true(a) && (is_none[1] || fits));
    bool got = is_all(send(id, a));

    got |= is_all(send(id, b));
    for (size_t unit = 0; unit < UNITS; unit++)
        got |= is_all(send(id, &(struct fragment){unit, unit + 1, unit == UNITS - 1, false}));
    if (got != wanted)
        fail_msg("from %zu to %zu, last %d, lies %d, then from %zu to %zu, %d, %d: %d", a->begin,
                 a->end, a->is_last, a->lies, b->begin, b->end, b->is_last, b->lies, got);
}

/* A datagram is whole if both are parts of it, and the second is beside the first one or a copy,
 * which needn't say that it is the last. */
static void every_overlap_of_two_ends_a_datagram_or_changes_nothing(void **state)
{
    struct fragment a, b;
    uint16_t id = 0;

    (void)state;
    for (size_t i = 0; fragment_at(i, &a); i++)
        for (size_t j = 0; fragment_at(j, &b); j++)
            check_two(id++, &a, &b);
}

static void a_datagram_has_one_end(void **state)
{
    (void)state;
    assert_false(part(1, 800, 400, 1200));
    assert_false(part(1, 1200, 8, 1208)); /* behind it */
    assert_false(part(1, 0, 800, 1200));
    assert_false(part(2, 800, 400, 1200));
    assert_false(part(2, 400, 80, 480)); /* before it */
    assert_false(part(2, 0, 800, 1200));
    assert_false(part(3, 800, 400, 1200));
    assert_false(add((struct from){1, 3, 0}, data, 1200, 8, true));
    assert_false(part(3, 0, 800, 1200));
    assert_false(part(4, 800, 397, 1197)); /* the rest of its last eight bytes */
    assert_false(part(4, 1192, 8, 1200));
    assert_false(part(4, 0, 800, 1197));
}

static void what_can_not_be_is_no_fragment(void **state)
{
    (void)state;
    assert_false(add((struct from){1, 1, 0}, data, 0, 801, true)); /* not of eights */
    assert_false(part(1, 800, 400, 1200));
    assert_true(part(1, 0, 800, 1200)); /* it was as if it hadn't come */
    assert_false(part(2, 0, 1480, 65535));
    assert_false(add((struct from){1, 2, 0}, data, 65512, 4, false)); /* too long for IPv4 */
    assert_false(add((struct from){1, 2, 0}, data, 65528, 8, true));
}

static void senders_and_identifications_are_told_apart(void **state)
{
    (void)state;
    assert_false(part(1, 0, 800, 1200));
    assert_false(part(2, 800, 400, 1200));
    assert_false(add((struct from){2, 1, 0}, data + 800, 800, 400, false));
    assert_true(part(1, 800, 400, 1200));
    check_whole(1200);
    assert_true(part(2, 0, 800, 1200));
}

static void one_sender_has_no_more_than_its_share(void **state)
{
    (void)state;
    assert_false(add((struct from){9, 1, 0}, data, 0, 800, true));
    for (uint16_t id = 0; id < 100; id++)
        assert_false(part(id, 0, 800, 1200));
    assert_true(add((struct from){9, 1, 0}, data + 800, 800, 400, false));
    for (uint16_t id = 100 - FRAGMENTS_OF_ONE; id < 100; id++)
        assert_true(part(id, 800, 400, 1200));
    assert_false(part(100 - FRAGMENTS_OF_ONE - 1, 800, 400, 1200)); /* it made room */
    fragments_forget();
    for (uint32_t source = 0; source < 2 * FRAGMENTS_DATAGRAMS; source++)
        assert_false(add((struct from){source, 1, 0}, data, 0, 800, true));
    for (uint32_t source = FRAGMENTS_DATAGRAMS; source < 2 * FRAGMENTS_DATAGRAMS; source++)
        assert_true(add((struct from){source, 1, 0}, data + 800, 800, 400, false));
}

static void time_ends(void **state)
{
    (void)state;
    assert_false(add((struct from){1, 1, 100}, data, 0, 800, true));
    assert_true(add((struct from){1, 1, 100 + FRAGMENTS_SECONDS - 1}, data + 800, 800, 400, false));
    assert_false(add((struct from){1, 1, 200}, data, 0, 800, true));
    assert_false(add((struct from){1, 1, 200 + FRAGMENTS_SECONDS}, data + 800, 800, 400, false));
}

/* Its sender is told, if the first fragment came: that is what is quoted. */
static void what_was_not_whole_in_time_is_given_up(void **state)
{
    uint8_t frame[FRAGMENTS_KEPT];
    struct icmp_out error;
    uint32_t when;
    size_t length;

    (void)state;
    assert_false(fragments_due(&when));
    assert_false(add((struct from){1, 1, 100}, data, 0, 1480, true));
    assert_false(add((struct from){1, 2, 101}, data + 800, 800, 400, false));
    assert_false(add((struct from){1, 3, 102}, data, 0, 800, true));
    assert_false(add((struct from){1, 3, 102}, data + 8, 0, 800, true));
    assert_true(fragments_due(&when) && when == 100 + FRAGMENTS_SECONDS);
    assert_false(fragments_expire(when - 1, frame, &length, &error));
    assert_true(fragments_expire(when, frame, &length, &error) && length == FRAGMENTS_KEPT);
    assert_true(error.type == 11 && error.code == 1 && !error.more);
    assert_int_equal(net_get16(frame + ETH_SIZE + 4), 1);
    assert_memory_equal(frame + ETH_SIZE + IPV4_LEAST, data, length - ETH_SIZE - IPV4_LEAST);
    assert_false(fragments_expire(when, frame, &length, &error));
    assert_true(fragments_due(&when) && when == 101 + FRAGMENTS_SECONDS);
    assert_true(fragments_expire(when, frame, &length, &error) &&
                !length); /* another than the first */
    assert_true(fragments_due(&when) && when == 102 + FRAGMENTS_SECONDS);
    assert_true(fragments_expire(when, frame, &length, &error) && !length); /* overlapping ones */
    assert_false(fragments_due(&when));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_cut_in_any_order),
        TEST(overlaps_end_the_datagram),
        TEST(every_overlap_of_two_ends_a_datagram_or_changes_nothing),
        TEST(a_datagram_has_one_end),
        TEST(what_can_not_be_is_no_fragment),
        TEST(senders_and_identifications_are_told_apart),
        TEST(one_sender_has_no_more_than_its_share),
        TEST(time_ends),
        TEST(what_was_not_whole_in_time_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
