/*
 * Where values are: in registers, or known and not yet anywhere.
 */
#include <string.h>

#include "ash/compile.h"

bool ash_known(const struct ash_compiler *c, unsigned reg, uint64_t *value)
{
    if (reg == 10) {
        *value = ASH_STACK_TOP;
        return c->function == 0;
    }
    *value = c->pending[reg].value;
    return c->pending[reg].waits;
}

enum rv64_reg ash_constant_in(struct ash_compiler *c, uint64_t value, enum rv64_reg temp)
{
    if (value == 0)
        return RV_ZERO;
    vcode_constant(&c->v, temp, value);
    return temp;
}

static void settle(struct ash_compiler *c, unsigned reg)
{
    struct ash_pending *p = &c->pending[reg];
    if (p->waits)
        vcode_constant(&c->v, ash_machine(c, reg), p->value);
    p->waits = false;
}

enum rv64_reg ash_fetch(struct ash_compiler *c, unsigned reg, enum rv64_reg temp)
{
    uint64_t value;
    if (reg == 10) {
        if (ash_known(c, 10, &value))
            return ash_constant_in(c, value, temp);
        rv_ld(&c->v, temp, ash_role(c, ASH_ROLE_RUN), ASH_RUN_REGION(ASH_REGION_STACK, delta));
        rv_sub(&c->v, temp, ash_role(c, ASH_ROLE_STACK), temp);
        return temp;
    }
    if (ash_known(c, reg, &value) && value == 0)
        return RV_ZERO;
    settle(c, reg);
    return ash_machine(c, reg);
}

enum rv64_reg ash_write(struct ash_compiler *c, unsigned reg)
{
    c->pending[reg].waits = false;
    if (c->cache.reg == reg)
        c->cache.valid = false;
    return ash_machine(c, reg);
}

void ash_write_constant(struct ash_compiler *c, unsigned reg, uint64_t value)
{
    ash_write(c, reg);
    c->pending[reg] = (struct ash_pending){true, value};
}

void ash_settle(struct ash_compiler *c)
{
    for (unsigned i = 0; i < 10; i++)
        settle(c, i);
}

void ash_forget_arguments(struct ash_compiler *c)
{
    for (unsigned i = 1; i <= 5; i++)
        c->pending[i].waits = false;
    if (c->cache.reg <= 5)
        c->cache.valid = false;
}

void ash_forget_cache(struct ash_compiler *c)
{
    c->cache.valid = false;
}
