"""IPv6: the address that a machine gives itself, its neighbours, and datagrams; frames by hand, and QEMU's user network."""
import os
import pathlib
import re
import shutil
import socket
import struct
import tempfile
import time

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA,
                                ICMPv6ND_RS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, ICMPv6ParamProblem,
                                IPv6)
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import checksum

from conftest import BUILD
from images import HOST_MAC
from machine import Machine
from test_told import lines

ROUTER, HOST, FAR = "fe80::1", "2001:db8:1:2::99", "2001:db8:ffff::1"
ENEMY_MAC, OTHER_MAC = "02:66:66:66:66:66", "02:77:77:77:77:77"
PLAYED = {HOST: HOST_MAC, ROUTER: HOST_MAC, "fe80::2:1": OTHER_MAC}


def eui64(mac):
    b = [int(x, 16) for x in mac.split(":")]
    return f"{(b[0] ^ 2) << 8 | b[1]:x}:{b[2] << 8 | 0xff:x}:fe{b[3]:02x}:{b[4] << 8 | b[5]:x}"



class Wire:
    """A machine with udpecho, a router that has told it a prefix, and a neighbour HOST; all of them played by hand."""

    def __init__(self, folder):
        self.m = Machine(BUILD, folder=folder, initrd=BUILD / "guest/sockets-initrd.cpio")
        self.nic = self.m.nics[0]
        self.nic.discovery = True
        self.m.up()
        self.link, self.own = "fe80::" + eui64(self.nic.mac), "2001:db8:1:2:" + eui64(self.nic.mac)
        self.m.control.start("udpecho")
        self.m.wait_line("udpecho: port 7")
        self.m.control.start("tcpecho", "8")
        self.m.wait_line("tcpecho: port 8")

    def first(self, judge, seconds=20):
        frame = self.nic.find(lambda f: judge(Ether(f)), seconds)
        return frame and Ether(frame)

    def frame(self, payload, src=HOST, dst=None, mac=HOST_MAC, to=None, **ip):
        return Ether(src=mac, dst=to or self.nic.mac) / IPv6(src=src, dst=dst or self.own, **ip) / payload

    def advertisement(self, prefix="2001:db8:1:2::", router=ROUTER, mac=HOST_MAC, hlim=255, lifetime=1800, **options):
        return (Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src=router, dst="ff02::1", hlim=hlim) /
                ICMPv6ND_RA(routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=mac) /
                ICMPv6NDOptPrefixInfo(**{"prefix": prefix, "prefixlen": 64, "validlifetime": 7200, "preferredlifetime": 3600, **options}))

    def answer(self, frame):
        """The neighbours' part."""
        p = Ether(frame)
        if not p.haslayer(ICMPv6ND_NS) or p[ICMPv6ND_NS].tgt not in PLAYED or p[IPv6].src == "::":
            return False
        target = p[ICMPv6ND_NS].tgt
        self.nic.send(bytes(Ether(src=PLAYED[target], dst=p.src) / IPv6(src=target, dst=p[IPv6].src, hlim=255) /
                            ICMPv6ND_NA(R=0, S=1, O=1, tgt=target) / ICMPv6NDOptDstLLAddr(lladdr=PLAYED[target])))
        return True

    def echo(self, frame, payload, seconds=20):
        """udpecho's answer to a frame, by whoever sent it; or None."""
        self.nic.send(bytes(frame))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.nic.receive(0.5)
            if got is None or self.answer(got):
                continue
            p = Ether(got)
            if p.haslayer(IPv6) and p.haslayer(UDP) and p[UDP].sport == 7 and bytes(p[UDP].payload)[:len(payload)] == payload:
                return p
        return None

    def alive(self, payload=None, **how):
        payload = payload or os.urandom(16)
        return self.echo(self.frame(UDP(sport=4000, dport=7) / payload, **how), payload)

    def silent(self, *frames):
        """None of these is answered: the answer to what comes behind them is the next one."""
        for frame in frames:
            self.nic.send(bytes(frame))
        token = os.urandom(16)
        self.nic.send(bytes(self.frame(UDP(sport=4000, dport=7) / token)))
        while True:
            got = self.nic.receive(20)
            assert got is not None, "nothing"
            if not self.answer(got) and Ether(got).haslayer(IPv6):
                assert Ether(got).haslayer(UDP) and bytes(Ether(got)[UDP].payload)[:16] == token, Ether(got).summary()
                return


@pytest.fixture(scope="module")
def bare():
    """Before any router has said anything."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    w = Wire(folder)
    yield w
    w.m.kill()
    shutil.rmtree(folder, ignore_errors=True)


def solicitation(w, target, src=HOST, mac=HOST_MAC, hlim=255, option=True, **ip):
    packet = (Ether(src=mac, dst="33:33:ff:" + w.nic.mac[9:]) / IPv6(src=src, dst="ff02::1:ff" + eui64(w.nic.mac)[-7:], hlim=hlim, **ip) /
              ICMPv6ND_NS(tgt=target))
    return packet / ICMPv6NDOptSrcLLAddr(lladdr=mac) if option else packet


def is_advertised(p, target):
    return p.haslayer(ICMPv6ND_NA) and p[ICMPv6ND_NA].tgt == target


def test_it_asks_for_its_link_local_address_and_for_a_router_when_it_starts(bare):
    """In this order; what is asked is what RFC 4862, 5.4.2, and RFC 4861, 4.1, have."""
    p = bare.first(lambda p: p.haslayer(ICMPv6ND_NS))
    assert (p.dst, p[IPv6].src, p[IPv6].hlim, p[ICMPv6ND_NS].tgt) == ("33:33:ff:" + bare.nic.mac[9:], "::", 255, bare.link)
    assert not p.haslayer(ICMPv6NDOptSrcLLAddr)
    p = bare.first(lambda p: p.haslayer(ICMPv6ND_RS))
    assert (p.dst, p[IPv6].src, p[IPv6].dst, p[IPv6].hlim) == ("33:33:00:00:00:02", "::", "ff02::2", 255)
    again = Ether(bytes(p))
    del again[ICMPv6ND_RS].cksum
    assert bytes(again) == bytes(p)


@pytest.fixture(scope="module")
def wire(bare):
    """Its router has told it a prefix; the address that it makes of it has been asked for, and is its own after a second."""
    bare.nic.send(bytes(bare.advertisement()))
    p = bare.first(lambda p: p.haslayer(ICMPv6ND_NS) and p[ICMPv6ND_NS].tgt == bare.own)
    assert p and p[IPv6].src == "::" and p.dst == "33:33:ff:" + bare.nic.mac[9:] and p[IPv6].hlim == 255
    again = Ether(bytes(p))
    del again[ICMPv6ND_NS].cksum
    assert bytes(again) == bytes(p)
    end = time.monotonic() + 60
    while True:
        bare.nic.send(bytes(solicitation(bare, bare.own)))
        if bare.first(lambda p: is_advertised(p, bare.own), 0.5):
            break
        assert time.monotonic() < end
    bare.nic.drain()
    return bare


def test_it_says_where_it_is_to_who_asks(wire):
    for target in (wire.link, wire.own):
        for option in (True, False):
            wire.nic.send(bytes(solicitation(wire, target, option=option)))
            p = wire.first(lambda p: p.haslayer(ICMPv6ND_NA))
            na = p[ICMPv6ND_NA]
            assert (p.src, p.dst, p[IPv6].src, p[IPv6].dst, p[IPv6].hlim) == (wire.nic.mac, HOST_MAC, target, HOST, 255)
            assert (na.tgt, na.R, na.S, na.O, na[ICMPv6NDOptDstLLAddr].lladdr) == (target, 0, 1, 1, wire.nic.mac)
            again = Ether(bytes(p))
            del again[ICMPv6ND_NA].cksum
            assert bytes(again) == bytes(p)


def test_it_keeps_its_address_when_another_wants_it(wire):
    wire.nic.send(bytes(solicitation(wire, wire.own, src="::", mac=ENEMY_MAC, option=False)))
    p = wire.first(lambda p: p.haslayer(ICMPv6ND_NA))
    assert (p.dst, p[IPv6].dst, p[ICMPv6ND_NA].S, p[ICMPv6ND_NA].tgt) == ("33:33:00:00:00:01", "ff02::1", 0, wire.own)
    assert wire.alive()


def test_what_is_no_question_to_it_gets_no_answer(wire):
    good = bytes(solicitation(wire, wire.own))
    cut = [Ether(good[:-8]), Ether(good[:60])]
    zero = Ether(good[:-7] + b"\0" + good[-6:])  # an option of no length
    wrong = Ether(bytes(good[:-1]) + b"\x99")
    code = Ether(bytes(solicitation(wire, wire.own)))
    code[ICMPv6ND_NS].code = 1
    del code[ICMPv6ND_NS].cksum
    wire.silent(solicitation(wire, "2001:db8:1:2::1"), solicitation(wire, "::"), solicitation(wire, wire.own, hlim=254),
                solicitation(wire, wire.own, src="ff02::1"), solicitation(wire, wire.own, src="::"),  # the last says where nobody is
                solicitation(wire, wire.own, mac="03:00:00:00:00:01"), zero, wrong, code, *cut)


@pytest.mark.parametrize("size", [0, 1, 65, 66, 67, 500, 1452])
def test_datagrams_of_all_sizes_come_back(wire, size):
    payload = os.urandom(size)
    p = wire.alive(payload) if size else wire.echo(wire.frame(UDP(sport=4000, dport=7)), b"")
    assert (p.dst, p[IPv6].src, p[IPv6].dst, p[IPv6].plen, p[UDP].dport) == (HOST_MAC, wire.own, HOST, 8 + size, 4000)
    again = Ether(bytes(p)[:62 + size])
    del again[UDP].chksum
    assert bytes(again) == bytes(p)[:62 + size]


def test_they_go_by_the_router_to_where_there_is_no_neighbour(wire):
    p = wire.alive(src=FAR)
    assert p.dst == HOST_MAC and p[IPv6].dst == FAR and p[IPv6].src == wire.own


def test_a_neighbour_that_is_not_known_is_answered_where_he_asked_from(wire):
    """Nobody answers for this address: who sends in its name keeps nobody waiting, and who asks next has his answer."""
    p = wire.alive(src="2001:db8:1:2::abcd", mac=OTHER_MAC)
    assert p and p.dst == OTHER_MAC and p[IPv6].dst == "2001:db8:1:2::abcd"
    assert wire.alive().dst == HOST_MAC


def test_link_local_neighbours_are_answered_from_the_link_local_address(wire):
    p = wire.alive(src=ROUTER, dst=wire.link)
    assert p[IPv6].src == wire.link and p[IPv6].dst == ROUTER


def test_datagrams_that_are_not_whole_are_not_seen(wire):
    payload = b"spoiled" * 3

    def spoiled(**udp):
        return wire.frame(UDP(sport=4000, dport=7, **udp) / payload)
    ends = bytes(spoiled())
    wire.silent(spoiled(chksum=0), spoiled(chksum=0x1234), spoiled(len=400), spoiled(len=7), wire.frame(UDP(sport=4000, dport=7) / payload, plen=400),
                wire.frame(UDP(sport=4000, dport=7) / payload, src="::"), wire.frame(UDP(sport=4000, dport=7) / payload, src="ff02::1"),
                wire.frame(UDP(sport=4000, dport=7) / payload, src=wire.own), wire.frame(UDP(sport=4000, dport=7) / payload, src="::1"),
                wire.frame(UDP(sport=4000, dport=7) / payload, dst="2001:db8:9:9:" + eui64(wire.nic.mac)), ends[:60], ends[:62])


def test_neighbours_that_nobody_asked_for_change_nothing(wire):
    assert wire.alive()
    for dst, solicited in ((wire.own, 1), (wire.link, 1), ("ff02::1", 0)):
        wire.nic.send(bytes(Ether(src=ENEMY_MAC, dst=wire.nic.mac) / IPv6(src=HOST, dst=dst, hlim=255) /
                            ICMPv6ND_NA(R=0, S=solicited, O=1, tgt=HOST) / ICMPv6NDOptDstLLAddr(lladdr=ENEMY_MAC)))
    wire.nic.send(bytes(solicitation(wire, wire.own, mac=ENEMY_MAC)))  # it says that it is HOST
    assert wire.first(lambda p: p.haslayer(ICMPv6ND_NA)).dst == ENEMY_MAC
    assert wire.alive().dst == HOST_MAC


def test_only_the_router_that_it_knows_tells_it_anything(wire):
    """Another one, the same in another's name, and what comes from beyond the link; the last would end all of it."""
    bad = [wire.advertisement(router="fe80::bad", mac=ENEMY_MAC, prefix="2001:db8:bad::"), wire.advertisement(mac=ENEMY_MAC, lifetime=0),
           wire.advertisement(hlim=64, lifetime=0), wire.advertisement(router="2001:db8::1", lifetime=0)]
    wire.silent(*bad)
    assert wire.alive(src=FAR).dst == HOST_MAC


def test_an_address_does_not_end_early_because_somebody_says_so(wire):
    """RFC 4862, 5.5.3 e: two hours are left to it whatever a router says."""
    wire.nic.send(bytes(wire.advertisement(validlifetime=0, preferredlifetime=0)))
    time.sleep(0.2)
    assert wire.alive(src=FAR)
    wire.nic.send(bytes(wire.advertisement()))


def test_a_router_that_goes_is_used_no_more_and_another_is_asked_for(wire):
    wire.nic.send(bytes(wire.advertisement(lifetime=0)))
    end = time.monotonic() + 60
    while True:  # not more often than every four seconds
        wire.nic.send(bytes(wire.frame(UDP(sport=4000, dport=7) / b"no way back", src=FAR)))
        if wire.first(lambda p: p.haslayer(ICMPv6ND_RS), 0.5):
            break
        assert time.monotonic() < end
    wire.nic.send(bytes(wire.advertisement(router="fe80::2:1", mac=OTHER_MAC)))
    end = time.monotonic() + 60
    while (p := wire.alive(src=FAR)).dst != OTHER_MAC:  # until netd has heard of it, answers go back where questions come from
        assert p.dst == HOST_MAC and time.monotonic() < end
    assert p[IPv6].src == wire.own


def answered(w, question):
    """The first answer to a packet, with its addresses and sums looked at."""
    w.nic.send(bytes(question))
    p = w.first(lambda p: p.haslayer(IPv6) and not p.haslayer(ICMPv6ND_RS))
    q = Ether(bytes(question))
    assert (p.src, p.dst, p[IPv6].src, p[IPv6].dst) == (w.nic.mac, HOST_MAC, q[IPv6].dst, q[IPv6].src)
    assert len(bytes(p)) == 54 + p[IPv6].plen
    again = Ether(bytes(p))
    for field in ("cksum", "chksum"):
        if field in again[IPv6].payload.fields:
            delattr(again[IPv6].payload, field)
    assert bytes(again) == bytes(p)
    return p


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 56, 511, 1452])
def test_pings_of_all_sizes_come_back(wire, size):
    data = os.urandom(size)
    for dst in (wire.own, wire.link):
        p = answered(wire, wire.frame(ICMPv6EchoRequest(id=77, seq=3, data=data), dst=dst))
        reply = p[ICMPv6EchoReply]
        assert (reply.id, reply.seq, reply.data, p[IPv6].hlim) == (77, 3, data, 64)


def test_a_ping_with_a_wrong_sum_comes_back_wrong(wire):
    wire.nic.send(bytes(wire.frame(ICMPv6EchoRequest(id=77, seq=3, cksum=0x1234, data=b"wrong"))))
    assert wire.first(lambda p: p.haslayer(ICMPv6EchoReply))[ICMPv6EchoReply].cksum == 0x1134


@pytest.mark.parametrize("flags, data, wanted", [
    ("S", b"", ("RA", 0, 1001)), ("S", b"data", ("RA", 0, 1005)), ("", b"abcde", ("RA", 0, 1005)), ("A", b"", ("R", 7777, 0)),
    ("FA", b"x", ("R", 7777, 0)), ("SA", b"", ("R", 7777, 0))])
def test_tcp_to_a_port_that_nobody_has_is_reset(wire, flags, data, wanted):
    p = answered(wire, wire.frame(TCP(sport=4000, dport=81, flags=flags, seq=1000, ack=7777, options=[("MSS", 1000)]) / data))
    tcp = p[TCP]
    assert (tcp.sport, tcp.dport, str(tcp.flags), tcp.seq, tcp.ack, tcp.dataofs) == (81, 4000, *wanted, 5)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 1183, 1184, 1185, 1452])
def test_a_datagram_to_a_port_that_nobody_has_is_told_so(wire, size):
    question = bytes(wire.frame(UDP(sport=4000, dport=99) / os.urandom(size)))
    p = answered(wire, question)
    assert (p[ICMPv6DestUnreach].type, p[ICMPv6DestUnreach].code) == (1, 4)
    assert bytes(p)[62:] == question[14:][:1232] and p[IPv6].plen <= 1240


def test_a_protocol_that_nobody_speaks_is_told_so(wire):
    question = bytes(wire.frame(Raw(b"what is this"), nh=47))
    p = answered(wire, question)
    assert (p[ICMPv6ParamProblem].type, p[ICMPv6ParamProblem].code, p[ICMPv6ParamProblem].ptr) == (4, 1, 6)
    assert bytes(p)[62:] == question[14:]


def test_what_may_not_be_answered_is_not(wire):
    """Errors beget no errors, and nothing goes to groups, to nobody, or to ourselves."""
    udp, tcp, ping = UDP(sport=4000, dport=99) / b"x", TCP(sport=4000, dport=81, flags="S"), ICMPv6EchoRequest(data=b"x")
    bad = [wire.frame(TCP(sport=4000, dport=81, flags="R")), wire.frame(ICMPv6DestUnreach(code=4) / bytes(60)), wire.frame(Raw(b""), nh=59)]
    for l4 in (udp, tcp, ping):
        bad += [wire.frame(l4, src=src) for src in ("::", "::1", "ff02::1", wire.own)]
        bad += [wire.frame(l4, mac="03:00:00:00:00:01"), wire.frame(l4, to="33:33:00:00:00:01"), wire.frame(l4, dst="2001:db8:1:2::1"),
                wire.frame(l4, plen=900)]
    bad += [wire.frame(UDP(sport=4000, dport=99, chksum=c) / b"x") for c in (0, 0x1234)]
    bad += [wire.frame(UDP(sport=4000, dport=99, len=n) / b"x") for n in (7, 8, 10)]
    bad += [wire.frame(TCP(sport=4000, dport=81, flags="S", chksum=0x1234)), wire.frame(TCP(sport=4000, dport=81, dataofs=4)),
            wire.frame(TCP(sport=4000, dport=81, dataofs=6))]
    wire.silent(*bad)


class Stream:
    """A connection to tcpecho, or another port, made by hand."""

    def __init__(self, w, port, to=8, **ip):
        self.w, self.port, self.to, self.ip, self.seq, self.ack = w, port, to, ip, 1000, 0

    def send(self, flags, data=b"", **tcp):
        segment = TCP(**{"sport": self.port, "dport": self.to, "flags": flags, "seq": self.seq, "ack": self.ack, "window": 5000, **tcp})
        self.w.nic.send(bytes(self.w.frame(segment / data if data else segment, **self.ip)))
        self.seq += len(data) + ("S" in flags) + ("F" in flags)

    def take(self, judge, seconds=20):
        """The first segment that judge likes, sums looked at."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.w.nic.receive(0.5)
            if got is None or self.w.answer(got):
                continue
            p = Ether(got)
            if p.haslayer(TCP) and p.haslayer(IPv6) and p[TCP].dport == self.port and judge(p[TCP]):
                again = Ether(got)
                del again[TCP].chksum
                assert bytes(again) == got
                return p
        return None

    def open(self):
        self.send("S", options=[("MSS", 1440)])
        p = self.take(lambda t: t.flags == "SA")
        assert p[TCP].ack == self.seq
        self.ack = p[TCP].seq + 1
        self.send("A")
        return p

    def echo(self, data):
        self.send("PA", data)
        got = b""
        while len(got) < len(data):
            p = self.take(lambda t: len(bytes(t.payload)) and t.seq == self.ack)
            part = bytes(p[TCP].payload)
            got, self.ack = got + part, self.ack + len(part)
            self.send("A")
        return got


def test_tcp_over_ipv6(wire):
    for port, ip in enumerate(({}, {"src": FAR}, {"src": ROUTER, "dst": wire.link}), 5000):
        s = Stream(wire, port, **ip)
        p = s.open()
        assert (p[IPv6].src, p[IPv6].dst) == (ip.get("dst", wire.own), ip.get("src", HOST))
        assert dict(p[TCP].options)["MSS"] == 1440  # of a packet of 1,500 bytes
        for size in (1, 100, 1440):
            data = os.urandom(size)
            assert s.echo(data) == data
        s.send("FA")
        p = s.take(lambda t: "F" in t.flags)
        s.ack = p[TCP].seq + 1
        assert p[TCP].ack == s.seq
        s.send("A")


def disguised(w, to):
    """A segment in IPv4, from and to whatever it says, in a frame whose type, and all that the port's filter looks at, is IPv6's."""
    packet = bytearray(bytes(IP(src="10.0.2.2", dst="127.0.0.1", ihl=15, proto=17, len=80, options=[IPOption_NOP()] * 40)))
    packet[6] = 6  # IPv6's next header
    packet[24:40] = socket.inet_pton(socket.AF_INET6, w.own)
    packet[40:44] = struct.pack(">HH", 4100, to)
    packet[10:12] = bytes(2)
    packet[10:12] = struct.pack(">H", checksum(bytes(packet)))
    segment = bytes(IP(src="10.0.2.2", dst="127.0.0.1") / TCP(sport=4100, dport=to, flags="S"))[20:]
    return Ether(src=HOST_MAC, dst=w.nic.mac, type=0x86dd) / Raw(bytes(packet) + segment)


def test_a_segment_in_the_other_familys_disguise_is_not_seen(wire):
    """The filter has looked at other addresses, and another port, than IPv4 would."""
    s = Stream(wire, 5300)
    wire.nic.send(bytes(disguised(wire, 8)))
    s.send("S")
    while not (got := Ether(wire.nic.receive(20))).haslayer(TCP):
        assert wire.answer(bytes(got)), got.summary()
    assert got.haslayer(IPv6) and got[TCP].dport == 5300 and got[TCP].flags == "SA"
    s.send("R")


@pytest.mark.parametrize("way", ["global", "by the router", "link-local"])
def test_netd_says_goodbye_for_a_program_that_has_ended(wire, way):
    ip = {"global": {}, "by the router": {"src": FAR}, "link-local": {"src": ROUTER, "dst": wire.link}}[way]
    port = 30 + len(way)
    says = lines(wire.m, "streams", "once", str(port))
    says(f"streams: one at port {port}")
    s = Stream(wire, 5100, to=port, **ip)
    s.open()
    s.send("PA", b"c")
    says("(environment {env}) has ended")
    first = s.take(lambda t: "F" in t.flags)
    again = s.take(lambda t: "F" in t.flags)  # netd's
    assert first[TCP].seq == again[TCP].seq and (again[IPv6].src, again[IPv6].dst) == (first[IPv6].src, first[IPv6].dst)
    s.ack = again[TCP].seq + 1
    for _ in range(2):
        s.send("FA")
        assert s.take(lambda t: t.ack == s.seq)[TCP].flags == "A"
        s.seq -= 1
    s.send("FA", dport=port + 1)
    assert s.take(lambda t: True)[TCP].flags == "R"


@pytest.mark.parametrize("way", ["global", "link-local"])
def test_a_child_goes_on_with_a_connection(wire, way):
    ip, port = {"global": ({}, 60), "link-local": ({"src": ROUTER, "dst": wire.link}, 61)}[way]
    says = lines(wire.m, "streams", "once", str(port))
    says(f"streams: one at port {port}")
    s = Stream(wire, 5200, to=port, **ip)
    s.open()
    s.send("PA", b"f")
    assert bytes(s.take(lambda t: len(bytes(t.payload)))[TCP].payload) == b"!"
    s.ack += 1
    s.send("A")
    for piece in (b"to", b" your child", os.urandom(100)):
        assert s.echo(piece) == piece
    s.send("FA")
    assert s.take(lambda t: "F" in t.flags)[TCP].flags == "FA"
    says("(environment {env}) has ended")


def test_segments_that_are_not_whole_are_not_seen(wire):
    s = Stream(wire, 5010)
    s.open()
    for spoil in ({"chksum": 0x1234}, {"dataofs": 4}, {"dataofs": 15}):
        s.send("PA", b"spoiled", **spoil)
        s.seq -= 7
    s.ip = {"plen": 900}
    s.send("PA", b"spoiled")
    s.seq, s.ip = s.seq - 7, {}
    assert s.echo(b"in order") == b"in order"
    s.send("R")


def test_openings_in_our_own_name_are_not_answered(wire):
    wire.silent(*[wire.frame(TCP(sport=5020, dport=8, flags="S", seq=1), src=src) for src in ("::", "::1", "ff02::1", wire.own, "::ffff:1.2.3.4")],
                wire.frame(TCP(sport=5020, dport=8, flags="S", seq=1), dst="2001:db8:9:9:" + eui64(wire.nic.mac)))


def test_an_address_that_somebody_has_is_not_used(machine):
    """Both ways of objecting in the first second (RFC 4862, 5.4.3): to the link-local address by who asks for it, too."""
    m = machine()
    nic = m.nics[0]
    w = Wire.__new__(Wire)
    nic.discovery = True
    w.m, w.nic, w.link, w.own = m, nic, "fe80::" + eui64(nic.mac), "2001:db8:1:2:" + eui64(nic.mac)
    m.up()
    nic.send(bytes(w.advertisement()))
    assert w.first(lambda p: p.haslayer(ICMPv6ND_NS) and p[ICMPv6ND_NS].tgt == w.own)
    nic.send(bytes(Ether(src=ENEMY_MAC, dst="33:33:00:00:00:01") / IPv6(src=w.own, dst="ff02::1", hlim=255) /
                   ICMPv6ND_NA(R=0, S=0, O=1, tgt=w.own) / ICMPv6NDOptDstLLAddr(lladdr=ENEMY_MAC)))
    end = time.monotonic() + 60
    while not w.first(lambda p: is_advertised(p, w.link), 0.3):  # the other one is its own by now
        nic.send(bytes(solicitation(w, w.own)))
        nic.send(bytes(solicitation(w, w.link)))
        assert time.monotonic() < end
    time.sleep(0.5)
    nic.drain()
    nic.send(bytes(solicitation(w, w.own)))
    nic.send(bytes(solicitation(w, w.link)))
    assert w.first(lambda p: p.haslayer(ICMPv6ND_NA))[ICMPv6ND_NA].tgt == w.link
