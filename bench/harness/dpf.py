"""
Group dpf: what the kernel's own generated code takes to classify a frame, and what binding a filter takes. Counted are the
instructions at the addresses of generated code, of frames that the device received.
"""

import statistics

from . import aegis, frames, results
from .frames import FramesMachine, ipv4, ethernet, ports
from .results import AEGIS

TCP, UDP, ICMP, GRE = 6, 17, 1, 47
ONE, TWO = "10.0.0.1", "10.0.0.2"
FIRST = 1025  # the source port of the first filter of a shape
MANY = 1000
SAMPLES = 50
# A TCP connection over IPv4 without options, in and out.
PLAIN = ("ip[0] = 0x45 and ip proto 6 and ip[6:2] & 0x1fff = 0 and src host {0} and dst host {1} and ether[34:2] = {2} and "
         "ether[36:2] = {3}")
CONNECTION = PLAIN.format(ONE, TWO, "@", 80) + "\t" + PLAIN.format(TWO, ONE, 80, "@")
# The same as libpcap has it: the header's length is taken from the frame.
OPTIONS = f"src host {ONE} and dst host {TWO} and tcp src port @ and tcp dst port 80"
# What a UDP application may send.
UDP_OUT = (f"ip[0] = 0x45 and ip proto 17 and dst host {ONE} and ether[36:2] = @\t"
           f"ip[0] = 0x45 and ip proto 17 and src host {ONE} and ether[34:2] = @")

# A frame for each shape in bench/shapes, by its name.
SHAPE_FRAMES = {
    "udp": lambda n: ipv4(UDP, ONE, TWO, ports(9, n)),
    "tcp": lambda n: ipv4(TCP, ONE, TWO, ports(9, n)),
    "tcp connection": lambda n: ipv4(TCP, ONE, TWO, ports(n, 80)),
    "udp connection": lambda n: ipv4(UDP, ONE, TWO, ports(n, 53)),
    "udp from a net": lambda n: ipv4(UDP, "10.1.2.3", TWO, ports(n, 123)),
    "echo request": lambda n: ipv4(ICMP, ONE, TWO, bytes([8, 0, 0, 0]) + n.to_bytes(2, "big")),
    "arp": lambda n: ethernet(0x0806, bytes.fromhex("0001080006040001") + bytes(16) + bytes([10, 2]) + n.to_bytes(2, "big")),
    "host": lambda n: ipv4(GRE, ONE, f"10.3.{n >> 8}.{n & 255}", bytes(8)),
    "ipv6 udp": lambda n: ethernet(0x86DD, bytes.fromhex("60000000000811ff") + bytes(32) + ports(9, n)),
    "ethernet": lambda n: ethernet(n, bytes(46)),
}
SHAPE_FIRST = 20000  # numbers of each shape: as an EtherType nothing else's, and none of the ports 53, 80, 123


def connection(port):
    return ipv4(TCP, ONE, TWO, ports(port, 80))


def shapes():
    """(name, text) of each line of bench/shapes."""
    lines = (results.ROOT / "bench/shapes").read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def add(context, row, value, **more):
    context.results.add("dpf", row, AEGIS, value, **more)


def measure_connections(context):
    """One to a thousand filters for TCP connections."""
    with FramesMachine(context, frames.shape(context, CONNECTION, MANY, FIRST)) as machine:
        empty = machine.each(connection(FIRST))
        for count in (1, 10, MANY):
            context.say(f"dpf: binding {count} filters of one shape")
            install = machine.bind(count)
            last = FIRST + count - 1
            if count < MANY:
                add(context, f"classify_{count}", machine.each(connection(last)) - empty)
        # Whether the hash table needs its second probe for a number is as random as its seed, so many are asked.
        each = [machine.each(connection(FIRST + i), 1) - empty for i in range(0, MANY, MANY // SAMPLES)]
        add(context, f"classify_{MANY}", statistics.median(each), low=min(each), high=max(each),
            samples=len(each))
        add(context, f"miss_{MANY}", machine.each(connection(last + 1)) - empty)
        add(context, f"install_{MANY}th", install)


def measure_options(context):
    with FramesMachine(context, frames.shape(context, OPTIONS, 1, FIRST)) as machine:
        empty = machine.each(connection(FIRST))
        machine.bind(1)
        add(context, "classify_1_options", machine.each(connection(FIRST)) - empty)


def measure_mixed(context):
    """A thousand filters of ten shapes, bound in turn; the median of what one frame for each shape takes."""
    of_shape = [frames.shape(context, text, MANY // 10, SHAPE_FIRST) for _, text in shapes()]
    with FramesMachine(context, [pair for row in zip(*of_shape) for pair in row]) as machine:
        empty = machine.each(connection(FIRST))
        context.say(f"dpf: binding {MANY} filters of ten shapes")
        machine.bind(MANY)
        each = [machine.each(SHAPE_FRAMES[name](SHAPE_FIRST + MANY // 20)) - empty for name, _ in shapes()]
        add(context, f"classify_{MANY}_mixed", statistics.median(each), low=min(each), high=max(each), samples=len(each))


def measure_egress(context):
    """A frame that leaves: its check is all the generated code that runs then."""
    frame = bytearray(ipv4(UDP, ONE, TWO, ports(FIRST, 9)))
    frame[:12] = frames.HOST_MAC + frames.GUEST_MAC
    with FramesMachine(context, frames.shape(context, UDP_OUT, 1, FIRST), frame=bytes(frame)) as machine:
        machine.bind(1)
        add(context, "egress_check", machine.each_sent())


def measure(context):
    if not aegis.available(context):
        return
    parts = [measure_options, measure_egress, measure_connections]
    for part in parts if context.quick else [*parts, measure_mixed]:
        part(context)
