/*
 * The resume tail against upcalls that come between any two instructions (design section 4; src/kernel/upcall.c,
 * src/libos/upcall/entry.S).
 *
 * A program takes exceptions, their handlers take exceptions, and between any two instructions of the program, of
 * the entry, of a handler, of the tail the kernel may deliver an asynchronous upcall, whose handler takes exceptions,
 * too. What must hold: whoever was interrupted goes on at the same pc, with the same depth and with every register
 * as it was; gp, which carries the pc, excepted behind an exception. And no environment ends for want of a frame
 * unless so many are really under way.
 *
 * The instructions of the entry, of the tail and of the upcall's end are not copied here: assembly.py translates
 * entry.S (steps.pml). The kernel's side is quoted. Exceptions come from the program or from C, never from entry.S
 * itself: its stacks and its frame are there.
 *
 * A slice's end is such an upcall, too: its epilogue keeps the registers and yields, and the next slice begins in the
 * prologue, which resumes (src/libos/slice/entry.S, src/kernel/slice_round.c).
 *
 * ASSEMBLY src/libos/upcall/entry.S upcall_entry ".size upcall_entry, . - upcall_entry"
 * ASSEMBLY src/libos/slice/entry.S slice_epilogue ".section .bss.resident.hot.slice, "aw", @nobits"
 *
 * MUTATION UPCALL_AT_DEPTH "assertion violated .*x\[": an upcall takes the frame that depth names, which the tail still reads
 *   EDIT "addi +a1, a1, -1\n" -> ""
 * MUTATION UPCALL_AT_LAST "assertion violated .at<4": an upcall is delivered when no frame is left above depth's
 * MUTATION UPCALL_NESTS "assertion violated .*contexts": an upcall is delivered while another one is under way
 * MUTATION RESUME_KEEPS_DEPTH "assertion violated .*depth": resume leaves depth as it finds it
 * MUTATION RESUME_LEAVES_GP "assertion violated .*x\[": resume doesn't restore gp
 * MUTATION RESUME_STAYS_CLOSED "assertion violated .in_upcall==": resume doesn't let the next upcall in
 * MUTATION GP_NOT_SAVED "assertion violated .*x\[": the entry doesn't save gp
 *   EDIT "1, 2, 3, 4, 8," -> "1, 2, 4, 8,"
 * MUTATION ONE_STACK "assertion violated": an upcall's context goes where an exception's goes
 *   EDIT "bltz +t1, 3f" -> ""
 * MUTATION EXCEPTION_FROM_TOP "assertion violated": an exception of an upcall's handler goes to the exceptions' top
 *   EDIT "li +t1, 2 \* UPCALL_STACK_SIZE\n" -> "li t1, UPCALL_STACK_SIZE\n"
 * MUTATION LIGHT_FROM_TOP "assertion violated": the same, where the exception's handler is a light one
 *   EDIT "(srli +t1, t1, UPCALL_STACKS_SHIFT)\n" -> "srli t1, t1, UPCALL_STACKS_SHIFT - 1\n"
 * MUTATION HOOK_AT_TOP "assertion violated": a slice's hook begins at the very top of its stack, which looks like outside
 *   EDIT "asynchronous_stack_top - 16" -> "asynchronous_stack_top"
 * MUTATION LIGHT_KEEPS_FRAME "assertion violated": the frame's place isn't loaded again behind a light handler
 *   EDIT "ld +t0, LIGHT_FRAME.sp.\n" -> "\n"
 * MUTATION ENDS_IN_TAIL "assertion violated": an upcall goes back by the tail, as exceptions do
 *   EDIT "bltz +a1, asynchronous_end" -> ""
 * MUTATION PC_FROM_CONTEXT_LATE "assertion violated": the tail reads the pc after depth was lowered by one more
 *   EDIT "addi    t1, t1, -1\n" -> "addi    t1, t1, -2\n"
 */
/*= src/abi/abi.h :: AEGIS_UPCALL_FRAMES */
#include "registers.pml"
#define FRAMES 4 /*: #define AEGIS_UPCALL_FRAMES 4 */

/* Addresses: the page of frames, and the two stacks, each with room for FRAMES contexts; C needs none of it. */
#define PAGE                   4096
#define FRAMES_OFFSET          64
#define FRAME_SHIFT            6
#define upcall_stack           8192
#define CONTEXT_SIZE           16
#define UPCALL_STACK_SIZE      64
#define upcall_stack_top       (upcall_stack + UPCALL_STACK_SIZE)
#define asynchronous_stack_top (upcall_stack_top + UPCALL_STACK_SIZE)
#define CONTEXTS               9
#define slice_context          asynchronous_stack_top /* the last one */
#define SLICE_FRAMES           FRAMES_OFFSET
#define SLICE_FRAME_SHIFT      FRAME_SHIFT
#define LIGHT_SIZE             CONTEXT_SIZE
#define UPCALL_STACKS_SHIFT    7
#define upcall_lights          7000
#define upcall_counted         7500
#define __first_tls            7600
#define PROGRAM_SP_BELOW       6000
#define PROGRAM_SP_ABOVE       9000

#define UNSIGNED(value)  ((value) & 65535)
#define PAGE_AT(va)      ((va) - PAGE)
#define FRAME_AT(va)     (((va) - PAGE - FRAMES_OFFSET) >> FRAME_SHIFT)
#define LIGHT_OF(va)     (((va) - upcall_lights) >> 3)
#define CONTEXT_AT(va)   (((va) - upcall_stack) / CONTEXT_SIZE)

#define CALL_RESUME  37
#define SLICE_CALL_RESUME CALL_RESUME
#define SLICE_CALL_YIELD  1
#define EXCEPTION    3
#define UPCALL_CAUSE_END 16
#define ASYNCHRONOUS (-1)
#define JUNK         99 /* what is nobody's: left by C, or where nothing is to be read any more */

/* Places of the program and of C; those below are entry.S's. */
#define PROGRAM           200
#define C_upcall_dispatch 201
#define C_BODY            202
#define C_LIGHT           203
#define C_LIGHT_BODY      204
#define C_slice_is_over   205
#define C_slice_is_here   206
#define C_HOOK_BODY       207
#define ENDED             208

typedef pinned_frame {
    short cause, pc, value, t0, t1, t2
};
typedef saved_context {
    short x0, x[REGISTERS], pc, cause, value, frame;
    short c_ra, c_s0; /* what C saved below */
};
typedef interruption { /* ghost: what has to be again */
    short x[REGISTERS], pc, old_depth, context;
    bool asynchronous
};

short x[REGISTERS];
short pc;
short page[1], lights[EXCEPTION + 1]; /* handlers by cause: none, or a light one */
#define depth page[0]
pinned_frame frames[FRAMES];
saved_context contexts[CONTEXTS];
bool in_upcall;
short epilogue_frame;

#define LEVELS 6
interruption under_way[LEVELS];
byte level, exceptions, upcalls;
byte i;
short at;

#define COPY(to, from) \
    d_step { \
        i = 0; \
        do \
        :: i < REGISTERS -> to[i] = from[i]; i++ \
        :: else -> break \
        od; \
        i = 0 \
    }

short nothing[REGISTERS]; /* JUNK */

inline forget_context()
{
    COPY(contexts[at].x, nothing);
    contexts[at].x0 = JUNK;
    contexts[at].pc = JUNK;
    contexts[at].cause = JUNK;
    contexts[at].frame = JUNK;
    contexts[at].value = JUNK;
    contexts[at].c_ra = JUNK;
    contexts[at].c_s0 = JUNK
}

inline forget_frame()
{
    frames[at].cause = JUNK;
    frames[at].pc = JUNK;
    frames[at].value = JUNK;
    frames[at].t0 = JUNK;
    frames[at].t1 = JUNK;
    frames[at].t2 = JUNK
}

inline interrupt(is_asynchronous)
{
    assert(level < LEVELS);
    COPY(under_way[level].x, x);
    under_way[level].pc = pc;
    under_way[level].old_depth = depth;
    under_way[level].context = JUNK;
    under_way[level].asynchronous = is_asynchronous;
    level++
}

/*= src/kernel/upcall.c enter_handler :: frame|depth|env-> */
inline enter_handler(to, cause_of, value_of)
{
    assert(at < FRAMES);         /*: struct aegis_upcall_frame *frame = &env->upcall->frames[at] */
    frames[at].cause = cause_of; /*: frame->cause = cause */
    frames[at].pc = pc;          /*: frame->pc = env->pc */
    frames[at].value = value_of; /*: frame->value = value */
    frames[at].t0 = x[R_t0];     /*: frame->t0 = env->x[REG_T0] */
    frames[at].t1 = x[R_t1];     /*: frame->t1 = env->x[REG_T1] */
    frames[at].t2 = x[R_t2];     /*: frame->t2 = env->x[REG_T2] */
    depth = at + 1;              /*: env->upcall->depth = at + 1 */
    /*: env->x[REG_T0] = env->upcall_va + (uint64_t)((uint8_t *)frame - (uint8_t *)env->upcall) */
    x[R_t0] = PAGE + FRAMES_OFFSET + (at << FRAME_SHIFT);
    pc = to                      /*: env->pc = pc */
}

/* The same without C, for most exceptions: atomic, too, since no interrupt comes while the kernel runs. */
/*= src/kernel/rv64/entry.S trap_direct :: DEPTH|FRAMES|FRAME_|sepc|trap_indirect */
/*: lwu t0, UPCALL_DEPTH(t1) */ /*: addi t0, t0, -FRAMES */ /*: bgez t0, trap_indirect */
/*: addi t0, t0, FRAMES + 1 */ /*: sw t0, UPCALL_DEPTH(t1) */ /*: slli t0, t0, FRAME_SHIFT */
/*: sd t2, FRAME_T2(t1) */ /*: csrrw t2, sepc, t2 */ /*: sd t2, FRAME_PC(t1) */
/*: sd t2, FRAME_CAUSE(t1) */ /*: sd t2, FRAME_VALUE(t1) */
/*: sd t2, FRAME_T0(t1) */ /*: sd t2, FRAME_T1(t1) */

/*= src/kernel/upcall.c upcall_exception :: depth|begin_end|enter_handler */
inline upcall_exception()
{
    interrupt(false);
    exceptions++;
    /*: uint64_t depth = env->upcall ? env->upcall->depth : 0 */
    if
    :: depth >= FRAMES -> /*: if (!env->upcall || depth >= AEGIS_UPCALL_FRAMES) */
        /*: env_begin_end(env, env->upcall ? AEGIS_EXIT_DEPTH : AEGIS_EXIT_EXCEPTION, cause, env->pc, value) */
        assert(exceptions + 2 * upcalls > FRAMES);
        pc = ENDED
    :: else ->
        at = depth;
        enter_handler(L_upcall_entry, EXCEPTION, 5) /*: enter_handler(env, env->handler, depth, cause, value) */
    fi
}

/*= src/kernel/upcall.c upcall_enter :: depth|in_upcall|enter_handler|complete */
/*: uint64_t depth = env->upcall ? env->upcall->depth : 0 */
/*: if (!env->upcall || env->in_upcall || depth >= AEGIS_UPCALL_FRAMES - 1) return false */
#ifdef UPCALL_NESTS
#define MAY_DELIVER (depth < FRAMES - 1 && level < LEVELS)
#elif defined(UPCALL_AT_LAST)
#define MAY_DELIVER (!in_upcall && depth < FRAMES)
#else
#define MAY_DELIVER (!in_upcall && depth < FRAMES - 1)
#endif
inline upcall_enter(to_pc)
{
    interrupt(true); /*: complete_registers(env) */ /* they are complete */
    upcalls++;
#ifdef UPCALL_AT_DEPTH
    at = depth;
#else
    at = depth + 1;
#endif
    enter_handler(to_pc, ASYNCHRONOUS, 6); /*: enter_handler(env, pc, depth + 1, cause, value) */
    in_upcall = true;               /*: env->in_upcall = true */
    epilogue_frame = x[R_t0]
}

/* Who was interrupted goes on: everything is as it was, and what was used for it is nobody's any more. */
inline is_as_before(is_asynchronous)
{
    level--;
    assert(under_way[level].asynchronous == is_asynchronous);
    assert(pc == under_way[level].pc);
    assert(depth == under_way[level].old_depth);
    i = 0;
    do
    :: i < REGISTERS -> assert((i == R_gp && !is_asynchronous) || x[i] == under_way[level].x[i]); i++
    :: else -> break
    od;
    at = CONTEXT_AT(under_way[level].context);
    forget_context();
    at = (is_asynchronous -> depth + 1 : depth);
    forget_frame();
    COPY(under_way[level].x, nothing);
    under_way[level].pc = JUNK;
    under_way[level].old_depth = JUNK;
    under_way[level].context = JUNK;
    under_way[level].asynchronous = false;
    at = 0
}

/* What entry.S's steps end in. */
#define RETURN(to) \
    pc = to; \
    is_as_before(false); \
    x[R_gp] = JUNK; /* whatever it is: nobody reads it */ \
    exceptions--
#define EBREAK(next) assert(false)
#define ECALL(next) \
    if \
    :: x[R_a7] == SLICE_CALL_YIELD -> call_yield() \
    :: else -> \
        assert(x[R_a7] == CALL_RESUME); \
        call_resume() \
    fi

/*= src/kernel/slice_round.c call_yield :: epilogue_frame|prologue */
inline call_yield()
{
    d_step {
        i = 0; /* of a call that gives the processor away sp, gp and tp stay */
        do
        :: i < R_f0 ->
            if
            :: i == R_sp || i == R_gp || i == R_tp
            :: else -> x[i] = JUNK
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
    /*: if (self->prologue) */
    x[R_a0] = epilogue_frame; /*: self->x[REG_A0] = self->epilogue_frame */
    pc = L_slice_prologue     /*: self->pc = self->prologue */
}

/*= src/kernel/upcall.c call_resume :: context|self|depth */
inline call_resume()
{
    at = CONTEXT_AT(x[R_a0]); /*: struct env *self = this_hart->env */ /*: struct aegis_context context */
    /*: if (!user_read(&context, address, sizeof(context))) return -AEGIS_E_ADDRESS */
    /*: if (depth >= AEGIS_UPCALL_FRAMES || context.pc % 2 || context.pc >= AEGIS_USER_END) return -AEGIS_E_RANGE */
    assert(x[R_a1] < FRAMES && x[R_a1] >= 0);
#ifndef RESUME_KEEPS_DEPTH
    depth = x[R_a1]; /* before the register goes */
#endif
    /*: if (!self->upcall) return -AEGIS_E_STATE */
    i = 0; /*: memcpy(&self->x[1], context.x, sizeof(context.x)) */
    do
    :: i < R_f0 ->
#ifdef RESUME_LEAVES_GP
        if
        :: i != R_gp -> x[i] = contexts[at].x[i]
        :: else
        fi;
#else
        x[i] = contexts[at].x[i];
#endif
        i++
    :: else -> break
    od;
    pc = contexts[at].x0; /*: self->pc = context.pc */
                          /*: self->upcall->depth = depth */
#ifndef RESUME_STAYS_CLOSED
    in_upcall = false;    /*: self->in_upcall = false */
#endif
                          /*: self->in_epilogue = false */
    upcalls--;
    is_as_before(true);   /*: env_enter(self) */
#ifndef UPCALL_NESTS
    assert(in_upcall == (upcalls > 0))
#endif
}

/* C keeps ra and s0 on its stack, and uses what it likes; a light handler not the floating-point registers. */
inline c_begins(is_light, body, context_is)
{
    at = CONTEXT_AT(x[R_sp]);
    assert(x[R_a0] == context_is);
    assert(is_light || contexts[at].cause == (under_way[level - 1].asynchronous -> ASYNCHRONOUS : EXCEPTION));
    under_way[level - 1].context = context_is;
    contexts[at].c_ra = x[R_ra];
    contexts[at].c_s0 = x[R_s0];
    i = 0;
    do
    :: i < REGISTERS ->
        if
        :: i == R_sp || i == R_gp || i == R_tp || (is_light && (i == R_f0 || i == R_fcsr))
        :: else -> x[i] = JUNK
        fi;
        i++
    :: else -> break
    od;
    i = 0;
    at = 0;
    pc = body
}

inline c_returns()
{
    x[R_s0] = contexts[CONTEXT_AT(x[R_sp])].c_s0;
    pc = contexts[CONTEXT_AT(x[R_sp])].c_ra;
    contexts[CONTEXT_AT(x[R_sp])].c_s0 = JUNK;
    contexts[CONTEXT_AT(x[R_sp])].c_ra = JUNK
}

active proctype hart()
{
    d_step {
        do
        :: i < REGISTERS -> x[i] = 100 + i; nothing[i] = JUNK; i++
        :: else -> break
        od;
        i = 0;
        x[R_gp] = JUNK;
        pc = PROGRAM;
        do
        :: at < CONTEXTS -> forget_context(); at++
        :: else -> break
        od;
        at = 0;
        do
        :: at < FRAMES -> forget_frame(); at++
        :: else -> break
        od;
        at = 0;
        do
        :: level < LEVELS ->
            COPY(under_way[level].x, nothing);
            under_way[level].pc = JUNK;
            under_way[level].old_depth = JUNK;
            under_way[level].context = JUNK;
            level++
        :: else -> break
        od;
        level = 0
    }
    if
    :: x[R_sp] = PROGRAM_SP_BELOW
    :: x[R_sp] = PROGRAM_SP_ABOVE
    fi;
    if
    :: lights[EXCEPTION] = C_LIGHT
    :: true
    fi;
end_of_program:
    do
    :: atomic { pc == PROGRAM || pc == C_BODY || pc == C_LIGHT_BODY || pc == C_HOOK_BODY -> upcall_exception() }
    :: atomic { MAY_DELIVER && pc != ENDED -> upcall_enter(L_upcall_entry) }
    :: atomic { MAY_DELIVER && pc != ENDED -> upcall_enter(L_slice_epilogue) }
    :: atomic { pc == C_upcall_dispatch -> c_begins(false, C_BODY, x[R_sp]) }
    :: atomic { pc == C_LIGHT -> c_begins(true, C_LIGHT_BODY, x[R_sp]) }
    :: atomic { pc == C_slice_is_over || pc == C_slice_is_here -> c_begins(true, C_HOOK_BODY, slice_context) }
    :: atomic { pc == C_BODY || pc == C_HOOK_BODY -> c_returns() }
    :: atomic { pc == C_LIGHT_BODY -> x[R_a0] = 0; c_returns() } /* declines */
    :: atomic { pc == C_LIGHT_BODY -> x[R_a0] = 1; c_returns() }
#include "steps.pml"
    :: pc == ENDED -> break
    od
}
