/* Filters for tests: a conjunction of fields, as a DPF image (dpf/dpf.h). */
#ifndef GUEST_FILTER_H
#define GUEST_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "dpf/dpf.h"

#define FILTER_FIELDS_MAX 8

struct filter_field {
    uint8_t width;
    uint16_t offset;
    uint64_t mask, low, high;
};

struct filter_image {
    uint64_t words[(sizeof(struct dpf_header) +
                    FILTER_FIELDS_MAX * (sizeof(struct dpf_node) + sizeof(struct dpf_range))) /
                   8];
    size_t size; /* bytes that are used */
};

/* Accepts the frames whose fields all lie in their ranges; with none of them, all frames. */
void filter_make(struct filter_image *image, const struct filter_field *fields, size_t count);

/* UDP (IPv4 without options) to this destination port. */
void filter_udp_to(struct filter_image *image, uint16_t port);

/* All that the interface's address sends with this EtherType. */
void filter_sent_type(struct filter_image *image, uint32_t netif, uint16_t type);

/* Bind for this program inside the runner's root; the result of aegis_net_bind. */
int64_t filter_bind(const struct filter_image *ingress, const struct filter_image *egress);

#endif
