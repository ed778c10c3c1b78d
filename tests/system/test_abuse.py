"""What a stranger on the wire may try against sockets: other bytes for the same place, places outside of the window, windows of a byte,
options that make no sense, resets and openings out of turn, sources that can't be, and lies about neighbours. The frames are made by
hand. See test_tcp.py, test_told.py and test_answers.py for more, and test_mixed.py for all of it at once."""
import itertools
import pathlib
import random
import shutil
import tempfile
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import images
from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from segments import Peer, pieces, said
from test_sockets import alive, answer_arp
from test_told import lines, seen

ENEMY_MAC = "02:66:66:66:66:66"


@pytest.fixture(scope="module")
def wire():
    """A machine with an echo of TCP and UDP on port 7."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    m = Machine(BUILD, folder=folder, initrd=BUILD / "guest/sockets-initrd.cpio").up()
    m.control.start("tcpecho")
    m.control.start("udpecho")
    m.wait_line("tcpecho: port 7")
    m.wait_line("udpecho: port 7")
    yield m
    m.kill()
    shutil.rmtree(folder, ignore_errors=True)


def known(m):
    """Until nobody is asked for the host's hardware address any more."""
    Peer(m).open().segment("R")
    while not alive(m):
        pass
    m.nics[0].drain()


def echoed(peer, count):
    """The first so many bytes that come back; acknowledges them."""
    end = time.monotonic() + 20
    while len(peer.stream()) < count:
        assert time.monotonic() < end, (len(peer.stream()), count)
        if peer.take(0.3):
            peer.next = (peer.first + len(peer.stream())) & 0xffffffff
            peer.segment("A")
    return peer.stream()


# Segments

EDGES = range(20, 81, 10)
OVERLAPS = [(a, b) for a in [(40, 60)] for b in itertools.combinations(EDGES, 2)]


def test_overlaps_of_all_kinds_leave_each_byte_as_somebody_sent_it_and_never_change_it(wire):
    """In blocks of 100 bytes: A and B, which differ, in both orders, then F for all of it; then Z, which is too late."""
    peer = Peer(wire).open()
    for number, (first, second) in enumerate([pair for a, b in OVERLAPS for pair in ((("a", a), ("b", b)), (("b", b), ("a", a)))]):
        at, before = 100 * number, peer.stream()
        for letter, (begin, end) in (first, second):
            peer.segment("PA", at + begin, letter.encode() * (end - begin))
        peer.segment("PA", at, b"f" * 100)
        peer.segment("PA", at, b"z" * 100)
        peer.sent = at + 100
        block = echoed(peer, at + 100)[at:]
        assert peer.stream()[:at] == before and len(block) == 100
        for i, byte in enumerate(block.decode()):
            may = "f" + "".join(letter for letter, (begin, end) in (first, second) if begin <= i < end)
            assert byte in may, (first, second, i, block)


def test_what_is_beyond_the_window_is_not_kept(wire):
    peer, data = Peer(wire).open(), random.Random(5).randbytes(90000)
    window = 65535  # of who didn't agree on scaling
    for at in (window, window + 1, 70000, 88000, 1 << 20, 1 << 30, (1 << 31) - 10, (1 << 31) + 10):
        peer.segment("PA", at, b"x" * 1000)
    for at, piece in pieces(data, 1000):
        peer.segment("PA", at, piece)
        peer.sent = at + len(piece)
        if at % 20000 == 19000:
            assert echoed(peer, peer.sent) == data[:peer.sent]
    assert echoed(peer, len(data)) == data


def test_a_window_of_one_byte_is_kept_to(wire):
    peer, data = Peer(wire, window=1).open(), b"bytes"
    peer.segment("PA", 0, data)
    peer.sent = len(data)
    end = time.monotonic() + 30
    while len(peer.stream()) < len(data):
        assert time.monotonic() < end, peer.stream()
        segment = peer.take(0.3)
        if segment:
            assert len(bytes(segment.payload)) <= 1
            peer.next = peer.first + len(peer.stream())
            peer.segment("A")
    assert peer.stream() == data


def test_its_own_window_opens_by_a_segment_at_least(wire):
    """RFC 9293, 3.8.6.2.2: who takes its answers a little at a time isn't offered room a little at a time."""
    peer, data = Peer(wire, window=0).open(), bytes(300000)  # more than both its buffers hold
    edge, moves = None, 0

    def look(segment):
        nonlocal edge, moves
        if segment is None:
            return
        now = segment.ack + segment.window - peer.isn - 1
        assert segment.flags.A and not segment.flags.R and (edge is None or now == edge or now - edge >= 1460), (edge, now, segment)
        moves += edge is not None and now > edge
        edge = now
        if segment.seq == peer.next and peer.window:
            peer.next += len(bytes(segment.payload))
    while edge is None or (edge > peer.sent and peer.sent < len(data)):
        for _ in range(1 if edge is None else min((edge - peer.sent + 1459) // 1460, 10)):
            room = 1460 if edge is None else min(edge - peer.sent, 1460)
            peer.segment("PA", peer.sent, data[:room])
            peer.sent += room
        look(peer.take(2))
        while (more := peer.take(0.02)) is not None:
            look(more)
    assert peer.sent < len(data), "its window never closes"
    peer.window, moves, end = 3000, 0, time.monotonic() + 30
    while moves < 5:
        assert time.monotonic() < end, (edge, moves)
        peer.segment("A")
        look(peer.take(0.5))
    peer.segment("R")


OPTIONS = [b"\x01\x01\x01\x02", b"\x02\0\0\0", b"\x02\x01\x05\xb4", b"\x02\x03\x05\x01", b"\x02\x05\x05\xb4", b"\x02\xff\x05\xb4", b"\x02\x04\0\0",
           b"\x02\x04\0\x01", b"\x02\x04\xff\xff", b"\x03\x03\xff\x00", b"\x03\x02\x01\x01", b"\x03\x04\x0e\x0e", b"\x04\x03\x01\x01",
           b"\x05\x0a" + b"\xff" * 10, b"\x05\x03" + b"\0" * 6, b"\x05\x22" + b"\xaa" * 34, b"\x08\x0a" + b"\xff" * 10, b"\x08\x02\x01\x01",
           b"\x08\x0a\x01\x01", b"\xff" * 40, b"\0" * 40, b"\x01" * 40, b"\xfe\x01" * 20, b"\x1d\x12" + b"\x55" * 18, b"\x22\x22" + b"\x99" * 38]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o[:8].hex())
def test_options_that_make_no_sense_harm_no_stream(wire, options):
    """In the opening, then in segments with data, which count or not, and in bare ones."""
    peer, offset = Peer(wire), 5 + len(options) // 4
    end = time.monotonic() + 20
    while peer.next is None:
        assert time.monotonic() < end
        peer.segment("S", -1, options, dataofs=offset)
        peer.take(1)
    peer.segment("A")
    peer.segment("PA", 0, options + b"first", dataofs=offset)
    peer.segment("A", 5, options, dataofs=offset)
    said(peer, b"first, second", [(0, b"first"), (5, b", second")])


def test_flags_that_do_not_go_together_harm_nobody(wire):
    other = Peer(wire).open()
    for flags in range(64):
        stray, peer = Peer(wire), Peer(wire).open()
        stray.segment(flags, 0, b"stray")
        if not flags & 0x17:  # no FIN, SYN, RST, ACK: never taken (RFC 9293, 3.10.7.4)
            peer.segment(flags, 0, b"stray")
            said(peer, b"own", [(0, b"own")])
        else:
            peer.segment(flags, 0, b"stray")
        peer.segment("R")
        stray.segment("R", 5)
        wire.nics[0].drain()
    said(other, b"not I", [(0, b"not I")])


# Connections out of turn

def test_an_opening_in_the_middle_of_a_connection_is_challenged_and_one_after_a_reset_is_taken(wire):
    """A peer that has lost its memory (RFC 9293, 3.5.1, and RFC 5961): half of the connection is open."""
    peer = Peer(wire).open()
    said(peer, b"before", [(0, b"before")])
    again = Peer(wire)
    again.port, again.isn = peer.port, 0x71000000
    again.next = 0
    again.segment("S", -1)
    answer = again.take(10)
    assert answer is not None and str(answer.flags) == "A" and answer.ack == peer.isn + 1 + peer.sent, answer
    peer.segment("R")
    again.next = None
    said(again.open(), b"after", [(0, b"after")])


def connecting(wire, port):
    """A program that connects: (what it will say, its opening segment)."""
    says = lines(wire, "told", "connect", HOST_IP, str(port))
    return says, seen(wire, lambda p: p.haslayer(TCP) and p[TCP].dport == port and p[TCP].flags == "S")


def reply(wire, opening, flags, **fields):
    tcp = opening[TCP]
    wire.nics[0].send(bytes(Ether(src=HOST_MAC, dst=wire.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                            TCP(**{"sport": tcp.dport, "dport": tcp.sport, "flags": flags, "seq": 5000, "ack": tcp.seq + 1, "window": 1000, **fields})))


def test_who_connects_believes_only_answers_to_its_own_opening(wire):
    says, opening = connecting(wire, 4300)
    tcp = opening[TCP]
    for ack in (0, tcp.seq, tcp.seq + 2, tcp.seq - 100):
        reply(wire, opening, "R" if ack == 0 else "RA", ack=ack & 0xffffffff)
    reply(wire, opening, "SA", ack=(tcp.seq + 77) & 0xffffffff)
    refusal = seen(wire, lambda p: p.haslayer(TCP) and p[TCP].dport == 4300 and p[TCP].flags.R)
    assert refusal[TCP].seq == (tcp.seq + 77) & 0xffffffff
    again = seen(wire, lambda p: p.haslayer(TCP) and p[TCP].dport == 4300 and p[TCP].flags == "S")  # it goes on
    assert again[TCP].seq == tcp.seq
    reply(wire, opening, "RA", seq=0)
    says("told: connect: Connection refused")


def test_who_connects_is_connected_by_the_right_answer_behind_wrong_ones(wire):
    says, opening = connecting(wire, 4301)
    reply(wire, opening, "RA", ack=opening[TCP].seq)
    reply(wire, opening, "SA", ack=opening[TCP].seq)
    reply(wire, opening, "SA")
    says("told: connected")


# Sources

NOBODIES = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", GUEST_IP]


@pytest.mark.parametrize("source", NOBODIES)
def test_nobody_is_answered_who_can_not_have_sent_it(wire, source):
    """(GUEST_IP with one port for both ends is the land attack.)"""
    known(wire)
    nic, token = wire.nics[0], random.randbytes(16)
    for layer in (TCP(sport=7, dport=7, flags="S", seq=1), TCP(sport=4000, dport=7, flags="S", seq=1), TCP(sport=4000, dport=7, flags="A"),
                  TCP(sport=4000, dport=80, flags="S"), UDP(sport=7, dport=7) / b"to yourself", UDP(sport=4000, dport=7) / b"to nobody",
                  UDP(sport=4000, dport=9) / b"closed", ICMP() / b"ping"):
        nic.send(bytes(Ether(src=ENEMY_MAC, dst=nic.mac) / IP(src=source, dst=GUEST_IP) / layer))
    nic.send(images.datagram(nic.mac, token))
    while not images.is_answer(token)(frame := nic.find(lambda f: True, 20)):
        fields = Ether(frame).payload.fields
        assert source not in (fields.get("dst"), fields.get("pdst")), Ether(frame).summary()
        answer_arp(nic, frame)


def test_openings_in_others_names_cost_no_connection_of_theirs(wire):
    """Blind: who spoofs doesn't see the sequence number, and can't guess it from those that he gets himself."""
    known(wire)
    numbers = []
    for _ in range(20):
        peer = Peer(wire).open()
        numbers.append(peer.first)
        peer.segment("R")
    steps = {(b - a) & 0xffffffff for a, b in zip(numbers, numbers[1:])}
    assert len(steps) == 19 and max(steps) - min(steps) > 1 << 28, steps


def test_neighbours_that_are_not_there_keep_nobody_waiting(wire):
    """A datagram of each of 60 neighbours, none of whom answers ARP, and openings in their names; then the host's turn."""
    nic = wire.nics[0]
    known(wire)
    for number in range(60):
        source = f"10.0.2.{100 + number}"
        for layer in (UDP(sport=4000, dport=7) / b"who am I", TCP(sport=4000, dport=7, flags="S", seq=number)):
            nic.send(bytes(Ether(src=ENEMY_MAC, dst=nic.mac) / IP(src=source, dst=GUEST_IP) / layer))
    begin = time.monotonic()
    assert alive(wire)
    said(Peer(wire).open(), b"me", [(0, b"me")])
    assert time.monotonic() - begin < 20, "each of them was waited for"


def test_an_answer_to_a_neighbour_that_is_not_known_goes_where_the_question_came_from(wire):
    nic, payload = wire.nics[0], random.randbytes(20)
    known(wire)
    nic.send(bytes(Ether(src=ENEMY_MAC, dst=nic.mac) / IP(src="10.0.2.99", dst=GUEST_IP) / UDP(sport=4000, dport=7) / payload))
    two = [seen(wire, lambda p: p.haslayer(UDP) and bytes(p[UDP].payload)[:20] == payload or p.haslayer(ARP) and p[ARP].pdst == "10.0.2.99")
           for _ in range(2)]
    question, answer = sorted(two, key=lambda p: p.haslayer(UDP))  # he is asked for, too
    assert question.haslayer(ARP) and (answer.dst, answer[IP].dst) == (ENEMY_MAC, "10.0.2.99")


# Neighbours

def test_a_flood_of_lies_about_neighbours_moves_nobody(wire):
    known(wire)
    nic, peer = wire.nics[0], Peer(wire).open()
    for number in range(600):
        target = HOST_IP if number % 3 == 0 else f"10.0.2.{number % 254 + 1}"
        nic.send(bytes(Ether(src=ENEMY_MAC, dst=nic.mac if number % 2 else "ff:ff:ff:ff:ff:ff") /
                       ARP(op=1 + number % 2, hwsrc=ENEMY_MAC, psrc=target, hwdst=nic.mac, pdst=target if number % 5 == 0 else GUEST_IP)))
        if number % 100 == 0:
            peer.segment("PA", payload=b"still me")
            peer.sent += 8
            assert echoed(peer, peer.sent) == b"still me" * (peer.sent // 8)
    answer = peer.take(0.3)
    assert answer is None or str(answer.flags) == "A"
    other = Peer(wire).open()
    said(other, b"and I", [(0, b"and I")])
    assert alive(wire)


# Fragments

def test_beginnings_of_datagrams_from_everywhere_leave_room_for_a_whole_one(wire):
    nic, payload = wire.nics[0], random.Random(4).randbytes(1200)
    known(wire)

    def parts(source, number, data):
        return fragment(Ether(src=HOST_MAC, dst=nic.mac) / IP(src=source, dst=GUEST_IP, id=number) / UDP(sport=4000, dport=7) / Raw(data), 800)
    for number in range(300):
        nic.send(bytes(parts(f"10.0.2.{number % 200 + 20}", number, b"never whole" * 100)[number % 2]))
        if number % 24 == 23:
            assert alive(wire)  # netd's queue has 64 places
    for part in parts(HOST_IP, 4711, payload):
        nic.send(bytes(part))
    assert seen(wire, lambda p: p.haslayer(UDP) and bytes(p[UDP].payload) == payload)


@pytest.mark.parametrize("offset, size, more", [(0, 8, 1), (1, 8, 0), (8189, 24, 0), (8189, 1480, 1), (8191, 8, 1), (0, 1, 1), (1, 3, 1), (2, 0, 0)])
def test_fragments_that_can_not_be_are_nobodys(wire, offset, size, more):
    """Ends beyond 65,535 bytes, ends of others' headers, none of eight bytes, and nothing at all; of each protocol."""
    nic = wire.nics[0]
    known(wire)
    for proto in (1, 6, 17, 132):
        for number in range(3):
            packet = IP(src=HOST_IP, dst=GUEST_IP, proto=proto, id=number, frag=offset, flags=more) / Raw(b"\x08\0\xf7\xff\0\x07\0\x07"[:size].ljust(size, b"x"))
            nic.send(bytes(Ether(src=HOST_MAC, dst=nic.mac) / packet))
    assert alive(wire)
