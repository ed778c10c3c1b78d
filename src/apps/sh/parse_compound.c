/* The compound commands of the grammar (parse.h). */
#include "parse_internal.h"

/* A list that must not be empty, inside of something. */
static struct sh_node *inner(struct parser *p)
{
    struct sh_node *n = p->status == SH_PARSED ? parser_list(p) : NULL;
    return n || p->status != SH_PARSED ? n : parser_unexpected(p, "a command is missing");
}

/* Behind if or elif. */
static struct sh_node *condition(struct parser *p, size_t begin)
{
    struct sh_node *n = parser_node(p, SH_IF, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    parser_expect(p, "then", "then is missing");
    n->second = inner(p);
    size_t elif = p->lexer.begin;
    if (p->status != SH_PARSED)
        return NULL;
    if (parser_take(p, "elif")) {
        if (++p->depth > SH_DEPTH_MAX)
            return parser_fail(p, SH_WRONG, "too much in one another");
        n->third = condition(p, elif);
        p->depth--;
        return parser_done(p, n);
    }
    if (parser_take(p, "else"))
        n->third = inner(p);
    parser_expect(p, "fi", "fi is missing");
    return parser_done(p, n);
}

static struct sh_node *loop(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = parser_node(p, kind, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    parser_expect(p, "do", "do is missing");
    n->second = inner(p);
    parser_expect(p, "done", "done is missing");
    return parser_done(p, n);
}

static struct sh_node *for_loop(struct parser *p, size_t begin)
{
    struct sh_node *n = parser_node(p, SH_FOR, begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    if (p->lexer.token != SH_WORD)
        return parser_unexpected(p, "for has no variable");
    if (sh_name_length(p->lexer.word.text, p->lexer.word.length) != p->lexer.word.length)
        return parser_fail(p, SH_WRONG, "for's variable is no name");
    parser_add_word(p, &words);
    parser_skip_newlines(p);
    n->listed = p->status == SH_PARSED && parser_take(p, "in");
    while (n->listed && p->status == SH_PARSED && p->lexer.token == SH_WORD)
        parser_add_word(p, &words);
    if (p->lexer.token == SH_SEMICOLON)
        parser_step(p);
    parser_skip_newlines(p);
    parser_expect(p, "do", "do is missing");
    n->second = inner(p);
    parser_expect(p, "done", "done is missing");
    return parser_done(p, n);
}

/* One choice of case, up to its ;; or esac. */
static struct sh_node *item(struct parser *p)
{
    struct sh_node *n = parser_node(p, SH_ITEM, p->lexer.begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    if (p->lexer.token == SH_OPEN)
        parser_step(p);
    do {
        if (n->words)
            parser_step(p); /* | */
        if (p->lexer.token != SH_WORD)
            return parser_unexpected(p, "a pattern is missing");
        parser_add_word(p, &words);
    } while (p->status == SH_PARSED && p->lexer.token == SH_BAR);
    if (p->status == SH_PARSED && p->lexer.token != SH_CLOSE)
        return parser_unexpected(p, "a pattern's ) is missing");
    parser_step(p);
    n->first = p->status == SH_PARSED ? parser_list(p) : NULL;
    return parser_done(p, n);
}

static struct sh_node *case_of(struct parser *p, size_t begin)
{
    struct sh_node *n = parser_node(p, SH_CASE, begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    if (p->lexer.token != SH_WORD)
        return parser_unexpected(p, "case has no word");
    parser_add_word(p, &words);
    parser_skip_newlines(p);
    parser_expect(p, "in", "in is missing");
    parser_skip_newlines(p);
    for (struct sh_node **end = &n->first; p->status == SH_PARSED && !parser_is(p, "esac");
         end = &(*end)->next) {
        *end = item(p);
        if (!*end || p->lexer.token != SH_CASE_END)
            break;
        parser_step(p);
        parser_skip_newlines(p);
    }
    parser_expect(p, "esac", "esac is missing");
    return parser_done(p, n);
}

static struct sh_node *enclosed(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = parser_node(p, kind, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    if (kind == SH_GROUP) {
        parser_expect(p, "}", "} is missing");
    } else if (p->status == SH_PARSED) {
        if (p->lexer.token != SH_CLOSE)
            return parser_unexpected(p, ") is missing");
        parser_step(p);
    }
    return parser_done(p, n);
}

/* A compound command, if one begins here; else NULL with status SH_PARSED. */
struct sh_node *parser_compound(struct parser *p)
{
    size_t begin = p->lexer.begin;
    if (p->lexer.token == SH_OPEN) {
        parser_step(p);
        return enclosed(p, SH_SUBSHELL, begin);
    }
    if (parser_take(p, "{"))
        return enclosed(p, SH_GROUP, begin);
    if (parser_take(p, "if"))
        return condition(p, begin);
    if (parser_take(p, "while"))
        return loop(p, SH_WHILE, begin);
    if (parser_take(p, "until"))
        return loop(p, SH_UNTIL, begin);
    if (parser_take(p, "case"))
        return case_of(p, begin);
    return parser_take(p, "for") ? for_loop(p, begin) : NULL;
}
