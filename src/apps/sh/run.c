/* Walks over trees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"
#include "shell.h"

static void run(const struct sh_node *node);

static bool stopped(void)
{
    return shell.leaving || shell.interrupted || shell.jump;
}

/* Behind a loop's body: whether the loop is to be left. */
static bool leaves_loop(void)
{
    if (shell.jump != SHELL_BREAK && shell.jump != SHELL_CONTINUE)
        return stopped();
    if (--shell.levels > 0)
        return true;
    bool goes_on = shell.jump == SHELL_CONTINUE;
    shell.jump = SHELL_GOES_ON;
    return !goes_on || stopped();
}

/* The command's name, if it stands there without anything to expand; size 0: it doesn't. */
static const struct sh_word *name_of(const struct sh_node *command)
{
    const struct sh_word *word = command->words;
    while (word && sh_assignment(word))
        word = word->next;
    return word;
}

/* A word that may run something or change a variable when it is expanded: that is done once. */
static bool acts(const struct sh_word *word)
{
    if (memchr(word->text, '`', word->length))
        return true;
    for (size_t i = 0; i + 1 < word->length; i++)
        if (word->text[i] == '$' && (word->text[i + 1] == '(' || word->text[i + 1] == '{'))
            return true;
    return false;
}

bool run_is_own(const struct sh_node *command)
{
    if (command->kind != SH_SIMPLE)
        return true;
    struct sh_fields fields = {0};
    const struct sh_word *word = name_of(command);
    bool own = false;
    /* of the word that is to name it, what it expands to counts; nothing at all is the shell's */
    while (word && !(own = acts(word)) && sh_expand(word, &vars_values, &fields) && !fields.count)
        word = word->next;
    if (!own && !fields.error)
        own = !fields.count || builtin_find(fields.list[0]) || functions_exist(fields.list[0]);
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
            shell.status = complain_of_word(value.error);
        else if (!vars_set(word->text, length, value.list[0] + length + 1, false))
            complain("%s", strerror(ENOMEM));
        sh_fields_free(&value);
        if (!good)
            return false;
    }
    return true;
}

/* A function hides a builtin of its name, but for those that leave commands on their way. */
static int run_words(const struct sh_node *command, const struct sh_fields *words)
{
    builtin *run = builtin_find(words->list[0]);
    bool function = functions_exist(words->list[0]);

    if (!function && !run)
        return pipeline_run_words(command, words);
    if (!assign(command))
        return shell.status;
    return function ? functions_call(words->list) : run((int)words->count, words->list);
}

static void run_simple(const struct sh_node *command)
{
    struct sh_fields words = {0};
    bool good = true;

    shell.substituted = -1;
    for (const struct sh_word *word = name_of(command); good && word; word = word->next)
        good = sh_expand(word, &vars_values, &words);
    if (!good)
        shell.status = complain_of_word(words.error);
    else if (words.count)
        shell.status = run_words(command, &words);
    else if (assign(command))
        shell.status = shell.substituted < 0 ? 0 : shell.substituted;
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

    shell.loops++;
    for (;;) {
        run_list(node->first);
        if (leaves_loop() || (shell.status == 0) != (node->kind == SH_WHILE))
            break;
        run_list(node->second);
        status = shell.status;
        if (leaves_loop())
            break;
    }
    shell.loops--;
    if (!stopped())
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
    shell.status = good ? 0 : complain_of_word(values.error);
    shell.loops++;
    for (size_t i = 0; good && i < values.count && !stopped(); i++) {
        if (!vars_set(name->text, name->length, values.list[i], false))
            break;
        run_list(node->second);
        if (leaves_loop())
            break;
    }
    shell.loops--;
    sh_fields_free(&values);
}

/* Whether one of an item's patterns matches. */
static bool chosen(const struct sh_node *item, const char *text)
{
    bool found = false;
    for (const struct sh_word *word = item->words; word && !found; word = word->next) {
        struct sh_fields pattern = {0};
        if (sh_expand_pattern(word, &vars_values, &pattern))
            found = sh_match(pattern.list[0], text, strlen(text));
        else
            complain_of_word(pattern.error);
        sh_fields_free(&pattern);
    }
    return found;
}

static void run_case(const struct sh_node *node)
{
    struct sh_fields subject = {0};
    const struct sh_node *item = NULL;

    shell.status = 0;
    if (sh_expand_one(node->words, &vars_values, &subject)) {
        item = node->first;
        while (item && !chosen(item, subject.list[0]))
            item = item->next;
    } else {
        shell.status = complain_of_word(subject.error);
    }
    sh_fields_free(&subject);
    if (item)
        run_list(item->first);
}

void run_text(const char *text, size_t size)
{
    struct sh_arena arena;
    struct sh_node *tree;
    const char *error;

    if (!run_parse(text, size, &arena, &tree, &error)) {
        complain("syntax error: %s", error);
        shell.status = STATUS_USAGE;
        return;
    }
    if (!tree)
        shell.status = 0;
    run_list(tree);
    free(arena.memory);
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
    case SH_CASE:
        run_case(command);
        break;
    case SH_FUNCTION:
        shell.status = functions_define(command);
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
