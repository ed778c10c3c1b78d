/* The shell's grammar and its words: what is parsed prints again as the same tree, and what isn't
 * is told apart from what only isn't finished. What words expand to is compared with the host's
 * shell (script_test). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "expand.h"
#include "tree.h"

static char memory[65536] __attribute__((aligned(16)));
static struct sh_node *tree;
static const char *error;

static enum sh_parsed parse(const char *text)
{
    struct sh_arena arena = {.memory = memory, .size = sizeof memory};
    error = NULL;
    return sh_parse(text, strlen(text), &arena, &tree, &error);
}

static void texts_become_trees(void **state)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"", ""},
        {" # only a comment\n\n", ""},
        {"a", "a;"},
        {"a b 'c d' \"e;f\" g\\ h", "a b 'c d' \"e;f\" g\\ h;"},
        {"a;b\nc&d", "a; b; c& d;"},
        {"a|b | c", "[a | b | c];"},
        {"! a|b", "![a | b];"},
        {"a&&b||c", "((a && b) || c);"},
        {"a &&\n\n b |\n c", "(a && [b | c]);"},
        {"a && b & c", "(a && b)& c;"},
        {"a <in >out 2>>log 2>&1 x", "a x 0<in 1>out 2>>log 2>&1;"},
        {"<in", "0<in;"},
        {"2 >x", "2 1>x;"},
        {"a2>x", "a2 1>x;"},
        {"(a; b) >x", "subshell {a; b;} 1>x;"},
        {"{ a; b; }", "group {a; b;};"},
        {"{ a; } | { b; }", "[group {a;} | group {b;}];"},
        {"if a; then b; fi", "if {a;} {b;};"},
        {"if a; then b; elif c; then d; else e; fi", "if {a;} {b;} if {c;} {d;} {e;};"},
        {"while a; do b; done", "while {a;} {b;};"},
        {"until a\ndo\nb\ndone", "until {a;} {b;};"},
        {"for i in 1 2; do a $i; done", "for i in 1 2 {a $i;};"},
        {"for i do a; done", "for i {a;};"},
        {"for i in; do a; done", "for i in {a;};"},
        {"echo if then fi { } ! in", "echo if then fi { } ! in;"},
        {"a=1 b=2 c", "a=1 b=2 c;"},
        {"a\\\nb c \\\n d", "a\\\nb c d;"},
        {"echo a#b #c", "echo a#b;"},
        {"echo ${x} \"${y z}\"", "echo ${x} \"${y z}\";"},
        {"in", "in;"},
    };
    char printed[1024];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text), SH_PARSED);
        tree_print(tree, printed, sizeof printed);
        assert_string_equal(printed, cases[i].tree);
    }
}

static void what_is_not_finished_asks_for_more(void **state)
{
    static const char *const texts[] = {
        "a |",          "a &&\n",
        "a ||",         "'a",
        "\"a",          "a\\",
        "\"${a",        "if a",
        "if a; then b", "if a; then b; else c;",
        "while a; do",  "for",
        "for i in a",   "{ a;",
        "(a",           "a >",
        "! ",           "{ if a; then b; fi",
        "\"a\\",        "a\\\n",
        "a \\\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (parse(texts[i]) != SH_INCOMPLETE)
            fail_msg("%s: %s", texts[i], error ? error : "parsed");
        assert_non_null(error);
    }
}

static void what_can_never_be_right_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a)", "a ) is too much"},
        {"; a", "a command is missing"},
        {"a ; ; b", "a command is missing"},
        {"a | | b", "a command is missing"},
        {"&& a", "a command is missing"},
        {"a > | b", "a redirection leads nowhere"},
        {"a <<x", "here-documents are not there"},
        {"a $(b)", "command substitution is not there"},
        {"a `b`", "command substitution is not there"},
        {"\"`\"", "command substitution is not there"},
        {"f() { a; }", "functions are not there"},
        {"a;; b", "case is not there"},
        {"fi", "a word that ends something that has not begun"},
        {"if a; b; fi", "then is missing"},
        {"for 1 in a; do b; done", "for's variable is no name"},
        {"{ a; } b", "a command is followed by a word"},
        {"()", "a command is missing"},
        {"if ; then a; fi", "a command is missing"},
        {"while a; do done", "a command is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parse(cases[i].text) != SH_WRONG)
            fail_msg("%s is not refused", cases[i].text);
        assert_string_equal(error, cases[i].error);
    }
    struct sh_arena arena = {.memory = memory, .size = sizeof memory};
    assert_int_equal(sh_parse("a\0b", 3, &arena, &tree, &error), SH_WRONG);
    assert_string_equal(error, "a zero byte");
}

static void depth_and_memory_are_bounded(void **state)
{
    char text[4 * SH_DEPTH_MAX + 100];
    struct sh_arena arena = {.memory = memory, .size = 256};
    (void)state;
    memset(text, '(', 2 * SH_DEPTH_MAX);
    text[2 * SH_DEPTH_MAX] = 0;
    assert_int_equal(parse(text), SH_WRONG);
    assert_string_equal(error, "too much in one another");
    strcpy(text, "a");
    for (int i = 0; i < SH_DEPTH_MAX - 1; i++)
        strcat(text, ""), memmove(text + 1, text, strlen(text) + 1), text[0] = '(';
    for (int i = 0; i < SH_DEPTH_MAX - 1; i++)
        strcat(text, ")");
    assert_int_equal(parse(text), SH_PARSED);
    assert_int_equal(sh_parse("a b c d e f g h", 15, &arena, &tree, &error), SH_WRONG);
    assert_string_equal(error, "the command is too long");
    assert_true(arena.used <= 256);
}

static void commands_know_their_text(void **state)
{
    (void)state;
    assert_int_equal(parse("  one two | three &  four"), SH_PARSED);
    assert_int_equal(tree->first->length, strlen("one two | three"));
    assert_memory_equal(tree->first->text, "one two | three", tree->first->length);
    assert_memory_equal(tree->first->next->text, "four", tree->first->next->length);
}

static const char *variable(void *context, const char *name, size_t length)
{
    (void)context;
    return length == 1 && *name == 'x' ? " a  b " : length == 1 && *name == '?' ? "7" : NULL;
}

static const char *positional(void *context, size_t number)
{
    static const char *const values[] = {"sh", "p q", "", "r"};
    return number <= *(size_t *)context ? values[number] : NULL;
}

/* All strings of a text's first command, in <>. */
static const char *expanded(const char *text, size_t positionals)
{
    static char result[4096];
    struct sh_values values = {variable, positional, &positionals};
    struct sh_fields fields = {0};
    bool good = true;

    assert_int_equal(parse(text), SH_PARSED);
    for (const struct sh_word *w = tree->first->first->words; good && w; w = w->next)
        good = sh_expand(w, &values, &fields);
    result[0] = 0;
    if (!good)
        strcpy(result, fields.error);
    for (size_t i = 0; good && i < fields.count; i++)
        strcat(strcat(strcat(result, "<"), fields.list[i]), ">");
    sh_fields_free(&fields);
    return result;
}

static void words_expand_and_split(void **state)
{
    static const struct {
        const char *text, *fields;
        size_t positionals;
    } cases[] = {
        {"$x", "<a><b>", 0},
        {"\"$x\"", "< a  b >", 0},
        {"1$x.2", "<1><a><b><.2>", 0},
        {"'$x'", "<$x>", 0},
        {"\\$x", "<$x>", 0},
        {"$none", "", 0},
        {"\"$none\"", "<>", 0},
        {"''", "<>", 0},
        {"a''b", "<ab>", 0},
        {"${x}y", "<a><b><y>", 0},
        {"$?$", "<7$>", 0},
        {"\"a\\\"b\\n\\$\"", "<a\"b\\n$>", 0},
        {"$1", "<p><q>", 1},
        {"\"$1\"", "<p q>", 1},
        {"\"$@\"", "<p q><><r>", 3},
        {"$@", "<p><q><r>", 3},
        {"\"$*\"", "<p q  r>", 3},
        {"\"$@\"", "", 0},
        {"a\"$@\"b", "<ap q><><rb>", 3},
        {"\"\"\"$@\"", "<>", 0},
        {"$0", "<sh>", 0},
        {"$10", "<p><q0>", 1},
        {"${10}", "", 1},
        {"\"${}\"", "bad substitution", 0},
        {"${a-b}", "bad substitution", 0},
        {"a\\\nb", "<ab>", 0},
        {"\"a\\\nb\"", "<ab>", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(expanded(cases[i].text, cases[i].positionals), cases[i].fields);
}

static void strings_are_bounded(void **state)
{
    static char text[SH_FIELDS_MAX * 2 + 10];
    static char big[1 << 20] __attribute__((aligned(16)));
    struct sh_arena arena = {.memory = big, .size = sizeof big};
    size_t none = 0;
    struct sh_values values = {variable, positional, &none};
    struct sh_fields fields = {0};
    bool good = true;

    (void)state;
    for (size_t i = 0; i < sizeof text - 2; i += 2)
        memcpy(text + i, "a ", 2);
    assert_int_equal(sh_parse(text, strlen(text), &arena, &tree, &error), SH_PARSED);
    for (const struct sh_word *w = tree->first->first->words; good && w; w = w->next)
        good = sh_expand(w, &values, &fields);
    assert_false(good);
    assert_string_equal(fields.error, "there are too many strings");
    sh_fields_free(&fields);

    const struct sh_word word = {"$x$x$x$x", 8, NULL};
    fields.bytes = SH_BYTES_MAX - 10;
    assert_false(sh_expand_one(&word, &values, &fields));
    assert_string_equal(fields.error, "the strings are too long");
    sh_fields_free(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_trees),
        cmocka_unit_test(what_is_not_finished_asks_for_more),
        cmocka_unit_test(what_can_never_be_right_is_refused_by_name),
        cmocka_unit_test(depth_and_memory_are_bounded),
        cmocka_unit_test(commands_know_their_text),
        cmocka_unit_test(words_expand_and_split),
        cmocka_unit_test(strings_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
