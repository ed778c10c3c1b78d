/* Attacks on the way of exceptions to their handler: its frames, its address, its time. */
#include "attack.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define BREAKPOINT()                                                                               \
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory")

/* A page of frames of one's own at FREE_VA, and its handler. */
static struct aegis_upcall_page *bind_frames(uint64_t handler)
{
    struct aegis_upcall_page *page = (struct aegis_upcall_page *)FREE_VA;
    page_at(FREE_VA, VM_READ_WRITE);
    page->depth = 0; /* it may have been one's own before */
    CHECK_OK(aegis_upcall_bind(page, handler));
    return page;
}

int64_t depth_scribbled_over(void)
{
    struct aegis_upcall_page *page = bind_frames((uint64_t)skip_handler);
    for (int i = 0; i < 3; i++)
        BREAKPOINT();
    CHECK_EQ(page->depth, 0);
    page->depth = 0x3fffffff; /* times 64: beyond any page, and wraps 32 bits */
    BREAKPOINT();
    return 0;
}

/* Somebody else has the page, too, and writes to it as fast as it can. */
int64_t depth_scribbled_by_another(void)
{
    struct raw raw;
    raw_create(&raw, "scribble", blob_scribble, blob_scribble_end);
    CHECK_OK(aegis_upcall_bind((struct aegis_upcall_page *)raw.data, (uint64_t)skip_handler));
    raw_start(&raw, 0);
    for (uint64_t limit = time_after(20000000000); time_now() < limit;) {
        for (int i = 0; i < 1000; i++)
            BREAKPOINT();
        aegis_yield(raw.env);
    }
    return 0;
}

int64_t handler_where_nothing_is_mapped(void)
{
    bind_frames(FREE_VA + AEGIS_PAGE_SIZE);
    BREAKPOINT();
    return 0;
}

int64_t frames_where_nothing_is_mapped(void)
{
    bind_frames((uint64_t)skip_handler);
    BREAKPOINT();
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    BREAKPOINT();
    return 0;
}

/* A page of frames that one has no more: not even that it was the last one's is left. */
int64_t handler_without_frames(void)
{
    bind_frames((uint64_t)skip_handler);
    BREAKPOINT();
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    BREAKPOINT();
    return 0;
}

/* An exception on the kernel's stack, or what it would be if addresses were all. */
int64_t stack_of_the_kernel(void)
{
    bind_frames((uint64_t)skip_handler);
    __asm__ volatile(".option push\n.option norvc\nmv s2, sp\nli sp, 0xfffffff800005000\nebreak\n"
                     "sd zero, -8(sp)\nld s3, -16(sp)\nmv sp, s2\n.option pop" ::
                         : "s2", "s3", "memory");
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    __asm__ volatile("li sp, 0xfffffff800005000\n sd zero, -8(sp)" ::: "memory");
    return 0;
}

/*
 * A program that faults at the same instruction for ever, without ever leaving its handler for
 * more than that: it has its slices, others have theirs, and its owner ends it.
 */
int64_t faults_for_ever(void)
{
    struct raw raw, other;
    uint64_t page = test_page();
    raw_create(&raw, "forever", blob_forever, blob_forever_end);
    CHECK_OK(aegis_page_give(page, raw.env));
    CHECK_OK(vm_map(raw.env, RAW_FRAMES, page, VM_READ_WRITE, NULL));
    raw_start(&raw, 0);
    RAW(&other, spin, 0);
    uint64_t before = aegis_env(raw.env)->slices, others = aegis_env(other.env)->slices;
    aegis_wait(NULL, 0, time_after(500000000));
    CHECK(raw.data[0] > 1000);
    uint64_t slices = aegis_env(raw.env)->slices - before;
    others = aegis_env(other.env)->slices - others;
    CHECK(slices >= 2 && others + 2 >= slices && slices + 2 >= others);
    CHECK_OK(aegis_env_end(other.env, 0));
    CHECK_OK(aegis_env_end(raw.env, 7));
    raw_finish(&other);
    struct aegis_env_info info = raw_finish(&raw);
    CHECK_EQ(info.exit_reason, AEGIS_EXIT_KILLED);
    return 0;
}

/* Each exception's handler begins with one. */
static void __attribute__((naked)) break_at_once(void)
{
    __asm__ volatile("ebreak");
}

int64_t handler_that_faults(void)
{
    bind_frames((uint64_t)break_at_once);
    BREAKPOINT();
    return 0;
}
