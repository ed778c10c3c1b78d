"""A QEMU machine under test: started, watched on its serial console, counted by the plugin, and ended."""

import collections
import mmap
import os
import re
import signal
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

QEMU = os.environ.get("AEGIS_QEMU", "qemu-system-riscv64")
BOARD = ["-M", "virt", "-cpu", "rv64", "-m", "256M", "-nographic", "-no-reboot", "-monitor", "none", "-serial", "stdio",
         "-global", "virtio-mmio.force-legacy=false"]
# One instruction is one nanosecond of the guest's time; idling takes none of the host's.
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "1"]
# The same for a guest that waits for the host: sleep=off would move its clock to the end of time meanwhile.
ICOUNT_WAITING = ["-icount", "shift=0,sleep=on", "-seed", "1"]
COUNTER_MAGIC = 0x746E756F63676561  # bench/plugin/counter.h


class MachineError(Exception):
    """The machine did not do what it had to within its time; the text says what, and ends with its last lines."""


class Counter:
    """The instructions that a guest has executed, read from the plugin's file (bench/plugin/counter.h)."""

    HEAD, PLACE = struct.Struct("<QQQQQ"), struct.Struct("<QQ")  # magic, instructions, low, high, used
    RANGE, RANGE_AT = struct.Struct("<QQ"), 16

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 0)
        if self.HEAD.unpack_from(self.page, 0)[0] != COUNTER_MAGIC:
            raise MachineError(f"{path}: not a file of the plugin libcount.so")

    def read(self):
        return self.HEAD.unpack_from(self.page, 0)[1]

    def only(self, low, high):
        """From now on, of what is translated newly, only instructions at addresses low to high - 1 are counted."""
        self.RANGE.pack_into(self.page, self.RANGE_AT, low, high)

    def profile(self):
        """How often the instruction at each address ran; needs the plugin's profile=on."""
        counts = collections.Counter()
        end = self.HEAD.size + self.HEAD.unpack_from(self.page, 0)[4] * self.PLACE.size
        for address, count in self.PLACE.iter_unpack(self.page[self.HEAD.size:end]):
            counts[address] += count
        return counts


class Machine:
    """
    with Machine("limit", ["-kernel", path], plugin=path or None) as machine: ...

    Its network, if net is true, is a pair of datagram sockets: machine.local is where QEMU sends, machine.remote
    where it listens. keep are file descriptors that QEMU inherits. icount (True, or ICOUNT_WAITING) makes it
    deterministic, and its guest's instruction counter exact.
    """

    def __init__(self, name, arguments, net=True, plugin=None, icount=False, keep=()):
        self.name = name
        self.folder = tempfile.TemporaryDirectory(prefix="aegis-bench-")
        base = Path(self.folder.name)
        self.local, self.remote = base / "client", base / "qemu"
        self.command = [QEMU, *BOARD, *(ICOUNT if icount is True else icount or [])]
        if net:
            self.command += ["-netdev", f"dgram,id=n0,local.type=unix,local.path={self.remote},"
                                        f"remote.type=unix,remote.path={self.local}",
                             "-device", "virtio-net-device,netdev=n0,mac=52:54:00:12:34:56"]
        self.counter_path = base / "counter" if plugin else None
        if plugin:
            self.command += ["-plugin", f"{plugin},counter={self.counter_path}"]
        self.command += arguments
        self.base, self.keep = base, keep
        self.lines = []  # (seconds since launch, line)
        self.ended = False
        self.changed = threading.Condition()

    def __enter__(self):
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=self.keep)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()

    def _read(self):
        for raw in self.process.stdout:
            with self.changed:
                self.lines.append((time.monotonic() - self.started, raw.decode(errors="replace").rstrip()))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_line(self, pattern, timeout):
        """The first line that matches, as (seconds since launch, match); MachineError after timeout seconds."""
        end, seen = time.monotonic() + timeout, 0
        with self.changed:
            while True:
                for when, line in self.lines[seen:]:
                    found = re.search(pattern, line)
                    if found:
                        return when, found
                seen = len(self.lines)
                if self.ended:
                    raise MachineError(self._say(f"ended without a line like {pattern!r}"))
                if not self.changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise MachineError(self._say(f"printed no line like {pattern!r} within {timeout} s"))

    def wait_end(self, timeout):
        """Waits until the machine has ended; returns QEMU's exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise MachineError(self._say(f"did not end within {timeout} s")) from None
        with self.changed:
            self.changed.wait_for(lambda: self.ended, 5)
        return status

    def counter(self):
        return Counter(self.counter_path)

    def _say(self, what):
        last = "\n".join("  | " + line for _, line in self.lines[-12:])
        return f"{self.name}: the machine {what}; its last lines:\n{last}"


def qemu_version():
    """The version of QEMU that all machines run on."""
    try:
        text = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MachineError(f"{QEMU} does not run ({error}); ci/setup installs it") from None
    return re.search(r"version (\S+)", text)[1]
