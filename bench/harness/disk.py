"""Group disk: how long reads of a disk take beside Linux with O_DIRECT on the same image, and how many instructions."""

import json
import tempfile
import time

from . import aegis, linux, stats
from .machine import Machine
from .results import AEGIS
from .systems import LINUX

BYTES = 256 << 20
COUNTED = 2000  # reads: bench/guest/disk.c
SETTLE = 0.3  # seconds of a rest until the machine does nothing
LIMIT = 120
LOADS = ("rand4k", "seq1m")
DEPTHS = (1, 32)


def drive(image):
    return ["-blockdev", f"driver=raw,node-name=d0,file.driver=file,file.filename={image}",
            "-device", "virtio-blk-device,drive=d0"]


def fill(image):
    """Bytes that no file system stores as a hole, and that the host has read before: its disk isn't what is measured."""
    block = bytes(range(256)) * 4096
    for _ in range(BYTES // len(block)):
        image.write(block)
    image.flush()


def arguments(context, system, image):
    ours = aegis.image(context, "bench-disk.cpio") if system == AEGIS else linux.arguments(context.linux, "disk")
    return [*ours, *drive(image)]


def time_loads(context, system, image):
    """By (load, depth): the median of a read in ns, and bytes a second."""
    with Machine(system, arguments(context, system, image), net=False) as machine:
        machine.wait_line("bench: rest", LIMIT)
        lines = [json.loads(line[line.index("{"):]) for _, line in machine.lines if '{"load"' in line]
    return {(line["load"], line["depth"]): (line["ns"], line["bytes_a_second"]) for line in lines}


def count_reads(context, system, image):
    """Instructions of a read of 4 KiB: those from one rest to the next with reads between, less those without."""
    plugin = context.host("bench/libcount.so")
    counts, seen = [], 0
    with Machine(system, arguments(context, system, image), net=False, plugin=plugin) as machine:
        while len(counts) < 3:
            machine.wait_line("(?s)" + "bench: rest", LIMIT)
            while (rests := sum("bench: rest" in line for _, line in machine.lines)) == seen:
                time.sleep(0.01)
            seen = rests
            time.sleep(SETTLE)
            counts.append(machine.counter().read())
    return (counts[2] - 2 * counts[1] + counts[0]) / COUNTED


def add_times(context, times):
    """Each load's figure of each system, and the ratios, pair by pair."""
    for load in LOADS:
        for depth in DEPTHS:
            kind = LOADS.index(load)  # latency of small reads, rate of large ones
            figures = {system: [one[load, depth][kind] for one in runs] for system, runs in times.items()}
            suffix = "" if depth == 1 else f"_{depth}"
            for system, values in figures.items():
                scaled = [v / 1000 if kind == 0 else v / 1e6 for v in values]
                middle, low, high = stats.spread(scaled)
                context.results.add("disk", load + suffix, system, middle, low=low, high=high, samples=len(scaled))
            if len(figures) == 2:
                ratio, low, high = stats.pairwise(figures[AEGIS], figures[LINUX])
                context.results.add("disk", f"{load}{suffix}_vs_linux", AEGIS, ratio, low=low, high=high, samples=len(values))


def measure(context):
    if not aegis.available(context):
        return
    systems = [AEGIS, LINUX] if context.linux else [AEGIS]
    with tempfile.NamedTemporaryFile(prefix="aegis-bench-", suffix=".disk") as image:
        fill(image)
        for system in systems:
            context.say(f"disk: instructions of a read, {system}")
            context.results.add("disk", "read4k_raw", system, count_reads(context, system, image.name))
        times = {system: [] for system in systems}
        rounds = 3 if context.quick else 9
        for i in range(rounds):
            context.say(f"disk: reads by the clock, round {i + 1} of {rounds}")
            for system in systems if i % 2 == 0 else systems[::-1]:
                times[system].append(time_loads(context, system, image.name))
    add_times(context, times)
