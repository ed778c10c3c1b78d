"""The bench itself: both ways of counting against loops of known length, the bare limit, the client's verdicts, and the gate."""
import importlib.util
import json
import lzma
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "bench"))

from harness import bpf, client, dpf, frames, gate, linux, machine, main, results, stats  # noqa: E402

CLIENT = BUILD / "bench/bench-client"
PLUGIN = BUILD / "bench/libcount.so"
LIMIT = BUILD / "guest/bench/limit.elf"
LOOPS = BUILD / "guest/bench/loops.elf"


def run_client(*arguments):
    return subprocess.run([str(CLIENT), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def run_bench(*arguments, **environment):
    return subprocess.run([str(ROOT / "ci/bench"), "--build", str(BUILD), *map(str, arguments)], capture_output=True,
                          text=True, timeout=110, check=False, env={**os.environ, **environment})


# Counting

def count_loops(rounds, options=""):
    """What the guest counts of a loop of so many rounds, and what the plugin counts of the whole machine."""
    arguments = ["-kernel", str(LOOPS), "-device", f"loader,addr=0x81000000,data={rounds},data-len=8"]
    with machine.Machine("loops", arguments, net=False, icount=True, plugin=f"{PLUGIN}{options}") as guest:
        _, found = guest.wait_line(r"^\{.*\}$", 60)
        counter = guest.counter()
        assert guest.wait_end(60) == 0
        return json.loads(found[0]), counter.read()


def test_guest_and_plugin_count_loops_of_known_length_exactly():
    few, machine_few = count_loops(2000)
    many, machine_many = count_loops(3000)  # as many digits are printed, so the runs differ by the loops alone
    for got in (few, many):
        expected = got["rounds"] * got["length"] + got["read_cost"]
        assert got["instret"] == expected
        assert got["cycle"] == expected
    loops = 2  # one read by instret, one by cycle
    assert machine_many - machine_few == loops * 1000 * few["length"]


def test_plugin_counts_what_lies_in_a_range_of_addresses():
    """The range of the function that loops, and then none."""
    from harness import profile
    low, high = profile.Symbols(LOOPS).bounds("main")
    few, machine_few = count_loops(2000, f",only={low:x}-{high:x}")
    many, machine_many = count_loops(3000, f",only={low:x}-{high:x}")
    _, everything = count_loops(3000)
    assert machine_many - machine_few == 2 * 1000 * few["length"]
    assert many["rounds"] * many["length"] < machine_many < everything
    assert count_loops(2000, ",only=0-1")[1] == 0


def test_plugin_refuses_what_it_cannot_count():
    command = [machine.QEMU, *machine.BOARD, "-kernel", str(LOOPS), "-plugin"]
    for extra, sentence in (([f"{PLUGIN}"], "counter=PATH"), ([f"{PLUGIN},counter=/tmp/never-made,only=5-5"], "only=LOW-HIGH"),
                            ([f"{PLUGIN},counter=/dev/null/x"], "/dev/null/x"),
                            ([f"{PLUGIN},counter=/tmp/never-made", "-smp", "2"], "leave out -smp")):
        done = subprocess.run([*command, *extra], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        assert sentence in done.stderr


def test_profile_names_where_the_instructions_of_an_echo_go():
    from harness import profile
    context = main.Context(BUILD, quick=True)
    functions, total = profile.count(context, "limit")
    assert sum(functions.values()) == pytest.approx(total, abs=0.1)
    assert functions["limit", "main"] > 10
    assert functions["limit", "frame_answer"] > 10
    assert {part for part, _ in functions} <= {"limit", "firmware"}


# Generated code in the kernel

CONTEXT = main.Context(BUILD, quick=True)


def test_the_kernel_checks_a_frame_that_leaves_with_as_many_instructions_as_the_simulator_counts():
    """The kernel's code, counted from outside, against tests/shape, whose simulator knows nothing of QEMU."""
    text = (ROOT / "tests/shape/egress_check.shape").read_text()
    egress = re.search(r"^filter ether src \S+ and (.*)$", text, re.M)[1]
    frame = bytes.fromhex("".join(re.findall(r"^frame (.*)$", text, re.M)).replace(" ", ""))
    expected = int(re.search(r"^instructions (\d+)$", text, re.M)[1])
    images = frames.compile_text(CONTEXT, "udp port 7")[0], frames.compile_text(CONTEXT, egress)[0]
    frame = frame[:6] + frames.GUEST_MAC + frame[12:]
    with frames.FramesMachine(CONTEXT, [images], frame=frame) as guest:
        guest.bind(1)
        assert guest.each_sent() == expected


def test_instructions_of_classifiers_and_handlers_are_told_apart(folder):
    udp, other = (frames.ipv4(17, "10.0.0.1", "10.0.0.2", frames.ports(9, port)) for port in (7, 8))
    image = bpf.image(CONTEXT, ROOT / "bench/handlers/drop.c")
    with frames.FramesMachine(CONTEXT, frames.shape(CONTEXT, "ip and udp dst port @", 3, 7), handler=image) as guest:
        empty = guest.each(udp)
        assert guest.bind(1) > 10000  # verifying, containment, the trie, the compiler
        one = guest.each(udp)
        assert 0 < empty < one < 60
        size = guest.load_handler()
        assert one < guest.each(udp) <= one + size // 2  # compressed instructions take two bytes
        assert guest.each(other) < one + 2
        with pytest.raises(machine.MachineError, match="not all of them the same"):
            guest.share(guest.count(lambda: [guest.put(f) for f in (udp, other)], asks=False), 2)
        guest.unload_handler()
        assert guest.each(udp) == one


def test_a_filter_is_numbered_where_its_number_stands():
    image = frames.compile_text(CONTEXT, f"udp dst port {frames.NUMBER}")[0]
    assert frames.numbered(image, 9) == frames.compile_text(CONTEXT, "udp dst port 9")[0]
    with pytest.raises(machine.MachineError, match="isn't a set of its own"):
        frames.numbered(frames.compile_text(CONTEXT, "udp dst port 9")[0], 7)


def test_every_shape_has_a_frame_of_its_own():
    names = [name for name, _ in dpf.shapes()]
    assert len(names) == 10 and set(names) == set(dpf.SHAPE_FRAMES)
    filters = [frames.shape(CONTEXT, text, 1, dpf.SHAPE_FIRST)[0] for _, text in dpf.shapes()]
    with frames.FramesMachine(CONTEXT, filters) as guest:
        guest.bind(10)
        each = [guest.each(dpf.SHAPE_FRAMES[name](dpf.SHAPE_FIRST)) for name in names]
        counters = [guest.received(i) for i in range(10)]
    assert counters == [frames.FRAMES] * 10 and min(each) > 10


def test_counter_file_of_something_else_is_refused(folder):
    (folder / "counter").write_bytes(bytes(4096))
    with pytest.raises(machine.MachineError, match="not a file of the plugin"):
        machine.Counter(folder / "counter")


# The limit

@pytest.fixture
def limit():
    with machine.Machine("limit", ["-kernel", str(LIMIT)], plugin=PLUGIN) as guest:
        guest.wait_line("answers UDP port 7", 60)
        yield guest


def test_limit_echoes_and_every_echo_costs_the_same(limit):
    got = client.echo(CLIENT, limit, 100, counted=True)
    assert (got["received"], got["lost"], got["wrong"], got["late"]) == (100, 0, 0, 0)
    # 192 for a similar program when the platform was measured; most echoes cost what the median does.
    middle, _, _ = stats.spread(got["insn"])
    assert 150 <= middle <= 230
    assert sum(value == middle for value in got["insn"]) >= 50


@pytest.mark.parametrize("size", [16, 17, 1472])
def test_limit_echoes_payloads_of_any_size_in_windows(limit, size):
    got = client.echo(CLIENT, limit, 500, size=size, window=32)
    assert got["received"] == 500


def test_limit_answers_nothing_but_its_port(limit):
    done = run_client("--local", limit.local, "--remote", limit.remote, "--port", 8, "--count", 3, "--warmup", 0,
                      "--timeout", 50)
    assert done.returncode == 1
    assert json.loads(done.stdout)["lost"] == 3


# The client, against a guest that misbehaves on purpose

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def turned(frame, udp_checksum=True):
    """The echo of a datagram, made anew."""
    ip, udp, payload = frame[14:34], frame[34:42], frame[42:]
    header = ip[:10] + b"\0\0" + ip[16:20] + ip[12:16]
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    ports = udp[2:4] + udp[0:2] + udp[4:6]
    pseudo = header[12:20] + struct.pack("!BBH", 0, 17, len(payload) + 8)
    total = checksum(pseudo + ports + b"\0\0" + payload) if udp_checksum else 0
    return frame[6:12] + frame[0:6] + frame[12:14] + header + ports + struct.pack("!H", total) + payload


class Guest:
    """Answers ARP; answers the n-th datagram (from 1) with the frames that answer(n, frame) gives."""

    def __init__(self, folder, answer):
        self.local, self.remote = folder / "client", folder / "guest"
        self.name, self.answer = "guest", answer
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.remote))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        mac, datagrams = bytes.fromhex("525400123456"), 0
        while frame := self.socket.recv(2048):
            if frame[12:14] == b"\x08\x06":
                answers = [frame[6:12] + mac + frame[12:20] + b"\0\2" + mac + frame[38:42] + frame[22:32]]
            else:
                datagrams += 1
                answers = self.answer(datagrams, frame)
            for answer in answers:
                try:
                    self.socket.sendto(answer, str(self.local))
                except OSError:
                    pass  # the client has ended

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.remote))
        self.thread.join(10)
        self.socket.close()


@pytest.fixture
def guest(folder):
    made = []

    def make(answer):
        made.append(Guest(folder, answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def echo_of(guest, count, *more):
    done = run_client("--local", guest.local, "--remote", guest.remote, "--count", count, "--warmup", 0, "--timeout",
                      100, *more)
    return done.returncode, json.loads(done.stdout)


def test_client_takes_a_well_behaved_guest(guest):
    status, got = echo_of(guest(lambda n, frame: [turned(frame, udp_checksum=n % 2 == 0)]), 50)
    assert (status, got["sent"], got["received"], got["lost"], got["wrong"]) == (0, 50, 50, 0, 0)
    assert len(got["rtt_ns"]) == 50 and min(got["rtt_ns"]) > 0


def test_client_counts_lost_answers(guest):
    status, got = echo_of(guest(lambda n, frame: [] if n % 5 == 0 else [turned(frame)]), 20)
    assert (status, got["received"], got["lost"], got["wrong"]) == (1, 16, 4, 0)


def damaged(frame, offset):
    return frame[:offset] + bytes([frame[offset] ^ 1]) + frame[offset + 1:]


@pytest.mark.parametrize("damage", [
    lambda f: damaged(f, 60),  # payload, so also the UDP checksum
    lambda f: damaged(turned(f, udp_checksum=False), 60),  # payload alone
    lambda f: damaged(turned(f), 24),  # IPv4 checksum
    lambda f: damaged(turned(f), 40),  # UDP checksum
    lambda f: damaged(turned(f), 35),  # source port
    lambda f: damaged(turned(f), 6),  # source hardware address
    lambda f: turned(f)[:-1],  # cut short
    lambda f: f,  # not turned round
    lambda f: b"\0" * 10,  # a runt
])
def test_client_counts_wrong_answers(guest, damage):
    status, got = echo_of(guest(lambda n, frame: [damage(frame)] if n == 3 else [turned(frame)]), 5)
    assert (status, got["received"], got["lost"], got["wrong"]) == (1, 4, 1, 1)


def test_client_tells_an_answer_that_comes_twice(guest):
    status, got = echo_of(guest(lambda n, frame: [turned(frame)] * 2), 10)
    assert (status, got["received"], got["wrong"]) == (0, 10, 0)
    assert got["late"] >= 9  # the last one's twin may come after the end


def test_client_gives_up_at_its_deadline(guest):
    status, got = echo_of(guest(lambda n, frame: []), 1000, "--deadline", 1)
    assert (status, got["expired"], got["received"]) == (1, True, 0)
    assert got["lost"] == got["sent"] > 0


def test_bench_refuses_figures_of_a_system_that_loses_frames(guest):
    with pytest.raises(client.ClientError, match="of 3 requests, 1 were lost and 0 answers wrong"):
        client.echo(CLIENT, guest(lambda n, frame: [] if n == 2 else [turned(frame)]), 3, warmup=0)


@pytest.mark.parametrize("arguments, sentence", [
    ([], "--local and --remote are required"),
    (["--local", "a", "--remote", "b", "--count", "0"], "from 1 to 1000000"),
    (["--local", "a", "--remote", "b", "--size", "1473"], "out of range of --mode udp"),
    (["--local", "a", "--remote", "b", "--mode", "tcp", "--window", "2"], "out of range of --mode tcp"),
    (["--local", "a", "--remote", "b", "--mode", "sctp"], "no --mode sctp"),
    (["--local", "a", "--remote", "b", "--self", "10.0.2"], "not an IPv4 address"),
    (["--local", "a", "--remote", "b", "--counter", "c", "--window", "2"], "--counter needs --window 1"),
    (["--local", "a", "--remote", "b", "more"], "unexpected argument"),
])
def test_client_says_what_is_wrong_with_its_arguments(arguments, sentence):
    done = run_client(*arguments)
    assert done.returncode == 2 and sentence in done.stderr and done.stdout == ""


def test_client_without_a_machine_says_so(folder):
    done = run_client("--local", folder / "a", "--remote", folder / "b")
    assert done.returncode == 1 and "start QEMU with -netdev dgram first" in done.stderr


class Streams:
    """
    TCP for a Guest: answer(port, bytes) gives what goes back when bytes have come to a connection (port is the
    client's), b"" at its end. Of the segments with data, number `lost` is thrown away once.
    """
    SYN, FIN, ACK, ROOM = 2, 1, 16, 1400

    def __init__(self, answer, lost=0):
        self.answer, self.lost, self.data, self.ends = answer, lost, 0, {}

    def __call__(self, _, frame):
        ip, tcp = frame[14:34], frame[34:]
        port, number, flags = int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[4:8], "big"), tcp[13]
        payload = tcp[tcp[12] >> 4 << 2:]
        self.data += bool(payload)
        if payload and self.data == self.lost:
            return []
        if flags & self.SYN:
            self.ends[port] = [1000, number + 1]
            answers = [self.segment(ip, tcp, self.SYN | self.ACK, b"")]
            self.ends[port][0] += 1
            return answers
        if not payload and not flags & self.FIN:
            return []
        own = self.ends[port]
        answer = b""
        if number == own[1]:
            own[1] = own[1] + len(payload) + (flags & self.FIN) & 0xFFFFFFFF
            answer = self.answer(port, payload)
        answers = []
        for at in range(0, max(1, len(answer)), self.ROOM):
            piece = answer[at:at + self.ROOM]
            answers.append(self.segment(ip, tcp, self.ACK, piece))
            own[0] += len(piece)
        return answers

    def segment(self, ip, tcp, flags, payload):
        own = self.ends[int.from_bytes(tcp[:2], "big")]
        made = tcp[2:4] + tcp[:2] + struct.pack("!IIBBHHH", own[0], own[1] & 0xFFFFFFFF, 5 << 4, flags, 8192, 0, 0) + payload
        total = checksum(ip[16:20] + ip[12:16] + struct.pack("!BBH", 0, 6, len(made)) + made)
        made = made[:16] + struct.pack("!H", total) + made[18:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(made), 0, 0, 64, 6, 0) + ip[16:20] + ip[12:16]
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return bytes.fromhex("52550a000202525400123456") + b"\x08\0" + header + made


def ask(guest, streams, *arguments):
    to = guest(streams)
    done = run_client("--local", to.local, "--remote", to.remote, "--warmup", 0, "--deadline", 5, "--timeout", 2000, *arguments)
    return done.returncode, json.loads(done.stdout)


PAGE = client.pattern(2000)


def page_of(head, body):
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


GOOD_PAGE = page_of("HTTP/1.1 200 OK\nServer: test\ncontent-length: 2000", PAGE)


def test_client_takes_pages_over_connections_that_stay(guest):
    streams = Streams(lambda port, data: GOOD_PAGE if data.startswith(b"GET /a%20page HTTP/1.1\r\nHost: ") else b"")
    status, got = ask(guest, streams, "--mode", "http", "--path", "/a%20page", "--size", 2000, "--window", 4, "--count", 30)
    assert (status, got["sent"], got["received"], got["lost"], got["wrong"]) == (0, 30, 30, 0, 0)
    assert len(streams.ends) == 4 and len(got["rtt_ns"]) == 30


@pytest.mark.parametrize("page", [
    page_of("HTTP/1.1 404 Not Found\nContent-Length: 2000", PAGE),
    page_of("HTTP/1.1 200 OK\nContent-Length: 1999", PAGE[:-1]),
    page_of("HTTP/1.1 200 OK\nContent-Length: 1999", PAGE),
    page_of("HTTP/1.1 200 OK\nContent-Length: 2000", damaged(PAGE, 1999)),
], ids=["status", "short", "more than its length", "other bytes"])
def test_client_counts_wrong_pages(guest, page):
    left = [GOOD_PAGE, page]
    streams = Streams(lambda port, data: left.pop() if left else GOOD_PAGE)
    status, got = ask(guest, streams, "--mode", "http", "--size", 2000, "--count", 5)
    assert (status, got["received"], got["wrong"]) == (1, 5, 1)


def test_client_counts_pages_that_do_not_come_as_lost(guest):
    streams = Streams(lambda port, data: GOOD_PAGE[:-1])
    status, got = ask(guest, streams, "--mode", "http", "--size", 2000, "--count", 5, "--timeout", 200)
    assert (status, got["received"], got["lost"]) == (1, 0, 1)


@pytest.mark.parametrize("lost, claimed, expected", [(0, 0, (0, 1, 0)), (7, 0, (0, 1, 0)), (0, 1, (1, 0, 1))],
                         ids=["whole", "a segment is lost", "the guest says that less came"])
def test_client_sends_a_stream_and_is_told_how_much_came(guest, lost, claimed, expected):
    came = []

    def take(_, data):
        came.append(data)
        return b"" if data else struct.pack("!Q", sum(map(len, came)) - claimed)

    status, got = ask(guest, Streams(take, lost), "--mode", "bulk-in", "--bytes", 100000)
    assert (status, got["received"], got["wrong"]) == expected
    assert b"".join(came) == client.pattern(100000)
    assert (got["resent"] > 0) == (lost > 0)


@pytest.mark.parametrize("damage, expected", [(None, (0, 1, 0)), (5000, (1, 0, 1))], ids=["right", "a byte is wrong"])
def test_client_takes_a_stream_and_looks_at_each_byte(guest, damage, expected):
    def give(_, data):
        stream = client.pattern(int.from_bytes(data, "big"))
        return damaged(stream, damage) if damage else stream

    status, got = ask(guest, Streams(give), "--mode", "bulk-out", "--bytes", 20000)
    assert (status, got["received"], got["wrong"]) == expected


# Rows, tables and the gate

def test_ratios_are_of_pairs():
    assert stats.pairwise([2, 30], [1, 10]) == (2.5, 2, 3)
    with pytest.raises(ValueError):
        stats.pairwise([1], [1, 2])


def test_rows_have_one_place_each():
    rows = [(row["group"], row["row"]) for row in results.all_rows()]
    assert len(rows) == len(set(rows)) > 70


def test_a_row_without_code_says_not_yet():
    found = results.Results()
    found.fill(["disk"], [])
    assert found.values["disk", "read4k_cached", "aegis-v"]["note"] == "not yet"
    _, lines = results.group_lines(found, "disk")
    assert any(line[0] == "read4k_cached" and "not yet" in line for line in lines)


@pytest.mark.timeout_s(120, lasts=12)
def test_without_its_peer_the_bench_says_so_and_goes_on(folder):
    for program in ("bash", "basename", "dirname", "git", machine.QEMU):
        (folder / program).symlink_to(shutil.which(program))
    done = run_bench("sched", "--peer", "linux", PATH=str(folder))
    assert done.returncode == 0 and "no peer: riscv64-linux-gnu-gcc or clang is not installed" in done.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["--compare", "/nowhere"], ["--from", "/nowhere"], ["--peer", "bsd"]])
def test_bench_refuses_wrong_usage(arguments):
    assert run_bench(*arguments).returncode == 2


def test_modules_of_the_peer_come_after_what_they_depend_on(folder):
    for name, depends in (("net", "failover,core-part"), ("failover", "core_part"), ("core_part", ""), ("unused", "")):
        data = b"\0license=GPL\0depends=" + depends.encode() + b"\0name=" + name.encode() + b"\0"
        (folder / f"{name}.ko.xz").write_bytes(lzma.compress(data))
    assert [name for name, _ in linux.module_order(folder, ["net"])] == ["core_part", "failover", "net"]
    with pytest.raises(linux.PeerMissing, match="no module gone"):
        linux.module_order(folder, ["net", "gone"])


def baseline_and_results(folder, was, now):
    """A baseline of one row, and results of the same run but for it, both through the files that ci/bench writes."""
    for name, value in (("old", was), ("new", now)):
        made = results.Results()
        if value is not None:
            made.add("kernel", "null_syscall", results.AEGIS, value)
        made.add("kernel", "prot1", results.AEGIS, 300)
        made.add("net", "udp_rtt", results.AEGIS, 40 if name == "old" else 80, low=1, high=99)  # timed: not the gate's
        made.add("net", "udp_echo_less_idle", results.AEGIS, 400 if name == "old" else 800)
        made.write(folder / name)
    gate.write_baseline(results.Results.read(folder / "old"), folder / "baseline")
    return folder / "baseline", folder / "new"


@pytest.mark.parametrize("was, now, status, sentence", [
    (100, 100, 0, "ok   kernel/null_syscall: was 100, is 100 insn (+0.0%)"),
    (100, 105, 0, "ok   kernel/null_syscall: was 100, is 105 insn (+5.0%)"),
    (100, 106, 1, "FAIL kernel/null_syscall: was 100, is 106 insn (+6.0%)"),
    (100, 50, 0, "ok   kernel/null_syscall: was 100, is 50 insn (-50.0%)"),
    (100, None, 1, "FAIL kernel/null_syscall: was 100 insn, not measured any more"),
])
def test_gate_fails_for_rows_that_got_worse_or_vanished(folder, was, now, status, sentence):
    baseline, new = baseline_and_results(folder, was, now)
    assert {row["row"] for row in json.loads(baseline.read_text())} == {"null_syscall", "prot1"}
    done = run_bench("kernel", "net", "--from", new, "--compare", baseline)
    assert done.returncode == status
    assert sentence in done.stdout
    assert ("--update" in done.stdout) == (status == 1)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="python3-matplotlib comes with ci/setup bench")
def test_plots_hold_a_line_a_system_and_a_bar_a_row(folder):
    from harness import plots
    made = results.Results()
    for system, value in (("limit", 40), ("aegis-v", 50)):
        made.add("net", "udp_rtt", system, value, quantiles=[value - 1, value, value + 10])
    made.add("kernel", "null_syscall", "aegis-v", 40)
    made.add("kernel", "null_syscall", "linux", 400)
    plots.draw(made, folder)
    lines, bars = ((folder / f"{name}.svg").read_text() for name in ("round-trips", "ratios"))
    assert "limit (bare metal)" in lines and "Aegis-V" in lines and "Linux" not in lines
    assert "kernel/null_syscall" in bars and ">10.0<" in bars
