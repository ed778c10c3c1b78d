/* Where captured frames go: lines on stdout, or a capture file in pcap's format. */
#ifndef AEGISCTL_CAPTURE_OUTPUT_H
#define AEGISCTL_CAPTURE_OUTPUT_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>

#include "control/control.h"
#include "why.h"

struct capture_output {
    pcap_t *format;      /* NULL: lines */
    pcap_dumper_t *dump; /* likewise */
    FILE *file;
    bool live; /* somebody may read it while it is written, and may go away or stand still */
};

enum capture_written {
    CAPTURE_WRITTEN,
    CAPTURE_STOPPED, /* a signal came before the reader took what is there */
    CAPTURE_NO_READER,
    CAPTURE_NOT_WRITTEN, /* why says why */
};

/* path: NULL for lines, "-" for a capture file on stdout. Returns 0 or -1. */
int capture_output_open(struct capture_output *output, const char *path, int snaplen,
                        struct why *why);

/*
 * Write one frame, seen at `stamp` ns since 1970. To a live output it is flushed, once there is
 * room for it or `signals` (a signalfd) has something to read; other outputs are flushed by
 * capture_output_flush.
 */
enum capture_written capture_output_frame(struct capture_output *output, int signals,
                                          const struct control_frame_row *frame, int64_t stamp,
                                          struct why *why);
enum capture_written capture_output_flush(struct capture_output *output, struct why *why);

/* What to poll for POLLERR, which tells that the reader has gone; -1 if there is none. */
int capture_output_fd(const struct capture_output *output);

/* Flush and close. Does nothing to an output of zeros. */
enum capture_written capture_output_close(struct capture_output *output, struct why *why);

#endif
