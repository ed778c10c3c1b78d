"""
TCP between two machines over a switch that loses, doubles, reorders and spoils frames, each way: what arrives is right, and all of it,
for each client; and what a machine says of a datagram that never became whole.

Most of the time is patience, TCP's doubles with each loss: so the machines' clocks are fast.
"""
import pathlib
import shutil
import tempfile
import time

import pytest

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from conftest import BUILD
from images import HOST_IP, HOST_MAC
from lossy import Switch
from machine import Machine, Nic, fast_clock

INITRD = BUILD / "guest/sockets-initrd.cpio"
CLOCK = 20      # times as fast as ours
PATIENCE = 110  # seconds


@pytest.fixture(scope="module")
def pair():
    """Two machines, the first with an echo at 10.0.2.15, and the cards between which a switch goes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    nics = [Nic(folder, number) for number in range(2)]
    clock = fast_clock(folder, CLOCK)
    machines = [Machine(BUILD, folder, initrd=INITRD, nics=0, address=f"ip=10.0.2.{15 + i}/24,10.0.2.2",
                        extra=["-netdev", n.netdev(i), "-device", f"virtio-net-device,netdev=n{i},mac={n.mac}", *clock])
                for i, n in enumerate(nics)]
    for m in machines:
        m.up()
    machines[0].control.start("tcpecho")
    machines[0].wait_line("tcpecho: port 7")
    yield machines[1], nics
    for m in machines:
        m.kill()
    for n in nics:
        n.socket.close()
    shutil.rmtree(folder, ignore_errors=True)


def echo_through(pair, chance, size, clients, limit=PATIENCE, seed=1):
    """Clients echo so many bytes each, until all are done; the switch's counts, and how many did by their first connection."""
    client, nics = pair
    switch = Switch(*nics, chance, seed)
    done = f"streams: {size} bytes came back"
    try:
        seen = len(client.lines)
        for _ in range(clients):
            client.control.start("streams", "10.0.2.15", "7", "echo", str(size))
        end = time.monotonic() + limit
        while sum(done in line for line in client.lines[seen:]) < clients:
            assert time.monotonic() < end, (switch.counts, client.lines[seen:])
            assert not any("streams: line" in line for line in client.lines[seen:]), (switch.counts, client.lines[seen:])
            time.sleep(0.02)
    finally:
        switch.stop()
    return switch.counts, sum(done + " by connection 1" == line.split("] ")[-1] for line in client.lines[seen:])


@pytest.mark.parametrize("percent, size, clients", [(0, 500000, 1), (1, 500000, 2), (10, 30000, 4), (30, 1000, 4)])
def test_all_echoes_over_a_bad_line_are_whole(pair, percent, size, clients):
    counts, first = echo_through(pair, percent / 100, size, clients)
    assert percent == 0 or sum(counts.values()) > counts["carried"], counts
    assert first == clients or percent == 30  # where TCP may give up: half of all frames don't arrive


def test_who_sends_a_part_of_a_datagram_is_told_that_its_time_is_over(pair):
    _, nics = pair
    part = Ether(src=HOST_MAC, dst=nics[0].mac) / IP(src=HOST_IP, dst="10.0.2.15", flags="MF", id=5) / UDP(dport=7) / bytes(800)
    nics[0].send(bytes(part))
    got = Ether(nics[0].find(lambda f: Ether(f).dst == HOST_MAC and Ether(f).haslayer(ICMP), PATIENCE))
    assert (got.dst, got[IP].src, got[IP].dst, got[ICMP].type, got[ICMP].code) == (HOST_MAC, "10.0.2.15", HOST_IP, 11, 1)
    assert bytes(got[ICMP].payload) == bytes(part)[14:42]
