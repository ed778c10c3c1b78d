#!/usr/bin/python3
"""make_cases.py FOLDER: writes the edge cases of every BPF instruction, with what RFC 9669 says of them.

The oracle is this file: Python's integers, and the sentences of the RFC. What it writes is in the tree (cases/*.tsv), and
a test compares; cases_test.c runs the rows through interpreter and machine code.
"""
import pathlib
import sys

EDGES = [0, 1, 2, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000,
         0xffffffffffffffff]
SHIFTS = [0, 1, 31, 32, 33, 63, 64, 0xffffffffffffffff]
IMMS = [0, 1, 2, -1, 7, 64, 2047, 2048, -2048, -2049, 0x7fffffff, -0x80000000]
SOURCES = [0, 1, 0x80000000, 0x123456789abcdef0, 0xffffffffffffffff, 0x8000000000000000]


def unsigned(value, bits):
    return value & ((1 << bits) - 1)


def signed(value, bits):
    value = unsigned(value, bits)
    return value - (1 << bits) if value >> (bits - 1) else value


def truncated(x, y):
    """Division that rounds towards zero (RFC 9669, 4.1: 'truncated division'), and its remainder."""
    quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    return quotient, x - y * quotient


ALU = {
    "add": (0x0, 0, lambda x, y, b: x + y),
    "sub": (0x1, 0, lambda x, y, b: x - y),
    "mul": (0x2, 0, lambda x, y, b: x * y),
    "div": (0x3, 0, lambda x, y, b: x // y if y else 0),
    "sdiv": (0x3, 1, lambda x, y, b: truncated(signed(x, b), signed(y, b))[0] if y else 0),
    "or": (0x4, 0, lambda x, y, b: x | y),
    "and": (0x5, 0, lambda x, y, b: x & y),
    "lsh": (0x6, 0, lambda x, y, b: x << y % b),
    "rsh": (0x7, 0, lambda x, y, b: x >> y % b),
    "mod": (0x9, 0, lambda x, y, b: x % y if y else x),
    "smod": (0x9, 1, lambda x, y, b: truncated(signed(x, b), signed(y, b))[1] if y else x),
    "xor": (0xa, 0, lambda x, y, b: x ^ y),
    "mov": (0xb, 0, lambda x, y, b: y),
    "arsh": (0xc, 0, lambda x, y, b: signed(x, b) >> y % b),
}
MOVSX = {8: (4, 7), 16: (4, 7), 32: (7,)}
JUMP = {
    0x1: lambda x, y, b: x == y,
    0x2: lambda x, y, b: x > y,
    0x3: lambda x, y, b: x >= y,
    0x4: lambda x, y, b: x & y != 0,
    0x5: lambda x, y, b: x != y,
    0x6: lambda x, y, b: signed(x, b) > signed(y, b),
    0x7: lambda x, y, b: signed(x, b) >= signed(y, b),
    0xa: lambda x, y, b: x < y,
    0xb: lambda x, y, b: x <= y,
    0xc: lambda x, y, b: signed(x, b) < signed(y, b),
    0xd: lambda x, y, b: signed(x, b) <= signed(y, b),
}


def apply(effect, x, y, bits):
    return unsigned(effect(unsigned(x, bits), unsigned(y, bits), bits), bits)


def swap(value, bits):
    return int.from_bytes(unsigned(value, bits).to_bytes(bits // 8, "little"), "big")


def alu_rows():
    """opcode, offset, imm, x, y, result"""
    for code, offset, effect in ALU.values():
        for cls, bits in ((4, 32), (7, 64)):
            for x in EDGES:
                for y in SHIFTS if code in (0x6, 0x7, 0xc) else EDGES:
                    yield code << 4 | 8 | cls, offset, 0, x, y, apply(effect, x, y, bits)
            for x in SOURCES:
                for imm in IMMS:
                    yield code << 4 | cls, offset, imm, x, 0, apply(effect, x, imm, bits)
    for cls, bits in ((4, 32), (7, 64)):
        for x in EDGES:
            yield 0x80 | cls, 0, 0, x, 0, unsigned(-x, bits)
    for width, classes in MOVSX.items():
        for cls in classes:
            for y in EDGES + [0x80, 0x7f, 0x8000, 0xff7f]:
                yield 0xb8 | cls, width, 0, 0, y, unsigned(signed(y, width), 32 if cls == 4 else 64)
    for bits in (16, 32, 64):
        for x in EDGES + [0x0102030405060708]:
            yield 0xd4, 0, bits, x, 0, unsigned(x, bits)
            yield 0xdc, 0, bits, x, 0, swap(x, bits)
            yield 0xd7, 0, bits, x, 0, swap(x, bits)


def jump_rows():
    """opcode, imm, x, y, taken"""
    for code, effect in JUMP.items():
        for cls, bits in ((5, 64), (6, 32)):
            for x in EDGES:
                for y in EDGES:
                    yield code << 4 | 8 | cls, 0, x, y, int(effect(unsigned(x, bits), unsigned(y, bits), bits))
            for x in EDGES:
                for imm in (0, 1, -1, 2047, 2048, 0x7fffffff, -0x80000000):
                    yield code << 4 | cls, imm, x, 0, int(effect(unsigned(x, bits), unsigned(imm, bits), bits))


def memory_rows():
    """opcode, offset, imm, value: of 16 bytes of memory, of a register; result: of the register, or of memory"""
    memory = bytes.fromhex("80ff7f0180fe817f0102030405060788")
    for opcode, size, sign in ((0x61, 4, False), (0x69, 2, False), (0x71, 1, False), (0x79, 8, False),
                               (0x81, 4, True), (0x89, 2, True), (0x91, 1, True)):
        for offset in range(16 - size + 1):
            loaded = int.from_bytes(memory[offset:offset + size], "little", signed=sign)
            yield opcode, offset, 0, memory.hex(), 0, f"{unsigned(loaded, 64):x}"
    for size, store_imm, store in ((4, 0x62, 0x63), (2, 0x6a, 0x6b), (1, 0x72, 0x73), (8, 0x7a, 0x7b)):
        for offset in (0, 3, 16 - size):
            for value in (0x123456789abcdef0, 0, 0xffffffffffffffff):
                after = memory[:offset] + unsigned(value, 8 * size).to_bytes(size, "little") + memory[offset + size:]
                yield store, offset, 0, memory.hex(), value, after.hex()
            for imm in (0, -1, 0x12345678, -0x80000000):
                after = memory[:offset] + unsigned(imm, 8 * size).to_bytes(size, "little") + memory[offset + size:]
                yield store_imm, offset, imm, memory.hex(), 0, after.hex()


def atomic_rows():
    """opcode, imm, old, r0, source; new memory, r0, source"""
    effects = {0x00: lambda old, src: old + src, 0x40: lambda old, src: old | src, 0x50: lambda old, src: old & src,
               0xa0: lambda old, src: old ^ src}
    values = [0, 1, 0x7fffffff, 0xffffffff80000000, 0x123456789abcdef0, 0xffffffffffffffff]
    for opcode, bits in ((0xc3, 32), (0xdb, 64)):
        high = (1 << 64) - (1 << bits)
        for old in values:
            for src in values:
                for imm, effect in effects.items():
                    new = (old & high) | unsigned(effect(old, src), bits)
                    yield opcode, imm, old, 5, src, new, 5, src
                    yield opcode, imm | 1, old, 5, src, new, 5, unsigned(old, bits)
                yield opcode, 0xe1, old, 5, src, (old & high) | unsigned(src, bits), 5, unsigned(old, bits)
                for r0 in (old, old ^ 1 << 31, 7):
                    hit = unsigned(old, bits) == unsigned(r0, bits)
                    new = (old & high) | unsigned(src, bits) if hit else old
                    yield opcode, 0xf1, old, r0, src, new, unsigned(old, bits), src


def text(value):
    return value if isinstance(value, str) else f"-{-value:x}" if value < 0 else f"{value:x}"


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, rows in (("alu", alu_rows), ("jump", jump_rows), ("memory", memory_rows), ("atomic", atomic_rows)):
        head = f"# {rows.__doc__}; hex. Made by make_cases.py.\n"
        body = "".join("\t".join(text(field) for field in row) + "\n" for row in rows())
        (folder / f"{name}.tsv").write_text(head + body)


main()
