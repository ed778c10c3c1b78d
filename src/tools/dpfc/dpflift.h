/*
 * dpflift: from what people write, pcap-filter(7) text or the output of tcpdump -ddd, to DPF
 * images.
 *
 * libpcap compiles the text to classic BPF for Ethernet; that is executed symbolically into a DAG
 * of atoms, in which each path tests a field once. The image accepts exactly the frames that the
 * BPF program accepts; what can't be said in atoms is refused by name.
 */
#ifndef DPFC_DPFLIFT_H
#define DPFC_DPFLIFT_H

#include <stddef.h>
#include <stdio.h>

#include "dpf/dpf.h"

enum dpflift_status {
    DPFLIFT_OK,
    DPFLIFT_TEXT,    /* the text is wrong: libpcap's message, or the line of tcpdump -ddd output */
    DPFLIFT_REFUSED, /* it is a filter, but not one that atoms can express */
    DPFLIFT_SYSTEM,  /* a file can't be read, memory is short */
};

/* An image, allocated with malloc; free with dpflift_free. */
struct dpflift_image {
    void *bytes;
    size_t size;
};

#define DPFLIFT_ERROR_SIZE 512

/*
 * Compiles pcap-filter text, or tcpdump -ddd output, which begins with the number of instructions
 * on a line of its own. A # begins a comment up to the end of its line. ingress: the image; egress:
 * the image for the frames that go the other way, with the roles of source and destination
 * exchanged (docs/dpf.md); it may be null if that is not wanted.
 * error (DPFLIFT_ERROR_SIZE bytes): what is wrong, without a newline; written only on failure, when
 * no image is left to free.
 */
enum dpflift_status dpflift_text(const char *text, struct dpflift_image *ingress,
                                 struct dpflift_image *egress, char *error);

/* The text in a file, "-" being standard input, at most 1 MiB; to be freed. Null on failure, with
   status and error. */
char *dpflift_read(const char *path, enum dpflift_status *status, char *error);

/* dpflift_text on the text in a file. */
enum dpflift_status dpflift_file(const char *path, struct dpflift_image *ingress,
                                 struct dpflift_image *egress, char *error);

void dpflift_free(struct dpflift_image *image);

/* Prints a filter's atoms, one a line, each line begun by indent. */
void dpflift_print(FILE *out, const struct dpf_filter *filter, const char *indent);

#endif
