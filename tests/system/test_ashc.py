"""ashc run: programs for frames, interpreted and as machine code under qemu-riscv64. Needs no machine."""
import subprocess

import pytest

from conftest import BUILD

FRAME = "00" * 60

# Neither reads r1, so the compiler gives the register that carries it another role: the prologue must leave it alone.
WITHOUT_CONTEXT = {
    # r6 and r7 hold values over a loop: once, the pointer to the run was lost
    "run": "b706000001000000b707000002000000b7000000000000002d760000000000000700000001000000a500feff320000000f600000000000000f700000"
           "000000009500000000000000",
    # 200,000 rounds: once, the fuel counter was lost, and with it the limit
    "fuel": "b706000001000000b7000000000000002d060000000000000f60000000000000a500feff400d03009500000000000000",
}


def run(program, *options):
    done = subprocess.run([BUILD / "bin" / "ashc", "run", "--frame", FRAME, "--fuel", "1000", *options, "-"], input=program,
                          text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr.rpartition("ashc")[2]


@pytest.mark.parametrize("name", WITHOUT_CONTEXT)
def test_a_program_that_ignores_its_context_runs_alike_compiled(name):
    assert run(WITHOUT_CONTEXT[name], "--compiled") == run(WITHOUT_CONTEXT[name])


def test_a_program_that_ignores_its_context_burns_fuel():
    status, out, why = run(WITHOUT_CONTEXT["fuel"], "--compiled")
    assert (status, out) == (1, "") and "fuel" in why
