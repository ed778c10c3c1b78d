"""Programs of the network that a user of the console has, started from the shell, with real peers: kv, host, wget, nc, ping."""
import hashlib
import http.server
import os
import pathlib
import random
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR

import images
from conftest import BUILD, Aegisctl

KV_PORT = 7071
GET, SET, DELETE = 1, 2, 3
OK, NOT_FOUND, MALFORMED, FULL, CONFLICT, UNKNOWN = range(6)
LIMIT = 20


class NameServer:
    """Answers by what is in zone: {(name, type): [answers]}; a function makes the whole message itself. Keeps the questions. What
    is in whole is answered by TCP alone: by UDP it is cut off."""

    TYPES = {1: "A", 12: "PTR", 28: "AAAA"}

    def __init__(self, otherwise=3):
        self.socket, self.listener = self.bound()
        self.port = self.socket.getsockname()[1]
        self.zone, self.whole, self.asked, self.otherwise = {}, {}, [], otherwise
        threading.Thread(target=self.serve, daemon=True).start()
        threading.Thread(target=self.serve_streams, daemon=True).start()

    @staticmethod
    def bound():
        """Sockets of UDP and TCP with one number."""
        while True:
            datagrams, streams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            streams.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(streams.getsockname())
            except OSError:
                continue
            streams.listen()
            return datagrams, streams

    def answer(self, message, port, zone):
        question = DNS(message)
        name, kind = question.qd.qname.decode().rstrip("."), self.TYPES[question.qd.qtype]
        self.asked.append((name, kind, question.id, port))
        is_cut = zone is self.zone and (name, kind) in self.whole
        found = [] if is_cut else zone.get((name, kind), self.otherwise)
        if callable(found):
            found = found(question)
        if isinstance(found, int):
            found = DNS(id=question.id, qr=1, ra=1, rcode=found, qd=question.qd)
        elif isinstance(found, list):
            answers = found[0] if found else None
            for more in found[1:]:
                answers /= more
            found = DNS(id=question.id, qr=1, tc=is_cut, ra=1, qd=question.qd, an=answers)
        return found

    def serve(self):
        while True:
            message, client = self.socket.recvfrom(4000)
            found = self.answer(message, client[1], self.zone)
            if found is not None:
                self.socket.sendto(bytes(found), client)

    def serve_streams(self):
        while True:
            peer, client = self.listener.accept()
            with peer, peer.makefile("rb") as said:
                size = said.read(2)
                if len(size) == 2:
                    found = bytes(self.answer(said.read(struct.unpack(">H", size)[0]), client[1], self.whole))
                    peer.sendall(struct.pack(">H", len(found)) + found)


class Up:
    """A machine behind user networking, and programs that its shell runs."""

    def __init__(self, folder):
        self.ctl = Aegisctl(folder)
        self.server, self.second = NameServer(), NameServer(otherwise=5)  # which refuses
        files = images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes())
        files += [("etc/hosts", b"10.9.8.7 inside inside.test # here\n10.9.8.8 inside\n"),
                  ("etc/resolv.conf", b"search none.test test\nnameserver [10.0.2.2]:%d\nnameserver [10.0.2.2]:%d\n" %
                   (self.server.port, self.second.port))]
        files += [("get", request(GET, b"inside"))]
        (folder / "initrd").write_bytes(images.cpio(files))
        said = self.ctl.ok("run", "--detach", "--port", f"0:{KV_PORT}", "--port", "0:7100/tcp", "--port", "0:7100",
                           "--initrd", folder / "initrd")
        self.port = int(re.search(rf"UDP 127\.0\.0\.1:(\d+) -> guest {KV_PORT}", said)[1])
        self.tcp, self.udp = (int(re.search(rf"{kind} 127\.0\.0\.1:(\d+) -> guest 7100", said)[1]) for kind in ("TCP", "UDP"))

    def sh(self, text, timeout=60):
        """Run text in a shell of its own: (status, output)."""
        done = subprocess.run([self.ctl.program, "console"], input=text, env=self.ctl.env, capture_output=True, text=True,
                              timeout=timeout, check=False)
        return done.returncode, done.stdout + done.stderr

    def run(self, command, says):
        """A program in a shell of its own, once it says something; the Popen, its output read so far as .said."""
        process = subprocess.Popen([self.ctl.program, "console", command], env=self.ctl.env, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.said = b""
        end = time.monotonic() + LIMIT
        while not re.search(says, process.said):
            assert select.select([process.stdout], [], [], max(end - time.monotonic(), 0))[0], process.said
            some = os.read(process.stdout.fileno(), 1000)
            assert some, process.said
            process.said += some
        return process

    def slices(self, name):
        """How often a program has run so far."""
        rows = self.sh("ps -e\n")[1].splitlines()
        return [int(row.split()[-2]) for row in rows if row.split()[-1:] == [name]][0]


@pytest.fixture(scope="module")
def up():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    machine = Up(folder)
    yield machine
    machine.ctl("stop")
    shutil.rmtree(folder, ignore_errors=True)


# kv

def request(operation, key, value=b"", version=0, tag=0):
    return struct.pack(">HBBIIHBB", 0x4b56, operation, 0, tag, version, len(value), len(key), 0) + key + bytes(-len(key) % 8) + value


class Client:
    def __init__(self, port, tries=10, wait=1):
        self.tries, self.wait = tries, wait
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.tag = random.getrandbits(32)

    def ask(self, operation, key, value=b"", version=0):
        """(status, version, value); repeated like any client's until it is answered."""
        self.tag = self.tag + 1 & 0xffffffff
        for _ in range(self.tries):
            self.socket.send(request(operation, key, value, version, self.tag))
            end = time.monotonic() + self.wait
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                try:
                    answer = self.socket.recv(4000)
                except TimeoutError:
                    break
                magic, said, status, tag, version_, size, key_size, zero = struct.unpack(">HBBIIHBB", answer[:16])
                if tag == self.tag:
                    assert (magic, said, size, key_size, zero) == (0x4b56, operation | 0x80, len(answer) - 16, 0, 0)
                    return status, version_, answer[16:]
        raise TimeoutError("no answer")


@pytest.fixture(scope="module")
def kv(up):
    process = up.run("kv", rb"kv: port 7071")
    yield up
    process.kill()
    process.wait()


@pytest.fixture
def client(kv):
    return Client(kv.port)


def test_kv_gives_back_what_it_was_given(client):
    for size in (0, 1, 7, 8, 9, 63, 64, 100, 1023, 1024):
        value, key = os.urandom(size), b"key of %d" % size
        status, version, nothing = client.ask(SET, key, value)
        assert (status, nothing) == (OK, b"") and version
        assert client.ask(GET, key) == (OK, version, value), size
    assert client.ask(GET, b"another")[:2] == (NOT_FOUND, 0)
    assert client.ask(DELETE, b"key of 9")[0] == OK
    assert client.ask(GET, b"key of 9") == (NOT_FOUND, 0, b"")


def test_kv_compares_versions(client):
    first = client.ask(SET, b"counted", b"1")[1]
    second = client.ask(SET, b"counted", b"2", version=first)[1]
    assert second not in (0, first)
    assert client.ask(SET, b"counted", b"3", version=first) == (CONFLICT, second, b"")
    assert client.ask(GET, b"counted") == (OK, second, b"2")


def test_kv_answers_gets_while_the_application_does_not_run(kv, client):
    value = os.urandom(300)
    version = client.ask(SET, b"asleep", value)[1]
    time.sleep(0.1)
    before = kv.slices("kv")
    for _ in range(300):
        assert client.ask(GET, b"asleep") == (OK, version, value)
        assert client.ask(GET, b"nothing")[0] == NOT_FOUND
    assert kv.slices("kv") == before
    for _ in range(20):
        client.ask(SET, b"awake", value)
    assert kv.slices("kv") > before


def test_kv_readers_never_see_half_a_value(kv):
    """Values of one letter each; whoever sees two in one has seen a SET half done."""
    stop, wrong = threading.Event(), []

    def read():
        client = Client(kv.port)
        while not stop.is_set():
            status, _, value = client.ask(GET, b"torn")
            if status == OK and (len(set(value)) != 1 or len(value) != value[0] * 4):
                wrong.append(value)

    writer = Client(kv.port)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(300):
        letter = 1 + turn * 53 % 255
        assert writer.ask(SET, b"torn", bytes([letter]) * (letter * 4))[0] == OK
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_kv_answers_programs_of_the_machine_by_ipv6_too(up, client):
    assert client.ask(SET, b"inside", b"seen inside")[0] == OK
    for _ in range(20):  # as a client repeats what isn't answered in time
        said = up.sh("nc -u -w 1 ::1 7071 < /get | wc -c\n")
        if said != (0, "0\n"):
            break
    assert said == (0, f"{16 + len(b'seen inside')}\n")


def test_kv_survives_hostile_requests(client):
    client.ask(SET, b"kept", b"value")
    rng = random.Random(7)
    good = request(SET, b"other", b"v" * 40)
    for _ in range(500):
        bad = bytearray(good[:rng.randrange(len(good) + 1)])
        for _ in range(rng.randrange(4)):
            if bad:
                bad[rng.randrange(len(bad))] = rng.randrange(256)
        if bytes(bad[2:3]) != bytes([DELETE]):
            client.socket.send(bytes(bad))
    assert client.ask(SET, b"k" * 33, b"")[0] == MALFORMED
    assert client.ask(SET, b"", b"")[0] == MALFORMED
    assert client.ask(SET, b"key", bytes(1025))[0] == MALFORMED
    assert client.ask(7, b"key")[0] == UNKNOWN
    assert client.ask(GET, b"kept")[::2] == (OK, b"value")


# Names

def host(up, *names):
    status, said = up.sh("host " + " ".join(names) + "\n")
    return status, said.splitlines()


def has(name, *addresses):
    return [f"{name} has address {a}" for a in addresses]


def test_names_come_from_the_hosts_file_first(up):
    up.server.asked.clear()
    assert host(up, "inside", "INSIDE.test") == (0, has("inside", "10.9.8.7", "10.9.8.8") + has("INSIDE.test", "10.9.8.7"))
    assert host(up, "localhost") == (0, has("localhost", "::1", "127.0.0.1"))
    assert host(up, "10.9.8.8") == (0, ["10.9.8.8 is inside"])
    assert not up.server.asked


def test_names_come_from_a_server(up):
    up.server.zone = {
        ("plain.test", "A"): [DNSRR(rrname="plain.test", rdata="1.2.3.4"), DNSRR(rrname="plain.test", rdata="1.2.3.5")],
        ("plain.test", "AAAA"): [DNSRR(rrname="plain.test", type="AAAA", rdata="2001:db8::7")],
        ("alias.test", "A"): [DNSRR(rrname="alias.test", type="CNAME", rdata="plain.test"), DNSRR(rrname="plain.test", rdata="1.2.3.4")],
        ("alias.test", "AAAA"): [DNSRR(rrname="alias.test", type="CNAME", rdata="plain.test")],
        ("4.3.2.1.in-addr.arpa", "PTR"): [DNSRR(rrname="4.3.2.1.in-addr.arpa", type="PTR", rdata="plain.test")],
        ("broken.test", "A"): 2, ("broken.test", "AAAA"): 2,
    }
    assert host(up, "plain.test") == (0, has("plain.test", "1.2.3.4", "1.2.3.5", "2001:db8::7"))
    assert host(up, "alias.test") == (0, ["alias.test is plain.test"] + has("alias.test", "1.2.3.4"))
    assert host(up, "1.2.3.4") == (0, ["1.2.3.4 is plain.test"])
    status, said = host(up, "nobody.test", "broken.test", "not..one")
    assert status == 1 and said == ["host: nobody.test: Name or service not known", "host: broken.test: No name server answers now",
                                    "host: not..one: Name or service not known"]


def test_a_lost_answer_is_asked_for_again_from_another_port_with_another_number(up):
    lost = []

    def late(question):
        lost.append(question)
        return None if len(lost) < 2 else [DNSRR(rrname="late.test", rdata="1.1.1.1")]

    up.server.asked.clear()
    up.server.zone = {("late.test", "A"): late, ("late.test", "AAAA"): []}
    assert host(up, "late.test") == (0, has("late.test", "1.1.1.1"))
    asked = [row for row in up.server.asked if row[1] == "A"]
    assert len(asked) == 2 and asked[0][2] != asked[1][2] and asked[0][3] != asked[1][3]


def test_forged_and_broken_answers_are_not_believed(up):
    """Before each true answer come others: of other numbers, other questions, cut off, with names that loop."""
    right = [DNSRR(rrname="true.test", rdata="1.2.3.4")]
    wrong = DNSRR(rrname="true.test", rdata="6.6.6.6")

    def answer(question):
        def send(message):
            up.server.socket.sendto(bytes(message), ("127.0.0.1", up.server.asked[-1][3]))
        send(DNS(id=question.id ^ 1, qr=1, qd=question.qd, an=wrong))
        send(DNS(id=question.id, qr=0, qd=question.qd, an=wrong))
        send(DNS(id=question.id, qr=1, qd=DNSQR(qname="other.test"), an=wrong))
        send(DNS(id=question.id, qr=1, qd=None, an=wrong))
        whole = bytes(DNS(id=question.id, qr=1, qd=question.qd))
        for size in range(0, len(whole), 5):
            send(whole[:size])
        send(b"")
        send(whole[:4] + b"\0\1\0\1\0\0\0\0" + b"\xc0\x0c\0\1\0\1")  # the question's name points to itself
        return right

    up.server.zone = {("true.test", "A"): answer, ("true.test", "AAAA"): []}
    assert host(up, "true.test") == (0, has("true.test", "1.2.3.4"))


def test_the_next_server_is_asked_where_one_fails(up):
    up.server.zone = {("away.test", "A"): 2, ("away.test", "AAAA"): []}
    up.second.zone = {("away.test", "A"): [DNSRR(rrname="away.test", rdata="1.2.3.4")]}
    assert host(up, "away.test") == (0, has("away.test", "1.2.3.4"))
    up.second.asked.clear()
    assert host(up, "nobody.test") == (1, ["host: nobody.test: Name or service not known"])
    assert not up.second.asked  # the first one's word counts


def test_names_without_a_dot_are_searched_for(up):
    up.server.zone = {("plain.test", "A"): [DNSRR(rrname="plain.test", rdata="1.2.3.4")], ("plain.test", "AAAA"): [],
                      ("top", "A"): [DNSRR(rrname="top", rdata="1.2.3.5")]}
    up.server.asked.clear()
    assert host(up, "plain", "top") == (0, ["plain is plain.test"] + has("plain", "1.2.3.4") + has("top", "1.2.3.5"))
    assert [row[0] for row in up.server.asked if row[1] == "A"] == ["plain.none.test", "plain.test", "top.none.test", "top.test", "top"]


# wget

PAGE = random.Random(2).randbytes(300000)


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, fields, body = {
            "/large?a=b": (200, {"Content-Length": len(PAGE)}, PAGE),
            "/endless": (200, {}, b"until the end\n"),
            "/short": (200, {"Content-Length": 100}, b"too short"),
            "/moved": (302, {"Location": "/large?a=b"}, b""),
            "/away": (301, {"Location": f"http://pages.test:{self.server.server_port}/moved"}, b""),
            "/round": (302, {"Location": "/round"}, b""),
            "/strange": (302, {"Location": "ftp://a/"}, b""),
            "/lengths": (200, {"Content-Length": "1x"}, b"x"),
        }.get(self.path, (404, {}, b"no\n"))
        assert self.headers["Host"].endswith(f":{self.server.server_port}")
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def pages(up):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    up.server.zone[("pages.test", "A")] = [DNSRR(rrname="pages.test", rdata="10.0.2.2")]
    yield server.server_port
    server.shutdown()


def bytes_of(up, text):
    """Status and output, as bytes, of text in a shell whose output is no terminal."""
    done = subprocess.run([up.ctl.program, "console"], input=text.encode(), env=up.ctl.env, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_wget_prints_pages_and_follows_redirections(up, pages):
    up.server.zone[("pages.test", "A")] = [DNSRR(rrname="pages.test", rdata="10.0.2.2")]
    for path in ("10.0.2.2:{}/large?a=b", "http://pages.test:{}/away"):
        status, got = bytes_of(up, f"wget '{path.format(pages)}'\n")
        assert (status, hashlib.sha256(got).digest()) == (0, hashlib.sha256(PAGE).digest()), (path, got[:200])
    assert up.sh(f"wget 10.0.2.2:{pages}/endless | cat\n") == (0, "until the end\n")
    assert re.match(r"HTTP/1.0 200 OK\r?\n(.*\n)*until the end\n", up.sh(f"wget -S 10.0.2.2:{pages}/endless 2>&1\n")[1])


def test_an_answer_that_is_cut_off_is_asked_for_by_tcp(up, pages):
    up.server.whole = {("cut.test", "A"): [DNSRR(rrname="cut.test", rdata="10.0.2.2")]}
    assert up.sh(f"wget cut.test:{pages}/endless\n") == (0, "until the end\n")
    up.server.whole = {}


def test_wget_says_what_went_wrong(up, pages):
    for path, says in (("nothing", "the server says 404"), ("short", "too shortwget: .*the server ended before the page did"),
                       ("round", "too many redirections"), ("strange", "redirects to what isn't HTTP"), ("lengths", "the answer isn't HTTP")):
        status, said = up.sh(f"wget 10.0.2.2:{pages}/{path} 2>&1\n")
        assert status == 1 and re.search(says, said), (path, said)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert up.sh(f"wget 10.0.2.2:{free.getsockname()[1]}/\n") == (
            1, f"wget: 10.0.2.2:{free.getsockname()[1]}/: Connection refused\n")
    assert up.sh("wget https://a/\n")[0] == 2


# nc

def test_nc_talks_to_a_server(up):
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = subprocess.Popen([up.ctl.program, "console", f"echo question | nc 10.0.2.2 {server.getsockname()[1]}; echo ends with $?"],
                                   env=up.ctl.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        server.settimeout(20)
        peer, _ = server.accept()
        with peer:
            peer.settimeout(20)
            got = b""
            while piece := peer.recv(100):  # to the end of nc's input, which it tells
                got += piece
            assert got == b"question\n"
            peer.sendall(b"answer\n")
        assert process.communicate(timeout=20)[0].split(b"\n")[:2] == [b"answer", b"ends with 0"]


def test_nc_waits_for_a_client(up):
    process = subprocess.Popen([up.ctl.program, "console", "echo hello | nc -l 7100 | wc -c"], env=up.ctl.env, stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL)
    time.sleep(0.5)
    end = time.monotonic() + LIMIT
    while True:  # QEMU takes the connection whether anybody listens or not, and ends it if not
        with socket.create_connection(("127.0.0.1", up.tcp), timeout=20) as s:
            got = s.makefile("rb").readline()
            if got:
                assert got == b"hello\n"
                s.sendall(PAGE)
                break
        assert time.monotonic() < end
        time.sleep(0.1)
    assert process.communicate(timeout=20)[0].split() == [str(len(PAGE)).encode()]


def test_nc_sends_and_takes_datagrams(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        process = subprocess.Popen([up.ctl.program, "console", f"echo question | nc -u -w 1 10.0.2.2 {server.getsockname()[1]}"],
                                   env=up.ctl.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        got, client = server.recvfrom(100)
        assert got == b"question\n"
        for answer in (b"one\n", b"", b"two\n"):
            server.sendto(answer, client)
        assert process.communicate(timeout=20)[0] == b"one\ntwo\n"


# ping

def test_ping_counts_replies(up):
    up.server.zone[("gate.test", "A")] = [DNSRR(rrname="gate.test", rdata="10.0.2.2")]
    status, said = up.sh("ping -c 3 -i 20 gate.test\n")
    assert status == 0 and said.startswith("PING gate.test (10.0.2.2) 56(84) bytes of data.\n")
    assert re.findall(r"64 bytes from 10\.0\.2\.2: icmp_seq=(\d) ttl=\d+ time=\d+\.\d+ ms\n", said) == ["1", "2", "3"]
    assert re.search(r"3 packets transmitted, 3 received, 0% packet loss, time \d+ms\nrtt min/avg/max/mdev = [\d./]+ ms\n$", said)
    assert up.sh("ping -c 2 -i 20 -s 1472 10.0.2.2 | grep -c '^1480 bytes from'\n") == (0, "2\n")
    assert up.sh("ping -c 1 -s 0 10.0.2.2 | grep -c '^8 bytes from'\n") == (0, "1\n")


def test_ping_asks_the_machine_itself(up):
    for address in ("127.0.0.1", "127.9.9.9", "10.0.2.15", "localhost"):
        assert up.sh(f"ping -4 -c 2 -i 20 {address} | grep -c '^64 bytes from'\n") == (0, "2\n"), address


def test_ping_tells_who_is_not_there(up):
    status, said = up.sh("ping -c 1 10.0.2.99\n")
    assert status == 1 and "1 packets transmitted, 0 received, 100% packet loss" in said and "Host is unreachable" in said, said
    assert up.sh("ping -c 1 nobody.test\n")[0] == 2 and up.sh("ping -s 1473 10.0.2.2\n")[0] == 2


# IPv6, which QEMU's user network has, too

def test_ping_asks_by_ipv6(up):
    status, said = up.sh("ping -6 -c 3 -i 50 fec0::2; ping -c 1 fe80::2\n")
    assert status == 0 and said.count(" bytes from fec0::2: icmp_seq=") == 3 and "1 packets transmitted, 1 received" in said, said
    assert up.sh("ping -6 -c 2 -i 20 ::1 | grep -c '^64 bytes from ::1'\n") == (0, "2\n")
    status, said = up.sh("ping -6 -c 1 10.0.2.2\n")
    assert status == 2 and "ping: 10.0.2.2: " in said, said


def test_programs_talk_by_ipv6_within_the_machine(up):
    status, said = up.sh("sleep 2 | nc -6 -l 7210 & sleep 1; echo by six | nc -6 ::1 7210; wait\n")  # who listens ends last
    assert status == 0 and said == "by six\n", said
    status, said = up.sh("nc -u -w 2 -6 -l 7213 & sleep 1; echo a datagram | nc -u -w 1 ::1 7213; wait\n")
    assert said == "a datagram\n", said
    status, said = up.sh("nc -6 ::1 7219 < /dev/null\n")
    assert status == 1 and said == "nc: ::1: Connection refused\n", said


def test_wget_and_httpd_talk_by_ipv6(up):
    process = up.run("httpd 7214", b"7214")
    status, said = up.sh("wget http://[::1]:7214/etc/hosts\n")
    process.kill()
    assert status == 0 and "10.9.8.7 inside" in said, said
