"""The checked kernel (src/kernel/check): its walk finds each invariant broken that is broken on purpose."""
import re

import pytest

from conftest import BUILD, ROOT
from images import disk, disk_arguments

INVARIANTS = re.findall(r"^AEGIS_INVARIANT\((\w+),", (ROOT / "src/kernel/check/invariants.def").read_text(), re.M)
CHECKED = BUILD / "guest/src/kernel/kernel-check.elf"



def cards(third=("-netdev", "hubport,id=n2,hubid=1")):
    """Two cards on one hub, so that what one sends the other receives; and a third."""
    devices = [f"virtio-net-device,netdev={name},mac=52:54:00:12:34:{i:02x}"
               for i, name in enumerate(["n0", "n1", "n2"], 0x56)]
    return ["-netdev", "hubport,id=n0,hubid=0", "-netdev", "hubport,id=n1,hubid=0", *third,
            *[word for device in devices for word in ("-device", device)]]


def disks(folder):
    """Three disks: an ordinary one, one that takes ten requests a second, one without a table."""
    return [*disk_arguments(disk(folder / "disk0", 128)),
            "-object", "throttle-group,id=t0,x-iops-total=5",
            *disk_arguments(disk(folder / "disk1", 64), 1, node="driver=throttle,throttle-group=t0,file.driver=file,"
                                                               "file.filename={}"),
            *disk_arguments(disk(folder / "disk2", 64, table=0), 2)]


@pytest.mark.parametrize("name", INVARIANTS)
def test_the_walk_names_the_invariant_that_was_broken(machine, folder, name):
    m = machine(kernel=CHECKED, initrd=BUILD / "guest/attack-initrd.cpio", memory=32, nics=0,
                extra=cards() + disks(folder), append=f"mutation={name}")
    m.wait_line(r"^aegis: panic: |DONE", 40)
    assert m.wait() == 2, m.text
    assert any(line.startswith(f"aegis: panic: invariant {name}: ") for line in m.lines), m.text


def test_the_table_of_invariants_is_read():
    assert len(INVARIANTS) > 30


def test_an_unknown_mutation_is_refused(machine):
    m = machine(kernel=CHECKED, memory=32, append="mutation=nothing")
    assert m.wait() != 0
    assert m.lines[-1].startswith("aegis: mutation= takes"), m.text
