"""The control protocol (src/control/control.h) a second time, written from its description, so that the C library has
an independent peer: frames 00 COBS(magic, length, data, CRC-32) 00, segments, bodies of tagged fields."""
import struct
import zlib

MAGIC = 0xA391
SEGMENT = 1024
REPLY = 0x8000
HELLO, LOAD, UNLOAD, LIST, STATUS, STOP, START, INFO, HALT = 1, 2, 3, 4, 5, 6, 7, 0x101, 0x102
CAPTURE, FRAMES, CAPTURE_END = 0x10, 0x11, 0x12
MAPS, MAP_READ, MAP_WRITE = 0x20, 0x21, 0x22
CONSOLE, CONSOLE_READ, CONSOLE_WRITE, CONSOLE_SIZE, CONSOLE_DETACH = 0x30, 0x31, 0x32, 0x33, 0x34
BODY_MAX = 2 * 65536 + 262144 + 1024
ERROR = 0xFFFF
ROW = 0x100  # + number of the record in messages.def, counted from 0
RECORDS = ("hello load loaded unload unloaded list listed binding_row handler_row maps mapped map_row map_read map_data "
           "map_write map_written status state netif_row stop stopping start started capture capturing frames framed frame_row "
           "capture_end capture_ended console attached console_read console_output console_write console_written console_size "
           "console_sized console_detach console_detached info informed forward_row halt halted error").split()

# record -> {tag: (name, kind)}; n: a number of 4 bytes, N: of 8, s: text, b: bytes
FIELDS = {
    "hello": {1: ("version", "n"), 2: ("self", "N"), 3: ("peer", "N"), 4: ("body_max", "n")},
    "load": {1: ("name", "s"), 2: ("app", "s"), 3: ("netif", "n"), 4: ("ingress", "b"), 5: ("egress", "b"),
             6: ("handler", "b"), 7: ("fuel", "n")},
    "loaded": {1: ("binding", "n"), 2: ("env", "n"), 3: ("slots", "n"), 4: ("handler", "n"), 5: ("insns", "n"),
               6: ("code", "n"), 7: ("guards", "n"), 8: ("maps", "n")},
    "unload": {1: ("name", "s")},
    "unloaded": {1: ("binding", "n"), 2: ("env", "n"), 3: ("app", "s"), 4: ("received", "N"), 5: ("dropped", "N"),
                 6: ("sent", "N"), 7: ("handler", "s"), 8: ("runs", "N"), 9: ("pages", "n")},
    "list": {1: ("start", "n"), 2: ("detail", "n")},
    "listed": {1: ("next", "n")},
    "binding_row": {1: ("name", "s"), 2: ("app", "s"), 3: ("binding", "n"), 4: ("env", "n"), 5: ("netif", "n"),
                    6: ("ingress_size", "n"), 7: ("egress_size", "n"), 8: ("received", "N"), 9: ("dropped", "N"),
                    10: ("sent", "N"), 11: ("refused", "N"), 12: ("handler", "s"), 13: ("unbound", "n")},
    "handler_row": {1: ("handler", "n"), 2: ("insns", "n"), 3: ("code", "n"), 4: ("accesses", "n"), 5: ("guards", "n"),
                    6: ("maps", "n"), 7: ("limit", "n"), 8: ("strikes", "n"), 9: ("strikes_most", "n"), 10: ("runs", "N"),
                    11: ("fuel", "N"), 12: ("aborted", "N"), 13: ("dropped", "N"), 14: ("passed", "N"), 15: ("sent", "N"),
                    16: ("refused", "N"), 17: ("abort", "s")},
    "maps": {1: ("name", "s")},
    "mapped": {1: ("count", "n")},
    "map_row": {1: ("map", "n"), 2: ("name", "s"), 3: ("entries", "n"), 4: ("value_size", "n"), 5: ("flags", "n")},
    "map_read": {1: ("name", "s"), 2: ("map", "n"), 3: ("start", "n"), 4: ("all", "n")},
    "map_data": {1: ("next", "n"), 2: ("width", "n"), 3: ("rows", "b")},
    "map_write": {1: ("name", "s"), 2: ("map", "n"), 3: ("entry", "n"), 4: ("value", "b")},
    "state": {1: ("uptime", "N"), 2: ("timebase", "N"), 3: ("pages_total", "N"), 4: ("pages_free", "N"),
              5: ("envs", "n"), 6: ("harts", "n"), 7: ("address", "s"), 8: ("revision", "s"),
              9: ("code_free", "N"), 10: ("arena_free", "N")},
    "netif_row": {1: ("netif", "n"), 2: ("mac", "b"), 3: ("mtu", "n"), 4: ("received", "N"), 5: ("unclaimed", "N"),
                  6: ("sent", "N")},
    "stop": {1: ("status", "n")},
    "start": {1: ("app", "s"), 2: ("arguments", "b")},
    "started": {1: ("env", "n")},
    "capture": {1: ("netif", "n"), 2: ("snaplen", "n"), 3: ("filter", "b")},
    "capturing": {1: ("capture", "n")},
    "frames": {1: ("capture", "n")},
    "framed": {1: ("now", "N"), 2: ("dropped", "N")},
    "frame_row": {1: ("time", "N"), 2: ("length", "n"), 3: ("sent", "n"), 4: ("bytes", "b")},
    "capture_end": {1: ("capture", "n")},
    "capture_ended": {1: ("dropped", "N"), 2: ("left", "N"), 3: ("capture", "n")},
    "console": {1: ("columns", "n"), 2: ("rows", "n"), 3: ("own", "n"), 4: ("plain", "n"), 5: ("command", "b")},
    "attached": {1: ("console", "n"), 2: ("process", "n"), 3: ("position", "N"), 4: ("others", "n")},
    "console_read": {1: ("console", "n"), 2: ("position", "N")},
    "console_output": {1: ("position", "N"), 2: ("bytes", "b"), 3: ("ended", "n"), 4: ("status", "n")},
    "console_write": {1: ("console", "n"), 2: ("bytes", "b"), 3: ("end", "n")},
    "console_written": {1: ("taken", "n")},
    "console_size": {1: ("console", "n"), 2: ("columns", "n"), 3: ("rows", "n")},
    "console_detach": {1: ("console", "n")},
    "error": {1: ("code", "n"), 2: ("text", "s")},
}
PACK = {"n": lambda v: struct.pack("<I", v), "N": lambda v: struct.pack("<Q", v), "s": lambda v: v.encode(), "b": bytes}
UNPACK = {"n": lambda b: struct.unpack("<I", b)[0], "N": lambda b: struct.unpack("<Q", b)[0],
          "s": lambda b: b.decode("ascii"), "b": bytes}


def cobs(data: bytes) -> bytes:
    out = bytearray()
    for i, run in enumerate(data.split(b"\0")):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]
        out += bytes([len(run) + 1]) + run
    return bytes(out)


def uncobs(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        run = data[at + 1:at + code]
        if len(run) != code - 1:
            raise ValueError("the run ends beyond the frame")
        out += run
        at += code
        if code != 255 and at < len(data):
            out.append(0)
    return bytes(out)


def frame(data: bytes) -> bytes:
    plain = struct.pack("<HH", MAGIC, len(data)) + data
    return b"\0" + cobs(plain + struct.pack("<I", zlib.crc32(plain))) + b"\0"


def encode_message(kind: int, number: int, body: bytes) -> bytes:
    out = b""
    for offset in range(0, max(len(body), 1), SEGMENT):
        out += frame(struct.pack("<HHIII", kind, 0, number, len(body), offset) + body[offset:offset + SEGMENT])
    return out


def encode(record: str, **values) -> bytes:
    """Fields that are not given are left out: they read as zero or nothing, or the message is malformed."""
    body = b""
    for tag, (name, kind) in FIELDS.get(record, {}).items():
        if name not in values:
            continue
        value = PACK[kind](values.pop(name))
        body += struct.pack("<HHI", tag, 0, len(value)) + value
    assert not values, values
    return body


def encode_row(record: str, **values) -> bytes:
    body = encode(record, **values)
    return struct.pack("<HHI", ROW + RECORDS.index(record), 0, len(body)) + body


def fields(body: bytes):
    at = 0
    while at < len(body):
        tag, zero, length = struct.unpack_from("<HHI", body, at)
        assert zero == 0 and at + 8 + length <= len(body), "malformed body"
        yield tag, body[at + 8:at + 8 + length]
        at += 8 + length


def decode(record: str, body: bytes) -> dict:
    known = FIELDS.get(record, {})
    return {known[tag][0]: UNPACK[known[tag][1]](value) for tag, value in fields(body) if tag in known}


def rows(record: str, body: bytes) -> list:
    return [decode(record, value) for tag, value in fields(body) if tag == ROW + RECORDS.index(record)]


class Receiver:
    """Bytes in, (type, id, body) out."""

    def __init__(self):
        self.pending = b""
        self.message = None  # (type, id, total, bytearray)

    def feed(self, data: bytes):
        *whole, self.pending = (self.pending + data).split(b"\0")
        for piece in whole:
            message = self.segment(piece) if piece else None
            if message:
                yield message

    def segment(self, piece: bytes):
        try:
            plain = uncobs(piece)
            magic, length = struct.unpack_from("<HH", plain)
        except (ValueError, struct.error):
            return None
        if magic != MAGIC or len(plain) != length + 8 or struct.unpack("<I", plain[-4:])[0] != zlib.crc32(plain[:-4]):
            return None
        kind, _, number, total, offset = struct.unpack_from("<HHIII", plain, 4)
        data = plain[20:-4]
        if offset == 0:
            self.message = (kind, number, total, bytearray())
        if self.message is None or self.message[:3] != (kind, number, total) or len(self.message[3]) != offset:
            self.message = None
            return None
        self.message[3].extend(data)
        if len(self.message[3]) < total:
            return None
        message, self.message = self.message, None
        return message[0], message[1], bytes(message[3])
