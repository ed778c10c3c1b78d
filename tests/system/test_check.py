"""The checked kernel (src/kernel/check): its walk finds each invariant broken that is broken on purpose."""
import re

import pytest

from conftest import BUILD, ROOT

INVARIANTS = re.findall(r"^AEGIS_INVARIANT\((\w+),", (ROOT / "src/kernel/check/invariants.def").read_text(), re.M)
CHECKED = BUILD / "guest/src/kernel/kernel-check.elf"

# Two cards on one hub: what one sends the other receives.
HUB = ["-netdev", "hubport,id=h0,hubid=0", "-netdev", "hubport,id=h1,hubid=0",
       "-device", "virtio-net-device,netdev=h0,mac=52:54:00:12:34:56",
       "-device", "virtio-net-device,netdev=h1,mac=52:54:00:12:34:57"]


@pytest.mark.parametrize("name", INVARIANTS)
def test_the_walk_names_the_invariant_that_was_broken(machine, name):
    m = machine(kernel=CHECKED, initrd=BUILD / "guest/attack-initrd.cpio", memory=32, nics=0, extra=HUB,
                append=f"mutation={name}")
    m.wait_line(r"^aegis: panic: |DONE", 40)
    assert m.wait() == 2, m.text
    assert any(line.startswith(f"aegis: panic: invariant {name}: ") for line in m.lines), m.text


def test_the_table_of_invariants_is_read():
    assert len(INVARIANTS) > 30


def test_an_unknown_mutation_is_refused(machine):
    m = machine(kernel=CHECKED, memory=32, append="mutation=nothing")
    assert m.wait() != 0
    assert m.lines[-1].startswith("aegis: mutation= takes"), m.text


def test_the_guests_tests_pass_on_the_checked_kernel(machine):
    """With a walk after every 100th entry: some 100,000 system calls are made. Rare paths are the only ones there."""
    m = machine(kernel=CHECKED, initrd=BUILD / "guest/tests-initrd.cpio", memory=32, nics=0, append="check=100",
                extra=["-netdev", "user,id=u0", "-device", "virtio-net-device,netdev=u0"])
    m.wait_line(r"\] DONE |panic", 100)
    assert m.wait() == 0 and "] FAIL " not in m.text, m.text
