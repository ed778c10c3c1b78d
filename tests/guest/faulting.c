/*
 * Handlers of regions: what they are told, what they may do, and what happens when they decline or
 * fault themselves; and what structures name is there when the kernel looks.
 */
#include <string.h>
#include <sys/mman.h>

#include "filter.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/fork.h"
#include "libos/vm/vm.h"
#include "test.h"

#define P    AEGIS_PAGE_SIZE
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* A store that the compiler leaves where it is. */
#define STORE(at, value) (*(volatile char *)(at) = (value))

static volatile struct {
    void *context;
    uint64_t address;
    uint32_t access;
    int count;
} seen;

static char *map(size_t pages, int prot)
{
    char *at = mmap(NULL, pages * P, prot, ANON, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static void note(void *context, uint64_t address, uint32_t access)
{
    seen.context = context;
    seen.address = address;
    seen.access = access;
    seen.count++;
}

static bool unprotect(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    (void)at;
    note(context, address, access);
    return vm_protect((void *)(address & ~(P - 1)), 1, VM_READ_WRITE) == 0;
}

static bool decline(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    (void)at;
    note(context, address, access);
    return false;
}

/* Goes on behind an instruction of four bytes. */
static bool skip(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    note(context, address, access);
    at->frame->pc += 4;
    return true;
}

static void told_and_tried_again(void)
{
    char *at = map(4, RW);
    memset(at, 1, 4 * P);
    CHECK_OK(vm_set_handler(at + P, 2, unprotect, (void *)&seen));
    CHECK_OK(mprotect(at, 4 * P, PROT_READ));
    STORE(at + P + 5, 9);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.address, (uint64_t)at + P + 5);
    CHECK_EQ(seen.access, AEGIS_PROT_WRITE);
    CHECK(seen.context == &seen);
    STORE(at + P + 6, 1); /* it is unprotected */
    CHECK_EQ(seen.count, 1);
    STORE(at + 2 * P, 9); /* the short way */
    CHECK_EQ(seen.count, 2);
    CHECK(!upcall_touch(at, true) && !upcall_touch(at + 3 * P, true)); /* no handler there */
    CHECK_EQ(seen.count, 2);
    CHECK_OK(mprotect(at + P, P, PROT_NONE));
    CHECK_EQ(*(volatile char *)(at + P + 5), 9);
    CHECK_EQ(seen.count, 3);
    CHECK_EQ(seen.access, AEGIS_PROT_READ);
    /* A child's memory-to-be: the long way does the same. */
    CHECK_OK(mprotect(at + P, 2 * P, PROT_READ));
    CHECK_OK(vm_fork_ready());
    STORE(at + P, 4);
    CHECK_EQ(seen.count, 4);
    CHECK_OK(vm_set_handler(at + P, 2, NULL, NULL));
    CHECK_OK(mprotect(at + P, 2 * P, PROT_READ));
    CHECK(!upcall_touch(at + P, true));
    CHECK_EQ(seen.count, 4);
    CHECK_ERROR(vm_set_handler(at + 1, 1, skip, NULL), ALIGNMENT);
    CHECK_ERROR(vm_set_handler(at, 5, skip, NULL), INVALID);
    CHECK_ERROR(vm_set_handler((void *)0xffffffff80200000, 1, skip, NULL), INVALID);
    CHECK_EQ(munmap(at, 4 * P), 0);
}

static void declined_or_skipped(void)
{
    char *at = map(2, PROT_READ);
    uint64_t value = 7;
    (void)*(volatile char *)at;
    seen.count = 0;
    CHECK_OK(vm_set_handler(at, 2, decline, NULL));
    CHECK(!upcall_touch(at, true));
    CHECK_EQ(seen.count, 1);
    CHECK_OK(vm_set_handler(at, 2, skip, NULL));
    __asm__ volatile(".option push\n.option norvc\nsd %0, 0(%1)\n.option pop" ::"r"(value), "r"(at)
                     : "memory");
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(*(uint64_t *)at, 0);
    CHECK_EQ(munmap(at, 2 * P), 0);
    /* Addresses without memory: all that happens there is the handler's. */
    char *bare = vm_reserve(3);
    CHECK_OK(vm_set_handler(bare, 3, skip, NULL));
    __asm__ volatile(".option push\n.option norvc\nld %0, 8(%1)\n.option pop"
                     : "+r"(value)
                     : "r"(bare + P));
    CHECK_EQ(value, 7);
    CHECK_EQ(seen.address, (uint64_t)bare + P + 8);
    CHECK_OK(vm_free(bare));
}

static char *far;

/* Its own faults: memory that comes, and another region's handler. */
static bool nested(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    note(context, address, access);
    STORE(far + 10 * P, 3);
    STORE(far + 20 * P, 4);
    return unprotect(context, address, access, at);
}

static void faults_in_handlers(void)
{
    char *at = map(1, RW);
    far = map(30, RW);
    memset(at, 1, P);
    seen.count = 0;
    CHECK_OK(vm_set_handler(at, 1, nested, NULL));
    CHECK_OK(mprotect(at, P, PROT_READ));
    STORE(far + 20 * P, 1);
    CHECK_OK(vm_set_handler(far + 20 * P, 1, unprotect, NULL));
    CHECK_OK(mprotect(far + 20 * P, P, PROT_READ));
    STORE(at + 77, 5);
    CHECK_EQ(at[77], 5);
    CHECK_EQ(far[10 * P] + far[20 * P], 7);
    CHECK_EQ(seen.count, 3);
    CHECK_EQ(munmap(at, P), 0);
    CHECK_EQ(munmap(far, 30 * P), 0);
}

/* Filters and frames of untouched memory: it holds zeros, which the kernel says, not ADDRESS. */
static void structures_that_name_memory(void)
{
    static struct filter_image ingress, egress;
    char *at = map(40, RW);
    filter_udp_to(&ingress, 4719);
    filter_sent_type(&egress, 0, 0x0800);
    struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                        .ingress = (const void *)at,
                                        .ingress_size = ingress.size,
                                        .egress = egress.words,
                                        .egress_size = egress.size};
    CHECK_ERROR(aegis_net_bind(&request), FILTER);
    request.ingress = ingress.words;
    int64_t binding = aegis_net_bind(&request);
    CHECK(binding >= 0);
    struct aegis_frame_out frames[] = {{at + 10 * P - 50, 100}, {at + 20 * P, 60}};
    CHECK_ERROR(aegis_net_send((uint32_t)binding, frames, 2), EGRESS);
    frames[0].address = (void *)0x7000;
    CHECK_ERROR(aegis_net_send((uint32_t)binding, frames, 1), ADDRESS);
    CHECK_OK(aegis_net_unbind((uint32_t)binding));
    CHECK_EQ(munmap(at, 40 * P), 0);
}

int main(void)
{
    told_and_tried_again();
    declined_or_skipped();
    faults_in_handlers();
    structures_that_name_memory();
    return 0;
}
