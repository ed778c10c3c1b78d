#!/usr/bin/env python3
"""rows_test.py ROWS: what the encoders make of every row of rv64.def, read back by objdump."""
import re
import subprocess
import sys
import tempfile

PREFIX = "riscv64-unknown-elf-"


def main():
    lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout.splitlines()
    words, expected = zip(*(line.split("\t") for line in lines))
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/rows.s", "w", encoding="ascii") as out:
            out.write(".option norvc\n" + "".join(f".insn 4, 0x{word}\n" for word in words))
        subprocess.run([PREFIX + "as", "-march=rv64ima_zba_zbb", "-o", f"{folder}/rows.o", f"{folder}/rows.s"],
                       check=True)
        text = subprocess.run([PREFIX + "objdump", "-d", "-M", "no-aliases", f"{folder}/rows.o"],
                              check=True, capture_output=True, text=True).stdout
    read = re.findall(r"^ *[0-9a-f]+:\t([0-9a-f]{8}) *\t(.*)$", text, re.M)
    wrong = 0 if len(read) == len(words) else 1
    for place, ((word, got), want_word, want) in enumerate(zip(read, words, expected)):
        got = re.sub(r"\s+", " ", re.sub(r" *(<.*>|#.*)$", "", got)).strip()
        if (word, got) != (want_word, want):
            wrong += 1
            if wrong < 20:
                print(f"word {place}: {want_word} is {got!r}, expected {want!r}", file=sys.stderr)
    mnemonics = {want.split()[0] for want in expected}
    print(f"{len(words)} words of {len(mnemonics)} instructions, {len(read)} read, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
