/*
 * The shape of emitted code: what filters are compiled to, and how many instructions a frame takes.
 * A lost optimisation shows as a difference. Data files say what is expected:
 *
 *   filter TEXT               a member, in the syntax of pcap-filter(7)
 *   filters N FIRST TEXT      N members; @ in TEXT is FIRST, FIRST + 1, ...
 *   alone                     the (only) filter is compiled by itself, not as a trie
 *   isa zba zbb misaligned    what the hart has beyond rv64ima; none if the line is missing
 *   frame HEX                 a frame; more lines go on with it
 *   returns N                 what the code returns for the frame, -1: no member
 *   instructions N            how many it takes, the return among them
 *   row NAME                  the name under which bench reports that
 *   code                      the rest of the file is the listing
 *
 * shape_test FILE...          checks; says what differs, exits 1
 * shape_test --rows FILE...   prints "dpf NAME INSTRUCTIONS", tab-separated, for each file with a
 * row shape_test --write FILE...  writes returns, instructions and code anew: read the difference
 * before you keep it
 */
#include "../unit/dpf_compile/compiled.h"
#include "shape.h"
#include "tools/dpfc/dpflift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 2048
#define TEXT_MAX  SHAPE_TEXT

struct shape {
    const char *path;
    struct dpflift_image *images;
    struct dpf_filter *filters;
    struct dpf_member *members;
    unsigned count;
    bool alone;
    unsigned isa;
    uint8_t frame[FRAME_MAX];
    size_t length;
    long returns, instructions; /* expected */
    char row[64];
    char head[TEXT_MAX]; /* the file up to what --write replaces */
    char code[TEXT_MAX]; /* expected */
};

/* What there really is. */
struct actual {
    long returns, instructions;
    const char *fault;
    char code[TEXT_MAX];
};

static void die(const struct shape *shape, const char *what, const char *detail)
{
    shape_die(shape->path, what, detail);
}

static void add_filter(struct shape *s, const char *text)
{
    unsigned i = s->count++;
    char error[DPFLIFT_ERROR_SIZE];
    s->images = realloc(s->images, s->count * sizeof *s->images);
    s->filters = realloc(s->filters, s->count * sizeof *s->filters);
    if (dpflift_text(text, &s->images[i], 0, error))
        die(s, text, error);
    if (dpf_verify(s->images[i].bytes, s->images[i].size, &s->filters[i]))
        die(s, text, "refused");
}

static void add_filters(struct shape *s, const char *arguments)
{
    unsigned count, first;
    int at = 0;
    if (sscanf(arguments, "%u %u %n", &count, &first, &at) < 2 || !at)
        die(s, "filters wants a count, a first number and a text", arguments);
    for (unsigned i = 0; i < count; i++) {
        char text[SHAPE_LINE], *to = text;
        for (const char *from = arguments + at; *from; from++)
            to += *from == '@' ? sprintf(to, "%u", first + i) : (*to = *from, 1);
        *to = 0;
        add_filter(s, text);
    }
}

/* One line before the code: its keyword and the rest. */
static void read_line(struct shape *s, const char *key, const char *rest)
{
    bool written = strcmp(key, "returns") == 0 || strcmp(key, "instructions") == 0;
    if (!written)
        snprintf(s->head + strlen(s->head), TEXT_MAX - strlen(s->head), "%s%s%s\n", key,
                 *rest ? " " : "", rest);
    if (*key == '#' || !*key)
        return;
    if (strcmp(key, "filter") == 0)
        add_filter(s, rest);
    else if (strcmp(key, "filters") == 0)
        add_filters(s, rest);
    else if (strcmp(key, "alone") == 0)
        s->alone = true;
    else if (strcmp(key, "isa") == 0)
        s->isa |= shape_isa(rest);
    else if (strcmp(key, "frame") == 0)
        shape_bytes(s->path, rest, s->frame, FRAME_MAX, &s->length);
    else if (strcmp(key, "returns") == 0)
        s->returns = strtol(rest, 0, 0);
    else if (strcmp(key, "instructions") == 0)
        s->instructions = strtol(rest, 0, 0);
    else if (strcmp(key, "row") == 0)
        snprintf(s->row, sizeof s->row, "%s", rest);
    else
        die(s, "unknown keyword", key);
}

static void read_shape(struct shape *s, const char *path)
{
    char line[SHAPE_LINE], *key, *rest;
    FILE *in = fopen(path, "r");
    *s = (struct shape){.path = path};
    if (!in)
        die(s, "can't be opened", "");
    while (shape_line(in, line, &key, &rest))
        read_line(s, key, rest);
    s->code[fread(s->code, 1, TEXT_MAX - 1, in)] = 0;
    fclose(in);
}

static void free_shape(struct shape *s)
{
    for (unsigned i = 0; i < s->count; i++)
        dpflift_free(&s->images[i]);
    free(s->images);
    free(s->filters);
    free(s->members);
}

static struct compiled compile_shape(struct shape *s)
{
    static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];
    struct dpf_compile_options options = {s->isa, 8, 6, true};
    if (s->alone)
        return compiled_filter(&s->filters[0], &options);
    s->members = calloc(s->count + 1, sizeof *s->members);
    for (unsigned i = 0; i < s->count; i++)
        s->members[i] = (struct dpf_member){&s->filters[i], i, 1, false};
    size_t size = dpf_trie_size(s->members, s->count, scratch);
    struct dpf_trie *trie = malloc(size);
    int error = dpf_trie_build(trie, size, 77, s->members, s->count, scratch);
    if (error)
        die(s, "trie", dpf_strerror(error));
    struct compiled compiled = compiled_trie(trie, &options);
    free(trie);
    return compiled;
}

static void measure(struct shape *s, struct actual *actual)
{
    struct compiled compiled = compile_shape(s);
    struct outcome o = compiled_run(&compiled, s->frame, s->length, s->length, 0, 0);
    actual->returns = (int32_t)o.a0;
    actual->instructions = (long)o.count;
    actual->fault = o.fault;
    shape_list(compiled.memory, compiled.code.text, compiled.code.entry, actual->code);
    compiled_free(&compiled);
}

/* The instructions of a classifier that knows no filter, or of a filter that takes all. */
static long empty_cost(bool alone)
{
    static struct shape empty;
    static struct actual actual;
    empty = (struct shape){.path = "empty", .alone = alone};
    if (alone)
        add_filter(&empty, "len >= 0");
    measure(&empty, &actual);
    free_shape(&empty);
    return actual.instructions;
}

static bool check(const struct shape *s, const struct actual *actual)
{
    bool same = true;
    if (actual->fault || actual->returns != s->returns)
        same = false, fprintf(stderr, "%s: returns %ld, not %ld %s\n", s->path, actual->returns,
                              s->returns, actual->fault ? actual->fault : "");
    if (actual->instructions != s->instructions)
        same = false, fprintf(stderr, "%s: %ld instructions, not %ld\n", s->path,
                              actual->instructions, s->instructions);
    if (*s->code && strcmp(s->code, actual->code) != 0)
        same = false, fprintf(stderr, "%s: other code:\n%s", s->path, actual->code);
    return same;
}

static void rewrite(const struct shape *s, const struct actual *actual)
{
    FILE *out = fopen(s->path, "w");
    if (!out)
        die(s, "can't be written", "");
    fprintf(out, "%sreturns %ld\ninstructions %ld\n", s->head, actual->returns,
            actual->instructions);
    if (*s->code)
        fprintf(out, "code\n%s", actual->code);
    fclose(out);
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
        else if (!rows)
            wrong += !check(&shape, &actual);
        if (!writes && *shape.row)
            printf("dpf\t%s\t%ld\t%ld\n", shape.row, actual.instructions - empty_cost(shape.alone),
                   actual.instructions);
        free_shape(&shape);
    }
    if (!files) {
        fprintf(stderr, "shape_test: name the data files\n");
        return 2;
    }
    if (!rows)
        printf("%u files, %u wrong\n", files, wrong);
    return wrong ? 1 : 0;
}
