"""Where the instructions of one echo go: a count a function, for who wants to make them fewer."""

import bisect
import collections
import subprocess
import time

from . import client, machine, systems
from .results import AEGIS, layout

ECHOES = 500
SETTLE = 1.0
RAM, UPPER_HALF, LAST = 0x80000000, 1 << 63, (1 << 64) - 1
KERNEL = 0xFFFFFFFF80000000  # its image; below it only generated code runs (src/kernel/rv64/layout.h)


class Symbols:
    """Names of a program's functions by address."""

    def __init__(self, elf):
        text = subprocess.run(["riscv64-unknown-elf-nm", "--defined-only", str(elf)], capture_output=True, text=True,
                              check=True, timeout=30).stdout
        rows = (line.split() for line in text.splitlines())
        self.table = sorted((int(address, 16), name) for address, kind, name in rows if kind in "tTwW")
        self.addresses = [address for address, _ in self.table]

    def name(self, address):
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.table[i][1] if i >= 0 else "?"

    def bounds(self, name):
        """Addresses of a function: the first, and the one behind the last."""
        for (address, known), following in zip(self.table, [*self.addresses[1:], LAST]):
            if known == name:
                return address, following
        raise machine.MachineError(f"the program has no function {name}")


def application(context, system):
    name = systems.PROGRAMS.get(system, "udp-echo")
    return name, Symbols(context.guest(f"src/apps/{name}"))


def namers(context, system):
    """Of a system, which part an address belongs to, as (lowest address, part, its symbols), highest first."""
    if system in (AEGIS, systems.HANDLER, *systems.PROGRAMS):
        return [(KERNEL, "kernel", Symbols(context.guest("src/kernel/kernel.elf"))), (UPPER_HALF, "generated code", None),
                (RAM, "firmware", None), (0, *application(context, system))]
    return [(RAM + 0x200000, "limit", Symbols(context.guest("bench/limit.elf"))), (RAM, "firmware", None)]


def place(parts, address):
    for lowest, part, symbols in parts:
        if address >= lowest:
            return part, symbols.name(address) if symbols else ""
    return "?", ""


def count(context, system):
    """Instructions an echo by (part, function), and their sum by the plugin's plain counter."""
    plugin = f"{context.host('bench/libcount.so')},profile=on"
    with systems.ECHOES[system](context, plugin) as guest:
        program = context.host("bench/bench-client")
        counter = guest.counter()
        how = {"size": 1, "tcp": True} if system == systems.STREAMS else {}
        client.echo(program, guest, ECHOES, warmup=5, **how)
        time.sleep(SETTLE)
        before, start = counter.profile(), counter.read()
        client.echo(program, guest, ECHOES, warmup=0, **how)
        time.sleep(SETTLE)
        after, end = counter.profile(), counter.read()
    after.subtract(before)
    parts, functions = namers(context, system), collections.Counter()
    for address, times in after.items():
        if times:
            functions[place(parts, address)] += times
    return {key: times / ECHOES for key, times in functions.items()}, (end - start) / ECHOES


def show(context, system):
    """Prints the profile of a system's echo."""
    context.say(f"profile: {ECHOES} echoes of {systems.LABELS[system]}")
    functions, total = count(context, system)
    ordered = sorted(functions.items(), key=lambda item: -item[1])
    lines = [[f"{part}: {function}" if function else part, f"{times:.1f}"]
             for (part, function), times in ordered if times >= 0.5]
    print(layout([f"{systems.LABELS[system]}: function", "insn an echo"], [*lines, ["all", f"{total:.1f}"]]), end="\n\n")
