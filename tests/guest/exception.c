/* Exceptions reach the application's handler, which resumes without the kernel. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

static struct upcall_context seen;

static bool skip_four(struct upcall_context *c)
{
    seen = *c;
    c->pc += 4;
    return true;
}

static bool skip_two(struct upcall_context *c)
{
    seen = *c;
    c->pc += 2;
    return true;
}

static void breakpoint(void)
{
    upcall_set(UPCALL_BREAKPOINT, skip_two);
    uint64_t here;
    __asm__ volatile("la %0, 1f\n1: c.ebreak" : "=r"(here));
    CHECK_EQ(seen.cause, UPCALL_BREAKPOINT);
    CHECK_EQ(seen.pc, here);
}

/* Every register that ExOS doesn't keep for itself is the same before and behind an exception, and
 * in its context. */
static void registers_survive(void)
{
    uint64_t in[32], out[32];
    double fin[32], fout[32];
    for (int i = 0; i < 32; i++) {
        in[i] = 0x1111111111111111UL * (unsigned)i + 5;
        fin[i] = i * 1.5 + 0.25;
    }
    upcall_set(UPCALL_BREAKPOINT, skip_two);
    around_ebreak(in, out, fin, fout);
    for (int i = 1; i < 32; i++) {
        if (i == 2 || i == 4)
            continue;
        CHECK_EQ(seen.x[i], in[i]);
        if (i != 3) /* gp carries the way back */
            CHECK_EQ(out[i], in[i]);
    }
    CHECK(!memcmp(fout, fin, sizeof fin));
    CHECK(!memcmp(seen.f, fin, sizeof fin));
}

static volatile uint64_t reserved_word;

static bool change_and_reserve(struct upcall_context *c)
{
    uint64_t value;
    reserved_word = 1;
    __asm__ volatile("lr.d %0, (%1)" : "=&r"(value) : "r"(&reserved_word) : "memory");
    c->pc += 4;
    return true;
}

/* What a handler reserves isn't what the interrupted code has reserved. */
static void a_reservation_ends_with_the_handler(void)
{
    uint64_t failed;
    upcall_set(UPCALL_BREAKPOINT, change_and_reserve);
    __asm__ volatile("lr.d %0, (%1)\n"
                     ".option push\n.option norvc\nebreak\n.option pop\n"
                     "sc.d %0, zero, (%1)"
                     : "=&r"(failed)
                     : "r"(&reserved_word)
                     : "gp", "memory");
    CHECK(failed && reserved_word == 1);
}

static bool load_answer(struct upcall_context *c)
{
    seen = *c;
    c->x[10] = 42; /* a0 */
    c->pc += 4;
    return true;
}

static void page_faults(void)
{
    upcall_set(UPCALL_LOAD_PAGE, load_answer);
    uint64_t answer;
    __asm__ volatile(
        "li a1, 0x7000\n .option push\n .option norvc\n ld a0, 8(a1)\n .option pop\n mv %0, a0"
        : "=r"(answer)::"a0", "a1");
    CHECK_EQ(answer, 42);
    CHECK_EQ(seen.value, 0x7008);

    upcall_set(UPCALL_STORE_PAGE, skip_four);
    __asm__ volatile("li a1, 0x7000\n .option push\n .option norvc\n sd a1, 16(a1)\n .option pop" ::
                         : "a1", "memory");
    CHECK_EQ(seen.cause, UPCALL_STORE_PAGE);
    CHECK_EQ(seen.value, 0x7010);
    /* Program text is read-only, and so is what the kernel exposes. */
    uint64_t targets[] = {(uint64_t)page_faults & ~7UL, AEGIS_EXPOSED_BASE, AEGIS_EXPOSED_BASE + 8};
    for (int i = 0; i < 3; i++) {
        memset(&seen, 0, sizeof seen);
        __asm__ volatile(
            "mv a1, %0\n .option push\n .option norvc\n sd zero, 0(a1)\n .option pop" ::"r"(
                targets[i])
            : "a1", "memory");
        CHECK_EQ(seen.cause, UPCALL_STORE_PAGE);
        CHECK_EQ(seen.value, targets[i]);
    }
    /* The kernel's half is beyond an application's addresses. */
    memset(&seen, 0, sizeof seen);
    upcall_handler before = upcall_set(UPCALL_LOAD_FAULT, load_answer);
    __asm__ volatile("li a1, -4096\n .option push\n .option norvc\n ld a0, 0(a1)\n .option pop" ::
                         : "a0", "a1");
    CHECK(seen.cause == UPCALL_LOAD_PAGE || seen.cause == UPCALL_LOAD_FAULT);
    upcall_set(UPCALL_LOAD_FAULT, before);
}

static bool return_from_call(struct upcall_context *c)
{
    seen = *c;
    c->pc = c->x[1]; /* ra */
    return true;
}

static void fetch_faults(void)
{
    upcall_set(UPCALL_FETCH_PAGE, return_from_call);
    ((void (*)(void))0x6000)();
    CHECK_EQ(seen.cause, UPCALL_FETCH_PAGE);
    CHECK_EQ(seen.pc, 0x6000);
    /* Data isn't executable. */
    static uint64_t data[2];
    memset(&seen, 0, sizeof seen);
    ((void (*)(void))(uintptr_t)data)();
    CHECK_EQ(seen.cause, UPCALL_FETCH_PAGE);
    CHECK_EQ(seen.pc, (uint64_t)data);
}

/* Harts with compressed instructions have no misaligned jumps: bit 0 of a target is dropped (ISA
 * manual 2.5). */
static void odd_jump_targets_are_even(void)
{
    upcall_set(UPCALL_FETCH_PAGE, return_from_call);
    memset(&seen, 0, sizeof seen);
    ((void (*)(void))0x6001)();
    CHECK_EQ(seen.pc, 0x6000);
}

static void illegal_instruction(void)
{
    upcall_set(UPCALL_ILLEGAL, skip_four);
    /* vsetvli zero, zero, e8: also on a hart with vectors, since nobody's vector state is kept. */
    seen.cause = 0;
    __asm__ volatile(".word 0x00007057");
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
    memset(&seen, 0, sizeof seen);
    __asm__ volatile(".4byte 0xffffffff" ::: "memory");
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
    memset(&seen, 0, sizeof seen);
    __asm__ volatile("csrr a0, sstatus" ::: "a0", "memory"); /* privileged */
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
    memset(&seen, 0, sizeof seen);
    __asm__ volatile("sret" ::: "memory");
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
    memset(&seen, 0, sizeof seen);
    __asm__ volatile("wfi" ::: "memory");
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
    memset(&seen, 0, sizeof seen);
    __asm__ volatile("sfence.vma" ::: "memory");
    CHECK_EQ(seen.cause, UPCALL_ILLEGAL);
}

static int nested;

static bool fault_in_turn(struct upcall_context *c)
{
    char local[64];
    if (++nested < AEGIS_UPCALL_FRAMES) {
        memset(local, nested, sizeof local);
        __asm__ volatile("c.ebreak" ::"r"(local) : "memory");
        for (size_t i = 0; i < sizeof local; i++)
            CHECK_EQ(local[i], nested);
    }
    nested--;
    c->pc += 2;
    return true;
}

/* Handlers fault themselves, as deep as there are frames, again and again: depth comes back to 0
 * each time. */
static void nesting(void)
{
    upcall_set(UPCALL_BREAKPOINT, fault_in_turn);
    for (int i = 0; i < 1000; i++) {
        nested = 0;
        __asm__ volatile("c.ebreak" ::: "memory");
        CHECK_EQ(nested, 0);
    }
}

static char *below_stack;

static bool map_stack_page(struct upcall_context *c)
{
    uint64_t page = c->value & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    if (page < (uint64_t)below_stack)
        return false;
    return vm_map(0, page, test_page(), VM_READ_WRITE, NULL) == 0;
}

static int use_stack(int depth)
{
    volatile char room[1024];
    room[0] = (char)depth;
    return depth ? use_stack(depth - 1) + room[0] - (char)depth : 0;
}

/* The handler has a stack of its own, so it can even be what makes the stack grow. */
static void stack_grows_by_faults(void)
{
    below_stack = (char *)EXOS_START_ADDRESS - (1 << 20);
    upcall_set(UPCALL_STORE_PAGE, map_stack_page);
    CHECK_EQ(use_stack(500), 0);
}

static void probing(void)
{
    uint64_t value = 7;
    CHECK(upcall_probe(&value, &value) && value == 7);
    CHECK(!upcall_probe((const uint64_t *)0x7000, &value) && value == 7);
}

static bool answer_foreign(struct upcall_context *c)
{
    seen = *c;
    c->x[10] = c->x[10] + c->x[17];
    c->pc += 4;
    return true;
}

static uint64_t foreign(uint64_t number, uint64_t argument)
{
    register uint64_t a0 __asm__("a0") = argument;
    register uint64_t a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
    return a0;
}

/* Call numbers below the native range are another system's: the library gets them, with all
 * registers. */
static void foreign_calls(void)
{
    upcall_set(UPCALL_FOREIGN, answer_foreign);
    CHECK_EQ(foreign(64, 1000), 1064);
    CHECK_EQ(seen.cause, AEGIS_CAUSE_FOREIGN);
    CHECK_EQ(seen.x[17], 64);
    CHECK_EQ(foreign(0, 1), 1);
    CHECK_EQ(foreign(AEGIS_CALL_FIRST - 1, 1), AEGIS_CALL_FIRST);
}

/* No system call is made on the way back: the kernel's count of slices may go on, its calls don't.
 */
static void many(void)
{
    uint64_t before = upcall_count();
    upcall_set(UPCALL_BREAKPOINT, skip_two);
    for (int i = 0; i < 20000; i++)
        __asm__ volatile("c.ebreak" ::: "memory");
    CHECK_EQ(upcall_count() - before, 20000);
}

int main(void)
{
    breakpoint();
    registers_survive();
    a_reservation_ends_with_the_handler();
    page_faults();
    fetch_faults();
    odd_jump_targets_are_even();
    illegal_instruction();
    nesting();
    stack_grows_by_faults();
    probing();
    foreign_calls();
    many();
    return 0;
}
