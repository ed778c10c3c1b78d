/*
 * ashc run: one handler, once, on the host.
 */
#ifndef ASHC_RUN_H
#define ASHC_RUN_H

#include "tools/ashc/ashlift.h"

struct run_options {
    const char *memory; /* hex digits: what r1 points to; null: empty */
    const char *frame;  /* hex digits: the handler gets them as its frame, r1 points to struct
                           xdp_md; null: no */
    int32_t fuel;
    bool compiled; /* run the machine code, under qemu-riscv64 */
};

/*
 * Runs an image. Prints r0 as hex on standard output; for a frame, then the verdict's name and the
 * frame as it is afterwards; refusals and aborts on standard error, behind name. Returns the
 * program's exit status.
 */
int run_image(const struct ashlift_image *image, const char *name,
              const struct run_options *options);

#endif
