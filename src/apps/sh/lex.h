/* Tokens of the shell's grammar, for parse.c alone. */
#ifndef SH_LEX_H
#define SH_LEX_H

#include "parse.h"

enum sh_token {
    SH_END,
    SH_NEWLINE,
    SH_SEMICOLON,
    SH_AMPERSAND,
    SH_AND_IF,
    SH_OR_IF,
    SH_BAR,
    SH_OPEN,
    SH_CLOSE,
    SH_ARROW, /* a redirection up to its target: fd and direction are set */
    SH_WORD,
    SH_BAD, /* error is set; incomplete tells whether more text could mend it */
};

struct sh_lexer {
    const char *text;
    size_t size, at; /* behind the token */
    enum sh_token token;
    size_t begin;        /* of the token */
    size_t end_before;   /* of the token before it */
    struct sh_word word; /* SH_WORD */
    int fd;              /* SH_ARROW */
    enum sh_direction direction;
    bool incomplete;
    const char *error;
};

/* Step to the next token. At SH_END and SH_BAD it stays. */
void sh_lex(struct sh_lexer *lexer);

#endif
