#include "tree.h"

#include <stdio.h>
#include <string.h>

struct out {
    char *to;
    size_t size, used;
};

static void put(struct out *out, const char *text, size_t length)
{
    size_t room = out->size - 1 - out->used;
    size_t n = length < room ? length : room;
    memcpy(out->to + out->used, text, n);
    out->used += n;
    out->to[out->used] = 0;
}

static void puts_(struct out *out, const char *text)
{
    put(out, text, strlen(text));
}

static void print(struct out *out, const struct sh_node *n);

static void print_list(struct out *out, const struct sh_node *list)
{
    for (const struct sh_node *n = list->first; n; n = n->next) {
        print(out, n);
        puts_(out, n->background ? "&" : ";");
        puts_(out, n->next ? " " : "");
    }
}

static void print_block(struct out *out, const struct sh_node *n)
{
    if (!n)
        return;
    puts_(out, " ");
    if (n->kind != SH_LIST) {
        print(out, n);
        return;
    }
    puts_(out, "{");
    print_list(out, n);
    puts_(out, "}");
}

static void print_words(struct out *out, const struct sh_node *n)
{
    static const char *const arrows[] = {"<", ">", ">>", ">&", "<<", "<<-"};
    bool first = n->kind == SH_SIMPLE;
    for (const struct sh_word *w = n->words; w; w = w->next, first = false) {
        puts_(out, first ? "" : " ");
        put(out, w->text, w->length);
        if (n->kind == SH_FOR && w == n->words && n->listed)
            puts_(out, " in");
    }
    if (n->kind == SH_FOR)
        return;
    for (const struct sh_redirect *r = n->redirects; r; r = r->next, first = false) {
        char digit[2] = {(char)('0' + r->fd), 0};
        puts_(out, first ? "" : " ");
        puts_(out, digit);
        puts_(out, arrows[r->direction]);
        put(out, r->target.text, r->target.length);
        if (r->direction >= SH_HERE) {
            puts_(out, "=");
            put(out, r->body.text, r->body.length);
        }
    }
}

static void print_pipeline(struct out *out, const struct sh_node *n)
{
    bool many = n->first && n->first->next;
    puts_(out, n->negated ? "!" : "");
    puts_(out, many ? "[" : "");
    for (const struct sh_node *c = n->first; c; c = c->next) {
        print(out, c);
        puts_(out, c->next ? " | " : "");
    }
    puts_(out, many ? "]" : "");
}

static void print(struct out *out, const struct sh_node *n)
{
    static const char *const names[] = {
        [SH_SUBSHELL] = "subshell", [SH_GROUP] = "group", [SH_IF] = "if",
        [SH_WHILE] = "while",       [SH_UNTIL] = "until", [SH_FOR] = "for",
        [SH_CASE] = "case",         [SH_ITEM] = "item",   [SH_FUNCTION] = "function"};
    switch (n->kind) {
    case SH_SIMPLE:
        print_words(out, n);
        return;
    case SH_PIPELINE:
        print_pipeline(out, n);
        return;
    case SH_AND:
    case SH_OR:
        puts_(out, "(");
        print(out, n->first);
        puts_(out, n->kind == SH_AND ? " && " : " || ");
        print(out, n->second);
        puts_(out, ")");
        return;
    case SH_LIST:
        print_list(out, n);
        return;
    default:
        puts_(out, names[n->kind]);
        if (n->kind >= SH_FOR)
            print_words(out, n);
        for (const struct sh_node *i = n->kind == SH_CASE ? n->first : NULL; i; i = i->next)
            print_block(out, i);
        print_block(out, n->kind == SH_CASE ? NULL : n->first);
        print_block(out, n->second);
        print_block(out, n->third);
        if (n->kind < SH_FOR)
            print_words(out, n);
    }
}

void tree_print(const struct sh_node *tree, char *to, size_t size)
{
    struct out out = {to, size, 0};
    to[0] = 0;
    if (tree)
        print(&out, tree);
}
