"""Frames of somebody who means harm: lies about who he is and who others are, segments of no stream, fragments, noise, and broken copies
of what is carried."""
import random

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils import checksum

from images import GUEST_IP, HOST_IP
from test_net_apps import KV_PORT

MAC, POISON_MAC = "02:66:66:66:66:66", "02:66:66:66:66:99"  # nothing but a lie leads to the second one
LINK = "fe80::5054:ff:fe12:3456"  # the machine's address there


def with_options(packet, options):
    """IPv4 with those bytes between its header and what follows, whatever they are, and a right sum."""
    options += bytes(-len(options) % 4)
    data = bytearray(bytes(packet))
    data[0] += len(options) // 4
    data[2:4] = (int.from_bytes(data[2:4], "big") + len(options)).to_bytes(2, "big")
    data[10:12] = b"\0\0"
    data[10:12] = checksum(bytes(data[:20]) + options).to_bytes(2, "big")
    return bytes(data[:20]) + options + bytes(data[20:])


def lies(mac):
    """Frames that nobody should care for, each of a kind that somebody might."""
    rng = random.Random(13)

    def ether(payload, **more):
        return bytes(Ether(**{"src": MAC, "dst": mac, **more}) / payload)

    def neighbour():
        return f"10.0.2.{rng.randrange(100, 240)}"

    def port():
        return rng.randrange(1024, 65536)
    frames = []
    for _ in range(60):
        word = rng.getrandbits(32)
        frames += [ether(IP(src=neighbour(), dst=GUEST_IP) / TCP(sport=port(), dport=rng.choice((7, 80)), flags="S", seq=word)) for _ in range(4)]
        frames.append(ether(IP(src=HOST_IP, dst=GUEST_IP) / TCP(sport=port(), dport=rng.choice((7, 80)), seq=word, ack=word, flags=rng.choice(
            ("R", "RA", "A", "PA", "FA", "SA", "SF", "FPU", ""))) / b"not in any stream"))
        frames.append(ether(IP(src=rng.choice((GUEST_IP, "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1")), dst=GUEST_IP) /
                            rng.choice((TCP(sport=7, dport=7, flags="S"), UDP(sport=7, dport=7) / b"echo echo", ICMP() / b"me"))))
        frames.append(ether(IP(src=neighbour(), dst=GUEST_IP) / UDP(sport=port(), dport=rng.choice((7, 9, KV_PORT))) / rng.randbytes(60)))
        frames.append(ether(with_options(IP(src=neighbour(), dst=GUEST_IP) / UDP(sport=port(), dport=7) / b"options",
                                         rng.randbytes(rng.randrange(1, 40)))))
        frames.append(ether(IP(src=neighbour(), dst=GUEST_IP) / ICMP(type=3, code=rng.randrange(16)) /
                            IP(src=GUEST_IP, dst=HOST_IP) / UDP(sport=port(), dport=53) / b"12345678"))
        parts = fragment(IP(src=neighbour(), dst=GUEST_IP, id=rng.randrange(8)) / UDP(sport=1, dport=7) / Raw(rng.randbytes(3000)), 1000)
        frames.append(ether(rng.choice(parts)))
        for op in (1, 2):
            frames.append(ether(ARP(op=op, hwsrc=POISON_MAC, psrc=HOST_IP, hwdst=mac, pdst=rng.choice((GUEST_IP, HOST_IP)))))
        frames.append(ether(IPv6(src="fe80::2", dst=LINK, hlim=255) / ICMPv6ND_NA(R=1, S=rng.randrange(2), O=1, tgt="fe80::2") /
                            ICMPv6NDOptDstLLAddr(lladdr=POISON_MAC)))
        frames.append(ether(IPv6(src="fe80::2", dst=LINK, hlim=255) / rng.choice((ICMPv6ND_RA(), ICMPv6ND_Redirect(tgt="fe80::6", dst="fec0::2"))),
                            src=POISON_MAC))
        frames.append(ether(IPv6(src=f"fe80::{word >> 16:x}:{word & 0xffff:x}", dst=LINK, hlim=255) / rng.choice((ICMPv6ND_NS(tgt=LINK), ICMPv6EchoRequest(data=b"x")))))
        frames.append(rng.randbytes(rng.randrange(1, 1600)))
    return frames


def broken(rng, frame):
    """A copy with one bit flipped behind Ethernet's header, or cut off; never one that is as good as the frame was."""
    size = 14 + int.from_bytes(frame[16:18], "big") if frame[12:14] == b"\x08\x00" else len(frame)
    frame = bytearray(frame[:size])
    if rng.randrange(2):
        return bytes(frame[:rng.randrange(1, len(frame))])
    bit = rng.randrange(14 * 8, len(frame) * 8)
    frame[bit // 8] ^= 1 << bit % 8
    return bytes(frame) + rng.randbytes(rng.choice((0, 0, 7)))


def flood(nic, switch, frames, carried, rate):
    """A step sends a twentieth of a second's part of them, and throws away what it is answered."""
    rng, place = random.Random(99), [0]

    def step():
        for _ in range(rate // 20):
            if carried and rng.randrange(4) == 0:
                nic.send(broken(rng, rng.choice(carried)))
            else:
                nic.send(frames[place[0] % len(frames)])
                place[0] += 1
        while not switch.of(MAC).empty():
            switch.of(MAC).get()
        return True
    return step
