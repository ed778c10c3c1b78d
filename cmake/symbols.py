"""symbols.py OUT.S [NM KERNEL.elf]: write the table of the kernel's functions for its back traces.

Without a kernel, the table is empty: for the first of two links. Its sections lie behind all code, so that the
second link moves no function (src/kernel/kernel.ld, src/kernel/rv64/unwind.c).
"""
import subprocess
import sys


def functions(nm, elf):
    """Yields (offset from kernel_start, name) of each function, ascending."""
    lines = subprocess.run([nm, "-n", elf], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    addresses = {name: int(address, 16) for address, kind, name in rows}
    for address, kind, name in rows:
        if kind in "tT" and not name.startswith(("$", ".L")) and name != "kernel_start":
            if addresses["kernel_start"] <= int(address, 16) < addresses["kernel_text_end"]:
                yield int(address, 16) - addresses["kernel_start"], name


def main():
    table = list(functions(sys.argv[2], sys.argv[3])) if len(sys.argv) > 2 else []
    names = bytearray()
    out = ['        .section .symbols, "a"', "        .balign 4",
           "        .globl symbols, symbol_count, symbol_names", "symbols:"]
    for offset, name in table:
        out.append(f"        .word {offset:#x}, {len(names)}")
        names += name.encode() + b"\0"
    out += ["symbol_count:", f"        .word {len(table)}", "symbol_names:"]
    out += [f'        .asciz "{name}"' for _, name in table]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if len(sys.argv) not in (2, 4):
    sys.exit(__doc__)
main()
