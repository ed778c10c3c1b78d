/*
 * Any bytes as a handler image: the reader refuses them or makes a view within them, the verifier
 * refuses the program or accepts it, in steps of any size, and what is said of a refusal fits where
 * it goes.
 */
#include <stdlib.h>
#include <string.h>

#include "ash/ash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes behind the first are overlaid on an image that is right, so that most of it is, or stand
 * for themselves. */
static size_t make(const uint8_t *data, size_t size, uint8_t *image)
{
    struct ash_header header = {
        .magic = ASH_MAGIC, .version = ASH_VERSION, .event = ASH_EVENT_FRAME, .name = "f"};
    if (!(data[0] & 1)) {
        memcpy(image, data + 1, size - 1);
        return size - 1;
    }
    /* sizes from the first bytes, the rest follows as it comes */
    uint8_t sizes[5] = {0};
    memcpy(sizes, data + 1, size - 1 < sizeof sizes ? size - 1 : sizeof sizes);
    header.insns = sizes[0] % 32;
    header.lines = sizes[1] % 8;
    header.text = sizes[2] % 32;
    header.data = sizes[3] % 32;
    header.maps = sizes[4] % 4;
    size_t total = sizeof header + header.maps * sizeof(struct ash_map_info) +
                   header.insns * sizeof(struct ash_insn) + header.lines * sizeof(struct ash_line) +
                   header.text + header.data;
    memset(image, 0, total);
    size_t rest = size > 6 ? size - 6 : 0, room = total - sizeof header;
    memcpy(image + sizeof header, data + 6, rest < room ? rest : room);
    memcpy(image, &header, sizeof header);
    return total;
}

static void explain(const struct ash_image *view, struct ash_refusal refusal)
{
    char text[ASH_TEXT_SIZE];
    for (size_t size = 0; size <= sizeof text; size += 31)
        if (ash_explain_error(view, refusal, text, size) >= (size ? size : 1))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    uint8_t *image = malloc(8192);
    size_t length = make(data, size, image);
    image = realloc(image, length ? length : 1); /* so that a byte too many is seen */
    struct ash_image view;
    if (ash_image_open(image, length, &view) == 0) {
        uint32_t n = view.header->insns;
        void *scratch = malloc(ash_scratch_size(n)), *program = malloc(ash_program_size(n));
        int state = ash_verify_begin(scratch, ash_scratch_size(n), &view, ASH_EVENT_FRAME,
                                     ASH_HELPERS_ALL, program, ash_program_size(n));
        while (state == 0 && (state = ash_verify_step(scratch, 1 + data[0] / 2)) == ASH_MORE)
            state = 0;
        if (state)
            explain(&view, ash_refused(scratch));
        for (uint32_t i = 0; i < n; i++) {
            char text[ASH_TEXT_SIZE];
            ash_disassemble(&view.insns[i], i + 1 < n ? &view.insns[i + 1] : NULL, text,
                            sizeof text);
        }
        free(scratch);
        free(program);
    }
    free(image);
    return 0;
}
