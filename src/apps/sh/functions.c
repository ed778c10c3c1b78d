/* Functions: the text of a body, parsed once, and kept until it is defined anew and runs nowhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

#define DEEP_MAX 200 /* calls in one another */

struct function {
    struct function *next;
    char *name, *text;
    struct sh_arena arena;
    struct sh_node *body; /* a list of one command */
    unsigned running;
    bool gone; /* defined anew, or unset, while it runs */
};

static struct function *functions;
static unsigned deep;

static struct function **find(const char *name)
{
    struct function **at = &functions;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void release(struct function *f)
{
    free(f->name);
    free(f->text);
    free(f->arena.memory);
    free(f);
}

void functions_unset(const char *name)
{
    struct function **at = find(name), *f = *at;
    if (!f)
        return;
    *at = f->next;
    if (f->running)
        f->gone = true;
    else
        release(f);
}

bool functions_exist(const char *name)
{
    return *find(name) != NULL;
}

bool run_parse(const char *text, size_t size, struct sh_arena *arena, struct sh_node **tree,
               const char **error)
{
    size_t room = RUN_ARENA_LEAST + size * RUN_ARENA_EACH;
    *arena = (struct sh_arena){.size = room < RUN_ARENA_MOST ? room : RUN_ARENA_MOST};
    arena->memory = malloc(arena->size);
    *error = strerror(ENOMEM);
    if (arena->memory && sh_parse(text, size, arena, tree, error) == SH_PARSED)
        return true;
    free(arena->memory);
    arena->memory = NULL;
    return false;
}

/* A here-document whose lines stand behind the body isn't in its text, so that it doesn't parse. */
int functions_define(const struct sh_node *node)
{
    struct function *f = calloc(1, sizeof *f);
    const char *error = strerror(ENOMEM);

    if (f) {
        f->name = strndup(node->words->text, node->words->length);
        f->text = strndup(node->first->text, node->first->length);
    }
    if (!f || !f->name || !f->text ||
        !run_parse(f->text, node->first->length, &f->arena, &f->body, &error)) {
        complain("a function: %s", error);
        if (f)
            release(f);
        return 1;
    }
    functions_unset(f->name);
    f->next = functions;
    functions = f;
    return 0;
}

int functions_call(char *const *argv)
{
    struct function *f = *find(argv[0]);
    char *const *arguments = shell.arguments;
    struct sh_fields set = shell.set;
    unsigned loops = shell.loops;

    if (deep == DEEP_MAX) {
        complain("%s: %d calls in one another", argv[0], DEEP_MAX);
        return 1;
    }
    deep++;
    f->running++;
    shell.arguments = argv + 1;
    shell.set = (struct sh_fields){0};
    shell.loops = 0;
    shell.functions++;
    run_list(f->body);
    shell.functions--;
    shell.loops = loops;
    shell.arguments = arguments;
    sh_fields_free(&shell.set);
    shell.set = set;
    if (shell.jump == SHELL_RETURN)
        shell.jump = SHELL_GOES_ON;
    deep--;
    if (!--f->running && f->gone)
        release(f);
    return shell.status;
}
