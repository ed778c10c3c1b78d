"""Traffic of all kinds between the host and a machine, whose every byte is compared: what test_mixed.py runs at once."""
import collections
import http.client
import queue
import random
import socket
import threading
import time
import traceback

from scapy.layers.dns import DNSRR
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from images import GUEST_IP
from test_net_apps import DELETE, GET, NOT_FOUND, OK, SET, Client, NameServer

PATIENCE = 30
PATTERN = bytes(i * 2654435761 % (1 << 32) >> 13 & 0xff for i in range(65536))  # as tests/guest/mixed.c has it
PING_MAC, PING_IP = "02:00:00:00:00:07", "10.0.2.7"


class Traffic:
    """What went on: exchanges of each kind, the seconds in which there were any, and what was wrong."""

    def __init__(self):
        self.begin, self.over, self.random = time.monotonic(), threading.Event(), random.Random(8)
        self.counts, self.lost, self.seconds, self.wrong = collections.Counter(), collections.Counter(), collections.defaultdict(set), []
        self.threads = []

    def tick(self, kind):
        self.counts[kind] += 1
        self.seconds[kind].add(int(time.monotonic() - self.begin))

    def work(self, kind, step, pause=0.02):
        """A thread that exchanges something again and again; step tells whether it came back (None: there was nothing to tell)."""
        def run():
            try:
                while not self.over.is_set():
                    came = step()
                    if came:
                        self.tick(kind)
                    self.lost[kind] += came is False
                    self.over.wait(pause)
            except Exception:  # pylint: disable=broad-except
                self.wrong.append(f"{kind}, after {time.monotonic() - self.begin:.1f} s: {traceback.format_exc()}" )
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE + 5)

    def longest_stall(self, kind, canary="ping"):
        """The most seconds in a row in which the canary was heard and this kind wasn't."""
        longest = run = 0
        for second in sorted(self.seconds[canary])[1:-1]:
            run = 0 if second in self.seconds[kind] else run + 1
            longest = max(longest, run)
        return longest


def piece(rng, most):
    size = rng.randrange(1, most)
    at = rng.randrange(len(PATTERN) - size)
    return PATTERN[at:at + size]


def receive(s, size):
    got = b""
    while len(got) < size:
        part = s.recv(size - len(got))
        if not part:
            break
        got += part
    return got


# The host as a client

def udp_client(port):
    rng, s = random.Random(port), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.1", port))
    s.settimeout(2)

    def step():
        payload = piece(rng, 1400)
        s.send(payload)
        try:
            while s.recv(4000) != payload:  # late ones of rounds before
                pass
        except TimeoutError:
            return False
        return True
    return step


def tcp_client(port, lock, seed):
    """One connection for some rounds, then another; one after the other, as user networking wants it."""
    rng, state = random.Random(seed), {"left": 0, "s": None}

    def step():
        if not state["left"]:
            if state["s"]:
                state["s"].close()
            with lock:
                state["s"] = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                state["s"].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                state["s"].sendall(b"?")
                assert state["s"].recv(1) == b"?"
            state["left"] = 20
        state["left"] -= 1
        payload = piece(rng, 20000)
        state["s"].sendall(payload)
        assert receive(state["s"], len(payload)) == payload
        return True
    return step


def web_client(port, lock, seed):
    rng, state = random.Random(seed), {"left": 0, "client": None}

    def step():
        if not state["left"]:
            if state["client"]:
                state["client"].close()
            with lock:
                state["client"] = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
                state["client"].request("HEAD", "/pattern")
                assert state["client"].getresponse().read() == b""
            state["left"] = 20
        state["left"] -= 1
        first = rng.randrange(len(PATTERN))
        last = rng.randrange(first, len(PATTERN))
        state["client"].request("GET", "/pattern", headers={"Range": f"bytes={first}-{last}"})
        answer = state["client"].getresponse()
        assert (answer.status, answer.read()) == (206, PATTERN[first:last + 1])
        return True
    return step


def kv_client(port, seed):
    """Asks once: a repeated request may be done twice, the second time behind what was asked next."""
    rng, client = random.Random(seed), Client(port, tries=1, wait=PATIENCE // 3)

    def step():
        key, value = b"%d %d" % (seed, rng.randrange(20)), piece(rng, 1000)
        try:
            status, version, _ = client.ask(SET, key, value)
            assert status == OK and client.ask(GET, key) == (OK, version, value)
            if rng.randrange(4) == 0:
                assert client.ask(DELETE, key)[0] == OK and client.ask(GET, key)[0] == NOT_FOUND
        except TimeoutError:
            return False
        return True
    return step


def pinger(m, switch):
    numbers, answers = iter(range(1 << 62)), switch.of(PING_MAC)

    def step():
        payload = b"%d " % next(numbers) + PATTERN[:200]
        m.nics[0].send(bytes(Ether(src=PING_MAC, dst=m.nics[0].mac) / IP(src=PING_IP, dst=GUEST_IP) / ICMP(id=1) / payload))
        try:
            while bytes(Ether(answers.get(timeout=2))[ICMP].payload) != payload:
                pass
        except queue.Empty:
            return False
        return True
    return step


# The host as a server

class Servers:
    """An echo of TCP, which says its end first, and one of UDP, and names."""

    def __init__(self):
        self.traffic = None
        self.names = NameServer()
        for number in range(256):
            self.names.zone[f"{number}.test", "A"] = [DNSRR(rrname=f"{number}.test", rdata=f"10.1.0.{number}")]
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.ports = [str(s.getsockname()[1]) for s in (self.listener, self.datagrams)]
        for serve in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=serve, daemon=True).start()

    def tick(self, kind):
        if self.traffic:
            self.traffic.tick(kind)

    def answer(self, s):
        with s:
            s.settimeout(PATIENCE)
            head = b""
            while not head.endswith(b"\n"):
                byte = s.recv(1)
                if not byte:
                    return  # it was ended
                head += byte
            at, size = map(int, head.split())
            got = receive(s, size)
            if len(got) == size:
                if got != PATTERN[at:at + size] and self.traffic:
                    self.traffic.wrong.append("tcp out: other bytes")
                s.sendall(got)
                self.tick("tcp out")

    def attend(self, s):
        try:
            self.answer(s)
        except OSError:
            pass  # its program was ended, which mixed.c does; others complain themselves

    def serve_tcp(self):
        while True:
            threading.Thread(target=self.attend, args=(self.listener.accept()[0],), daemon=True).start()

    def serve_udp(self):
        while True:
            payload, client = self.datagrams.recvfrom(4000)
            self.datagrams.sendto(payload, client)
            self.tick("udp out")

    def asked(self):
        """True if a name was asked for since the last call."""
        any_, self.names.asked[:] = bool(self.names.asked), []
        return any_ or None
