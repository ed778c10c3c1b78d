/* The frame layer: COBS between zero bytes, magic, length, CRC-32. Used by message.c alone. */
#ifndef AEGIS_CONTROL_FRAME_H
#define AEGIS_CONTROL_FRAME_H

#include "control/control.h"

/*
 * Write one frame around the concatenation of head and data, together at most CONTROL_DATA_MAX
 * bytes; data may be NULL if its size is 0. Returns the bytes written, at most CONTROL_FRAME_MAX.
 */
size_t control_frame_put(uint8_t *wire, const uint8_t *head, size_t head_size, const uint8_t *data,
                         size_t data_size);

/*
 * Take one byte from the wire. Returns the size of a frame's data, which begins at *data in the
 * receiver, if the byte completes a good frame; else -1.
 */
int control_frame_take(struct control_receiver *receiver, uint8_t byte, const uint8_t **data);

#endif
