"""Losses of power: QEMU killed while a program keeps records, and a recorded log of the disk's writes and flushes, replayed to any of its
prefixes and to any of the orders that flushes allow. Afterwards the table of extents is the one before a change or after it,
nobody's blocks hold what another wrote, and nothing that was told to be kept is lost.

By hand, more of it: AEGIS_CHANGES=600 AEGIS_CRASHES=5000 AEGIS_KILLS=500 pytest tests/system/test_disk_crash.py."""
import os
import random
import re
import signal
import struct
import subprocess
import time

import pytest

import images
from conftest import BUILD

BLOCK, SECTOR = 4096, 512
CHANGES = int(os.environ.get("AEGIS_CHANGES", 60))
CRASHES = int(os.environ.get("AEGIS_CRASHES", 250))
KILLS = int(os.environ.get("AEGIS_KILLS", 8))
SECRET = "00112233445566778899aabbccddeeff"


class Image:
    """A disk's bytes as src/extent/extent.h has them, read here once more."""

    def __init__(self, data):
        headers = [struct.unpack_from("<8sIIQQ16sQ", data, c * BLOCK) for c in range(2)]
        whole = [h[0] == b"AegisExt" and h[6] == c for c, h in enumerate(headers)]
        copy = max((c for c in range(2) if whole[c]), key=lambda c: headers[c][3])
        _, _, blocks, self.sequence, *_ = headers[copy]
        slots = data[(2 + copy * blocks) * BLOCK:(2 + (copy + 1) * blocks) * BLOCK]
        rows = [struct.unpack("<QQQ16s16sHBBI", slots[at:at + 64]) for at in range(0, len(slots), 64)]
        self.extents = sorted((row[0], row[1], row[6]) for row in rows[1:] if row[7] & 1)


def told(lines):
    """The states that churn's lines tell, the empty one first: {id: (first, count, parent id, ids whose marks its blocks may bear)}."""
    states = [{}]
    for line in lines:
        words = re.search(r"churn: (alloc|free|resize|split) ([\d ]+)$", line)
        if not words:
            continue
        now = {i: (first, count, parent, set(marks)) for i, (first, count, parent, marks) in states[-1].items()}
        number, *rest = map(int, words[2].split())

        def rename(old, new, first, count):
            _, _, parent, marks = now.pop(old)
            now[new] = first, count, parent, marks | {new}
            for child, (f, c, p, m) in list(now.items()):
                if p == old:
                    now[child] = f, c, new, m

        def give_back(child):
            if now[child][2]:
                now[now[child][2]][3].update(now[child][3])

        if words[1] == "alloc":
            first, count, parent = rest
            now[number] = first, count, parent, {number}
        elif words[1] == "free":
            give_back(number)
            del now[number]
        elif words[1] == "resize":
            count, new = rest
            first, before, *_ = now[number]
            if count < before:
                give_back(number)
            rename(number, new, first, count)
        else:
            keep, new, other = rest
            first, count, parent, marks = now[number]
            now[other] = first + keep, count - keep, parent, marks | {other}
            rename(number, new, first, keep)
        states.append(now)
    return states


def entries(path):
    """(flags, offset, bytes) of a log of QEMU's blklogwrites: the format of Linux's dm-log-writes."""
    data = path.read_bytes()
    magic, version, count, sector = struct.unpack_from("<QQQI", data)
    assert (magic, version, sector) == (0x6A736677736872, 1, SECTOR)
    at, found = SECTOR, 0
    while at < len(data):  # the count is brought up to date at flushes only
        first, sectors, flags, _ = struct.unpack_from("<QQQQ", data, at)
        at += SECTOR
        size = 0 if flags & 4 else sectors * SECTOR
        yield flags, first * SECTOR, data[at:at + size]
        at, found = at + size, found + 1
    assert found >= count


FLUSH, DISCARD = 1, 4


def crash_points(log, image, rng):
    """(what the medium holds, what it may or may not) for each entry: of the latter with a share of 0, 1,
    and some."""
    durable, pending = bytearray(image), []
    for flags, offset, data in log:
        if flags & FLUSH:
            for at, what in pending:
                durable[at:at + len(what)] = what
            pending = []
        if data and not flags & DISCARD:
            pending.append((offset, data))
        for share in (0, 1, rng.random()):
            yield durable, [(at, what, share) for at, what in pending]


def lose(durable, pending, rng):
    """The disk's bytes: of each write some sectors, as its share says."""
    data = bytearray(durable)
    for at, what, share in pending:
        for sector in range(0, len(what), SECTOR):
            if rng.random() < share:
                data[at + sector:at + sector + SECTOR] = what[sector:sector + SECTOR]
    return data


def check_marks(data, state):
    """Each block of an extent bears zeros, or marks of its own; or of what lay inside it, or what it was."""
    owner, depth = {}, {}
    for number, (first, count, parent, _) in state.items():
        level = 1
        while parent:
            parent, level = state[parent][2], level + 1
        for block in range(first, first + count):
            if depth.get(block, 0) < level:
                owner[block], depth[block] = number, level
    words = memoryview(data).cast("I")
    for block, number in owner.items():
        found = set(words[block * BLOCK // 4:(block + 1) * BLOCK // 4])
        assert found <= state[number][3] | {0}, f"block {block} of {number} bears {found}"


@pytest.mark.timeout_s(3600, lasts=5)
@pytest.mark.parametrize("seed", [1, 2])
def test_any_prefix_and_order_of_the_writes_leaves_a_table_before_or_after(aegisctl, machine, folder, seed):
    rng = random.Random(seed)
    disk, log, crashed = folder / "disk", folder / "log", folder / "crashed"
    aegisctl.ok("disk", "init", disk, "--size", "2M", "--slots", 64)
    before = disk.read_bytes()
    log.touch()
    node = f"driver=blklogwrites,file.driver=file,file.filename={{}},log.driver=file,log.filename={log}"
    m = machine(initrd=BUILD / "guest/churn-initrd.cpio", nics=0, append=f"churn={seed},{CHANGES}",
                extra=images.disk_arguments(disk, node=node))
    m.wait_line("churn: done; 0 changes failed")
    assert m.wait() == 0
    states = told(m.lines)
    assert len(states) == CHANGES + 1
    log = list(entries(log))
    assert len(log) > 200
    chosen = set(rng.sample(range(3 * len(log)), min(CRASHES, 3 * len(log))))
    seen = set()
    for index, (durable, pending) in enumerate(crash_points(log, before, random.Random(seed))):
        if index not in chosen:
            continue
        data = lose(durable, pending, rng)
        crashed.write_bytes(data)
        done = aegisctl("disk", "check", crashed)
        assert done.returncode == 0, (index, done.stderr)
        image = Image(data)
        assert image.sequence >= Image(durable).sequence, "the table went back"
        state = states[image.sequence - 2]
        assert [(first, count) for first, count, _ in image.extents] == sorted((e[0], e[1]) for e in state.values()), index
        check_marks(data, state)
        seen.add(image.sequence)
    assert lose(durable, [(at, what, 1) for at, what, _ in pending], rng) == disk.read_bytes(), "the log has it all"
    assert len(seen) > min(CRASHES, 200) / 8, "too few states were seen for a test"


def inject(event, **more):
    return "".join(f'{name} = "{value}"\n' for name, value in dict(event=event, errno=5, once="on", **more).items())


@pytest.mark.parametrize("what", ["write_aio", "flush_to_disk"])
def test_changes_that_the_disk_fails_are_undone_and_later_ones_made(aegisctl, machine, folder, what):
    """The write of each header fails once, or some flushes do (of all, a table's among them)."""
    disk, config = folder / "disk", folder / "config"
    aegisctl.ok("disk", "init", disk, "--size", "2M", "--slots", 64)
    faults = [inject(what, sector=sector) for sector in (0, 8)] if what == "write_aio" else [inject(what, state=n) for n in (5, 9, 14)]
    states = "" if what == "write_aio" else "".join(
        f'[set-state]\nevent = "{what}"\nstate = "{n}"\nnew_state = "{n + 1}"\n' for n in range(1, 20))
    config.write_text("".join(f"[inject-error]\n{fault}" for fault in faults) + states)
    node = f"driver=blkdebug,config={config},image.driver=file,image.filename={{}}"
    m = machine(initrd=BUILD / "guest/churn-initrd.cpio", nics=0, append="churn=3,40", extra=images.disk_arguments(disk, node=node))
    assert int(re.search(r"(\d+) changes failed", m.wait_line("churn: done"))[1]) >= 2
    m.wait()
    assert "is good too" in aegisctl.ok("disk", "check", disk)
    image, state = Image(disk.read_bytes()), told(m.lines)[-1]
    assert len(told(m.lines)) == 41 and image.sequence == 42
    assert [(first, count) for first, count, _ in image.extents] == sorted((e[0], e[1]) for e in state.values())
    check_marks(disk.read_bytes(), state)


class Records:
    """The records of a log in an extent's bytes (src/apps/log/store.h), read here once more; and those that follow, later."""

    def __init__(self, data, unit):
        magic, made_for, *epoch, total = struct.unpack_from("<8sQQQQ", data)
        assert (magic, made_for) == (b"AegisLog", unit)
        assert total == images.siphash(epoch, data[:32] + bytes(8))
        self.epoch, self.unit, self.last, self.known, self.found = epoch, unit, total, data[:unit], []
        self.follow(data)

    def follow(self, data):
        """What was read before is there unchanged; reads on from there."""
        assert data.startswith(self.known), "records have changed"
        at = len(self.known)
        while at + self.unit <= len(data):
            kind, length, number, before, total = struct.unpack_from("<IIQQQ", data, at)
            if (kind, number, before) != (0x44524352, len(self.found) + 1, self.last) or at + 32 + length > len(data):
                break
            parts = [images.siphash(self.epoch, data[at:at + 24] + bytes(8)),
                     images.siphash(self.epoch, data[at + 32:at + 32 + length])]
            if images.siphash(self.epoch, struct.pack("<QQ", *parts)) != total:
                break
            self.found.append(data[at + 32:at + 32 + length])
            self.last, at = total, at + -(-(32 + length) // self.unit) * self.unit
        self.known = data[:at]


def records(data, unit):
    return Records(data, unit).found


def filled(number, size):
    """What log's fill puts into record number."""
    return b"".join(b"%07d " % (((number - 1) * 131 + n) % 10_000_000) for n in range(-(-size // 8)))[:size]


@pytest.mark.timeout_s(3600, lasts=5)
@pytest.mark.parametrize("unit", [512, 4096])
def test_records_that_were_told_to_be_kept_outlast_kills(aegisctl, folder, unit):
    rng = random.Random(unit)
    disk = folder / "disk"
    aegisctl.ok("disk", "init", disk, "--size", "64M", "--slots", 64)
    extent = aegisctl.ok("disk", "import", disk, "/dev/null", "--blocks", 15000, "--secret", SECRET, "--label", "log").split()[0]
    name = f"0,{extent},{SECRET}"
    log, kills_with_records = None, 0
    for kill in range(KILLS // 2):
        aegisctl.ok("run", "--detach", "--net", "none", "--disk", f"{disk},block={unit}")
        if log is None or len(log.known) > 30 << 20:
            aegisctl.ok("start", "--wait", "log", name, "make")
            log = None
        pid = int(aegisctl.ok("status").split("process ")[1].split()[0])
        aegisctl.ok("start", "log", name, "fill", 1000000, rng.choice((10, 500, 600, 5000)))
        # Every other one when a record was told: on a busy machine the first is late.
        end = time.monotonic() + 20
        while kill % 2 and not re.search(r"record \d+ is kept", aegisctl.log()) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while (folder / "aegis-v/default/control").exists() and time.monotonic() < end:
            time.sleep(0.02)
        aegisctl.ok("disk", "check", disk)
        data = subprocess.run([aegisctl.program, "disk", "export", disk, "log", "-"], capture_output=True, check=True).stdout
        before = 0 if log is None else len(log.found)
        if log is None:
            log = Records(data, unit)
        else:
            log.follow(data)
        kept = max(map(int, re.findall(r"log: record (\d+) is kept", aegisctl.log())), default=before)
        assert len(log.found) >= kept >= before
        for number, record in enumerate(log.found[before:], before + 1):
            assert record == filled(number, len(record)), number
        kills_with_records += kept > before
    assert kills_with_records >= KILLS // 2 // 2, "the machine was mostly killed too early for a test"
