"""What becomes of TCP's connections when their program has ended: netd says goodbye in its place, and keeps the port for as long."""
import pathlib
import shutil
import tempfile
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from conftest import BUILD
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Machine
from test_sockets import answer_arp
from test_tcp import Peer
from test_told import lines


@pytest.fixture(scope="module")
def wire():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    m = Machine(BUILD, folder=folder, initrd=BUILD / "guest/sockets-initrd.cpio").up()
    yield m
    m.kill()
    shutil.rmtree(folder, ignore_errors=True)


def fin(peer, seconds=30):
    """The guest's end, the next time that it is said; peer.next gets what acknowledges it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tcp = peer.take(1)
        if tcp is not None and "F" in tcp.flags:
            assert "R" not in tcp.flags
            peer.next = (tcp.seq + len(tcp.payload) + 1) & 0xffffffff
            return tcp
    raise AssertionError(peer.flags)


def leave(m, port, how, kind="once"):
    """A program that serves one connection, which begins with `how`; and what waits for its end."""
    says = lines(m, "streams", kind, str(port))
    says(f"streams: one at port {port}")
    peer = Peer(m, to=port).open()
    peer.segment("PA", 0, how)
    peer.sent = 1
    return peer, lambda: says("(environment {env}) has ended")


def next_answer(peer, seconds):
    """The next segment but one that says the guest's end once more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tcp = peer.take(0.5)
        if tcp is not None and "F" not in tcp.flags:
            return tcp
    return None


def answer(peer, *segment, **more):
    """What comes back for a segment. It is sent once, so that nothing comes for it later."""
    peer.segment(*segment, **more)
    tcp = next_answer(peer, 30)
    assert tcp is not None, peer.m.text[-3000:]
    return str(tcp.flags), tcp.seq, tcp.ack


def silent(peer, *segment, **more):
    peer.segment(*segment, **more)
    assert next_answer(peer, 0.5) is None, peer.flags


def test_late_ends_are_acknowledged_and_no_reset_but_the_very_one_ends_it(wire):
    peer, ended = leave(wire, 20, b"c")
    fin(peer)
    peer.segment("A")
    ended()
    acknowledged = ("A", peer.next, peer.isn + 1 + peer.sent + 1)
    for _ in range(3):
        assert answer(peer, "FA") == acknowledged
    silent(peer, "A", peer.sent + 1)
    assert answer(peer, "R") == acknowledged  # it is one behind
    assert answer(peer, "S", peer.sent - 1) == acknowledged  # no new opening
    assert answer(peer, "S", peer.sent + 1000)[0] == "RA"  # but nobody listens
    assert answer(peer, "FA") == acknowledged
    stranger = Peer(wire, to=20)
    stranger.next = peer.next
    assert answer(stranger, "FA")[0] == "R"
    silent(peer, "R", peer.sent + 1)
    assert answer(peer, "FA")[0] == "R"


def test_an_end_that_nobody_acknowledges_is_said_again(wire):
    peer, ended = leave(wire, 21, b"c")
    first = fin(peer)
    ended()
    assert fin(peer).seq == first.seq
    assert answer(peer, "FA") == ("A", peer.next, peer.isn + 1 + peer.sent + 1)


def test_the_last_acknowledgement_ends_it(wire):
    peer, ended = leave(wire, 22, b"e")
    peer.segment("FA")
    peer.sent += 1
    fin(peer)
    ended()
    fin(peer)
    silent(peer, "A")
    assert answer(peer, "FA", peer.sent - 1) == ("R", peer.next, 0)


def test_bytes_for_nobody_are_answered_by_a_reset(wire):
    peer, ended = leave(wire, 23, b"c")
    fin(peer)
    peer.segment("A")
    ended()
    assert answer(peer, "PA", payload=b"is anybody there?") == ("R", peer.next, 0)
    assert answer(peer, "FA") == ("R", peer.next, 0)


def test_over_the_loop_interface_in_both_families(wire):
    says = lines(wire, "late")
    says("late: all is well")
    says("(environment {env}) has ended")


def test_the_port_is_kept_from_all_who_do_not_say_that_they_reuse_it(wire):
    peer, ended = leave(wire, 24, b"c")
    fin(peer)
    peer.segment("A")
    ended()
    assert answer(peer, "FA")[0] == "A"
    lines(wire, "streams", "once", "24")("streams: port 24: Address already in use")
    other, ended = leave(wire, 24, b"c", kind="again")
    fin(other)
    ended()


def test_who_is_terminated_says_goodbye_and_leaves_the_rest(wire):
    peer, ended = leave(wire, 27, b"t")
    fin(peer)
    peer.segment("A")
    ended()
    assert answer(peer, "FA") == ("A", peer.next, peer.isn + 1 + peer.sent + 1)


def test_a_child_goes_on_with_a_connection_and_leaves_its_end(wire):
    peer, ended = leave(wire, 28, b"f")
    peer.until(b"!")
    for piece in (b"to", b" your child"):
        peer.segment("PA", payload=piece)
        peer.sent += len(piece)
        peer.until(b"!to your child"[:peer.sent])
    peer.segment("FA")
    peer.sent += 1
    fin(peer)
    ended()
    fin(peer)  # netd's
    silent(peer, "A")


def test_who_is_killed_leaves_nothing(wire):
    peer, ended = leave(wire, 25, b"d")
    ended()
    peer.next = (peer.next + 1) & 0xffffffff
    assert answer(peer, "FA")[0] == "R"


def test_a_program_leaves_so_many_and_no_more(wire):
    says = lines(wire, "streams", "once", "26")
    says("streams: one at port 26")
    peers = []
    for number in range(70):
        peer = Peer(wire, to=26).open()
        peer.segment("PA", 0, b"m" if number < 69 else b"c")
        peer.sent = 1
        fin(peer)
        peer.segment("A")
        peers.append(peer)
    says("(environment {env}) has ended")
    flags = [answer(peer, "FA")[0] for peer in peers]
    assert set(flags) == {"A", "R"} and flags.count("A") == 64
