"""ExOS's processes: members of a session that make, replace, signal and end each other at random."""
import pytest

from conftest import BUILD

KERNELS = BUILD / "guest/src/kernel"


@pytest.mark.timeout_s(300, lasts=7)
@pytest.mark.parametrize("kernel, append", [("kernel", "ending=1,1000"), ("kernel-check", "ending=2,1000 check=199")])
def test_processes_ended_at_random_leave_nothing_behind(machine, kernel, append):
    m = machine(kernel=KERNELS / f"{kernel}.elf", initrd=BUILD / "guest/ending-initrd.cpio", memory=64, nics=0, append=append)
    assert m.wait(280) == 0, m.text
    assert "] ending: done after 1000 rounds: " in m.text


def test_a_crash_is_told_with_program_signal_and_place(machine):
    m = machine(initrd=BUILD / "guest/ending-initrd.cpio", nics=0, append="ending=1,200")
    m.wait_line(r"^\[\d+ ending\] ending: (SIGSEGV at|nothing is there: SIGSEGV at) pc 0x[0-9a-f]+, address 0x8; called from( 0x[0-9a-f]+)+$", 60)
