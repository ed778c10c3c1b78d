/* Stacks, and what pthread_attr_t says of them and of threads. */
#include <limits.h>
#include <string.h>

#include "libos/thread/internal.h"
#include "libos/vm/vm.h"

/*
 * A region of vm has nothing mapped in front of it nor behind: that is one page of guard. A larger
 * one takes pages of the region. The stack's pages come when they are touched.
 */
void *thread_map_stack(uint64_t size, uint64_t guard, void **memory)
{
    uint64_t pages = vm_pages(size), extra = guard > AEGIS_PAGE_SIZE ? vm_pages(guard) - 1 : 0;
    uint8_t *region = vm_alloc_stack(extra + pages);

    if (region && extra && vm_protect(region, extra, 0) < 0) {
        vm_free(region);
        return NULL;
    }
    *memory = region;
    return region ? region + extra * AEGIS_PAGE_SIZE : NULL;
}

int pthread_attr_init(pthread_attr_t *attributes)
{
    *attributes = (pthread_attr_t){.stack_size = THREAD_STACK, .guard_size = AEGIS_PAGE_SIZE};
    return 0;
}

int pthread_attr_destroy(pthread_attr_t *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    return 0;
}

static bool is_size(size_t size)
{
    return size >= PTHREAD_STACK_MIN && size <= UINT_MAX;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size)
{
    if (!is_size(size))
        return EINVAL;
    attributes->stack_size = size;
    return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *attributes, size_t *size)
{
    *size = attributes->stack_size;
    return 0;
}

int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t size)
{
    if (size > UINT_MAX)
        return EINVAL;
    attributes->guard_size = size;
    return 0;
}

int pthread_attr_getguardsize(const pthread_attr_t *attributes, size_t *size)
{
    *size = attributes->guard_size;
    return 0;
}

int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t size)
{
    if (!stack || !is_size(size) || (uint64_t)stack % 16 || size % 16)
        return EINVAL;
    attributes->stack = stack;
    attributes->stack_size = size;
    return 0;
}

int pthread_attr_getstack(const pthread_attr_t *attributes, void **stack, size_t *size)
{
    *stack = attributes->stack;
    *size = attributes->stack_size;
    return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attributes, int detached)
{
    if (detached != PTHREAD_CREATE_JOINABLE && detached != PTHREAD_CREATE_DETACHED)
        return EINVAL;
    attributes->detached = detached;
    return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *detached)
{
    *detached = attributes->detached;
    return 0;
}

/* The ring has no priorities; schedulers of programs find it by pthread_getschedparam. */
int pthread_attr_setschedparam(pthread_attr_t *attributes, const struct sched_param *parameters)
{
    if (parameters->sched_priority < 0 || parameters->sched_priority > THREAD_PRIORITY_MAX)
        return EINVAL;
    attributes->parameters = *parameters;
    return 0;
}

int pthread_attr_getschedparam(const pthread_attr_t *attributes, struct sched_param *parameters)
{
    *parameters = attributes->parameters;
    return 0;
}
