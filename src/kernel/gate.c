#include "kernel/gate.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/expose.h"
#include "kernel/rv64/timer.h"
#include "kernel/slice_round.h"
#include "kernel/turn.h"
#include "kernel/user.h"
#include "kernel/wake.h"

/* Bind. */

long call_gate_bind(uint32_t index, uaddr_t capability)
{
    struct env *self = this_hart->env;
    struct aegis_cap cap;

    if (index >= AEGIS_GATES)
        return -AEGIS_E_RANGE;
    if (!user_read(&cap, capability, sizeof(cap)))
        return -AEGIS_E_ADDRESS;
    uint64_t number = AEGIS_CAP_INDEX(cap.name);
    if (number == 0 || number >= ENV_COUNT)
        return -AEGIS_E_CAPABILITY;
    long error = cap_check(&cap, AEGIS_KIND_ENV, number, AEGIS_RIGHT_CALL);
    if (error)
        return error;
    uint8_t state = env_infos[number].state;
    if (state != AEGIS_ENV_CREATED && state != AEGIS_ENV_LIVE)
        return -AEGIS_E_STATE;
    if (self->gates[index])
        return -AEGIS_E_IN_USE;

    self->gates[index] = env_table[number];
    return 0;
}

/* What a gate leads to: 0 and who, or a negated error. */
static long find(uint32_t index, struct env **callee)
{
    if (index >= AEGIS_GATES)
        return -AEGIS_E_RANGE;
    *callee = this_hart->env->gates[index];
    return *callee ? 0 : -AEGIS_E_NO_GATE;
}

long call_gate_unbind(uint32_t index)
{
    struct env *callee;
    long error = find(index, &callee);

    if (!error)
        this_hart->env->gates[index] = NULL;
    return error;
}

/* self takes calls again: of anybody, or of those who wait already. */
static void open_to_callers(struct env *self)
{
    self->kept = self->entry > 0 && turn_is_awaited(self);
    self->state = self->kept ? ENV_CLOSED : self->entry;
}

long call_gate_accept(uint64_t entry, uint64_t send_entry)
{
    struct env *self = this_hart->env;

    if (entry % 2 || send_entry % 2 || entry >= AEGIS_USER_END || send_entry >= AEGIS_USER_END)
        return -AEGIS_E_RANGE;
    if (!entry && !send_entry)
        return -AEGIS_E_INVALID;
    if (self->caller < 0 || self->caller == GATE_HELD)
        return -AEGIS_E_STATE;

    if (self->in_epilogue)
        slice_epilogue_ends(self);
    self->caller = GATE_NOBODY;
    self->entry = entry ? (int64_t)entry : ENV_CLOSED;
    self->send_entry = send_entry;
    self->accepted = (struct gate_accepted){
        .pc = csr_read(sepc),
        .sp = this_hart->user_sp,
        .gp = gp_read(),
        .tp = this_hart->user_tp,
    };
    self->wake.deadline = gate_deadline(self);
    open_to_callers(self);
    slice_next();
}

/* Use: what transfer.S does not do itself, and all of it in kernels that watch calls. These return
 * to transfer.S with the number of who is left; the address space is that of who is entered. */

/* The rest of the slice goes along; below a minimum the callee could hardly begin. */
static bool is_too_late(void)
{
    return time_now() >= this_hart->donate_until;
}

/* callee can't be called now. When it has served whom it serves, it is the caller's turn: so that
 * one must not be returned to by the short way. */
static long wait_for(struct env *callee)
{
    if (callee != this_hart->env) {
        turn_wait(callee);
        gate_hold_caller(callee);
    }
    return -AEGIS_E_BUSY;
}

long call_gate_call(uint32_t index)
{
    struct env *self = this_hart->env, *callee;
    long error = find(index, &callee);

    if (error)
        return error;
    bool is_kept = callee->state == ENV_CLOSED && callee->kept && !callee->forced;
    if (callee->state <= 0 && !is_kept)
        return wait_for(callee);
    if (is_too_late())
        return -AEGIS_E_TIME;
    if (is_kept && !turn_begin(callee))
        return -AEGIS_E_BUSY;

    self->pc = csr_read(sepc);
    csr_write(sepc, (uint64_t)callee->entry);
    self->state = gate_word(callee);
    callee->state = ENV_RUNS;
    callee->kept = false;
    callee->caller = gate_word(self);
    if (is_kept && turn_is_awaited(callee))
        gate_hold_caller(callee);
    env_switch(callee);
    return self->number;
}

long call_gate_return(void)
{
    struct env *self = this_hart->env, *caller;

    if (self->caller == GATE_NOBODY)
        return -AEGIS_E_STATE;
    if (self->caller == GATE_ORPHAN) {
        self->caller = GATE_NOBODY;
        return -AEGIS_E_PEER_DIED;
    }
    caller = self->caller == GATE_HELD ? self->held_caller : gate_env(self->caller);
    if (caller->forced || this_hart->epilogue || self->in_epilogue)
        return -AEGIS_E_BUSY;

    open_to_callers(self);
    csr_write(sepc, caller->pc + 4);
    caller->state = ENV_RUNS;
    env_switch(caller);
    return self->number;
}

long call_gate_send(uint32_t index, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
    struct env *callee;
    long error = find(index, &callee);

    if (error)
        return error;
    if (!callee->send_entry)
        return -AEGIS_E_STATE;
    if (callee->mail.sender)
        return -AEGIS_E_BUSY;

    callee->mail = (struct gate_mail){this_hart->env->number, {w0, w1, w2, w3}};
    /* Who waits for predicates keeps its own deadline: it takes the mail when it accepts. */
    if (callee->state != ENV_WAITS)
        callee->wake.deadline = gate_deadline(callee);
    return 0;
}

bool gate_take_mail(struct env *env)
{
    if (!gate_accepts(env) || !gate_has_mail(env))
        return false;
    memset(env->x, 0, sizeof(env->x));
    env->x[REG_T0] = env->mail.sender;
    memcpy(&env->x[REG_A0], env->mail.words, sizeof(env->mail.words));
    env->pc = env->send_entry;
    env->mail.sender = 0;
    env->caller = GATE_NOBODY;
    env->in_call = false;
    env->wake.deadline = gate_deadline(env);
    env->state = ENV_RUNS;
    return true;
}

bool gate_interrupt(struct env *env)
{
    if (!gate_accepts(env))
        return !gate_calls(env);
    memset(env->x, 0, sizeof(env->x));
    env->x[REG_SP] = env->accepted.sp;
    env->x[REG_GP] = env->accepted.gp;
    env->x[REG_TP] = env->accepted.tp;
    env->x[REG_A0] = env->entry > 0 ? (uint64_t)env->entry : 0;
    env->x[REG_A0 + 1] = env->send_entry;
    env->x[REG_A7] = AEGIS_CALL_gate_accept;
    env->pc = env->accepted.pc;
    env->caller = GATE_NOBODY;
    env->in_call = false;
    env->state = ENV_RUNS;
    return true;
}

void gate_hold_caller(struct env *env)
{
    if (env->caller >= 0)
        return;
    env->held_caller = gate_env(env->caller);
    env->caller = GATE_HELD;
}

void gate_hold(struct env *env)
{
    if (gate_calls(env))
        gate_hold_caller(gate_env(env->state));
    else if (gate_accepts(env))
        env->state = ENV_CLOSED;
}

void gate_release(struct env *env)
{
    if (gate_calls(env))
        gate_env(env->state)->caller = gate_word(env);
    else if (gate_accepts(env))
        open_to_callers(env);
}

/* Abort. */

/* Clears the gates to callee in all tables but one. */
static void clear(const struct env *callee, const struct env *but)
{
    for (uint32_t n = 1; n < env_numbers; n++) {
        struct env *env = env_table[n];
        if (!env || env == but)
            continue;
        for (uint32_t i = 0; i < AEGIS_GATES; i++)
            if (env->gates[i] == callee)
                env->gates[i] = NULL;
    }
}

/* Whom env serves goes on behind its call; of its registers the kernel has nothing but pc. */
static void fail_caller(struct env *env)
{
    struct env *caller = env->caller == GATE_HELD ? env->held_caller
                         : env->caller < 0        ? gate_env(env->caller)
                                                  : NULL;

    if (!caller || gate_accepts(env))
        return;
    memset(caller->x, 0, sizeof(caller->x));
    caller->x[REG_A0] = (uint64_t)-AEGIS_E_PEER_DIED;
    caller->pc += 4;
    caller->in_call = false;
    caller->state = ENV_RUNS;
}

void gate_end_env(struct env *env)
{
    fail_caller(env);
    turn_leave(env);
    turn_end(env);
    if (gate_calls(env))
        gate_env(env->state)->caller = GATE_ORPHAN;
    env->state = ENV_RUNS;
    env->caller = GATE_NOBODY;
    env->mail.sender = 0;
    clear(env, NULL);
}

void gate_sever_env(uint32_t number)
{
    if (env_table[number])
        clear(env_table[number], this_hart->env);
}

bool gate_valid(uint64_t number)
{
    return number / AEGIS_GATES < ENV_COUNT && env_table[number / AEGIS_GATES] &&
           env_table[number / AEGIS_GATES]->gates[number % AEGIS_GATES];
}

uint32_t gate_owner(uint64_t number)
{
    return (uint32_t)(number / AEGIS_GATES);
}

uint64_t *gate_generation(uint64_t number)
{
    return &env_table[number / AEGIS_GATES]->gate_generation;
}

uint64_t gate_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < AEGIS_GATES; i++)
        count += env->gates[i] != NULL;
    return count;
}

bool gate_take(struct env *env, uint64_t *number)
{
    for (uint32_t i = AEGIS_GATES; i-- > 0;)
        if (env->gates[i]) {
            env->gates[i] = NULL;
            *number = (uint64_t)env->number * AEGIS_GATES + i;
            return true;
        }
    return false;
}
