"""TCP of ExOS (lwIP on its rings, in tcpecho) against real peers: the host's own through user networking, and segments by hand."""
import os
import pathlib
import random
import shutil
import socket
import struct
import tempfile
import threading
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from segments import Peer, pieces, said
from test_sockets import answer_arp

INITRD = BUILD / "guest/sockets-initrd.cpio"


def boot(**options):
    """A machine with tcpecho on port 7, and one that says goodbye at once on port 9."""
    m = Machine(BUILD, initrd=INITRD, **options).up()
    m.control.start("tcpecho")
    m.control.start("streams", "bye", "9")
    m.wait_line("tcpecho: port 7")
    m.wait_line("streams: says bye")
    return m


@pytest.fixture(scope="module")
def box():
    """A folder with a path short enough for UNIX sockets."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def up(box):
    """A machine behind user networking, and the host's TCP port that leads to its port 7. All tests share it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    m = boot(folder=box, nics=0, extra=["-netdev", f"user,id=u0,hostfwd=tcp:127.0.0.1:{port}-:7", "-device",
                                        "virtio-net-device,netdev=u0"])
    m.port = port
    yield m
    m.kill()


def connect(m):
    """A connection that has begun: user networking takes one after the other, and drops who comes meanwhile for a second."""
    s = socket.create_connection(("127.0.0.1", m.port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(b"?")
    assert s.recv(1) == b"?"
    return s


def receive(s, count):
    data = b""
    while len(data) < count:
        piece = s.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def exchange(s, data):
    """Sends and receives at once: more than all buffers on the way hold goes through."""
    sender = threading.Thread(target=s.sendall, args=(data,))
    sender.start()
    got = receive(s, len(data))
    sender.join()
    return got


def test_bytes_come_back_in_order(up):
    with connect(up) as s:
        for size in (1, 2, 100, 1460, 1461, 5000, 100000):
            data = os.urandom(size)
            assert exchange(s, data) == data, size


def test_a_large_transfer_comes_back_whole(up):
    data = random.Random(1).randbytes(3 << 20)
    with connect(up) as s:
        assert exchange(s, data) == data


def test_the_end_of_one_way_is_not_the_end_of_the_other(up):
    data = os.urandom(200000)
    with connect(up) as s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        assert receive(s, len(data) + 1) == data
        sender.join()


def test_many_connections_are_told_apart(up):
    sockets = [connect(up) for _ in range(40)]
    for turn in range(3):
        for number, s in enumerate(sockets):
            s.sendall(b"%d of %d" % (turn, number))
        for number, s in enumerate(sockets):
            wanted = b"%d of %d" % (turn, number)
            assert receive(s, len(wanted)) == wanted
    for s in sockets:
        s.close()


def test_a_thousand_connections_at_once(up):
    sockets = [connect(up) for _ in range(1000)]
    random.Random(1).shuffle(sockets)
    for number, s in enumerate(sockets[:100]):  # a ring has room for 128 frames
        s.sendall(b"%04d" % number)
    for number, s in enumerate(sockets[:100]):
        assert receive(s, 4) == b"%04d" % number
    for s in sockets:
        s.close()
    with connect(up) as s:
        assert exchange(s, b"and one more") == b"and one more"


def test_resets_leave_the_server_serving(up):
    for _ in range(20):
        s = connect(up)
        s.sendall(os.urandom(3000))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    with connect(up) as s:
        assert exchange(s, b"still there") == b"still there"


def test_a_peer_that_reads_nothing_holds_up_only_itself(up):
    with connect(up) as lazy, connect(up) as other:
        lazy.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(200):
                lazy.sendall(bytes(65536))
        assert exchange(other, b"not me") == b"not me"


# Segments by hand.

@pytest.fixture(scope="module")
def wire(box):
    """A machine on a wire of its own. All tests share it, so each end has a port that no other had."""
    m = boot(folder=box)
    yield m
    m.kill()


def test_segments_in_any_order_twice_and_overlapping_make_one_stream(wire):
    rng = random.Random(7)
    for number in range(4):
        data = rng.randbytes(6000)
        order = pieces(data, 500) + pieces(data, 700) + [(at, data[at:at + 900]) for at in range(13, 5000, 611)]
        rng.shuffle(order)
        said(Peer(wire).open(), data, order)


def test_wrong_sums_and_bad_offsets_are_not_taken(wire):
    peer, data = Peer(wire).open(), b"the truth"
    peer.segment("PA", 0, b"a lie 123", chksum=0x1234)
    peer.segment("PA", 0, b"a lie 123", dataofs=15)
    peer.segment("PA", 0, b"a lie 123", dataofs=2)
    said(peer, data, [(0, data)])


def test_options_of_all_lengths_and_none_that_make_sense(wire):
    for options in ([(2, b"\x05\xb4")], [(253, b"\0" * 36)], [(8, b"\0" * 8)], [(5, b"\0" * 30)], [(3, b"\xff")]):
        peer = Peer(wire)
        while peer.next is None:
            wire.nics[0].send(bytes(Ether(src=HOST_MAC, dst=wire.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                                    TCP(sport=peer.port, dport=7, flags="S", seq=peer.isn, window=60000, options=options)))
            peer.take(1)
        peer.segment("A")
        said(peer, b"heard", [(0, b"heard")])


def test_a_reset_outside_of_the_window_ends_nothing(wire):
    peer = Peer(wire).open()
    said(peer, b"one", [(0, b"one")])
    peer.segment("R", 1 << 30)
    peer.segment("PA", 3, b"two")
    peer.sent = 6
    peer.until(b"onetwo")
    peer.segment("R")
    peer.segment("PA", 6, b"three")
    end = time.monotonic() + 2
    while time.monotonic() < end:
        peer.take(0.3)
    assert peer.stream() == b"onetwo"


def test_lost_answers_are_sent_again(wire):
    peer = Peer(wire).open()
    peer.segment("PA", 0, b"again, please")
    peer.sent = 13
    first = None
    while first is None or not bytes(first.payload).startswith(b"again"):
        first = peer.take(5)  # and not acknowledged
    second = None
    while second is None or not bytes(second.payload).startswith(b"again"):
        second = peer.take(10)
        assert second is not None
    assert second.seq == first.seq


def test_a_flood_of_openings_leaves_room_for_one_who_means_it(wire):
    nic = wire.nics[0]
    frames = [bytes(Ether(src=HOST_MAC, dst=nic.mac) / IP(src=f"10.0.2.{3 + number % 200}", dst=GUEST_IP) /
                    TCP(sport=1024 + number, dport=7, flags="S", seq=number, window=1000)) for number in range(700)]
    for frame in frames * 2:
        nic.send(frame)
    peer = Peer(wire).open(30)
    said(peer, b"me", [(0, b"me")])


def test_tiny_windows_and_none_at_all_let_everything_through_in_time(wire):
    data = random.Random(3).randbytes(300)
    peer = Peer(wire, window=7).open()
    for at, piece in pieces(data, 100):
        peer.segment("PA", at, piece)
    peer.sent = len(data)
    end = time.monotonic() + 30
    while len(peer.stream()) < 200 and time.monotonic() < end:
        if peer.take(0.3):
            assert len(peer.stream()) <= (peer.next - peer.first) + 7  # never more than the window said
            peer.next = peer.first + len(peer.stream())
            peer.segment("A")
    peer.window = 0
    peer.segment("A")
    while (heard := peer.take(0.1)) is not None:
        pass
    before = len(peer.stream())
    probe = peer.take(10)  # it asks, with a byte at most
    assert probe is not None and len(peer.stream()) <= before + 1
    peer.window = 60000
    peer.until(data)


def await_end(peer):
    """Waits for the guest's FIN; what it has sent is not acknowledged."""
    end = time.monotonic() + 20
    while not any("F" in flags for flags in peer.flags):
        assert time.monotonic() < end, peer.flags
        peer.take(1)


def reset_in(state, wire):
    """A connection that is reset while the guest's end is in that state."""
    if state in ("SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK"):
        peer = Peer(wire, window=0 if state == "CLOSE-WAIT" else 60000)  # without room it can't send what it owes
        if state == "SYN-RECEIVED":
            while peer.next is None:
                wire.nics[0].send(bytes(Ether(src=HOST_MAC, dst=wire.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                                        TCP(sport=peer.port, dport=7, flags="S", seq=peer.isn, window=1000)))
                peer.take(1)
        else:
            peer.open()
            peer.segment("PA", 0, b"some bytes that come back and stay unacknowledged")
            peer.sent = 49
            if state != "ESTABLISHED":
                peer.segment("FA")
                peer.sent += 1
            if state == "LAST-ACK":
                await_end(peer)
            else:
                peer.take(1)
    else:
        peer = Peer(wire, to=9).open()
        await_end(peer)
        assert peer.stream() == b"bye"
        if state in ("FIN-WAIT-2", "TIME-WAIT"):
            peer.next += 4
            peer.segment("A")
        if state in ("CLOSING", "TIME-WAIT"):
            peer.segment("FA")
            peer.sent += 1
            peer.take(0.5)
    peer.segment("R")
    return peer


STATES = ("SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT")


@pytest.mark.parametrize("state", STATES)
def test_a_reset_in_any_state_ends_the_connection_and_no_other(wire, state):
    other = Peer(wire).open()
    peers = [reset_in(state, wire) for _ in range(3)]
    peers[0].segment("PA", peers[0].sent, b"is anybody there?")
    end, answer = time.monotonic() + 10, None
    while answer is None or "R" not in answer.flags:
        assert time.monotonic() < end, peers[0].flags
        answer = peers[0].take(1) or answer
    said(other, b"not I", [(0, b"not I")])


def test_a_connection_in_time_wait_is_opened_anew_with_lower_numbers_after_a_reset(wire):
    old = Peer(wire, to=9).open()
    await_end(old)
    old.next += 4
    old.segment("FA")
    old.sent += 1
    anew, answer = Peer(wire, to=9), None
    anew.port, anew.isn = old.port, old.isn - 0x800
    old.take(0.5)
    anew.segment("S", -1)
    while answer is None or answer.flags != "A":  # the old one's end may come again first
        answer = anew.take(10)
        assert answer is not None, anew.flags
    assert answer.ack == old.isn + 1 + old.sent
    anew.segment("R", answer.ack - anew.isn - 1)
    anew.open()
    await_end(anew)
    assert anew.stream() == b"bye"


def knock(wire, peers, seconds=60):
    """Sends openings until each is answered."""
    waiting, end = {peer.port: peer for peer in peers}, time.monotonic() + seconds
    while waiting:
        assert time.monotonic() < end, f"{len(waiting)} openings are not answered"
        for peer in waiting.values():
            wire.nics[0].send(bytes(Ether(src=HOST_MAC, dst=wire.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                                    TCP(sport=peer.port, dport=7, flags="S", seq=peer.isn, window=1000)))
        again = time.monotonic() + 2
        while waiting and time.monotonic() < again:
            frame = wire.nics[0].receive(0.5)
            packet = Ether(frame) if frame and not answer_arp(wire.nics[0], frame) else None
            if packet and packet.haslayer(TCP) and packet[TCP].dport in waiting:
                waiting.pop(packet[TCP].dport).note(packet[TCP])


def test_half_open_connections_are_bounded_and_the_oldest_makes_room(wire):
    peers = [Peer(wire) for _ in range(300)]
    for at in range(0, len(peers), 50):  # a ring has room for 128 frames
        knock(wire, peers[at:at + 50])
    peers[-1].segment("A")
    said(peers[-1], b"the newest", [(0, b"the newest")])
    peers[0].segment("A")  # the oldest had to go: its peer hears so
    end, answer = time.monotonic() + 20, None
    while answer is None or "R" not in answer.flags:
        assert time.monotonic() < end, peers[0].flags
        answer = peers[0].take(1) or answer
