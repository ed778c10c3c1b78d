/* Machine code for people. */
#include "tools/dpfc/merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dpf/compile.h"
#include "vcode/decode.h"

/* As the kernel compiles on QEMU's rv64: frames lie at 6 modulo 8, siblings are disjoint. */
static const struct dpf_compile_options options = {
    .isa = RV64_ZBA | RV64_ZBB, .align = 8, .residue = 6, .equals_disjoint = true};

static void print_code(FILE *out, const uint8_t *code, const struct dpf_code *made)
{
    for (uint32_t at = 0; at < made->text; at += 4) {
        char text[RV64_TEXT];
        uint32_t word;
        memcpy(&word, code + at, sizeof word);
        rv64_print(text, word, at);
        if (at == made->entry)
            fprintf(out, "entry\n");
        fprintf(out, "%5x: %08x  %s\n", at, word, text);
    }
    if (made->text < made->size)
        fprintf(out, "constants and tables\n");
    for (uint32_t at = made->text; at < made->size; at += 4) {
        uint32_t word;
        memcpy(&word, code + at, sizeof word);
        fprintf(out, "%5x: %08x\n", at, word);
    }
}

/* Compiles a trie, or else a filter, and prints what comes out. */
static bool compile(FILE *out, const struct dpf_trie *trie, const struct dpf_filter *filter)
{
    size_t bound = trie ? dpf_compile_bound(trie) : dpf_compile_filter_bound(filter);
    size_t size = trie ? dpf_compile_memory(trie, bound) : dpf_compile_filter_memory(filter, bound);
    void *memory = aligned_alloc(8, (size + 7) / 8 * 8);
    void *code = aligned_alloc(8, (bound + 7) / 8 * 8);
    struct dpf_code made;
    int error = DPF_E_SPACE;
    if (memory && code)
        error = trie ? dpf_compile(memory, size, trie, code, bound, &options, &made)
                     : dpf_compile_filter(memory, size, filter, code, bound, &options, &made);
    if (!error) {
        fprintf(out, "machine code, %u bytes\n", made.size);
        print_code(out, code, &made);
    }
    free(memory);
    free(code);
    return !error;
}

bool merge_print_code(FILE *out, const struct merge *merge)
{
    return compile(out, merge->trie, NULL);
}

bool merge_print_filter_code(FILE *out, const struct dpf_filter *filter)
{
    return compile(out, NULL, filter);
}
