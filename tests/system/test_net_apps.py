"""Programs of the network that a user of the console has, started from the shell, with real peers: kv."""
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

from conftest import BUILD, Aegisctl

KV_PORT = 7071
GET, SET, DELETE = 1, 2, 3
OK, NOT_FOUND, MALFORMED, FULL, CONFLICT, UNKNOWN = range(6)
LIMIT = 20


class Up:
    """A machine behind user networking, and programs that its shell runs."""

    def __init__(self, folder):
        self.ctl = Aegisctl(folder)
        said = self.ctl.ok("run", "--detach", "--port", f"0:{KV_PORT}")
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", said)[1])

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
    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.tag = random.getrandbits(32)

    def ask(self, operation, key, value=b"", version=0):
        """(status, version, value); repeated like any client's until it is answered."""
        self.tag = self.tag + 1 & 0xffffffff
        for _ in range(10):
            self.socket.send(request(operation, key, value, version, self.tag))
            end = time.monotonic() + 1
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
        raise AssertionError("no answer")


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
