"""What netd answers by itself, in the kernel: pings, and whatever nobody takes. The frames are made by hand, and so are those that must
not get an answer."""
import os
import pathlib
import shutil
import tempfile
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from test_sockets import answer_arp


@pytest.fixture(scope="module")
def up():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    m = Machine(BUILD, folder=folder).up()
    end = time.monotonic() + 60
    while not ask(m, ping(m, b"is netd there"), 0.3):
        assert time.monotonic() < end, m.text
    m.nics[0].drain()
    yield m
    m.kill()
    shutil.rmtree(folder, ignore_errors=True)


def frame(m, payload, **ip):
    return Ether(src=HOST_MAC, dst=m.nics[0].mac) / IP(**{"src": HOST_IP, "dst": GUEST_IP, **ip}) / payload


def ping(m, payload, **ip):
    return frame(m, ICMP(type=8, id=77, seq=3) / Raw(payload), **ip)


def ask(m, question, seconds=10):
    """The first answer to a frame, of IPv4, with its sums looked at; or None."""
    m.nics[0].send(bytes(question))
    got = m.nics[0].find(lambda f: Ether(f).haslayer(IP), seconds)
    return got and judged(m, Ether(got))


def judged(m, packet):
    """It, after what each answer has to be."""
    assert (packet.src, packet.dst) == (m.nics[0].mac, HOST_MAC)
    ip = packet[IP]
    assert (ip.src, ip.ihl, ip.frag, int(ip.flags) & 1) == (GUEST_IP, 5, 0, 0)
    assert len(bytes(packet)) == max(14 + ip.len, len(bytes(packet)))
    again = Ether(bytes(packet))  # the sums that scapy would have made
    for layer, field in ((IP, "chksum"), (ICMP, "chksum"), (TCP, "chksum")):
        if again.haslayer(layer):
            was = getattr(packet[layer], field)
            delattr(again[layer], field)
            assert getattr(Ether(bytes(again))[layer], field) == was
            setattr(again[layer], field, was)
    return packet


def silent(m, *questions):
    """None of them gets an answer: the next is that to a ping behind them."""
    for question in questions:
        m.nics[0].send(bytes(question))
    token = os.urandom(12)
    answer = ask(m, ping(m, token))
    assert answer, m.text[-2000:]
    assert answer.haslayer(ICMP) and answer[ICMP].type == 0 and bytes(answer[ICMP].payload) == token, answer.summary()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 56, 511, 1472])
def test_pings_of_all_sizes_come_back(up, size):
    payload = os.urandom(size)
    answer = ask(up, ping(up, payload))
    icmp = answer[ICMP]
    assert (answer[IP].dst, icmp.type, icmp.code, icmp.id, icmp.seq) == (HOST_IP, 0, 0, 77, 3)
    assert bytes(icmp.payload)[:size] == payload and answer[IP].len == 28 + size


def test_a_short_ping_comes_back_without_what_filled_up_its_frame(up):
    answer = ask(up, bytes(ping(up, b"ab")) + b"\x55" * 16)
    assert answer[IP].len == 30 and len(bytes(answer)) == 44


@pytest.mark.parametrize("flags, data, wanted", [
    ("S", b"", ("RA", 0, 1001)), ("S", b"data", ("RA", 0, 1005)), ("F", b"abc", ("RA", 0, 1004)), ("", b"abcde", ("RA", 0, 1005)),
    ("A", b"", ("R", 7777, 0)), ("PA", b"more", ("R", 7777, 0)), ("FA", b"", ("R", 7777, 0)), ("SA", b"", ("R", 7777, 0)),
    ("PA", b"x" * 1460, ("R", 7777, 0)), ("PA", b"y" * 509, ("R", 7777, 0))])
def test_a_segment_for_nobody_gets_a_reset(up, flags, data, wanted):
    answer = ask(up, frame(up, TCP(sport=4000, dport=81, flags=flags, seq=1000, ack=7777, window=100) / Raw(data)))
    tcp = answer[TCP]
    assert (str(tcp.flags), tcp.seq, tcp.ack) == wanted
    assert (answer[IP].dst, tcp.sport, tcp.dport, tcp.window, tcp.dataofs, answer[IP].len) == (HOST_IP, 81, 4000, 0, 5, 40)


def test_options_of_tcp_count_to_its_header(up):
    answer = ask(up, frame(up, TCP(sport=4000, dport=81, flags="S", seq=0xffffffff, options=[("MSS", 1460), ("WScale", 7)])))
    assert (answer[TCP].ack, str(answer[TCP].flags)) == (0, "RA")


@pytest.mark.parametrize("size", [0, 1, 3, 8, 600, 1472])
def test_a_datagram_for_nobody_is_told_that_its_port_is_unreachable(up, size):
    question = frame(up, UDP(sport=4000, dport=99) / Raw(os.urandom(size)), id=0x4711)
    answer = ask(up, question)
    assert (answer[IP].dst, answer[ICMP].type, answer[ICMP].code) == (HOST_IP, 3, 3)
    assert bytes(answer[ICMP])[8:] == bytes(question)[14:42]


def test_a_datagram_without_a_sum_is_as_good(up):
    assert ask(up, frame(up, UDP(sport=4000, dport=99, chksum=0) / b"odd"))[ICMP].code == 3


def test_a_protocol_that_nobody_speaks_is_unreachable(up):
    question = frame(up, Raw(b"sctp or so, it doesn't matter"), proto=132)
    answer = ask(up, question)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 2) and bytes(answer[ICMP])[8:] == bytes(question)[14:42]


def test_ports_that_somebody_has_are_left_to_them(up):
    up.control.start("udpecho")
    up.wait_line("udpecho: port 7")
    deadline = time.monotonic() + 20
    while True:  # it has to find its neighbour first
        answer = ask(up, frame(up, UDP(sport=4000, dport=7) / b"mine"), 1)
        if answer and answer.haslayer(UDP) and not answer.haslayer(ICMP):
            break
        assert time.monotonic() < deadline and not (answer and answer.haslayer(ICMP)), answer.summary()
        question = up.nics[0].receive(0.2)
        if question:
            answer_arp(up.nics[0], question)
    up.nics[0].send(bytes(frame(up, UDP(sport=4000, dport=7) / b"the last")))
    assert up.nics[0].find(lambda f: b"the last" in f)


def wrong(question, **fields):
    """The same with fields of IPv4 that it was not sent with."""
    packet = Ether(bytes(question))
    for name, value in fields.items():
        setattr(packet[IP], name, value)
    return packet


def test_errors_get_no_errors_and_groups_no_answers(up):
    mac = up.nics[0].mac
    udp, syn = UDP(sport=4000, dport=99) / b"x", TCP(sport=4000, dport=81, flags="S")
    everywhere = ping(up, b"all")
    everywhere.dst = "ff:ff:ff:ff:ff:ff"
    from_group = ping(up, b"all")
    from_group.src = "03:00:00:00:00:01"
    silent(up, frame(up, ICMP(type=3, code=3) / bytes(IP(src=GUEST_IP, dst=HOST_IP) / udp)), frame(up, ICMP(type=0)), frame(up, ICMP(type=13)),
           frame(up, TCP(sport=4000, dport=81, flags="R")), frame(up, TCP(sport=4000, dport=81, flags="RA")),
           frame(up, Raw(b"igmp...."), proto=2), everywhere, from_group,
           *(frame(up, layer, src=source) for layer in (udp, syn, ICMP(type=8))
             for source in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.2.255", GUEST_IP)),
           *(frame(up, udp, dst=target) for target in ("10.0.2.255", "10.0.2.16", "224.0.0.1", "255.255.255.255")),
           Ether(src=HOST_MAC, dst=mac, type=0x86dd) / bytes(frame(up, udp))[14:])


def test_who_says_that_he_is_at_a_groups_hardware_address_is_not_told_where_we_are(up):
    nic = up.nics[0]
    for mac in ("ff:ff:ff:ff:ff:ff", "03:00:00:00:00:01", HOST_MAC):
        nic.send(bytes(Ether(src=HOST_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=mac, psrc=HOST_IP, pdst=GUEST_IP)))
    answer = Ether(nic.find(lambda f: Ether(f).haslayer(ARP) and Ether(f)[ARP].op == 2, 20))
    assert (answer.dst, answer[ARP].hwdst, answer[ARP].hwsrc) == (HOST_MAC, HOST_MAC, nic.mac)


def test_what_is_broken_gets_no_answer(up):
    layers = [UDP(sport=4000, dport=99) / b"odd", TCP(sport=4000, dport=81, flags="S") / b"odd", ICMP(type=8) / b"odd"]
    bad = []
    for layer in layers:
        good = frame(up, layer)
        bad += [wrong(good, chksum=0x1234), wrong(good, ihl=6), wrong(good, ihl=4), wrong(good, version=5)]
        bad += [frame(up, layer, flags="MF"), frame(up, layer, frag=3), frame(up, layer, len=19), frame(up, layer, len=400)]
        bad += [frame(up, layer, options=[IPOption(b"\x94\x04\x00\x00")])]
        bad += [bytes(good)[:size] for size in range(14, 41)]
    bad += [frame(up, UDP(sport=4000, dport=99, chksum=0x1234) / b"odd"), frame(up, UDP(sport=4000, dport=99, len=7) / b"odd"),
            frame(up, UDP(sport=4000, dport=99, len=12) / b"odd"), frame(up, TCP(sport=4000, dport=81, flags="S", chksum=1)),
            frame(up, TCP(sport=4000, dport=81, flags="S", dataofs=4)), frame(up, TCP(sport=4000, dport=81, flags="S", dataofs=6))]
    bad += list(fragment(frame(up, UDP(sport=4000, dport=99) / os.urandom(3000)), 1000))
    silent(up, *bad)


def test_a_ping_with_a_wrong_sum_comes_back_wrong(up):
    up.nics[0].send(bytes(frame(up, ICMP(type=8, chksum=0x1234) / b"wrong")))
    answer = Ether(up.nics[0].find(lambda f: Ether(f).haslayer(ICMP)))
    assert answer[ICMP].chksum == 0x1a34


def test_a_flood_gets_no_more_answers_than_a_second_has(up):
    nic, began = up.nics[0], time.monotonic()
    flood = bytes(frame(up, UDP(sport=4000, dport=99, chksum=0) / b"x"))
    for _ in range(700):
        nic.send(flood)
    answers = 0
    while nic.receive(0.5) is not None:
        answers += 1
    seconds = time.monotonic() - began
    assert 0 < answers <= 200 * (seconds + 2), (answers, seconds)
    assert ask(up, ping(up, b"and still here"))
