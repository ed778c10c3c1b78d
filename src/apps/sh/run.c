/* Walks over trees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

static void run(const struct sh_node *node);

static bool stopped(void)
{
    return shell.leaving || shell.interrupted;
}

/* The command's name, if it stands there without anything to expand; size 0: it doesn't. */
static const struct sh_word *name_of(const struct sh_node *command)
{
    const struct sh_word *word = command->words;
    while (word && sh_assignment(word))
        word = word->next;
    return word;
}

bool run_is_own(const struct sh_node *command)
{
    if (command->kind != SH_SIMPLE)
        return true;
    struct sh_fields fields = {0};
    const struct sh_word *word = name_of(command);
    /* of the word that is to name it, what it expands to counts; nothing at all is the shell's */
    while (word && sh_expand(word, &vars_values, &fields) && !fields.count)
        word = word->next;
    bool own = !fields.error && (!fields.count || builtin_find(fields.list[0]));
    sh_fields_free(&fields);
    return own;
}

static bool assign(const struct sh_node *command)
{
    for (const struct sh_word *word = command->words; word && sh_assignment(word);
         word = word->next) {
        size_t length = sh_assignment(word);
        struct sh_fields value = {0};
        bool good = sh_expand_one(word, &vars_values, &value);
        if (!good)
            complain("%s", value.error);
        else if (!vars_set(word->text, length, value.list[0] + length + 1, false))
            complain("%s", strerror(ENOMEM));
        sh_fields_free(&value);
        if (!good)
            return false;
    }
    return true;
}

static void run_simple(const struct sh_node *command)
{
    struct sh_fields words = {0};
    bool good = true;

    for (const struct sh_word *word = name_of(command); good && word; word = word->next)
        good = sh_expand(word, &vars_values, &words);
    if (!good)
        complain("%s", words.error);
    if (!good || !assign(command))
        shell.status = 1;
    else if (!words.count)
        shell.status = 0;
    else
        shell.status = builtin_find(words.list[0])((int)words.count, words.list);
    sh_fields_free(&words);
}

static void run_if(const struct sh_node *node)
{
    run_list(node->first);
    if (stopped())
        return;
    if (shell.status == 0)
        run_list(node->second);
    else if (!node->third)
        shell.status = 0;
    else if (node->third->kind == SH_IF)
        run_if(node->third);
    else
        run_list(node->third);
}

static void run_while(const struct sh_node *node)
{
    int status = 0;
    for (;;) {
        run_list(node->first);
        if (stopped())
            return;
        if ((shell.status == 0) != (node->kind == SH_WHILE))
            break;
        run_list(node->second);
        if (stopped())
            return;
        status = shell.status;
    }
    shell.status = status;
}

static void run_for(const struct sh_node *node)
{
    struct sh_fields values = {0};
    const struct sh_word *name = node->words;
    static const struct sh_word all = {"\"$@\"", 4, NULL};
    bool good = node->listed || sh_expand(&all, &vars_values, &values);

    for (const struct sh_word *word = name->next; good && word; word = word->next)
        good = sh_expand(word, &vars_values, &values);
    if (!good)
        complain("%s", values.error);
    shell.status = !good;
    for (size_t i = 0; good && i < values.count && !stopped(); i++) {
        if (!vars_set(name->text, name->length, values.list[i], false))
            break;
        run_list(node->second);
    }
    sh_fields_free(&values);
}

void run_command(const struct sh_node *command)
{
    struct redirected state;
    if (!redirect_begin(command->redirects, &state)) {
        shell.status = 1;
        return;
    }
    switch (command->kind) {
    case SH_SIMPLE:
        run_simple(command);
        break;
    case SH_IF:
        run_if(command);
        break;
    case SH_WHILE:
    case SH_UNTIL:
        run_while(command);
        break;
    case SH_FOR:
        run_for(command);
        break;
    default:
        run_list(command->first);
    }
    redirect_end(&state);
}

/* In a child: a command of a pipeline, or a whole tree in the background. */
void run_child(const struct sh_node *node)
{
    if (node->kind == SH_PIPELINE || node->kind == SH_AND || node->kind == SH_OR)
        run(node);
    else
        run_command(node);
    fflush(stdout);
    _exit(shell.interrupted ? STATUS_SIGNAL + SIGINT : shell.status);
}

static void run_pipeline(const struct sh_node *node)
{
    const struct sh_node *only = node->first->next ? NULL : node->first;

    if (only && only->kind != SH_SUBSHELL && run_is_own(only))
        run_command(only);
    else
        pipeline_run(node, false);
    if (node->negated && !stopped())
        shell.status = !shell.status;
}

static void run(const struct sh_node *node)
{
    if (node->kind == SH_PIPELINE) {
        run_pipeline(node);
        return;
    }
    run(node->first);
    if (!stopped() && (shell.status == 0) == (node->kind == SH_AND))
        run(node->second);
}

void run_list(const struct sh_node *list)
{
    for (const struct sh_node *item = list ? list->first : NULL; item && !stopped();
         item = item->next) {
        if (!item->background)
            run(item);
        else if (item->kind == SH_PIPELINE && !item->negated)
            pipeline_run(item, true);
        else
            pipeline_background(item);
    }
}
