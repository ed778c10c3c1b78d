"""Programs as for any system with sockets (tests/programs), which are compiled for Linux and for ExOS from one source."""
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

import images
from conftest import BUILD, ROOT, Aegisctl

PROGRAMS = ROOT / "tests/programs"

# Where ExOS does as POSIX has it, and Linux otherwise; or knows at once what Linux learns later (docs/limits.md).
DIFFERENT = [
    ("a stream that isn't connected: send(fd, &byte, 1, 0)", "EPIPE SIGPIPE", "ENOTCONN"),
    ("a stream that isn't connected: send(fd, &byte, 1, MSG_NOSIGNAL)", "EPIPE", "ENOTCONN"),
    ("a stream that isn't connected: write(fd, &byte, 1)", "EPIPE SIGPIPE", "ENOTCONN"),
    ("listeners: send(fd, &byte, 1, 0)", "EPIPE SIGPIPE", "ENOTCONN"),
    ("a refused connect that nobody waits for: connect(fd, P(address), sizeof address)", "EINPROGRESS", "ECONNREFUSED"),
    ("a refused connect that nobody waits for: error == ECONNREFUSED", "1", "0"),
]


PORTS = {"select_echo": 7101, "fork_echo": 7102, "poll_chat": 7103}
LIMIT = 100  # seconds


class Guest:
    """A machine with the programs."""

    def __init__(self, folder):
        self.folder = folder
        files = [part for name in ("initrd", "programs") for part in images.cpio_files((BUILD / f"guest/{name}.cpio").read_bytes())]
        (folder / "initrd").write_bytes(images.cpio(files))
        self.ctl = Aegisctl(folder)
        ports = [word for port in PORTS.values() for word in ("--port", f"0:{port}/tcp")]
        said = self.ctl.ok("run", "--detach", "--initrd", folder / "initrd", *ports)
        self.ports = {name: int(re.search(rf"TCP 127\.0\.0\.1:(\d+) -> guest {port}\b", said)[1]) for name, port in PORTS.items()}

    def start(self, name, *arguments):
        """Start a server; the port on which the host reaches it."""
        self.ctl.ok("start", name, PORTS[name], *arguments)
        self.wait(name, "ready")
        return self.ports[name]

    def wait(self, name, said):
        """For a line of a program's."""
        end = time.monotonic() + LIMIT
        while f"{name}: {said}" not in self.ctl.log():
            assert time.monotonic() < end, self.ctl.log()
            time.sleep(0.02)

    def sh(self, text):
        """What the shell prints; where it doesn't end, the failure says how far it came."""
        try:
            done = subprocess.run([self.ctl.program, "console"], input=text, env=self.ctl.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{text!r} goes on after {(late.stdout or b'')[-500:]}; {self.ctl.log()}") from None
        return done.stdout

    def try_all(self, name, text):
        lines = "".join(f"echo {line}; " for line in text.splitlines())
        return self.sh(f"({lines}) | try_all localhost {PORTS[name]}\n")


class Linux:
    """The same on this host."""

    def __init__(self, folder):
        self.folder, self.running, self.ports = folder, {}, {}

    def made(self, name):
        program = self.folder / name
        if not program.exists():
            subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-o", program, PROGRAMS / f"{name}.c"], check=True, timeout=LIMIT)
        return program

    def start(self, name, *arguments):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.ports[name] = s.getsockname()[1]
        self.running[name] = subprocess.Popen([self.made(name), str(self.ports[name]), *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        self.wait(name, "ready")
        return self.ports[name]

    def wait(self, name, said):
        assert self.running[name].stdout.readline() == f"{name}: {said}\n"

    def try_all(self, name, text):
        return subprocess.run([self.made("try_all"), "localhost", str(self.ports[name])], input=text, capture_output=True, text=True,
                              timeout=LIMIT, check=False).stdout

    def kill(self):
        for process in self.running.values():
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture(scope="module")
def guest():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    guest = Guest(folder)
    yield guest
    guest.ctl("stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["exos", "linux"])
def system(request, folder):
    if request.param == "exos":
        yield request.getfixturevalue("guest")
        return
    linux = Linux(folder)
    yield linux
    linux.kill()


def test_calls_on_sockets_return_what_they_return_on_linux(guest):
    """calls.linux was written by Linux 6.18: cc -D_GNU_SOURCE tests/programs/calls*.c && ./a.out >tests/programs/calls.linux"""
    linux = (PROGRAMS / "calls.linux").read_text().splitlines()
    guest.ctl.ok("start", "--wait", "--timeout", LIMIT, "calls", timeout=LIMIT + 10)
    guest.wait("calls", "done")
    exos = re.findall(r"^\[\d+ calls\] (.*)", guest.ctl.log(), re.M)
    pairs = [(a, b) for a, b in zip(linux, exos) if a != b]
    assert pairs == [(f"{what} = {there}", f"{what} = {here}") for what, there, here in DIFFERENT]
    assert len(linux) == len(exos) and exos[-1] == "calls: done"


class Client:
    """A connection to a server, and what comes of it, line by line."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.file = self.socket.makefile("rb")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")
        return self

    def hears(self, text):
        assert self.file.readline() == text.encode() + b"\n"
        return self

    def ends(self):
        """This side first; then nothing comes any more."""
        self.socket.shutdown(socket.SHUT_WR)
        assert self.file.read() == b""
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.mark.parametrize("name, end", [("select_echo", "done"), ("fork_echo", "4 ended, 0 failed")])
def test_an_echo_serves_clients_beside_each_other_and_one_on_its_own_system(system, name, end):
    """By select, and by a child for each; the last client is try_all, which falls back from ::1 to 127.0.0.1."""
    port = system.start(name, 4)
    clients = [Client(port) for _ in range(3)]
    for turn in range(3):
        for number, client in enumerate(clients):
            client.say(f"{number} says {turn}")
        for number, client in enumerate(clients):
            client.hears(f"{number} says {turn}")
    whole = ("x" * 20000 + "\n").encode()
    clients[1].socket.sendall(whole)
    assert clients[1].file.readline() == whole
    for client in clients:
        client.ends()
    said = system.try_all(name, "one\ntwo\n")
    assert said == "try_all: connected to 127.0.0.1\nback: one\nback: two\ntry_all: end\n"
    system.wait(name, end)


def test_a_chat_tells_each_line_to_all_others(system):
    port = system.start("poll_chat")
    first, second, third = (Client(port).hears("welcome") for _ in range(3))
    first.hears("2 is here").hears("3 is here").say("hello")
    second.hears("3 is here").hears("1 hello")
    third.hears("1 hello").say("a line").say("and another")
    first.hears("3 a line").hears("3 and another")
    second.hears("3 a line").hears("3 and another").close()
    first.hears("2 has left").close()
    third.hears("2 has left").hears("1 has left").close()
    system.wait("poll_chat", "empty")
