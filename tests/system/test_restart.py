"""netd, in both its processes, ended as by a wild jump: another is started, and programs go on, with what they had and with new sockets."""
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from conftest import BUILD
from gdbstub import connect
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from test_agent import symbol
from test_answers import ask, frame, ping
from test_sockets import answer_arp
from test_told import lines


@pytest.fixture
def up(folder):
    path = str(folder / "gdb")
    m = Machine(BUILD, folder=folder, initrd=BUILD / "guest/sockets-initrd.cpio",
                extra=("-gdb", f"unix:{path},server=on,wait=off")).up()
    m.gdb_path = path
    connect(path).run()
    m.control.start("udpecho")
    m.control.start("tcpecho", "8")
    m.wait_line("udpecho: port 7")
    m.wait_line("tcpecho: port 8")
    yield m
    m.kill()


def crash(m, function, provoke):
    """Has netd execute nothing that there is, where it is about to execute a function; other programs have other things there."""
    path = BUILD / "guest/src/apps/netd"
    address, image = symbol("netd", function), path.read_bytes()
    gdb = connect(m.gdb_path)
    gdb.interrupt()
    for _ in range(50):
        gdb.go_to(address, provoke)
        if gdb.read(address, 32) in image:
            break
        gdb.ask(b"s")
    else:
        raise AssertionError("netd doesn't get there")
    gdb.set_pc(0)
    gdb.run()


def echoes(m, payload, seconds=30):
    """Whether the socket of udpecho's that there has been all the time answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        m.nics[0].send(bytes(frame(m, UDP(sport=4000, dport=7) / Raw(payload))))
        again = time.monotonic() + 1
        while time.monotonic() < again:
            got = m.nics[0].receive(0.5)
            if got is not None and not answer_arp(m.nics[0], got) and payload in got and Ether(got).haslayer(UDP):
                return True
    return False


def test_programs_find_the_netd_that_is_started_anew(up):
    says = lines(up, "streams", "ports")
    says("streams: ports: a port")
    assert echoes(up, b"before")
    crash(up, "port_take", lambda: None)
    up.wait_line("netd on interface 0 is started anew")
    says("streams: ports: Network interface is not configured")  # it is told,
    says("streams: ports: a port")  # and goes on
    assert echoes(up, b"behind")
    says = lines(up, "streams", "once", "7000")
    says("streams: one at port 7000")
    lines(up, "told", "connect", GUEST_IP, "8")("told: connected")  # a port of before, which only the kernel knows
    lines(up, "told", "connect", GUEST_IP, "9")("told: connect: Connection refused")
    assert ask(up, ping(up, b"is anybody there"), 10)


def test_the_other_process_is_started_anew(up):
    assert echoes(up, b"before")
    error = Ether(src=HOST_MAC, dst=up.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) / ICMP(type=3, code=3) / \
        Raw(bytes(IP(src=GUEST_IP, dst=HOST_IP) / UDP(sport=9, dport=9)))
    crash(up, "icmp_error_read", lambda: up.nics[0].send(bytes(error)))
    up.wait_line("netd on interface 0 is started anew")
    end = time.monotonic() + 30
    while not ask(up, ping(up, b"is anybody there"), 1):
        assert time.monotonic() < end, up.text[-2000:]
    assert echoes(up, b"behind")
