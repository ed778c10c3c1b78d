"""
Everything at once: UDP, TCP, HTTP, kv, names and pings, in and out and within the machine, while somebody floods it with openings,
lies, fragments, noise, and broken copies of what is carried. All of what comes back is compared; each kind has to go on all the time; and
what the machine has at the end is what it had at the beginning.

AEGIS_MIXED_SECONDS=1800 (30) is how long, AEGIS_MIXED_RATE=200 the frames of the flood in a second, AEGIS_MIXED_KERNEL the kernel's path,
AEGIS_MIXED_APPEND more boot arguments. With `pytest -s` a table is printed.
"""
import collections
import os
import pathlib
import re
import shutil
import socket
import tempfile
import threading
import time

import pytest
from scapy.layers.l2 import Ether

import enemy
import images
from conftest import BUILD
from machine import MAC, Machine
from test_net_apps import KV_PORT
from traffic import PATTERN, PING_MAC, Servers, Traffic, kv_client, pinger, tcp_client, udp_client, web_client
from usernet import Switch, UserNet

SECONDS = int(os.environ.get("AEGIS_MIXED_SECONDS", "30"))
RATE = int(os.environ.get("AEGIS_MIXED_RATE", "200"))
KERNEL = os.environ.get("AEGIS_MIXED_KERNEL") or BUILD / "guest/src/kernel/kernel.elf"
APPEND = os.environ.get("AEGIS_MIXED_APPEND", "")
WARM_UP = 5  # seconds: whoever keeps something for later has it after them
STALL = 8    # seconds in a row in which pings are answered and something else isn't: a lost segment or two on a loaded host take half of it
KINDS = ("ping", "names", "udp in", "udp out", "tcp in", "tcp out", "http", "kv")
TCP_ECHO, UDP_ECHO = (socket.SOCK_STREAM, 7), (socket.SOCK_DGRAM, 7)
WEB, KV = (socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, KV_PORT)


class Up:
    def __init__(self, folder):
        self.servers, self.frames = Servers(), enemy.lies(MAC.format(0x56))
        files = images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes())
        files += [f for f in images.cpio_files((BUILD / "guest/sockets-initrd.cpio").read_bytes()) if f[0] == "mixed"]
        files += [("pattern", PATTERN), ("etc/resolv.conf", b"nameserver [10.0.2.2]:%d\n" % self.servers.names.port)]
        (folder / "initrd").write_bytes(images.cpio(files))
        self.m = Machine(BUILD, folder, initrd=folder / "initrd", kernel=KERNEL, append=APPEND)
        self.network = UserNet(folder, [TCP_ECHO, UDP_ECHO, WEB, KV])
        self.carried = collections.deque(maxlen=200)
        self.switch = Switch(self.m.nics[0], self.network, (PING_MAC, enemy.MAC, enemy.POISON_MAC),
                             lambda frame, to_machine: to_machine and self.carried.append(frame))

    def kill(self):
        self.switch.stop()
        self.m.kill()
        self.network.kill()

    def said(self, what, count, seconds=60):
        """Waits until the serial log has that so often."""
        end = time.monotonic() + seconds
        while sum(what in line for line in self.m.lines) < count:
            assert time.monotonic() < end and self.m.alive(), self.m.text[-3000:]
            time.sleep(0.05)

    def run(self, seconds, number):
        """All kinds of traffic for so long, the number-th time; the Traffic."""
        self.m.control.start("mixed", "all", str(seconds + 3), *self.servers.ports)
        self.said("mixed: begins", number)
        t = self.servers.traffic = Traffic()
        ports, locks = self.network.ports, {TCP_ECHO: threading.Lock(), WEB: threading.Lock()}
        t.work("ping", pinger(self.m, self.switch))
        t.work("names", self.servers.asked, 0.2)
        for seed in range(3):
            t.work("udp in", udp_client(ports[UDP_ECHO]))
            t.work("tcp in", tcp_client(ports[TCP_ECHO], locks[TCP_ECHO], seed), 0.05)
        for seed in range(2):
            t.work("http", web_client(ports[WEB], locks[WEB], seed), 0.05)
            t.work("kv", kv_client(ports[KV], seed))
        t.work("enemy", enemy.flood(self.m.nics[0], self.switch, self.frames, self.carried, RATE), 0.05)
        t.over.wait(seconds)
        t.finish()
        self.servers.traffic = None
        self.said("mixed: over", number, 60)
        return t

    def left(self, number):
        """What the machine has, once it stays the same: free pages, environments, bindings, bytes of the kernel's arenas, who has which
        pages. Apart, those that netd-frames has touched: it keeps room for as many fragments as it ever had at once, of 16 datagrams."""
        self.m.control.start("mixed", "reap")
        self.said("mixed: reaped", number)
        last, same = None, 0
        for _ in range(400):
            status = self.m.control.status()
            now = {key: status[key] for key in ("pages_free", "envs", "code_free", "arena_free")}
            same = same + 1 if now == last else 0
            last = now
            if same == 10:
                break
            time.sleep(0.05)
        self.m.control.start("show")
        self.said("totals: ", number)
        at = [i for i, line in enumerate(self.m.lines) if "pages of 4 KiB by owner" in line][-1]
        rows = [re.sub(r"^\[.*?\] *", "", line) for line in self.m.lines[at:]]
        totals = [line for line in rows if "totals: " in line][-1]
        pages = {row.split()[1]: row.split()[2:] for row in rows[2:rows.index("slices of 100000 ticks of hart 0:")]}
        del pages["show"], pages["-"]
        kept = int(pages["netd-frames"].pop(2))
        last["pages_free"] += kept
        return {**last, "in all": re.findall(r"\d+ of \d+ (?!pages)\w+", totals), "pages": pages}, kept


@pytest.fixture
def up():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    machine = Up(folder)
    machine.m.up()
    yield machine
    machine.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout_s(SECONDS + 150, lasts=SECONDS + 15)
def test_all_kinds_of_traffic_go_on_at_once_and_leave_nothing_behind(up):
    up.run(WARM_UP, 1)
    before, kept = up.left(1)
    traffic = up.run(SECONDS, 2)
    after, kept_now = up.left(2)
    rows = [f"{kind:8} {traffic.counts[kind]:7} there and back, {traffic.lost[kind]:4} lost, none for {traffic.longest_stall(kind)} s"
            for kind in sorted(traffic.counts)]
    said = [line for line in up.m.lines if " rounds, " in line]
    print("\n".join(["", *rows, *said[-8:], f"before {before}, {kept}", f"after  {after}, {kept_now}"]))
    assert not traffic.wrong and up.m.alive(), (traffic.wrong, up.m.text[-3000:])
    assert not [line for line in up.m.lines if re.search("mixed: .*, line |ended with status|panic|lwIP:", line)], up.m.text[-3000:]
    assert not {kind: traffic.longest_stall(kind) for kind in KINDS if traffic.longest_stall(kind) >= STALL}, rows
    assert all(traffic.counts[kind] > SECONDS // 3 for kind in KINDS), rows
    longest = {line: int(re.search(r"longest (\d+) ms", line)[1]) for line in said}
    assert max(longest.values()) < 1000 * STALL + 4000, longest
    assert {re.search(r"mixed: (\w+)", line)[1] for line in said} == {"tcp", "udp", "names", "loop"}
    misled = [frame for frame in list(up.switch.of(enemy.POISON_MAC).queue) if frame[12:14] != b"\x08\x06"]  # but answers to questions
    assert not misled, Ether(misled[0]).summary()
    assert before == after and kept_now <= kept + 17
