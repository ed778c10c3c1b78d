#include "handler.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"

int handler_compile(const char *path, struct ashlift_image *image, struct why *why)
{
    const struct ashlift_options options = {.event = ASH_EVENT_FRAME};
    char error[ASHLIFT_ERROR_SIZE];

    if (strcmp(path, "-") != 0 && access(path, R_OK) != 0) { /* clang would take two lines for it */
        return why_set(why, "handler %s: %s", path, strerror(errno));
    }
    if (ashlift_file(path, &options, image, error) != ASHLIFT_OK) {
        return why_set(why, "handler %s: %s", path, error);
    }
    if (image->size > CONTROL_HANDLER_MAX) {
        why_set(why,
                "handler %s: its image has %zu bytes, and the kernel takes at most %d; give its "
                "variables fewer initial contents",
                path, image->size, CONTROL_HANDLER_MAX);
        ashlift_free(image);
        return -1;
    }
    return 0;
}
