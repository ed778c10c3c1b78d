"""What netd tells programs of their ports: ICMP errors, and datagrams that came in fragments; and who answers for a program that has
ended."""
import pathlib
import random
import shutil
import tempfile
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from test_answers import ask, frame, ping, silent
from test_sockets import answer_arp

INITRD = BUILD / "guest/sockets-initrd.cpio"


@pytest.fixture(scope="module")
def up():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    m = Machine(BUILD, folder=folder, initrd=INITRD).up()
    end = time.monotonic() + 60
    while not ask(m, ping(m, b"is netd there"), 0.3):
        assert time.monotonic() < end, m.text
    m.nics[0].drain()
    yield m
    m.kill()
    shutil.rmtree(folder, ignore_errors=True)


def seen(m, accept, seconds=60):
    """The next frame of the guest's that is accepted; its questions for our address are answered."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = m.nics[0].receive(0.5)
        if got is not None and not answer_arp(m.nics[0], got) and accept(Ether(got)):
            return Ether(got)
    raise AssertionError(m.text[-3000:])


def error(m, packet, kind=3, code=3, source=HOST_IP, quoted=28, **icmp):
    """An ICMP error about what the guest has sent."""
    return Ether(src=HOST_MAC, dst=m.nics[0].mac) / IP(src=source, dst=GUEST_IP) / ICMP(type=kind, code=code, **icmp) / \
        Raw(bytes(packet[IP])[:quoted])


def lines(m, program, *arguments):
    """Starts it; returns a function that waits for what it says behind what it has said before."""
    at = len(m.text)
    env = m.control.start(program, *arguments)

    def says(text, seconds=60):
        nonlocal at
        end, text = time.monotonic() + seconds, text.format(env=env)
        while text not in m.text[at:]:
            assert time.monotonic() < end, m.text[-3000:]
            time.sleep(0.02)
        at = m.text.index(text, at)
        return True
    return says


def test_an_unreachable_port_refuses_a_connected_sockets_datagrams(up):
    says = lines(up, "told", "refused", HOST_IP, "4242")
    for said in ("told: recv: Connection refused", "told: SO_ERROR: Connection refused", "told: send: Connection refused"):
        sent = seen(up, lambda p: p.haslayer(UDP) and p[UDP].dport == 4242)
        up.nics[0].send(bytes(error(up, sent)))
        says(said)
    assert "told: ready 1, events in error" in up.text


def test_errors_that_lie_change_nothing(up):
    says = lines(up, "told", "refused", HOST_IP, "4243")
    sent = seen(up, lambda p: p.haslayer(UDP) and p[UDP].dport == 4243)
    wrong_sum = error(up, sent)
    wrong_sum[ICMP].chksum = 1
    other = sent.copy()
    other[IP].dst = "10.0.2.77"
    port, mine = sent.copy(), sent.copy()
    port[UDP].dport = 4244
    mine[IP].src = "10.0.2.16"
    late = sent.copy()
    late[IP].frag = 3
    for lie in (wrong_sum, error(up, other), error(up, port), error(up, mine), error(up, late), error(up, sent, quoted=27),
                error(up, sent, kind=5, code=1), error(up, sent, kind=4, code=0)):
        up.nics[0].send(bytes(lie))
    silent(up)
    up.nics[0].send(bytes(error(up, sent, kind=3, code=1, source="10.0.2.9")))  # a router's word
    says("told: recv: Host is unreachable")  # the first that it is told
    for _ in range(2):
        up.nics[0].send(bytes(error(up, seen(up, lambda p: p.haslayer(UDP) and p[UDP].dport == 4243))))
    says("told: send: ")


def test_a_connection_that_can_not_be_made_is_told_why(up):
    says = lines(up, "told", "connect", HOST_IP, "4245")
    sent = seen(up, lambda p: p.haslayer(TCP) and p[TCP].dport == 4245)
    stale = sent.copy()
    stale[TCP].seq = (stale[TCP].seq + 1) & 0xffffffff
    up.nics[0].send(bytes(error(up, stale)))
    again = seen(up, lambda p: p.haslayer(TCP) and p[TCP].dport == 4245)  # it goes on
    assert again[TCP].seq == sent[TCP].seq
    up.nics[0].send(bytes(error(up, sent, code=13)))
    says("told: connect: Host is unreachable")


@pytest.mark.parametrize("address", [GUEST_IP, "127.0.0.1"])
def test_an_own_port_that_nobody_has_refuses(up, address):
    says = lines(up, "told", "refused", address, "4246")
    says("told: send: Connection refused")


def test_nobody_outside_is_believed_about_what_has_not_left_the_machine(up):
    says = lines(up, "told", "inside", GUEST_IP, HOST_IP, "4248")
    sent = seen(up, lambda p: p.haslayer(UDP) and p[UDP].dport == 4248)
    up.nics[0].send(bytes(error(up, Ether() / IP(src=GUEST_IP, dst=GUEST_IP) / UDP(sport=4249, dport=4248))))
    up.nics[0].send(bytes(error(up, sent)))
    says("told: outside Connection refused, inside Success")


def test_the_port_of_a_program_that_ended_without_a_word_is_answered_at_once(up):
    says = lines(up, "told", "die", "4247")
    says("told: listens")
    says("(environment {env}) has ended")
    answer = ask(up, frame(up, TCP(sport=4000, dport=4247, flags="S", seq=1000)))
    assert str(answer[TCP].flags) == "RA" and answer[TCP].ack == 1001


def summed(payload):
    total = 0
    for byte in payload:
        total = (total * 31 + byte) & 0xffffffff
    return b"%d %d" % (len(payload), total)


@pytest.fixture(scope="module")
def sizes(up):
    lines(up, "told", "sizes", "4250")("told: bound")
    return up


def pieces(m, payload, number, size=1400, **ip):
    whole = frame(m, UDP(sport=4000, dport=4250) / Raw(payload), id=number, **ip)
    return fragment(Ether(bytes(whole)), size)


def answered(m, payload):
    seen(m, lambda p: p.haslayer(UDP) and p[UDP].sport == 4250 and bytes(p[UDP].payload) == summed(payload))


@pytest.mark.parametrize("size, cut, order", [(1000, 504, "as sent"), (5000, 1400, "as sent"), (5000, 1480, "reversed"), (3000, 8, "mixed"),
                                              (20000, 1400, "mixed"), (44000, 1480, "reversed"), (1473, 1480, "twice")])
def test_fragments_come_as_the_datagram_that_they_were(sizes, size, cut, order):
    chance = random.Random(size)
    payload = chance.randbytes(size)
    parts = pieces(sizes, payload, size, cut)
    if order == "reversed":
        parts.reverse()
    elif order == "mixed":
        chance.shuffle(parts)
    elif order == "twice":
        parts = [parts[0]] * 2 + [parts[1]]
    for number, part in enumerate(parts):
        sizes.nics[0].send(bytes(part))
        if number % 24 == 23:
            silent(sizes)  # netd's queue has 64 places
    answered(sizes, payload)


@pytest.mark.parametrize("size", [1000, 5000])
def test_fragments_of_a_neighbour_that_is_not_known_are_answered_where_they_came_from(sizes, size):
    payload, mac = random.Random(size + 1).randbytes(size), "02:00:00:00:00:77"
    for part in pieces(sizes, payload, size, 504, src="10.0.2.77"):
        part[Ether].src = mac
        sizes.nics[0].send(bytes(part))
    answer = seen(sizes, lambda p: p.haslayer(UDP) and p[IP].dst == "10.0.2.77")
    assert answer.dst == mac and bytes(answer[UDP].payload) == summed(payload)


@pytest.mark.parametrize("size", [200, 1473, 5000, 20000])
def test_a_ping_in_fragments_is_answered_in_fragments(sizes, size):
    payload, got = random.Random(size).randbytes(size), {}
    for number, part in enumerate(fragment(ping(sizes, payload, id=size & 0xffff), 1480 if size > 1480 else 104)):
        sizes.nics[0].send(bytes(part))
        if number % 24 == 23:
            silent(sizes)
    total = size + 8
    while sum(map(len, got.values())) < total:
        ip = seen(sizes, lambda p: p.haslayer(IP) and (p[IP].frag or p[IP].flags.MF or p[IP].len == total + 20) and p.dst == HOST_MAC)[IP]
        assert (ip.src, ip.dst, ip.proto) == (GUEST_IP, HOST_IP, 1) and Ether(bytes(Ether() / ip))[IP].chksum == ip.chksum
        got[ip.frag * 8] = bytes(ip.payload)[:ip.len - 20]
    whole = IP(src=GUEST_IP, dst=HOST_IP, proto=1) / Raw(b"".join(got[at] for at in sorted(got)))
    icmp = ICMP(bytes(whole)[20:])
    was = icmp.chksum
    del icmp.chksum
    assert (icmp.type, icmp.id, icmp.seq, bytes(icmp.payload)) == (0, 77, 3, payload) and ICMP(bytes(icmp)).chksum == was


def test_overlapping_fragments_are_nobodys(sizes):
    payload = bytes(range(256)) * 12
    first, second, third = pieces(sizes, payload, 99, 1400)
    overlap = second.copy()
    overlap[IP].frag -= 1
    del overlap[IP].chksum
    for part in (first, overlap, second, third):
        sizes.nics[0].send(bytes(part))
    first, second, third = pieces(sizes, payload, 100, 1400)
    end = third.copy()
    end[IP].frag += 1  # two ends
    del end[IP].chksum
    for part in (first, third, end, second):
        sizes.nics[0].send(bytes(part))
    first, second, third = pieces(sizes, payload, 101, 1400)
    first[Raw].load = first[Raw].load[:-1] + b"?"
    for part in (third, second, first):  # UDP's sum is wrong
        sizes.nics[0].send(bytes(part))
    good = pieces(sizes, b"good" * 600, 102)
    for part in good:
        sizes.nics[0].send(bytes(part))
    answer = seen(sizes, lambda p: p.haslayer(UDP) and p[UDP].sport == 4250)
    assert bytes(answer[UDP].payload) == summed(b"good" * 600)
