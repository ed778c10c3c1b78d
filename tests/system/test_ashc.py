"""ashc's command line: what it runs, prints and refuses, interpreted and as machine code under qemu-riscv64. Needs no machine."""
import os
import re
import signal
import subprocess

import pytest

from conftest import BUILD, ROOT

ASHC = BUILD / "bin" / "ashc"
FRAME = "00" * 60
BOTH = pytest.mark.parametrize("how", [(), ("--compiled",)], ids=["interpreted", "compiled"])

# Instructions as hex digits (RFC 9669).
RETURN_42 = "b7000000 2a000000 95000000 00000000"
EXIT = "95000000 00000000"
MOV0, MOV1 = "b7000000 00000000", "b7000000 01000000"


def ashc(*args, stdin=""):
    done = subprocess.run([ASHC, *map(str, args)], input=stdin, text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def run(program, *options):
    status, out, why = ashc("run", *options, "-", stdin=program)
    return status, out, why.removeprefix("ashc: -: ").removesuffix("\n")


def test_help_goes_to_standard_output():
    for args in (["--help"], ["run", "--help"], ["-h"]):
        status, out, why = ashc(*args)
        assert (status, why) == (0, "") and out.startswith("usage: ashc") and "ashc run [--mem HEX" in out


@pytest.mark.parametrize("args, words", [
    ((), "no file given"),
    (("run",), "no file given"),
    (("run", "a", "b"), "one file at a time; another is b"),
    (("run", "--mem", "00", "--frame", FRAME, "x"), "--mem or --frame, not both"),
    (("run", "--mem", "0g", "-"), "--mem: character 2 is not a hex digit"),
    (("run", "--mem", "123", "-"), "--mem: 3 hex digits are no whole number of bytes"),
    (("run", "--frame", "00" * 13, "-"), "--frame: 13 bytes are no frame: those have 14 to 65,536"),
    (("run", "--fuel", "0", "-"), "--fuel takes a number from 1 to 2147483647, not 0"),
    (("run", "--fuel", "1x", "-"), "not 1x"),
    (("run", "--fuel", "2147483648", "-"), "not 2147483648"),
    (("run", "-o", "x", "y"), "run takes neither -o nor -d"),
    (("run", "--frob", "x"), "unrecognized option"),
    (("--compiled", "x"), "belong to ashc run"),
    (("-d", "-o", "x", "y"), "-o or -d, not both"),
    (("--mcpu", "v5", "x"), "--mcpu takes v1, v2, v3 or v4, not v5"),
])
def test_wrong_usage_ends_with_2(args, words):
    status, out, why = ashc(*args, stdin=RETURN_42)
    assert (status, out) == (2, "") and words in why


@BOTH
def test_hex_digits_are_a_program_blanks_ignored(how):
    for text in (RETURN_42, RETURN_42.replace(" ", ""), " b7 00\n0000\t2a000000\r\n9500 0000 0000 0000\n\n", RETURN_42.upper()):
        assert run(text, *how) == (0, "2a\n", "")


def test_a_file_of_hex_digits_is_a_program_too(folder):
    (folder / "program").write_text(RETURN_42)
    assert ashc("run", folder / "program") == (0, "2a\n", "")


@BOTH
def test_r1_is_the_memory_r2_its_length_r10_the_top_of_the_stack(how):
    exit_with = {
        "bf100000 00000000": "14000000", "bf200000 00000000": "3", "bfa00000 00000000": "2001000",
        "71100000 00000000": "de", "71100200 00000000": "be",
        "7a0a00fe 00000000 79a000fe 00000000": "0",  # the stack's lowest 8 bytes
    }
    for code, r0 in exit_with.items():
        assert run(code + EXIT, "--mem", "de ad be", *how) == (0, r0 + "\n", ""), code
    assert run("bf200000 00000000" + EXIT, *how) == (0, "0\n", ""), "no memory, length 0"
    assert run("b7000000 ffffffff" + EXIT, *how) == (0, "f" * 16 + "\n", ""), "all 64 bits"


@BOTH
@pytest.mark.parametrize("code, why", [
    ("7110ffff 00000000" + EXIT, "aborted insn 0, guard: window 0 -1"),
    ("71100300 00000000" + EXIT, "aborted insn 0, guard: window 0 +3"),
    ("61100000 00000000" + EXIT, "aborted insn 0, guard: window 0 +0"),
    ("79a0f8fd 00000000" + EXIT, "aborted insn 0, guard: stack -520"),
    ("71a00000 00000000" + EXIT, "aborted insn 0, guard: stack +0"),
    (MOV1 + "71000000 00000000" + EXIT, "aborted insn 1, guard: address 0x00000001"),
    (MOV0 + "0500ffff 00000000", "aborted insn 1, fuel"),
], ids=["before", "past", "across", "below the stack", "above the stack", "null", "endless"])
def test_aborts_are_told_and_end_with_1(code, why, how):
    assert run(code, "--mem", "deadbe", "--fuel", "1000", *how) == (1, "", why)


@BOTH
@pytest.mark.parametrize("code, why", [
    ("ff000000 00000000" + EXIT, "refused: insn 0: unknown opcode 0xff"),
    (MOV0 + "05000500 00000000" + EXIT, "refused: insn 1: a jump leaves the program: to insn 7"),
    (MOV0 + "15000100 00000000" + "18010000 00000000 00000000 00000000" + EXIT,
     "refused: insn 1: a jump leads into the second half of a 64-bit load: to insn 3"),
    (EXIT, "refused: insn 0: a register is read that some path leaves without a value: r0"),
    ("bf300000 00000000" + EXIT, "refused: insn 0: a register is read that some path leaves without a value: r3"),
    ("85100000 ffffffff" + EXIT, "refused: insn 0: a function calls itself"),
    ("85000000 0e000000" + EXIT, "refused: insn 0: no such helper here: 14"),
    (MOV0, "refused: insn 0: a function doesn't end with exit or a jump"),
    ("b70a0000 00000000" + EXIT, "refused: insn 0: r10 is written"),
    ("b70b0000 00000000" + EXIT, "refused: insn 0: no such register: r11"),
], ids=["opcode", "wild jump", "into a wide instruction", "r0", "r3", "recursion", "helper", "no exit", "r10", "r11"])
def test_refusals_are_told_and_end_with_1(code, why, how):
    assert run(code, *how) == (1, "", why)


@BOTH
def test_the_stack_reads_as_zero_where_nothing_was_written(how):
    assert run("79a000fe 00000000" + EXIT, *how) == (0, "0\n", "")


@BOTH
def test_division_by_zero_is_rfc_9669s(how):
    assert run("b7000000 07000000 b7010000 00000000 3f100000 00000000" + EXIT, *how) == (0, "0\n", "")
    assert run("b7000000 07000000 b7010000 00000000 9f100000 00000000" + EXIT, *how) == (0, "7\n", "")


@pytest.mark.parametrize("text, why", [
    ("", "this is neither an object, nor a handler image, nor instructions as hex digits"),
    (" \n", "this is neither an object, nor a handler image, nor instructions as hex digits"),
    ("hello", "this is neither an object, nor a handler image, nor instructions as hex digits"),
    ("b70", "3 hex digits are no whole number of bytes"),
    ("b700000000000000 95", "9 bytes are not 1 to 4096 instructions of 8"),
    ((MOV0 + " ") * 4097, "32776 bytes are not 1 to 4096 instructions of 8"),
], ids=["nothing", "blanks", "words", "half a byte", "half an instruction", "too many"])
def test_what_is_no_program_is_refused(text, why):
    assert run(text) == (1, "", why)


def test_files_that_fail_are_named(folder):
    assert ashc("run", folder / "none") == (1, "", f"ashc: {folder}/none: No such file or directory\n")
    assert ashc("run", folder) == (1, "", f"ashc: {folder}: Is a directory\n")
    status, _, why = ashc("-o", folder / "no" / "out", ROOT / "examples/handlers/udp-echo.c")
    assert (status, why) == (1, f"ashc: {folder}/no/out: No such file or directory\n")


def test_who_interrupts_the_compiler_leaves_no_file_behind(folder):
    clang, files = folder / "clang", folder / "files"
    files.mkdir()
    clang.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    clang.chmod(0o755)
    done = subprocess.run([ASHC, "-d", "--clang", clang, ROOT / "examples/handlers/udp-echo.c"], env={**os.environ, "TMPDIR": str(files)},
                          stdout=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL and list(files.iterdir()) == []


def test_a_full_device_is_noticed():
    for args in (["run", "-"], ["-d", "-"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([ASHC, *args], input=RETURN_42, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1 and "No space left" in done.stderr


def test_a_dump_of_a_refused_program_ends_with_1():
    status, out, why = ashc("-d", "-", stdin=MOV0)
    assert status == 1 and "0: b7 00 0000 00000000  r0 = 0" in out and "doesn't end with exit" in why


def test_three_d_print_proofs_and_machine_code():
    status, out, why = ashc("-ddd", ROOT / "examples/handlers/udp-echo.c")
    assert (status, why) == (0, "") and "; proved, frame +12" in out and "machine code, " in out and "jalr zero,0(ra)" in out


# Neither reads r1, so the compiler gives the register that carries it another role: the prologue must leave it alone.
WITHOUT_CONTEXT = {
    # r6 and r7 hold values over a loop: once, the pointer to the run was lost
    "run": "b706000001000000b707000002000000b7000000000000002d760000000000000700000001000000a500feff320000000f600000000000000f700000"
           "000000009500000000000000",
    # 200,000 rounds: once, the fuel counter was lost, and with it the limit
    "fuel": "b706000001000000b7000000000000002d060000000000000f60000000000000a500feff400d03009500000000000000",
}


@pytest.mark.parametrize("name", WITHOUT_CONTEXT)
def test_a_program_that_ignores_its_context_runs_alike_compiled(name):
    options = ["--frame", FRAME, "--fuel", "1000"]
    assert run(WITHOUT_CONTEXT[name], *options, "--compiled") == run(WITHOUT_CONTEXT[name], *options)


def test_a_program_that_ignores_its_context_burns_fuel():
    status, out, why = run(WITHOUT_CONTEXT["fuel"], "--frame", FRAME, "--fuel", "1000", "--compiled")
    assert (status, out) == (1, "") and "fuel" in why


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "handlers").glob("*.c")), ids=lambda path: path.stem)
def test_no_access_of_an_example_needs_a_guard(path):
    status, out, _ = ashc("-d", path)
    assert status == 0 and re.search(r"^fuel \d+, stack \d+, [1-9]\d* accesses, 0 of them guarded", out, re.M)
