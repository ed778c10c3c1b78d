/* A terminal's two sides: what is typed becomes what is read, as on the host's own terminals, and
 * nothing that one side writes into the shared page hurts the other. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/tty/tty.h"

static struct tty_page page;
static struct tty tty;
static char shown[65536];
static size_t shown_size;
static int signals[64], signal_count;

static void take_echo(void *context, const char *bytes, size_t size)
{
    assert_null(context);
    assert_true(size < sizeof shown - shown_size);
    memcpy(shown + shown_size, bytes, size);
    shown_size += size;
    shown[shown_size] = 0;
}

static void take_signal(void *context, int number)
{
    assert_null(context);
    signals[signal_count++ % 64] = number;
}

static void begin(bool terminal)
{
    memset(&page, 0, sizeof page);
    tty_init(&tty, &page, terminal);
    tty.echo = take_echo;
    tty.signal = take_signal;
    shown_size = 0;
    shown[0] = 0;
    signal_count = 0;
}

static int setup(void **state)
{
    (void)state;
    begin(true);
    srand(1);
    return 0;
}

static size_t type(const char *text)
{
    return tty_input(&tty, (const uint8_t *)text, strlen(text));
}

/* What a read brings, as a string; "-": it would wait. */
static const char *reads(size_t count)
{
    static char bytes[4096];
    ssize_t n = tty_take(&page, (uint8_t *)bytes, count);
    if (n < 0)
        return "-";
    bytes[n] = 0;
    return bytes;
}

static void lines_are_read_when_they_are_complete(void **state)
{
    (void)state;
    assert_int_equal(type("one"), 3);
    assert_string_equal(reads(100), "-");
    assert_false(tty_readable(&page));
    type(" two\nthree\n");
    assert_string_equal(reads(100), "one two\n");
    assert_string_equal(reads(3), "thr");
    assert_string_equal(reads(100), "ee\n");
    assert_string_equal(reads(100), "-");
    assert_string_equal(shown, "one two\r\nthree\r\n");
}

static void lines_are_edited_before_they_are_read(void **state)
{
    static const struct {
        const char *typed, *read;
    } cases[] = {
        {"ab\x7f\x7f\x7f"
         "c\n",
         "c\n"},
        {"one two\x17three\n", "one three\n"},
        {"gone\x15here\n", "here\n"},
        {"\xc3\xa4\x7fx\n", "x\n"},
        {"cr\r", "cr\n"},
        {"a\tb\x01\n", "a\tb\x01\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(true);
        type(cases[i].typed);
        assert_string_equal(reads(100), cases[i].read);
    }
}

static void the_end_key_ends_a_read_and_not_the_terminal(void **state)
{
    (void)state;
    type("half\x04");
    assert_string_equal(reads(100), "half");
    assert_string_equal(reads(100), "-");
    type("\x04more\n");
    assert_true(tty_readable(&page));
    assert_string_equal(reads(100), "");
    assert_string_equal(reads(100), "more\n");
    type("a\n\x04");
    assert_string_equal(reads(1), "a");
    assert_string_equal(reads(1), "\n");
    assert_string_equal(reads(1), "");
    assert_string_equal(reads(1), "-");
}

static void an_interrupt_forgets_what_was_typed_and_is_sent_once(void **state)
{
    (void)state;
    type("line\nhalf\x03new\n");
    assert_int_equal(signal_count, 1);
    assert_int_equal(signals[0], SIGINT);
    assert_string_equal(reads(100), "new\n");
    type("\x1c");
    assert_int_equal(signals[1], SIGQUIT);
    type("gone\x1a");
    assert_int_equal(signals[2], SIGTSTP);
    page.attributes.c_lflag &= ~(tcflag_t)ISIG;
    type("a\x03\n");
    assert_int_equal(signal_count, 3);
    assert_string_equal(reads(100), "a\x03\n");
}

static void without_lines_bytes_are_read_as_they_come(void **state)
{
    (void)state;
    type("begun");
    page.attributes.c_lflag = 0;
    page.attributes.c_iflag = 0;
    assert_int_equal(type("\x03\x04\r\x7f"), 4);
    assert_string_equal(reads(100), "begun\x03\x04\r\x7f");
    assert_string_equal(reads(100), "-");
    assert_int_equal(signal_count, 0);
    assert_string_equal(shown, "begun");
}

static void a_full_ring_takes_no_more_until_somebody_reads_but_interrupts(void **state)
{
    char line[101];
    size_t taken = 0;
    (void)state;
    memset(line, 'x', 99);
    line[99] = '\n';
    line[100] = 0;
    while (type(line) == 100)
        taken += 100;
    assert_true(taken >= TTY_IN_SIZE - 100 && taken <= TTY_IN_SIZE);
    assert_true(page.starved);
    assert_int_equal(type("\n"), 0);
    assert_string_equal(reads(200), line);
    assert_int_equal(type("\n"), 1);
    while (type(line) == 100)
        ;
    assert_int_equal(type("stuck\n\x03go\n"), 10); /* all of it */
    assert_int_equal(signal_count, 1);
    assert_string_equal(reads(200), "go\n");
}

static void a_line_longer_than_a_line_may_be_loses_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * TTY_LINE_MAX; i++)
        assert_int_equal(type("y"), 1);
    type("\n");
    assert_int_equal(strlen(reads(4096)), TTY_LINE_MAX);
    assert_non_null(strchr(shown, '\a'));
}

static void what_is_no_terminal_carries_bytes_as_they_are(void **state)
{
    uint8_t all[256], back[256], out[512];
    (void)state;
    begin(false);
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_int_equal(tty_input(&tty, all, 256), 256);
    assert_int_equal(tty_take(&page, back, 256), 256);
    assert_memory_equal(all, back, 256);
    assert_int_equal(tty_take(&page, back, 1), -1);
    tty_input_end(&tty);
    assert_int_equal(tty_take(&page, back, 1), 0);
    assert_int_equal(tty_take(&page, back, 1), 0);
    assert_int_equal(tty_put(&page, all, 256), 256);
    assert_int_equal(tty_output(&tty, out, 512), 256);
    assert_memory_equal(all, out, 256);
    assert_int_equal(shown_size, 0);
}

static void output_is_translated_and_stops_where_the_ring_is_full(void **state)
{
    uint8_t out[2 * TTY_OUT_SIZE], lines[TTY_OUT_SIZE];
    size_t taken, got;
    (void)state;
    memset(lines, '\n', sizeof lines);
    taken = tty_put(&page, lines, sizeof lines);
    assert_int_equal(taken, TTY_OUT_SIZE / 2);
    assert_int_equal(tty_put(&page, lines, 1), 0);
    assert_int_equal(tty_waiting(&tty), TTY_OUT_SIZE);
    got = tty_output(&tty, out, 3);
    assert_memory_equal(out, "\r\n\r", got);
    assert_int_equal(tty_put(&page, (const uint8_t *)"ab", 2), 2);
    assert_int_equal(tty_output(&tty, out, sizeof out), TTY_OUT_SIZE - 1);
    assert_memory_equal(out + TTY_OUT_SIZE - 3, "ab", 2);
}

static void the_end_of_a_terminal_ends_reads(void **state)
{
    (void)state;
    type("left\n");
    tty_hang_up(&tty);
    assert_int_equal(signals[0], SIGHUP);
    assert_string_equal(reads(100), "left\n");
    assert_string_equal(reads(100), "");
    assert_true(tty_readable(&page));
    assert_int_equal(type("more\n"), 5);
    assert_string_equal(reads(100), "");
}

static void waiters_look_again_after_changes_alone(void **state)
{
    uint8_t byte;
    (void)state;
    tty_wake(&tty);
    assert_int_equal(page.events, 0);
    type("x");
    tty_wake(&tty);
    assert_int_equal(page.events, 0);
    type("\n");
    tty_wake(&tty);
    tty_wake(&tty);
    assert_int_equal(page.events, 1);
    tty_put(&page, (const uint8_t *)"a", 1);
    tty_output(&tty, &byte, 1);
    tty_wake(&tty);
    assert_int_equal(page.events, 2);
}

/* A key, of those that this terminal and the host's both know; often ones that edit. */
static char some_key(void)
{
    static const char keys[] = "ab \t\n\r\x7f\x15\x17\x04\x03\x01";
    return keys[rand() % (int)(sizeof keys - 1)];
}

/* Reads up to and without a line "end", with a 0xff behind each; how many bytes. */
static size_t host_reads(int fd, char *to, size_t size)
{
    size_t used = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char bytes[600];
        assert_int_equal(poll(&p, 1, 5000), 1);
        ssize_t n = read(fd, bytes, sizeof bytes);
        assert_true(n >= 0 && (size_t)n + 1 < size - used);
        if (n == 4 && !memcmp(bytes, "end\n", 4))
            return used;
        memcpy(to + used, bytes, (size_t)n);
        used += (size_t)n;
        to[used++] = (char)0xff;
    }
}

static size_t own_reads(char *to, size_t size)
{
    size_t used = 0;
    for (;;) {
        uint8_t bytes[600];
        ssize_t n = tty_take(&page, bytes, sizeof bytes);
        assert_true(n >= 0 && (size_t)n + 1 < size - used);
        if (n == 4 && !memcmp(bytes, "end\n", 4))
            return used;
        memcpy(to + used, bytes, (size_t)n);
        used += (size_t)n;
        to[used++] = (char)0xff;
    }
}

static void random_keys_are_read_as_on_the_hosts_terminals(void **state)
{
    static char host[8192], own[8192];
    (void)state;
    for (int round = 0; round < 300; round++) {
        int master, slave;
        char typed[64];
        size_t size = (size_t)rand() % 40;
        for (size_t i = 0; i < size; i++)
            typed[i] = some_key();
        memcpy(typed + size,
               "\x15"
               "end\n",
               5);
        assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
        assert_int_equal(write(master, typed, size + 5), size + 5);
        size_t host_size = host_reads(slave, host, sizeof host);
        begin(true);
        assert_int_equal(tty_input(&tty, (const uint8_t *)typed, size + 5), size + 5);
        size_t own_size = own_reads(own, sizeof own);
        close(master);
        close(slave);
        assert_int_equal(own_size, host_size);
        assert_memory_equal(own, host, host_size);
    }
}

static void hostile_pages_are_bounded(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[300];
        for (int i = rand() % 8; i >= 0; i--) {
            uint64_t *words = (uint64_t *)&page;
            words[(size_t)rand() % (offsetof(struct tty_page, in) / 8)] =
                rand() % 2 ? (uint64_t)rand() * (uint64_t)rand()
                           : tty.in_tail - (uint64_t)(rand() % 2000);
        }
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)rand();
        assert_true(tty_input(&tty, bytes, (size_t)rand() % sizeof bytes) <= sizeof bytes);
        assert_true(tty_output(&tty, bytes, sizeof bytes) <= sizeof bytes);
        assert_true(tty_take(&page, bytes, sizeof bytes) <= (ssize_t)sizeof bytes);
        assert_true(tty_put(&page, bytes, sizeof bytes) <= sizeof bytes);
        assert_true(tty_readable_bytes(&page) <= TTY_IN_SIZE);
        shown_size = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_are_read_when_they_are_complete, setup),
        cmocka_unit_test_setup(lines_are_edited_before_they_are_read, setup),
        cmocka_unit_test_setup(the_end_key_ends_a_read_and_not_the_terminal, setup),
        cmocka_unit_test_setup(an_interrupt_forgets_what_was_typed_and_is_sent_once, setup),
        cmocka_unit_test_setup(without_lines_bytes_are_read_as_they_come, setup),
        cmocka_unit_test_setup(a_full_ring_takes_no_more_until_somebody_reads_but_interrupts,
                               setup),
        cmocka_unit_test_setup(a_line_longer_than_a_line_may_be_loses_its_end, setup),
        cmocka_unit_test_setup(what_is_no_terminal_carries_bytes_as_they_are, setup),
        cmocka_unit_test_setup(output_is_translated_and_stops_where_the_ring_is_full, setup),
        cmocka_unit_test_setup(the_end_of_a_terminal_ends_reads, setup),
        cmocka_unit_test_setup(waiters_look_again_after_changes_alone, setup),
        cmocka_unit_test_setup(random_keys_are_read_as_on_the_hosts_terminals, setup),
        cmocka_unit_test_setup(hostile_pages_are_bounded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
