/* DHCP's client: each state's questions and their times; answers that it believes, and that it
 * doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "dhcp_message.h"
#include "libos/net/datagram.h"

#define SECOND  1000UL
#define OWN     0x0a000263 /* 10.0.2.99 */
#define SERVER  0x0a000202
#define MESSAGE NET_DATAGRAM_HEADERS

static const uint8_t mac[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 9};
static const uint8_t server_mac[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 1};

static struct {
    uint8_t gap[NET_FRAME_LEAD];
    uint8_t frame[AEGIS_FRAME_MAX];
} in __attribute__((aligned(8))), sent __attribute__((aligned(8)));
static struct dhcp client;
static struct dhcp_out out = {.frame = sent.frame};

/* An answer with options, of which each is written behind the kind. */
static size_t make(uint8_t kind, uint32_t address, const uint8_t *options, size_t size)
{
    uint8_t *m = in.frame + MESSAGE;
    struct net_datagram d = {.source = __builtin_bswap32(SERVER),
                             .destination = UINT32_MAX,
                             .source_port = NET_WIRE16(67),
                             .destination_port = NET_WIRE16(68),
                             .size = 240 + 3 + size};

    memset(m, 0, d.size);
    m[0] = 2;
    m[1] = 1;
    m[2] = 6;
    net_put32(m + 4, client.number);
    net_put32(m + 16, address);
    memcpy(m + 28, mac, 6);
    net_put32(m + 236, 0x63825363);
    m[240] = 53;
    m[241] = 1;
    m[242] = kind;
    memcpy(m + 243, options, size);
    return net_datagram_write(in.frame, &d, mac, server_mac, 64);
}

#define NUMBER(option, n) option, 4, (n) >> 24, (n) >> 16 & 255, (n) >> 8 & 255, (n)&255
#define USUAL(seconds, renew, rebind)                                                              \
    {                                                                                              \
        NUMBER(54, SERVER), NUMBER(51, seconds), NUMBER(58, renew), NUMBER(59, rebind),            \
            NUMBER(1, 0xffffff00), NUMBER(3, SERVER), NUMBER(6, 0x0a000203), 255                   \
    }

static const uint8_t usual[] = USUAL(1000, 500, 800);

static enum dhcp_event give(uint8_t kind, uint32_t address, const uint8_t *options, size_t size,
                            uint64_t now)
{
    return dhcp_receive(&client, in.frame, make(kind, address, options, size), now, &out);
}

static enum dhcp_event tick(uint64_t now)
{
    return dhcp_tick(&client, now, 0x12345678, &out);
}

/* What was sent is a question of this kind; returns the message. */
static const uint8_t *asked(uint8_t kind)
{
    struct net_datagram d;

    assert_true(out.size && net_datagram_read(sent.frame, out.size, &d));
    assert_true(d.source_port == NET_WIRE16(68) && d.destination_port == NET_WIRE16(67));
    assert_true(d.size >= 300 && d.payload[0] == 1 && d.payload[240] == 53);
    assert_int_equal(d.payload[242], kind);
    assert_memory_equal(d.payload + 28, mac, 6);
    return d.payload;
}

/* Bound at 0, with the usual lease. */
static void bind(const uint8_t *options, size_t size)
{
    dhcp_begin(&client, mac, 0);
    assert_int_equal(tick(0), DHCP_NOTHING);
    asked(DHCP_DISCOVER);
    assert_int_equal(give(DHCP_OFFER, OWN, options, size, 0), DHCP_NOTHING);
    assert_int_equal(tick(0), DHCP_NOTHING);
    const uint8_t *m = asked(DHCP_REQUEST);
    assert_true(m[243] == 50 && net_get32(m + 245) == OWN && m[249] == 54 &&
                net_get32(m + 251) == SERVER);
    assert_int_equal(give(DHCP_ACK, OWN, options, size, 0), DHCP_HAVE);
}

static void a_lease_is_what_the_server_says(void **state)
{
    (void)state;
    bind(usual, sizeof usual);
    assert_true(client.lease.address == OWN && client.lease.prefix == 24 &&
                client.lease.router == SERVER && client.lease.dns[0] == 0x0a000203 &&
                !client.lease.dns[1] && client.lease.server == SERVER);
    assert_memory_equal(client.lease.server_mac, server_mac, 6);
    assert_int_equal(client.due, 500 * SECOND);
}

/* The lease of an answer with the usual options, and these behind them. */
static const struct dhcp_lease *lease_with(const uint8_t *more, size_t size)
{
    static uint8_t options[600];

    memcpy(options, usual, sizeof usual - 1 - 6); /* but for the server of names, and the end */
    memcpy(options + sizeof usual - 7, more, size);
    options[sizeof usual - 7 + size] = 255;
    bind(options, sizeof usual - 6 + size);
    return &client.lease;
}

#define LEASE_WITH(text) lease_with((const uint8_t *)(text), sizeof(text) - 1)

static void several_servers_of_names_are_kept(void **state)
{
    (void)state;
    const struct dhcp_lease *l =
        LEASE_WITH("\6\x14\12\0\2\3\177\0\0\1\12\0\2\4\10\10\10\10\11\11\11\11");
    assert_true(l->dns[0] == 0x0a000203 && l->dns[1] == 0x0a000204 && l->dns[2] == 0x08080808);
    l = LEASE_WITH("\6\3\12\0\2");
    assert_true(!l->dns[0]);
}

static void domains_are_the_list_or_the_one(void **state)
{
    (void)state;
    assert_string_equal(LEASE_WITH("\17\3a.b")->search, "a.b");
    assert_string_equal(LEASE_WITH("\17\4a.b\0")->search, "a.b");
    assert_string_equal(LEASE_WITH("\17\3a b")->search, "");
    assert_string_equal(LEASE_WITH("\17\4a..b")->search, "");
    assert_string_equal(LEASE_WITH("\17\3a.b\167\5\1c\1d\0")->search, "c.d");
    /* in two pieces, the second name of which ends as the first does: RFC 3397, section 3 */
    assert_string_equal(LEASE_WITH("\167\6\3eng\5a\167\12pple\0\2no\xc0\4")->search,
                        "eng.apple no.apple");
    assert_string_equal(LEASE_WITH("\167\3\1c\1")->search, ""); /* cut off */
    assert_string_equal(LEASE_WITH("\167\2\xc0\0")->search, "");
}

static void questions_without_an_answer_come_ever_more_seldom(void **state)
{
    (void)state;
    static const uint64_t waits[] = {4, 8, 16, 32, 64, 64, 64};
    uint64_t now = 0;

    dhcp_begin(&client, mac, 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        tick(now);
        asked(DHCP_DISCOVER);
        assert_in_range(client.due, now + (waits[i] - 1) * SECOND, now + (waits[i] + 1) * SECOND);
        tick(client.due - 1);
        assert_int_equal(out.size, 0);
        now = client.due;
    }
    give(DHCP_OFFER, OWN, usual, sizeof usual, now);
    for (int i = 0; i < 4; i++) {
        tick(client.due);
        asked(DHCP_REQUEST);
    }
    tick(client.due); /* the server is gone */
    asked(DHCP_DISCOVER);
}

static void a_lease_is_renewed_then_asked_of_all_then_lost(void **state)
{
    (void)state;
    uint64_t now = 500 * SECOND;

    bind(usual, sizeof usual);
    tick(now);
    const uint8_t *m = asked(DHCP_REQUEST);
    assert_int_equal(net_get32(m + 12), OWN);
    assert_memory_equal(sent.frame, server_mac, 6);
    assert_int_equal(net_get32(sent.frame + IPV4_SOURCE), OWN);
    assert_int_equal(client.due, 650 * SECOND); /* half of what is left before 800 */
    while (client.state == DHCP_RENEWING) {
        now = client.due;
        assert_true(now <= 800 * SECOND);
        assert_int_equal(tick(now), DHCP_NOTHING);
    }
    assert_int_equal(now, 800 * SECOND);
    assert_true(client.state == DHCP_REBINDING && sent.frame[0] == 0xff);
    assert_int_equal(net_get32(sent.frame + IPV4_DESTINATION), UINT32_MAX);
    while (client.state == DHCP_REBINDING) {
        now = client.due;
        assert_int_equal(tick(now), now == 1000 * SECOND ? DHCP_LOST : DHCP_NOTHING);
    }
    assert_int_equal(client.state, DHCP_INIT);
    bind(usual, sizeof usual);
    tick(500 * SECOND);
    assert_int_equal(give(DHCP_ACK, OWN, usual, sizeof usual, 501 * SECOND), DHCP_HAVE);
    assert_int_equal(client.due, 1000 * SECOND); /* from the question on */
}

static void a_refusal_ends_it(void **state)
{
    (void)state;
    bind(usual, sizeof usual);
    assert_int_equal(give(DHCP_NAK, 0, usual, sizeof usual, 1), DHCP_NOTHING); /* to no question */
    tick(500 * SECOND);
    assert_int_equal(give(DHCP_NAK, 0, usual, sizeof usual, 501 * SECOND), DHCP_LOST);
    assert_int_equal(client.due, 503 * SECOND);
    dhcp_begin(&client, mac, 0);
    tick(0);
    give(DHCP_OFFER, OWN, usual, sizeof usual, 0);
    tick(0);
    assert_int_equal(give(DHCP_NAK, 0, usual, sizeof usual, 0), DHCP_NOTHING);
    assert_int_equal(client.state, DHCP_INIT);
}

static void a_lease_for_ever_is_not_asked_for_again(void **state)
{
    (void)state;
    static const uint8_t ever[] = USUAL(0xffffffffU, 0x7fffffff, 0xdfffffff);

    bind(ever, sizeof ever);
    assert_true(client.due == UINT64_MAX);
}

/* Each option of the usual ones left out or made wrong. */
static void leases_that_can_not_be_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        uint32_t address;
        uint8_t options[64];
    } rows[] = {
        {OWN, {NUMBER(51, 1000), NUMBER(1, 0xffffff00), 255}},                     /* no server */
        {OWN, {NUMBER(54, SERVER), NUMBER(1, 0xffffff00), 255}},                   /* no time */
        {OWN, {NUMBER(54, SERVER), NUMBER(51, 3), NUMBER(1, 0xffffff00), 255}},    /* too short */
        {OWN, {NUMBER(54, SERVER), NUMBER(51, 1000), NUMBER(1, 0xff00ff00), 255}}, /* no mask */
        {OWN, {NUMBER(54, SERVER), NUMBER(51, 1000), 3, 61}}, /* over the end */
        {0x0a0002ff, {NUMBER(54, SERVER), NUMBER(51, 1000), NUMBER(1, 0xffffff00), 255}},
        {0x0a000200, {NUMBER(54, SERVER), NUMBER(51, 1000), NUMBER(1, 0xffffff00), 255}},
        {0, {NUMBER(54, SERVER), NUMBER(51, 1000), 255}},
        {0x7f000001, {NUMBER(54, SERVER), NUMBER(51, 1000), 255}},
        {0xe0000001, {NUMBER(54, SERVER), NUMBER(51, 1000), 255}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dhcp_begin(&client, mac, 0);
        tick(0);
        give(DHCP_OFFER, rows[i].address, rows[i].options, sizeof rows[i].options, 0);
        assert_int_equal(client.state, DHCP_SELECTING);
    }
    give(DHCP_OFFER, OWN, usual, sizeof usual, 0);
    assert_int_equal(client.state, DHCP_REQUESTING);
}

/* A byte of the message that makes it another's, changed. */
static void answers_to_others_are_passed_over(void **state)
{
    (void)state;
    static const size_t bytes[] = {0, 1, 2, 4, 7, 28, 33, 236, 239};

    dhcp_begin(&client, mac, 0);
    tick(0);
    size_t length = make(DHCP_OFFER, OWN, usual, sizeof usual);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        in.frame[MESSAGE + bytes[i]] ^= 1;
        net_put16(in.frame + ETH_SIZE + IPV4_LEAST + UDP_CHECKSUM, 0);
        dhcp_receive(&client, in.frame, length, 0, &out);
        assert_int_equal(client.state, DHCP_SELECTING);
        in.frame[MESSAGE + bytes[i]] ^= 1;
    }
    for (size_t cut = 0; cut < length; cut += 7)
        dhcp_receive(&client, in.frame, cut, 0, &out);
    assert_int_equal(client.state, DHCP_SELECTING);
    in.frame[length - 1] ^= 1; /* UDP's sum */
    length = make(DHCP_OFFER, OWN, usual, sizeof usual);
    in.frame[length - 2] ^= 1;
    dhcp_receive(&client, in.frame, length, 0, &out);
    assert_int_equal(client.state, DHCP_SELECTING);
}

static void options_go_on_in_the_fields_of_names(void **state)
{
    (void)state;
    static const uint8_t first[] = {NUMBER(54, SERVER), 52, 1, 3, 255};
    static const uint8_t in_file[] = {NUMBER(51, 1000), 255},
                         in_name[] = {NUMBER(1, 0xffff0000), 255};

    dhcp_begin(&client, mac, 0);
    tick(0);
    size_t length = make(DHCP_OFFER, OWN, first, sizeof first);
    memcpy(in.frame + MESSAGE + 108, in_file, sizeof in_file);
    memcpy(in.frame + MESSAGE + 44, in_name, sizeof in_name);
    net_put16(in.frame + ETH_SIZE + IPV4_LEAST + UDP_CHECKSUM, 0);
    dhcp_receive(&client, in.frame, length, 0, &out);
    assert_true(client.state == DHCP_REQUESTING && client.offer.seconds == 1000 &&
                client.offer.prefix == 16 && client.offer.renew == 500 &&
                client.offer.rebind == 875);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_what_the_server_says),
        cmocka_unit_test(several_servers_of_names_are_kept),
        cmocka_unit_test(domains_are_the_list_or_the_one),
        cmocka_unit_test(questions_without_an_answer_come_ever_more_seldom),
        cmocka_unit_test(a_lease_is_renewed_then_asked_of_all_then_lost),
        cmocka_unit_test(a_refusal_ends_it),
        cmocka_unit_test(a_lease_for_ever_is_not_asked_for_again),
        cmocka_unit_test(leases_that_can_not_be_are_passed_over),
        cmocka_unit_test(answers_to_others_are_passed_over),
        cmocka_unit_test(options_go_on_in_the_fields_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
