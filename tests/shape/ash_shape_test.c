/*
 * The shape of compiled handlers: which accesses keep a guard, what is emitted, and how many
 * instructions a run takes. Data files say what is expected:
 *
 *   insns HEX                 the program (RFC 9669); more lines go on with it. It has the maps of
 *                             ../unit/ash/generate.h: words, odd, text
 *   isa zba zbb misaligned    what the hart has beyond rv64ima; none if the line is missing
 *   frame HEX                 the frame; more lines go on with it
 *   returns N                 r0, or, aborted, the reason's number below 0
 *   guards N                  accesses that are checked when they run
 *   instructions N            how many a run takes, the return among them
 *   code                      the rest of the file is the listing
 *
 * ash_shape_test FILE...          checks; says what differs, exits 1
 * ash_shape_test --rows FILE...   prints "ash NAME INSTRUCTIONS", tab-separated, for each file
 * ash_shape_test --write FILE...  writes what follows insns, isa and frame anew: read the
 * difference before you keep it
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/ash/engine.h"
#include "../unit/ash/generate.h"
#include "shape.h"
#include "vcode/vcode.h"

#define FRAME_MAX 2048
#define ROOM      256 /* before the frame, and behind it */
#define FUEL      4096

struct shape {
    const char *path;
    _Alignas(8) uint8_t insns[ASH_INSNS_MAX * sizeof(struct ash_insn)];
    size_t insns_size;
    unsigned isa;
    uint8_t frame[FRAME_MAX];
    size_t length;
    long returns, guards, instructions; /* expected */
    char head[SHAPE_TEXT];              /* the file up to what --write replaces */
    char code[SHAPE_TEXT];              /* expected */
};

/* What there really is. */
struct actual {
    long returns, guards, instructions;
    char code[SHAPE_TEXT];
};

/* One line before the code: its keyword and the rest. */
static void read_line(struct shape *s, const char *key, const char *rest)
{
    static const char *const written[] = {"returns", "guards", "instructions"};
    long *const numbers[] = {&s->returns, &s->guards, &s->instructions};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(key, written[i]) == 0) {
            *numbers[i] = strtol(rest, NULL, 0);
            return;
        }
    snprintf(s->head + strlen(s->head), SHAPE_TEXT - strlen(s->head), "%s%s%s\n", key,
             *rest ? " " : "", rest);
    if (*key == '#' || !*key)
        return;
    if (strcmp(key, "insns") == 0)
        shape_bytes(s->path, rest, s->insns, sizeof s->insns, &s->insns_size);
    else if (strcmp(key, "isa") == 0)
        s->isa |= shape_isa(rest);
    else if (strcmp(key, "frame") == 0)
        shape_bytes(s->path, rest, s->frame, FRAME_MAX, &s->length);
    else
        shape_die(s->path, "unknown keyword", key);
}

static void read_shape(struct shape *s, const char *path)
{
    char line[SHAPE_LINE], *key, *rest;
    FILE *in = fopen(path, "r");
    memset(s, 0, sizeof *s);
    s->path = path;
    if (!in)
        shape_die(path, "can't be opened", "");
    while (shape_line(in, line, &key, &rest))
        read_line(s, key, rest);
    s->code[fread(s->code, 1, SHAPE_TEXT - 1, in)] = 0;
    fclose(in);
}

/* Verifies and compiles the image, for guards and listing. */
static void compile(const struct shape *s, const void *image, size_t size, struct actual *actual)
{
    struct ash_image view;
    uint32_t count = (uint32_t)(s->insns_size / sizeof(struct ash_insn));
    struct ash_program *program = malloc(ash_program_size(count));
    void *scratch = malloc(ash_scratch_size(count));
    int error = ash_image_open(image, size, &view);
    if (!error)
        error = ash_verify(scratch, ash_scratch_size(count), &view, ASH_EVENT_FRAME,
                           ASH_HELPERS_ALL, program, ash_program_size(count));
    if (error)
        shape_die(s->path, "refused", ash_strerror(error));
    size_t bound = ash_code_bound(program);
    void *code = aligned_alloc(8, (bound + 7) / 8 * 8);
    error = ash_compile(scratch, ash_scratch_size(count), program, code, bound, s->isa);
    if (error)
        shape_die(s->path, "not compiled", ash_strerror(error));
    actual->guards = program->guards;
    shape_list(code, (uint32_t)ash_compiled(scratch), 0, actual->code);
    free(code);
    free(scratch);
    free(program);
}

static void measure(const struct shape *s, struct actual *actual)
{
    static _Alignas(8) uint8_t image[GENERATED_MAX], memory[FRAME_MAX + 2 * ROOM];
    static char trace[JOB_TRACE_MAX];
    struct engines engines = {0};
    struct job_reply reply;
    size_t size =
        make_image((const void *)s->insns, (uint32_t)(s->insns_size / sizeof(struct ash_insn)),
                   ASH_EVENT_FRAME, image);
    struct job_request q = {.magic = JOB_MAGIC,
                            .image_size = (uint32_t)size,
                            .memory_size = (uint32_t)s->length + 2 * ROOM,
                            .event = ASH_EVENT_FRAME,
                            .fuel = FUEL,
                            .isa = s->isa,
                            .start = ROOM,
                            .end = ROOM + (uint32_t)s->length};
    compile(s, image, size, actual);
    memset(memory, 0, sizeof memory);
    memcpy(memory + ROOM, s->frame, s->length);
    if (!engine_run(&engines, ENGINE_SIMULATOR, &q, image, memory, trace, &reply) || reply.error)
        shape_die(s->path, "does not run", engines.error);
    actual->returns = reply.abort.reason ? -(long)reply.abort.reason : (long)reply.result;
    actual->instructions = (long)engines.count;
}

static bool same_number(const struct shape *s, const char *what, long is, long wanted)
{
    if (is != wanted)
        fprintf(stderr, "%s: %s %ld, not %ld\n", s->path, what, is, wanted);
    return is == wanted;
}

static bool check(const struct shape *s, const struct actual *actual)
{
    bool same = same_number(s, "returns", actual->returns, s->returns);
    same &= same_number(s, "guards", actual->guards, s->guards);
    same &= same_number(s, "instructions", actual->instructions, s->instructions);
    if (strcmp(s->code, actual->code) == 0)
        return same;
    fprintf(stderr, "%s: other code:\n%s", s->path, actual->code);
    return false;
}

static void rewrite(const struct shape *s, const struct actual *actual)
{
    FILE *out = fopen(s->path, "w");
    if (!out)
        shape_die(s->path, "can't be written", "");
    fprintf(out, "%sreturns %ld\nguards %ld\ninstructions %ld\ncode\n%s", s->head, actual->returns,
            actual->guards, actual->instructions, actual->code);
    fclose(out);
}

/* The file's name without folders and ending. */
static void print_row(const struct shape *s, const struct actual *actual)
{
    const char *slash = strrchr(s->path, '/'), *name = slash ? slash + 1 : s->path;
    printf("ash\t%.*s\t%ld\n", (int)strcspn(name, "."), name, actual->instructions);
}

int main(int argc, char **argv)
{
    static struct shape shape;
    static struct actual actual;
    bool rows = argc > 1 && strcmp(argv[1], "--rows") == 0;
    bool writes = argc > 1 && strcmp(argv[1], "--write") == 0;
    unsigned wrong = 0, files = 0;
    for (int i = 1 + (rows || writes); i < argc; i++, files++) {
        read_shape(&shape, argv[i]);
        measure(&shape, &actual);
        if (writes)
            rewrite(&shape, &actual);
        else if (rows)
            print_row(&shape, &actual);
        else
            wrong += !check(&shape, &actual);
    }
    if (!files) {
        fprintf(stderr, "ash_shape_test: name the data files\n");
        return 2;
    }
    if (!rows)
        printf("%u files, %u wrong\n", files, wrong);
    return wrong ? 1 : 0;
}
