#include "parse.h"

#include <string.h>

#include "parse_internal.h"

static struct sh_node *command(struct parser *p);

/* The first error stays. Returns NULL. */
void *parser_fail(struct parser *p, enum sh_parsed status, const char *error)
{
    if (p->status == SH_PARSED) {
        p->status = status;
        p->error = error;
    }
    return NULL;
}

/* The present token is not what the grammar wants: at the end, more text could be it. */
void *parser_unexpected(struct parser *p, const char *wanted)
{
    const struct sh_lexer *l = &p->lexer;
    if (l->token == SH_BAD)
        return parser_fail(p, l->incomplete ? SH_INCOMPLETE : SH_WRONG, l->error);
    return parser_fail(p, l->token == SH_END ? SH_INCOMPLETE : SH_WRONG, wanted);
}

static void *allocate(struct parser *p, size_t size)
{
    struct sh_arena *a = p->arena;
    size = (size + 15) & ~(size_t)15;
    if (size > a->size - a->used)
        return parser_fail(p, SH_WRONG, "the command is too long");
    void *memory = memset(a->memory + a->used, 0, size);
    a->used += size;
    return memory;
}

struct sh_node *parser_node(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = allocate(p, sizeof *n);
    if (n) {
        n->kind = kind;
        n->text = p->lexer.text + begin;
    }
    return n;
}

/* A node is complete: its text ends before the present token. */
struct sh_node *parser_done(struct parser *p, struct sh_node *n)
{
    if (p->status != SH_PARSED)
        return NULL;
    n->length = p->lexer.text + p->lexer.end_before - n->text;
    return n;
}

bool parser_is(const struct parser *p, const char *text)
{
    const struct sh_lexer *l = &p->lexer;
    return l->token == SH_WORD && l->word.length == strlen(text) &&
           !memcmp(l->word.text, text, l->word.length);
}

void parser_step(struct parser *p)
{
    sh_lex(&p->lexer);
    for (size_t i = 0; i < p->lexer.here_read && i < p->waiting_count; i++)
        p->waiting[i]->body = p->lexer.here[i].body;
    if (p->lexer.here_read)
        p->waiting_count = 0;
}

/* Step over a reserved word, if it is there. */
bool parser_take(struct parser *p, const char *text)
{
    if (!parser_is(p, text))
        return false;
    parser_step(p);
    return true;
}

void parser_expect(struct parser *p, const char *text, const char *wanted)
{
    if (p->status == SH_PARSED && !parser_take(p, text))
        parser_unexpected(p, wanted);
}

void parser_skip_newlines(struct parser *p)
{
    while (p->lexer.token == SH_NEWLINE)
        parser_step(p);
}

void parser_add_word(struct parser *p, struct sh_word ***end)
{
    struct sh_word *word = allocate(p, sizeof *word);
    if (!word)
        return;
    *word = p->lexer.word;
    **end = word;
    *end = &word->next;
    parser_step(p);
}

static void add_redirect(struct parser *p, struct sh_redirect ***end)
{
    struct sh_redirect *redirect = allocate(p, sizeof *redirect);
    if (!redirect)
        return;
    redirect->direction = p->lexer.direction;
    redirect->fd = p->lexer.fd;
    parser_step(p);
    if (p->lexer.token != SH_WORD) {
        parser_unexpected(p, "a redirection leads nowhere");
        return;
    }
    redirect->target = p->lexer.word;
    if (redirect->direction == SH_HERE || redirect->direction == SH_HERE_STRIP)
        p->waiting[p->waiting_count++] = redirect; /* as many as the lexer takes */
    **end = redirect;
    *end = &redirect->next;
    parser_step(p);
}

/* NAME is n's only word, and ( is next. */
static struct sh_node *function(struct parser *p, struct sh_node *n)
{
    const struct sh_word *name = n->words;
    if (!name || name->next || n->redirects ||
        sh_name_length(name->text, name->length) != name->length)
        return parser_fail(p, SH_WRONG, "a ( is too much");
    parser_step(p);
    if (p->lexer.token != SH_CLOSE)
        return parser_unexpected(p, "a function's ) is missing");
    parser_step(p);
    parser_skip_newlines(p);
    n->kind = SH_FUNCTION;
    n->first = command(p);
    if (n->first && (n->first->kind == SH_SIMPLE || n->first->kind == SH_FUNCTION))
        return parser_fail(p, SH_WRONG, "a function's body is no { } or the like");
    return parser_done(p, n);
}

static struct sh_node *simple(struct parser *p)
{
    struct sh_node *n = parser_node(p, SH_SIMPLE, p->lexer.begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    struct sh_redirect **redirects = &n->redirects;
    while (p->status == SH_PARSED && (p->lexer.token == SH_WORD || p->lexer.token == SH_ARROW)) {
        if (p->lexer.token == SH_WORD)
            parser_add_word(p, &words);
        else
            add_redirect(p, &redirects);
    }
    if (p->status == SH_PARSED && p->lexer.token == SH_OPEN)
        return function(p, n);
    if (p->status == SH_PARSED && !n->words && !n->redirects)
        return parser_unexpected(p, "a command is missing");
    return parser_done(p, n);
}

static bool ends_list(const struct parser *p)
{
    static const char *const words[] = {"}", "then", "elif", "else", "fi", "do", "done", "esac"};
    if (p->lexer.token == SH_END || p->lexer.token == SH_CLOSE || p->lexer.token == SH_CASE_END)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (parser_is(p, words[i]))
            return true;
    return false;
}

static struct sh_node *command(struct parser *p)
{
    if (ends_list(p) || parser_is(p, "in"))
        return parser_is(p, "in") ? simple(p) : parser_unexpected(p, "a command is missing");
    if (++p->depth > SH_DEPTH_MAX)
        return parser_fail(p, SH_WRONG, "too much in one another");
    struct sh_node *n = parser_compound(p);
    p->depth--;
    if (p->status != SH_PARSED)
        return NULL;
    if (!n)
        return simple(p);
    struct sh_redirect **redirects = &n->redirects;
    while (p->status == SH_PARSED && p->lexer.token == SH_ARROW)
        add_redirect(p, &redirects);
    if (p->status == SH_PARSED && p->lexer.token == SH_WORD && !ends_list(p))
        return parser_unexpected(p, "a command is followed by a word");
    return parser_done(p, n);
}

static struct sh_node *pipeline(struct parser *p)
{
    struct sh_node *n = parser_node(p, SH_PIPELINE, p->lexer.begin);
    if (!n)
        return NULL;
    n->negated = parser_take(p, "!");
    for (struct sh_node **end = &n->first; p->status == SH_PARSED; end = &(*end)->next) {
        *end = command(p);
        if (!*end || p->lexer.token != SH_BAR)
            break;
        parser_step(p);
        parser_skip_newlines(p);
    }
    return parser_done(p, n);
}

static struct sh_node *and_or(struct parser *p)
{
    size_t begin = p->lexer.begin;
    struct sh_node *left = pipeline(p);
    while (p->status == SH_PARSED && (p->lexer.token == SH_AND_IF || p->lexer.token == SH_OR_IF)) {
        struct sh_node *n = parser_node(p, p->lexer.token == SH_AND_IF ? SH_AND : SH_OR, begin);
        if (!n)
            return NULL;
        parser_step(p);
        parser_skip_newlines(p);
        n->first = left;
        n->second = pipeline(p);
        left = parser_done(p, n);
    }
    return left;
}

/* NULL with status SH_PARSED: there is no command. */
struct sh_node *parser_list(struct parser *p)
{
    parser_skip_newlines(p);
    struct sh_node *n = parser_node(p, SH_LIST, p->lexer.begin);
    if (!n)
        return NULL;
    for (struct sh_node **end = &n->first; p->status == SH_PARSED && !ends_list(p);
         end = &(*end)->next) {
        *end = and_or(p);
        if (!*end)
            return NULL;
        (*end)->background = p->lexer.token == SH_AMPERSAND;
        if (p->lexer.token != SH_AMPERSAND && p->lexer.token != SH_SEMICOLON &&
            p->lexer.token != SH_NEWLINE)
            break;
        parser_step(p);
        parser_skip_newlines(p);
    }
    return n->first || p->status != SH_PARSED ? parser_done(p, n) : NULL;
}

enum sh_parsed sh_parse(const char *text, size_t size, struct sh_arena *arena,
                        struct sh_node **tree, const char **error)
{
    struct parser p = {.lexer = {.text = text, .size = size}, .arena = arena};

    parser_step(&p);
    *tree = parser_list(&p);
    if (p.status == SH_PARSED && p.lexer.token != SH_END) {
        p.lexer.incomplete &= p.lexer.token == SH_BAD;
        parser_unexpected(&p, p.lexer.token == SH_CLOSE ? "a ) is too much"
                              : p.lexer.token == SH_WORD
                                  ? "a word that ends something that has not begun"
                                  : "a command is missing");
    }
    *error = p.error;
    return p.status;
}

size_t sh_name_length(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size) {
        char c = text[length];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (length == 0 || c < '0' || c > '9'))
            break;
        length++;
    }
    return length;
}

size_t sh_assignment(const struct sh_word *word)
{
    size_t length = sh_name_length(word->text, word->length);
    return length && length < word->length && word->text[length] == '=' ? length : 0;
}
