/* Any bytes as a frame: nothing beyond them is read, and the line is one of printable ASCII. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/aegisctl/frame_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    char *text = malloc(FRAME_TEXT_SIZE);
    uint8_t *exact = malloc(size + (size == 0));

    if (size != 0) {
        memcpy(exact, input, size);
    }
    for (size_t cut = 0; cut <= 100; cut += 20) { /* bytes that weren't kept */
        memset(text, 0x7f, FRAME_TEXT_SIZE);
        frame_text(exact, size, size + cut, text);
        if (strnlen(text, FRAME_TEXT_SIZE) == FRAME_TEXT_SIZE || text[0] == 0) {
            abort();
        }
        for (const char *c = text; *c != 0; c++) {
            if (*c < ' ' || *c > '~') {
                abort();
            }
        }
    }
    free(exact);
    free(text);
    return 0;
}
