/*
 * Descriptors of a process that is made, and of one that ends (libos/proc/part.h).
 *
 * What is passed to a program: for each descriptor, struct passed and the kind's own bytes. An
 * object that several descriptors name is passed once and duplicated.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libos/fd/internal.h"
#include "libos/proc/actions.h"
#include "libos/start/start.h"

struct passed {
    uint32_t tag; /* of the kind; SAME: as descriptor `same` */
    uint16_t fd;
    uint16_t same;
    uint32_t flags; /* of the object */
    uint32_t size;  /* of the kind's bytes that follow, before padding to 8 */
};
#define SAME        0U
#define ROUND(size) (((size_t)(size) + 7) & ~(size_t)7)

static bool goes_along(const struct fd_table *table, uint32_t fd)
{
    const struct fd_entry *entry = &table->entries[fd];
    return entry->object && !(entry->descriptor & FD_CLOEXEC) && entry->object->kind->pass;
}

/* Notes in each object that goes along its lowest descriptor of those that do. */
static void note_first(const struct fd_table *table)
{
    for (uint32_t fd = table->size; fd-- > 0;)
        if (goes_along(table, fd))
            table->entries[fd].object->first = fd;
}

static int pass_one(const struct fd_table *table, uint32_t fd, const struct exos_child *child,
                    struct exos_pass *pass)
{
    struct fd_object *object = table->entries[fd].object;
    struct passed passed = {.tag = SAME, .fd = (uint16_t)fd, .flags = object->flags};
    size_t room = (size_t)(pass->end - pass->at);
    int size = 0;
    if (room < sizeof passed)
        return E2BIG;
    passed.same = (uint16_t)object->first;
    if (passed.same == fd) {
        passed.tag = object->kind->tag;
        size = object->kind->pass(object, child, pass->at + sizeof passed, room - sizeof passed);
        if (size < 0)
            return -size;
    }
    passed.size = (uint32_t)size;
    memcpy(pass->at, &passed, sizeof passed);
    size_t whole = sizeof passed + ROUND(size);
    pass->at = whole < room ? pass->at + whole : pass->end;
    return 0;
}

/* Takes back what pass_one did for the descriptors below end. */
static void undo(const struct fd_table *table, uint32_t end, const struct exos_child *child)
{
    for (uint32_t fd = 0; fd < end; fd++) {
        struct fd_object *object = table->entries[fd].object;
        if (goes_along(table, fd) && object->first == fd && object->kind->undo_pass)
            object->kind->undo_pass(object, child);
    }
}

static int pass_all(const struct fd_table *table, const struct exos_child *child,
                    struct exos_pass *pass)
{
    note_first(table);
    for (uint32_t fd = 0; fd < table->size; fd++) {
        int error = goes_along(table, fd) ? pass_one(table, fd, child, pass) : 0;
        if (error) {
            undo(table, fd, child);
            return error;
        }
    }
    return 0;
}

/*
 * The actions of posix_spawn are done on a copy of the table, with references of its own: so the
 * parent's descriptors stay as they are.
 */
static int copy_table(struct fd_table *copy)
{
    *copy = (struct fd_table){.entries = calloc(fd_table.size, sizeof *copy->entries),
                              .size = fd_table.size};
    if (!copy->entries)
        return ENOMEM;
    for (uint32_t fd = 0; fd < copy->size; fd++) {
        copy->entries[fd] = fd_table.entries[fd];
        if (copy->entries[fd].object)
            copy->entries[fd].object->references++;
    }
    return 0;
}

/* Returns >= 0 or a negated errno value. */
static int act(const struct exos_file_action *action, const struct exos_child *child)
{
    struct fd_object *object;
    pid_t group;
    int error;
    switch (action->what) {
    case EXOS_ACTION_CLOSE:
        fd_close(action->fd); /* one that isn't open is no error */
        return 0;
    case EXOS_ACTION_DUP2:
        return fd_duplicate(action->fd, action->to);
    case EXOS_ACTION_OPEN:
        error = fd_open(action->path, action->to & ~O_CLOEXEC, &object);
        return error < 0 ? error : fd_put(object, action->fd);
    case EXOS_ACTION_FOREGROUND:
        object = fd_at(action->fd);
        group = getpgid((pid_t)child->pid);
        if (!object)
            return -EBADF;
        return object->kind->control ? object->kind->control(object, TIOCSPGRP, &group) : -ENOTTY;
    }
    return -EINVAL;
}

static int act_all(const struct exos_child *child)
{
    const struct exos_file_actions *actions = child->actions;
    int error = 0;
    for (size_t i = 0; i < actions->count && error >= 0; i++)
        error = act(&actions->actions[i], child);
    return error < 0 ? -error : 0;
}

static int pass_changed(const struct exos_child *child, struct exos_pass *pass)
{
    struct fd_table mine = fd_table, copy;
    int error = copy_table(&copy);
    if (error)
        return error;
    fd_table = copy;
    error = act_all(child);
    if (!error)
        error = pass_all(&fd_table, child, pass);
    fd_close_all();
    free(fd_table.entries);
    fd_table = mine;
    return error;
}

static int at_spawn(const struct exos_child *child, struct exos_pass *pass)
{
    exos_hold();
    int error = child->actions ? pass_changed(child, pass) : pass_all(&fd_table, child, pass);
    exos_release();
    return error;
}

static void undo_spawn(const struct exos_child *child)
{
    exos_hold();
    undo(&fd_table, fd_table.size, child);
    exos_release();
}

/* Makes the object of what was passed; NULL if it can't be. */
static struct fd_object *take(const struct passed *passed, const uint8_t *bytes)
{
    struct fd_object *object = NULL;
    if (passed->tag == SAME)
        return fd_object(passed->same);
    for (const struct fd_kind *const *kind = fd_kinds_begin; kind < fd_kinds_end; kind++)
        if ((*kind)->tag == passed->tag && (*kind)->take &&
            (*kind)->take(bytes, passed->size, passed->flags, &object) == 0)
            return object;
    return NULL;
}

static void take_one(const struct passed *passed, const uint8_t *bytes)
{
    if (passed->fd >= FD_MAX || fd_grow(passed->fd) != 0)
        return;
    struct fd_object *object = take(passed, bytes);
    if (!object || fd_table.entries[passed->fd].object)
        return;
    fd_fill(&fd_table.entries[passed->fd], object, 0);
    object->references++;
}

/* Without bytes, which is also without a parent that knows descriptors, 0 to 2 stay as they are. */
static void at_start(struct exos_pass *pass)
{
    struct passed passed;
    if (!pass->at || (size_t)(pass->end - pass->at) < sizeof passed)
        return;
    for (int fd = 0; fd < 3; fd++)
        fd_fill(&fd_table.entries[fd], NULL, 0);
    while ((size_t)(pass->end - pass->at) >= sizeof passed) {
        memcpy(&passed, pass->at, sizeof passed);
        pass->at += sizeof passed;
        size_t left = (size_t)(pass->end - pass->at);
        if (passed.size > left)
            break;
        take_one(&passed, pass->at);
        pass->at += ROUND(passed.size) < left ? ROUND(passed.size) : left;
    }
}

/*
 * Calls what for each object in the table, once: for the first entry that has it, which the object
 * remembers. Mostly it does already, and then nothing is stored, which would copy pages.
 */
static void each_object(void (*what)(struct fd_object *object, const struct exos_child *child),
                        const struct exos_child *child)
{
    for (uint32_t fd = 0;; fd++) {
        const struct fd_entry *entries = fd_table.entries;
        const uint32_t size = fd_table.size;
        while (fd < size && !entries[fd].object) /* as most are */
            fd++;
        if (fd >= size)
            return;
        struct fd_object *object = entries[fd].object;
        if (object->first < fd && entries[object->first].object == object)
            continue;
        EXOS_SET(object->first, fd);
        what(object, child);
    }
}

static void tell_of_fork(struct fd_object *object, const struct exos_child *child)
{
    if (object->kind->forked)
        object->kind->forked(object, child);
}

static void after_fork(const struct exos_child *child)
{
    if (!child->env)
        return;
    exos_hold();
    each_object(tell_of_fork, child);
    exos_release();
}

static void tell_child(struct fd_object *object, const struct exos_child *child)
{
    (void)child;
    if (object->kind->in_child)
        object->kind->in_child(object);
}

static void in_child(void)
{
    each_object(tell_child, NULL);
}

const struct exos_part fd_part = {.name = "fd",
                                  .at_spawn = at_spawn,
                                  .undo_spawn = undo_spawn,
                                  .at_start = at_start,
                                  .after_fork = after_fork,
                                  .in_child = in_child,
                                  .at_exit = fd_close_all};
