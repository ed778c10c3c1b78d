"""How long interrupts are off: a kernel built with IRQOFF=1 counts instructions between looks at them (design section 2.4)."""
import re
import threading

import pytest

from conftest import BUILD
from images import disk, disk_arguments
from test_charging import PORT, datagram
from test_check import cards

BOUND = 50_000


@pytest.mark.timeout_s(240, lasts=40)
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


@pytest.mark.timeout_s(120, lasts=10)
def test_megapages_are_made_and_taken_back_within_the_bound(machine):
    m = machine(kernel=BUILD / "guest/src/kernel/kernel-irqoff.elf", initrd=BUILD / "guest/stretches-initrd.cpio", nics=0,
                extra=["-icount", "shift=0,sleep=off"])
    m.wait_line(r"^aegis: shut down", 60)
    assert m.wait() == 0 and any(line.endswith("] DONE") for line in m.lines), m.text
    assert int(re.search(r"interrupts off for at most (\d+) instructions", m.text)[1]) <= BOUND, m.text


@pytest.mark.timeout_s(150, lasts=7)
def test_rests_of_several_floods_are_taken_one_by_one(machine):
    """Each interface leaves what is above its budget to the next slice, where all of their rests come together."""
    m = machine(kernel=BUILD / "guest/src/kernel/kernel-irqoff.elf", initrd=BUILD / "guest/flooded-initrd.cpio", nics=6,
                append="flood=nobody", extra=["-icount", "shift=5,sleep=off"])
    stop = threading.Event()

    def flood():
        while not stop.is_set() and m.alive():
            for nic, frame in frames:
                try:
                    nic.send(frame)
                except (AssertionError, OSError):
                    return

    m.wait_line(r"\] QUIET ", 60)
    frames = [(nic, datagram(nic, PORT)) for nic in m.nics]
    sender = threading.Thread(target=flood, daemon=True)
    sender.start()
    try:
        m.wait_line(r"^aegis: shut down", 100)
    finally:
        stop.set()
        sender.join(20)
    longest = int(re.search(r"interrupts off for at most (\d+) instructions", m.text)[1]) // 32  # each counts for 2^5
    assert 10_000 < longest <= BOUND, m.text


@pytest.mark.parametrize("count", [0, 2000])
def test_a_large_table_of_extents_is_changed_within_the_bound(machine, folder, count):
    """The first change after a boot writes all of the table's blocks; each later one looks at up to all extents: between the many of
    this table only single blocks are free. With sleep=on, as time must not run ahead of the disk."""
    image = disk(folder / "disk", 8192, table=32, extents=[(66 + 2 * i, 1) for i in range(count)])
    m = machine(kernel=BUILD / "guest/src/kernel/kernel-irqoff.elf", initrd=BUILD / "guest/churn-initrd.cpio", nics=0,
                append="churn=1,15", extra=[*disk_arguments(image), "-icount", "shift=0"])
    m.wait_line("churn: done; 0 changes failed", 60)
    m.wait()
    longest = int(re.search(r"interrupts off for at most (\d+) instructions", m.text)[1])
    assert 15_000 < longest <= BOUND, m.text
