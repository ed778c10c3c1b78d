"""Row net/kv_get: what a GET of the program kv takes, which a handler answers in the kernel."""

import socket
import struct
import time

from . import frames, stats, systems
from .machine import MachineError
from .results import AEGIS

PORT, GET, SET, ANSWER = 7071, 1, 2, 0x80  # src/apps/kv/kv.h
KEY, VALUE = b"key of the bench", bytes(range(60))
HOST, GUEST = "10.0.2.2", "10.0.2.15"
PATIENCE, SETTLE = 5.0, 0.0003  # seconds; the guest rests when its count stands still for so long


def internet_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def request(operation, tag, value=b""):
    """A frame with a request, whose sums are right."""
    said = struct.pack("!HBBIIHBB", 0x4B56, operation, 0, tag, 0, len(value), len(KEY), 0) + KEY + value
    udp = struct.pack("!HHHH", 4000, PORT, 8 + len(said), 0) + said
    ends = socket.inet_aton(HOST) + socket.inet_aton(GUEST)
    pseudo = ends + struct.pack("!HH", 17, len(udp)) + udp
    udp = udp[:6] + struct.pack("!H", internet_sum(pseudo + bytes(len(pseudo) % 2))) + udp[8:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends
    header = header[:10] + struct.pack("!H", internet_sum(header)) + header[12:]
    return frames.ethernet(0x0800, header + udp)


class Wire:
    """The machine's network, and its counter."""

    def __init__(self, machine):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(machine.local))
        self.socket.connect(str(machine.remote))
        self.socket.settimeout(PATIENCE)
        self.counter, self.tag = machine.counter(), 0

    def ask(self, operation, value=b""):
        """Sends a request; returns the value of its answer and how many instructions the guest took until it rested."""
        self.tag += 1
        before = self.counter.read()
        self.socket.send(request(operation, self.tag, value))
        while True:
            answer = self.socket.recv(2048)[42:]
            if len(answer) < 16 or struct.unpack_from("!HBBI", answer) != (0x4B56, operation | ANSWER, 0, self.tag):
                continue
            return answer[16:16 + struct.unpack_from("!H", answer, 12)[0]], self.settled() - before

    def settled(self):
        count, since = self.counter.read(), time.monotonic()
        while time.monotonic() - since < SETTLE:
            now = self.counter.read()
            if now != count:
                count, since = now, time.monotonic()
        return count


def measure(context):
    count = 100 if context.quick else 1000
    context.say("net: counting the instructions of a GET of kv")
    with systems.open_aegis(systems.KEYS)(context, context.host("bench/libcount.so")) as machine:
        wire = Wire(machine)
        wire.ask(SET, VALUE)
        each = []
        for _ in range(20 + count):
            value, insn = wire.ask(GET)
            if value != VALUE:
                raise MachineError(f"kv answered {value!r} to a GET")
            each.append(insn)
    middle, low, high = stats.spread(each[20:])
    context.results.add("net", "kv_get", AEGIS, middle, low=low, high=high, samples=count)
