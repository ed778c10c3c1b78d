/*
 * Any text to the shell's parser and its words to the expander: the tree is printed, parsed again,
 * and prints the same, so that nothing of a command is lost or joined; of a text that isn't
 * finished every longer one is still tried by the fuzzer.
 */
#include <assert.h>
#include <string.h>

#include "expand.h"
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

static void expand(const struct sh_node *n)
{
    static const struct sh_values values = {variable, positional, NULL};
    if (!n)
        return;
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
