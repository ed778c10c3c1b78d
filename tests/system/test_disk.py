"""Disks from the host's side: aegisctl run --disk, with a stand-in for QEMU and with QEMU itself, and aegisctl disk."""
import gzip
import os
import random
import re
import subprocess

import pytest

from test_aegisctl import ctl, one_line, run  # noqa: F401 (a fixture)


def image(path, size=1 << 20):
    path.write_bytes(bytes(size))
    return path


@pytest.mark.parametrize("disk, part", [
    ("", "name of a file is missing"), (",readonly", "name of a file is missing"), ("no,such", '"such" is no option'),
    ("x,block=513", '"block=513" is no option'), ("x,log=", '"log=" is no option')])
def test_mistakes_in_a_disk_are_named_and_exit_2(ctl, folder, disk, part):
    image(folder / "x")
    done = ctl("run", "--disk", disk and f"{folder}/{disk}" if not disk.startswith(",") else disk)
    assert done.returncode == 2
    one_line(done.stderr, part, "--help")


def test_more_disks_than_the_kernel_takes_are_refused(ctl, folder):
    done = ctl("run", *9 * ["--disk", image(folder / "x")])
    assert done.returncode == 2
    one_line(done.stderr, "--disk is given more than 8 times", "--help")


def test_an_image_that_cannot_be_a_disk_is_named_before_anything_starts(ctl, folder):
    small = image(folder / "small", 1000)
    for disk, part in ((folder / "none", "aegisctl disk init"), (small, "1000 bytes"), (folder, "directory"),
                       (f"{image(folder / 'odd', 4608)},block=4096", "4608 bytes"),
                       (f"{image(folder / 'good')},errors={folder}/none", "none: No such file"),
                       (f"{folder}/good,log={folder}/none/log", "none/log: No such file")):
        done = run(ctl, "--disk", disk)
        assert done.returncode == 1
        one_line(done.stderr, "--disk", part)
        assert not (folder / "aegis-v/default/serial.log").exists()


def test_disks_reach_qemu_in_their_order_with_their_options(ctl, folder):
    odd = image(folder / "a,readonly,b")
    config = image(folder / "config", 0)
    for name in ("c", "d"):
        image(folder / name)
    run(ctl, "--disk", f"{odd},block=4096,readonly", "--disk", f"{folder}/c,errors={config},log={folder}/log",
        "--disk", folder / "d")
    drives = [line for line in ctl.log().split() if line.startswith("driver=raw,")]
    devices = [line for line in ctl.log().split() if line.startswith("virtio-blk-device,")]
    assert len(drives) == len(devices) == 3
    assert drives[0].endswith(f"read-only=on,file.driver=file,file.filename={folder}/a,,readonly,,b")
    assert f"file.file.driver=blkdebug,file.file.config={config},file.file.image.driver=file" in drives[1]
    assert f"file.driver=blklogwrites,file.log.driver=file,file.log.filename={folder}/log" in drives[1]
    assert (folder / "log").exists() and "read-only=off" in drives[2]
    for number, (drive, device) in enumerate(zip(drives, devices)):
        assert f"node-name=d{number}," in drive and f"drive=d{number}," in device and "werror=report" in device
        assert f"logical_block_size={4096 if number == 0 else 512}," in device


def test_qemu_takes_every_kind_of_disk(aegisctl, folder):
    """QEMU itself, with all options, and what it says where two machines write one image."""
    config = folder / "config"
    config.write_text("")
    aegisctl.ok("run", "--detach", "--disk", f"{image(folder / 'a')},log={folder}/log,errors={config}",
                "--disk", f"{image(folder / 'b,c')},readonly,block=4096", "--disk", image(folder / "d"))
    done = aegisctl("run", "--detach", "--instance", "second", "--disk", folder / "d")
    assert done.returncode == 1
    one_line(done.stderr, "readonly", str(folder / "d"))
    aegisctl.ok("run", "--detach", "--instance", "third", "--disk", f"{folder}/b,c,readonly")


BLOCK = 4096


@pytest.fixture
def disk(aegisctl, folder):
    """aegisctl disk, and a new image of 4 MiB."""
    aegisctl.image = folder / "disk.img"
    aegisctl.ok("disk", "init", aegisctl.image, "--size", "4M")
    return aegisctl


def extents(ctl):
    """{label: (first, blocks, slot, flags)} as disk show prints them."""
    row = (r"^ +(\d+) +(\d+) +[\d.]+ [KMGTP]iB +(\d+)  (-|secret, read-only|secret|read-only) +(\S.*)$")
    rows = re.findall(row, ctl.ok("disk", "show", ctl.image), re.M)
    return {label: (int(first), int(count), int(slot), flags) for first, count, slot, flags, label in rows}


@pytest.mark.parametrize("args, part", [
    ([], "what to do"), (["fly"], '"fly" is no command'), (["init"], "missing: IMAGE"), (["init", "x", "--size", "5000"], "5000"),
    (["init", "x", "--size", "4X"], "4X"), (["init", "x", "--size", "-4K"], "-4K"), (["init", "x", "--slots", "2049"], "2048"),
    (["import", "x"], "IMAGE FILE"), (["import", "x", "y", "--label", "seventeen letters"], "16 bytes"),
    (["import", "x", "y", "--label", "a,b"], "comma"), (["import", "x", "y", "--secret", "12"], "32 hexadecimal"),
    (["import", "x", "y", "--secret", "g" * 32], "32 hexadecimal"), (["import", "x", "y", "--secret", "0" * 33], "32 hexadecimal"),
    (["import", "x", "y", "--secret", "0" * 32, "--no-secret"], "contradict"), (["export", "x", "y"], "IMAGE EXTENT FILE"),
    (["free", "x"], "IMAGE EXTENT"), (["check", "x", "y"], "too much")])
def test_mistakes_of_disk_are_named_and_exit_2(aegisctl, args, part):
    done = aegisctl("disk", *args)
    assert done.returncode == 2
    one_line(done.stderr, part, "--help")


@pytest.mark.parametrize("command", ["", "init", "show", "check", "import", "export", "free"])
def test_help_of_disk_goes_to_stdout(aegisctl, command):
    done = aegisctl("disk", *([command] if command else []), "--help")
    assert done.returncode == 0 and "usage: aegisctl disk" in done.stdout and done.stderr == ""


def test_a_new_disk_is_shown_checked_and_not_overwritten(disk):
    assert "copy 1 is current (change 2) and good: 0 extents" in disk.ok("disk", "check", disk.image)
    assert "copy 0, the change before, is good too" in disk.ok("disk", "check", disk.image)
    assert extents(disk) == {"(root)": (18, 1024 - 18, 0, "-")}
    done = disk("disk", "init", disk.image)
    assert done.returncode == 1
    one_line(done.stderr, "a table of extents", "--force")
    done = disk("disk", "init", disk.image, "--size", "8M")
    assert done.returncode == 1
    one_line(done.stderr, "is there already")
    disk.ok("disk", "init", disk.image, "--force", "--slots", 1)
    assert extents(disk) == {"(root)": (4, 1020, 0, "-")}


def test_files_go_in_and_come_out(disk, folder):
    data = random.Random(1).randbytes(100_001)
    (folder / "data").write_bytes(data)
    out = disk.ok("disk", "import", disk.image, folder / "data", "--label", "data")
    first, secret = re.fullmatch(r"18,(25) secret ([0-9a-f]{32})\n", out).groups()
    assert secret != re.search("secret (.*)", disk.ok("disk", "import", disk.image, folder / "data"))[1]
    given = "0123456789abcdefABCDEF0123456789"
    assert disk.ok("disk", "import", disk.image, folder / "data", "--at", 500, "--blocks", 100, "--secret", given, "--read-only",
                   "--label", "given") == f"500,100 secret {given.lower()}\n"
    assert extents(disk)["data"] == (18, 25, 1, "secret") and extents(disk)["given"] == (500, 100, 3, "secret, read-only")
    for name, blocks in (("data", 25), ("18,25", 25)):
        disk.ok("disk", "export", disk.image, name, folder / "out")
        assert (folder / "out").read_bytes() == data.ljust(blocks * BLOCK, b"\0")
    raw = subprocess.run([disk.program, "disk", "export", disk.image, "data", "-"], capture_output=True, check=True).stdout
    assert raw == data.ljust(25 * BLOCK, b"\0")


def test_what_cannot_be_imported_is_refused_and_changes_nothing(disk, folder):
    (folder / "data").write_bytes(b"x" * 3 * BLOCK)
    (folder / "nothing").write_bytes(b"")
    disk.ok("disk", "import", disk.image, folder / "data", "--label", "a", "--read-only")
    disk.ok("disk", "import", disk.image, folder / "data", "--label", "twice")
    disk.ok("disk", "import", disk.image, folder / "data", "--label", "twice")
    before = disk.image.read_bytes()
    (folder / "link").hardlink_to(disk.image)
    for args, part in (
            (["import", folder / "none"], "none: No such file"), (["import", folder / "nothing"], "--blocks"),
            (["import", folder], "--blocks"), (["import", folder / "data", "--at", 3], "3 to 5: the blocks are not all within"),
            (["import", folder / "data", "--at", 1022], "1022 to 1024: the blocks are not all within"),
            (["import", folder / "data", "--at", 20], "20 to 22: some of the blocks belong to another"),
            (["import", folder / "data", "--in", "a"], "no run of free blocks|read-only"),
            (["import", folder / "data", "--in", "b"], "disk show lists them"),
            (["import", folder / "data", "--in", "18,4"], "no extent has exactly the 4 blocks from 18 on"),
            (["import", "/dev/zero", "--blocks", "2000"], "2000 blocks: no run of free blocks"),
            (["export", "a", disk.image], "it is the image itself"), (["export", "a", folder / "link"], "it is the image itself"),
            (["export", "twice", folder / "out"], "several extents are labelled"),
            (["export", "a", folder / "no" / "out"], "no/out: No such file"), (["free", "18,9"], "no extent has exactly the 9"),
            (["free", "18,1006"], "the root extent is neither freed")):
        done = disk("disk", args[0], disk.image, *args[1:])
        assert done.returncode == 1, args
        assert done.stderr.count("\n") == 1 and re.search(part, done.stderr), done.stderr
        assert disk.image.read_bytes() == before, args
    full = disk("disk", "import", disk.image, "/dev/zero", "--blocks", "4")  # endless: fails after the blocks were written
    assert full.returncode == 1 and "more bytes than the extent" in full.stderr
    assert set(extents(disk)) == {"(root)", "a", "twice"}


def test_freed_blocks_are_taken_again_and_extents_nest(disk, folder):
    (folder / "data").write_bytes(b"x" * 10 * BLOCK)
    disk.ok("disk", "import", disk.image, folder / "data", "--label", "outer", "--blocks", 40)
    disk.ok("disk", "import", disk.image, folder / "data", "--label", "inner", "--in", "outer", "--at", 30)
    one_line(disk("disk", "free", disk.image, "outer").stderr, "extents inside it are in the way")
    disk.ok("disk", "free", disk.image, "inner")
    assert "18 to 57 are free" in disk.ok("disk", "free", disk.image, "outer")
    assert disk.ok("disk", "import", disk.image, folder / "data").startswith("18,10 ")


def test_the_table_fills_up_and_says_so(aegisctl, folder):
    aegisctl.ok("disk", "init", folder / "d", "--size", "1M", "--slots", 64)
    for _ in range(63):
        aegisctl.ok("disk", "import", folder / "d", "/dev/null", "--blocks", 1, "--no-secret")
    done = aegisctl("disk", "import", folder / "d", "/dev/null", "--blocks", 1)
    assert done.returncode == 1
    one_line(done.stderr, "all slots of the table are in use")
    assert "63 extents beside the root" in aegisctl.ok("disk", "check", folder / "d")


def damaged(image, at, data):
    """The image with some bytes changed."""
    whole = bytearray(image.read_bytes())
    whole[at:at + len(data)] = data
    image.write_bytes(whole)


def current(image):
    """The current copy, by the sequence numbers."""
    numbers = [int.from_bytes(image.read_bytes()[c * BLOCK + 16:c * BLOCK + 24], "little") for c in range(2)]
    return numbers.index(max(numbers))


@pytest.mark.parametrize("what, part", [
    ("blank", "has no table.*disk init makes one"), ("empty", "it has 0 bytes"), ("gzip", "gzip data"),
    ("ext2", "an ext2, ext3 or ext4 file system"), ("qcow2", "qcow2"), ("noise", "something else than a table"),
    ("cut", "512 of 1024; was the image cut off"), ("version", "another version"), ("headers", "neither of the two headers"),
    ("slots", r"copy \d, slots 64 to 127: .*checksum"), ("missing", "No such file"), ("folder", "directory")])
def test_an_image_that_is_no_good_disk_is_told_by_its_fault(disk, folder, what, part):
    image, data = disk.image, disk.image.read_bytes()
    if what in ("blank", "empty"):
        image.write_bytes(bytes(1 << 20 if what == "blank" else 0))
    elif what == "gzip":
        image.write_bytes(gzip.compress(random.Random(1).randbytes(20000)))
    elif what == "ext2":
        subprocess.run(["mke2fs", "-q", "-F", image, "1M"], check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    elif what == "qcow2":
        image.write_bytes(b"QFI\xfb" + bytes(10000))
    elif what == "noise":
        image.write_bytes(random.Random(1).randbytes(20000))
    elif what == "cut":
        image.write_bytes(data[:len(data) // 2])
    elif what == "version":
        for c in range(2):
            damaged(image, c * BLOCK + 8, b"\2")
    elif what == "headers":
        for c in range(2):
            damaged(image, c * BLOCK + 200, b"\2")
    elif what == "slots":
        damaged(image, (2 + 8 * current(image) + 1) * BLOCK + 77, b"?")
    elif what == "missing":
        image.unlink()
    elif what == "folder":
        image.unlink()
        image.mkdir()
    commands = (["check"], ["show"], ["free", "18,1"], ["import", "/dev/null", "--blocks", 1], ["export", "18,1", folder / "out"])
    for command in commands:
        done = disk("disk", command[0], image, *command[1:])
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and re.match(f"aegisctl: disk {command[0]}: {image}: .*{part}", done.stderr, re.I), done.stderr
    assert not (folder / "out").exists()


def test_a_loss_of_power_while_the_header_is_written_shows_the_change_before(disk):
    disk.ok("disk", "import", disk.image, "/dev/null", "--blocks", 1, "--label", "last")
    damaged(disk.image, current(disk.image) * BLOCK + 100, b"torn")
    assert set(extents(disk)) == {"(root)"}
    assert "is not whole: it was being written" in disk.ok("disk", "check", disk.image)
    disk.ok("disk", "import", disk.image, "/dev/null", "--blocks", 1, "--label", "next")
    assert set(extents(disk)) == {"(root)", "next"}
    assert "is good too" in disk.ok("disk", "check", disk.image)


def test_an_image_that_grew_is_good(disk):
    os.truncate(disk.image, 5 << 20)
    assert "the last 256 blocks are not the table's" in disk.ok("disk", "check", disk.image)


def test_the_image_of_a_running_machine_is_not_changed(disk):
    disk.ok("run", "--detach", "--disk", disk.image)
    before = disk.image.read_bytes()
    for args in (["init", disk.image, "--force"], ["import", disk.image, "/dev/null", "--blocks", 1], ["free", disk.image, "18,1"]):
        done = disk("disk", *args)
        assert done.returncode == 1
        one_line(done.stderr, "a machine, or another aegisctl disk, uses it")
    disk.ok("disk", "check", disk.image)
    assert disk.image.read_bytes() == before
