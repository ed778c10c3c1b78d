#include "parse.h"

#include <string.h>

#include "lex.h"

struct parser {
    struct sh_lexer lexer; /* holds the token that is not taken yet */
    struct sh_arena *arena;
    unsigned depth;
    enum sh_parsed status;
    const char *error;
};

static struct sh_node *list(struct parser *p);

/* The first error stays. Returns NULL. */
static void *fail(struct parser *p, enum sh_parsed status, const char *error)
{
    if (p->status == SH_PARSED) {
        p->status = status;
        p->error = error;
    }
    return NULL;
}

/* The present token is not what the grammar wants: at the end, more text could be it. */
static void *unexpected(struct parser *p, const char *wanted)
{
    const struct sh_lexer *l = &p->lexer;
    if (l->token == SH_BAD)
        return fail(p, l->incomplete ? SH_INCOMPLETE : SH_WRONG, l->error);
    return fail(p, l->token == SH_END ? SH_INCOMPLETE : SH_WRONG, wanted);
}

static void *allocate(struct parser *p, size_t size)
{
    struct sh_arena *a = p->arena;
    size = (size + 15) & ~(size_t)15;
    if (size > a->size - a->used)
        return fail(p, SH_WRONG, "the command is too long");
    void *memory = memset(a->memory + a->used, 0, size);
    a->used += size;
    return memory;
}

static struct sh_node *node(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = allocate(p, sizeof *n);
    if (n) {
        n->kind = kind;
        n->text = p->lexer.text + begin;
    }
    return n;
}

/* A node is complete: its text ends before the present token. */
static struct sh_node *done(struct parser *p, struct sh_node *n)
{
    if (p->status != SH_PARSED)
        return NULL;
    n->length = p->lexer.text + p->lexer.end_before - n->text;
    return n;
}

static bool is_word(const struct parser *p, const char *text)
{
    const struct sh_lexer *l = &p->lexer;
    return l->token == SH_WORD && l->word.length == strlen(text) &&
           !memcmp(l->word.text, text, l->word.length);
}

/* Step over a reserved word, if it is there. */
static bool take(struct parser *p, const char *text)
{
    if (!is_word(p, text))
        return false;
    sh_lex(&p->lexer);
    return true;
}

static void expect(struct parser *p, const char *text, const char *wanted)
{
    if (p->status == SH_PARSED && !take(p, text))
        unexpected(p, wanted);
}

static void skip_newlines(struct parser *p)
{
    while (p->lexer.token == SH_NEWLINE)
        sh_lex(&p->lexer);
}

static void add_word(struct parser *p, struct sh_word ***end)
{
    struct sh_word *word = allocate(p, sizeof *word);
    if (!word)
        return;
    *word = p->lexer.word;
    **end = word;
    *end = &word->next;
    sh_lex(&p->lexer);
}

static void add_redirect(struct parser *p, struct sh_redirect ***end)
{
    struct sh_redirect *redirect = allocate(p, sizeof *redirect);
    if (!redirect)
        return;
    redirect->direction = p->lexer.direction;
    redirect->fd = p->lexer.fd;
    sh_lex(&p->lexer);
    if (p->lexer.token != SH_WORD) {
        unexpected(p, "a redirection leads nowhere");
        return;
    }
    redirect->target = p->lexer.word;
    **end = redirect;
    *end = &redirect->next;
    sh_lex(&p->lexer);
}

static struct sh_node *simple(struct parser *p)
{
    struct sh_node *n = node(p, SH_SIMPLE, p->lexer.begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    struct sh_redirect **redirects = &n->redirects;
    while (p->status == SH_PARSED && (p->lexer.token == SH_WORD || p->lexer.token == SH_ARROW)) {
        if (p->lexer.token == SH_WORD)
            add_word(p, &words);
        else
            add_redirect(p, &redirects);
    }
    if (p->status == SH_PARSED && p->lexer.token == SH_OPEN)
        return fail(p, SH_WRONG, "functions are not there");
    if (p->status == SH_PARSED && !n->words && !n->redirects)
        return unexpected(p, "a command is missing");
    return done(p, n);
}

/* A list that must not be empty, inside of something. */
static struct sh_node *inner(struct parser *p)
{
    struct sh_node *n = p->status == SH_PARSED ? list(p) : NULL;
    return n || p->status != SH_PARSED ? n : unexpected(p, "a command is missing");
}

/* Behind if or elif. */
static struct sh_node *condition(struct parser *p, size_t begin)
{
    struct sh_node *n = node(p, SH_IF, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    expect(p, "then", "then is missing");
    n->second = inner(p);
    size_t elif = p->lexer.begin;
    if (p->status != SH_PARSED)
        return NULL;
    if (take(p, "elif")) {
        if (++p->depth > SH_DEPTH_MAX)
            return fail(p, SH_WRONG, "too much in one another");
        n->third = condition(p, elif);
        p->depth--;
        return done(p, n);
    }
    if (take(p, "else"))
        n->third = inner(p);
    expect(p, "fi", "fi is missing");
    return done(p, n);
}

static struct sh_node *loop(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = node(p, kind, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    expect(p, "do", "do is missing");
    n->second = inner(p);
    expect(p, "done", "done is missing");
    return done(p, n);
}

static struct sh_node *for_loop(struct parser *p, size_t begin)
{
    struct sh_node *n = node(p, SH_FOR, begin);
    if (!n)
        return NULL;
    struct sh_word **words = &n->words;
    if (p->lexer.token != SH_WORD)
        return unexpected(p, "for has no variable");
    if (sh_name_length(p->lexer.word.text, p->lexer.word.length) != p->lexer.word.length)
        return fail(p, SH_WRONG, "for's variable is no name");
    add_word(p, &words);
    skip_newlines(p);
    n->listed = p->status == SH_PARSED && take(p, "in");
    while (n->listed && p->status == SH_PARSED && p->lexer.token == SH_WORD)
        add_word(p, &words);
    if (p->lexer.token == SH_SEMICOLON)
        sh_lex(&p->lexer);
    skip_newlines(p);
    expect(p, "do", "do is missing");
    n->second = inner(p);
    expect(p, "done", "done is missing");
    return done(p, n);
}

static struct sh_node *enclosed(struct parser *p, enum sh_kind kind, size_t begin)
{
    struct sh_node *n = node(p, kind, begin);
    if (!n)
        return NULL;
    n->first = inner(p);
    if (kind == SH_GROUP) {
        expect(p, "}", "} is missing");
    } else if (p->status == SH_PARSED) {
        if (p->lexer.token != SH_CLOSE)
            return unexpected(p, ") is missing");
        sh_lex(&p->lexer);
    }
    return done(p, n);
}

/* A compound command, if one begins here; else NULL with status SH_PARSED. */
static struct sh_node *compound(struct parser *p)
{
    size_t begin = p->lexer.begin;
    if (p->lexer.token == SH_OPEN) {
        sh_lex(&p->lexer);
        return enclosed(p, SH_SUBSHELL, begin);
    }
    if (take(p, "{"))
        return enclosed(p, SH_GROUP, begin);
    if (take(p, "if"))
        return condition(p, begin);
    if (take(p, "while"))
        return loop(p, SH_WHILE, begin);
    if (take(p, "until"))
        return loop(p, SH_UNTIL, begin);
    return take(p, "for") ? for_loop(p, begin) : NULL;
}

static bool ends_list(const struct parser *p)
{
    static const char *const words[] = {"}", "then", "elif", "else", "fi", "do", "done"};
    if (p->lexer.token == SH_END || p->lexer.token == SH_CLOSE)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(p, words[i]))
            return true;
    return false;
}

static struct sh_node *command(struct parser *p)
{
    if (ends_list(p) || is_word(p, "in"))
        return is_word(p, "in") ? simple(p) : unexpected(p, "a command is missing");
    if (++p->depth > SH_DEPTH_MAX)
        return fail(p, SH_WRONG, "too much in one another");
    struct sh_node *n = compound(p);
    p->depth--;
    if (p->status != SH_PARSED)
        return NULL;
    if (!n)
        return simple(p);
    struct sh_redirect **redirects = &n->redirects;
    while (p->status == SH_PARSED && p->lexer.token == SH_ARROW)
        add_redirect(p, &redirects);
    if (p->status == SH_PARSED && p->lexer.token == SH_WORD && !ends_list(p))
        return unexpected(p, "a command is followed by a word");
    return done(p, n);
}

static struct sh_node *pipeline(struct parser *p)
{
    struct sh_node *n = node(p, SH_PIPELINE, p->lexer.begin);
    if (!n)
        return NULL;
    n->negated = take(p, "!");
    for (struct sh_node **end = &n->first; p->status == SH_PARSED; end = &(*end)->next) {
        *end = command(p);
        if (!*end || p->lexer.token != SH_BAR)
            break;
        sh_lex(&p->lexer);
        skip_newlines(p);
    }
    return done(p, n);
}

static struct sh_node *and_or(struct parser *p)
{
    size_t begin = p->lexer.begin;
    struct sh_node *left = pipeline(p);
    while (p->status == SH_PARSED && (p->lexer.token == SH_AND_IF || p->lexer.token == SH_OR_IF)) {
        struct sh_node *n = node(p, p->lexer.token == SH_AND_IF ? SH_AND : SH_OR, begin);
        if (!n)
            return NULL;
        sh_lex(&p->lexer);
        skip_newlines(p);
        n->first = left;
        n->second = pipeline(p);
        left = done(p, n);
    }
    return left;
}

/* NULL with status SH_PARSED: there is no command. */
static struct sh_node *list(struct parser *p)
{
    skip_newlines(p);
    struct sh_node *n = node(p, SH_LIST, p->lexer.begin);
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
        sh_lex(&p->lexer);
        skip_newlines(p);
    }
    return n->first || p->status != SH_PARSED ? done(p, n) : NULL;
}

enum sh_parsed sh_parse(const char *text, size_t size, struct sh_arena *arena,
                        struct sh_node **tree, const char **error)
{
    struct parser p = {.lexer = {.text = text, .size = size}, .arena = arena};

    sh_lex(&p.lexer);
    *tree = list(&p);
    if (p.status == SH_PARSED && p.lexer.token != SH_END) {
        p.lexer.incomplete &= p.lexer.token == SH_BAD;
        unexpected(&p, p.lexer.token == SH_CLOSE  ? "a ) is too much"
                       : p.lexer.token == SH_WORD ? "a word that ends something that has not begun"
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
