/*
 * malloc and its kin over a TLSF heap (heap.h) that grows at sbrk's end. All of C's and POSIX's
 * names are here, so that picolibc's smaller allocator isn't linked.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/heap.h"
#include "libos/vm/internal.h"
#include "libos/vm/quick.h"
#include "libos/vm/vm.h"

#define GROW_PAGES 16 /* at a time, at least: amortises the system calls */

/* app.ld: the image's last page has room that is there anyway, for what a short program allocates.
 */
extern char __bss_end[], __image_end[];

static uint64_t brk_start, brk_now;
static struct heap heap;
static struct quick quick;

void vm_heap_init(uint64_t upper)
{
    brk_start = brk_now = upper;
    vm_heap.start = vm_heap.end = upper;
}

/*
 * Pages come when they are touched, and then there has to be one: what was promised and isn't there
 * yet counts against what is free, so that malloc can say no while a program may still ask.
 */
static bool may_promise(uint64_t limit)
{
    uint64_t pages = (limit - vm_heap.start) / AEGIS_PAGE_SIZE;
    const volatile struct aegis_account *account = aegis_account(exos.env);
    uint64_t left = account->limit[AEGIS_QUOTA_PAGES] - account->used[AEGIS_QUOTA_PAGES];
    uint64_t free = aegis_info()->free_pages < left ? aegis_info()->free_pages : left;
    return pages <= vm_heap_filled + free;
}

/* Moves the heap's end to limit, at least. */
static bool extend_to(uint64_t limit)
{
    bool done = limit <= vm_heap.end;
    if (done)
        return true;
    exos_hold();
    const struct vm_region *next = vm_find_next(vm_heap.end);
    if (may_promise(limit) && (!next || next->start >= limit)) {
        *(volatile uint64_t *)&vm_heap.end = limit;
        done = true;
    }
    exos_release();
    return done;
}

/* Moves the end of the heap; it never shrinks below its start, and pages stay mapped when it does
 * shrink. */
void *sbrk(ptrdiff_t change)
{
    uint64_t before = brk_now, now = before + (uint64_t)change;
    if ((change > 0 && (now < before || now > VM_BASE)) ||
        (change < 0 && (now > before || now < brk_start)) ||
        !extend_to((now + AEGIS_PAGE_SIZE - 1) & ~(uint64_t)(AEGIS_PAGE_SIZE - 1))) {
        errno = ENOMEM;
        return (void *)-1;
    }
    brk_now = now;
    return (void *)before;
}

/* Whether the image's last page, which is the first that the heap gets, has room for size bytes. */
static bool use_last_page(size_t size)
{
    static bool used;
    uint64_t start = ((uint64_t)__bss_end + HEAP_ALIGNMENT - 1) & ~(uint64_t)(HEAP_ALIGNMENT - 1);
    uint64_t bytes = (uint64_t)__image_end - start;

    if (used || bytes < size + 4 * HEAP_ALIGNMENT)
        return false;
    used = true;
    heap_grow(&heap, (void *)start, bytes);
    return true;
}

static int grow(size_t size)
{
    if (use_last_page(size))
        return 1;
    uint64_t slack = -brk_now & (HEAP_ALIGNMENT - 1); /* a program may have called sbrk itself */
    uint64_t need = vm_pages(size + size / 8 + 4 * HEAP_ALIGNMENT);
    uint64_t least = vm_pages(size + 4 * HEAP_ALIGNMENT + slack);
    uint64_t bytes = (need < GROW_PAGES ? GROW_PAGES : need) * AEGIS_PAGE_SIZE;
    char *memory = sbrk((ptrdiff_t)(slack + bytes));
    if (memory == (void *)-1) { /* little is left: perhaps the least that will do */
        bytes = least * AEGIS_PAGE_SIZE;
        memory = sbrk((ptrdiff_t)(slack + bytes));
    }
    if (memory == (void *)-1)
        return 0;
    heap_grow(&heap, memory + slack, bytes);
    return 1;
}

static void *allocate(size_t size, size_t alignment)
{
    if (size >= HEAP_MAX / 2 || alignment >= HEAP_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    exos_hold();
    void *memory = heap_alloc(&heap, size, alignment);
    if (!memory && heap.last && quick_empty(&quick, &heap))
        memory = heap_alloc(&heap, size, alignment);
    /* The search rounds up to a class, by a sixteenth at most: ask for as much more. */
    size_t worst = size + size / 8 + 2 * alignment + 64;
    if (!memory && grow(worst))
        memory = heap_alloc(&heap, size, alignment);
    exos_release();
    if (!memory)
        errno = ENOMEM;
    return memory;
}

/* Apart from malloc, which the compiler would take for one half of calloc in calloc itself. */
static inline void *obtain(size_t size)
{
    exos_hold();
    void *memory = quick_take(&quick, size);
    exos_release();
    return memory ? memory : allocate(size, HEAP_ALIGNMENT);
}

void *malloc(size_t size)
{
    return obtain(size);
}

void free(void *memory)
{
    if (!memory)
        return;
    exos_hold();
    if (!quick_put(&quick, memory))
        heap_free(&heap, memory);
    exos_release();
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = obtain(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *realloc(void *old, size_t size)
{
    if (!old)
        return malloc(size);
    if (size == 0) {
        free(old);
        return NULL;
    }
    exos_hold();
    int done = heap_resize(&heap, old, size);
    exos_release();
    if (done)
        return old;
    void *memory = malloc(size);
    if (memory) {
        memcpy(memory, old, heap_size(old) < size ? heap_size(old) : size);
        free(old);
    }
    return memory;
}

void *memalign(size_t alignment, size_t size)
{
    if (alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(size, alignment < HEAP_ALIGNMENT ? HEAP_ALIGNMENT : alignment);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (alignment < sizeof(void *) || alignment & (alignment - 1))
        return EINVAL;
    void *result = allocate(size, alignment);
    if (!result)
        return ENOMEM;
    *memory = result;
    return 0;
}

size_t malloc_usable_size(void *memory)
{
    return memory ? heap_size(memory) : 0;
}
