/* Any file in the kernel's place: symbols are looked up in it, or it is refused. */
#include <stdlib.h>
#include <string.h>

#include "tools/aegisctl/elf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    const uint8_t *text;
    struct elf_file file;
    struct why why;
    uint64_t address, offset;
    size_t text_size;

    memcpy(bytes, data, size);
    if (size >= 20) { /* half the inputs get past the first test */
        memcpy(bytes, data[0] & 1 ? "\177ELF\2" : (const char *)data, 5);
        bytes[18] = data[0] & 1 ? 243 : bytes[18];
    }
    if (elf_file_take(&file, bytes, size, "input", &why) == 0) {
        elf_file_address(&file, "post");
        if (elf_file_text(&file, &text, &text_size, &address)) {
            elf_file_function(&file, address + text_size / 2, &offset);
        }
        elf_file_close(&file);
    }
    return 0;
}
