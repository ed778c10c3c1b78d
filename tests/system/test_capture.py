"""aegisctl capture: copies of frames by a tap, as a file, a stream and lines; how it ends, and what it leaves behind."""
import os
import pty
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.utils import RawPcapReader

import images
import protocol
from conftest import ROOT
from machine import LIMIT, Nic, Refused

EXAMPLE = ROOT / "examples/filters/udp-echo"
TOLERANCE = 0.05  # seconds between the host's clock and a stamp, on a busy machine


@pytest.fixture
def nic(aegisctl, folder):
    """A machine whose network card is a socket, with udp-echo on port 7."""
    made = Nic(folder, 0)
    aegisctl.ok("run", "--detach", "--net", f"dgram:{made.guest},{made.path}")
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    made.drain()
    yield made
    made.socket.close()


class Capture:
    """A capture under way; text in lines, or bytes."""

    def __init__(self, ctl, *args, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([ctl.program, "capture", *map(str, args)], env=ctl.env, stdin=subprocess.DEVNULL,
                                        stdout=stdout, stderr=subprocess.PIPE)
        first = self.process.stderr.readline().decode()
        assert "listening on interface" in first, first + self.process.stderr.read().decode()

    def end(self, how=signal.SIGINT):
        """What it wrote, and its counts."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return out, *counts(err.decode())


def counts(err):
    found = re.fullmatch(r"aegisctl: capture: (\d+) frames captured, (\d+) dropped\n", err)
    assert found, err
    return int(found[1]), int(found[2])


def echo(nic, payload, port=7):
    """The frame sent, and the answer."""
    frame = images.datagram(nic.mac, payload, port=port)
    nic.send(frame)
    answer = nic.find(images.is_answer(payload, port=port))
    assert answer
    return frame, answer


def read(path):
    """(seconds, bytes kept, length) of each frame of a file with stamps of nanoseconds."""
    reader = RawPcapReader(str(path))
    assert reader.nano and reader.linktype == 1
    frames = [(meta.sec + meta.usec / 1e9, bytes(data), meta.wirelen) for data, meta in reader]
    reader.close()
    return frames


def tcpdump(path, *options):
    done = subprocess.run(["tcpdump", "-n", *options, "-r", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def pages_free(ctl):
    return int(re.search(r"memory\s+(\d+)", ctl.ok("status"))[1])


def test_a_file_holds_what_was_received_and_sent_with_its_time(aegisctl, nic, folder):
    capture = Capture(aegisctl, "udp", "-w", folder / "file")
    frames, moments = [], []
    for payload in (b"", b"x", b"hello", bytes(range(100)), random.Random(1).randbytes(1472)):
        before = time.time()
        frames += echo(nic, payload)
        moments += 2 * [(before, time.time())]
        time.sleep(0.05)
    nic.send(images.arp_request())
    assert nic.find(lambda f: Ether(f).haslayer(ARP))
    assert capture.end() == (b"", 10, 0)
    got = read(folder / "file")
    assert [data for _, data, _ in got] == frames
    assert [length for _, _, length in got] == [len(f) for f in frames]
    stamps = [stamp for stamp, _, _ in got]
    assert stamps == sorted(stamps)
    for stamp, (before, after) in zip(stamps, moments):
        assert before - TOLERANCE < stamp < after + TOLERANCE
    assert len(tcpdump(folder / "file")) == 10


def test_a_stream_is_read_while_frames_come(aegisctl, nic):
    capture = Capture(aegisctl, "udp dst port 7", "-w", "-")
    reader = subprocess.Popen(["tcpdump", "-l", "-n", "-r", "-"], stdin=capture.process.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    capture.process.stdout.close()
    capture.process.stdout = None
    for size in (3, 5):
        echo(nic, bytes(size))
        assert f"10.0.2.15.7: UDP, length {size}" in reader.stdout.readline()
    assert capture.end()[1:] == (2, 0)
    assert reader.wait(30) == 0


def some_frames(mac, count):
    """Frames of every kind that a line describes."""
    r = random.Random(7)
    ether = Ether(src=images.HOST_MAC, dst=mac)
    v4 = {"src": images.HOST_IP, "dst": images.GUEST_IP}
    v6 = {"src": "fe80::2", "dst": "2001:db8::15"}

    def options():
        return {"options": [(b"\x01" * 4)] if r.random() < 0.2 else []}

    kinds = [
        lambda data: IP(**v4, **options()) / UDP(sport=r.randrange(20000, 65536), dport=r.randrange(20000, 65536)) / data,
        lambda data: IP(**v4) / TCP(sport=r.randrange(20000, 65536), dport=r.randrange(20000, 65536)) / data,
        lambda data: IP(**v4) / ICMP(type=r.choice((0, 8)), id=r.randrange(65536), seq=r.randrange(65536)) / data,
        lambda data: IPv6(**v6) / UDP(sport=r.randrange(20000, 65536), dport=r.randrange(20000, 65536)) / data,
        lambda data: IPv6(**v6) / TCP(sport=r.randrange(20000, 65536), dport=r.randrange(20000, 65536)) / data,
        lambda data: IP(**v4, proto=253) / data,
        lambda data: IP(**v4, frag=r.randrange(1, 100), proto=r.choice((6, 17))) / data,
        lambda data: ARP(op=1, hwsrc=images.HOST_MAC, psrc=images.HOST_IP, pdst=f"10.0.3.{r.randrange(256)}"),
        lambda data: ARP(op=2, hwsrc=images.HOST_MAC, psrc=images.HOST_IP, hwdst=mac, pdst=images.GUEST_IP),
    ]
    for i in range(count):
        frame = bytes(ether / kinds[i % len(kinds)](r.randbytes(r.randrange(8, 400))))
        yield frame + bytes(max(0, 60 - len(frame)))


def test_lines_say_what_tcpdump_says(aegisctl, nic, folder):
    """Two captures of the same frames: the lines of one, and what tcpdump -q makes of the other's file. Some of the frames
    that nobody takes are answered (test_answers.py)."""
    lines, file = Capture(aegisctl), Capture(aegisctl, "-w", folder / "file")
    for frame in some_frames(nic.mac, 180):
        nic.send(frame)
        time.sleep(0.004)
    echo(nic, b"last")
    out, *got = lines.end()
    assert got[0] > 182 and got[1] == 0 and file.end()[1:] == tuple(got)
    mine = [line.split(" ", 1) for line in out.decode().splitlines()]
    theirs = [line.split(" ", 1) for line in tcpdump(folder / "file", "-q")]
    assert [text[:4] for _, text in mine].count("In  ") == 181 and mine[-1][1].startswith("Out ")
    for (_, a), (_, b) in zip(mine, theirs, strict=True):
        if "ICMP type 3" in a:  # tcpdump tells of the quoted header, too
            assert " unreachable, length" in b and a[4:].split(":")[0] == b.split(":")[0]
        else:
            assert a[4:] == b.replace(":  ip-proto", ": ip-proto")
    for (a, _), (b, _) in zip(mine, theirs):
        seconds = [sum(float(n) * f for n, f in zip(t.split(":"), (3600, 60, 1))) for t in (a, b)]
        assert abs(seconds[0] - seconds[1]) < TOLERANCE


def test_as_many_frames_as_asked_for_are_taken(aegisctl, nic, folder):
    capture = Capture(aegisctl, "-c", 3, "-w", folder / "file")
    sent = [echo(nic, bytes(i)) for i in range(4)]
    assert capture.wait() == (b"", 3, 0)
    assert [data for _, data, _ in read(folder / "file")] == [*sent[0], sent[1][0]]


def test_a_snap_length_keeps_the_beginning(aegisctl, nic, folder):
    capture = Capture(aegisctl, "-s20", "-c1", "-w", folder / "file")
    frame, _ = echo(nic, bytes(100))
    capture.wait()
    [(_, data, length)] = read(folder / "file")
    assert (data, length) == (frame[:20], len(frame))


def test_captures_beside_each_other_get_their_own_frames(aegisctl, nic):
    """More of them than the agent can wait for at once."""
    ports = range(100, 106)
    captures = [Capture(aegisctl, f"udp dst port {port}", "-c", 5) for port in ports]
    for i in range(5):
        for port in ports:
            nic.send(images.datagram(nic.mac, bytes(i), port=port))
            time.sleep(0.002)
    for port, capture in zip(ports, captures):
        out, *got = capture.wait()
        assert got == [5, 0] and out.count(f"10.0.2.15.{port}: UDP".encode()) == 5


def end_by_count(capture, nic):
    echo(nic, b"1")
    capture.process.wait(30)


def end_by_closing(capture, _):
    capture.process.stdout.close()
    capture.process.stdout = None
    assert capture.process.wait(10) == 0


@pytest.mark.parametrize("end", [
    lambda c, _: c.end(signal.SIGINT), lambda c, _: c.end(signal.SIGTERM), lambda c, _: c.process.kill(), end_by_count,
    end_by_closing], ids=["interrupt", "terminate", "kill", "count", "reader"])
def test_nothing_is_left_however_it_ends(aegisctl, nic, end):
    """Neither memory nor a binding: the next one has the number that it would have had."""
    first = Capture(aegisctl)
    first.end()
    free, listed = pages_free(aegisctl), aegisctl.ok("list")
    capture = Capture(aegisctl, "-c", 1)
    assert pages_free(aegisctl) < free
    end(capture, nic)
    capture.process.wait(30)
    deadline = time.monotonic() + 10  # a client that was killed is missed by the broker, a moment later
    while pages_free(aegisctl) != free:
        assert time.monotonic() < deadline, "the tap is still there"
        time.sleep(0.05)
    assert [line.split()[:6] for line in aegisctl.ok("list").splitlines()] == [line.split()[:6] for line in listed.splitlines()]
    assert "binding 4 feeds" in aegisctl.ok("load", "udp dst port 9", "--app", "udp-echo", "--name", "nine")


def test_a_script_can_interrupt_one_in_the_background(aegisctl, nic, folder):
    """There a shell has SIGINT ignored; and this is how scripts end tcpdump, too."""
    script = f"{aegisctl.program} capture -w {folder}/file & sleep 1; kill -INT $!; wait $!"
    done = subprocess.run(["sh", "-c", script], env=aegisctl.env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and "0 frames captured" in done.stderr


def test_a_reader_that_stands_still_is_no_reason_to_hang(aegisctl, nic):
    """Its pipe is full: frames are lost and counted, others are served, and a signal still ends it."""
    capture = Capture(aegisctl, "-w", "-")
    for i in range(150):
        echo(nic, bytes(1400))
    aegisctl.ok("list")
    capture.process.send_signal(signal.SIGTERM)
    assert capture.process.wait(20) == 0
    captured, dropped = counts(capture.process.stderr.read().decode())
    assert captured + dropped == 300 and dropped > 0


def test_a_flood_starves_nobody_and_no_frame_is_unaccounted_for(aegisctl, nic, folder):
    captures = [Capture(aegisctl, "udp", "-w", folder / f"file{i}") for i in range(2)]
    stop, sent = threading.Event(), [0]

    def flood():
        frames = [images.datagram(nic.mac, bytes(size), port=99) for size in (0, 200, 1400)]
        while not stop.is_set():
            nic.send(frames[sent[0] % 3])
            sent[0] += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for i in range(5):
            start = time.monotonic()
            aegisctl.ok("load", f"udp dst port {200 + i}", "--app", "udp-echo", "--name", f"n{i}")
            aegisctl.ok("list")
            aegisctl.ok("unload", f"n{i}")
            assert time.monotonic() - start < 20
        while sent[0] <= 500:
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join()
    echo(nic, b"after")
    for i, capture in enumerate(captures):
        _, captured, dropped = capture.end()
        assert captured + dropped == sent[0] + 2
        assert len(read(folder / f"file{i}")) == captured > 0


def test_the_end_of_the_machine_ends_it(aegisctl, nic, folder):
    capture = Capture(aegisctl, "-w", folder / "file")
    frames = echo(nic, b"once")
    time.sleep(0.2)
    aegisctl.ok("stop")
    _, err = capture.process.communicate(timeout=30)
    why, last = err.decode().splitlines(keepends=True)
    assert capture.process.returncode == 0 and "the machine ended with status 0" in why and counts(last) == (2, 0)
    assert [data for _, data, _ in read(folder / "file")] == list(frames)


@pytest.mark.parametrize("args, status, part", [
    (["udp", "prot", "7"], 2, "syntax"), (["inbound"], 1, "inbound"), (["./no/such/filter"], 1, "No such file"),
    (["filters/none"], 2, "no file"), (["-c", "0"], 2, "-c"), (["-s", "x"], 2, "-s"), (["-w"], 2, "-w needs a value"),
    (["-q"], 2, "unknown option -q"), (["--w", "x"], 2, "unknown option --w"), (["--netif", "3"], 1, "no number 3"),
    (["-w", "/none/file"], 1, "/none/file"), (["-w", "/dev/full"], 1, "No space")])
def test_mistakes_are_named(aegisctl, nic, args, status, part):
    done = aegisctl("capture", *args)
    assert done.returncode == status and part in done.stderr and done.stdout == ""


def test_a_file_is_not_written_to_a_terminal(aegisctl):
    ours, theirs = pty.openpty()
    done = subprocess.run([aegisctl.program, "capture", "-w", "-"], stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=30,
                          env=aegisctl.env, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2 and "terminal" in done.stderr


def test_without_a_machine_no_file_is_touched(aegisctl, folder):
    (folder / "file").write_text("mine")
    done = aegisctl("capture", "-w", folder / "file")
    assert done.returncode == 1 and "does not run" in done.stderr and (folder / "file").read_text() == "mine"


# ---- the agent's side alone, by a client that doesn't keep the rules ----

ALL = images.dpf((12, 1, 8))  # IPv4 and ARP


def begin(control, filter_=ALL, snaplen=65535, netif=0):
    body = protocol.encode("capture", netif=netif, snaplen=snaplen, filter=filter_)
    return protocol.decode("capturing", control.ask(protocol.CAPTURE, body))["capture"]


def refusal(control, kind, body):
    with pytest.raises(Refused) as refused:
        control.ask(kind, body)
    return refused.value


def test_a_request_for_frames_waits_for_one(machine):
    m = machine().up()
    number = begin(m.control)
    ask = protocol.encode("frames", capture=number)
    start = time.monotonic()
    assert protocol.rows("frame_row", m.control.ask(protocol.FRAMES, ask)) == []
    assert time.monotonic() - start > 0.9
    m.control.send(protocol.FRAMES, 77, ask)
    assert refusal(m.control, protocol.FRAMES, ask).code == 0x100E
    m.nics[0].send(images.arp_request())
    kind, answered, body = m.control.receive()
    assert (kind, answered) == (protocol.FRAMES | protocol.REPLY, 77)
    assert protocol.rows("frame_row", body)[0]["bytes"] == images.arp_request()


def test_frames_asked_for_come_before_the_end(machine):
    m = machine().up()
    number = begin(m.control)
    m.control.send(protocol.FRAMES, 77, protocol.encode("frames", capture=number))
    m.control.send(protocol.CAPTURE_END, 78, protocol.encode("capture_end", capture=number))
    assert [m.control.receive()[:2] for _ in range(2)] == [
        (protocol.FRAMES | protocol.REPLY, 77), (protocol.CAPTURE_END | protocol.REPLY, 78)]
    assert refusal(m.control, protocol.FRAMES, protocol.encode("frames", capture=number)).code == 0x1010


@pytest.mark.parametrize("body, part", [
    (protocol.encode("capture", netif=0, snaplen=100, filter=b""), "filter"),
    (protocol.encode("capture", netif=0, snaplen=100, filter=bytes(range(200))), "filter"),
    (protocol.encode("capture", netif=0, snaplen=0, filter=ALL), "0 bytes"),
    (protocol.encode("capture", netif=1, snaplen=100, filter=ALL), "no number 1"), (b"", "malformed")])
def test_a_capture_that_makes_no_sense_is_refused(machine, body, part):
    m = machine().up()
    assert part in refusal(m.control, protocol.CAPTURE, body).text
    assert begin(m.control) != 0


def test_captures_are_limited_and_forgotten_with_the_host_that_made_them(machine):
    m = machine().up()
    for _ in range(16):  # page tables stay
        begin(m.control)
    m.control.hello()
    free = m.control.status()["pages_free"]
    numbers = [begin(m.control) for _ in range(16)]
    assert len(set(numbers)) == 16
    assert "16 captures" in refusal(m.control, protocol.CAPTURE, protocol.encode(
        "capture", netif=0, snaplen=1, filter=ALL)).text
    m.control.hello()
    assert m.control.status()["pages_free"] == free
    assert refusal(m.control, protocol.CAPTURE_END, protocol.encode("capture_end", capture=numbers[0])).code == 0x1010


def test_a_capture_for_which_memory_is_short_is_refused_whole(machine):
    m = machine(memory=32).up()
    free, made = m.control.status()["pages_free"], 0
    for _ in range(16):
        try:
            begin(m.control)
            made += 1
        except Refused as refused:
            assert "NO_PAGE" in refused.text or "NO_SPACE" in refused.text
            break
    m.control.hello()
    assert made > 0 and abs(m.control.status()["pages_free"] - free) < 20
