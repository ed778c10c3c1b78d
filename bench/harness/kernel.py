"""Group kernel: what entering the kernel and managing pages costs, in instructions, counted by the guest itself."""

import json
import re

from . import aegis, linux
from .machine import Machine
from .results import AEGIS
from .systems import LINUX

LIMIT_AEGIS, LIMIT_LINUX = 60, 240  # seconds


def run_rows(name, arguments, done, timeout):
    """The rows that the guest program prints as lines of JSON, until it says that it is done."""
    with Machine(name, arguments, net=False, icount=True) as machine:
        machine.wait_line(done, timeout)
        found = [re.search(r"\{\"group\".*\}", line) for _, line in machine.lines]
    return [json.loads(f[0]) for f in found if f]


def add(context, system, rows):
    for row in rows:
        spread = {key: row[key] for key in ("low", "high") if key in row}
        context.results.add(row["group"], row["row"], system, row["value"], **spread)


def measure(context):
    if aegis.available(context):
        context.say("kernel: the rows on Aegis-V, under icount")
        add(context, AEGIS, run_rows(AEGIS, aegis.image(context, "bench-rows.cpio"), aegis.ROWS_DONE, LIMIT_AEGIS))
        internals = ["-kernel", str(context.guest("bench/internals.elf"))]
        add(context, AEGIS, run_rows("internals", internals, "^internals: rows done", LIMIT_AEGIS))
    if context.linux:
        context.say("kernel: the rows on Linux, under icount")
        add(context, LINUX, run_rows(LINUX, linux.arguments(context.linux, "rows"), "^init: rows done", LIMIT_LINUX))
