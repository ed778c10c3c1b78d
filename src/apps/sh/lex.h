/* Tokens of the shell's grammar, for parse.c and expand.c alone. */
#ifndef SH_LEX_H
#define SH_LEX_H

#include "parse.h"

enum sh_token {
    SH_END,
    SH_NEWLINE,
    SH_SEMICOLON,
    SH_CASE_END, /* ;; */
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

#define SH_HERE_MAX   16 /* here-documents of one line */
#define SH_NESTED_MAX 32 /* $( ) ${ } and the like in one another, inside of one word */

/* A here-document whose delimiter was seen; its text follows the line. */
struct sh_here {
    struct sh_word delimiter, body;
    bool strip; /* <<-: tabs that begin lines don't count */
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
    unsigned depth;
    struct sh_here here[SH_HERE_MAX];
    size_t here_count; /* that wait for the line's end */
    size_t here_read;  /* whose bodies were found with this token, a SH_NEWLINE */
};

/* Step to the next token. At SH_END and SH_BAD it stays. */
void sh_lex(struct sh_lexer *lexer);

/* How many bytes a $ or ` at text begins: what it stands for, with its brackets. quoted: inside of
 * double quotes. 0: there is no end. */
size_t sh_part_length(const char *text, size_t size, bool quoted);

/* How many bytes of a here-document's delimiter as it is to be found, its quotes removed, into
 * clean, which has room for the word's length. *quoted: it had some. */
size_t sh_here_delimiter(const struct sh_word *word, char *clean, bool *quoted);

#endif
