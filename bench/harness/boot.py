"""Group boot: from QEMU's launch to the first application's first line, and the kernel's size."""

import subprocess

from . import aegis, linux, stats
from .machine import Machine
from .results import AEGIS
from .systems import LINUX


def launch(name, arguments, line, keep=()):
    with Machine(name, arguments, keep=keep) as machine:
        when, _ = machine.wait_line(line, 120)
        return when * 1000


def launch_aegis(context):
    """Its first application talks on the control console, so it gets one."""
    console = aegis.Console()
    try:
        return launch(AEGIS, [*aegis.image(context), *console.arguments], aegis.FIRST_LINE, [console.guest.fileno()])
    finally:
        console.close()


def measure_first_line(context):
    pairs = 3 if context.quick else 7
    ours, theirs = [], []
    for i in range(pairs):
        context.say(f"boot: launch {i + 1} of {pairs}")
        if aegis.available(context):
            ours.append(launch_aegis(context))
        if context.linux:
            theirs.append(launch(LINUX, linux.arguments(context.linux, "boot"), "^init: first line"))
    for name, times in ((AEGIS, ours), (LINUX, theirs)):
        if times:
            middle, low, high = stats.spread(times)
            context.results.add("boot", "to_first_app", name, middle, low=low, high=high, samples=len(times))
    if ours and theirs:
        ratio, low, high = stats.pairwise(ours, theirs)
        context.results.add("boot", "to_first_app_vs_linux", AEGIS, ratio, low=low, high=high, samples=len(ours))
    elif ours:
        context.results.add("boot", "to_first_app_vs_linux", AEGIS, None, note="no peer")


def kernel_bytes(elf):
    """text + data by size(1): what is loaded, less what is sized and zeroed at boot."""
    text = subprocess.run(["riscv64-unknown-elf-size", str(elf)], capture_output=True, text=True, check=True,
                          timeout=30).stdout
    code, data = text.splitlines()[1].split()[:2]
    return int(code) + int(data)


def measure(context):
    measure_first_line(context)
    if aegis.available(context):
        context.results.add("boot", "kernel_bytes", AEGIS, kernel_bytes(aegis.kernel(context)))
