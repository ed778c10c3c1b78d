"""The guest's own tests (tests/guest), each a program in an environment of its own, and what the kernel's log says of them."""
import re

import pytest

from conftest import BUILD, ROOT

NAMES = re.findall(r"^TEST\((\w+)\)", (ROOT / "tests/guest/tests.def").read_text(), re.M) + ["console"]


def run(machine, **options):
    """A machine that runs the tests, with user networking, whose gateway answers ARP. The machine, after its end."""
    m = machine(initrd=BUILD / "guest/tests-initrd.cpio", nics=0,
                extra=["-netdev", "user,id=u0", "-device", "virtio-net-device,netdev=u0"], **options)
    m.wait_line(r"\] DONE ", 100)
    m.status = m.wait()
    return m


def check(m):
    failed = [line for line in m.lines if "] FAIL " in line]
    assert not failed and m.status == 0, m.text
    for name in NAMES:
        assert f"[1 agent] PASS {name}" in m.lines


@pytest.mark.parametrize("options", [{}, {"memory": 32, "console": False}], ids=["128 MiB", "32 MiB, no console"])
def test_the_guests_tests_pass(machine, options):
    check(run(machine, **options))


def test_the_log_names_who_died_and_why_and_passes_no_control_characters(machine):
    m = run(machine)
    for end in [r"exception 13 \(load page fault\) at pc 0x[0-9a-f]+, address 0x0$",
                r"exception 15 \(store page fault\) at pc 0x[0-9a-f]+, address 0x8$",
                r"exception 2 \(illegal instruction\)", r"exceptions nested too deeply", r"exception 8 \(environment call\)",
                r"status 77$", r"status 134$"]:
        assert re.search(rf"^aegis: environment \d+ \(fatal\) ends: {end}", m.text, re.M), end
    said = [line for line in m.lines if re.match(r"\[\d+ log\] ", line)]
    said = [re.sub(r"^\[\d+ ", "[N ", line) for line in said]
    for line in ["MARK bell ? back ? escape ?[31m red?[0m return ? end", "MARK one", "[1 agent] MARK forged", "MARK three",
                 "MARK zero?inside", "MARK part and part", "MARK rest", "MARK long " + "x" * 1014]:
        assert "[N log] " + line in said, line
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", "".join(m.lines[m.lines.index(next(
        line for line in m.lines if line.startswith("Aegis-V"))):]))
