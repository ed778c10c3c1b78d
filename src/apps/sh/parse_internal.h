/* What parse.c and parse_compound.c share. */
#ifndef SH_PARSE_INTERNAL_H
#define SH_PARSE_INTERNAL_H

#include "lex.h"

struct parser {
    struct sh_lexer lexer; /* holds the token that is not taken yet */
    struct sh_arena *arena;
    unsigned depth;
    struct sh_redirect *waiting[SH_HERE_MAX]; /* for the bodies of their here-documents */
    size_t waiting_count;
    enum sh_parsed status;
    const char *error;
};

/* The first error stays. Returns NULL. */
void *parser_fail(struct parser *p, enum sh_parsed status, const char *error);
/* The present token is not what the grammar wants: at the end, more text could be it. */
void *parser_unexpected(struct parser *p, const char *wanted);

/* A node whose text begins there; NULL: the arena is full. */
struct sh_node *parser_node(struct parser *p, enum sh_kind kind, size_t begin);
/* A node is complete: its text ends before the present token. Returns it, NULL after an error. */
struct sh_node *parser_done(struct parser *p, struct sh_node *n);

void parser_step(struct parser *p);
void parser_skip_newlines(struct parser *p);
/* Whether the present token is that word; step over it, if it is; it has to be. */
bool parser_is(const struct parser *p, const char *text);
bool parser_take(struct parser *p, const char *text);
void parser_expect(struct parser *p, const char *text, const char *wanted);
/* The present token, a word, goes to the end of a node's words. */
void parser_add_word(struct parser *p, struct sh_word ***end);

/* NULL with status SH_PARSED: there is no command. */
struct sh_node *parser_list(struct parser *p);
/* A compound command, if one begins here; else NULL with status SH_PARSED. */
struct sh_node *parser_compound(struct parser *p);

#endif
