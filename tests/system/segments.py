"""One end of a TCP connection by hand, segment by segment."""
import itertools
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from images import GUEST_IP, HOST_IP, HOST_MAC
from test_sockets import answer_arp

ports = itertools.count(10000)  # nobody has one that another had


class Peer:
    """One end of a connection, which sends what it is told and keeps what comes."""

    def __init__(self, m, to=7, window=60000):
        self.m, self.nic, self.port, self.to, self.window = m, m.nics[0], next(ports), to, window
        self.isn, self.sent, self.next, self.data, self.flags = 0x1000, 0, None, {}, []

    def segment(self, flags, at=None, payload=b"", **more):
        sequence = self.isn + 1 + (self.sent if at is None else at)
        tcp = TCP(sport=self.port, dport=self.to, flags=flags, seq=sequence, ack=self.next or 0, window=self.window, **more)
        self.nic.send(bytes(Ether(src=HOST_MAC, dst=self.nic.mac) / IP(src=HOST_IP, dst=GUEST_IP) / tcp / payload))

    def take(self, seconds=0.3):
        """The next segment for this end, noted; None if there is none for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            frame = self.nic.receive(0.05)
            if frame is None or answer_arp(self.nic, frame):
                continue
            packet = Ether(frame)
            if packet.haslayer(TCP) and packet[TCP].dport == self.port:
                self.note(packet[TCP])
                return packet[TCP]
        return None

    def note(self, tcp):
        self.flags.append(str(tcp.flags))
        payload = bytes(tcp.payload)[:]
        if payload and tcp.dataofs and not tcp.flags.S:
            self.data[(tcp.seq - self.first) & 0xffffffff] = payload
        if tcp.flags.S:
            self.first, self.next = tcp.seq + 1, tcp.seq + 1

    def stream(self):
        """What has come without a gap."""
        got = b""
        for at in sorted(self.data):
            if at <= len(got):
                got = got[:at] + self.data[at] + got[at + len(self.data[at]):]
        return got

    def open(self, seconds=20):
        end = time.monotonic() + seconds
        while self.next is None and time.monotonic() < end:
            self.nic.send(bytes(Ether(src=HOST_MAC, dst=self.nic.mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                                TCP(sport=self.port, dport=self.to, flags="S", seq=self.isn, window=self.window, options=[("MSS", 1460)])))
            self.take(1)
        assert self.next is not None, self.m.text[-2000:]
        self.segment("A")
        return self

    def until(self, wanted, seconds=20):
        """Acknowledges what comes until that is it."""
        end = time.monotonic() + seconds
        while self.stream() != wanted and time.monotonic() < end:
            if self.take(0.3):
                self.next = (self.first + len(self.stream())) & 0xffffffff
                self.segment("A")
        assert self.stream() == wanted


def pieces(data, size):
    return [(at, data[at:at + size]) for at in range(0, len(data), size)]


def said(peer, data, order):
    """Sends pieces of data in some order, and waits for all of it to come back."""
    for at, piece in order:
        peer.segment("PA", at, piece)
    peer.sent = len(data)
    peer.until(data)
