/* Attacks on the loop interface: frames in another's name, and frames that handlers send on and on.
 */
#include <string.h>

#include "ash/ash.h"
#include "attack.h"
#include "libos/net/headers.h"

#define TYPE  0x88b5 /* for local experiments (IEEE 802) */
#define BATCH AEGIS_SEND_MAX

static uint8_t frame[60];

/* A binding of frames of this type, from where they are sent to where they come. */
static uint32_t bind_loop(void)
{
    const struct filter_field type = {2, ETH_TYPE, 0xffff, TYPE, TYPE};
    struct filter_image in, out;
    filter_make(&in, &type, 1);
    filter_sent_type(&out, aegis_info()->netif_count, TYPE);
    const struct aegis_net_binding r = {.parent = exos.start->caps[ATTACK_CAP_LOOP],
                                        .ingress = in.words,
                                        .ingress_size = in.size,
                                        .egress = out.words,
                                        .egress_size = out.size};
    int64_t binding = aegis_net_bind(&r);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    net_put16(frame + ETH_TYPE, TYPE);
    return (uint32_t)binding;
}

static int64_t send_batch(uint32_t binding)
{
    struct aegis_frame_out out[BATCH];
    for (int i = 0; i < BATCH; i++)
        out[i] = (struct aegis_frame_out){.address = frame, .length = sizeof frame};
    return aegis_net_send(binding, out, BATCH);
}

int64_t spoofed_on_the_loop(void)
{
    uint32_t binding = bind_loop();
    int64_t result = 0;
    for (int i = 0; i < 48; i++) { /* each bit of the source */
        frame[ETH_SOURCE + i / 8] ^= (uint8_t)(1 << i % 8);
        result = send_batch(binding);
        CHECK_ERROR(result, EGRESS);
        frame[ETH_SOURCE + i / 8] = 0;
    }
    net_put16(frame + ETH_TYPE, TYPE + 1);
    CHECK_ERROR(send_batch(binding), EGRESS);
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

/* A handler that burns what it may and sends each frame to itself again. */
static uint32_t bind_storm(void)
{
    struct {
        struct ash_header header;
        struct ash_insn insns[5];
    } image = {.header = {.magic = ASH_MAGIC,
                          .version = ASH_VERSION,
                          .event = ASH_EVENT_FRAME,
                          .insns = 5,
                          .name = "storm"},
               .insns = {{0xb7, 1, 0, 1000},   /* r1 = 1000 */
                         {0x07, 1, 0, -1},     /* r1 -= 1 */
                         {0x55, 1, -2, 0},     /* again unless it is 0 */
                         {0xb7, 0, 0, ASH_TX}, /* TX */
                         {0x95, 0, 0, 0}}};
    const struct aegis_handler_request request = {.image = &image, .image_size = sizeof image};
    uint32_t binding = bind_loop();
    int64_t handler = aegis_handler_load(&request);
    if (handler < 0)
        FAIL("handler_load: %s", aegis_error_name(handler));
    CHECK_OK(aegis_handler_bind((uint32_t)handler, binding));
    return binding;
}

/* Each comes to an end, and what waits belongs to nobody once the binding is gone. */
int64_t frames_that_go_round(void)
{
    uint32_t binding = bind_storm();
    for (int i = 0; i < 40; i++) {
        CHECK(send_batch(binding) > 0);
        if (i % 4 == 0)
            aegis_yield(0);
    }
    CHECK_OK(aegis_net_unbind(binding));
    for (uint32_t handler = 0;; handler++)
        if (aegis_handler_unload(handler) == 0)
            return 0;
}

/* With frames of its own still to be sent on. */
int64_t end_while_frames_go_round(void)
{
    uint32_t binding = bind_storm();
    send_batch(binding);
    send_batch(binding);
    aegis_env_end(0, 0);
    return 0;
}
