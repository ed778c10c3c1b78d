"""The guest's own tests (tests/guest), each a program in an environment of its own, and what the kernel's log says of them."""
import re

import pytest

from conftest import BUILD, ROOT
from images import disk, disk_arguments

NAMES = re.findall(r"^TEST\((\w+)\)", (ROOT / "tests/guest/tests.def").read_text(), re.M)
# those that look at disks, and those that leave something for the log
OF_DISKS = [name for name in NAMES if "disk" in (ROOT / f"tests/guest/{name}.c").read_text()]
WITHOUT_DISK = ["fatal", "log", *OF_DISKS]


def run(machine, names, disks=(), **options):
    """A machine that runs the tests of these names, with user networking, whose gateway answers ARP. The machine, after its end."""
    only = "" if names is NAMES else " tests=" + ",".join(names)
    m = machine(initrd=BUILD / "guest/tests-initrd.cpio", nics=0, append="limit=120" + only,
                extra=["-netdev", "user,id=u0", "-device", "virtio-net-device,netdev=u0", *disks], **options)
    m.wait_line(r"\] DONE ", 360)
    m.status = m.wait()
    return m


def check_results(m, names):
    failed = [line for line in m.lines if "] FAIL " in line]
    assert not failed and m.status == 0, m.text
    for name in [*names, "console"]:
        assert f"[1 init] PASS {name}" in m.lines


def check_reports_of_ends(m):
    """Who died of what: the program's name, the exception, where."""
    for end in ["load page fault at pc 0x[0-9a-f]+, address 0x0$", "store page fault at pc 0x[0-9a-f]+, address 0x8$",
                "illegal instruction", "breakpoint", "breakpoint .*with no frame left for it$", "environment call"]:
        assert re.search(rf"^aegis: environment \d+ \(fatal\) ends: {end}", m.text, re.M), end


def check_log(m):
    """Each line says who wrote it; nothing in it passes for another's, or moves the cursor."""
    said = [re.sub(r"^\[\d+ ", "[N ", line) for line in m.lines if re.match(r"\[\d+ log\] ", line)]
    for line in ["MARK bell ? back ? escape ?[31m red?[0m return ? end", "MARK one", "[1 init] MARK forged", "MARK three",
                 "MARK zero?inside", "MARK part and part", "MARK rest", "MARK long " + "x" * 1014]:
        assert "[N log] " + line in said, line
    banner = next(i for i, line in enumerate(m.lines) if line.startswith("Aegis-V"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", "".join(m.lines[banner:]))


@pytest.mark.timeout_s(400, lasts=50)
@pytest.mark.parametrize("options, disks, names", [
    ({}, {}, NAMES), ({"memory": 32, "console": False}, {"block": 4096, "write-zeroes": "off", "discard": "off"}, NAMES),
    ({"cpu": "rv64,v=true"}, {"indirect_desc": "off", "event_idx": "off"}, NAMES), ({}, None, WITHOUT_DISK)],
    ids=["128 MiB", "32 MiB, no console, blocks of 4,096 bytes", "vectors, a disk without features", "no disk"])
def test_the_guests_tests_pass_and_the_log_tells_of_them(machine, folder, options, disks, names):
    m = run(machine, names, [] if disks is None else disk_arguments(disk(folder / "disk", 1024, table=2), **disks), **options)
    check_results(m, names)
    check_reports_of_ends(m)
    check_log(m)
