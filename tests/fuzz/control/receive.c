/*
 * Noise into the receiver, in chunks that the input chooses: nothing outside the caller's memory is
 * touched, and a good message behind any noise is received. The noise may itself contain frames: to
 * get past the CRC, an input can ask for pieces of real ones.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define CAPACITY 3000

static uint8_t wire[1 << 16], memory[CAPACITY], last_body[CAPACITY];
static size_t fill;

static void append(const uint8_t *bytes, size_t size)
{
    if (size > sizeof wire - fill) {
        size = sizeof wire - fill;
    }
    memcpy(wire + fill, bytes, size);
    fill += size;
}

/* A message of the given size; of its frames only those whose bit in `keep` is set, the last one
 * cut. */
static void append_message(uint16_t type, uint32_t id, uint32_t size, unsigned keep, unsigned cut)
{
    static uint8_t body[8192], frame[CONTROL_FRAME_MAX];
    struct control_sender sender;
    size_t n;

    memset(body, (int)id, sizeof body);
    control_send(&sender, type, id, body, size % sizeof body);
    for (unsigned i = 0; (n = control_send_next(&sender, frame)) != 0; i++) {
        if (keep >> i % 8 & 1) {
            append(frame, sender.done && cut < n ? n - cut : n);
        }
    }
}

/* Input: an operation byte 0xf0 stands for a message built from the next four bytes; others are
 * noise. */
static void build(const uint8_t *input, size_t size)
{
    fill = 0;
    for (size_t i = 0; i < size; i++) {
        if (input[i] == 0xf0 && size - i > 4 && fill < sizeof wire / 2) {
            append_message(CONTROL_LOAD, input[i + 1], input[i + 2] * 33u, input[i + 3],
                           input[i + 4]);
            i += 4;
        } else {
            append(&input[i], 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct control_receiver receiver;
    struct control_message m, last = {0};
    size_t step = size != 0 ? input[0] + 1u : 1;

    control_receiver_init(&receiver, memory, CAPACITY);
    build(input, size < 4096 ? size : 4096);
    append_message(CONTROL_STOP, 0x42, 2100, 0xff, 0);
    for (size_t at = 0; at < fill;) {
        size_t n = control_receive(&receiver, wire + at, step < fill - at ? step : fill - at, &m);

        if (n == 0) {
            abort();
        }
        at += n;
        if (m.type == CONTROL_NONE) {
            continue;
        }
        last = m;
        if (m.body != NULL) {
            memcpy(last_body, m.body, m.size);
        } else if (m.size <= CAPACITY) {
            abort();
        }
    }
    if (last.type != CONTROL_STOP || last.id != 0x42 || last.size != 2100) {
        abort();
    }
    for (size_t i = 0; i < 2100; i++) {
        if (last_body[i] != 0x42) {
            abort();
        }
    }
    return 0;
}
