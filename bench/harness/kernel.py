"""Group kernel: what entering the kernel and managing pages costs, in instructions, counted by the guest itself."""

import json
import re

from . import aegis, linux
from .machine import Machine
from .results import AEGIS
from .systems import LINUX

LIMIT_AEGIS, LIMIT_LINUX, LIMIT_ATTACK = 60, 240, 240  # seconds


def run_rows(name, arguments, done, timeout, icount=True):
    """The rows that the guest program prints as lines of JSON, until it says that it is done."""
    with Machine(name, arguments, net=False, icount=icount) as machine:
        machine.wait_line(done, timeout)
        found = [re.search(r"\{\"group\".*\}", line) for _, line in machine.lines]
    return [json.loads(f[0]) for f in found if f]


def add(context, system, rows):
    for row in rows:
        spread = {key: row[key] for key in ("low", "high", "order") if key in row}
        context.results.add(row["group"], row["row"], system, row["value"], **spread)


def irq_off_in(context, archive, *more):
    """The longest stretch with interrupts off in the kernel that measures it, until the machine ends."""
    arguments = ["-m", "32M", "-kernel", str(context.guest("src/kernel/kernel-irqoff.elf")),
                 "-initrd", str(context.guest(archive)), "-device", "virtio-rng-device", *more]
    with Machine("irqoff", arguments, net=False, icount=True) as machine:
        _, found = machine.wait_line(r"interrupts off for at most (\d+) instructions", LIMIT_ATTACK)
    return int(found[1])


def longest_irq_off(context):
    """While the rows are measured, and while tests/attack does what it can; in a quick run, that is left to test_irqoff.py."""
    if context.quick:
        return irq_off_in(context, "bench-rows.cpio")
    attacked = ["-chardev", "null,id=c0", "-device", "virtio-serial-device,max_ports=1", "-device", "virtconsole,chardev=c0"]
    for i, hub in enumerate((0, 0, 1)):
        attacked += ["-netdev", f"hubport,id=n{i},hubid={hub}", "-device", f"virtio-net-device,netdev=n{i}"]
    return max(irq_off_in(context, "bench-rows.cpio"), irq_off_in(context, "attack-initrd.cpio", *attacked))


def measure(context):
    if aegis.available(context):
        context.say("kernel: the rows on Aegis-V, under icount")
        add(context, AEGIS, run_rows(AEGIS, aegis.image(context, "bench-rows.cpio"), aegis.ROWS_DONE, LIMIT_AEGIS))
        internals = ["-kernel", str(context.guest("bench/internals.elf"))]
        add(context, AEGIS, run_rows("internals", internals, "^internals: rows done", LIMIT_AEGIS))
        context.say("kernel: the longest stretch with interrupts off, while rows are measured and everything is attacked")
        context.results.add("kernel", "max_irq_off", AEGIS, longest_irq_off(context))
    if context.linux:
        context.say("kernel: the rows on Linux, under icount")
        add(context, LINUX, run_rows(LINUX, linux.arguments(context.linux, "rows"), "^init: rows done", LIMIT_LINUX))
