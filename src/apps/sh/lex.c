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

/* A $ at the present place. */
static enum sh_token dollar(struct sh_lexer *l)
{
    if (peek(l, 1) == '(')
        return bad(l, false, "command substitution is not there");
    if (peek(l, 1) != '{') {
        l->at++;
        return SH_WORD;
    }
    const char *end = memchr(l->text + l->at, '}', l->size - l->at);
    if (!end)
        return bad(l, true, "a } is missing");
    l->at = (size_t)(end - l->text) + 1;
    return SH_WORD;
}

static enum sh_token double_quotes(struct sh_lexer *l)
{
    l->at++;
    for (int c; (c = peek(l, 0)) != '"';) {
        enum sh_token part = SH_WORD;
        if (c == -1)
            return bad(l, true, "a \" is missing");
        if (c == '`')
            return bad(l, false, "command substitution is not there");
        if (c == '$')
            part = dollar(l);
        else
            l->at += c == '\\' && peek(l, 1) != -1 ? 2 : 1;
        if (part == SH_BAD)
            return part;
    }
    l->at++;
    return SH_WORD;
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
            part = double_quotes(l);
            break;
        case '$':
            part = dollar(l);
            break;
        case '`':
            return bad(l, false, "command substitution is not there");
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
    return SH_WORD;
}

/* A redirection, behind its digit if it has one. */
static enum sh_token arrow(struct sh_lexer *l, int digit)
{
    bool out = peek(l, 0) == '>';
    int second = peek(l, 1);

    if (!out && second == '<')
        return bad(l, false, "here-documents are not there");
    l->fd = digit >= 0 ? digit : out;
    l->direction = second == '&'   ? SH_DUPLICATE
                   : !out          ? SH_READ
                   : second == '>' ? SH_APPEND
                                   : SH_WRITE;
    l->at += l->direction == SH_DUPLICATE || l->direction == SH_APPEND ? 2 : 1;
    return SH_ARROW;
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
        return operator(l, 1, SH_NEWLINE);
    case ';':
        if (peek(l, 1) == ';')
            return bad(l, false, "case is not there");
        return operator(l, 1, SH_SEMICOLON);
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
    l->token = next(l);
    if (l->token == SH_WORD && memchr(l->word.text, 0, l->word.length))
        l->token = bad(l, false, "a zero byte");
}
