#include "arithmetic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sum {
    const char *at;
    const struct sh_values *values;
    const char *error; /* the first one */
    unsigned depth;
    unsigned unused; /* > 0: this side of && || ?: doesn't count, and changes nothing */
};

/* Binary operators by level, the loosest first; longer ones before those that they begin with. */
static const struct operator
{
    char text[4];
    int level;
}
operators[] = {{"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<<", 8}, {">>", 8},
               {"<=", 7}, {">=", 7}, {"<", 7},  {">", 7},  {"|", 3},  {"^", 4},
               {"&", 5},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10}};
#define TIGHTEST 10

static int64_t conditional(struct sum *s);

static int64_t fail(struct sum *s, const char *error)
{
    if (!s->error)
        s->error = error;
    return 0;
}

static void skip_blanks(struct sum *s)
{
    s->at += strspn(s->at, " \t\n\r");
}

static bool take(struct sum *s, const char *text)
{
    skip_blanks(s);
    if (strncmp(s->at, text, strlen(text)) != 0)
        return false;
    s->at += strlen(text);
    return true;
}

/* A number as C writes it. *end is behind it; text itself: it is none. */
static int64_t number(const char *text, const char **end)
{
    char *behind;
    uint64_t value = strtoull(text, &behind, 0);
    *end = *text >= '0' && *text <= '9' ? behind : text;
    return (int64_t)value;
}

static int64_t variable(struct sum *s, const char *name, size_t length)
{
    const char *value = s->values->variable(s->values->context, name, length), *end;
    if (!value || !*value)
        return 0;
    bool negative = *value == '-';
    int64_t result = number(value + negative, &end);
    if (end == value + negative || *end)
        return fail(s, "a variable is no number");
    return negative ? (int64_t)(0 - (uint64_t)result) : result;
}

/* a operator b, where b is known. */
static int64_t compute(struct sum *s, const char *operator, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;

    switch (operator[0]) {
    case '+':
        return (int64_t)(x + y);
    case '-':
        return (int64_t)(x - y);
    case '*':
        return (int64_t)(x * y);
    case '/':
    case '%':
        if (!b)
            return s->unused ? 0 : fail(s, "division by zero");
        if (b == -1) /* the least number has no negative */
            return operator[0] == '/' ? (int64_t)(0 - x) : 0;
        return operator[0] == '/' ? a / b : a % b;
    case '<':
        return operator[1] == '<' ? (int64_t)(x << (y & 63)) : operator[1] ? a <= b : a<b;
    case '>':
        return operator[1] == '>' ? a >> (y & 63) : operator[1] ? a >= b : a> b;
    case '=':
        return a == b;
    case '!':
        return a != b;
    case '|':
        return operator[1] ? a || b : (a | b);
    case '&':
        return operator[1] ? a && b : (a &b);
    default:
        return a ^ b;
    }
}

/* NAME, NAME = value, NAME op= value. */
static int64_t named(struct sum *s, size_t length)
{
    const char *name = s->at, *found = NULL;
    s->at += length;
    skip_blanks(s);
    if (*s->at == '=' && s->at[1] != '=') {
        found = "";
    } else {
        for (size_t i = 0; !found && i < sizeof operators / sizeof *operators; i++) {
            size_t size = strlen(operators[i].text);
            bool assigns =
                operators[i].level >= 8 || (operators[i].level >= 3 && operators[i].level <= 5);
            if (assigns && !strncmp(s->at, operators[i].text, size) && s->at[size] == '=')
                found = operators[i].text;
        }
    }
    if (!found)
        return variable(s, name, length);
    s->at += strlen(found) + 1;
    int64_t before = *found ? variable(s, name, length) : 0, value = conditional(s);
    if (*found)
        value = compute(s, found, before, value);
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    if (!s->error && !s->unused &&
        !(s->values->assign && s->values->assign(s->values->context, name, length, text)))
        fail(s, "a variable can't be set");
    return value;
}

static int64_t operand(struct sum *s)
{
    int64_t value = 0;
    const char *end;

    skip_blanks(s);
    if (s->error || ++s->depth > SH_ARITHMETIC_DEPTH)
        return fail(s, "too much in one another");
    size_t length = sh_name_length(s->at, strlen(s->at));
    if (take(s, "(")) {
        value = conditional(s);
        if (!take(s, ")"))
            fail(s, "a ) is missing in $(( ))");
    } else if (take(s, "-")) {
        value = (int64_t)(0 - (uint64_t)operand(s));
    } else if (take(s, "+")) {
        value = operand(s);
    } else if (take(s, "~")) {
        value = ~operand(s);
    } else if (take(s, "!")) {
        value = !operand(s);
    } else if (length) {
        value = named(s, length);
    } else {
        value = number(s->at, &end);
        if (end == s->at || sh_name_length(end, 1))
            fail(s, "$(( )) has no number where one belongs");
        s->at = end;
    }
    s->depth--;
    return value;
}

/* The operator that is next, of at least that level; NULL: none. One of an assignment is none. */
static const struct operator* next_operator(struct sum *s, int level)
{
    skip_blanks(s);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strncmp(s->at, operators[i].text, strlen(operators[i].text)))
            return operators[i].level >= level ? &operators[i] : NULL;
    return NULL;
}

static int64_t binary(struct sum *s, int level)
{
    int64_t left = operand(s);
    const struct operator* o;

    while (!s->error && (o = next_operator(s, level))) {
        bool decided = (o->level == 1 && left) || (o->level == 2 && !left);
        s->at += strlen(o->text);
        s->unused += decided;
        int64_t right = o->level == TIGHTEST ? operand(s) : binary(s, o->level + 1);
        s->unused -= decided;
        left = compute(s, o->text, left, right);
    }
    return left;
}

static int64_t conditional(struct sum *s)
{
    int64_t condition = binary(s, 1);
    if (s->error || !take(s, "?"))
        return condition;
    if (++s->depth > SH_ARITHMETIC_DEPTH)
        return fail(s, "too much in one another");
    s->unused += !condition;
    int64_t yes = conditional(s);
    s->unused -= !condition;
    if (!take(s, ":"))
        fail(s, "a : is missing in $(( ))");
    s->unused += condition != 0;
    int64_t no = conditional(s);
    s->unused -= condition != 0;
    s->depth--;
    return condition ? yes : no;
}

bool sh_arithmetic(const char *text, const struct sh_values *values, int64_t *result,
                   const char **error)
{
    struct sum s = {.at = text, .values = values};
    skip_blanks(&s);
    *result = *s.at ? conditional(&s) : 0; /* nothing is 0 */
    skip_blanks(&s);
    if (!s.error && *s.at)
        fail(&s, "$(( )) goes on where it should end");
    *error = s.error;
    return !s.error;
}
