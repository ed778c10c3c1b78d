/*
 * Exceptions below the library's full handlers: what the kernel leaves for a handler, in frames and
 * registers, and light handlers, which see what a function may change.
 */
#include <string.h>

#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

static struct upcall_context seen;

static bool skip_two(struct upcall_context *c)
{
    seen = *c;
    c->pc += 2;
    return true;
}

static struct upcall_light seen_light;

static bool skip_two_light(struct upcall_light *c)
{
    seen_light = *c;
    c->frame->pc += 2;
    return true;
}

/* All registers, those that it is shown and those that it isn't, survive a light handler. */
static void light_handlers_keep_registers(void)
{
    uint64_t in[32], out[32], before = upcall_count();
    double fin[32], fout[32];
    for (int i = 0; i < 32; i++) {
        in[i] = 0x123456789abcUL * (unsigned)i + 1;
        fin[i] = i * 0.5 + 3;
    }
    upcall_set(UPCALL_BREAKPOINT, NULL);
    upcall_set_light(UPCALL_BREAKPOINT, skip_two_light);
    around_ebreak(in, out, fin, fout);
    CHECK_EQ(upcall_count() - before, 1);
    for (int i = 1; i < 32; i++)
        if (i != 2 && i != 3 && i != 4)
            CHECK_EQ(out[i], in[i]);
    CHECK(!memcmp(fout, fin, sizeof fin));
    CHECK_EQ(seen_light.ra, in[1]);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(seen_light.a[i], in[10 + i]);
    CHECK_EQ(seen_light.t3, in[28]);
    CHECK_EQ(seen_light.t6, in[31]);
}

static bool answer_light(struct upcall_light *c)
{
    CHECK_EQ(c->frame->cause, UPCALL_LOAD_PAGE);
    CHECK_EQ(c->frame->value, 0x7008);
    c->a[0] = 43;
    c->frame->t1 = 44;
    c->frame->pc += 4;
    return true;
}

static void light_handlers_change_registers(void)
{
    upcall_set_light(UPCALL_LOAD_PAGE, answer_light);
    uint64_t answer, other;
    __asm__ volatile("li a1, 0x7000\n .option push\n .option norvc\n ld a0, 8(a1)\n .option pop\n"
                     "mv %0, a0\n mv %1, t1"
                     : "=r"(answer), "=r"(other)::"a0", "a1", "t1");
    upcall_set_light(UPCALL_LOAD_PAGE, NULL);
    CHECK_EQ(answer, 43);
    CHECK_EQ(other, 44);
}

static bool decline_light(struct upcall_light *c)
{
    seen_light = *c;
    return false;
}

/* What it declines goes on as if it weren't there, and is counted once. */
static void light_handlers_may_decline(void)
{
    uint64_t before = upcall_count();
    upcall_set(UPCALL_BREAKPOINT, skip_two);
    upcall_set_light(UPCALL_BREAKPOINT, decline_light);
    seen.cause = 0;
    seen_light.frame = NULL;
    __asm__ volatile("c.ebreak" ::: "memory");
    CHECK(seen_light.frame != NULL);
    CHECK_EQ(seen.cause, UPCALL_BREAKPOINT);
    CHECK_EQ(upcall_count() - before, 1);
    uint64_t value = 7;
    upcall_set_light(UPCALL_LOAD_PAGE, decline_light);
    CHECK(!upcall_probe((const uint64_t *)0x7000, &value) && value == 7);
    upcall_set_light(UPCALL_LOAD_PAGE, NULL);
}

static uint64_t nested;

static bool fault_in_turn_light(struct upcall_light *c)
{
    uint64_t frames = (uint64_t)c->frame % AEGIS_PAGE_SIZE / sizeof *c->frame;
    char local[64];
    memset(local, (int)frames, sizeof local);
    if (frames < AEGIS_UPCALL_FRAMES)
        __asm__ volatile("c.ebreak" ::"r"(local) : "memory");
    for (size_t i = 0; i < sizeof local; i++)
        CHECK_EQ(local[i], frames);
    nested++;
    c->frame->pc += 2;
    return true;
}

static void light_handlers_nest(void)
{
    upcall_set_light(UPCALL_BREAKPOINT, fault_in_turn_light);
    for (int i = 0; i < 1000; i++) {
        nested = 0;
        __asm__ volatile("c.ebreak" ::: "memory");
        CHECK_EQ(nested, AEGIS_UPCALL_FRAMES);
    }
}

/* Wherever sp points to: it is not used. */
static void handlers_need_no_stack(void)
{
    static const uint64_t wild[] = {0, 1, 0x7000, AEGIS_USER_END, 0xfffffff800005000, UINT64_MAX};
    for (int light = 0; light < 2; light++) {
        upcall_set(UPCALL_BREAKPOINT, skip_two);
        upcall_set_light(UPCALL_BREAKPOINT, light ? skip_two_light : NULL);
        for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
            uint64_t found;
            __asm__ volatile("mv s1, sp\n mv sp, %1\n c.ebreak\n mv %0, sp\n mv sp, s1"
                             : "=&r"(found)
                             : "r"(wild[i])
                             : "s1", "memory");
            CHECK_EQ(found, wild[i]);
            CHECK_EQ(light ? seen_light.sp : seen.x[2], wild[i]);
        }
    }
    upcall_set_light(UPCALL_BREAKPOINT, NULL);
}

/* A page of frames of the test's own, with a handler in assembly. */
static _Alignas(AEGIS_PAGE_SIZE) union {
    struct aegis_upcall_page page;
    uint8_t bytes[AEGIS_PAGE_SIZE];
} own;

static void bind_own(void (*handler)(void))
{
    memset(&own, 0x5a, sizeof own);
    own.page.depth = 0;
    CHECK_OK(aegis_upcall_bind(&own.page, (uint64_t)handler));
}

/*
 * What a handler finds in registers: t0 is the frame, t1 and t2 are nothing of the kernel's, the
 * others are as they were. The first time the kernel may have gone another way than later.
 */
static void handlers_get_registers_as_they_were(void)
{
    uint64_t in[32], out[32];
    double fin[32], fout[32];
    for (int i = 0; i < 32; i++) {
        in[i] = 0x101 * (unsigned)i;
        fin[i] = i * 2.5;
    }
    bind_own(note_handler);
    for (int round = 0; round < 3; round++) {
        around_illegal(in, out, fin, fout);
        for (int i = 1; i < 32; i++) {
            if (i != 2 && i != 3 && i != 4 && (i < 5 || i > 7))
                CHECK_EQ(noted_registers[i], in[i]);
            if (i != 2 && i != 3 && i != 4)
                CHECK_EQ(out[i], in[i]);
        }
        CHECK_EQ(noted_registers[5], (uint64_t)&own.page.frames[0]);
        CHECK(noted_registers[6] < AEGIS_USER_END && noted_registers[7] < AEGIS_USER_END);
        CHECK_EQ(noted_registers[2] >> 20, (uint64_t)__builtin_frame_address(0) >> 20);
        CHECK(!memcmp(fout, fin, sizeof fin));
        const struct aegis_upcall_frame *frame = &own.page.frames[0];
        CHECK_EQ(frame->cause, UPCALL_ILLEGAL);
        CHECK_EQ(frame->t0, in[5]);
        CHECK_EQ(frame->t1, in[6]);
        CHECK_EQ(frame->t2, in[7]);
    }
}

#define BREAKPOINT()                                                                               \
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory")

/* The frame that depth names is written, up to its reserved words, and depth; nothing else of the
 * page. */
static void frames_go_where_depth_says(void)
{
    for (uint32_t depth = 0; depth < AEGIS_UPCALL_FRAMES; depth++) {
        bind_own(skip_handler);
        for (int round = 0; round < 3; round++) {
            own.page.depth = depth;
            BREAKPOINT();
            CHECK_EQ(own.page.depth, depth);
        }
        CHECK_EQ(own.page.frames[depth].cause, UPCALL_BREAKPOINT);
        size_t first = (size_t)((uint8_t *)&own.page.frames[depth] - own.bytes);
        for (size_t i = sizeof own.page.depth; i < sizeof own; i++)
            if ((i < first || i >= first + 48) && own.bytes[i] != 0x5a)
                FAIL("depth %u: byte %zu was written", depth, i);
    }
}

/* The page may lie anywhere in the address space by then, or nowhere: the kernel writes to the page
 * that it was. */
static void handlers_change_at_once(void)
{
    static union {
        struct aegis_upcall_page page;
        uint8_t bytes[AEGIS_PAGE_SIZE];
    } _Alignas(AEGIS_PAGE_SIZE) other;
    bind_own(skip_handler);
    BREAKPOINT();
    CHECK_EQ(own.page.frames[0].cause, UPCALL_BREAKPOINT);
    own.page.frames[0].cause = 77;
    CHECK_OK(aegis_upcall_bind(&other.page, (uint64_t)note_handler));
    noted_registers[5] = 0;
    BREAKPOINT();
    CHECK_EQ(own.page.frames[0].cause, 77);
    CHECK_EQ(other.page.frames[0].cause, UPCALL_BREAKPOINT);
    CHECK_EQ(noted_registers[5], (uint64_t)&other.page.frames[0]);
}

/* A store to a page that it may only read, and a load of one that isn't there, over and over. */
static void page_faults_again_and_again(void)
{
    volatile uint64_t *page = vm_alloc(2, VM_READ_WRITE);
    uint64_t ppn = (uint64_t)vm_page_at((void *)page);
    page[0] = 5;
    bind_own(skip_handler);
    for (int i = 0; i < 50; i++) {
        uint64_t value = 9;
        CHECK_OK(aegis_protect(0, (uint64_t)page, 1, AEGIS_PROT_READ));
        own.page.frames[0].cause = 0;
        __asm__ volatile(".option push\n.option norvc\nsd zero, 0(%0)\n.option pop" ::"r"(page)
                         : "memory");
        CHECK_EQ(own.page.frames[0].cause, UPCALL_STORE_PAGE);
        CHECK_EQ(own.page.frames[0].value, (uint64_t)page);
        CHECK_EQ(page[0], 5);
        CHECK_OK(aegis_unmap(0, (uint64_t)page, 1));
        __asm__ volatile(".option push\n.option norvc\nld %0, 8(%1)\n.option pop"
                         : "+r"(value)
                         : "r"(page));
        CHECK_EQ(own.page.frames[0].cause, UPCALL_LOAD_PAGE);
        CHECK_EQ(own.page.frames[0].value, (uint64_t)page + 8);
        CHECK_EQ(value, 9);
        /* Mapped again, it is there: what was found missing is not remembered. */
        own.page.frames[0].cause = 0;
        CHECK_OK(aegis_map(0, (uint64_t)page, ppn, VM_READ_WRITE, NULL));
        CHECK_EQ(page[0], 5);
        page[1] = (uint64_t)i;
        CHECK_EQ(own.page.frames[0].cause, 0);
    }
}

int main(void)
{
    light_handlers_keep_registers();
    light_handlers_change_registers();
    light_handlers_may_decline();
    light_handlers_nest();
    handlers_need_no_stack();
    /* From here on the library's handlers are not bound. */
    handlers_get_registers_as_they_were();
    frames_go_where_depth_says();
    handlers_change_at_once();
    page_faults_again_and_again();
    /* And now they are again. */
    CHECK_OK(upcall_bind());
    handlers_need_no_stack();
    return 0;
}
