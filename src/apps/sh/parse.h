/*
 * The shell's grammar, a part of POSIX's (XCU 2.10): text to a tree. Free-standing but for the C
 * library's string functions; it neither runs anything nor changes the text.
 *
 *   list      and_or ((';' | '&' | newline) and_or)*
 *   and_or    pipeline (('&&' | '||') pipeline)*
 *   pipeline  '!'? command ('|' command)*
 *   command   simple | compound redirect*
 *   compound  '(' list ')' | '{' list '}' | if list then list (elif list then list)* (else list)?
 *             fi | (while | until) list do list done | for NAME (in word*)? do list done |
 *             case word in ('('? word ('|' word)* ')' list? ';;')* esac
 *   simple    (NAME=word | word | redirect)+ | NAME '(' ')' compound
 *   redirect  digit? ('<' | '>' | '>>' | '<&' | '>&' | '<<' | '<<-') word
 */
#ifndef SH_PARSE_H
#define SH_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_DEPTH_MAX 64 /* compound commands in one another */

enum sh_kind {
    SH_SIMPLE,   /* words, redirects */
    SH_PIPELINE, /* first: commands by next; negated */
    SH_AND,      /* first, second */
    SH_OR,       /* first, second */
    SH_LIST,     /* first: items by next, each with background */
    SH_SUBSHELL, /* first; redirects, as of all that follow */
    SH_GROUP,    /* first */
    SH_IF,       /* first: condition, second: then, third: else or NULL */
    SH_WHILE,    /* first: condition, second: body */
    SH_UNTIL,    /* the same */
    SH_FOR,      /* words: the variable's name, then the values; listed; second: body */
    SH_CASE,     /* words: what is looked at; first: SH_ITEMs by next */
    SH_ITEM,     /* words: patterns; first: list or NULL */
    SH_FUNCTION, /* words: its name; first: a compound command */
};

/* A word as it stands in the text, with its quotes: sh_expand makes strings of it. */
struct sh_word {
    const char *text;
    size_t length;
    struct sh_word *next;
};

#define SH_DELIMITER_MAX 256 /* bytes of a here-document's */

enum sh_direction { SH_READ, SH_WRITE, SH_APPEND, SH_DUPLICATE, SH_HERE, SH_HERE_STRIP };

struct sh_redirect {
    enum sh_direction direction;
    int fd;                /* 0 to 9 */
    struct sh_word target; /* of a here-document: its delimiter */
    struct sh_word body;   /* the here-document's lines */
    struct sh_redirect *next;
};

struct sh_node {
    enum sh_kind kind;
    bool negated, background, listed;
    const char *text; /* where it begins, and how long it is: for people */
    size_t length;
    struct sh_node *first, *second, *third, *next;
    struct sh_word *words;
    struct sh_redirect *redirects;
};

/* Memory for a tree; the caller's, aligned to 16. */
struct sh_arena {
    char *memory;
    size_t size, used;
};

enum sh_parsed {
    SH_PARSED,     /* *tree is a list, or NULL if there is no command */
    SH_INCOMPLETE, /* more text would make it right: an open quote, an if without fi, ... */
    SH_WRONG,      /* *error says why */
};

/*
 * Parse size bytes of text, which the tree then points into. arena gives the memory; *error is
 * never freed, and set unless SH_PARSED.
 */
enum sh_parsed sh_parse(const char *text, size_t size, struct sh_arena *arena,
                        struct sh_node **tree, const char **error);

/* How many bytes of text are a name ([A-Za-z_][A-Za-z0-9_]*); 0: none. */
size_t sh_name_length(const char *text, size_t size);

/* If a word is an assignment NAME=..., the length of NAME, else 0. */
size_t sh_assignment(const struct sh_word *word);

#endif
