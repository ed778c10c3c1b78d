"""
A machine whose first program is bench/guest/frames.c: filters and handlers are bound in the real kernel, frames are sent
to it, and instructions at chosen addresses are counted from outside.
"""

import socket
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from . import aegis
from .machine import ICOUNT_WAITING, Machine, MachineError
from .results import AEGIS

# Virtual addresses of the kernel's generated code (src/kernel/rv64/layout.h), and of its image.
CODE = 0xFFFFFFF400000000, 0xFFFFFFF600000000
IMAGE = 0xFFFFFFFF80000000, 0xFFFFFFFFFFFFF000
COMMAND = 0x88B5
NOTHING, BIND, HANDLER, SEND, RECEIVED = range(5)  # bench/guest/frames.c
BIND_LIMIT = 400  # seconds: a thousand filters, each checked against all others
REST = 0.02  # seconds: far more than a frame takes
FRAMES = 20  # of a kind that are counted together
GUEST_MAC, HOST_MAC = bytes.fromhex("525400123456"), bytes.fromhex("060708090a0b")
NUMBER = 51234  # stands for @ where a filter is compiled once and then numbered


# Frames

def ethernet(kind, payload):
    return (GUEST_MAC + HOST_MAC + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def ipv4(protocol, source, destination, payload):
    """An Ethernet frame with an IPv4 header without options; filters don't look at its checksum."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, socket.inet_aton(source),
                         socket.inet_aton(destination))
    return ethernet(0x0800, header + payload)


def ports(source, destination, more=bytes(16)):
    return struct.pack("!HH", source, destination) + more


# Filters

def compile_text(context, text):
    """The ingress and egress images of a filter, by dpfc."""
    with tempfile.TemporaryDirectory() as name:
        paths = Path(name) / "ingress", Path(name) / "egress"
        done = subprocess.run([str(context.host("bin/dpfc")), "-o", str(paths[0]), "--egress-out", str(paths[1]), text],
                              capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise MachineError(f"dpfc {text!r}: {done.stderr.strip()}")
        return tuple(path.read_bytes() for path in paths)


def numbered(image, number):
    """A filter's image with another number where NUMBER stands: in sets of which it is the only member."""
    nodes, ranges = struct.unpack_from("<HH", image, 8)
    made, first, places = bytearray(image), 16 + 24 * nodes, 0
    for at in range(first, first + 16 * ranges, 16):
        if struct.unpack_from("<QQ", image, at) == (NUMBER, NUMBER):
            struct.pack_into("<QQ", made, at, number, number)
            places += 1
    if not places:
        raise MachineError(f"dpfc made a filter in which the number {NUMBER} isn't a set of its own")
    return bytes(made)


def shape(context, text, count, first):
    """
    count filters of one shape: text with first, first + 1, ... for @. Behind a tab, text has the filter for frames that go
    out; otherwise dpfc derives it.
    """
    ingress, _, egress = text.replace("@", str(NUMBER)).partition("\t")
    images = compile_text(context, ingress)
    if egress:
        images = images[0], compile_text(context, egress)[0]
    return [tuple(numbered(image, n) for image in images) for n in range(first, first + count)]


def pack(filters):
    """The file "filters" that the guest's program reads."""
    pad = lambda image: image + bytes(-len(image) % 8)
    return b"".join(struct.pack("<II", len(a), len(b)) + pad(a) + pad(b) for a, b in filters)


# The machine

class FramesMachine:
    """
    with FramesMachine(context, filters, frame, handler) as machine: counts instructions at addresses in only.
    filters: pairs of images, to be bound by bind(); frame: what send() sends; handler: an ASH image.
    """

    def __init__(self, context, filters, frame=b"", handler=b"", only=CODE, profile=False):
        plugin = f"{context.host('bench/libcount.so')},only={only[0]:x}-{only[1]:x}{',profile=on' if profile else ''}"
        self.machine = Machine(AEGIS, [], plugin=plugin, icount=ICOUNT_WAITING)
        files = {"filters": pack(filters), "frame": frame, "handler": handler}
        pairs = [f"init={context.guest('bench/bench-frames')}"]
        for name, data in files.items():
            (self.machine.base / name).write_bytes(data)
            pairs.append(f"{name}={self.machine.base / name}")
        initrd = self.machine.base / "initrd"
        subprocess.run([str(aegis.ROOT / "src/apps/mkcpio"), str(initrd), *pairs], check=True, timeout=60)
        self.machine.command += aegis.image(context, initrd)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.token = 0

    def __enter__(self):
        self.socket.bind(str(self.machine.local))
        self.machine.__enter__()
        try:
            self.machine.wait_line("^.*frames: ready", 30)
            self.counter = self.machine.counter()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.machine.__exit__()
        self.socket.close()

    def put(self, frame):
        self.socket.sendto(frame, str(self.machine.remote))

    def ask(self, op, number=0, timeout=30):
        """Has the guest's program do something, and waits for its answer."""
        self.token += 1
        self.put(ethernet(COMMAND, struct.pack("<III", op, number, self.token)))
        _, found = self.machine.wait_line(rf"frames: {self.token}: (\d+)", timeout)
        return int(found[1])

    def bind(self, number):
        """Binds filters until there are so many; the instructions of the last net_bind."""
        return self.ask(BIND, number, BIND_LIMIT)

    def load_handler(self):
        """Has the handler run on the last filter's frames; the bytes of its code."""
        return self.ask(HANDLER, 1)

    def unload_handler(self):
        self.ask(HANDLER, 0)

    def received(self, number):
        """Frames that filter number (from 0) has taken."""
        return self.ask(RECEIVED, number)

    def count(self, action, asks):
        """
        What action adds to the count, less what the asks in it, and the one that follows it, add by themselves: an answer
        says that all frames before it have been dealt with.
        """
        self.ask(NOTHING)
        start = self.counter.read()
        self.ask(NOTHING)
        alone = self.counter.read() - start
        start = self.counter.read()
        action()
        if not asks:
            self.ask(NOTHING)
        return self.counter.read() - start - alone

    def each(self, frame, times=FRAMES):
        """Instructions of one received frame; it is an error if they differ from time to time."""
        return self.share(self.count(lambda: [self.put(frame) for _ in range(times)], asks=False), times)

    def each_alone(self, frame):
        """The same, of frames that each have an interrupt of their own: the median, as two may still fall together."""
        taken = []
        for _ in range(FRAMES):
            self.ask(NOTHING)
            time.sleep(REST)
            start = self.counter.read()
            self.put(frame)
            time.sleep(REST)
            taken.append(self.counter.read() - start)
        return statistics.median(taken)

    def each_sent(self):
        """Instructions of one frame that the guest sends."""
        return self.share(self.count(lambda: self.ask(SEND, FRAMES), asks=True))

    @staticmethod
    def share(total, times=FRAMES):
        if total % times:
            raise MachineError(f"{times} frames took {total} instructions: not all of them the same")
        return total // times
