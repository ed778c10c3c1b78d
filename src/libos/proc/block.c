/* The start block of a child (start.h), as its parent builds it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/start/start.h"
#include "libos/vm/vm.h"

#define ALIGNMENT   16
#define BUFFER_SIZE (EXOS_START_PAGES * AEGIS_PAGE_SIZE)

_Static_assert(sizeof(struct exos_start) + EXOS_STRINGS_MAX +
                       (EXOS_ARGUMENTS_MAX + 2) * sizeof(char *) + EXOS_PASS_MAX + 2 * ALIGNMENT <=
                   EXOS_START_PAGES * AEGIS_PAGE_SIZE,
               "a block holds the most of each");

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Counts the strings up to NULL, at most `most`, and adds their bytes to *bytes. */
static uint32_t measure(char *const *strings, size_t most, size_t *bytes)
{
    uint32_t count = 0;

    for (; strings && count < most && strings[count] && *bytes <= EXOS_STRINGS_MAX; count++)
        *bytes += strlen(strings[count]) + 1;
    return count;
}

/* Copies count strings to `to`, and where the child will find each to pointers. Returns behind
 * them. */
static char *put(char *to, char *const *strings, uint32_t count, char **pointers,
                 const struct exos_start *start)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t size = strlen(strings[i]) + 1;
        memcpy(to, strings[i], size);
        pointers[i] = (char *)EXOS_START_ADDRESS + (to - (const char *)start);
        to += size;
    }
    pointers[count] = NULL;
    return to;
}

/* The parts' records (part.h), one behind the other. Returns 0 or an errno value. */
static int ask_parts(const struct exos_child *child, struct exos_start *start)
{
    uint8_t *at = (uint8_t *)start + start->pass, *end = at + EXOS_PASS_MAX;
    const struct exos_part *const *part = exos_parts_begin;
    int error = 0;

    for (; part < exos_parts_end && !error; part++) {
        struct proc_record *record = (struct proc_record *)at;
        struct exos_pass pass = {(uint8_t *)(record + 1), end};
        if (!(*part)->at_spawn)
            continue;
        if ((size_t)(end - at) < sizeof *record + ALIGNMENT)
            error = E2BIG;
        else
            error = (*part)->at_spawn(child, &pass);
        if (!error && pass.at > end)
            error = E2BIG;
        if (error)
            break;
        memset(record, 0, sizeof *record);
        strncpy(record->name, (*part)->name, sizeof record->name - 1);
        record->size = (uint64_t)(pass.at - (uint8_t *)(record + 1));
        at = (uint8_t *)(record + 1) + aligned(record->size);
    }
    start->pass_size = (uint64_t)(at - ((uint8_t *)start + start->pass));
    if (error) /* those before it are told that nothing comes of it */
        while (part-- > exos_parts_begin)
            if ((*part)->undo_spawn)
                (*part)->undo_spawn(child);
    return error;
}

void block_undo(const struct exos_child *child)
{
    for (const struct exos_part *const *part = exos_parts_end; part-- > exos_parts_begin;)
        if ((*part)->undo_spawn)
            (*part)->undo_spawn(child);
}

/*
 * Pages for one, kept for the next. What is behind its size is cleared of the one before: a child
 * gets whole pages, and nothing of another's.
 */
static struct exos_start *buffer;
static size_t dirty; /* bytes of it that may be something else than zeros */

static void free_buffer(void)
{
    munmap(buffer, BUFFER_SIZE);
    buffer = NULL;
    dirty = 0;
}

/* The pages for size bytes are there, and those for most could come. */
static bool need_buffer(size_t size, size_t most)
{
    const volatile struct aegis_account *account = aegis_account(exos.env);
    uint64_t left = account->limit[AEGIS_QUOTA_PAGES] - account->used[AEGIS_QUOTA_PAGES];
    size_t pages = vm_pages(most);

    if (aegis_info()->free_pages < pages || left < pages)
        return false;
    if (!buffer) {
        void *memory = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return false;
        buffer = memory;
        if (vm_inherit(buffer, EXOS_START_PAGES, VM_NOTHING) < 0) {
            free_buffer();
            return false;
        }
    }
    return vm_touch(buffer, size, true) == 0;
}

/* The block's head, pointers and strings. */
static void write_block(struct exos_start *start, const struct proc_options *options,
                        char *const *environment)
{
    char *at = (char *)&start->pointers[start->argc + start->envc + 2];

    memcpy(start->caps, options->caps, options->cap_count * sizeof *options->caps);
    at = put(at, options->argv, start->argc, start->pointers, start);
    put(at, environment, start->envc, start->pointers + start->argc + 1, start);
}

int64_t block_make(struct proc_block *block, const struct exos_start *head,
                   const struct proc_options *options, const struct exos_child *child)
{
    size_t bytes = 0;
    char *const *environment = options->environment ? options->environment : environ;
    uint32_t argc = measure(options->argv, (size_t)options->argc, &bytes);
    uint32_t envc = measure(environment, EXOS_ARGUMENTS_MAX + 1, &bytes);

    *block = (struct proc_block){0};
    if (options->cap_count > EXOS_CAPS_MAX || bytes > EXOS_STRINGS_MAX ||
        (uint64_t)argc + envc > EXOS_ARGUMENTS_MAX)
        return -PROC_ARGUMENTS;
    size_t pointers = (argc + envc + 2) * sizeof(char *);
    size_t passes = aligned(sizeof *head + pointers + bytes);
    if (!need_buffer(passes, passes + (child ? EXOS_PASS_MAX : 0)))
        return -AEGIS_E_NO_PAGE;
    struct exos_start *start = buffer;
    *start = *head;
    start->argc = argc;
    start->envc = envc;
    start->pass = passes;
    start->cap_count = (uint32_t)options->cap_count;
    write_block(start, options, environment);
    int error = child ? ask_parts(child, start) : 0;
    if (error) {
        free_buffer(); /* whoever failed may have written anywhere */
        return -PROC_PART_ERROR - error;
    }
    *block = (struct proc_block){start, passes + start->pass_size};
    if (dirty > block->size)
        memset((char *)start + block->size, 0, dirty - block->size);
    dirty = block->size;
    return 0;
}
