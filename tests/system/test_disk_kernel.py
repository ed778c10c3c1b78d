"""Disks under the kernel: what outlasts the power, disks that fail or don't answer, and disks that are none (tests/guest/disker.c)."""
import random
import re
import subprocess
import time

import pytest

from conftest import BUILD
from images import disk, disk_arguments, siphash

CHECKED = BUILD / "guest/src/kernel/kernel-check.elf"


@pytest.fixture
def disker(machine):
    """Boots the program in a mode, with QEMU's arguments for disks."""
    def boot(mode, arguments, append="", **options):
        return machine(initrd=BUILD / "guest/disker-initrd.cpio", nics=0, console=False, extra=arguments,
                       append=f"mode={mode} {append}", **options)
    return boot


def check(image):
    """What aegisctl says of an image's table."""
    return subprocess.run([BUILD / "bin/aegisctl", "disk", "check", image], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("block", [512, 4096])
def test_an_extent_outlasts_the_power_and_its_secret_opens_it(disker, folder, block):
    image = disk(folder / "disk", 256)
    m = disker("make", disk_arguments(image, block=block))
    first = re.search(r"made (\d+)", m.wait_line("DISKER"))[1]
    m.kill()
    m = disker("claim", disk_arguments(image, block=block), f"first={first}", kernel=CHECKED, memory=64)
    assert m.wait_line("DISKER").endswith("DISKER claimed 0"), m.text
    assert m.wait() == 0
    assert "disk0: 1 MiB, %d-byte blocks, 2 extents" % block in m.text
    assert check(image).returncode == 0


ERRORS = """[inject-error]
event = "read_aio"
errno = "5"
sector = "{}"
once = "off"

[inject-error]
event = "write_aio"
errno = "5"
sector = "{}"
once = "off"
"""


def test_a_disk_that_fails_tells_the_asker_and_serves_others(disker, folder):
    (folder / "config").write_text(ERRORS.format(40 * 8, 50 * 8))
    node = f"driver=blkdebug,config={folder}/config,image.driver=file,image.filename={{}}"
    m = disker("errors", disk_arguments(disk(folder / "disk", 128, table=0), node=node))
    assert m.wait_line("DISKER").endswith("DISKER errors 2"), m.text
    assert m.wait() == 0


def test_a_table_that_cannot_be_written_stays_as_it_was(disker, folder):
    """Writes of the second copy's slots fail: changes fail, and are undone; afterwards the table is whole."""
    (folder / "config").write_text(ERRORS.format(1 << 40, 3 * 8))
    image = disk(folder / "disk", 256)
    node = f"driver=blkdebug,config={folder}/config,image.driver=file,image.filename={{}}"
    m = disker("change", disk_arguments(image, node=node), kernel=CHECKED, memory=64)
    m.wait_line(r"changed \d+, [1-9]\d* failed")
    m.kill()
    assert check(image).returncode == 0


def test_a_disk_that_does_not_answer_is_told_and_keeps_the_page_until_it_does(disker, folder):
    arguments = ["-object", "throttle-group,id=t0,x-iops-total=2",
                 *disk_arguments(disk(folder / "disk", 64, table=0),
                                 node="driver=throttle,throttle-group=t0,file.driver=file,file.filename={}")]
    m = disker("late", arguments, "disk-deadline=1", kernel=CHECKED, memory=64)
    assert re.search(r"DISKER late [1-4]$", m.wait_line("DISKER")), m.text
    assert m.wait() == 0


def test_power_lost_at_any_moment_leaves_a_table_that_is_whole(disker, folder):
    image, chance = disk(folder / "disk", 256), random.Random(9)
    for turn in range(5):
        m = disker("change", disk_arguments(image), f"seed={turn}")
        m.wait_line("DISKER changed")
        time.sleep(chance.random() / 4)
        m.kill()
        assert "BROKE" not in m.text and "panic" not in m.text, m.text
        done = check(image)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("at, what", [(0, "neither of the two headers is whole"), (2 * 4096, "a block of the table is damaged")],
                         ids=["header", "slots"])
def test_a_damaged_table_is_told_and_the_disk_left_alone(disker, folder, at, what):
    image = disk(folder / "disk", 64)
    with open(image, "r+b") as file:
        file.seek(at + 20)
        file.write(b"\xff")
    m = disker("make", disk_arguments(image))
    assert m.wait_line("disk0: .*left alone").startswith(f"aegis: disk0: {what}"), m.text
    assert re.search(r"DISKER \w+ -\d+ RANGE", m.wait_line("DISKER")), m.text


def test_a_legacy_disk_is_refused_with_the_flag_that_mends_it(disker, folder):
    m = disker("make", disk_arguments(disk(folder / "disk", 64)), legacy=True)
    assert m.wait() != 0
    assert "force-legacy=false" in m.text


def test_siphash_is_the_papers():
    """The vector of its appendix: key 00..0f, data 00..0e."""
    assert siphash((0x0706050403020100, 0x0F0E0D0C0B0A0908), bytes(range(15))) == 0xA129CA6149BE45E5


def test_a_disk_that_does_not_answer_at_boot_is_left_alone_for_good(disker, folder):
    """Its answer comes later, and changes nothing."""
    arguments = ["-object", "throttle-group,id=t0,x-bps-total=2048",
                 *disk_arguments(disk(folder / "disk", 64),
                                 node="driver=throttle,throttle-group=t0,file.driver=file,file.filename={}")]
    m = disker("make", arguments, "disk-deadline=1", kernel=CHECKED, memory=64)
    m.wait_line("disk0: its .* can't be read: it is left alone")
    assert "OWNER" in m.wait_line("DISKER") or "RANGE" in m.text, m.text
