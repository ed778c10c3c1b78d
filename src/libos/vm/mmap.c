/* POSIX's names (sys/mman.h) over regions. */
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"

_Static_assert(PROT_READ == AEGIS_PROT_READ && PROT_WRITE == AEGIS_PROT_WRITE &&
                   PROT_EXEC == AEGIS_PROT_EXEC,
               "they pass as they are");

#define PROT_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)
#define FLAGS_ANY                                                                                  \
    (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE |         \
     MAP_STACK | MAP_FIXED_NOREPLACE)

static int fail(int error)
{
    errno = error;
    return -1;
}

static int result(int64_t status)
{
    switch (-status) {
    case 0:
        return 0;
    case AEGIS_E_INVALID: /* a hole */
        return fail(ENOMEM);
    case AEGIS_E_RIGHTS:
        return fail(EACCES);
    case AEGIS_E_PINNED:
        return fail(EBUSY);
    case AEGIS_E_ALIGNMENT:
        return fail(EINVAL);
    default:
        return fail(aegis_errno(status));
    }
}

/* The end of length bytes at address, rounded up to pages; 0 if that is no range of a program's. */
static uint64_t end_of(const void *address, size_t length)
{
    uint64_t start = (uint64_t)address;
    if (start % AEGIS_PAGE_SIZE || length > AEGIS_EXPOSED_BASE ||
        start > AEGIS_EXPOSED_BASE - vm_pages(length) * AEGIS_PAGE_SIZE)
        return 0;
    return start + vm_pages(length) * AEGIS_PAGE_SIZE;
}

/* Takes out what is mapped in [start, end) and the regions. What upcalls need and vm's own notes
 * stay: INVALID. */
static int64_t take_out(uint64_t start, uint64_t end)
{
    for (const struct vm_region *r = vm_find_next(start); r && r->start < end;
         r = vm_find_next(r->end))
        if (r->inherit == VM_FRESH || (r->start < VM_NOTES_END && r->end > VM_END))
            return -AEGIS_E_ALIGNMENT;
    int64_t status = vm_index_need(2);
    if (status == 0)
        status = vm_release(start, end);
    if (status < 0)
        return status;
    for (struct vm_region *r = vm_cut(start, end); r && r->start < end; r = vm_find_next(start))
        vm_remove(r);
    return 0;
}

/* Where the new region goes, made free; a negated errno if it can't be there. */
static int64_t make_room(uint64_t hint, uint64_t bytes, int flags)
{
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    uint64_t end = end_of((void *)hint, bytes);
    bool fits = hint >= AEGIS_PROGRAM_BASE && end && end <= VM_END;
    const struct vm_region *there = fits ? vm_find_next(hint) : NULL;

    if (fits && !(there && there->start < end))
        return (int64_t)hint;
    if (!fixed) {
        uint64_t gap = vm_find_gap(bytes);
        return gap ? (int64_t)gap : -ENOMEM;
    }
    if (!fits)
        return hint % AEGIS_PAGE_SIZE ? -EINVAL : -ENOMEM;
    if (flags & MAP_FIXED_NOREPLACE)
        return -EEXIST;
    int64_t status = take_out(hint, end);
    return status < 0 ? result(status), -errno : (int64_t)hint;
}

/* More at once than the whole machine, or this account, may ever have. */
static bool is_too_much(uint64_t pages, int flags)
{
    const volatile struct aegis_account *account = aegis_account(exos.env);
    return !(flags & MAP_NORESERVE) &&
           (pages > aegis_info()->page_count || pages > account->limit[AEGIS_QUOTA_PAGES]);
}

static int check(size_t length, int prot, int flags, int fd)
{
    bool shared = flags & MAP_SHARED, private = flags & MAP_PRIVATE;
    if (length == 0 || prot & ~PROT_ANY || shared == private || flags & ~FLAGS_ANY)
        return EINVAL;
    if (!(flags & MAP_ANONYMOUS))
        return fd < 0 ? EBADF : ENODEV;
    if (length > VM_END)
        return ENOMEM;
    return is_too_much(vm_pages(length), flags) ? ENOMEM : 0;
}

/* Pages for all of a new region, which goes again if there aren't enough. */
static int64_t populate(uint64_t start, uint64_t end)
{
    struct vm_region model = *vm_find(start);
    model.prot = model.prot & PROT_WRITE ? model.prot : VM_READ_WRITE;
    if ((end - start) / AEGIS_PAGE_SIZE > aegis_info()->free_pages)
        return -AEGIS_E_NO_PAGE;
    for (uint64_t va = start; va < end; va += AEGIS_PAGE_SIZE) {
        int64_t status = vm_fill_zero(&model, va);
        if (status < 0)
            return status;
    }
    uint32_t prot = vm_find(start)->prot;
    return prot & PROT_WRITE ? 0 : vm_protect((void *)start, (end - start) / AEGIS_PAGE_SIZE, prot);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    int error = check(length, prot, flags, fd);
    uint64_t bytes = vm_pages(length) * AEGIS_PAGE_SIZE;
    struct vm_region model = {
        .kind = flags & MAP_STACK ? VM_STACK : VM_ZERO,
        .prot = (uint8_t)(prot & PROT_WRITE ? prot | PROT_READ : prot),
        .inherit = flags & MAP_SHARED ? VM_SHARE : VM_COPY,
    };
    if (error || offset % AEGIS_PAGE_SIZE)
        return errno = error ? error : EINVAL, MAP_FAILED;
    int64_t start = vm_window_open();
    if (start < 0)
        return errno = ENOMEM, MAP_FAILED;
    exos_hold();
    start = make_room((uint64_t)address, bytes, flags);
    if (start >= 0 && vm_index_need(1) < 0)
        start = -ENOMEM;
    if (start >= 0) {
        model.start = (uint64_t)start;
        model.end = model.start + bytes;
        vm_insert(&model);
    }
    exos_release();
    if (start < 0)
        return errno = (int)-start, MAP_FAILED;
    if (flags & (MAP_POPULATE | MAP_SHARED) && populate(model.start, model.end) < 0) {
        munmap((void *)start, bytes);
        return errno = ENOMEM, MAP_FAILED;
    }
    return (void *)start;
}

int munmap(void *address, size_t length)
{
    uint64_t end = end_of(address, length);
    if (!end || length == 0)
        return fail(EINVAL);
    exos_hold();
    int64_t status = take_out((uint64_t)address, end);
    exos_release();
    return result(status);
}

static int protect_slowly(uint64_t va, size_t length, int prot)
{
    if (va % AEGIS_PAGE_SIZE || prot & ~PROT_ANY)
        return fail(EINVAL);
    if (length > AEGIS_USER_END)
        return fail(ENOMEM);
    return result(vm_protect_slowly(va, vm_pages(length), (uint32_t)prot));
}

/* What is odd about the arguments the kernel finds, too, and the slow way says. */
int mprotect(void *address, size_t length, int prot)
{
    uint64_t pages = (length + AEGIS_PAGE_SIZE - 1) / AEGIS_PAGE_SIZE;
    return __builtin_expect(vm_protect_fast((uint64_t)address, pages, (uint32_t)prot), true)
               ? 0
               : protect_slowly((uint64_t)address, length, prot);
}

int msync(void *address, size_t length, int flags)
{
    uint64_t end = end_of(address, length);
    if (!end || flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE) ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return fail(EINVAL);
    return vm_covered((uint64_t)address, end) ? 0 : fail(ENOMEM); /* there is no file behind it */
}

/* Drops the pages of a range that is zeros or stack, and private. */
static int drop(uint64_t start, uint64_t end)
{
    if (vm_make_exact(start, end) < 0)
        return fail(ENOMEM);
    for (const struct vm_region *r = vm_find(start); r->start < end && r->kind != VM_NOWHERE;
         r = vm_find(r->end)) {
        bool zeros = r->kind == VM_ZERO || r->kind == VM_STACK;
        uint64_t from = r->start > start ? r->start : start, to = r->end < end ? r->end : end;
        if (!zeros || r->inherit == VM_SHARE || r->flags & VM_LOCKED)
            return fail(EINVAL);
        if (vm_release(from, to) < 0)
            return fail(EBUSY);
    }
    return 0;
}

int madvise(void *address, size_t length, int advice)
{
    uint64_t start = (uint64_t)address, end = end_of(address, length);
    if (!end || advice < MADV_NORMAL || (advice > MADV_DONTNEED && advice != MADV_FREE))
        return fail(EINVAL);
    if (!vm_covered(start, end))
        return fail(ENOMEM);
    switch (advice) {
    case MADV_WILLNEED:
        return vm_touch(address, length, false) < 0 ? fail(ENOMEM) : 0;
    case MADV_DONTNEED:
        return drop(start, end);
    case MADV_FREE: { /* what is written to from now on stays */
        int64_t status = vm_clean(address, vm_pages(length));
        return result(status < 0 ? status : vm_set_flags(start, end, VM_DISCARDABLE, 0));
    }
    case MADV_NORMAL:
        return result(vm_set_flags(start, end, 0, VM_DISCARDABLE));
    default:
        return 0;
    }
}

int posix_madvise(void *address, size_t length, int advice)
{
    int saved = errno, error = madvise(address, length, advice) < 0 ? errno : 0;
    errno = saved;
    return error;
}

static int lock(const void *address, size_t length, uint8_t set, uint8_t clear)
{
    uint64_t start = (uint64_t)address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    uint64_t end = end_of((void *)start, length + ((uint64_t)address - start));
    if (!end || length > AEGIS_EXPOSED_BASE)
        return fail(EINVAL);
    int64_t status = vm_set_flags(start, end, set, clear);
    if (status == 0 && set && vm_touch((void *)start, end - start, false) < 0)
        status = -AEGIS_E_NO_PAGE;
    return result(status);
}

int mlock(const void *address, size_t length)
{
    return lock(address, length, VM_LOCKED, 0);
}

int munlock(const void *address, size_t length)
{
    return lock(address, length, 0, VM_LOCKED);
}

int mincore(void *address, size_t length, unsigned char *vec)
{
    uint64_t start = (uint64_t)address, end = end_of(address, length);
    if (!end)
        return fail(EINVAL);
    if (!vm_covered(start, end))
        return fail(ENOMEM);
    for (uint64_t va = start; va < end; va += AEGIS_PAGE_SIZE)
        *vec++ = vm_pte((void *)va) & AEGIS_PTE_VALID;
    return 0;
}
