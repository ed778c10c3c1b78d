/*
 * ASH: handlers of the application that run in the kernel, after "ASHs: Application-Specific
 * Handlers for High-Performance Messaging" (Wallach, Engler and Kaashoek, SIGCOMM 1996).
 *
 * A handler is a BPF program (RFC 9669) in the shape of a Linux XDP program. It computes only with
 * 32-bit sandbox addresses, so no register, stack slot or map ever holds an address of the kernel:
 *
 *   0x00000000  nothing: null faults
 *   0x01000000  struct xdp_md, read-only
 *   0x02000000  stack; r10 of the first function is 0x02001000, each call goes 512 bytes down
 *   0x03000000  the frame's buffer; valid is [data, data_end)
 *   0x04000000  map 0; map n at 0x04000000 + n * 0x01000000
 *   0x14000000  window 0; window n at 0x14000000 + n * 0x01000000
 *
 * The verifier proves accesses in bounds. Where it can't, the program is not refused; the access is
 * checked when it runs, and aborts the handler if it is outside. Loops are allowed and burn fuel.
 *
 * The way of a handler, in the kernel as on the host:
 *
 *   ash_image_open     a view on an untrusted image
 *   ash_verify_*       image -> program, in steps
 *   ash_compile_*      program -> RV64 code, in steps
 *   ash_run_*          sets up what a run needs: once a binding, then ash_run_frame for each frame
 *   handler(run)       the compiled code, or ash_interpret(program, run), its oracle
 *
 * The library is free-standing: no heap, no global state, no recursion, at most 1 KiB of stack a
 * function. Compiled code and interpreter agree in every result, in fuel, and in what they abort
 * for.
 */
#ifndef ASH_ASH_H
#define ASH_ASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ash_error {
#define ASH_ERROR(name, value, sentence) ASH_E_##name = value,
#include "ash/errors.def"
#undef ASH_ERROR
};

/* A sentence for an ASH_E_*; never null. */
const char *ash_strerror(int error);

/*
 * The image of a handler, little-endian, 8-byte aligned; ashc writes it, the kernel is given it:
 *
 *   struct ash_header
 *   struct ash_map_info [maps]
 *   struct ash_insn     [insns]   begins with the handler's first function
 *   struct ash_line     [lines]   by rising insn
 *   char                [text]    names of source files, each ended by a zero
 *   uint8_t             [data]    initial contents of maps
 */
#define ASH_MAGIC     0x48534141u /* "AASH" */
#define ASH_VERSION   1
#define ASH_INSNS_MAX 4096
#define ASH_MAPS_MAX  16
#define ASH_LINES_MAX ASH_INSNS_MAX
#define ASH_TEXT_MAX  4096
#define ASH_DATA_MAX  (1 << 20)
#define ASH_MAP_MAX   (1 << 24) /* bytes of one map */
#define ASH_NAME_SIZE 16
#define ASH_IMAGE_MAX (2 << 20) /* bytes: no image is larger */

/* What a handler is for; tells its arguments. */
enum ash_event {
    ASH_EVENT_FRAME = 1,  /* r1 = address of struct ash_md */
    ASH_EVENT_MEMORY = 2, /* r1 = address of window 0, r2 = its length: ashc run */
};

struct ash_header {
    uint32_t magic;   /* ASH_MAGIC */
    uint16_t version; /* ASH_VERSION */
    uint16_t event;   /* enum ash_event */
    uint32_t insns;   /* 8-byte units; a 64-bit load of a constant is two */
    uint32_t lines;
    uint32_t text; /* bytes */
    uint32_t data; /* bytes */
    uint16_t maps;
    uint16_t reserved[3];     /* 0 */
    char name[ASH_NAME_SIZE]; /* zero-padded, at least one zero */
};
_Static_assert(sizeof(struct ash_header) == 48, "layout");

/* One instruction, RFC 9669 section 3. */
struct ash_insn {
    uint8_t opcode;
    uint8_t registers; /* destination in the low, source in the high 4 bits */
    int16_t offset;
    int32_t imm;
};
_Static_assert(sizeof(struct ash_insn) == 8, "layout");

/* Types of maps, by their numbers in linux/bpf.h. One hart runs a handler at a time, so that one
   copy of a per-CPU array is enough. */
enum ash_map_type { ASH_MAP_ARRAY = 2, ASH_MAP_PERCPU_ARRAY = 6 };

#define ASH_MAP_READ_ONLY 1 /* stores by the handler abort it: .rodata */
#define ASH_MAP_GLOBAL    2 /* holds variables (.data, .bss, .rodata) rather than a declared map */

struct ash_map_info {
    char name[ASH_NAME_SIZE];
    uint32_t type;       /* enum ash_map_type */
    uint32_t key_size;   /* 4 */
    uint32_t value_size; /* at least 1; entries lie ash_map_stride apart */
    uint32_t entries;
    uint32_t flags;     /* ASH_MAP_* */
    uint32_t data;      /* initial contents from entry 0 on: offset in the image's data */
    uint32_t data_size; /* bytes; what is behind them starts as zero */
    uint32_t reserved;  /* 0 */
};
_Static_assert(sizeof(struct ash_map_info) == 48, "layout");

struct ash_line {
    uint32_t insn; /* from this instruction on */
    uint32_t line;
    uint32_t file; /* offset of its name in the text */
};
_Static_assert(sizeof(struct ash_line) == 12, "layout");

/* A view on an image, valid as long as it stays where it is and unchanged. */
struct ash_image {
    const struct ash_header *header;
    const struct ash_map_info *maps;
    const struct ash_insn *insns;
    const struct ash_line *lines;
    const char *text;
    const uint8_t *data;
};

/*
 * Checks header, sizes and maps of an untrusted image and makes a view; lines, text and program are
 * ash_verify's. The image stays in the caller's memory, which nobody may change from the call on.
 * Returns 0 or an ASH_E_*, and then view is unchanged.
 */
int ash_image_open(const void *image, size_t size, struct ash_image *view);

/* Bytes from one entry of a map to the next: value_size, rounded up to 8. */
static inline uint32_t ash_map_stride(const struct ash_map_info *map)
{
    return (map->value_size + 7) & ~7u;
}

/* Bytes of memory that a map needs; at most 16 MiB. It belongs to the handler's owner, who fills it
   with the map's initial contents before the handler is bound. */
static inline uint32_t ash_map_size(const struct ash_map_info *map)
{
    return ash_map_stride(map) * map->entries;
}

/* Helpers: ASH_HELPER_NAME is the number. */
enum ash_helper {
#define ASH_HELPER(name, number, ...) ASH_HELPER_##name = number,
#include "ash/helpers.def"
#undef ASH_HELPER
};

/* A set of helpers, for ash_verify_begin: a bit each, in the order of helpers.def. */
enum ash_helper_bit {
#define ASH_HELPER(name, ...) ASH_HELPER_BIT_##name,
#include "ash/helpers.def"
#undef ASH_HELPER
    ASH_HELPER_COUNT
};
#define ASH_HELPERS_ALL ((1u << ASH_HELPER_COUNT) - 1)

/*
 * A verified program, at the start of memory that the caller gave to ash_verify_begin. It refers to
 * the image, which has to stay, and holds pointers into its own memory, which must not move. Read
 * it, never write it.
 */
struct ash_program {
    struct ash_image image;
    struct ash_note *notes;         /* one an instruction (program.h) */
    struct ash_function *functions; /* in the order of their first instructions */
    uint32_t function_count;
    uint32_t entry_cost; /* fuel that the caller takes off before a run: its longest path */
    uint32_t stack;      /* bytes of stack: 512 for each function that can be active at a time */
    uint32_t guards;     /* accesses that are checked when they run */
    uint32_t accesses;   /* all loads, stores and atomic operations */
    uint32_t helpers;    /* set of the helpers that it calls */
    bool clear_stack;    /* it may read stack that it hasn't written */
    bool can_abort;    /* a guard, a loop or a call is left; else every run ends with its verdict */
    bool writes_frame; /* it may change the frame's bytes, or move its ends */
};

#define ASH_PROGRAM_MAX (64 * 1024) /* no program needs more memory */
/* Bytes of memory for the program of this many instructions. */
size_t ash_program_size(uint32_t insns);

#define ASH_SCRATCH_MAX (256 * 1024) /* nothing needs more scratch memory */
/* Bytes of scratch memory that verifying or compiling this many instructions takes. */
size_t ash_scratch_size(uint32_t insns);

enum ash_state { ASH_DONE, ASH_MORE };

/*
 * Verifies the program of an image, in steps, for a kernel that must not be away for long.
 *
 * begin: scratch (8-byte aligned, ash_scratch_size bytes) holds the state of the verification and
 * must not be touched until the last step; memory (8-byte aligned, ash_program_size bytes) receives
 * struct ash_program. event: what it is going to be bound to; helpers: those on offer, a set of
 * ASH_HELPER_BIT_*. step: goes on by about work instructions, each at most some 3,000 of the
 * machine's. Returns ASH_MORE, ASH_DONE or an ASH_E_*. ASH_E_BUDGET comes when the program takes
 * more than 64 looks at each of its instructions.
 *
 * No failing proof refuses a program; refused is only what can never be right. Registers must have
 * been written on every path before they are read; the stack reads as zero where it wasn't written.
 */
int ash_verify_begin(void *scratch, size_t scratch_size, const struct ash_image *image,
                     enum ash_event event, uint32_t helpers, void *memory, size_t memory_size);
int ash_verify_step(void *scratch, size_t work);

/* What a refusal is about; filled in when a step, or ash_compile_step, has returned an ASH_E_*. */
struct ash_refusal {
    int error;
    uint32_t insn;   /* ASH_NO_INSN: it is about none */
    uint32_t detail; /* the opcode, register, helper, map or target that is wrong */
};
#define ASH_NO_INSN UINT32_MAX
struct ash_refusal ash_refused(const void *scratch);

/* begin and all steps. */
int ash_verify(void *scratch, size_t scratch_size, const struct ash_image *image,
               enum ash_event event, uint32_t helpers, void *memory, size_t memory_size);

#define ASH_TEXT_SIZE 128 /* bytes: an explanation is never longer */

/* Writes "insn 5 (echo.c:12): unknown opcode 0xff" to text, cut off at size, always zero-ended.
 * Returns its length. */
size_t ash_explain_error(const struct ash_image *image, struct ash_refusal refusal, char *text,
                         size_t size);

/*
 * Compiles a program to RV64, in steps. code (8-byte aligned, size bytes) is where the code is
 * written; it may be executed at any other 8-byte aligned address after the caller's fence.i. isa:
 * what the hart has (enum rv64_isa of vcode/vcode.h). scratch as in ash_verify_begin. step: about
 * work instructions, each at most some 2,000 of the machine's. Returns ASH_MORE, ASH_DONE,
 * ASH_E_TOO_LARGE or ASH_E_EMIT. Once done, ash_compiled tells how many bytes are used.
 *
 * The compiled handler is a C function of the psABI, uint64_t handler(struct ash_run *run). It uses
 * at most 512 bytes of stack beside what helpers use, changes only ra, t0, t1 and a0 to a7, and
 * calls helpers through run->helpers.
 */
int ash_compile_begin(void *scratch, size_t scratch_size, const struct ash_program *program,
                      void *code, size_t size, unsigned isa);
int ash_compile_step(void *scratch, size_t work);
size_t ash_compiled(const void *scratch);

/* begin and all steps. */
int ash_compile(void *scratch, size_t scratch_size, const struct ash_program *program, void *code,
                size_t size, unsigned isa);

/* Bytes in which the code of any program of this size fits. Most programs take about 4 bytes an
 * instruction. */
size_t ash_code_bound(const struct ash_program *program);

/* The sandbox. */
#define ASH_REGION_SHIFT 24 /* a region an index of struct ash_run.regions */
enum ash_region_index {
    ASH_REGION_CONTEXT = 1,
    ASH_REGION_STACK,
    ASH_REGION_FRAME,
    ASH_REGION_MAP, /* map 0 */
    ASH_REGION_WINDOW = ASH_REGION_MAP + ASH_MAPS_MAX,
    ASH_REGIONS = 24
};
#define ASH_WINDOWS_MAX   (ASH_REGIONS - ASH_REGION_WINDOW)
#define ASH_BASE(region)  ((uint32_t)(region) << ASH_REGION_SHIFT)
#define ASH_STACK_FRAME   512 /* bytes of stack a function */
#define ASH_DEPTH_MAX     8   /* functions active at a time */
#define ASH_STACK_TOP     (ASH_BASE(ASH_REGION_STACK) + ASH_DEPTH_MAX * ASH_STACK_FRAME)
#define ASH_MAP_HANDLE(i) (1u + (i)) /* how a program names map i to a helper */
#define ASH_HEADER_MIN    14         /* bytes that adjust_head and adjust_tail leave */

/* Addresses [low, end) are valid and lie at address + delta of the machine's memory; delta is a
 * multiple of 8. */
struct ash_region {
    uint64_t delta;
    uint32_t low;
    uint32_t end;
};

/* What the program sees as struct xdp_md. */
struct ash_md {
    uint32_t data;
    uint32_t data_end;
    uint32_t data_meta; /* = data: there is no room for metadata */
    uint32_t ingress_ifindex;
    uint32_t rx_queue_index;
    uint32_t egress_ifindex;
};

/* Verdicts, by XDP's names and numbers; the low 32 bits of the result. Another number means
 * ABORTED. */
enum ash_verdict { ASH_ABORTED, ASH_DROP, ASH_PASS, ASH_TX, ASH_REDIRECT };

enum ash_abort_reason {
#define ASH_ABORT(name, value, word) ASH_ABORT_##name = value,
#include "ash/aborts.def"
#undef ASH_ABORT
};

struct ash_abort {
    uint32_t reason; /* enum ash_abort_reason; if it is NONE the others mean nothing */
    uint32_t insn;
    uint64_t address; /* GUARD, READ_ONLY, ALIGN: sandbox address as the program computed it; MAP:
                         the value */
};

struct ash_run;

/* What the surroundings do for helpers. owner is run->owner. */
struct ash_services {
    uint64_t (*time)(void *owner); /* ns since the start of the machine */
    uint32_t (*random)(void *owner);
    void (*trace)(void *owner, const char *text, size_t length); /* a line, without its newline */
};

typedef uint64_t ash_helper_function(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3,
                                     uint64_t r4, uint64_t r5);

/*
 * All that a running handler can reach. One for each binding of a handler: set up once by
 * ash_run_init, ash_run_map, ash_run_window, ash_run_room, then by ash_run_frame for each frame. It
 * must not move after ash_run_init. Compiled code knows the offsets.
 */
struct ash_run {
    struct ash_md md;
    int32_t fuel;      /* left; before each run the caller sets it to limit - entry_cost, >= 0 */
    uint32_t modified; /* not 0 if the frame was changed; only told of a run that was aborted */
    struct ash_abort abort; /* reason is not 0 if the run was aborted; the caller clears it */
    ash_helper_function *const *helpers; /* by ASH_HELPER_BIT_* */
    struct ash_region regions[ASH_REGIONS];
    uint32_t read_only; /* set of regions without stores */
    uint32_t frame_low; /* data may be moved in [frame_low, frame_high), sandbox addresses */
    uint32_t frame_high;
    uint32_t redirect; /* interface that bpf_redirect named */
    uint32_t hart;
    const struct ash_program *program;
    const struct ash_services *services;
    void *owner;
    uint8_t *frame;     /* where data is in the machine's memory */
    uint8_t *stack_top; /* and r10 of the first function */
    uint64_t save;      /* scratch of compiled code */
};

/*
 * Prepares a run: nothing is reachable but the context and the stack. stack: 8-byte aligned,
 * program->stack bytes, shared with other runs as long as they don't overlap in time. services may
 * have null members: time is 0 then, random is 0 and nothing is traced.
 */
void ash_run_init(struct ash_run *run, const struct ash_program *program, void *stack,
                  const struct ash_services *services, void *owner);

/* Gives map number map its memory: ash_map_size bytes, 8-byte aligned. */
void ash_run_map(struct ash_run *run, unsigned map, void *memory);

/* Makes memory reachable as window number window: size bytes, at most 16 MiB, 8-byte aligned. */
void ash_run_window(struct ash_run *run, unsigned window, void *memory, uint32_t size,
                    bool writable);

/*
 * Of the buffers that frames will lie in, data may grow into bytes [low, high) by adjust_head and
 * adjust_tail. Once; a buffer is 8-byte aligned and has at most 16 MiB.
 */
static inline void ash_run_room(struct ash_run *run, uint32_t low, uint32_t high)
{
    run->frame_low = ASH_BASE(ASH_REGION_FRAME) + low;
    run->frame_high = ASH_BASE(ASH_REGION_FRAME) + high;
}

/*
 * Names the frame of the next run: bytes [start, end) of buffer. Afterwards the frame is
 * [md.data, md.data_end) - ASH_BASE(FRAME).
 */
static inline void ash_run_frame(struct ash_run *run, void *buffer, uint32_t start, uint32_t end)
{
    const uint32_t base = ASH_BASE(ASH_REGION_FRAME);
    struct ash_region *frame = &run->regions[ASH_REGION_FRAME];
    frame->delta = (uint64_t)(uintptr_t)buffer - base;
    run->md.data = run->md.data_meta = frame->low = base + start;
    run->md.data_end = frame->end = base + end;
    run->frame = (uint8_t *)buffer + start;
}

typedef uint64_t ash_handler(struct ash_run *run);

/*
 * Runs a program. Returns r0; or 0 (ABORTED), with run->abort set, if it was aborted.
 *
 * Fuel: a unit pays for one instruction, and is charged ahead of execution, so that code without
 * loops carries no accounting at all. The caller pays entry_cost, the longest path through the
 * program that doesn't go back, with the calls on it and the cost of the helpers on it. Each jump
 * back pays the longest path from where it leads to where it came from. Helpers that work on a
 * length pay for it. limit - run->fuel is what a run has used.
 */
uint64_t ash_interpret(const struct ash_program *program, struct ash_run *run);

/* Writes "(echo.c:41), insn 23, guard: stack -520" to text, cut off at size, always zero-ended.
 * Returns its length. */
size_t ash_explain_abort(const struct ash_program *program, const struct ash_run *run, char *text,
                         size_t size);

/* Writes an instruction as a formula, "r1 = r1 + r2", to text; next: the unit behind it, for 64-bit
   constants. Returns its length. */
size_t ash_disassemble(const struct ash_insn *insn, const struct ash_insn *next, char *text,
                       size_t size);

#endif
