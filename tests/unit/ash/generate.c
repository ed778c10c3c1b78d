#include "generate.h"

#include <string.h>

#define INSNS_MAX     400
#define FUNCTIONS_MAX 3

uint32_t choose(struct choices *c, uint32_t below)
{
    uint32_t value = 0;
    if (c->size) {
        unsigned bytes = below > 256 ? 2 : 1;
        while (bytes-- && c->size) {
            value = value << 8 | *c->bytes++;
            c->size--;
        }
    } else if (c->seed) {
        c->seed = c->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        value = (uint32_t)(c->seed >> 33);
    }
    return value % below;
}

struct builder {
    struct choices *c;
    struct ash_insn insns[INSNS_MAX + 64];
    bool starts[INSNS_MAX + 64]; /* a jump may lead here */
    uint32_t count;
    enum ash_event event;
    uint16_t
        allowed; /* of r0 to r9: a program that leaves some alone is compiled to other registers */
    bool frame;  /* r7 is the frame's start, r9 its end */
    uint32_t calls[32];
    unsigned call_count;
};

static void put(struct builder *b, uint8_t opcode, unsigned dst, unsigned src, int offset,
                int64_t imm)
{
    b->starts[b->count] = true;
    b->insns[b->count++] =
        (struct ash_insn){opcode, (uint8_t)(src << 4 | dst), (int16_t)offset, (int32_t)imm};
}

static void put_wide(struct builder *b, unsigned dst, unsigned src, uint32_t low, uint32_t high)
{
    put(b, 0x18, dst, src, 0, (int32_t)low);
    put(b, 0, 0, 0, 0, (int32_t)high);
    b->starts[b->count - 1] = false;
}

static int32_t some_imm(struct choices *c)
{
    static const int32_t edges[] = {
        0,         1,         2,         -1,     3,       4,      7,    8,   15,
        31,        32,        63,        64,     127,     128,    255,  256, 2047,
        2048,      -2048,     -2049,     0x7fff, 65535,   -32768, 4095, 60,  12,
        0x7ffffff, INT32_MAX, INT32_MIN, -8,     0x10000, 6,      14,   34,  0x3fc};
    if (choose(c, 4))
        return edges[choose(c, sizeof edges / sizeof *edges)];
    return (int32_t)(choose(c, 65536) << 16 | choose(c, 65536));
}

/* r0 to r9, those that hold pointers less often. */
static unsigned some_dst(struct choices *c)
{
    static const uint8_t pointers[] = {6, 7, 8, 9};
    return choose(c, 24) ? choose(c, 6) : pointers[choose(c, sizeof pointers)];
}

static unsigned some_src(struct choices *c)
{
    return choose(c, 11);
}

static void put_alu(struct builder *b)
{
    struct choices *c = b->c;
    static const uint8_t codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    unsigned code = codes[choose(c, sizeof codes)], class = choose(c, 2) ? 7 : 4;
    bool is_x = choose(c, 2);
    int offset = 0;
    if (code == 8) {
        put(b, (uint8_t)(0x80 | class), some_dst(c), 0, 0, 0);
        return;
    }
    if (code == 3 || code == 9)
        offset = (int)choose(c, 2);
    if (code == 11 && is_x) {
        static const int extensions[] = {0, 0, 8, 16, 32};
        offset = extensions[choose(c, class == 7 ? 5 : 4)];
    }
    if (is_x)
        put(b, (uint8_t)(code << 4 | 8 | class), some_dst(c), some_src(c), offset, 0);
    else
        put(b, (uint8_t)(code << 4 | class), some_dst(c), 0, offset, some_imm(c));
}

static void put_end(struct builder *b)
{
    static const uint8_t opcodes[] = {0xd4, 0xdc, 0xd7};
    put(b, opcodes[choose(b->c, 3)], some_dst(b->c), 0, 0, 16 << choose(b->c, 3));
}

/* An offset near what a base register can reach. */
static int some_offset(struct builder *b, unsigned base)
{
    struct choices *c = b->c;
    static const int stack[] = {-8, -16, -24, -32, -12, -256, -512, -505, -1, -4, -513, -520, 0};
    static const int frame[] = {0,  1,  4,  8,  12, 13, 14, 20, 23, 26,
                                30, 33, 34, 36, 40, 48, 59, 60, -1, 61};
    static const int other[] = {0, 4, 8, 16, 12, 1, 3, 7, 24, 32, -8, 20};
    unsigned wild = !choose(c, 12); /* the last of each list lead out, for some sizes */
    if (base == 10)
        return stack[choose(c, wild ? 13 : 7)];
    if (base == 7)
        return frame[choose(c, wild ? 20 : 16)];
    if (!choose(c, 100))
        return some_imm(c);
    return other[choose(c, wild ? 12 : 5)];
}

static unsigned some_base(struct builder *b)
{
    static const uint8_t likely[] = {10, 10, 10, 6, 7, 7, 7, 8, 8};
    return choose(b->c, 80) ? likely[choose(b->c, sizeof likely)] : choose(b->c, 11);
}

static void put_access(struct builder *b)
{
    struct choices *c = b->c;
    static const uint8_t loads[] = {0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x61, 0x71, 0x69};
    static const uint8_t stores[] = {0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b, 0x7b, 0x63};
    unsigned base = some_base(b);
    int offset = some_offset(b, base);
    if (choose(c, 2) || (base == 6 && b->event == ASH_EVENT_FRAME && choose(c, 16))) {
        put(b, loads[choose(c, sizeof loads)], some_dst(c), base, offset, 0);
        return;
    }
    uint8_t store = stores[choose(c, sizeof stores)];
    bool is_x = (store & 7) == 3;
    put(b, store, base, is_x ? some_src(c) : 0, offset, is_x ? 0 : some_imm(c));
}

static void put_atomic(struct builder *b)
{
    struct choices *c = b->c;
    static const uint8_t kinds[] = {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1};
    unsigned base = choose(c, 2) ? 8 : some_base(b), kind = kinds[choose(c, sizeof kinds)],
             src = choose(c, 10);
    int offset = some_offset(b, base);
    bool wide = choose(c, 2);
    if (choose(c, 16))
        offset &= wide ? -8 : -4;
    put(b, wide ? 0xdb : 0xc3, base, src, offset, kind);
}

static int jump_offset(int64_t from, int64_t to)
{
    return (int)(to - from - 1);
}

/* A jump forward over a few instructions that are not there yet, or back. */
static void put_jump(struct builder *b, uint32_t start)
{
    struct choices *c = b->c;
    static const uint8_t codes[] = {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13};
    uint8_t code = (uint8_t)(codes[choose(c, sizeof codes)] << 4), class = choose(c, 2) ? 5 : 6;
    int offset = (int)choose(c, 8);
    if (!choose(c, 6) && b->count > start) {
        uint32_t back = start + choose(c, b->count - start);
        if (b->starts[back])
            offset = jump_offset(b->count, back);
    }
    if (!choose(c, 12))
        put(b, 0x05, 0, 0, offset, 0);
    else if (!choose(c, 20))
        put(b, 0x06, 0, 0, 0, offset);
    else if (choose(c, 2))
        put(b, code | class, some_src(c), 0, offset, some_imm(c));
    else
        put(b, code | 8 | class, some_src(c), some_src(c), offset, 0);
}

/* r1 to r5 have no value behind a call. */
static void put_arguments(struct builder *b)
{
    for (unsigned i = 1; i <= 5; i++)
        put(b, 0xb7, i, 0, 0, some_imm(b->c));
}

/* A lookup and what is usually done with it. */
static void put_lookup(struct builder *b)
{
    struct choices *c = b->c;
    put(b, 0x62, 10, 0, -4, choose(c, 6));
    put(b, 0xbf, 2, 10, 0, 0);
    put(b, 0x07, 2, 0, 0, choose(c, 12) ? -4 : some_imm(c));
    put_wide(b, 1, 5, choose(c, 3), 0);
    put(b, 0x85, 0, 0, 0, 1);
    put_arguments(b);
    if (choose(c, 40))
        put(b, 0x15, 0, 0, 2, 0);
    put(b, 0xbf, 8, 0, 0, 0);
    put(b, 0x79, 3, 8, choose(c, 3) * 4, 0);
}

static void put_helper(struct builder *b)
{
    struct choices *c = b->c;
    static const uint8_t numbers[] = {1, 2, 5, 6, 7, 8, 23, 28, 44, 65};
    uint8_t number = numbers[choose(c, sizeof numbers)];
    if (number <= 2 && choose(c, 16))
        put_wide(b, 1, 5, choose(c, 3), 0);
    if (number == 44 || number == 65) {
        put_wide(b, 1, 0, ASH_BASE(ASH_REGION_CONTEXT), 0);
        put(b, 0xb7, 2, 0, 0, (int)choose(c, 64) - 32);
    } else if (choose(c, 16)) {
        put(b, 0xbf, 1 + (number > 2), 10, 0, 0);
        put(b, 0x07, 1 + (number > 2), 0, 0, -8);
        put(b, 0xbf, 2, 10, 0, 0);
        put(b, 0x07, 2, 0, 0, -8);
        put(b, 0xbf, 3, 10, 0, 0);
        put(b, 0x07, 3, 0, 0, -16);
    }
    if (number == 28) {
        put(b, 0xb7, 4, 0, 0, choose(c, 8) * 4);
        put(b, 0xb7, 2, 0, 0, choose(c, 8) * 4);
    }
    if (number == 6) {
        put(b, 0x72, 10, 0, -8, '%');
        put(b, 0x72, 10, 0, -7, "duxcsp%"[choose(c, 7)]);
        put(b, 0x72, 10, 0, -6, 0);
        put(b, 0xbf, 1, 10, 0, 0);
        put(b, 0x07, 1, 0, 0, -8);
        put(b, 0xb7, 2, 0, 0, 3);
    }
    put(b, 0x85, 0, 0, 0, number);
    put_arguments(b);
}

/* p = data + something; if (p + k > data_end) skip; load from p: the way to prove an access. */
static void put_check(struct builder *b)
{
    struct choices *c = b->c;
    unsigned p = 3 + choose(c, 2);
    int k = (int)choose(c, 70), skip = 3;
    if (!b->frame)
        return;
    put(b, 0xbf, p, 7, 0, 0);
    if (choose(c, 2)) {
        put(b, 0x57, 1, 0, 0, choose(c, 64));
        put(b, 0x0f, p, 1, 0, 0);
    }
    put(b, 0xbf, 5, p, 0, 0);
    put(b, 0x07, 5, 0, 0, k);
    static const uint8_t ways[] = {0x2d, 0x3d, 0x2e};
    put(b, ways[choose(c, 3)], 5, 9, skip, 0);
    put(b, 0x71, 0, p, (int)choose(c, (uint32_t)k + 2) - 1, 0);
    put(b, 0x73, p, 0, (int)choose(c, (uint32_t)k + 1), 0);
    put(b, 0x69, 2, p, 0, 0);
}

/* A loop over the frame, or over a map, tested at its end as compilers do it; the numbers fit each
 * other mostly. */
static void put_loop(struct builder *b)
{
    struct choices *c = b->c;
    int step = (int)choose(c, 5), size = 1 << choose(c, 3), first = (int)choose(c, 20);
    static const uint8_t loads[] = {0x71, 0x69, 0x61}, ends[] = {0xbd, 0xad, 0xbe};
    int back = choose(c, 8) ? -size : -step;
    put(b, 0xb7, 2, 0, 0, 0);
    put(b, 0xbf, 3, b->frame ? 7 : 8, 0, 0);
    put(b, 0x07, 3, 0, 0, first + size);
    if (choose(c, 8))
        put(b, 0x2d, 3, 9, 6, 0);
    uint32_t head = b->count;
    if (choose(c, 3))
        put(b, 0xbf, 4, 3, 0, 0);
    put(b, loads[choose(c, 3)], 0, choose(c, 2) ? 3 : 4, back, 0);
    if (!choose(c, 3))
        put(b, 0x73, 3, 0, back, 0);
    put_alu(b);
    put(b, 0x07, 3, 0, 0, choose(c, 12) ? step : -step);
    put(b, choose(c, 2) ? 0x07 : 0x04, 2, 0, 0, 1);
    if (choose(c, 2))
        put(b, 0x25, 2, 0, 1, choose(c, 100));
    put(b, ends[choose(c, 3)], 3 + !choose(c, 6), b->frame ? 9 : 5, jump_offset(b->count, head), 0);
}

static void put_frame(struct builder *b)
{
    put(b, 0x61, 7, 6, 0, 0);
    put(b, 0x61, 9, 6, 4, 0);
    b->frame = true;
}

static void put_call(struct builder *b)
{
    if (b->call_count == sizeof b->calls / sizeof *b->calls)
        return;
    b->calls[b->call_count++] = b->count;
    put(b, 0x85, 0, 1, 0, 0);
    put_arguments(b);
}

static void put_some(struct builder *b, uint32_t start, bool calls)
{
    switch (choose(b->c, 26)) {
    case 0 ... 7:
        put_alu(b);
        break;
    case 8:
        put_end(b);
        break;
    case 9 ... 13:
        put_access(b);
        break;
    case 14:
        put_atomic(b);
        break;
    case 15 ... 18:
        put_jump(b, start);
        break;
    case 19:
        put_lookup(b);
        break;
    case 20:
        if (b->event == ASH_EVENT_FRAME && choose(b->c, 3))
            put_check(b);
        else if (b->event == ASH_EVENT_FRAME)
            put_frame(b);
        else
            put_wide(b, some_dst(b->c), 0, (uint32_t)some_imm(b->c), (uint32_t)some_imm(b->c));
        break;
    case 21:
        put_wide(b, 8, 6, choose(b->c, 3), choose(b->c, 16));
        break;
    case 24:
        put_loop(b);
        break;
    case 22:
        if (calls && choose(b->c, 2))
            put_call(b);
        else
            put_alu(b);
        break;
    default:
        if (choose(b->c, 2))
            put_helper(b);
        else
            put_alu(b);
    }
}

/* Jumps forward that lead too far go to the exit. */
static void fix_jumps(struct builder *b, uint32_t start, uint32_t exit)
{
    for (uint32_t i = start; i < exit; i++) {
        struct ash_insn *insn = &b->insns[i];
        unsigned class = insn->opcode & 7;
        bool jumps = (class == 5 || class == 6) && insn->opcode != 0x85 && insn->opcode != 0x95;
        if (!jumps || !b->starts[i])
            continue;
        int64_t target = (int64_t)i + 1 + (insn->opcode == 0x06 ? insn->imm : insn->offset);
        while (target < exit && !b->starts[target])
            target++;
        if (target > exit)
            target = exit;
        if (insn->opcode == 0x06)
            insn->imm = jump_offset(i, target);
        else
            insn->offset = (int16_t)jump_offset(i, target);
    }
}

/* A function: gives all registers a value, does something, and returns. Jumps forward that lead too
 * far go to the exit. */
static void put_function(struct builder *b, bool first, uint32_t length)
{
    struct choices *c = b->c;
    uint32_t start = b->count;
    if (first) {
        put(b, 0xbf, 6, 1, 0, 0);
        for (unsigned i = 0; i <= 5; i++)
            if (i != 1 && !(i == 2 && b->event == ASH_EVENT_MEMORY))
                put(b, 0xb7, i, 0, 0, some_imm(c));
        put(b, 0xb7, 7, 0, 0, some_imm(c));
        put_wide(b, 8, 6, 0, 0);
        put(b, 0xb7, 9, 0, 0, some_imm(c));
        if (b->event == ASH_EVENT_FRAME)
            put_frame(b);
        else
            put(b, 0xbf, 7, 6, 0, 0);
    } else {
        put(b, 0xbf, 6, 1, 0, 0);
        put(b, 0xbf, 7, 2, 0, 0);
        put(b, 0xb7, 0, 0, 0, some_imm(c));
        put(b, 0xbf, 8, 3, 0, 0);
        put(b, 0xb7, 9, 0, 0, 4);
        b->frame = false;
    }
    uint32_t body = b->count;
    while (b->count < body + length)
        put_some(b, body, true);
    uint32_t exit = b->count;
    put(b, 0x95, 0, 0, 0, 0);
    fix_jumps(b, start, exit);
}

/*
 * A program that calls nothing and touches few registers, often not even r1: then the compiler has
 * registers of arguments to spare, and gives them other roles.
 */
static void put_sparse(struct builder *b, uint32_t length)
{
    struct choices *c = b->c;
    b->allowed = (uint16_t)(choose(c, 1024) | 1);
    for (unsigned i = 0; i < 10; i++)
        if (b->allowed >> i & 1 && choose(c, 3))
            put(b, 0xb7, i, 0, 0, some_imm(c));
        else if (b->allowed >> i & 1)
            put_wide(b, i, 6, choose(c, 3), 0);
    uint32_t body = b->count;
    while (b->count < body + length) {
        uint32_t before = b->count;
        if (choose(c, 3))
            put_alu(b);
        else if (choose(c, 2))
            put_jump(b, body);
        else if (choose(c, 3))
            put_access(b);
        else
            put_atomic(b);
        for (uint32_t i = before; i < b->count; i++) { /* keep to the registers that have a value */
            unsigned dst = b->insns[i].registers & 15, src = b->insns[i].registers >> 4;
            while (dst < 10 && !(b->allowed >> dst & 1))
                dst = (dst + 1) % 10;
            while (src < 10 && !(b->allowed >> src & 1))
                src = (src + 1) % 10;
            unsigned opcode = b->insns[i].opcode, class = opcode & 7;
            bool jump = class == 5 || class == 6, always = opcode == 0x05 || opcode == 0x06;
            bool reads = class == 1 || class == 3 ||
                         ((class == 4 || class == 7 || jump) && opcode & 8 && opcode != 0xdc);
            b->insns[i].registers = (uint8_t)((reads ? src : 0) << 4 | (always ? 0 : dst));
        }
    }
    put(b, 0x95, 0, 0, 0, 0);
}

size_t generate(struct choices *c, enum ash_event event, void *memory)
{
    struct builder b = {.c = c, .event = event};
    uint32_t starts[FUNCTIONS_MAX];
    if (choose(c, 4) == 0) {
        put_sparse(&b, 5 + choose(c, 60));
        fix_jumps(&b, 0, b.count - 1);
        return make_image(b.insns, b.count, event, memory);
    }
    unsigned functions = 1 + (choose(c, 3) == 0 ? 1 + choose(c, FUNCTIONS_MAX - 1) : 0);
    unsigned callers[32];
    for (unsigned f = 0; f < functions; f++) {
        unsigned before = b.call_count;
        starts[f] = b.count;
        put_function(&b, f == 0, 5 + choose(c, f == 0 ? 80 : 20));
        for (unsigned i = before; i < b.call_count; i++)
            callers[i] = f;
    }
    for (unsigned i = 0; i < b.call_count; i++) {
        struct ash_insn *call = &b.insns[b.calls[i]];
        if (callers[i] + 1 < functions)
            call->imm = jump_offset(b.calls[i],
                                    starts[callers[i] + 1 + choose(c, functions - callers[i] - 1)]);
        else
            *call = (struct ash_insn){0xb7, 0, 0, 1}; /* r0 = 1: there is none to call */
    }
    return make_image(b.insns, b.count, event, memory);
}

size_t make_image(const struct ash_insn *insns, uint32_t count, enum ash_event event, void *memory)
{
    static const struct ash_map_info maps[] = {
        {.name = "words", .type = 2, .key_size = 4, .value_size = 8, .entries = 4},
        {.name = "odd", .type = 2, .key_size = 4, .value_size = 12, .entries = 3},
        {.name = "text",
         .type = 2,
         .key_size = 4,
         .value_size = 16,
         .entries = 1,
         .flags = ASH_MAP_READ_ONLY | ASH_MAP_GLOBAL,
         .data_size = 16},
    };
    struct ash_header header = {.magic = ASH_MAGIC,
                                .version = ASH_VERSION,
                                .event = (uint16_t)event,
                                .insns = count,
                                .data = 16,
                                .maps = 3,
                                .name = "generated"};
    uint8_t *at = memory;
    memcpy(at, &header, sizeof header);
    memcpy(at += sizeof header, maps, sizeof maps);
    memcpy(at += sizeof maps, insns, count * sizeof *insns);
    memcpy(at += count * sizeof *insns, "%d hello, frame", 16);
    return (size_t)(at + 16 - (uint8_t *)memory);
}
