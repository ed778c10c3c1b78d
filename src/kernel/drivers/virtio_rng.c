#include "kernel/drivers/virtio_rng.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/expose.h"
#include "kernel/phys.h"
#include "kernel/rv64/csr.h"

size_t virtio_rng_read(struct virtio *device, void *bytes, size_t length)
{
    struct virtq queue;
    struct virtq_used used;
    uint8_t *buffer = boot_alloc(1, 1);
    uint64_t deadline = time_now() + info->timebase;
    size_t got = 0;

    virtio_negotiate(device, 0, 0);
    virtio_make_queue(device, 0, 4, &queue);
    virtio_start(device);
    while (got < length && time_now() < deadline) {
        queue.desc[0] = (struct virtq_desc){.address = virt_to_phys(buffer),
                                            .length = (uint32_t)(length - got),
                                            .flags = VIRTQ_DESC_WRITE};
        virtq_add(&queue, 0);
        virtq_publish(&queue);
        while (!virtq_take(&queue, &used))
            if (time_now() >= deadline)
                goto out;
        if (used.length > length - got)
            break;
        memcpy((uint8_t *)bytes + got, buffer, used.length);
        got += used.length;
    }
out:
    virtio_reset(device); /* it writes to the buffer no more */
    memset(buffer, 0, length);
    return got;
}
