/* A frame in a line: what each kind says, and what a frame that ends too early says. Whole frames
 * of many kinds are compared with tcpdump's lines in tests/system/test_capture.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tools/aegisctl/frame_text.h"

#define ETHER "\x52\x54\x00\x12\x34\x56\x02\x00\x00\x00\x00\x01"
#define IPV4(p)                                                                                    \
    "\x08\x00\x45\x00\x00\x24\x00\x01\x00\x00\x40" p "\x00\x00\x0a\x00\x02\x02\x0a\x00\x02\x0f"
#define UDP_HEADER "\x0f\xa0\x00\x07\x00\x10\x00\x00"
#define BYTES      "\x00\x01\x02\x03\x04\x05\x06\x07"

struct line {
    const char *bytes;
    size_t size, length;
    const char *text;
};
#define LINE(bytes, more, text)                                                                    \
    {                                                                                              \
        bytes, sizeof bytes - 1, sizeof bytes - 1 + (more), text                                   \
    }

static const struct line lines[] = {
    LINE(ETHER IPV4("\x11") UDP_HEADER BYTES, 0, "IP 10.0.2.2.4000 > 10.0.2.15.7: UDP, length 8"),
    /* an Ethernet frame's padding is no part of the datagram */
    LINE(ETHER IPV4("\x01") "\x08\x00\x00\x00\x00\x05\x00\x06" BYTES BYTES BYTES, 0,
         "IP 10.0.2.2 > 10.0.2.15: ICMP echo request, id 5, seq 6, length 16"),
    LINE(ETHER IPV4("\x01") "\x03\x01\x00\x00\x00\x05\x00\x06" BYTES, 0,
         "IP 10.0.2.2 > 10.0.2.15: ICMP type 3, code 1, length 16"),
    LINE(ETHER IPV4("\x63") UDP_HEADER BYTES, 0, "IP 10.0.2.2 > 10.0.2.15: ip-proto-99 16"),
    LINE(ETHER "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\x0a\x00\x02\x02"
               "\x00\x00\x00\x00\x00\x00\x0a\x00\x02\x0f",
         18, "ARP, Request who-has 10.0.2.15 tell 10.0.2.2, length 46"),
    LINE(ETHER "\x12\x34" BYTES, 0,
         "02:00:00:00:00:01 > 52:54:00:12:34:56, ethertype 0x1234, length 22"),
    /* cut short at each layer */
    LINE("", 60, "[|ether]"),
    LINE("\x52\x54\x00\x12\x34\x56\x02\x00\x00\x00\x00\x01\x08", 0, "[|ether]"),
    LINE(ETHER "\x08\x00\x45\x00", 40, "IP [|ip]"),
    LINE(ETHER IPV4("\x11") "\x0f\xa0\x00\x07", 40, "IP 10.0.2.2 > 10.0.2.15: [|udp]"),
    LINE(ETHER "\x08\x06\x00\x01", 40, "ARP, [|arp]"),
    LINE(ETHER "\x86\xdd\x60", 40, "IP6 [|ip6]"),
    /* headers that lie */
    LINE(ETHER
         "\x08\x00\x41\x00\x00\x24\x00\x01\x00\x00\x40\x11\x00\x00\x0a\x00\x02\x02\x0a\x00\x02\x0f",
         0, "IP version 4, bad header length 4 of 36"),
    LINE(ETHER IPV4("\x11") "\x0f\xa0\x00\x07\x00\x03\x00\x00", 0,
         "IP 10.0.2.2.4000 > 10.0.2.15.7: UDP, bad length 3"),
    LINE(ETHER IPV4("\x06") "\x0f\xa0\x00\x07" BYTES "\xf0\x02\x00\x00\x00\x00\x00\x00", 0,
         "IP 10.0.2.2 > 10.0.2.15: [|tcp]"),
};

static void each_kind_of_frame_has_its_line(void **state)
{
    char text[FRAME_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        frame_text((const uint8_t *)lines[i].bytes, lines[i].size, lines[i].length, text);
        assert_string_equal(text, lines[i].text);
    }
}

/* A later fragment begins anywhere: no ports are read out of it. */
static void a_later_fragment_has_no_ports(void **state)
{
    static const char frame[] = ETHER IPV4("\x11") UDP_HEADER BYTES;
    uint8_t bytes[sizeof frame - 1];
    char text[FRAME_TEXT_SIZE];

    (void)state;
    memcpy(bytes, frame, sizeof bytes);
    bytes[21] = 1;
    frame_text(bytes, sizeof bytes, sizeof bytes, text);
    assert_string_equal(text, "IP 10.0.2.2 > 10.0.2.15: ip-proto-17");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_frame_has_its_line),
        cmocka_unit_test(a_later_fragment_has_no_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
