/* Any bytes as a frame, for both ends of the bench's wire: none may read or write beyond them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "bench/client/wire.h"
#include "bench/limit/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    const struct wire wire = {
        .fd = -1, .self = {{2}, 0x0a000202, 40007}, .guest = {{0}, 0x0a00020f, 7}};
    size_t length = 0;
    uint8_t *frame = malloc(size ? size : 1);
    memcpy(frame, data, size);
    const uint8_t *payload = wire_payload(&wire, frame, size, &length);
    if (payload && (payload < frame || payload + length > frame + size))
        abort();
    wire_answer_arp(&wire, frame, size);
    frame_answer((struct frame *)frame, (uint32_t)size, 0x0f02000a, mac);
    free(frame);
    return 0;
}
