/* The codec of message bodies: what goes in comes out, and what breaks messages.def is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

static uint8_t body[CONTROL_BODY_MAX];

static int encode_load(struct control_load *load)
{
    static uint8_t ingress[CONTROL_IMAGE_MAX], egress[100], handler[CONTROL_HANDLER_MAX];

    memset(ingress, 0x11, sizeof ingress);
    memset(egress, 0x22, sizeof egress);
    memset(handler, 0x33, sizeof handler);
    *load = (struct control_load){.name = "echo-7",
                                  .app = "udp-echo",
                                  .netif = 3,
                                  .ingress = {ingress, sizeof ingress},
                                  .egress = {egress, sizeof egress},
                                  .handler = {handler, sizeof handler},
                                  .fuel = 65536};
    return control_encode(CONTROL_RECORD_load, load, body, sizeof body);
}

static void a_load_comes_back(void **state)
{
    struct control_load in, out;
    int size = encode_load(&in);

    (void)state;
    assert_true(size > 0);
    assert_int_equal(control_decode(CONTROL_RECORD_load, body, (size_t)size, &out), 0);
    assert_string_equal(out.name, in.name);
    assert_string_equal(out.app, in.app);
    assert_int_equal(out.netif, 3);
    assert_int_equal(out.ingress.size, in.ingress.size);
    assert_memory_equal(out.ingress.data, in.ingress.data, in.ingress.size);
    assert_int_equal(out.egress.size, 100);
    assert_memory_equal(out.egress.data, in.egress.data, 100);
    assert_int_equal(out.handler.size, CONTROL_HANDLER_MAX);
    assert_memory_equal(out.handler.data, in.handler.data, in.handler.size);
    assert_int_equal(out.fuel, 65536);
}

/* The largest of each part together: what body_max is for. */
static void the_largest_load_fits_a_body(void **state)
{
    static uint8_t image[CONTROL_HANDLER_MAX];
    struct control_load load = {.netif = 3,
                                .ingress = {image, CONTROL_IMAGE_MAX},
                                .egress = {image, CONTROL_IMAGE_MAX},
                                .handler = {image, CONTROL_HANDLER_MAX}};

    (void)state;
    memset(load.name, 'n', sizeof load.name - 1);
    memset(load.app, 'a', sizeof load.app - 1);
    assert_true(control_encode(CONTROL_RECORD_load, &load, body, sizeof body) > 0);
    load.handler.size++;
    assert_int_equal(control_encode(CONTROL_RECORD_load, &load, body, sizeof body),
                     -CONTROL_E_MALFORMED);
}

/* A load without application, handler and fuel, as a host sends it that knows none: their fields
 * are absent, or there and empty. */
static void names_and_bytes_may_be_absent_where_the_record_says_so(void **state)
{
    struct control_load in = {.name = "n"}, out;
    int size = control_encode(CONTROL_RECORD_load, &in, body, sizeof body);
    static const uint8_t absent[] = {1, 0, 0, 0, 1, 0, 0, 0, 'n',                       /* name */
                                     4, 0, 0, 0, 0, 0, 0, 0, 5,   0, 0, 0, 0, 0, 0, 0}; /* images */

    (void)state;
    assert_true(size > 0);
    assert_int_equal(control_decode(CONTROL_RECORD_load, body, (size_t)size, &out), 0);
    assert_string_equal(out.app, "");
    assert_int_equal(out.handler.size, 0);
    memset(&out, 0xff, sizeof out);
    assert_int_equal(control_decode(CONTROL_RECORD_load, absent, sizeof absent, &out), 0);
    assert_string_equal(out.app, "");
    assert_int_equal(out.handler.size, 0);
    assert_int_equal(out.fuel, 0);
    assert_int_equal(control_decode(CONTROL_RECORD_load, absent, sizeof absent - 8, &out),
                     -CONTROL_E_MALFORMED); /* an image is needed */
    strcpy(in.app, "a b");
    assert_int_equal(control_encode(CONTROL_RECORD_load, &in, body, sizeof body),
                     -CONTROL_E_MALFORMED);
}

/* A console's output and input carry any bytes, up to their limits and not beyond. */
static void a_consoles_bytes_come_back_and_have_a_limit(void **state)
{
    static uint8_t bytes[CONTROL_OUTPUT_MAX + 1];
    struct control_console_output in = {.position = UINT64_MAX - 1,
                                        .bytes = {bytes, CONTROL_OUTPUT_MAX},
                                        .ended = 1,
                                        .status = 139},
                                  out;
    struct control_console_write write = {.console = 7, .bytes = {bytes, CONTROL_INPUT_MAX + 1}};
    int size;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    size = control_encode(CONTROL_RECORD_console_output, &in, body, sizeof body);
    assert_true(size > 0);
    assert_int_equal(control_decode(CONTROL_RECORD_console_output, body, (size_t)size, &out), 0);
    assert_true(out.position == in.position && out.ended == 1 && out.status == 139);
    assert_int_equal(out.bytes.size, CONTROL_OUTPUT_MAX);
    assert_memory_equal(out.bytes.data, bytes, CONTROL_OUTPUT_MAX);
    in.bytes.size++;
    assert_int_equal(control_encode(CONTROL_RECORD_console_output, &in, body, sizeof body),
                     -CONTROL_E_MALFORMED);
    assert_int_equal(control_encode(CONTROL_RECORD_console_write, &write, body, sizeof body),
                     -CONTROL_E_MALFORMED);
    write.bytes.size--;
    assert_true(control_encode(CONTROL_RECORD_console_write, &write, body, sizeof body) > 0);
}

/* At the last size only is nothing cut short or missing. The copy is exact, so that ASan sees a
 * read beyond it. */
static void a_body_cut_anywhere_is_refused(void **state)
{
    struct control_hello in = {.version = 1, .self = 5, .peer = 6, .body_max = 7}, out;
    int size = control_encode(CONTROL_RECORD_hello, &in, body, sizeof body);

    (void)state;
    for (int cut = 0; cut <= size; cut++) {
        uint8_t *copy = malloc((size_t)cut + (cut == 0));

        memcpy(copy, body, (size_t)cut);
        assert_int_equal(control_decode(CONTROL_RECORD_hello, copy, (size_t)cut, &out),
                         cut == size ? 0 : -CONTROL_E_MALFORMED);
        free(copy);
    }
    assert_int_equal(out.self, 5);
    assert_int_equal(out.peer, 6);
}

static void no_capacity_below_the_need_is_overrun(void **state)
{
    struct control_hello in = {.version = 1, .self = 5, .peer = 6, .body_max = 7};
    int size = control_encode(CONTROL_RECORD_hello, &in, body, sizeof body);

    (void)state;
    for (int capacity = 0; capacity < size; capacity++) {
        uint8_t *exact = malloc((size_t)capacity + (capacity == 0));

        assert_int_equal(control_encode(CONTROL_RECORD_hello, &in, exact, (size_t)capacity),
                         -CONTROL_E_TOO_BIG);
        free(exact);
    }
}

static void names_are_checked_on_both_ways(void **state)
{
    static const char *const bad[] = {"", "a b", "a/b", "\x7f", "a\nb", "\xc3\xa4"};
    struct control_unload in, out;
    int size;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&in, 0, sizeof in);
        memcpy(in.name, bad[i], strlen(bad[i]));
        assert_int_equal(control_encode(CONTROL_RECORD_unload, &in, body, sizeof body),
                         -CONTROL_E_MALFORMED);
        assert_false(control_is_name(bad[i], CONTROL_NAME_SIZE));
    }
    memset(in.name, 'x', sizeof in.name); /* no zero */
    assert_int_equal(control_encode(CONTROL_RECORD_unload, &in, body, sizeof body),
                     -CONTROL_E_MALFORMED);
    in.name[31] = 0;
    size = control_encode(CONTROL_RECORD_unload, &in, body, sizeof body);
    assert_int_equal(size, 8 + 31);
    assert_int_equal(control_decode(CONTROL_RECORD_unload, body, (size_t)size, &out), 0);
    body[8 + 30] = 0; /* a zero inside what claims 31 characters */
    assert_int_equal(control_decode(CONTROL_RECORD_unload, body, (size_t)size, &out),
                     -CONTROL_E_MALFORMED);
    memset(body + 8, 'y', 32); /* a name of 32 */
    body[4] = 32;
    assert_int_equal(control_decode(CONTROL_RECORD_unload, body, 40, &out), -CONTROL_E_MALFORMED);
}

static void fields_doubled_missing_or_misshapen_are_refused(void **state)
{
    struct control_stop in = {.status = 3}, out;
    int size = control_encode(CONTROL_RECORD_stop, &in, body, sizeof body);

    (void)state;
    assert_int_equal(size, 12);
    assert_int_equal(control_decode(CONTROL_RECORD_stop, body, 0, &out), -CONTROL_E_MALFORMED);
    memcpy(body + 12, body, 12);
    assert_int_equal(control_decode(CONTROL_RECORD_stop, body, 24, &out), -CONTROL_E_MALFORMED);
    body[12] = 99; /* an unknown tag beside it: skipped */
    assert_int_equal(control_decode(CONTROL_RECORD_stop, body, 24, &out), 0);
    assert_int_equal(out.status, 3);
    body[2] = 1; /* the reserved half-word */
    assert_int_equal(control_decode(CONTROL_RECORD_stop, body, 24, &out), -CONTROL_E_MALFORMED);
    body[2] = 0;
    body[4] = 3; /* a number of three bytes */
    assert_int_equal(control_decode(CONTROL_RECORD_stop, body, 11, &out), -CONTROL_E_MALFORMED);
}

static void an_image_beyond_its_limit_is_refused(void **state)
{
    static uint8_t image[CONTROL_IMAGE_MAX + 1];
    static uint8_t large[2 * CONTROL_IMAGE_MAX + 2048];
    struct control_load load, out;
    int size = encode_load(&load) - (8 + CONTROL_HANDLER_MAX) - 12; /* without what may be absent */
    uint8_t *egress;

    (void)state;
    load.egress = (struct control_bytes){image, sizeof image};
    assert_int_equal(control_encode(CONTROL_RECORD_load, &load, large, sizeof large),
                     -CONTROL_E_MALFORMED);
    memcpy(large, body, (size_t)size); /* the egress image is last: lengthen it by hand */
    egress = large + size - 100 - 8;
    egress[4] = 1;
    egress[5] = 0;
    egress[6] = 1;
    assert_int_equal(
        control_decode(CONTROL_RECORD_load, large, (size_t)size - 100 + sizeof image, &out),
        -CONTROL_E_MALFORMED);
    egress[4] = 0;
    assert_int_equal(
        control_decode(CONTROL_RECORD_load, large, (size_t)size - 100 + sizeof image - 1, &out), 0);
}

static void rows_come_back_in_order(void **state)
{
    struct control_listed listed = {.next = 40}, head;
    struct control_binding_row row = {.name = "n", .app = "a", .dropped = 1ULL << 40}, out;
    struct control_handler_row handler = {.runs = 7, .abort = "insn 3, fuel"}, ran;
    struct control_netif_row other = {.netif = 1, .mac = {2, 0, 0, 0, 0, 1}}, netif;
    size_t used, position = 0;

    (void)state;
    used = (size_t)control_encode(CONTROL_RECORD_listed, &listed, body, sizeof body);
    for (uint32_t i = 0; i < 40; i++) {
        row.binding = i;
        used += (size_t)control_encode_row(CONTROL_RECORD_binding_row, &row, body + used,
                                           sizeof body - used);
    }
    used += (size_t)control_encode_row(CONTROL_RECORD_netif_row, &other, body + used,
                                       sizeof body - used);
    assert_int_equal(control_decode(CONTROL_RECORD_listed, body, used, &head), 0);
    assert_int_equal(head.next, 40);
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(control_next_row(CONTROL_RECORD_binding_row, body, used, &position, &out),
                         1);
        assert_int_equal(out.binding, i);
        assert_true(out.dropped == 1ULL << 40);
    }
    assert_int_equal(control_next_row(CONTROL_RECORD_binding_row, body, used, &position, &out), 0);
    used += (size_t)control_encode_row(CONTROL_RECORD_handler_row, &handler, body + used,
                                       sizeof body - used);
    position = 0;
    assert_int_equal(control_next_row(CONTROL_RECORD_handler_row, body, used, &position, &ran), 1);
    assert_string_equal(ran.abort, "insn 3, fuel");
    position = 0;
    assert_int_equal(control_next_row(CONTROL_RECORD_netif_row, body, used, &position, &netif), 1);
    assert_memory_equal(netif.mac, other.mac, 6);
    assert_int_equal(control_encode_row(CONTROL_RECORD_netif_row, &other, body, 7),
                     -CONTROL_E_TOO_BIG);
}

static void texts_may_be_absent_and_numbers_default_to_0(void **state)
{
    struct control_error error = {.code = 16}, out;
    struct control_list list;
    int size;

    (void)state;
    size = control_encode(CONTROL_RECORD_error, &error, body, sizeof body);
    assert_int_equal(control_decode(CONTROL_RECORD_error, body, 12, &out), 0);
    assert_string_equal(out.text, "");
    assert_int_equal(control_decode(CONTROL_RECORD_error, body, (size_t)size, &out), 0);
    assert_int_equal(control_decode(CONTROL_RECORD_list, NULL, 0, &list), 0);
    assert_int_equal(list.start, 0);
}

static void every_code_has_its_sentence(void **state)
{
    (void)state;
    assert_string_equal(control_code_text(CONTROL_E_NO_NAME), "no binding has that name");
    assert_null(control_code_text(16));
    assert_null(control_code_text(0));
}

/* A captured frame is a row; it may have any bytes, up to those that a ring's slot holds. */
static void frame_rows_follow_their_answer_and_have_a_limit(void **state)
{
    static uint8_t bytes[CONTROL_BYTES_MAX + 1];
    struct control_framed framed = {.now = 5, .dropped = 6};
    struct control_frame_row row = {.time = 7, .length = 1514, .sent = 1}, out;
    size_t position = 0;
    int used = control_encode(CONTROL_RECORD_framed, &framed, body, sizeof body);

    (void)state;
    assert_true(used > 0);
    for (uint32_t size = 0; size <= CONTROL_BYTES_MAX + 1; size += CONTROL_BYTES_MAX / 2) {
        row.bytes = (struct control_bytes){bytes, size};
        int n = control_encode_row(CONTROL_RECORD_frame_row, &row, body + used,
                                   sizeof body - (size_t)used);
        assert_true(n > 0);
        used += n;
    }
    row.bytes.size = CONTROL_BYTES_MAX + 1;
    assert_int_equal(
        control_encode_row(CONTROL_RECORD_frame_row, &row, body + used, sizeof body - (size_t)used),
        -CONTROL_E_MALFORMED);
    for (uint32_t size = 0; size <= CONTROL_BYTES_MAX; size += CONTROL_BYTES_MAX / 2) {
        assert_int_equal(
            control_next_row(CONTROL_RECORD_frame_row, body, (size_t)used, &position, &out), 1);
        assert_true(out.time == 7 && out.length == 1514 && out.sent == 1);
        assert_int_equal(out.bytes.size, size);
    }
    assert_int_equal(
        control_next_row(CONTROL_RECORD_frame_row, body, (size_t)used, &position, &out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_rows_follow_their_answer_and_have_a_limit),
        cmocka_unit_test(a_load_comes_back),
        cmocka_unit_test(a_consoles_bytes_come_back_and_have_a_limit),
        cmocka_unit_test(the_largest_load_fits_a_body),
        cmocka_unit_test(names_and_bytes_may_be_absent_where_the_record_says_so),
        cmocka_unit_test(a_body_cut_anywhere_is_refused),
        cmocka_unit_test(no_capacity_below_the_need_is_overrun),
        cmocka_unit_test(names_are_checked_on_both_ways),
        cmocka_unit_test(fields_doubled_missing_or_misshapen_are_refused),
        cmocka_unit_test(an_image_beyond_its_limit_is_refused),
        cmocka_unit_test(rows_come_back_in_order),
        cmocka_unit_test(texts_may_be_absent_and_numbers_default_to_0),
        cmocka_unit_test(every_code_has_its_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
