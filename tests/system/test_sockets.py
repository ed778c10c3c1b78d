"""Sockets of ExOS against real peers: the host's own through user networking, and frames by hand."""
import os
import re
import socket
import threading
import time

import pytest
from scapy.layers.inet import IP, UDP, IPOption, fragment
from scapy.layers.l2 import ARP, Ether

import images
from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC

INITRD = BUILD / "guest/sockets-initrd.cpio"


@pytest.fixture
def up(aegisctl):
    """A machine behind user networking with udpecho on port 7; the host's port that leads there."""
    port = int(re.search(r"127\.0\.0\.1:(\d+)", aegisctl.ok("run", "--detach", "--initrd", INITRD))[1])
    aegisctl.ok("start", "udpecho")
    end = time.monotonic() + 20
    while "udpecho: port 7" not in aegisctl.log():
        assert time.monotonic() < end, aegisctl.log()
        time.sleep(0.05)
    return port


def exchange(port, payload, limit=5):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(limit)
        s.connect(("127.0.0.1", port))
        s.send(payload)
        return s.recv(4000)


def test_datagrams_of_all_sizes_come_back(up):
    exchange(up, b"first")
    for size in (0, 1, 85, 86, 87, 128, 500, 1000, 1471, 1472):
        payload = os.urandom(size)
        assert exchange(up, payload) == payload, size


def test_many_clients_are_told_apart(up):
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
    for number, client in enumerate(clients):
        client.settimeout(5)
        client.connect(("127.0.0.1", up))
    for turn in range(10):
        for number, client in enumerate(clients):
            client.send(b"%d of %d" % (turn, number))
        for number, client in enumerate(clients):
            assert client.recv(100) == b"%d of %d" % (turn, number)
    for client in clients:
        client.close()


def host_echo():
    """An echo on the host, which the guest reaches at 10.0.2.2."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(60)

    def serve():
        while True:
            try:
                payload, client = server.recvfrom(4000)
                server.sendto(payload, client)
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return server


@pytest.mark.parametrize("size, sockets", [(0, 1), (64, 1), (1472, 1), (200, 9)])
def test_a_program_talks_to_the_hosts_sockets(aegisctl, size, sockets):
    aegisctl.ok("run", "--detach", "--initrd", INITRD)
    server = host_echo()
    done = aegisctl("start", "--wait", "talk", HOST_IP, server.getsockname()[1], 50, size, sockets)
    server.close()
    assert done.returncode == 0 and "talk: 50 of 50 came back" in aegisctl.log(), (done.stderr, aegisctl.log())


def test_a_port_is_somebodys_until_that_ends(aegisctl, up):
    done = aegisctl("start", "--wait", "--timeout", 10, "udpecho", 7)
    assert done.returncode == 1 and "Address already in use" in aegisctl.log()
    assert aegisctl("load", "udp dst port 7", "--app", "udp-echo").returncode == 1  # the kernel's answer: OVERLAP
    aegisctl.ok("load", "udp dst port 8", "--app", "udp-echo")
    assert aegisctl("start", "--wait", "--timeout", 10, "udpecho", 8).returncode == 1


# Frames by hand.

@pytest.fixture
def wire(machine):
    m = machine(initrd=INITRD).up()
    m.control.start("udpecho")
    m.wait_line("udpecho: port 7")
    return m


def answer_arp(nic, frame):
    packet = Ether(frame)
    if packet.haslayer(ARP) and packet[ARP].op == 1 and packet[ARP].pdst == HOST_IP:
        nic.send(bytes(Ether(src=HOST_MAC, dst=packet.src) /
                       ARP(op=2, hwsrc=HOST_MAC, psrc=HOST_IP, hwdst=packet.src, pdst=packet[ARP].psrc)))
        return True
    return False


def echo(m, frame, judge, seconds=20):
    """Sends it, answers questions for our address, and returns what judge accepts."""
    nic, end = m.nics[0], time.monotonic() + seconds
    nic.send(frame)
    while time.monotonic() < end:
        got = nic.receive(0.5)
        if got is not None and not answer_arp(nic, got) and judge(got):
            return got
    return None


def alive(m, payload=None):
    payload = payload or os.urandom(20)
    return echo(m, images.datagram(m.nics[0].mac, payload), images.is_answer(payload)) is not None


def test_who_is_answered_is_asked_where_he_is(wire):
    nic, payload = wire.nics[0], b"who are you"
    nic.send(images.datagram(nic.mac, payload))
    question = Ether(nic.find(lambda f: Ether(f).haslayer(ARP)))[ARP]
    assert (question.op, question.psrc, question.hwsrc, question.pdst) == (1, GUEST_IP, nic.mac, HOST_IP)
    assert echo(wire, bytes(Ether(src=HOST_MAC, dst=nic.mac) / ARP(op=2, hwsrc=HOST_MAC, psrc=HOST_IP, hwdst=nic.mac, pdst=GUEST_IP)),
                images.is_answer(payload))


def test_arp_that_nobody_asked_for_changes_nothing(wire):
    nic, enemy = wire.nics[0], "02:66:66:66:66:66"
    assert alive(wire)
    for op in (1, 2):
        for target in (GUEST_IP, HOST_IP):
            nic.send(bytes(Ether(src=enemy, dst=nic.mac) / ARP(op=op, hwsrc=enemy, psrc=HOST_IP, hwdst=nic.mac, pdst=target)))
    payload = b"still you"
    got = echo(wire, images.datagram(nic.mac, payload), lambda f: Ether(f).haslayer(UDP))
    assert Ether(got).dst == HOST_MAC


def spoiled(mac, how):
    good = Ether(src=HOST_MAC, dst=mac) / IP(src=HOST_IP, dst=GUEST_IP) / UDP(sport=4000, dport=7) / (b"spoiled " + how.encode())
    if how == "udp checksum":
        good[UDP].chksum = 0x1234
    if how == "ip checksum":
        good[IP].chksum = 0x1234
    if how == "udp length":
        good[UDP].len = 400
    if how == "short udp length":
        good[UDP].len = 7
    if how == "ip length":
        good[IP].len = 400
    if how == "address":
        good[IP].dst = "10.0.2.16"
    frames = [bytes(good)]
    if how == "fragments":
        frames = [bytes(f) for f in fragment(good / os.urandom(600), 256)][1:]
    if how == "cut":
        frames = [bytes(good)[:40]]
    return frames


@pytest.mark.parametrize("how", ["udp checksum", "ip checksum", "udp length", "short udp length", "ip length", "address", "fragments",
                                 "cut"])
def test_what_is_spoiled_is_dropped(wire, how):
    assert alive(wire)
    for frame in spoiled(wire.nics[0].mac, how):
        wire.nics[0].send(frame)
    payload, seen = b"behind it", []
    judge = images.is_answer(payload)
    assert echo(wire, images.datagram(wire.nics[0].mac, payload), lambda f: seen.append(f) or judge(f))
    assert len(seen) == 1, [Ether(f).summary() for f in seen]


def test_options_and_missing_checksums_are_fine(wire):
    assert alive(wire)
    for options, checksum in (([IPOption(b"\x94\x04\x00\x00")], None), ([], 0)):
        frame = Ether(src=HOST_MAC, dst=wire.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP, options=options) / \
            UDP(sport=4000, dport=7, chksum=checksum) / b"with a difference"
        assert echo(wire, bytes(frame), images.is_answer(b"with a difference"))


def test_a_flood_for_another_port_delays_but_hurts_nobody(wire):
    assert alive(wire)
    for number in range(3000):
        wire.nics[0].send(images.datagram(wire.nics[0].mac, b"flood", 9))
    assert alive(wire)
