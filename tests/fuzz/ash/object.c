/*
 * Any bytes as an object, an image, or hex digits: ashlift refuses them with a message, or makes an
 * image that the reader opens.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ashc/ashlift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ashlift_options options = {.event = ASH_EVENT_FRAME};
    char error[ASHLIFT_ERROR_SIZE] = "";
    struct ashlift_image image;
    uint8_t *copy = malloc(size ? size : 1); /* so that a byte too many is seen */
    memcpy(copy, data, size);
    if (ashlift_bytes(copy, size, "program", &options, &image, error) == ASHLIFT_OK) {
        struct ash_image view;
        if (ash_image_open(image.bytes, image.size, &view))
            abort();
        ashlift_free(&image);
    } else if (!error[0] || strlen(error) >= sizeof error) {
        abort();
    }
    free(copy);
    return 0;
}
