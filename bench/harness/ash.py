"""Group ash: what handlers add to a frame in the kernel, and what their code takes beside the peer's for the same object."""

import socket
import time

from . import aegis, bpf, dpf, frames, linux, net, profile, results
from .frames import FRAMES, FramesMachine
from .machine import Machine, MachineError
from .results import AEGIS
from .systems import HANDLER, LINUX_XDP

HANDLERS = results.ROOT / "bench/handlers"
FILTER = HANDLERS / "filter-4tuple.c"
RECEIVER = "rx_interrupt"
QUIET, PATIENCE = 0.2, 10.0  # seconds without a change after which all frames are dealt with; before it is an error


def load_connection(context, handler, **more):
    """A machine with one filter for a TCP connection, and a handler for its frames that isn't bound yet."""
    filters = frames.shape(context, dpf.CONNECTION, 1, dpf.FIRST)
    return FramesMachine(context, filters, handler=bpf.image(context, handler), **more)


def measure_overhead(context):
    """
    The whole of the kernel's function around the shortest handler, into which all is inlined: from the interrupt through
    the device's queue and the classifier's verdict to the handler, and back until the buffer is the device's again. So it
    is more than the row asks for.
    """
    bounds = profile.Symbols(aegis.kernel(context)).bounds(RECEIVER)
    with load_connection(context, HANDLERS / "drop.c", only=bounds) as machine:
        machine.bind(1)
        machine.load_handler()
        context.results.add("ash", "call_overhead", AEGIS, machine.each_alone(dpf.connection(dpf.FIRST)))


def filter_on_aegis(context):
    with load_connection(context, FILTER) as machine:
        machine.bind(1)
        before = machine.each(dpf.connection(dpf.FIRST))
        machine.load_handler()
        return machine.each(dpf.connection(dpf.FIRST)) - before


def rest(counter):
    """The count, once it has not changed for QUIET seconds."""
    end, seen, since = time.monotonic() + PATIENCE, counter.read(), time.monotonic()
    while time.monotonic() - since < QUIET:
        if time.monotonic() > end:
            raise MachineError("linux: its XDP program does not come to rest")
        time.sleep(QUIET / 10)
        now = counter.read()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def filter_on_linux(context):
    """The same object by Linux's JIT, which says where it put the code; counted are the instructions there."""
    with Machine("linux (filter)", linux.arguments(context.linux, "filter"),
                 plugin=f"{context.host('bench/libcount.so')},only=0-1") as machine, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host:
        host.bind(str(machine.local))
        _, code = machine.wait_line(r"xdp-load: code at ([0-9a-f]+), (\d+) bytes", 120)
        machine.wait_line("xdp-load: ready, native", 30)
        counter = machine.counter()
        counter.only(int(code[1], 16), int(code[1], 16) + int(code[2]))
        before = rest(counter)
        for _ in range(FRAMES):
            host.sendto(dpf.connection(dpf.FIRST), str(machine.remote))
        return FramesMachine.share(rest(counter) - before)


def measure_filter(context):
    ours = filter_on_aegis(context)
    context.results.add("ash", "filter_4tuple_code", AEGIS, ours)
    if not context.linux:
        context.results.add("ash", "filter_4tuple", AEGIS, None, note="no peer")
        return
    theirs = filter_on_linux(context)
    context.results.add("ash", "filter_4tuple_code", LINUX_XDP, theirs)
    context.results.add("ash", "filter_4tuple", AEGIS, ours / theirs)


def measure(context):
    if not aegis.available(context):
        return
    context.say("ash: running handlers on frames")
    measure_overhead(context)
    measure_filter(context)
    net.add_counted(context, HANDLER)
