/* The test expressions, compiled (lifted.h). */
#include "lifted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tools/dpfc/dpflift.h"

struct lifted lifted[] = {
#define E(text) {text, true, {0}, {0}},
#define R(text) {text, false, {0}, {0}},
#include "expressions.def"
#undef E
#undef R
};
const size_t lifted_count = sizeof lifted / sizeof *lifted;

static struct dpflift_image images[2 * sizeof lifted / sizeof *lifted];

static void check(struct dpf_filter *filter, const struct dpflift_image *image, const char *text)
{
    int error = dpf_verify(image->bytes, image->size, filter);
    if (error)
        fail_msg("%s: %s", text, dpf_strerror(error));
}

int lifted_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        struct dpflift_image *image = &images[2 * i];
        char error[DPFLIFT_ERROR_SIZE];
        if (dpflift_text(lifted[i].text, image, lifted[i].exchanges ? image + 1 : 0, error))
            fail_msg("%s: %s", lifted[i].text, error);
        check(&lifted[i].ingress, image, lifted[i].text);
        if (lifted[i].exchanges)
            check(&lifted[i].egress, image + 1, lifted[i].text);
    }
    return 0;
}

int lifted_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * lifted_count; i++)
        dpflift_free(&images[i]);
    return 0;
}
