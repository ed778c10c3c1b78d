/* The line editor, typed into: the line that comes of it, and what a terminal shows meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "screen.h"

#define UP    "\x1b[A"
#define DOWN  "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT  "\x1b[D"

static struct edit edit;
static struct screen screen;

static int setup(void **state)
{
    (void)state;
    screen_init(&screen, 40);
    edit_init(&edit, screen_write, &screen);
    edit.columns = 40;
    edit_begin(&edit, "$ ");
    return 0;
}

static enum edit_result type(const char *keys)
{
    enum edit_result result = EDIT_MORE;
    for (; *keys; keys++) {
        result = edit_key(&edit, (uint8_t)*keys);
        if (result != EDIT_MORE && keys[1])
            edit_begin(&edit, "$ ");
    }
    assert_false(screen.bad);
    return result;
}

static void keys_make_lines(void **state)
{
    static const struct {
        const char *keys, *line;
    } cases[] = {
        {"abc\r", "abc"},
        {"abc\n", "abc"},
        {"bc\x01"
         "a\r",
         "abc"},
        {"ac" LEFT "b\r", "abc"},
        {"ab" LEFT LEFT LEFT RIGHT "x\x05"
         "y\r",
         "axby"},
        {"abx\x7f"
         "c\r",
         "abc"},
        {"\x7f"
         "a\x08\x08"
         "b\r",
         "b"},
        {"xab\x1b[H\x1b[3~\r", "ab"},
        {"xab\x01\x04\r", "ab"},
        {"ab\x1b[3~\x04"
         "c\r",
         "abc"},
        {"one two\x17three\r", "one three"},
        {"one two\x01\x1b"
         "d\x05!\r",
         " two!"},
        {"one two\x1b"
         "b\x0b"
         "2\r",
         "one 2"},
        {"one two\x1b"
         "bX\x1b"
         "f!\r",
         "one Xtwo!"},
        {"abc" LEFT "\x15\r", "c"},
        {"abc" LEFT LEFT "\x0b\x01\x19\r", "bca"},
        {"a b\x17\x19\x19\r", "a bb"},
        {"\x19"
         "a\r",
         "a"},
        {"\xc3\xa4\xe2\x82\xac" LEFT "x" LEFT LEFT "\x1b[3~\r", "x\xe2\x82\xac"},
        {"a\xc3\xa4\x7f\r", "a"},
        {"a\x1b[99~b\x1bOCc\x1bZd\r", "abcd"},
        {"a\x1b[1;5Db\r", "ba"},
        {"a\x1b\x03"
         "b\r",
         "b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup(NULL);
        assert_int_equal(type(cases[i].keys), EDIT_LINE);
        assert_string_equal(edit.line, cases[i].line);
    }
}

static void lines_end_in_three_ways(void **state)
{
    (void)state;
    assert_int_equal(type("gone\x03"), EDIT_INTERRUPT);
    edit_begin(&edit, "$ ");
    assert_int_equal(type("\x04"), EDIT_END);
    edit_begin(&edit, "$ ");
    assert_int_equal(type("a\x04\x7f\x04"), EDIT_END);
    edit_begin(&edit, "$ ");
    assert_int_equal(type("\r"), EDIT_LINE);
    assert_string_equal(edit.line, "");
}

static void the_screen_shows_the_line(void **state)
{
    (void)state;
    type("echo hi");
    assert_string_equal(screen_line(&screen), "$ echo hi");
    assert_int_equal(screen.cursor, 9);
    type(LEFT LEFT);
    assert_int_equal(screen.cursor, 7);
    type("\x0b");
    assert_string_equal(screen_line(&screen), "$ echo");
    type("\x15\xc3\xa4"
         "b");
    assert_int_equal(screen.cursor, 4);
    assert_int_equal(screen.bells, 0);
    type("\x0c");
    assert_string_equal(screen_line(&screen), "$ \xc3"
                                              "b");
}

static void a_long_line_scrolls_sideways(void **state)
{
    char line[101];
    (void)state;
    for (int i = 0; i < 100; i++)
        line[i] = (char)('a' + i % 26);
    line[100] = 0;
    type(line);
    assert_int_equal(screen.cursor, 39);
    assert_memory_equal(screen_line(&screen), "$ ", 2);
    assert_string_equal(screen_line(&screen) + 2, line + 63);
    type("\x01");
    assert_int_equal(screen.cursor, 2);
    assert_memory_equal(screen_line(&screen) + 2, line, 37);
    type("\r");
    assert_string_equal(edit.line, line);
}

static void a_line_that_is_full_takes_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < EDIT_MAX + 10; i++)
        type("x");
    assert_int_equal(edit.length, EDIT_MAX - 1);
    assert_int_equal(screen.bells, 11);
    type("\x15\x19\x19");
    assert_int_equal(edit.length, EDIT_MAX - 1);
    assert_int_equal(screen.bells, 12);
}

static void remember(const char *line)
{
    edit_remember(&edit, line);
    edit_begin(&edit, "$ ");
}

static void the_history_goes_up_and_down(void **state)
{
    (void)state;
    remember("one");
    remember("two");
    remember("two");
    remember("");
    type("new" UP);
    assert_string_equal(edit.line, "two");
    type(UP);
    assert_string_equal(edit.line, "one");
    type(UP);
    assert_int_equal(screen.bells, 1);
    assert_string_equal(edit.line, "one");
    type("!" DOWN DOWN);
    assert_string_equal(edit.line, "new");
    type(DOWN);
    assert_int_equal(screen.bells, 2);
    type("\x10\x10\r");
    assert_string_equal(edit.line, "one"); /* as it was kept */
}

static void the_history_keeps_the_last_lines(void **state)
{
    char line[32];
    (void)state;
    for (int i = 0; i < EDIT_HISTORY + 10; i++) {
        snprintf(line, sizeof line, "line %d", i);
        remember(line);
    }
    assert_string_equal(edit_history(&edit, 0), "line 10");
    assert_string_equal(edit_history(&edit, EDIT_HISTORY - 1), "line 73");
    assert_null(edit_history(&edit, EDIT_HISTORY));
    for (int i = 0; i < EDIT_HISTORY + 5; i++)
        type(UP);
    assert_string_equal(edit.line, "line 10");
    assert_int_equal(screen.bells, 5);
}

static void the_history_is_searched_backwards(void **state)
{
    (void)state;
    edit.columns = screen.columns = 80;
    remember("echo one");
    remember("cat two");
    remember("echo three");
    type("\x12"
         "echo");
    assert_string_equal(edit.line, "echo three");
    assert_string_equal(screen_line(&screen), "search 'echo': echo three");
    type("\x12");
    assert_string_equal(edit.line, "echo one");
    type("\x12");
    assert_string_equal(screen_line(&screen), "(failed) search 'echo': echo one");
    assert_int_equal(type("\r"), EDIT_LINE);
    assert_string_equal(edit.line, "echo one");
    edit_begin(&edit, "$ ");
    type("begun\x12"
         "tw\x07");
    assert_string_equal(edit.line, "begun");
    assert_string_equal(screen_line(&screen), "$ begun");
    type("\x12"
         "twx\x7f\x05!\r");
    assert_string_equal(edit.line, "cat two!");
}

static const char *complete(void *context, const char *prefix, size_t size, size_t index)
{
    static const char *const words[] = {"cat", "matmul", "matter"};
    (void)context;
    for (size_t i = 0; i < 3; i++)
        if (!strncmp(words[i], prefix, size) && index-- == 0)
            return words[i];
    return NULL;
}

static void names_are_completed(void **state)
{
    (void)state;
    type("c\t");
    assert_string_equal(edit.line, "c");
    assert_int_equal(screen.bells, 1);
    edit.complete = complete;
    type("\t|m\t");
    assert_string_equal(edit.line, "cat |mat");
    type("\t");
    assert_int_equal(screen.newlines, 2);
    assert_string_equal(screen_line(&screen), "$ cat |mat");
    type("t\t");
    assert_string_equal(edit.line, "cat |matter ");
    type("zz\t");
    assert_int_equal(screen.bells, 2);
}

/* Whatever is typed, the terminal shows the prompt and the part of the line around the cursor, and
 * the cursor there. */
static void random_keys_leave_the_screen_right(void **state)
{
    static const char keys[] =
        "abc  \xc3\xa4\x01\x02\x04\x05\x06\x08\x0b\x0e\x10\x12\x15\x17\x19\x1b[ABCDbf\x7f\t\x07";
    (void)state;
    srand(1);
    edit.complete = complete;
    for (int i = 0; i < 200000; i++) {
        enum edit_result result =
            edit_key(&edit, (uint8_t)keys[(size_t)rand() % (sizeof keys - 1)]);
        assert_false(screen.bad);
        assert_true(edit.cursor <= edit.length && edit.length < EDIT_MAX);
        assert_int_equal(edit.line[edit.length], 0);
        if (rand() % 500 == 0)
            result = edit_key(&edit, '\r');
        if (result != EDIT_MORE) {
            edit_remember(&edit, edit.line);
            edit.columns = screen.columns = 20 + (unsigned)rand() % 60;
            edit_begin(&edit, "$ ");
        } else if (!edit.searching && !edit.escape_length && edit.length < 17) {
            char shown[64];
            size_t used = 0, before = 0;
            for (size_t at = 0; at < edit.length; at++) {
                bool first = ((uint8_t)edit.line[at] & 0xc0) != 0x80;
                if (first)
                    shown[used++] = edit.line[at];
                before += first && at < edit.cursor;
            }
            while (used && shown[used - 1] == ' ')
                used--;
            shown[used] = 0;
            assert_string_equal(used ? screen_line(&screen) + 2 : shown, shown);
            assert_int_equal(screen.cursor, before + 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys_make_lines, setup),
        cmocka_unit_test_setup(lines_end_in_three_ways, setup),
        cmocka_unit_test_setup(the_screen_shows_the_line, setup),
        cmocka_unit_test_setup(a_long_line_scrolls_sideways, setup),
        cmocka_unit_test_setup(a_line_that_is_full_takes_no_more, setup),
        cmocka_unit_test_setup(the_history_goes_up_and_down, setup),
        cmocka_unit_test_setup(the_history_keeps_the_last_lines, setup),
        cmocka_unit_test_setup(the_history_is_searched_backwards, setup),
        cmocka_unit_test_setup(names_are_completed, setup),
        cmocka_unit_test_setup(random_keys_leave_the_screen_right, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
