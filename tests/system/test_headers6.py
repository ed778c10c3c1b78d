"""Packets of IPv6 with extension headers, fragments among them: what sockets get of them, and what their senders are told."""
import random
import struct
import time

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ParamProblem, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from images import GUEST_IP, HOST_IP, HOST_MAC
from test_ipv6 import HOST, PLAYED, Stream, bare, wire  # noqa: F401: fixtures
from test_sockets import answer_arp
from test_told import lines, summed
from test_told6 import error, seen, to_port, unreachable

STRANGER, STRANGER_MAC = "2001:db8:1:2::1234", "02:00:00:00:00:77"
PORT = 4260


def option(kind, size=2):
    return IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=kind, optlen=size, optdata=bytes(size))])


CHAINS = [IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]), IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
          IPv6ExtHdrRouting(segleft=0, addresses=[HOST]), IPv6ExtHdrFragment(id=7), option(0x1e),
          IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / IPv6ExtHdrFragment(id=8) / IPv6ExtHdrDestOpt()]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda c: c.summary())
def test_what_comes_behind_extension_headers_is_taken(wire, chain):
    ask = lambda l4: wire.frame(chain / l4)  # noqa: E731
    assert wire.echo(ask(UDP(sport=4000, dport=7) / b"a datagram"), b"a datagram")
    wire.nic.send(bytes(ask(ICMPv6EchoRequest(id=5, seq=6, data=b"a ping"))))
    answer = seen(wire, lambda p: p.haslayer(ICMPv6EchoReply))
    again = Ether(bytes(answer))
    del again[ICMPv6EchoReply].cksum
    assert bytes(again) == bytes(answer) and answer[IPv6].src == wire.own and answer[IPv6].dst == HOST
    assert (answer[ICMPv6EchoReply].id, answer[ICMPv6EchoReply].seq, bytes(answer[ICMPv6EchoReply].data)) == (5, 6, b"a ping")


class Behind(Stream):
    """A connection each of whose segments from outside is behind extension headers."""
    chain = CHAINS[-1]

    def send(self, flags, data=b"", **tcp):
        segment = TCP(**{"sport": self.port, "dport": self.to, "flags": flags, "seq": self.seq, "ack": self.ack, "window": 5000, **tcp})
        self.w.nic.send(bytes(self.w.frame(self.chain / segment / data if data else self.chain / segment)))
        self.seq += len(data) + ("S" in flags) + ("F" in flags)


def test_a_connection_may_have_extension_headers_in_all_segments(wire):
    s = Behind(wire, 5300)
    s.open()
    data = bytes(range(256)) * 5
    s.send("PA", data)
    got = b""
    while len(got) < len(data):
        p = s.take(lambda t: len(bytes(t.payload)))
        got += bytes(p[TCP].payload)
        s.ack += len(bytes(p[TCP].payload))
        s.send("A")
    assert got == data
    s.send("R")


@pytest.fixture(scope="module")
def sizes(wire):
    lines(wire.m, "told", "sizes6", str(PORT))("told: bound")
    return wire


def fragments(whole, number, cut, next_header=17):
    """Of what is behind the IPv6 header of a frame, so many bytes each."""
    behind, ip = bytes(whole[IPv6].payload), whole[IPv6]
    head = Ether(src=whole.src, dst=whole.dst) / IPv6(src=ip.src, dst=ip.dst)
    return [head / IPv6ExtHdrFragment(nh=next_header, id=number, offset=at // 8, m=int(at + cut < len(behind))) / Raw(behind[at:at + cut])
            for at in range(0, len(behind), cut)]


def parts(w, payload, number, cut=1400, **how):
    return fragments(w.frame(UDP(sport=4000, dport=PORT) / Raw(payload), **how), number, cut)


def send_all(w, frames):
    for number, part in enumerate(frames):
        w.nic.send(bytes(part))
        if number % 24 == 23:
            w.silent()  # netd's queue has 64 places


def answered(w, payload):
    return seen(w, lambda p: p.haslayer(UDP) and p[UDP].sport == PORT and bytes(p[UDP].payload) == summed(payload))


@pytest.mark.parametrize("size, cut, order", [(1000, 504, "as sent"), (5000, 1448, "reversed"), (3000, 8, "mixed"), (44000, 1448, "mixed")])
def test_fragments_come_as_the_datagram_that_they_were(sizes, size, cut, order):
    chance = random.Random(size)
    payload = chance.randbytes(size)
    frames = parts(sizes, payload, size, cut)
    if order == "reversed":
        frames.reverse()
    elif order == "mixed":
        chance.shuffle(frames)
    send_all(sizes, frames)
    answered(sizes, payload)


@pytest.mark.parametrize("size", [1000, 5000])
def test_fragments_of_a_neighbour_that_is_not_known_are_answered_where_they_came_from(sizes, size):
    payload = random.Random(size + 1).randbytes(size)
    send_all(sizes, parts(sizes, payload, size, 504, src=STRANGER, mac=STRANGER_MAC))
    assert answered(sizes, payload).dst == STRANGER_MAC


@pytest.mark.parametrize("size", [200, 1232, 1233, 20000])
def test_a_ping_in_fragments_is_answered_in_as_many_as_all_paths_take(sizes, size):
    payload, got = random.Random(size).randbytes(size), {}
    send_all(sizes, fragments(sizes.frame(ICMPv6EchoRequest(id=77, seq=3, data=payload)), size, 1448 if size > 1448 else 104, 58))
    while sum(map(len, got.values())) < size + 8:
        ip = seen(sizes, lambda p: p[IPv6].nh in (44, 58))[IPv6]
        assert (ip.src, ip.dst) == (sizes.own, HOST) and ip.plen <= 1240
        packet = bytes(ip)[40:40 + ip.plen]
        if ip.nh == 44:
            got[struct.unpack(">H", packet[2:4])[0] & 0xfff8] = packet[8:]
        else:
            got[0] = packet
    whole = IPv6(src=sizes.own, dst=HOST) / ICMPv6EchoReply(id=77, seq=3, data=payload)
    assert b"".join(got[at] for at in sorted(got)) == bytes(whole)[40:]


def test_a_line_that_loses_doubles_and_spoils_fragments_makes_no_other_datagram(sizes):
    """Only whole ones are answered; which those are, the seed says."""
    chance, sent = random.Random(5), set()
    for number in range(40):
        payload = chance.randbytes(chance.randrange(1, 4000))
        sent.add(summed(payload))
        frames, is_whole = [], True
        for part in parts(sizes, payload, 1000 + number, 504):
            part, what = bytearray(bytes(part)), chance.random()
            if what < 0.05:
                part[chance.randrange(70, len(part))] ^= 1 << chance.randrange(8)
            is_whole &= what >= 0.1
            frames += [part] * (0 if 0.05 <= what < 0.1 else 2 if what > 0.95 else 1)
        chance.shuffle(frames)
        send_all(sizes, frames)
        end = time.monotonic() + 60
        while is_whole and time.monotonic() < end:
            p = seen(sizes, lambda p: p.haslayer(UDP) and p[UDP].sport == PORT)
            assert bytes(p[UDP].payload) in sent
            if bytes(p[UDP].payload) == summed(payload):
                break
    assert sizes.alive()


def problem(w, frame):
    """The error that it is answered by: code, pointer, what is quoted."""
    w.nic.send(bytes(frame))
    p = seen(w, lambda p: p.haslayer(ICMPv6ParamProblem))
    again = Ether(bytes(p))
    del again[ICMPv6ParamProblem].cksum
    assert bytes(again) == bytes(p) and (p[IPv6].src, p[IPv6].dst) == (w.own, HOST)
    assert bytes(p)[62:] == bytes(frame)[14:][:1232]
    return p[ICMPv6ParamProblem].code, p[ICMPv6ParamProblem].ptr


def test_a_packet_that_can_not_be_taken_is_told_why(wire):
    udp = UDP(sport=4000, dport=7) / Raw(b"x" * 8)
    for packet, wanted in (
            (option(0x80) / udp, (2, 42)), (option(0xc2) / udp, (2, 42)), (IPv6ExtHdrHopByHop() / option(0xc9) / udp, (2, 50)),
            (IPv6ExtHdrRouting(segleft=1, addresses=[HOST]) / udp, (0, 42)), (IPv6ExtHdrDestOpt() / IPv6ExtHdrHopByHop() / udp, (1, 40)),
            (IPv6ExtHdrFragment(m=1, nh=17), (3, 0)), (IPv6ExtHdrFragment(m=1, nh=60) / Raw(b"\x11\1" + bytes(6)), (3, 0)),
            (IPv6ExtHdrFragment(m=1) / UDP(dport=7, sport=7) / Raw(b"x"), (0, 4)),
            (IPv6ExtHdrFragment(offset=8191, nh=17) / Raw(b"x" * 8), (0, 42))):
        assert problem(wire, wire.frame(packet)) == wanted, packet.summary()
    assert problem(wire, wire.frame(IPv6ExtHdrDestOpt(nh=99) / Raw(b"x" * 1400))) == (1, 40)
    assert problem(wire, wire.frame(IPv6ExtHdrDestOpt(nh=17, len=5) / Raw(b"x" * 8))) == (0, 41)


def test_what_is_dropped_without_a_word(wire):
    """Options that say so, nothing, errors, and overlapping fragments."""
    udp = UDP(sport=4000, dport=7) / Raw(b"not this")
    mapped = wire.frame(IPv6ExtHdrDestOpt() / udp, src="::ffff:10.0.2.2")
    whole = wire.frame(UDP(sport=4000, dport=7) / Raw(b"x" * 100))
    first, second, third = fragments(whole, 99, 40)
    overlap = second.copy()
    overlap[IPv6ExtHdrFragment].offset -= 1
    bad_sum = wire.frame(IPv6ExtHdrDestOpt() / UDP(sport=4000, dport=7, chksum=1) / Raw(b"no"))
    wire.silent(wire.frame(option(0x40) / udp), wire.frame(IPv6ExtHdrDestOpt(nh=59) / Raw(b"x")), mapped, bad_sum,
                wire.frame(option(0x80) / ICMPv6DestUnreach(code=4) / Raw(bytes(60))), first, overlap, second, third)


@pytest.mark.parametrize("how", ["behind a header", "in fragments"])
def test_an_error_is_believed_however_it_comes(wire, how):
    port = 4261 + (how == "in fragments")
    says = lines(wire.m, "told", "refused", HOST, str(port))
    for said in ("told: recv: Connection refused", "told: SO_ERROR: Connection refused", "told: send: Connection refused"):
        whole = error(wire, seen(wire, to_port(UDP, port)), unreachable(4), src=HOST)
        if how == "in fragments":
            frames = fragments(whole, 500, 40, 58)
        else:
            frames = [Ether(src=whole.src, dst=whole.dst) / IPv6(src=HOST, dst=wire.own) / IPv6ExtHdrDestOpt(nh=58) /
                      Raw(bytes(whole[IPv6].payload))]
        send_all(wire, frames)
        says(said)


def is_fragment(p, dst):
    return (p.haslayer(IPv6ExtHdrFragment) and p[IPv6].dst == dst) or (p.haslayer(IP) and p[IP].dst == dst and p[IP].proto == 17)


@pytest.mark.parametrize("peer", [HOST, HOST_IP])
def test_a_datagram_larger_than_a_frame_is_sent_in_fragments(wire, peer):
    """By netd, for the program that has the port; each IPv6 one is as small as all paths take."""
    lines(wire.m, "told", "long", peer, "4270")
    got, end, size = {}, time.monotonic() + 60, 20008
    while sum(map(len, got.values())) < size:
        frame = wire.nic.receive(0.5)
        assert time.monotonic() < end, wire.m.text[-3000:]
        if frame is None or wire.answer(frame) or answer_arp(wire.nic, frame) or not is_fragment(Ether(frame), peer):
            continue
        ip = Ether(frame)[IP] if peer == HOST_IP else Ether(frame)[IPv6]
        assert len(ip) <= (1500 if peer == HOST_IP else 1280) and Ether(frame).dst == HOST_MAC
        if peer == HOST_IP:
            assert IP(bytes(ip)[:20]).chksum == ip.chksum and ip.flags.MF == (ip.frag * 8 + ip.len - 20 < size)
            got[ip.frag * 8] = bytes(ip)[20:ip.len]
        else:
            part = ip[IPv6ExtHdrFragment]
            got[part.offset * 8] = bytes(ip)[48:40 + ip.plen]
            assert part.nh == 17 and part.m == (part.offset * 8 + ip.plen - 8 < size)
    whole = b"".join(got[at] for at in sorted(got))
    udp = UDP(whole)
    source = ip.src
    again = (IP(src=source, dst=peer) if peer == HOST_IP else IPv6(src=source, dst=peer)) / UDP(sport=udp.sport, dport=4270) / udp.payload
    assert bytes(again)[-size:] == whole and bytes(udp.payload) == bytes(i % 251 for i in range(20000))
    assert source == (GUEST_IP if peer == HOST_IP else wire.own)
