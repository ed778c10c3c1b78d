#include "lex.h"

#include <string.h>

static enum sh_token bad(struct sh_lexer *l, bool incomplete, const char *error)
{
    l->incomplete = incomplete;
    l->error = error;
    return SH_BAD;
}

static int peek(const struct sh_lexer *l, size_t ahead)
{
    return ahead < l->size - l->at ? (unsigned char)l->text[l->at + ahead] : -1;
}

/* Blanks, joined lines and comments. */
static void skip(struct sh_lexer *l)
{
    for (;;) {
        int c = peek(l, 0);
        if (c == ' ' || c == '\t' || c == '\r')
            l->at++;
        else if (c == '\\' && peek(l, 1) == '\n' && peek(l, 2) != -1)
            l->at += 2;
        else
            break;
    }
    if (peek(l, 0) == '#')
        while (peek(l, 0) != -1 && peek(l, 0) != '\n')
            l->at++;
}

static bool ends_word(int c)
{
    return c == -1 || (c && strchr(" \t\r\n;&|<>()", c));
}

static enum sh_token single_quotes(struct sh_lexer *l)
{
    const char *end = memchr(l->text + l->at + 1, '\'', l->size - l->at - 1);
    if (!end)
        return bad(l, true, "a ' is missing");
    l->at = (size_t)(end - l->text) + 1;
    return SH_WORD;
}

static enum sh_token nested(struct sh_lexer *l, bool quoted);

/* ` up to the next one without a \\ before it. */
static enum sh_token backquotes(struct sh_lexer *l)
{
    l->at++;
    for (int c; (c = peek(l, 0)) != '`'; l->at += c == '\\' && peek(l, 1) != -1 ? 2 : 1)
        if (c == -1)
            return bad(l, true, "a ` is missing");
    l->at++;
    return SH_WORD;
}

/* What stands up to the byte `end` where quotes and parts of words may stand, and brackets in pairs
 * if counted is one. */
static enum sh_token enclosed(struct sh_lexer *l, int end, int counted, bool quoted,
                              const char *missing)
{
    unsigned open = 0;
    for (int c; (c = peek(l, 0)) != end || open;) {
        enum sh_token part = SH_WORD;
        if (c == -1)
            return bad(l, true, missing);
        if (c == '$' || c == '`' || (c == '"' && end != '"'))
            part = nested(l, quoted);
        else if (c == '\'' && !quoted)
            part = single_quotes(l);
        else
            l->at += c == '\\' && peek(l, 1) != -1 ? 2 : 1;
        if (part == SH_BAD)
            return part;
        open += counted && c == counted;
        open -= counted && c == end;
    }
    l->at++;
    return SH_WORD;
}

static bool begins_command(const struct sh_lexer *l, bool begins)
{
    static const char *const words[] = {"if",    "then", "elif", "else", "while",
                                        "until", "do",   "{",    "!"};
    if (l->token != SH_WORD)
        return true;
    for (size_t i = 0; begins && i < sizeof words / sizeof *words; i++)
        if (l->word.length == strlen(words[i]) && !memcmp(l->word.text, words[i], l->word.length))
            return true;
    return false;
}

/* $( up to its ), by tokens: the ) of case's patterns end it as little as those in quotes. */
static enum sh_token substitution(struct sh_lexer *l)
{
    struct sh_lexer inner = {.text = l->text, .size = l->size, .at = l->at + 2, .depth = l->depth};
    unsigned open = 0, cases = 0;

    for (bool begins = true;; begins = begins_command(&inner, begins)) {
        sh_lex(&inner);
        if (inner.token == SH_BAD)
            return bad(l, inner.incomplete, inner.error);
        if (inner.token == SH_END)
            return bad(l, true, "a ) is missing");
        if (inner.token == SH_WORD && begins && inner.word.length == 4) {
            cases += !memcmp(inner.word.text, "case", 4);
            cases -= cases && !memcmp(inner.word.text, "esac", 4);
        }
        open += inner.token == SH_OPEN;
        if (inner.token != SH_CLOSE)
            continue;
        if (!open && !cases)
            break;
        open -= open > 0;
    }
    if (inner.here_count)
        return bad(l, false, "a here-document begins in $( ) and not its lines");
    l->at = inner.at;
    return SH_WORD;
}

/* A $ at the present place. */
static enum sh_token dollar(struct sh_lexer *l, bool quoted)
{
    bool sum = peek(l, 1) == '(' && peek(l, 2) == '(';
    if (peek(l, 1) == '(' && !sum)
        return substitution(l);
    if (peek(l, 1) == '{') {
        l->at += 2;
        return enclosed(l, '}', 0, quoted, "a } is missing");
    }
    l->at += sum ? 3 : 1;
    if (!sum)
        return SH_WORD;
    enum sh_token token = enclosed(l, ')', '(', true, "a )) is missing");
    if (token == SH_BAD || peek(l, 0) == ')') {
        l->at += token != SH_BAD;
        return token;
    }
    return bad(l, peek(l, 0) == -1, "a )) is missing");
}

/* $, ` or " and all that belongs to it. */
static enum sh_token nested(struct sh_lexer *l, bool quoted)
{
    enum sh_token token;
    int c = peek(l, 0);
    if (l->depth >= SH_NESTED_MAX)
        return bad(l, false, "too much in one another");
    l->depth++;
    if (c == '"') {
        l->at++;
        token = enclosed(l, '"', 0, true, "a \" is missing");
    } else {
        token = c == '$' ? dollar(l, quoted) : backquotes(l);
    }
    l->depth--;
    return token;
}

size_t sh_part_length(const char *text, size_t size, bool quoted)
{
    struct sh_lexer l = {.text = text, .size = size};
    return nested(&l, quoted) == SH_BAD ? 0 : l.at;
}

static enum sh_token word(struct sh_lexer *l)
{
    while (!ends_word(peek(l, 0))) {
        enum sh_token part = SH_WORD;
        switch (peek(l, 0)) {
        case '\'':
            part = single_quotes(l);
            break;
        case '"':
        case '$':
        case '`':
            part = nested(l, false);
            break;
        case '\\':
            if (peek(l, 1) == -1 || (peek(l, 1) == '\n' && peek(l, 2) == -1))
                return bad(l, true, "nothing follows \\");
            l->at += 2;
            break;
        default:
            l->at++;
        }
        if (part == SH_BAD)
            return part;
    }
    l->word = (struct sh_word){l->text + l->begin, l->at - l->begin, NULL};
    if (l->token == SH_ARROW && (l->direction == SH_HERE || l->direction == SH_HERE_STRIP)) {
        if (l->here_count == SH_HERE_MAX)
            return bad(l, false, "too many here-documents");
        l->here[l->here_count++] =
            (struct sh_here){.delimiter = l->word, .strip = l->direction == SH_HERE_STRIP};
    }
    return SH_WORD;
}

/* A redirection, behind its digit if it has one. */
static enum sh_token arrow(struct sh_lexer *l, int digit)
{
    bool out = peek(l, 0) == '>';
    int second = peek(l, 1);

    bool here = !out && second == '<', strip = here && peek(l, 2) == '-';
    l->fd = digit >= 0 ? digit : out;
    l->direction = strip           ? SH_HERE_STRIP
                   : here          ? SH_HERE
                   : second == '&' ? SH_DUPLICATE
                   : !out          ? SH_READ
                   : second == '>' ? SH_APPEND
                                   : SH_WRITE;
    l->at += strip ? 3 : l->direction == SH_READ || l->direction == SH_WRITE ? 1 : 2;
    return SH_ARROW;
}

size_t sh_here_delimiter(const struct sh_word *word, char *clean, bool *quoted)
{
    size_t length = 0;
    char quote = 0;
    *quoted = false;
    for (size_t i = 0; i < word->length; i++) {
        char c = word->text[i];
        bool is_quote = quote ? c == quote : c == '\'' || c == '"';
        *quoted |= is_quote || c == '\\';
        if (is_quote)
            quote = quote ? 0 : c;
        else if (c == '\\' && quote != '\'' && i + 1 < word->length)
            clean[length++] = word->text[++i];
        else
            clean[length++] = c;
    }
    return length;
}

/* The lines up to the delimiter's. False: it doesn't come. */
static bool read_here(struct sh_lexer *l, struct sh_here *here)
{
    char clean[SH_DELIMITER_MAX];
    bool quoted;
    size_t length = sh_here_delimiter(&here->delimiter, clean, &quoted);

    here->body = (struct sh_word){l->text + l->at, 0, NULL};
    while (l->at < l->size) {
        const char *line = l->text + l->at;
        const char *newline = memchr(line, '\n', l->size - l->at);
        const char *end = newline ? newline : l->text + l->size;
        here->body.length = (size_t)(line - here->body.text);
        l->at = (size_t)(end - l->text) + (newline != NULL);
        while (here->strip && line < end && *line == '\t')
            line++;
        if ((size_t)(end - line) == length && !memcmp(line, clean, length))
            return true;
    }
    return false;
}

/* Behind a newline: the here-documents of the line that has ended. */
static enum sh_token newline(struct sh_lexer *l)
{
    l->at++;
    for (size_t i = 0; i < l->here_count; i++) {
        if (l->here[i].delimiter.length > SH_DELIMITER_MAX)
            return bad(l, false, "a here-document's delimiter is too long");
        if (!read_here(l, &l->here[i]))
            return bad(l, true, "a here-document's end is missing");
    }
    l->here_read = l->here_count;
    l->here_count = 0;
    return SH_NEWLINE;
}

static enum sh_token operator(struct sh_lexer *l, size_t length, enum sh_token token) {
    l->at += length; return token;
}

static enum sh_token next(struct sh_lexer *l)
{
    int c = peek(l, 0);

    switch (c) {
    case -1:
        return SH_END;
    case 0:
        return bad(l, false, "a zero byte");
    case '\n':
        return newline(l);
    case ';':
        return peek(l, 1) == ';' ? operator(l, 2, SH_CASE_END) : operator(l, 1, SH_SEMICOLON);
    case '&':
        return peek(l, 1) == '&' ? operator(l, 2, SH_AND_IF) : operator(l, 1, SH_AMPERSAND);
    case '|':
        return peek(l, 1) == '|' ? operator(l, 2, SH_OR_IF) : operator(l, 1, SH_BAR);
    case '(':
        return operator(l, 1, SH_OPEN);
    case ')':
        return operator(l, 1, SH_CLOSE);
    case '<':
    case '>':
        return arrow(l, -1);
    }
    if (c >= '0' && c <= '9' && (peek(l, 1) == '<' || peek(l, 1) == '>')) {
        l->at++;
        return arrow(l, c - '0');
    }
    return word(l);
}

void sh_lex(struct sh_lexer *l)
{
    if (l->token == SH_BAD)
        return;
    l->end_before = l->at;
    skip(l);
    l->begin = l->at;
    l->here_read = 0;
    l->token = next(l);
    if (l->token == SH_END && l->here_count)
        l->token = bad(l, true, "a here-document is missing");
    if (l->token == SH_WORD && memchr(l->word.text, 0, l->word.length))
        l->token = bad(l, false, "a zero byte");
}
