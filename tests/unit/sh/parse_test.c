/* The shell's grammar and its words: what is parsed prints again as the same tree, and what isn't
 * is told apart from what only isn't finished. What words expand to is compared with the host's
 * shell (script_test). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "expand.h"
#include "lex.h"
#include "pattern.h"
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
        {"a $(b; c) \"$(d \")\" )\" `e ;` $((1 + (2)))",
         "a $(b; c) \"$(d \")\" )\" `e ;` $((1 + (2)));"},
        {"a $(case x in x) b;; esac) c", "a $(case x in x) b;; esac) c;"},
        {"a $(echo case) ${x:-a } b}", "a $(echo case) ${x:-a } b};"},
        {"case $x in a) b;; (c|'d') ;; *) e; esac", "case $x item a {b;} item c 'd' item * {e;};"},
        {"case x in\nesac", "case x;"},
        {"f() { a; }", "function f group {a;};"},
        {"f ( )\n(a) >b", "function f subshell {a;} 1>b;"},
        {"a <<E b\none\ntwo\nE\nc", "a b 0<<E=one\ntwo\n; c;"},
        {"a <<'E' <<-F | b\n$\nE\n\tx\n\tF\n", "[a 0<<'E'=$\n 0<<-F=\tx\n | b];"},
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
        "a \\\n",       "a $(b",
        "a `b",         "a $((1",
        "\"$(a \"",     "f()",
        "case x",       "case x in a) b;;",
        "a <<E",        "a <<E\nE x\n",
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
        {"a $(b <<E)\nE\n", "a here-document begins in $( ) and not its lines"},
        {"f() a", "a function's body is no { } or the like"},
        {"f g() { a; }", "a ( is too much"},
        {"a;; b", "a command is missing"},
        {"a $((1) )", "a )) is missing"},
        {"case x in a b) c;; esac", "a pattern's ) is missing"},
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
    text[0] = 0;
    for (int i = 0; i < SH_NESTED_MAX + 1; i++)
        strcat(text, "$(");
    assert_int_equal(parse(text), SH_WRONG);
    assert_string_equal(error, "too much in one another");
    text[0] = 0;
    for (int i = 0; i < SH_HERE_MAX + 1; i++)
        strcat(text, "<<E ");
    assert_int_equal(parse(text), SH_WRONG);
    assert_string_equal(error, "too many here-documents");
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

static bool assign(void *context, const char *name, size_t length, const char *value)
{
    (void)context;
    return length == 1 && (*name == 'a' || *name == 'x') && *value;
}

static char *command(void *context, const char *text, size_t size)
{
    char *output = calloc(size + 3, 1);
    (void)context;
    sprintf(output, "[%.*s]", (int)size, text);
    return output;
}

static const char *file(void *context, const char *folder, size_t index)
{
    static const char *const here[] = {"ps", "ls", ".hidden", "primes", "dir", NULL},
                             *const there[] = {"cp", "cat", NULL}, *const none[] = {NULL};
    const char *const *names = !strcmp(folder, ".") ? here : !strcmp(folder, "dir/") ? there : none;
    (void)context;
    for (size_t i = 0; i < index; i++)
        names += *names != NULL;
    return *names;
}

/* All strings of a text's first command, in <>. */
static const char *expanded(const char *text, size_t positionals)
{
    static char result[4096];
    struct sh_values values = {.variable = variable,
                               .positional = positional,
                               .assign = assign,
                               .command = command,
                               .file = file,
                               .context = &positionals};
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
        {"${a!b}", "bad substitution", 0},
        {"${a-b c} ${a-$x} \"${a-b c}\"", "<b><c><a><b><b c>", 0},
        {"${x+y} ${a+y} ${#x} ${#a}", "<y><6><0>", 0},
        {"${a:=new}", "<new>", 0},
        {"${a:?is missing}", "a: is missing", 0},
        {"${1:=x}", "can't be set so", 0},
        {"\"${x#* }\" \"${x##* }\" \"${x%b*}\" \"${x%%a*}\"", "<a  b ><>< a  >< >", 0},
        {"${x#'*'} ${x#\"$none\"}", "<a><b><a><b>", 0},
        {"$(one) \"$(two)\" `a\\`b`", "<[one]><[two]><[a`b]>", 0},
        {"$((1 + 2 * 3)) \"$((x=4))\"", "<7><4>", 0},
        {"$((1 / 0))", "division by zero", 0},
        {"p*", "<primes><ps>", 0},
        {"[l-p]s ?s \\?s '?s' x*", "<ls><ps><ls><ps><?s><?s><x*>", 0},
        {"dir/* d\"i\"r/c? */p .*", "<dir/cat><dir/cp><dir/cp><*/p><.hidden>", 0},
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
    struct sh_values values = {.variable = variable, .positional = positional, .context = &none};
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

/* Beside the host's fnmatch, of patterns made at random; of a [ that has no ] it says otherwise. */
static void patterns_match_as_elsewhere(void **state)
{
    static const char signs[] = "ab-]*?[!\\", letters[] = "ab-]";
    char pattern[10], text[8];
    (void)state;
    srand(1);
    for (int i = 0; i < 300000; i++) {
        size_t size = (size_t)rand() % sizeof pattern, length = (size_t)rand() % sizeof text;
        for (size_t j = 0; j < size; j++)
            pattern[j] = signs[(size_t)rand() % (sizeof signs - 1)];
        for (size_t j = 0; j < length; j++)
            text[j] = letters[(size_t)rand() % (sizeof letters - 1)];
        pattern[size] = text[length] = 0;
        bool whole = true; /* sets are, and no range ends with what begins another */
        for (const char *p = pattern; *p; p++)
            whole &= *p != '[' && (*p != '\\' || p[1]);
        static const char *const sets[] = {"[ab]", "[!a]", "[a-]", "[]b]", "[a\\]]"};
        if (whole && size < sizeof pattern - 6)
            strcat(pattern, i % 3 ? sets[i % 5] : "");
        if (whole && sh_match(pattern, text, length) != (fnmatch(pattern, text, 0) == 0))
            fail_msg("%s and %s", pattern, text);
    }
    assert_true(sh_match("[a", "[a", 2));
    static char many[20000], stars[2002];
    memset(many, 'a', sizeof many - 1);
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(stars + i, "*a", 2);
    stars[2000] = 'b';
    assert_false(sh_match(stars, many, sizeof many - 1)); /* in time */
}

static void sums_are_as_in_c(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
        const char *error;
    } cases[] = {
        {"", 0, NULL},
        {"1+2*3-4/2%3", 5, NULL},
        {"(1+2)*3", 9, NULL},
        {"10-2-3", 5, NULL},
        {"0x10+010", 24, NULL},
        {"1<2 && 2<=2 || 0/1", 1, NULL},
        {"1 ? 2 : 3 ? 4 : 5", 2, NULL},
        {"0 && 1/0", 0, NULL},
        {"1 || (a=5)", 1, NULL},
        {"~5 & 0xf | 1 ^ 3", (~5 & 0xf) | (1 ^ 3), NULL},
        {"-9223372036854775807-1", INT64_MIN, NULL},
        {"(-9223372036854775807-1)/-1", INT64_MIN, NULL},
        {"(-9223372036854775807-1)%-1", 0, NULL},
        {"1<<63>>63", -1, NULL},
        {"!0 == 1", 1, NULL},
        {"a = 3", 3, NULL},
        {"a += 1 << 2", 4, NULL},
        {"none + 1", 1, NULL},
        {"1 +", 0, "$(( )) has no number where one belongs"},
        {"1 2", 0, "$(( )) goes on where it should end"},
        {"(1", 0, "a ) is missing in $(( ))"},
        {"1/0", 0, "division by zero"},
        {"1?2", 0, "a : is missing in $(( ))"},
        {"x", 0, "a variable is no number"},
        {"09", 0, "$(( )) goes on where it should end"},
        {"b = 1", 0, "a variable can't be set"},
    };
    static const struct sh_values values = {.variable = variable, .assign = assign};
    int64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool good = sh_arithmetic(cases[i].text, &values, &value, &error);
        if (good != !cases[i].error || (good && value != cases[i].value))
            fail_msg("%s: %s, %" PRId64, cases[i].text, good ? "good" : error, value);
        if (!good)
            assert_string_equal(error, cases[i].error);
    }
    char deep[1000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_false(sh_arithmetic(deep, &values, &value, &error));
    assert_string_equal(error, "too much in one another");
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
        cmocka_unit_test(patterns_match_as_elsewhere),
        cmocka_unit_test(sums_are_as_in_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
