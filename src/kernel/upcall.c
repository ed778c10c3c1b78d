#include "kernel/upcall.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/page.h"
#include "kernel/slice.h"
#include "kernel/user.h"

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

void upcall_exception(struct env *env, uint64_t cause, uint64_t value)
{
    /* Read once: the page is the application's, which shares it with whom it likes. */
    uint64_t depth = env->upcall ? env->upcall->depth : 0;

    if (!env->upcall || depth >= AEGIS_UPCALL_FRAMES) {
        env_begin_end(env, env->upcall ? AEGIS_EXIT_DEPTH : AEGIS_EXIT_EXCEPTION, cause, env->pc,
                      value);
        slice_next();
    }
    struct aegis_upcall_frame *frame = &env->upcall->frames[depth];
    frame->cause = cause;
    frame->pc = env->pc;
    frame->value = value;
    frame->t0 = env->x[REG_T0];
    frame->t1 = env->x[REG_T1];
    frame->t2 = env->x[REG_T2];
    env->upcall->depth = depth + 1;
    env->x[REG_T0] = env->upcall_va + offsetof(struct aegis_upcall_page, frames[depth]);
    env->pc = env->handler;
    env_enter(env);
}

static void unbind(struct env *self)
{
    if (self->upcall)
        page_unpin(page_of(virt_to_phys(self->upcall) >> PAGE_SHIFT));
    self->upcall = NULL;
}

long call_upcall_bind(uaddr_t page_va, uint64_t handler)
{
    struct env *self = this_hart->env;
    struct aegis_upcall_page *upcall;

    if (page_va == 0 && handler == 0) {
        unbind(self);
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
    return 0;
}
