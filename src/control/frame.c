/*
 * Frames on the wire: 00 COBS(magic, length, data, CRC) 00.
 *
 * COBS (Cheshire and Baker 1999) writes a run of n - 1 bytes without a zero as the byte n and the
 * run; n < 255 also stands for one zero behind the run, except at the frame's end. So the wire's 00
 * is a frame's edge and nothing else, and the receiver needs no memory of what came before one.
 */
#include <string.h>

#include "control/bytes.h"
#include "control/frame.h"

#define MAGIC   0xa391
#define RUN_MAX 255

struct stuffer {
    uint8_t *wire;
    size_t at;   /* next byte to write */
    size_t code; /* where the run's length goes */
};

static void begin_run(struct stuffer *s)
{
    s->code = s->at++;
}

static void end_run(struct stuffer *s)
{
    s->wire[s->code] = (uint8_t)(s->at - s->code);
}

static void stuff(struct stuffer *s, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (s->at - s->code == RUN_MAX) {
            end_run(s);
            begin_run(s);
        }
        if (bytes[i] != 0) {
            s->wire[s->at++] = bytes[i];
        } else {
            end_run(s);
            begin_run(s);
        }
    }
}

size_t control_frame_put(uint8_t *wire, const uint8_t *head, size_t head_size, const uint8_t *data,
                         size_t data_size)
{
    uint8_t start[4], crc_bytes[4];
    struct stuffer s = {.wire = wire};
    uint32_t crc;

    put16(start, MAGIC);
    put16(start + 2, (uint16_t)(head_size + data_size));
    crc = control_crc32(0, start, sizeof start);
    crc = control_crc32(crc, head, head_size);
    crc = control_crc32(crc, data, data_size);
    put32(crc_bytes, crc);

    wire[s.at++] = 0;
    begin_run(&s);
    stuff(&s, start, sizeof start);
    stuff(&s, head, head_size);
    stuff(&s, data, data_size);
    stuff(&s, crc_bytes, sizeof crc_bytes);
    end_run(&s);
    wire[s.at++] = 0;
    return s.at;
}

/* What lies between two 00 is a frame if nothing about it is wrong. */
static int check_frame(const struct control_receiver *r)
{
    uint32_t size;

    if (r->bad || r->run != 0 || r->fill < 8 || get16(r->plain) != MAGIC) {
        return -1;
    }
    size = get16(r->plain + 2);
    if (size != r->fill - 8) {
        return -1;
    }
    if (control_crc32(0, r->plain, size + 4) != get32(r->plain + 4 + size)) {
        return -1;
    }
    return (int)size;
}

static void put_plain(struct control_receiver *r, uint8_t byte)
{
    if (r->fill == sizeof r->plain) {
        r->bad = true;
        return;
    }
    r->plain[r->fill++] = byte;
}

static int end_frame(struct control_receiver *r, const uint8_t **data)
{
    bool empty = r->fill == 0 && r->run == 0 && !r->zero && !r->bad; /* the 00 of two neighbours */
    int size = r->in_frame && !empty ? check_frame(r) : -1;

    if (size >= 0) {
        r->frames++;
        *data = r->plain + 4;
    } else if (!empty) {
        r->bad_frames++;
    }
    r->in_frame = true;
    r->bad = r->zero = false;
    r->run = 0;
    r->fill = 0;
    return size;
}

int control_frame_take(struct control_receiver *r, uint8_t byte, const uint8_t **data)
{
    if (byte == 0) {
        return end_frame(r, data);
    }
    if (!r->in_frame || r->bad) {
        r->bad = true; /* noise up to the next 00 */
        return -1;
    }
    if (r->run != 0) {
        r->run--;
        put_plain(r, byte);
        return -1;
    }
    if (r->zero) {
        put_plain(r, 0);
    }
    r->run = (uint8_t)(byte - 1);
    r->zero = byte != RUN_MAX;
    return -1;
}
