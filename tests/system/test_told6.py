"""ICMPv6's errors as programs are told of them, and paths on which a packet may be less than 1,500 bytes."""
import os
import time

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded,
                                ICMPv6Unknown, IPv6, IPv6ExtHdrFragment)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from images import HOST_MAC
from test_ipv6 import FAR, HOST, PLAYED, ROUTER, Stream, bare, wire  # noqa: F401: fixtures
from test_told import lines

NEAR = "2001:db8:1:2::77"
PLAYED[NEAR] = HOST_MAC


def seen(w, accept, seconds=60):
    """The next packet of the guest's that is accepted; its questions for neighbours are answered."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = w.nic.receive(0.5)
        if got is not None and not w.answer(got) and Ether(got).haslayer(IPv6) and accept(Ether(got)):
            return Ether(got)
    raise AssertionError(w.m.text[-3000:])


def error(w, packet, icmp, src=ROUTER, quoted=1232):
    """About what the guest has sent."""
    return w.frame(icmp / Raw(bytes(packet[IPv6])[:quoted]), src=src, dst=w.own)


def unreachable(code):
    return ICMPv6DestUnreach(code=code)


def to_port(kind, port):
    return lambda p: p.haslayer(kind) and p[kind].dport == port


@pytest.mark.parametrize("peer, port", [(HOST, 4242), (FAR, 4243)])
def test_an_unreachable_port_refuses_a_connected_sockets_datagrams(wire, peer, port):
    says = lines(wire.m, "told", "refused", peer, str(port))
    for said in ("told: recv: Connection refused", "told: SO_ERROR: Connection refused", "told: send: Connection refused"):
        wire.nic.send(bytes(error(wire, seen(wire, to_port(UDP, port)), unreachable(4), src=peer)))
        says(said)
    assert "told: ready 1, events in error" in wire.m.text


def test_errors_that_lie_change_nothing(wire):
    """Those of a wrong sum, of others' datagrams, of ones that are cut off or parts, and what is no error; the first that is told is true."""
    says = lines(wire.m, "told", "refused", HOST, "4244")
    sent = seen(wire, to_port(UDP, 4244))
    wrong_sum = error(wire, sent, ICMPv6DestUnreach(code=4, cksum=1))
    others, port, mine, part = (Ether(bytes(sent)) for _ in range(4))
    others[IPv6].dst, port[UDP].dport, mine[IPv6].src = FAR, 4245, "2001:db8:1:2::1"
    part[IPv6].payload = IPv6ExtHdrFragment(nh=17, m=1) / part[UDP]
    part[IPv6].nh = 44
    lies = [wrong_sum, error(wire, sent, unreachable(4), quoted=47), error(wire, sent, ICMPv6EchoReply()),
            error(wire, sent, ICMPv6TimeExceeded(code=1)), error(wire, sent, ICMPv6PacketTooBig(mtu=1280)),
            error(wire, sent, ICMPv6PacketTooBig(mtu=68)), error(wire, sent, ICMPv6Unknown(type=5, code=4))]
    lies += [error(wire, lie, unreachable(4)) for lie in (others, port, mine, part)]
    wire.silent(*lies)
    wire.nic.send(bytes(error(wire, sent, unreachable(1))))
    says("told: recv: Permission denied")
    for icmp, said in ((ICMPv6ParamProblem(code=1, ptr=6), "told: SO_ERROR: Protocol error"),
                       (ICMPv6TimeExceeded(), "told: send: Host is unreachable")):
        wire.nic.send(bytes(error(wire, seen(wire, to_port(UDP, 4244)), icmp)))
        says(said)


def test_a_connection_that_can_not_be_made_is_told_why(wire):
    for port, code, why in ((4246, 0, "Network is unreachable"), (4247, 4, "Connection refused")):
        says = lines(wire.m, "told", "connect", HOST, str(port))
        sent = seen(wire, to_port(TCP, port))
        stale = sent.copy()
        stale[TCP].seq = (stale[TCP].seq + 1) & 0xffffffff
        for lie in (error(wire, stale, unreachable(3)), error(wire, sent, ICMPv6PacketTooBig(mtu=1280))):
            wire.nic.send(bytes(lie))
        wire.nic.send(bytes(error(wire, sent, unreachable(code))))
        says("told: connect: " + why)


@pytest.mark.parametrize("address", ["own", "::1"])
def test_an_own_port_that_nobody_has_refuses(wire, address):
    lines(wire.m, "told", "refused", wire.own if address == "own" else address, "4248")("told: send: Connection refused")


def test_nobody_outside_is_believed_about_what_has_not_left_the_machine(wire):
    says = lines(wire.m, "told", "inside", wire.own, HOST, "4250")
    sent = seen(wire, to_port(UDP, 4250))
    wire.nic.send(bytes(error(wire, wire.frame(UDP(sport=4251, dport=4250), src=wire.own), unreachable(4))))
    wire.nic.send(bytes(error(wire, sent, unreachable(4))))
    says("told: outside Connection refused, inside Success")


def test_a_datagram_that_is_too_big_for_the_way_is_told_so(wire):
    says = lines(wire.m, "told", "path", NEAR, "4249")
    says("told: path 1500")
    sent = seen(wire, to_port(UDP, 4249))
    assert sent[IPv6].plen == 1460
    for mtu in (1279, 1500, 1300):  # no link is so narrow; it would have got through; but this is true
        wire.nic.send(bytes(error(wire, sent, ICMPv6PacketTooBig(mtu=mtu))))
    says("told: path 1300: Message too long")
    says("told: one byte more: Message too long")
    assert seen(wire, to_port(UDP, 4249))[IPv6].plen == 1260
    says("told: sent 1252")
    assert seen(wire, to_port(UDP, 4249))[IPv6].plen == 1460
    says("told: named 1452")
    says("told: path 1500 again")


class Echo:
    """What tcpecho gives back, acknowledged as it comes."""

    def __init__(self, s, data):
        self.s, self.data, self.got, self.first, self.longest = s, data, b"", s.ack, 0
        for at in range(0, len(data), 1440):
            s.send("PA", data[at:at + 1440])

    def note(self, p):
        part, at = bytes(p[TCP].payload), (p[TCP].seq - self.first) & 0xffffffff
        assert at <= len(self.got)
        self.longest = max(self.longest, len(part))
        self.got = self.got[:at] + part if at + len(part) > len(self.got) else self.got
        self.s.ack = self.first + len(self.got)
        self.s.send("A")

    def finish(self):
        while self.got != self.data:
            self.note(self.s.take(lambda t: len(bytes(t.payload))))
        return self.longest


def test_a_connection_goes_on_over_a_path_that_takes_less(wire):
    """Routers make no fragments: it sends again what didn't get through, in smaller segments. What lies changes nothing."""
    s = Stream(wire, 5200, src=NEAR)
    assert dict(s.open()[TCP].options)["MSS"] == 1440
    echo = Echo(s, os.urandom(3 * 1440))
    big = s.take(lambda t: len(bytes(t.payload)) == 1440)
    stale, after, port, mine, fits = (Ether(bytes(big)) for _ in range(5))
    stale[TCP].seq -= 1
    after[TCP].seq += 100000
    port[TCP].dport += 1
    mine[IPv6].dst = FAR
    fits[IPv6].plen = 1200
    for lie in (stale, after, port, mine, fits):
        wire.nic.send(bytes(error(wire, lie, ICMPv6PacketTooBig(mtu=1300))))
    for mtu in (1279, 1280):
        wire.nic.send(bytes(error(wire, big, ICMPv6PacketTooBig(mtu=mtu))))
    smaller = s.take(lambda t: 0 < len(bytes(t.payload)) < 1440)
    assert len(bytes(smaller[TCP].payload)) == 1220 and smaller[TCP].seq == big[TCP].seq
    echo.note(smaller)
    assert echo.finish() == 1220
    assert Echo(s, os.urandom(3 * 1440)).finish() == 1220
    s.send("R")
    for port, peer, size in ((5201, NEAR, 1220), (5202, HOST, 1440)):  # it is known by now
        t = Stream(wire, port, src=peer)
        assert dict(t.open()[TCP].options)["MSS"] == size
        t.send("R")
