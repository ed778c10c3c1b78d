#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/fd/fd.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define SHELL    "sh"
#define PATIENCE 500000000UL /* ns, for the end of a shell that was killed */

struct terminal terminals[TERMINALS_MAX];

static void keep(void *context, const char *bytes, size_t size)
{
    struct terminal *t = context;
    for (size_t i = 0; i < size; i++)
        t->kept[t->end++ % KEPT_SIZE] = (uint8_t)bytes[i];
}

static void signal_group(void *context, int number)
{
    const struct terminal *t = context;
    pid_t group = (pid_t)t->page->group;
    if (group >
        1) /* any program on the terminal can name a group; not everybody, and not ourselves */
        kill(-group, number);
}

static void nothing(int number)
{
    (void)number;
}

/* Programs of the session can name us, and a user's `kill 1` isn't meant for the machine. Handlers,
 * since children would inherit SIG_IGN. */
static void survive_signals(void)
{
    static const uint8_t all[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM, SIGTERM,
                                  SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
    const struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < sizeof all; i++)
        sigaction(all[i], &action, NULL);
}

static void release(struct terminal *t)
{
    vm_free(t->page);
    free(t->kept);
    *t = (struct terminal){0};
}

static struct terminal *make(struct terminal *t, bool own, bool terminal, struct refusal *refusal)
{
    struct tty_page *page = vm_shared_alloc(1);
    uint8_t *kept = malloc(KEPT_SIZE);

    *t = (struct terminal){.page = page, .kept = kept, .own = own, .needed = NOBODY};
    if (!page || !kept || proc_session_need() != 0) {
        release(t);
        refuse(refusal, CONTROL_E_NO_MEMORY, "no memory is left for a terminal");
        return NULL;
    }
    tty_init(&t->tty, page, terminal);
    survive_signals();
    t->tty.echo = keep;
    t->tty.signal = signal_group;
    t->tty.context = t;
    page->server = getpid();
    page->server_env = exos.env;
    page->server_serial = aegis_env(exos.env)->serial;
    return t;
}

/* Start the shell with the terminal as descriptors 0 to 2. An errno. */
static int start_shell(struct terminal *t, const char *command, int fd)
{
    static char name[] = SHELL, option[] = "-c", path[] = "PATH=/", term[] = "TERM=vt100";
    static char *const environment[] = {path, term, NULL};
    char *argv[] = {name, command ? option : NULL, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
        posix_spawn_file_actions_adddup2(&files, fd, to);
    /* What is in this start block is the shell's, and all its programs'. */
    exos.start->cap_count = (uint32_t)app_capabilities(SHELL, 0, exos.start->caps);
    t->page->group = 0;
    int error = posix_spawnp(&t->shell, name, &files, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    t->env = error ? 0 : proc_env(t->shell, &t->serial);
    if (error)
        t->shell = 0;
    else
        t->page->group = t->shell; /* until then all read from it */
    return error;
}

/* A shell on a terminal that has none. False with *refusal. */
static bool run_shell(struct terminal *t, const char *command, struct refusal *refusal)
{
    struct fd_object *object = tty_object(t->page);
    int fd = object ? fd_install(object, 3, FD_CLOEXEC) : -ENOMEM;

    if (fd < 0 && object)
        object->kind->close(object);
    int error = fd < 0 ? -fd : start_shell(t, command, fd);
    if (fd >= 0)
        close(fd);
    t->ended = false;
    if (error)
        return refuse(refusal, CONTROL_E_APP, "starting " SHELL ": %s", strerror(error));
    printf("agent: " SHELL " is process %d, on terminal %d\n", (int)t->shell, (int)(t - terminals));
    return true;
}

struct terminal *terminal_machine(struct refusal *refusal)
{
    struct terminal *t = &terminals[0];
    if (!t->page && !make(t, false, true, refusal))
        return NULL;
    terminals_serve(); /* so that a shell that has ended is known to have */
    return t->shell || run_shell(t, NULL, refusal) ? t : NULL;
}

struct terminal *terminal_own(bool plain, const char *command, struct refusal *refusal)
{
    struct terminal *t = &terminals[1];
    while (t < terminals + TERMINALS_MAX && t->page)
        t++;
    if (t == terminals + TERMINALS_MAX) {
        refuse(refusal, CONTROL_E_FULL, "%d terminals are in use; end one first",
               TERMINALS_MAX - 1);
        return NULL;
    }
    if (!make(t, true, !plain, refusal))
        return NULL;
    if (run_shell(t, command, refusal))
        return t;
    release(t);
    return NULL;
}

/* End a shell: what it was started in, too, since any program of the session can write that another
 * environment carries it. Such a one's number may not be seen to end. */
static void end_shell(const struct terminal *t)
{
    const volatile struct aegis_env_info *info = aegis_env(t->env);
    uint64_t limit = time_after(PATIENCE);

    kill(-t->shell, SIGKILL);
    kill(t->shell, SIGKILL);
    if (t->env && info->serial == t->serial && info->owner == exos.env)
        aegis_env_end(t->env, SIGKILL << 8); /* refused if it has ended: all the better */
    while (waitpid(t->shell, NULL, WNOHANG) == 0 && time_now() < limit)
        usleep(1000);
}

void terminal_close(struct terminal *t)
{
    tty_hang_up(&t->tty);
    tty_wake(&t->tty);
    if (t->shell)
        end_shell(t);
    release(t);
}

/* Take output into what is kept: no more than may be forgotten, and no more at a time than the ring
 * has. */
static void take_output(struct terminal *t)
{
    uint8_t bytes[TTY_OUT_SIZE];
    uint64_t used = t->needed == NOBODY ? 0 : t->end - t->needed;
    size_t room = used < KEPT_SIZE ? KEPT_SIZE - used : 0;
    size_t size = tty_output(&t->tty, bytes, room < sizeof bytes ? room : sizeof bytes);
    keep(t, (const char *)bytes, size);
}

static void look_for_end(struct terminal *t)
{
    int status = SIGKILL; /* if nothing is known of it any more */
    if (!t->shell || waitpid(t->shell, &status, WNOHANG) == 0)
        return;
    t->shell = 0;
    t->ended = true;
    t->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    printf("agent: " SHELL " on terminal %d has ended with status %d\n", (int)(t - terminals),
           t->status);
}

void terminals_serve(void)
{
    for (struct terminal *t = terminals; t < terminals + TERMINALS_MAX; t++) {
        if (!t->page)
            continue;
        look_for_end(t); /* before the output: what was printed before the end is seen */
        take_output(t);
        tty_input(&t->tty, NULL, 0);
        tty_wake(&t->tty);
    }
}

size_t terminal_kept(const struct terminal *t, uint64_t *position, uint8_t *to, size_t room)
{
    uint64_t first = t->end > KEPT_SIZE ? t->end - KEPT_SIZE : 0;
    size_t size = 0;

    if (*position < first || *position > t->end)
        *position = *position > t->end ? t->end : first;
    while (size < room && *position + size < t->end) {
        to[size] = t->kept[(*position + size) % KEPT_SIZE];
        size++;
    }
    return size;
}

bool terminal_is_over(const struct terminal *t)
{
    return t->ended && tty_waiting(&t->tty) == 0;
}
