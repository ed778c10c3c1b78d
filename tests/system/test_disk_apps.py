"""Programs on extents, in a machine: dd and log, over both sizes of logical blocks; a disk that fails some requests."""
import random
import re
import subprocess
import zlib

import pytest

from test_disk_crash import BLOCK, SECRET, records

OTHER = "ffeeddccbbaa99887766554433221100"


@pytest.fixture
def disk(aegisctl, folder):
    """An image with extents "from" (of random bytes) and "to"; disk.from_ and disk.to are what programs call them."""
    aegisctl.image = folder / "disk"
    aegisctl.data = random.Random(1).randbytes(1_000_000).ljust(245 * BLOCK, b"\0")
    (folder / "data").write_bytes(aegisctl.data)
    aegisctl.ok("disk", "init", aegisctl.image, "--size", "8M", "--slots", 64)

    def add(label, *args):
        out = aegisctl.ok("disk", "import", aegisctl.image, *args, "--label", label)
        return "0,{},{}".format(*re.match(r"(\S+) secret (\S+)", out).groups())

    aegisctl.from_ = add("from", folder / "data", "--secret", SECRET, "--read-only")
    aegisctl.to = add("to", "/dev/null", "--blocks", 300, "--secret", OTHER)
    return aegisctl


def export(ctl, label):
    return subprocess.run([ctl.program, "disk", "export", ctl.image, label, "-"], capture_output=True, check=True).stdout


def start(ctl, *args, status=0):
    done = ctl("start", "--wait", *args)
    assert done.returncode == status, (args, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("block", [512, 4096])
def test_dd_copies_between_extents(disk, block):
    disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},block={block}")
    crc = f"crc32 0x{zlib.crc32(disk.data):08x}"
    for more in ([], ["bs=4096", "depth=32"], ["bs=131072", "depth=1"]):
        assert crc in start(disk, "dd", f"if={disk.from_}", "of=sum", *more)
    assert f"dd: 16 blocks, {len(disk.data)} bytes" in start(disk, "dd", f"if={disk.from_}", f"of={disk.to}")
    assert f"crc32 0x{zlib.crc32(disk.data[3 * 8192:8 * 8192]):08x}" in start(
        disk, "dd", f"if={disk.to}", "of=sum", "bs=8192", "skip=3", "count=5")
    start(disk, "dd", "if=zero", f"of={disk.to}", "bs=4096", "seek=2", "count=3", "depth=2")
    disk.ok("stop")
    expected = bytearray(disk.data)
    expected[2 * BLOCK:5 * BLOCK] = bytes(3 * BLOCK)
    assert export(disk, "to") == bytes(expected).ljust(300 * BLOCK, b"\0")
    assert export(disk, "from") == disk.data


def test_mistakes_of_dd_and_log_are_told_without_secrets(disk):
    disk.ok("run", "--detach", "--net", "none", "--disk", disk.image)
    wrong = disk.from_[:-1] + "7"
    for status, args, part in (
            (2, ["dd"], "if is missing"), (2, ["dd", "if=zero"], "of is missing"), (2, ["dd", "if=zero", "of=null"], "count is missing"),
            (2, ["dd", "if=null", "of=null"], "usage"), (2, ["dd", "if=zero", "of=null", "bs=1000"], "usage"),
            (2, ["dd", "of=zero"], "usage"), (2, ["dd", "fly"], "usage"), (2, ["dd", "depth=33"], "usage"),
            (1, ["dd", "if=0,1,2", "of=null"], "no valid meaning"), (1, ["dd", f"if={wrong}", "of=null"], "forged, stale"),
            (1, ["dd", "if=7" + disk.from_[1:], "of=null"], "no such device"), (1, ["dd", "if=zero", f"of={disk.from_}"], "lacks a right"),
            (2, ["log"], "usage"), (2, ["log", disk.to], "usage"), (2, ["log", disk.to, "fill", "1", "x"], "usage"),
            (2, ["log", disk.to, "fill", "1", "40000"], "usage"), (1, ["log", wrong, "list"], "forged, stale"),
            (1, ["log", disk.to, "list"], "only zeros"), (1, ["log", disk.from_, "list"], "something else than a log"),
            (1, ["log", disk.from_, "make"], "lacks a right")):
        assert part in start(disk, *args, status=status), args
    for secret in (SECRET, OTHER, wrong[-32:]):
        assert secret not in disk.log()


@pytest.mark.parametrize("block", [512, 4096])
def test_log_keeps_records_over_a_reboot(disk, block):
    for boot in range(2):
        disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},block={block}")
        if boot == 0:
            assert "empty log" in start(disk, "log", disk.to, "make")
            assert "record 1 is kept" in start(disk, "log", disk.to, "append", "hello", "world")
        assert f"record {boot + 2} is kept" in start(disk, "log", disk.to, "append", "boot", boot)
        assert "1: hello world" in start(disk, "log", disk.to, "list").splitlines()[0]
        disk.ok("stop")
    assert records(export(disk, "to"), block) == [b"hello world", b"boot 0", b"boot 1"]
    disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},block={block}")
    full = start(disk, "log", disk.to, "fill", 100, 30000, status=1)
    assert "no room for the record" in full
    kept = int(re.findall(r"record (\d+) is kept", full)[-1])
    assert f"log: {kept} records" in start(disk, "log", disk.to, "list")


@pytest.mark.parametrize("op, part", [("read", "reads"), ("write", "writes")])
def test_a_request_that_the_disk_fails_is_told_to_who_made_it_alone(disk, folder, op, part):
    """QEMU's blkdebug fails each request to one sector: of "from" for reads, of "to" for writes."""
    first = int((disk.from_ if op == "read" else disk.to).split(",")[1])
    (folder / "errors").write_text(f'[inject-error]\nevent = "{op}_aio"\nerrno = "5"\nsector = "{(first + 100) * 8}"\n')
    disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},errors={folder}/errors")
    beside = disk.start("start", "--wait", "dd", f"if={disk.to if op == 'read' else disk.from_}", "of=null", "bs=4096", "depth=1")
    failing = ["dd", f"if={disk.from_}", "of=sum"] if op == "read" else ["dd", "if=zero", f"of={disk.to}"]
    out = start(disk, *failing, "bs=4096", "depth=4", status=1)
    assert "dd: copy: the device reports an error" in out
    assert 90 <= int(re.search(r"dd: (\d+) blocks", out)[1]) <= 100
    # What lies beside it is read and written, by others and by the same program.
    for more in (["count=100"], ["skip=101"] if op == "read" else ["seek=101"]):
        assert "reports an error" not in start(disk, *failing, "bs=4096", *more)
    assert "reports an error" not in beside.communicate(timeout=60)[0] and beside.returncode == 0
    assert "dd: 3" in start(disk, "dd", f"if={disk.to if op == 'read' else disk.from_}", "of=null", "bs=32768", "count=3")
    assert "panic" not in disk.log()
    disk.ok("stop")
    disk.ok("disk", "check", disk.image)


def test_a_log_whose_flush_fails_tells_of_no_record_and_goes_on(disk, folder):
    (folder / "errors").write_text('[inject-error]\nevent = "flush_to_disk"\nerrno = "5"\nonce = "on"\nimmediately = "off"\n')
    disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},errors={folder}/errors")
    said = start(disk, "log", disk.to, "make", status=1)
    assert "log: make: the device reports an error" in said
    assert "empty log" in start(disk, "log", disk.to, "make")
    assert "record 1 is kept" in start(disk, "log", disk.to, "append", "after all")
    disk.ok("stop")
    assert records(export(disk, "to"), 512) == [b"after all"]


def test_programs_are_started_with_extents(disk):
    disk.ok("run", "--detach", "--net", "none", "--disk", disk.image)
    done = disk("start", "--wait", "--extent", "data:64K", "--extent", disk.from_, "dd", "if=from", "of=data", "bs=4096", "count=16")
    assert done.returncode == 0 and f"dd: 16 blocks, {16 * BLOCK} bytes" in done.stdout, (done.stdout, done.stderr)
    name = re.fullmatch(r"data (0,\d+,16,[0-9a-f]{32})\n", done.stderr)[1]
    crc = f"crc32 0x{zlib.crc32(disk.data[:16 * BLOCK]):08x}"
    # Again by its label, as long as the agent runs; who isn't given it doesn't find it.
    assert crc in start(disk, "--extent", "data", "dd", "if=data", "of=sum")
    assert "no valid meaning" in start(disk, "dd", "if=data", "of=sum", status=1)
    for extent, part in (("data:1M", "there is an extent data already"), ("other", "other:SIZE makes it"), ("other:0", "LABEL:SIZE"),
                         ("other:x", "LABEL:SIZE"), ("other:12Q", "LABEL:SIZE"), (":1M", "LABEL:SIZE"), ("o t:1M", "LABEL:SIZE"),
                         ("a-label-too-long:1M", "LABEL:SIZE"), ("other:1000G", "the account has no more"), ("other:99999999999G", "LABEL:SIZE"),
                         ("0,1,2", "no valid meaning"), (name[:-1] + ("0" if name[-1] != "0" else "1"), "forged, stale")):
        done = disk("start", "--wait", "--extent", extent, "dd", "if=zero", "of=null", "count=1")
        assert done.returncode == 1 and part in done.stderr, (extent, done.stderr)
        assert name[-32:] not in done.stderr
    # What was made for a program that can't be started is given back: nobody knows its secret.
    for wrong in (["nosuch"], ["--extent", "other:x", "dd"], ["--extent", "nosuch", "dd"]):
        done = disk("start", "--extent", "vain:64K", *wrong)
        assert done.returncode == 1 and "vain" not in done.stdout + done.stderr, done.stderr
    assert "dd: 16 blocks" in start(disk, "--extent", "vain:64K", "dd", "if=zero", "of=vain", "bs=4096")
    disk.ok("stop")
    # What was told at the time leads to it after a reboot; then the label does again.
    disk.ok("run", "--detach", "--net", "none", "--disk", disk.image)
    assert crc in start(disk, "--extent", name, "dd", "if=data", "of=sum")
    for again in ("data", name):
        assert crc in start(disk, "--extent", again, "dd", "if=data", "of=sum")
    assert name[-32:] not in disk.log()
    disk.ok("stop")
    assert export(disk, "data") == disk.data[:16 * BLOCK]


def test_a_secret_leads_to_no_extent_that_another_one_fills(disk):
    """The agent has both already when it is shown the inner one's secret: whose that was it can't tell, so it gives neither."""
    disk.ok("disk", "import", disk.image, "/dev/null", "--in", "to", "--blocks", 300, "--label", "inner", "--secret", SECRET)
    inner = disk.to[:-32] + SECRET
    disk.ok("run", "--detach", "--net", "none", "--disk", disk.image)
    for name, label in ((disk.to, "to"), (inner, "inner")):
        done = disk("start", "--wait", "--extent", name, "dd", "if=zero", f"of={label}", "count=0")
        assert "no valid meaning" not in done.stdout, done.stdout
    done = disk("start", "--extent", inner, "dd", "if=inner", "of=sum")
    assert done.returncode == 1 and "claiming the extent 0" in done.stderr and SECRET not in done.stderr, done
    assert "dd: 1 blocks" in start(disk, "--extent", "inner", "dd", "if=zero", "of=inner", "count=1")


def test_on_disks_that_cannot_have_it_no_extent_is_made(disk, folder):
    (folder / "foreign").write_bytes(b"no table" * 8192)
    disk.ok("run", "--detach", "--net", "none", "--disk", f"{disk.image},readonly", "--disk", folder / "foreign")
    done = disk("start", "--extent", "data:1M", "dd", "if=zero", "of=data")
    assert done.returncode == 1 and "no disk has a table of extents that can be written" in done.stderr, done.stderr
    disk.ok("stop")
    # The first disk that can have it does.
    disk.ok("run", "--detach", "--net", "none", "--disk", folder / "foreign", "--disk", disk.image)
    done = disk("start", "--wait", "--extent", "data:64K", "dd", "if=zero", "of=data")
    assert done.returncode == 0 and done.stderr.startswith("data 1,"), done.stderr


def test_without_a_disk_no_extent_is_made(disk):
    disk.ok("run", "--detach", "--net", "none")
    done = disk("start", "--extent", "data:1M", "dd", "if=zero", "of=data")
    assert done.returncode == 1 and "no such device" in done.stderr, done.stderr
