#include "filter.h"

#include <string.h>

#include "libos/net/headers.h"
#include "test.h"

void filter_make(struct filter_image *image, const struct filter_field *fields, size_t count)
{
    uint8_t *at = (uint8_t *)image->words;
    struct dpf_header header = {.magic = DPF_MAGIC,
                                .version = DPF_VERSION,
                                .entry = count ? 0 : DPF_ACCEPT,
                                .nodes = (uint16_t)count,
                                .ranges = (uint16_t)count};
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    for (size_t i = 0; i < count; i++, at += sizeof(struct dpf_node)) {
        struct dpf_node node = {.kind = DPF_FIELD,
                                .width = fields[i].width,
                                .offset = fields[i].offset,
                                .yes = i + 1 < count ? (uint16_t)(i + 1) : DPF_ACCEPT,
                                .no = DPF_REJECT,
                                .set = (uint16_t)i,
                                .count = 1,
                                .mask = fields[i].mask};
        memcpy(at, &node, sizeof node);
    }
    for (size_t i = 0; i < count; i++, at += sizeof(struct dpf_range)) {
        struct dpf_range range = {.low = fields[i].low, .high = fields[i].high};
        memcpy(at, &range, sizeof range);
    }
    image->size = (size_t)(at - (uint8_t *)image->words);
}

void filter_udp_to(struct filter_image *image, uint16_t port)
{
    const struct filter_field fields[] = {
        {2, ETH_TYPE, 0xffff, ETH_TYPE_IPV4, ETH_TYPE_IPV4},
        {1, IPV4_FIRST, 0xff, NET_IPV4_PLAIN, NET_IPV4_PLAIN},
        {1, IPV4_PROTOCOL, 0xff, IPV4_UDP, IPV4_UDP},
        {2, ETH_SIZE + IPV4_LEAST + UDP_DESTINATION, 0xffff, port, port},
    };
    filter_make(image, fields, sizeof fields / sizeof *fields);
}

void filter_sent_type(struct filter_image *image, uint32_t netif, uint16_t type)
{
    const volatile uint8_t *mac = aegis_info()->netifs[netif].mac;
    uint64_t high = (uint64_t)mac[0] << 8 | mac[1];
    uint64_t low = (uint64_t)mac[2] << 24 | (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 | mac[5];
    const struct filter_field fields[] = {
        {2, ETH_SOURCE, 0xffff, high, high},
        {4, ETH_SOURCE + 2, 0xffffffff, low, low},
        {2, ETH_TYPE, 0xffff, type, type},
    };
    filter_make(image, fields, sizeof fields / sizeof *fields);
}

int64_t filter_bind(const struct filter_image *ingress, const struct filter_image *egress)
{
    struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_ROOT],
                                        .ingress = ingress->words,
                                        .ingress_size = ingress->size,
                                        .egress = egress->words,
                                        .egress_size = egress->size};
    return aegis_net_bind(&request);
}
