"""The frame path on raw Ethernet: ARP, echoes, noise, floods, and what binding and unbinding change."""
import os
import random
import socket
import struct
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption
from scapy.layers.l2 import ARP, Ether

import images
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Refused

CYCLES = int(os.environ.get("AEGIS_FILTER_CYCLES", 60))
QUIET = 0.5  # seconds in which an answer that must not come would have come; the fence below makes it sure


@pytest.fixture
def up(machine):
    """A machine with udp-echo on port 7."""
    m = machine().up()
    m.control.load("echo", "udp-echo", images.udp_filters(7))
    return m


def echo(m, payload, port=7, source=4000):
    m.nics[0].send(images.datagram(m.nics[0].mac, payload, port, source))
    return m.nics[0].find(images.is_answer(payload, port, source), 20)


def fence(m):
    """All frames sent before were dealt with: one more came back. What came before it, as a list."""
    nic, seen, token = m.nics[0], [], os.urandom(16)
    nic.send(images.datagram(nic.mac, token, source=9999))
    answer = images.is_answer(token, source=9999)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        frame = nic.receive(1)
        if frame is None:
            continue
        if answer(frame):
            return seen
        seen.append(frame)
    raise AssertionError("the machine does not answer any more; its serial log:\n" + m.text[-3000:])


def row(m, name="echo"):
    return next(r for r in m.control.list() if r["name"] == name)


def test_arp_is_answered_for_the_own_address_alone(up):
    nic = up.nics[0]
    nic.send(images.arp_request())
    answer = Ether(nic.find(lambda f: Ether(f).haslayer(ARP)))[ARP]
    assert (answer.op, answer.hwsrc, answer.psrc, answer.hwdst, answer.pdst) == (2, nic.mac, GUEST_IP, HOST_MAC, HOST_IP)
    nic.send(images.arp_request("10.0.2.99"))
    assert fence(up) == []


def test_the_address_is_that_of_the_boot_arguments(machine):
    m = machine(address="ip=192.168.7.9/24,192.168.7.1").up()
    m.nics[0].send(images.arp_request("192.168.7.9"))
    assert Ether(m.nics[0].find(lambda f: Ether(f).haslayer(ARP)))[ARP].psrc == "192.168.7.9"


@pytest.mark.parametrize("change", [dict(op=2), dict(hwlen=4), dict(plen=16), dict(hwtype=6), dict(ptype=0x86DD), dict(op=9)],
                         ids=lambda c: "-".join(f"{k}{v}" for k, v in c.items()))
def test_arp_of_another_kind_is_not_answered(up, change):
    packet = Ether(images.arp_request())
    for field, value in change.items():
        setattr(packet[ARP], field, value)
    up.nics[0].send(bytes(packet))
    assert [f for f in fence(up) if Ether(f).haslayer(ARP)] == []


def test_echoes_of_every_payload_size(up):
    """0 to 1,472 bytes; eight under way: our socket holds ten frames, and the echo does not wait long for room."""
    nic = up.nics[0]
    for start in range(0, 1473, 8):
        payloads = [os.urandom(size) for size in range(start, min(start + 8, 1473))]
        for payload in payloads:
            nic.send(images.datagram(nic.mac, payload))
        for payload in payloads:
            assert nic.find(images.is_answer(payload), 20), len(payload)


def test_other_ports_addresses_and_protocols_are_left_alone(up):
    mac = up.nics[0].mac
    udp = UDP(sport=4000, dport=7) / (b"x" * 30)
    for frame in (images.datagram(mac, b"x" * 30, port=8), images.datagram(mac, b"x" * 30, port=0x0700),
                  bytes(Ether(src=HOST_MAC, dst=mac, type=0x86DD) / IP(src=HOST_IP, dst=GUEST_IP) / udp),
                  bytes(Ether(src=HOST_MAC, dst=mac) / IP(src=HOST_IP, dst=GUEST_IP, proto=6) / udp)):
        up.nics[0].send(frame)
    before = up.control.status()["netifs"][0]["unclaimed"]
    assert [Ether(frame)[ICMP].code for frame in fence(up)] == [3, 3]  # netd's: there is nobody at these ports
    assert before <= 2 and up.control.status()["netifs"][0]["unclaimed"] == 2


def test_lengths_that_lie_are_not_answered(up):
    """The datagram's, the packet's and the header's lengths claim more than there is."""
    mac = up.nics[0].mac
    for lie in (dict(udp=40), dict(udp=7), dict(udp=0xFFFF), dict(total=60), dict(total=0xFFFF), dict(total=20), dict(total=0)):
        frame = bytearray(images.datagram(mac, b"y" * 12))
        if "udp" in lie:
            struct.pack_into(">H", frame, 38, lie["udp"])
        if "total" in lie:
            struct.pack_into(">H", frame, 16, lie["total"])
        up.nics[0].send(frame)
    assert fence(up) == []


def noise(seed, count, sizes):
    """Frames of noise; half of them begin like one that the filters like, addresses right."""
    rng = random.Random(seed)
    good = images.datagram("52:54:00:12:34:56", b"")
    for _ in range(count):
        data = rng.randbytes(rng.choice(sizes))
        if rng.random() < 0.5:
            head = bytearray(good)
            for _ in range(rng.randrange(3)):
                head[rng.randrange(12, len(head))] = rng.randrange(256)
            data = (bytes(head) + data)[:max(len(data), 1)]
        yield data


@pytest.mark.parametrize("seed, sizes", [(1, range(1, 1601)), (2, range(1, 64)), (3, range(1500, 1601)), (4, (2000, 9000, 60000))],
                         ids=["1-1600", "runts", "around-the-most", "oversized"])
def test_frames_of_noise_do_no_harm(up, seed, sizes):
    for i, frame in enumerate(noise(seed, 1500, sizes)):
        up.nics[0].send(frame)
        if i % 100 == 99:
            fence(up)
    assert up.alive() and not any("panic" in line for line in up.lines)
    assert echo(up, b"still there")
    up.nics[0].send(images.arp_request())
    assert up.nics[0].find(lambda f: Ether(f).haslayer(ARP), 20)


def test_every_size_of_frame_from_1_to_1600(up):
    """(An empty frame never gets to a card: QEMU's sockets, dgram and stream alike, stop for ever when they read one.)"""
    for size in range(1, 1601):
        up.nics[0].send(bytes(size))
        if size % 200 == 0:
            fence(up)
    assert echo(up, b"still there")


def test_a_flood_beyond_the_ring_is_accounted_for_and_service_goes_on(up):
    nic, count = up.nics[0], 5000
    before = row(up)
    nic.socket.setblocking(False)
    for i in range(count):
        nic.send(images.datagram(nic.mac, struct.pack("<I", i) + bytes(60), source=5000))
        if i % 8 == 0:
            nic.drain()  # answers are dropped by us: the machine must not wait for them
    nic.socket.setblocking(True)
    fence(up)
    after = row(up)
    taken = after["received"] - before["received"] + after["dropped"] - before["dropped"]
    assert taken == count + 1
    for i in range(20):
        assert echo(up, struct.pack("<I", i) * 100)


def test_unload_stops_the_answers_and_load_brings_them_back(up):
    assert echo(up, b"one")
    up.control.unload("echo")
    up.nics[0].send(images.datagram(up.nics[0].mac, b"two"))
    assert up.nics[0].find(images.is_answer(b"two"), QUIET) is None
    assert "echo" not in [r["name"] for r in up.control.list()]
    up.control.load("echo", "udp-echo", images.udp_filters(7))
    assert echo(up, b"three")


def test_bindings_side_by_side_count_apart(up):
    up.control.load("nine", "udp-echo", images.udp_filters(9))
    for i in range(3):
        assert echo(up, b"seven")
    for i in range(5):
        assert echo(up, b"nine!", port=9)
    assert (row(up)["received"], row(up, "nine")["received"]) == (3, 5)
    assert (row(up)["sent"], row(up, "nine")["sent"]) == (3, 5)


def settled(m):
    """Free pages, once they stay the same: a program gives its ring back a little after the binding went."""
    last, same = None, 0
    while same < 5:
        free = m.control.status()["pages_free"]
        same = same + 1 if free == last else 0
        last = free
        time.sleep(0.05)
    return last


def test_loading_and_unloading_leaks_nothing(up):
    up.control.load("other", "udp-echo", images.udp_filters(9))
    up.control.unload("other")
    before = settled(up)
    for i in range(CYCLES):
        up.control.load("other", "udp-echo", images.udp_filters(9))
        up.control.unload("other")
    assert settled(up) == before
    assert echo(up, b"still there")


def test_a_filter_that_overlaps_is_refused_and_changes_nothing(up):
    up.control.load("nine", "udp-echo", images.udp_filters(9))
    rows = up.control.list()
    with pytest.raises(Refused, match="(?i)overlap"):
        up.control.load("all", "arpd", (images.dpf((12, 2, 0x0800)), images.dpf((12, 2, 0x0800))))
    assert up.control.list() == rows
    assert echo(up, b"still there")


def test_names_and_programs_are_checked(up):
    for name, app, part in (("echo", "udp-echo", "echo"), ("new", "nothing", "nothing")):
        with pytest.raises(Refused, match=part):
            up.control.load(name, app, images.udp_filters(11))
    with pytest.raises(Refused, match="nobody"):
        up.control.unload("nobody")
    with pytest.raises(Refused, match="interface"):
        up.control.load("new", "udp-echo", images.udp_filters(11), netif=1)


def good_image():
    return bytearray(images.udp_filters(11)[0])


def changed(offset, form, value):
    image = good_image()
    struct.pack_into(form, image, offset, value)
    return bytes(image)


NODE = 16  # the first node; its successors are at 6 and 8, its set at 10, the count of that at 12
BAD = {
    "empty": b"",
    "magic": changed(0, "<I", 1),
    "version": changed(4, "<H", 9),
    "entry": changed(6, "<H", 77),
    "nodes-more": changed(8, "<H", 1000),
    "nodes-fewer": changed(8, "<H", 1),
    "ranges-more": changed(10, "<H", 0xFFFF),
    "cyclic": changed(NODE + 24 + 6, "<H", 0),
    "self": changed(NODE + 6, "<H", 0),
    "successor-outside": changed(NODE + 6, "<H", 500),
    "kind": changed(NODE, "<B", 99),
    "width": changed(NODE + 1, "<B", 3),
    "relative-without-base": changed(NODE + 2, "<B", 1),
    "set-outside": changed(NODE + 10, "<H", 60000),
    "count-0": changed(NODE + 12, "<H", 0),
    "reserved": changed(12, "<I", 1),
    "node-reserved": changed(NODE + 14, "<H", 1),
    "cut": bytes(good_image()[:-1]),
    "longer": bytes(good_image() + b"\0" * 8),
    "noise": random.Random(5).randbytes(500),
    "huge": random.Random(6).randbytes(65536),
}


def test_malformed_filters_are_refused_by_name(up):
    good = images.udp_filters(11)
    for name, image in BAD.items():
        for pair in ((image, good[1]), (good[0], image)):
            with pytest.raises(Refused, match="(?i)filter"):
                up.control.load("bad", "udp-echo", pair)
                pytest.fail(f"the image '{name}' was taken")
    assert [r["name"] for r in up.control.list() if r["name"] == "bad"] == []
    assert echo(up, b"still there")


def test_noise_on_the_console_then_a_handshake(up):
    rng = random.Random(7)
    for size in (1, 100, 5000, 200_000):
        up.control.stream.sendall(rng.randbytes(size))
        up.control.hello()
        assert up.control.list()
    assert echo(up, b"still there")


def test_a_host_that_restarts_in_the_middle_of_a_message(up):
    import protocol
    load = protocol.encode_message(protocol.LOAD, 1, protocol.encode(
        "load", name="big", app="udp-echo", netif=0, ingress=bytes(65536), egress=bytes(65536)))
    for cut in (1, 3, 1000, 70_000, len(load) - 1):
        up.control.stream.sendall(load[:cut])
        up.control.hello()
        assert [r["name"] for r in up.control.list()][-1] == "echo"


def test_requests_that_are_malformed_are_refused(up):
    import protocol
    for kind, body in ((protocol.LOAD, b""), (protocol.LOAD, b"\1\0\0\0\xff\xff\xff\xff"), (protocol.UNLOAD, os.urandom(40)),
                       (protocol.STOP, b""), (99, b""), (protocol.LIST, b"\1"), (protocol.STOP, protocol.encode("stop", status=256))):
        with pytest.raises(Refused):
            up.control.ask(kind, body)
    assert up.alive() and echo(up, b"still there")


def test_a_message_larger_than_any_is_refused(up):
    import protocol
    with pytest.raises(Refused):
        up.control.ask(protocol.LOAD, bytes(500_000))
    assert echo(up, b"still there")


def test_many_requests_at_once_are_answered_in_order(up):
    """At most 50 at a time: what doesn't fit the socket's buffer, because nobody has read yet, QEMU's console drops."""
    import protocol
    answered = []
    for sent in range(250):
        if sent < 200:
            up.control.send(protocol.LIST, 1000 + sent, protocol.encode("list", start=0))
        while sent >= 50 and len(answered) <= sent - 50:
            kind, number, _ = up.control.receive()
            answered += [number] if kind == protocol.LIST | protocol.REPLY else []  # or an answer to another hello
    assert answered == list(range(1000, 1200))


def test_ip_options_are_seen_through(machine, compile_filter):
    """dpfc's filters follow the header's length; the echo keeps the options."""
    m = machine().up()
    m.control.load("echo", "udp-echo", compile_filter("udp dst port 7"))
    nic = m.nics[0]
    packet = Ether(src=HOST_MAC, dst=nic.mac) / IP(src=HOST_IP, dst=GUEST_IP, options=[IPOption(b"\x94\x04\0\0")] * 3) / \
        UDP(sport=4000, dport=7) / b"with options"
    nic.send(bytes(packet))
    assert nic.find(images.is_answer(b"with options"), 20)
    fragment = Ether(src=HOST_MAC, dst=nic.mac) / IP(src=HOST_IP, dst=GUEST_IP, frag=10) / UDP(sport=4000, dport=7) / b"later"
    nic.send(bytes(fragment))
    assert nic.find(images.is_answer(b"later"), QUIET) is None
