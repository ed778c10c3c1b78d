"""How long interrupts are off: a kernel built with IRQOFF=1 counts instructions between looks at them (design section 2.4)."""
import re

import pytest

from conftest import BUILD
from test_check import cards

BOUND = 50_000


@pytest.mark.timeout_s(240)
@pytest.mark.parametrize("append", ["", "heavy=1"], ids=["attacks", "many calls"])
def test_no_stretch_with_interrupts_off_is_longer_than_the_bound(machine, append):
    m = machine(kernel=BUILD / "guest/src/kernel/kernel-irqoff.elf", initrd=BUILD / "guest/attack-initrd.cpio", memory=32,
                nics=0, append=append, extra=[*cards(), "-icount", "shift=0,sleep=off"])
    m.wait_line(r"^aegis: shut down", 220)
    m.wait()
    found = {name: int(length) for length, name in re.findall(r"interrupts off: (\d+) instructions in ([\w ]+),", m.text)}
    longest, where = re.search(r"interrupts off for at most (\d+) instructions, in ([\w ]+)$", m.text, re.M).groups()
    assert int(longest) > 5_000 and (where not in found or found[where] == int(longest)), m.text
    assert {name: length for name, length in found.items() if length > BOUND} == {}


def test_megapages_are_made_and_taken_back_within_the_bound(machine):
    m = machine(kernel=BUILD / "guest/src/kernel/kernel-irqoff.elf", initrd=BUILD / "guest/stretches-initrd.cpio", nics=0,
                extra=["-icount", "shift=0,sleep=off"])
    m.wait_line(r"^aegis: shut down", 60)
    assert m.wait() == 0 and any(line.endswith("] DONE") for line in m.lines), m.text
    assert int(re.search(r"interrupts off for at most (\d+) instructions", m.text)[1]) <= BOUND, m.text
