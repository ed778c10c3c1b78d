/*
 * Any text to the shell's parser and its words to the expander: the tree is printed, parsed again,
 * and prints the same, so that nothing of a command is lost or joined; of a text that isn't
 * finished every longer one is still tried by the fuzzer.
 */
#include <assert.h>
#include <string.h>

#include "expand.h"
#include "pattern.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const char *variable(void *context, const char *name, size_t length)
{
    (void)context;
    assert(length > 0);
    return *name & 1 ? "a  b" : NULL;
}

static const char *positional(void *context, size_t number)
{
    (void)context;
    return number < 3 ? "p q" : NULL;
}

static bool assign(void *context, const char *name, size_t length, const char *value)
{
    (void)context;
    assert(sh_name_length(name, length) == length && value);
    return length < 3;
}

static char *command(void *context, const char *text, size_t size)
{
    (void)context;
    return size % 2 ? strndup(text, size) : NULL;
}

static const char *file(void *context, const char *folder, size_t index)
{
    static const char *const names[] = {"a", ".b", "ab", NULL};
    (void)context;
    assert(*folder);
    return names[index < 3 ? index : 3];
}

/* The bodies of here-documents lie behind the command's own text. */
static bool has_here(const struct sh_node *n)
{
    if (!n)
        return false;
    for (const struct sh_redirect *r = n->redirects; r; r = r->next)
        if (r->direction >= SH_HERE)
            return true;
    return has_here(n->first) || has_here(n->second) || has_here(n->third) || has_here(n->next);
}

static void expand(const struct sh_node *n)
{
    static const struct sh_values values = {.variable = variable,
                                            .positional = positional,
                                            .assign = assign,
                                            .command = command,
                                            .file = file};
    if (!n)
        return;
    for (const struct sh_redirect *r = n->redirects; r; r = r->next) {
        struct sh_fields here = {0};
        sh_expand_here(&r->body, false, r->direction == SH_HERE_STRIP, &values, &here);
        sh_fields_free(&here);
    }
    for (const struct sh_word *w = n->kind == SH_ITEM ? n->words : NULL; w; w = w->next) {
        struct sh_fields pattern = {0};
        if (sh_expand_pattern(w, &values, &pattern))
            sh_match(pattern.list[0], "a[b-]c", 6);
        sh_fields_free(&pattern);
    }
    struct sh_fields fields = {0};
    for (const struct sh_word *w = n->words; w && sh_expand(w, &values, &fields); w = w->next)
        ;
    for (size_t i = 0; i < fields.count; i++)
        assert(strlen(fields.list[i]) <= SH_BYTES_MAX);
    sh_fields_free(&fields);
    expand(n->first);
    expand(n->second);
    expand(n->third);
    expand(n->next);
}

/* Trees are compared by what they print, of texts that hold no newline in a word and no comment. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static char memory[1 << 18] __attribute__((aligned(16))),
        again[1 << 18] __attribute__((aligned(16)));
    static char first[1 << 16], second[1 << 16];
    struct sh_arena arena = {.memory = memory, .size = sizeof memory};
    struct sh_node *tree;
    const char *error;
    enum sh_parsed parsed = sh_parse((const char *)input, size, &arena, &tree, &error);

    assert(arena.used <= arena.size);
    if (parsed != SH_PARSED) {
        assert(error);
        return 0;
    }
    if (!tree)
        return 0;
    expand(tree);
    assert(tree->kind == SH_LIST && tree->first);
    tree_print(tree, first, sizeof first);
    for (const struct sh_node *n = tree->first; n; n = n->next) {
        struct sh_node *part;
        struct sh_node single = *n;
        single.next = NULL;
        if (has_here(&single))
            continue;
        assert(n->text >= (const char *)input && n->text + n->length <= (const char *)input + size);
        static char text[8192]; /* with a blank behind: a joined line isn't the last */
        assert(n->length < sizeof text - 1);
        memcpy(text, n->text, n->length);
        text[n->length] = ' ';
        arena = (struct sh_arena){.memory = again, .size = sizeof again};
        assert(sh_parse(text, n->length + 1, &arena, &part, &error) == SH_PARSED);
        assert(part && part->first && !part->first->next);
        part->first->background = n->background;
        struct sh_node alone = {.kind = SH_LIST, .first = part->first};
        struct sh_node copy = *n;
        copy.next = NULL;
        struct sh_node whole = {.kind = SH_LIST, .first = &copy};
        tree_print(&whole, first, sizeof first);
        tree_print(&alone, second, sizeof second);
        assert(!strcmp(first, second));
    }
    return 0;
}
