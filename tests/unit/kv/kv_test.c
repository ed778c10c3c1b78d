/*
 * kv's requests, its table, and the handler that answers GETs from that table, interpreted
 * (argument: its image): beside the application, which says the same.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>

#include "apps/kv/request.h"
#include "ash/ash.h"
#include "libos/net/datagram.h"

#define START 64 /* of a frame in its buffer: at 6 modulo 8 with NET_FRAME_LEAD */
#define ROOM  2048

static const char *image_path;
static struct kv_entry table[KV_ENTRIES];
static struct store store;
static uint8_t answered[KV_ANSWER_MAX];
static uint64_t random_state = 88172645463325252;

static uint32_t next(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % below;
}

static int setup(void **state)
{
    (void)state;
    memset(table, 0, sizeof table);
    store = (struct store){.table = table, .seed = 0x1234567};
    return 0;
}

/* ---- requests ---- */

struct message {
    uint8_t bytes[sizeof(struct kv_header) + KV_KEY_MAX + 2048];
    size_t size;
};

static struct message make(enum kv_operation operation, const char *key, size_t key_size,
                           const void *value, size_t value_size, uint32_t version)
{
    struct message m = {0};
    const struct kv_header header = {.magic = __builtin_bswap16(KV_MAGIC),
                                     .operation = (uint8_t)operation,
                                     .tag = __builtin_bswap32(0xabcd1234),
                                     .version = __builtin_bswap32(version),
                                     .value_size = __builtin_bswap16((uint16_t)value_size),
                                     .key_size = (uint8_t)key_size};
    size_t padded = (key_size + 7) & ~7UL;
    memcpy(m.bytes, &header, sizeof header);
    memcpy(m.bytes + sizeof header, key, key_size);
    if (value_size)
        memcpy(m.bytes + sizeof header + padded, value, value_size);
    m.size = sizeof header + padded + value_size;
    return m;
}

/* What the application says to bytes that lie in memory of their own size. */
static struct kv_header ask(const struct message *m)
{
    struct kv_header header = {0};
    uint8_t *copy = malloc(m->size ? m->size : 1);
    memcpy(copy, m->bytes, m->size);
    size_t size = kv_serve(&store, copy, m->size, answered);
    free(copy);
    if (!size)
        return header;
    memcpy(&header, answered, sizeof header);
    header.version = __builtin_bswap32(header.version);
    header.value_size = __builtin_bswap16(header.value_size);
    assert_int_equal(size, sizeof header + header.value_size);
    assert_int_equal(header.tag, __builtin_bswap32(0xabcd1234));
    assert_int_equal(header.operation, m->bytes[2] | KV_ANSWER);
    return header;
}

static enum kv_status set(const char *key, const char *value, uint32_t version)
{
    struct message m = make(KV_SET, key, strlen(key), value, strlen(value), version);
    return (enum kv_status)ask(&m).status;
}

static void expect(const char *key, const char *value)
{
    struct message m = make(KV_GET, key, strlen(key), NULL, 0, 0);
    struct kv_header header = ask(&m);
    assert_int_equal(header.status, value ? KV_OK : KV_NOT_FOUND);
    assert_int_equal(header.value_size, value ? strlen(value) : 0);
    assert_int_equal(header.version != 0, value != NULL);
    if (value)
        assert_memory_equal(answered + sizeof header, value, strlen(value));
}

static void what_was_set_is_got_until_it_is_deleted(void **state)
{
    (void)state;
    expect("a", NULL);
    assert_int_equal(set("a", "one", 0), KV_OK);
    assert_int_equal(set("b", "", 0), KV_OK);
    expect("a", "one");
    expect("b", "");
    expect("aa", NULL);
    assert_int_equal(set("a", "two, longer than before", 0), KV_OK);
    expect("a", "two, longer than before");
    assert_int_equal(set("a", "3", 0), KV_OK);
    expect("a", "3");
    struct message delete = make(KV_DELETE, "a", 1, NULL, 0, 0);
    assert_int_equal(ask(&delete).status, KV_OK);
    assert_int_equal(ask(&delete).status, KV_NOT_FOUND);
    expect("a", NULL);
    expect("b", "");
}

static void keys_that_differ_in_zeros_at_the_end_are_two(void **state)
{
    (void)state;
    struct message one = make(KV_SET, "k", 1, "1", 1, 0), two = make(KV_SET, "k\0", 2, "2", 1, 0);
    assert_int_equal(ask(&one).status, KV_OK);
    assert_int_equal(ask(&two).status, KV_OK);
    expect("k", "1");
}

static void a_version_that_is_over_conflicts(void **state)
{
    (void)state;
    struct message m = make(KV_SET, "a", 1, "x", 1, 0);
    uint32_t first = ask(&m).version;
    assert_int_equal(set("a", "y", first), KV_OK);
    m = make(KV_SET, "a", 1, "z", 1, first);
    struct kv_header header = ask(&m);
    assert_int_equal(header.status, KV_CONFLICT);
    assert_true(header.version != first && header.version != 0);
    expect("a", "y");
    m = make(KV_DELETE, "a", 1, NULL, 0, first);
    assert_int_equal(ask(&m).status, KV_CONFLICT);
    m = make(KV_DELETE, "a", 1, NULL, 0, header.version);
    assert_int_equal(ask(&m).status, KV_OK);
    assert_int_equal(set("a", "again", header.version), KV_CONFLICT); /* there is none */
    assert_int_equal(set("a", "again", 0), KV_OK);
    m = make(KV_GET, "a", 1, NULL, 0, 0);
    assert_true(ask(&m).version > header.version);
}

static void malformed_requests_are_told_so_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {{3, 1},   {12, 1}, {13, 0},   {13, 2}, {14, 0},
                 {14, 33}, {14, 9}, {14, 255}, {15, 1}, {23, 1}};
    assert_int_equal(set("key", "v", 0), KV_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct message m = make(KV_SET, "key", 3, "w", 1, 0);
        m.bytes[wrong[i].at] = wrong[i].byte;
        struct kv_header header = ask(&m);
        if (header.status != KV_MALFORMED || header.version || header.value_size)
            fail_msg("byte %zu = %u: status %u", wrong[i].at, wrong[i].byte, header.status);
    }
    for (size_t size = sizeof(struct kv_header); size < 25; size++) {
        struct message m = make(KV_SET, "key", 3, "w", 1, 0);
        m.size = size;
        assert_int_equal(ask(&m).status, KV_MALFORMED);
    }
    struct message m = make(KV_GET, "key", 3, "w", 1, 0); /* a value where none belongs */
    assert_int_equal(ask(&m).status, KV_MALFORMED);
    m = make((enum kv_operation)9, "key", 3, NULL, 0, 0);
    assert_int_equal(ask(&m).status, KV_UNKNOWN);
    expect("key", "v");
}

static void what_is_no_request_is_not_answered(void **state)
{
    (void)state;
    struct message m = make(KV_GET, "key", 3, NULL, 0, 0);
    for (size_t size = 0; size < sizeof(struct kv_header); size++)
        assert_int_equal(kv_serve(&store, m.bytes, size, answered), 0);
    m.bytes[2] |= KV_ANSWER; /* or two servers would talk for ever */
    assert_int_equal(kv_serve(&store, m.bytes, m.size, answered), 0);
    m = make(KV_GET, "key", 3, NULL, 0, 0);
    m.bytes[0]++;
    assert_int_equal(kv_serve(&store, m.bytes, m.size, answered), 0);
}

static void a_full_neighbourhood_refuses_and_loses_nothing(void **state)
{
    (void)state;
    char key[16], value[16];
    unsigned had = 0, refused = 0;
    static bool is_in[2 * KV_ENTRIES];
    for (unsigned i = 0; i < 2 * KV_ENTRIES; i++) {
        snprintf(key, sizeof key, "key %u", i);
        snprintf(value, sizeof value, "%u", i * 7);
        enum kv_status status = set(key, value, 0);
        assert_true(status == KV_OK || status == KV_FULL);
        is_in[i] = status == KV_OK;
        had += status == KV_OK;
        refused += status == KV_FULL;
    }
    assert_true(had > KV_ENTRIES * 9 / 10 && had <= KV_ENTRIES && refused);
    for (unsigned i = 0; i < 2 * KV_ENTRIES; i++) {
        snprintf(key, sizeof key, "key %u", i);
        snprintf(value, sizeof value, "%u", i * 7);
        expect(key, is_in[i] ? value : NULL);
    }
}

/* ---- the handler ---- */

static struct {
    struct ash_image image;
    struct ash_program *program;
    struct ash_run run;
} handler;

static int load(void **state)
{
    static _Alignas(8) uint8_t image[65536];
    FILE *file = fopen(image_path, "rb");
    (void)state;
    if (!file)
        return -1;
    size_t size = fread(image, 1, sizeof image, file);
    fclose(file);
    if (ash_image_open(image, size, &handler.image))
        return -1;
    uint32_t insns = handler.image.header->insns;
    void *scratch = malloc(ash_scratch_size(insns));
    handler.program = malloc(ash_program_size(insns));
    int error = ash_verify(scratch, ash_scratch_size(insns), &handler.image, ASH_EVENT_FRAME,
                           ASH_HELPERS_ALL, handler.program, ash_program_size(insns));
    free(scratch);
    static _Alignas(8) uint8_t stack[8192];
    assert_true(handler.program->stack <= sizeof stack);
    ash_run_init(&handler.run, handler.program, stack, NULL, NULL);
    for (unsigned i = 0; i < handler.image.header->maps; i++) {
        const struct ash_map_info *map = &handler.image.maps[i];
        assert_true(!strcmp(map->name, "table") ? ash_map_size(map) == sizeof table
                                                : !strcmp(map->name, ".data"));
        ash_run_map(&handler.run, i, strcmp(map->name, "table") ? (void *)&store.seed : table);
    }
    return error;
}

static int unload(void **state)
{
    (void)state;
    free(handler.program);
    return 0;
}

static uint8_t buffer[ROOM] __attribute__((aligned(8)));
#define FRAME (buffer + START + NET_FRAME_LEAD)

static size_t wrap(const struct message *m)
{
    static const uint8_t us[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 1};
    static const uint8_t peer[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 2};
    struct net_datagram d = {.source = 0x0202000a,
                             .destination = 0x0f02000a,
                             .source_port = NET_WIRE16(4000),
                             .destination_port = NET_WIRE16(KV_PORT),
                             .size = m->size};
    memset(buffer, 0, sizeof buffer);
    memcpy(FRAME + NET_DATAGRAM_HEADERS, m->bytes, m->size);
    return net_datagram_write(FRAME, &d, us, peer, 9);
}

/* The verdict, and the frame's new length. */
static uint64_t run(size_t *length)
{
    const uint32_t start = START + NET_FRAME_LEAD;
    ash_run_room(&handler.run, 0, ROOM);
    ash_run_frame(&handler.run, buffer, start, start + (uint32_t)*length);
    handler.run.fuel = 4096 - (int32_t)handler.program->entry_cost;
    memset(&handler.run.abort, 0, sizeof handler.run.abort);
    uint64_t verdict = ash_interpret(handler.program, &handler.run) & UINT32_MAX;
    assert_int_equal(handler.run.abort.reason, 0);
    *length = handler.run.md.data_end - handler.run.md.data;
    return verdict;
}

/* Runs it on a request, and compares with what the application says; whether it answered. */
static bool compare(const struct message *m)
{
    struct net_datagram d;
    size_t length = wrap(m), before = length;
    uint8_t kept[ROOM];
    memcpy(kept, buffer, ROOM);
    uint64_t verdict = run(&length);
    if (verdict == 2) { /* XDP_PASS */
        assert_int_equal(length, before);
        assert_memory_equal(kept, buffer, ROOM);
        return false;
    }
    assert_int_equal(verdict, 3);                      /* XDP_TX */
    assert_true(net_datagram_read(FRAME, length, &d)); /* lengths and both sums */
    assert_int_equal(d.source, 0x0f02000a);
    assert_int_equal(d.destination, 0x0202000a);
    assert_int_equal(d.source_port, NET_WIRE16(KV_PORT));
    assert_int_equal(d.destination_port, NET_WIRE16(4000));
    assert_memory_equal(FRAME, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    size_t size = kv_serve(&store, m->bytes, m->size, answered);
    assert_int_equal(d.size, size);
    assert_memory_equal(d.payload, answered, size);
    return true;
}

static void the_handler_says_what_the_application_says(void **state)
{
    (void)state;
    unsigned answers = 0;
    for (unsigned turn = 0; turn < 20000; turn++) {
        char key[KV_KEY_MAX];
        uint8_t value[KV_VALUE_MAX];
        size_t key_size = 1 + next(KV_KEY_MAX),
               value_size = next(4) ? next(100) : next(KV_VALUE_MAX + 1);
        memset(key, 'a' + (char)next(20), sizeof key);
        for (size_t i = 0; i < value_size; i++)
            value[i] = (uint8_t)next(256);
        struct message m =
            make((enum kv_operation)(1 + next(3)), key, key_size, value, value_size, 0);
        if (m.bytes[2] != KV_SET)
            m = make((enum kv_operation)m.bytes[2], key, key_size, NULL, 0, 0);
        bool is_good = next(8) != 0;
        if (!is_good)
            m.bytes[next((uint32_t)m.size)] ^= (uint8_t)(1 + next(255));
        bool answers_it = compare(&m);
        answers += answers_it;
        assert_true(!is_good || answers_it == (m.bytes[2] == KV_GET));
        if (!answers_it)
            kv_serve(&store, m.bytes, m.size, answered);
    }
    assert_true(answers > 4000);
}

static void every_size_of_value_fits_the_frame(void **state)
{
    (void)state;
    uint8_t value[KV_VALUE_MAX];
    memset(value, 0xff, sizeof value);
    for (size_t size = KV_VALUE_MAX; size > 0; size--) { /* shorter ones over longer ones */
        struct message m = make(KV_SET, "key", 3, value, size, 0);
        kv_serve(&store, m.bytes, m.size, answered);
        m = make(KV_GET, "key", 3, NULL, 0, 0);
        assert_true(compare(&m));
    }
}

static void an_entry_that_is_being_written_is_left_to_the_application(void **state)
{
    (void)state;
    struct message m = make(KV_SET, "key", 3, "v", 1, 0), g = make(KV_GET, "key", 3, NULL, 0, 0);
    ask(&m);
    assert_true(compare(&g));
    for (size_t i = 0; i < KV_ENTRIES; i++)
        table[i].sequence += table[i].hash != 0;
    assert_false(compare(&g));
    for (size_t i = 0; i < KV_ENTRIES; i++)
        table[i].sequence += table[i].hash != 0;
    assert_true(compare(&g));
}

static void wrong_sums_and_lengths_are_left_to_the_application(void **state)
{
    (void)state;
    struct message g = make(KV_GET, "some key", 8, NULL, 0, 0);
    for (size_t at = 14; at < NET_DATAGRAM_HEADERS + g.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            size_t length = wrap(&g);
            FRAME[at] ^= (uint8_t)(1 << bit);
            if (run(&length) != 2)
                fail_msg("byte %zu, bit %u", at, bit);
        }
    for (size_t cut = 1; cut < NET_DATAGRAM_HEADERS + g.size; cut++) {
        size_t length = wrap(&g) - cut;
        assert_int_equal(run(&length), 2);
    }
    size_t length = wrap(&g); /* no checksum at all is right in IPv4, and so is padding */
    memset(FRAME + 40, 0, 2);
    length += 10;
    assert_int_equal(run(&length), 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_set_is_got_until_it_is_deleted, setup),
        cmocka_unit_test_setup(keys_that_differ_in_zeros_at_the_end_are_two, setup),
        cmocka_unit_test_setup(a_version_that_is_over_conflicts, setup),
        cmocka_unit_test_setup(malformed_requests_are_told_so_and_change_nothing, setup),
        cmocka_unit_test_setup(what_is_no_request_is_not_answered, setup),
        cmocka_unit_test_setup(a_full_neighbourhood_refuses_and_loses_nothing, setup),
        cmocka_unit_test_setup(the_handler_says_what_the_application_says, setup),
        cmocka_unit_test_setup(every_size_of_value_fits_the_frame, setup),
        cmocka_unit_test_setup(an_entry_that_is_being_written_is_left_to_the_application, setup),
        cmocka_unit_test_setup(wrong_sums_and_lengths_are_left_to_the_application, setup),
    };
    if (argc != 2)
        return 2;
    image_path = argv[1];
    return cmocka_run_group_tests(tests, load, unload);
}
