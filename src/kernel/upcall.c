#include "kernel/upcall.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/direct.h"
#include "kernel/env.h"
#include "kernel/fpu.h"
#include "kernel/gate.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/slice_round.h"
#include "kernel/user.h"
#include "kernel/wake.h"

_Static_assert(offsetof(struct aegis_upcall_page, depth) == UPCALL_DEPTH, "entry.S");
_Static_assert(sizeof(((struct aegis_upcall_page *)0)->depth) == 4, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_page, frames) == 1 << FRAME_SHIFT, "entry.S");
_Static_assert(sizeof(struct aegis_upcall_frame) == 1 << FRAME_SHIFT, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, cause) == FRAME_CAUSE, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, pc) == FRAME_PC, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, value) == FRAME_VALUE, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t0) == FRAME_T0, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t1) == FRAME_T1, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t2) == FRAME_T2, "entry.S");
_Static_assert(AEGIS_UPCALL_FRAMES == FRAMES, "entry.S");

const char *upcall_cause_name(uint64_t cause)
{
    /* Privileged Architecture 1.12, table 4.2. */
    static const char *const names[] = {"instruction address misaligned",
                                        "instruction access fault",
                                        "illegal instruction",
                                        "breakpoint",
                                        "load address misaligned",
                                        "load access fault",
                                        "store address misaligned",
                                        "store access fault",
                                        "environment call",
                                        "environment call from S",
                                        "reserved",
                                        "reserved",
                                        "instruction page fault",
                                        "load page fault",
                                        "reserved",
                                        "store page fault"};

    return cause < sizeof(names) / sizeof(*names) ? names[cause] : "reserved";
}

/* Has env go on at pc, with what it needs to go back in frames[at]. */
static inline void enter_handler(struct env *env, uint64_t pc, uint64_t at, uint64_t cause,
                                 uint64_t value)
{
    struct aegis_upcall_frame *frame = &env->upcall->frames[at];

    frame->cause = cause;
    frame->pc = env->pc;
    frame->value = value;
    frame->t0 = env->x[REG_T0];
    frame->t1 = env->x[REG_T1];
    frame->t2 = env->x[REG_T2];
    env->upcall->depth = at + 1;
    env->x[REG_T0] = env->upcall_va + (uint64_t)((uint8_t *)frame - (uint8_t *)env->upcall);
    env->pc = pc;
}

/* Has entry.S take the next exceptions of env, which is about to go on, by itself. */
static void arm_direct(const struct env *env)
{
    if (post.trace_size) /* each is to be noted */
        return;
    this_hart->direct =
        (struct direct){.causes = DIRECT_ALWAYS | (fpu_is_of(env) ? DIRECT(CAUSE_ILLEGAL) : 0),
                        .upcall = env->upcall,
                        .upcall_va = env->upcall_va,
                        .handler = env->handler};
}

void upcall_exception(struct env *env, uint64_t cause, uint64_t value)
{
    /* Read once: the page is the application's, which shares it with whom it likes. */
    uint64_t depth = env->upcall ? env->upcall->depth : 0;

    if (!env->upcall || depth >= AEGIS_UPCALL_FRAMES) {
        env_begin_end(env, env->upcall ? AEGIS_EXIT_DEPTH : AEGIS_EXIT_EXCEPTION, cause, env->pc,
                      value);
        slice_next();
    }
    enter_handler(env, env->handler, depth, cause, value);
    arm_direct(env);
    env_enter(env);
}

/*
 * What a call that gave the processor away left of the registers becomes all of them. wait has
 * changed nothing yet: it is made again from the start.
 */
static void complete_registers(struct env *env)
{
    if (!env->in_call)
        return;
    env->in_call = false;
    memset(env->x, 0, sizeof(env->x[0]) * REG_SP);
    memset(&env->x[REG_T0], 0, (REG_A0 - REG_T0) * sizeof(env->x[0]));
    memset(&env->x[REG_A0 + 1], 0, (REGS - REG_A0 - 1) * sizeof(env->x[0]));
    if (env->state != ENV_WAITS)
        return;
    memcpy(&env->x[REG_A0], env->wake.arguments, sizeof(env->wake.arguments));
    env->x[REG_A7] = AEGIS_CALL_wait;
    env->pc -= 4;
    wake_cancel(env);
}

bool upcall_enter(struct env *env, uint64_t pc, uint64_t cause, uint64_t value)
{
    /* Read once. The frame that depth names may still be read by the tail of a handler that has
     * lowered depth just now: the next one is taken. */
    uint64_t depth = env->upcall ? env->upcall->depth : 0;

    if (!env->upcall || env->in_upcall || depth >= AEGIS_UPCALL_FRAMES - 1)
        return false;
    if (!gate_interrupt(env))
        return false;
    complete_registers(env);
    enter_handler(env, pc, depth + 1, cause, value);
    env->in_upcall = true;
    env->epilogue_frame = env->x[REG_T0];
    return true;
}

bool upcall_deliver(struct env *env, uint64_t cause, uint64_t value)
{
    return upcall_enter(env, env->handler, cause, value);
}

long call_resume(uaddr_t address, uint64_t depth)
{
    struct env *self = this_hart->env;
    struct aegis_context context;

    if (!user_read(&context, address, sizeof(context)))
        return -AEGIS_E_ADDRESS;
    if (depth >= AEGIS_UPCALL_FRAMES || context.pc % 2 || context.pc >= AEGIS_USER_END)
        return -AEGIS_E_RANGE;
    if (!self->upcall)
        return -AEGIS_E_STATE;

    memcpy(&self->x[1], context.x, sizeof(context.x));
    self->pc = context.pc;
    self->upcall->depth = depth;
    self->in_upcall = false;
    self->in_epilogue = false;
    env_enter(self);
}

static void unbind(struct env *self)
{
    if (self->upcall)
        page_unpin(page_of(virt_to_phys(self->upcall) >> PAGE_SHIFT));
    self->upcall = NULL;
    direct_forget();
}

long call_upcall_bind(uaddr_t page_va, uint64_t handler)
{
    struct env *self = this_hart->env;
    struct aegis_upcall_page *upcall;

    if (page_va == 0 && handler == 0) {
        unbind(self);
        self->epilogue = self->prologue = 0; /* they need its frames */
        return 0;
    }
    if (page_va % 64 || page_va % PAGE_SIZE > PAGE_SIZE - sizeof(*upcall) || handler % 2)
        return -AEGIS_E_ALIGNMENT;
    if (handler >= AEGIS_USER_END)
        return -AEGIS_E_RANGE;
    upcall = user_at(self, page_va, PTE_R | PTE_W);
    if (!upcall)
        return -AEGIS_E_ADDRESS;
    struct aegis_page *page = page_of(virt_to_phys(upcall) >> PAGE_SHIFT);
    if (page->owner != self->number || page->state != AEGIS_PAGE_DATA || !page_can_pin(page))
        return -AEGIS_E_ADDRESS;

    page_pin(page);
    unbind(self);
    self->upcall = upcall;
    self->upcall_va = page_va;
    self->handler = handler;
    arm_direct(self);
    return 0;
}
