/*
 * The control protocol between aegisctl on the host and the agent in the guest, over a byte stream
 * (virtio-console) that may carry noise and whose ends may restart at any byte.
 *
 * Three layers, none of which allocates:
 *   frame    00 COBS(magic u16, length u16, data, CRC-32 u32) 00. Byte stuffing keeps 00 out of the
 *            inside (Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999), so a 00 always
 *            begins anew: after any bytes at all, the next complete good frame is received.
 *   segment  a frame's data: type u16, flags u16, id u32, total u32, offset u32, then at most
 *            CONTROL_SEGMENT_MAX bytes of the message's body. A message's segments follow one
 * another in order; a break in them drops the message. body     fields of tag u16, zero u16, length
 * u32, value; see messages.def. Unknown tags are skipped.
 *
 * All numbers are little-endian. The host numbers its requests; a reply carries the request's id
 * and its type | CONTROL_REPLY, or CONTROL_ERROR. Requests are answered in the order of their
 * arrival, but for FRAMES and CONSOLE_READ, which wait for something to tell. The conversation
 * begins with HELLO from either side; a HELLO with another `self` than before means that the peer
 * restarted: whatever was under way is lost.
 *
 * Free-standing: calls only memcpy, memset and memcmp.
 */
#ifndef AEGIS_CONTROL_CONTROL_H
#define AEGIS_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_VERSION 1

#define CONTROL_NAME_SIZE     32     /* of a binding's name, its zero included */
#define CONTROL_APP_SIZE      16     /* of a program's name, likewise: AEGIS_NAME_SIZE */
#define CONTROL_TEXT_SIZE     512    /* of an error's sentence, likewise */
#define CONTROL_IMAGE_MAX     65536  /* bytes of one filter image: AEGIS_FILTER_MAX */
#define CONTROL_HANDLER_MAX   262144 /* bytes of one handler image: AEGIS_HANDLER_MAX */
#define CONTROL_BYTES_MAX     2048   /* bytes of a captured frame: AEGIS_SLOT_SIZE */
#define CONTROL_ARGUMENTS_MAX 1024   /* bytes of a program's arguments, zeros included */
#define CONTROL_EXTENTS_MAX   1024   /* bytes of what names the extents that it gets, likewise */
#define CONTROL_OUTPUT_MAX    4096   /* bytes of a console's output in one answer */
#define CONTROL_INPUT_MAX     1024   /* bytes of a console's input in one request */
#define CONTROL_FRAMES_MS     1000   /* after which FRAMES is answered without one */
#define CONTROL_LEASE_MS      4000   /* after which a quiet client of a console is gone */
#define CONTROL_WORD_SIZE     128    /* of what an aborted handler says: AEGIS_MESSAGE_SIZE */
/*
 * The largest message: a load, which carries its filters and its handler together, so that it is
 * done or refused as a whole and nothing of it waits in the agent for a part that never comes.
 */
#define CONTROL_BODY_MAX      (2 * CONTROL_IMAGE_MAX + CONTROL_HANDLER_MAX + 1024)
#define CONTROL_SEGMENT_MAX   1024

/* Bytes of a frame's data, of the frame before stuffing, and on the wire at most. */
#define CONTROL_DATA_MAX  (16 + CONTROL_SEGMENT_MAX)
#define CONTROL_PLAIN_MAX (4 + CONTROL_DATA_MAX + 4)
#define CONTROL_FRAME_MAX (CONTROL_PLAIN_MAX + CONTROL_PLAIN_MAX / 254 + 1 + 2)

#define CONTROL_REPLY 0x8000
enum control_type {
    CONTROL_NONE = 0,
    CONTROL_HELLO = 1,
    CONTROL_LOAD = 2,
    CONTROL_UNLOAD = 3,
    CONTROL_LIST = 4,
    CONTROL_STATUS = 5,
    CONTROL_STOP = 6,
    CONTROL_START = 7,
    CONTROL_CAPTURE = 0x10,
    CONTROL_FRAMES = 0x11,
    CONTROL_CAPTURE_END = 0x12,
    CONTROL_MAPS = 0x20,
    CONTROL_MAP_READ = 0x21,
    CONTROL_MAP_WRITE = 0x22,
    CONTROL_CONSOLE = 0x30,
    CONTROL_CONSOLE_READ = 0x31,
    CONTROL_CONSOLE_WRITE = 0x32,
    CONTROL_CONSOLE_SIZE = 0x33,
    CONTROL_CONSOLE_DETACH = 0x34,
    CONTROL_INFO = 0x101, /* these two are for aegisctl's broker, not for the agent */
    CONTROL_HALT = 0x102,
    CONTROL_ERROR = 0xffff,
};

/* Codes of CONTROL_ERROR, and, negated, what this library's functions return. */
enum control_code {
#define CONTROL_CODE(name, value, sentence) CONTROL_E_##name = value,
#include "control/codes.def"
#undef CONTROL_CODE
};

/* The sentence of a code of codes.def, or NULL. Never freed. */
const char *control_code_text(uint32_t code);

/* A view of bytes that belong to somebody else; data is aligned to nothing. */
struct control_bytes {
    const uint8_t *data;
    uint32_t size;
};

/* struct control_hello, control_load, ...: one for each record of messages.def. */
#define CONTROL_RECORD(name, type) struct control_##name {
#define CONTROL_END(name)                                                                          \
    char end_; /* keeps a record without fields legal C */                                         \
    }                                                                                              \
    ;
#define CONTROL_U32(record, tag, member)             uint32_t member;
#define CONTROL_U32_OR_0(record, tag, member)        uint32_t member;
#define CONTROL_U64(record, tag, member)             uint64_t member;
#define CONTROL_NAME(record, tag, member, size)      char member[size];
#define CONTROL_NAME_OR_0(record, tag, member, size) char member[size];
#define CONTROL_TEXT(record, tag, member, size)      char member[size];
#define CONTROL_BYTES(record, tag, member, max)      struct control_bytes member;
#define CONTROL_BYTES_OR_0(record, tag, member, max) struct control_bytes member;
#define CONTROL_MAC(record, tag, member)             uint8_t member[6];
#include "control/messages.def"
#include "control/undef.h"

/* A record's number for the codec: CONTROL_RECORD_hello, ... */
enum control_record {
#define CONTROL_RECORD(name, type) CONTROL_RECORD_##name,
#define CONTROL_END(name)
#define CONTROL_U32(record, tag, member)
#define CONTROL_U32_OR_0(record, tag, member)
#define CONTROL_U64(record, tag, member)
#define CONTROL_NAME(record, tag, member, size)
#define CONTROL_NAME_OR_0(record, tag, member, size)
#define CONTROL_TEXT(record, tag, member, size)
#define CONTROL_BYTES(record, tag, member, max)
#define CONTROL_BYTES_OR_0(record, tag, member, max)
#define CONTROL_MAC(record, tag, member)
#include "control/messages.def"
#include "control/undef.h"
    CONTROL_RECORDS
};

/*
 * Encode a record (`from` points to struct control_<record>) into body; returns the bytes written,
 * or -CONTROL_E_TOO_BIG if capacity does not hold it, or -CONTROL_E_MALFORMED if a name or an
 * array's length breaks the rules of messages.def. Nothing of body is to be used after an error.
 */
int control_encode(enum control_record record, const void *from, uint8_t *body, size_t capacity);

/*
 * Decode a body into a record (`to` points to struct control_<record>), whose control_bytes then
 * point into body. Returns 0, or -CONTROL_E_MALFORMED: a field is cut short, doubled, missing, of
 * the wrong length, or holds characters that a name may not; *to is then unspecified.
 */
int control_decode(enum control_record record, const uint8_t *body, size_t size, void *to);

/*
 * Rows inside a message: append one (control_binding_row, control_netif_row) behind what
 * control_encode wrote; returns as control_encode does.
 *
 *     used = control_encode(CONTROL_RECORD_listed, &listed, body, capacity);
 *     n = control_encode_row(CONTROL_RECORD_binding_row, &row, body + used, capacity - used);
 */
int control_encode_row(enum control_record row, const void *from, uint8_t *body, size_t capacity);

/*
 * The next row of a kind. *position begins at 0 and is the library's. Returns 1 with *to filled, 0
 * at the end, -CONTROL_E_MALFORMED as control_decode does.
 */
int control_next_row(enum control_record row, const uint8_t *body, size_t size, size_t *position,
                     void *to);

/* Whether text is a name of 1 to size - 1 characters of [A-Za-z0-9._-], zero-terminated within
 * size. */
bool control_is_name(const char *text, size_t size);

/* A message that is being sent. The body stays the caller's and must not change meanwhile. */
struct control_sender {
    const uint8_t *body;
    uint32_t size, sent;
    uint32_t id;
    uint16_t type;
    bool done;
};

/* Begin to send; size is at most CONTROL_BODY_MAX, body may be NULL if it is 0. */
void control_send(struct control_sender *sender, uint16_t type, uint32_t id, const uint8_t *body,
                  uint32_t size);

/* The next frame into wire; returns its bytes, 0 when the message is complete. */
size_t control_send_next(struct control_sender *sender, uint8_t wire[CONTROL_FRAME_MAX]);

/* A received message. Its body lies in the receiver's memory until the next control_receive. */
struct control_message {
    uint16_t type; /* CONTROL_NONE: no message is complete yet */
    uint32_t id;
    const uint8_t *body; /* NULL if the message is larger than the receiver's memory: refuse it */
    uint32_t size;       /* of the message, also if it is too large */
};

/* The receiving end; all members are the library's, but the counters may be read. */
struct control_receiver {
    uint8_t *body; /* the caller's memory for the body under way */
    uint32_t capacity;
    uint32_t id, total, have; /* of the message under way, if type is not CONTROL_NONE */
    uint16_t type;
    bool in_frame;       /* a 00 was seen */
    bool bad;            /* this frame is too long to be one */
    uint8_t run;         /* COBS: data bytes left in the run */
    bool zero;           /* COBS: the run ends with a 00, unless the frame does */
    uint32_t fill;       /* bytes in plain */
    uint64_t frames;     /* good frames so far */
    uint64_t bad_frames; /* what lay between two 00 and was no frame */
    uint64_t broken;     /* messages that lost a segment */
    uint8_t plain[CONTROL_PLAIN_MAX];
};

/* Memory for bodies up to capacity bytes (at least 1; CONTROL_BODY_MAX takes all) stays the
 * caller's. */
void control_receiver_init(struct control_receiver *receiver, uint8_t *body, uint32_t capacity);

/*
 * Take received bytes, in chunks of any size. Returns how many were consumed: all of them, or fewer
 * if a message became complete, which is then in *message (else message->type is CONTROL_NONE).
 * Call again with the rest. Takes no time beyond a few steps a byte, whatever the bytes are.
 */
size_t control_receive(struct control_receiver *receiver, const uint8_t *bytes, size_t size,
                       struct control_message *message);

/* CRC-32 of IEEE 802.3 (reflected 0xedb88320); begin with crc 0, chain with the result so far. */
uint32_t control_crc32(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
