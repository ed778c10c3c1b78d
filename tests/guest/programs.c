/*
 * Programs that are no good: each fault that a loader could trip over has its error, and whatever
 * stands in a file, starting it fails, or makes a process that ends, with nothing left over.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/elf.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SECOND 1000000000UL

static uint8_t *good, *bad;
static size_t size;
static Elf64_Ehdr *header;
static Elf64_Phdr *text, *data; /* in bad */
static uint64_t state = 4711;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* The program `nothing`, and a copy of it to spoil. */
static void load(void)
{
    struct stat status;
    int fd = open("nothing", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &status), 0);
    size = (size_t)status.st_size;
    good = malloc(size);
    bad = malloc(size);
    CHECK(good && bad);
    for (size_t done = 0; done < size;) {
        ssize_t part = read(fd, good + done, size - done);
        CHECK(part > 0);
        done += (size_t)part;
    }
    close(fd);
}

static void restore(void)
{
    memcpy(bad, good, size);
    header = (Elf64_Ehdr *)bad;
    text = data = NULL;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr *p = (Elf64_Phdr *)(bad + header->e_phoff) + i;
        if (p->p_type == PT_LOAD && p->p_flags & PF_X)
            text = p;
        if (p->p_type == PT_LOAD && p->p_flags & PF_W)
            data = p;
    }
    CHECK(text && data);
}

static int64_t create(struct proc *proc, size_t length, bool member)
{
    static char *argv[] = {"bad", NULL};
    const struct proc_options options = {.name = "bad",
                                         .image = bad,
                                         .image_size = length,
                                         .argc = 1,
                                         .argv = argv,
                                         .member = member};
    return proc_create(proc, &options);
}

static void finish(struct proc *proc)
{
    struct proc_status status;
    uint64_t limit = test_deadline();
    while (!proc_wait(proc, &status, limit))
        CHECK(time_now() < limit);
}

#define REFUSED(change, name)                                                                      \
    do {                                                                                           \
        struct proc proc;                                                                          \
        uint64_t before = aegis_info()->free_pages;                                                \
        restore();                                                                                 \
        change;                                                                                    \
        CHECK_EQ(create(&proc, size, false), -(PROC_ELF_ERROR + ELF_E_##name));                    \
        CHECK_EQ(aegis_info()->free_pages, before);                                                \
    } while (0)

static void each_fault_has_its_error(void)
{
    REFUSED(bad[1] = 'e', MAGIC);
    REFUSED(header->e_ident[EI_CLASS] = ELFCLASS32, CLASS);
    REFUSED(header->e_machine = EM_AARCH64, MACHINE);
    REFUSED(header->e_type = ET_DYN, TYPE);
    REFUSED(text->p_type = PT_INTERP, TYPE);
    REFUSED(header->e_phoff = size - 8, TRUNCATED);
    REFUSED(header->e_phoff = UINT64_MAX - 8, TRUNCATED);
    REFUSED(header->e_phentsize = 55, HEADERS);
    REFUSED(header->e_phnum = 0, SEGMENTS);
    REFUSED(text->p_filesz = size, FILE_RANGE);
    REFUSED(text->p_offset = UINT64_MAX - 4096, FILE_RANGE);
    REFUSED(text->p_memsz = text->p_filesz - 1, SIZES);
    REFUSED(data->p_memsz = UINT64_MAX, RANGE);
    REFUSED(data->p_memsz = UINT64_MAX - data->p_vaddr + 1, RANGE);
    REFUSED(data->p_vaddr = AEGIS_EXPOSED_BASE, RANGE);
    REFUSED(data->p_vaddr = UINT64_MAX - 4095, RANGE);
    REFUSED(data->p_vaddr = EXOS_SESSION_ADDRESS, RANGE);
    REFUSED(data->p_vaddr = 0, RANGE);
    REFUSED(data->p_vaddr = text->p_vaddr, OVERLAP);
    REFUSED(data->p_vaddr = text->p_vaddr + text->p_memsz - 1, OVERLAP);
    REFUSED(text->p_flags |= PF_W, FLAGS);
    REFUSED(text->p_flags = PF_X, FLAGS);
    REFUSED(header->e_entry = data->p_vaddr, ENTRY);
    REFUSED(header->e_entry = UINT64_MAX, ENTRY);
    REFUSED(header->e_entry |= 1, ENTRY);
}

/* More than there is: refused on the way, and all of it is back. */
static void one_larger_than_memory(void)
{
    struct proc proc;
    for (int member = 0; member < 2; member++) {
        restore();
        data->p_memsz = 60UL << 30;
        uint64_t before = aegis_info()->free_pages + aegis_env(exos.env)->pages;
        int64_t error = create(&proc, size, member);
        CHECK(error == -AEGIS_E_NO_PAGE || error == -AEGIS_E_QUOTA);
        CHECK_EQ(aegis_info()->free_pages + aegis_env(exos.env)->pages, before);
    }
}

/* Its headers and its code at random, cut anywhere: what starts is ended after a while. */
static void anything_at_all(void)
{
    struct proc proc;
    unsigned made = 0, refused = 0;
    uint64_t before = aegis_info()->free_pages + aegis_env(exos.env)->pages;
    for (int round = 0; round < 120; round++) {
        restore();
        size_t limit = round % 2 ? sizeof *header + header->e_phnum * sizeof *text : size;
        for (uint64_t i = 0; i < 1 + random_word() % 4; i++)
            bad[random_word() % limit] ^= (uint8_t)(1 << random_word() % 8);
        if (data->p_memsz > 64UL << 20 && data->p_memsz < 64UL << 30)
            continue; /* has had its test */
        int64_t error = create(&proc, round % 5 ? size : random_word() % size, round % 3 == 0);
        if (error < 0) {
            refused++;
            continue;
        }
        made++;
        if (proc_start(&proc) == 0)
            aegis_wait(NULL, 0, time_after(SECOND / 200));
        proc_kill(&proc, 0);
        finish(&proc);
    }
    CHECK(made > 10 && refused > 10);
    CHECK_EQ(aegis_info()->free_pages + aegis_env(exos.env)->pages, before);
}

int main(void)
{
    struct proc proc;
    load();
    restore();
    CHECK_OK(create(&proc, size, true)); /* this program's own tables and heap get their size */
    CHECK_OK(proc_start(&proc));
    finish(&proc);
    each_fault_has_its_error();
    one_larger_than_memory();
    anything_at_all();
    return 0;
}
