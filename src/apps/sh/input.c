/* Where commands come from: a terminal with the line editor, a descriptor, or text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "edit.h"
#include "shell.h"

#define COMMAND_MAX 65536 /* bytes of one command, with all its lines */
#define ARENA_SIZE  262144
#define PROMPT      "aegis$ "
#define PROMPT_MORE "> "

static struct edit editor;
static char command[COMMAND_MAX];
static size_t used; /* of it */

static void write_terminal(void *context, const char *bytes, size_t size)
{
    (void)context;
    while (size) {
        ssize_t n = write(STDOUT_FILENO, bytes, size);
        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static const char *complete(void *context, const char *prefix, size_t size, size_t index)
{
    const char *name;
    size_t programs = 0;

    (void)context;
    for (; (name = program_name(programs)); programs++)
        if (!strncmp(name, prefix, size) && index-- == 0)
            return name;
    for (size_t i = 0; (name = builtin_name(i)); i++)
        if (!strncmp(name, prefix, size) && index-- == 0)
            return name;
    return NULL;
}

const char *input_history(size_t index)
{
    return edit_history(&editor, index);
}

enum got { GOT_LINE, GOT_END, GOT_NOTHING };

static bool append(const char *bytes, size_t size)
{
    if (size > sizeof command - used) {
        complain("a command of more than %zu bytes", sizeof command);
        return false;
    }
    memcpy(command + used, bytes, size);
    used += size;
    return true;
}

/* A byte from the terminal: -1 at its end. */
static int key(void)
{
    unsigned char byte;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &byte, 1)) < 0 && errno == EINTR)
        ;
    return n == 1 ? byte : -1;
}

static enum edit_result edit_line(const char *prompt)
{
    struct termios cooked, raw;
    struct winsize size;
    enum edit_result result = EDIT_MORE;
    int byte;

    if (tcgetattr(STDIN_FILENO, &cooked) != 0)
        return EDIT_END;
    raw = cooked;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    edit_begin(&editor, prompt);
    while (result == EDIT_MORE && (byte = key()) >= 0) {
        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
            editor.columns = size.ws_col;
        result = edit_key(&editor, (uint8_t)byte);
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
    return result == EDIT_MORE ? EDIT_END : result;
}

static enum got get_edited(bool more)
{
    switch (edit_line(more ? PROMPT_MORE : PROMPT)) {
    case EDIT_LINE:
        edit_remember(&editor, editor.line);
        return append(editor.line, editor.length) && append("\n", 1) ? GOT_LINE : GOT_NOTHING;
    case EDIT_INTERRUPT:
        return GOT_NOTHING;
    default:
        return GOT_END;
    }
}

/* A line by single bytes: what follows it is for the programs that it starts. */
static enum got get_read(int fd)
{
    char byte;
    size_t before = used;
    ssize_t n;

    while ((n = read(fd, &byte, 1)) != 0) {
        if (n < 0 && errno != EINTR) {
            complain("%s", strerror(errno));
            return GOT_END;
        }
        if (n == 1 && !append(&byte, 1))
            return GOT_NOTHING;
        if (n == 1 && byte == '\n')
            return GOT_LINE;
    }
    return used > before ? GOT_LINE : GOT_END;
}

static enum got get_text(struct input *input)
{
    const char *end = strchr(input->text, '\n');
    size_t size = end ? (size_t)(end - input->text) + 1 : strlen(input->text);

    if (!size)
        return GOT_END;
    bool fits = append(input->text, size);
    input->text += size;
    return fits ? GOT_LINE : GOT_NOTHING;
}

static enum got get(struct input *input, bool more)
{
    if (input->edited)
        return get_edited(more);
    return input->fd >= 0 ? get_read(input->fd) : get_text(input);
}

static void wrong(const char *error)
{
    complain("syntax error: %s", error);
    shell.status = STATUS_USAGE;
}

/* At the end of the input a \ that joins lines joins nothing. */
static bool take_join(void)
{
    if (used < 2 || memcmp(command + used - 2, "\\\n", 2) != 0)
        return false;
    used -= 2;
    return true;
}

/* Lines up to a whole command. The tree; NULL: nothing to run. *more is false at the input's end.
 */
static struct sh_node *read_command(struct input *input, struct sh_arena *arena, bool *more)
{
    enum sh_parsed parsed = SH_INCOMPLETE;
    struct sh_node *tree = NULL;
    const char *error = NULL;

    used = 0;
    while (parsed == SH_INCOMPLETE) {
        enum got got = get(input, used > 0);
        *more = got != GOT_END && (got != GOT_NOTHING || input->edited);
        if (got == GOT_NOTHING)
            shell.status = input->edited ? STATUS_SIGNAL + SIGINT : STATUS_USAGE;
        if (got == GOT_END && used && !take_join())
            wrong(error);
        else if (got == GOT_LINE || (got == GOT_END && used)) {
            arena->used = 0;
            parsed = sh_parse(command, used, arena, &tree, &error);
            continue;
        }
        return NULL;
    }
    if (parsed == SH_WRONG) {
        wrong(error);
        *more = *more && input->edited;
        return NULL;
    }
    return tree;
}

void input_run(struct input *input)
{
    struct sh_arena arena = {.memory = malloc(ARENA_SIZE), .size = ARENA_SIZE};
    bool more = true;

    if (!arena.memory) {
        complain("%s", strerror(ENOMEM));
        shell.status = 1;
        return;
    }
    if (input->edited) {
        edit_init(&editor, write_terminal, NULL);
        editor.complete = complete;
    }
    while (more && !shell.leaving) {
        if (input->edited)
            jobs_print(stderr, true);
        const struct sh_node *tree = read_command(input, &arena, &more);
        if (shell.warned)
            shell.warned--;
        if (!more && !tree && input->edited)
            more = !jobs_allow_exit();
        shell.interrupted = 0;
        if (tree)
            run_list(tree);
        shell.jump = SHELL_GOES_ON;
        if (shell.interrupted) {
            shell.status = STATUS_SIGNAL + SIGINT;
            more &= input->edited;
        }
        fflush(stdout);
    }
    free(arena.memory);
}
