"""aegisctl alone, with a stand-in for QEMU (fake_qemu): what it says and returns when anything on its way goes wrong."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import types

import pytest

import images
from conftest import HERE


@pytest.fixture
def ctl(aegisctl, folder):
    """aegisctl with fake_qemu on the PATH, and files that can pass for images; ctl.fake() chooses a behaviour."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "qemu-system-riscv64").symlink_to(HERE / "fake_qemu")
    image, archive = folder / "image", folder / "archive"
    image.write_bytes(b"image")
    archive.write_bytes(images.cpio([("init", b"program")]))
    aegisctl.env.update(PATH=f"{tools}:{aegisctl.env['PATH']}", FAKE_PATH=str(HERE))
    aegisctl.images = ("--kernel", image, "--initrd", archive)
    return aegisctl


def run(ctl, *args, fake="", **more):
    return ctl("run", "--detach", *ctl.images, *args, FAKE=fake, **more)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, limit=20):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.02)


def one_line(text, *parts):
    assert text.count("\n") == 1 and all(p in text for p in parts), text


def qemu_pid(ctl, *args):
    return int(ctl.ok("status", *args).split("process ")[1].split()[0])


@pytest.mark.parametrize("args, part", [
    ([], "no command"), (["fly"], "is no command"), (["run", "--fly"], "unknown option --fly"),
    (["run", "--memory", "x"], "not a number"), (["run", "--memory=0"], "not a number"), (["run", "--port"], "needs a value"),
    (["run", "--port", "70000"], "not HOST"), (["run", "--port", "1:0"], "not HOST"), (["run", "--net", "tap"], "no network"),
    (["run", "--net", "dgram:a"], "two paths"), (["run", "--net", "stream:"], "lacks the path"),
    (["run", "--net", "none", "--port", "1"], "needs --net user"), (["run", "more"], "too much"),
    (["load"], "missing"), (["load", "udp"], "--app"), (["load", "udp", "--app", "a b"], "--app"),
    (["load", "udp", "--handler", "x.c", "--fuel", "65537"], "not a number"),
    (["load", "udp", "--app", "a", "--fuel", "9"], "--fuel needs --handler"),
    (["load", "-", "--handler", "-", "--name", "n"], "standard input"), (["load", "udp", "--handler", ".c"], "--name"),
    (["maps"], "missing"), (["maps", "a/b"], "no name"), (["maps", "a", "b", "c"], "too much"),
    (["maps", "a", "--set", "1=2"], "name of a map"), (["maps", "a", "b", "--set", "1"], "ENTRY=VALUE"),
    (["maps", "a", "b", "--set", "1=-2"], "ENTRY=VALUE"), (["maps", "a", "b", "--set", "0x1ffffffff=2"], "ENTRY=VALUE"),
    (["unload", "a/b"], "no name"), (["rtt", "--size", "4"], "not a number"), (["run", "-d"], "unknown option -d")])
def test_mistakes_of_usage_are_named_and_exit_2(ctl, args, part):
    done = ctl(*args)
    assert done.returncode == 2
    one_line(done.stderr, part, "--help")


@pytest.mark.parametrize("command", ["", "run", "load", "unload", "list", "maps", "capture", "rtt", "status", "log", "stop"])
def test_help_goes_to_stdout(ctl, command):
    done = ctl(*([command] if command else []), "--help")
    assert done.returncode == 0 and "usage: aegisctl" in done.stdout and done.stderr == ""


def test_a_full_device_is_noticed(ctl):
    assert run(ctl).returncode == 0
    for args in (["--help"], ["list", "--help"], ["status"], ["log"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([ctl.program, *args], env=ctl.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1, args
        one_line(done.stderr, "aegisctl: standard output: ")


@pytest.mark.parametrize("fake, parts", [
    ("old", ["5.2", "7.2", "qemu-system-misc"]),
    ("dumb", ["does not tell a version"]),
    ("complain", ["something is odd", "status 1"]),
    ("port-taken", ["is taken", "--port"]),
    ("refuse", ["status 1", "16 MiB", "24 MiB"]),
    ("version", ["version 9", "version 1", "same sources"])])
def test_a_start_that_fails_says_why_in_one_line(ctl, fake, parts):
    done = run(ctl, fake=fake)
    assert done.returncode == 1
    one_line(done.stderr, *parts)


@pytest.mark.parametrize("fake, parts", [
    ("mute-monitor", ["monitor", "10 s"]), ("no-banner", ["no banner", "3 s", "serial.log"]), ("silent", ["agent", "3 s"])])
def test_a_machine_that_does_not_come_up_is_given_up(ctl, fake, parts):
    done = run(ctl, "--timeout", "3", fake=fake)
    assert done.returncode == 1
    one_line(done.stderr, *parts)


def test_qemu_that_hangs_at_its_version_is_given_up(ctl):
    done = run(ctl, fake="hang-version")
    assert done.returncode == 1
    one_line(done.stderr, "--version said nothing")


def test_a_panic_at_boot_shows_its_lines(ctl):
    done = run(ctl, fake="panic")
    assert done.returncode == 1
    assert "status 7" in done.stderr and "page.c:12" in done.stderr and "ra 0xffffffff" in done.stderr
    later = ctl("list")
    assert later.returncode == 1
    one_line(later.stderr, "does not run", "page.c:12")


def test_a_missing_qemu_names_the_package(ctl, folder):
    done = run(ctl, PATH=str(folder))
    assert done.returncode == 1
    one_line(done.stderr, "not on the PATH", "qemu-system-misc")


def test_a_missing_image_is_named(ctl, folder):
    done = ctl("run", "--kernel", folder / "nothing")
    assert done.returncode == 1
    one_line(done.stderr, "nothing", "--kernel", "ci/build")


@pytest.mark.parametrize("data, part", [
    (b"", "ends inside"), (b"image" * 100, "070701"), (b"\x1f\x8b" + bytes(200), "070701"),
    (images.cpio([("init", b"program")])[:118], "ends inside"), (images.cpio([("other", b"program")]), "no program init")])
def test_what_is_no_archive_of_programs_is_named_before_anything_starts(ctl, folder, data, part):
    (folder / "odd").write_bytes(data)
    done = ctl("run", *ctl.images[:2], "--initrd", folder / "odd", FAKE="hang-version")
    assert done.returncode == 1
    one_line(done.stderr, "--initrd", "odd", part)


def test_a_folder_is_no_archive(ctl, folder):
    done = ctl("run", *ctl.images[:2], "--initrd", folder)
    assert done.returncode == 1
    one_line(done.stderr, "--initrd", "not a file")


def test_a_machine_serves_and_stops(ctl):
    up = run(ctl, "--memory", 64, "--cpus", 2, "--append", "panic=0")
    assert up.returncode == 0 and "127.0.0.1:40007 -> guest 7" in up.stdout
    log = ctl.ok("log")
    assert "-m 64M" in log and "-smp 2" in log and "ip=10.0.2.15/24,10.0.2.2 panic=0" in log
    status = ctl.ok("status")
    assert "12.3 s" in status and "52:54:00:12:34:56" in status and "\x1b" not in status
    assert ctl("stop").returncode == 0
    gone = ctl("status")
    assert gone.returncode == 1
    one_line(gone.stderr, "does not run", "status 0")
    assert "Aegis-V" in ctl.ok("log")


def test_bindings_are_listed_over_several_pages_and_unloaded(ctl):
    run(ctl)
    for i in range(5):
        ctl.ok("load", f"udp port {i + 1}", "--app", "udp-echo", "--name", f"b{i}")
    lines = ctl.ok("list").splitlines()
    assert [line.split()[0] for line in lines] == ["name", "b0", "b1", "b2", "b3", "b4"]
    ctl.ok("unload", "b2")
    assert "b2" not in ctl.ok("list")
    again = ctl("unload", "b2")
    assert again.returncode == 1
    one_line(again.stderr, "aegisctl: unload: agent: b2: no binding")


def test_a_program_that_takes_no_frames_is_warned_of(ctl):
    run(ctl, fake="no-ring")
    done = ctl("load", "udp port 7", "--app", "udp-echo")
    assert done.returncode == 0
    one_line(done.stderr, "warning", "has not named a ring")


def test_an_error_of_the_agent_is_passed_on_without_its_control_characters(ctl):
    run(ctl, fake="error")
    done = ctl("load", "udp port 7", "--app", "udp-echo")
    assert done.returncode == 1 and "\x1b" not in done.stderr
    one_line(done.stderr, "aegisctl: load: agent: bind: the filter overlaps another owner's: narrow it, or unload")


@pytest.mark.parametrize("text, status, part", [
    ("udp port", 2, "syntax"), ("udp prot 7", 2, "syntax"), ("inbound", 1, "inbound"), ("", 2, "empty"),
    ("examples/filters/udp-ech", 2, "no file"), ("./udp-ech", 1, "no such file")])
def test_a_filter_that_does_not_compile_is_refused_before_it_is_sent(ctl, text, status, part):
    run(ctl)
    done = ctl("load", text, "--app", "udp-echo")
    assert done.returncode == status and part in done.stderr.lower()
    assert len(ctl.ok("list").splitlines()) == 1


def test_stop_returns_the_status(ctl):
    run(ctl)
    assert ctl("stop", "--status", 5).returncode == 5


@pytest.mark.parametrize("fake, part", [("no-stop", "within 10 s"), ("refuse-stop", "belongs to somebody else")])
def test_a_machine_that_does_not_stop_is_killed(ctl, fake, part):
    run(ctl, fake=fake)
    pid = qemu_pid(ctl)
    done = ctl("stop")
    assert done.returncode == 1
    one_line(done.stderr, part, "QEMU was killed")
    assert not alive(pid)


def test_a_request_that_is_not_answered_ends(ctl):
    run(ctl, fake="deaf-load")
    done = ctl("load", "udp port 7", "--app", "udp-echo")
    assert done.returncode == 1
    one_line(done.stderr, "did not answer within 10 s")
    assert ctl("list").returncode == 0


def test_a_panic_under_a_request_is_its_answer(ctl):
    run(ctl, fake="die-load")
    done = ctl("load", "udp port 7", "--app", "udp-echo")
    assert done.returncode == 1
    one_line(done.stderr, "status 3", "the sky fell")


def test_a_restart_of_the_agent_fails_what_was_under_way(ctl):
    run(ctl, fake="restart")
    done = ctl("load", "udp port 7", "--app", "udp-echo")
    assert done.returncode == 1
    one_line(done.stderr, "restarted")
    assert ctl("list").returncode == 0


def test_noise_on_the_console_is_survived(ctl):
    assert run(ctl, fake="noise").returncode == 0
    for i in range(10):
        ctl.ok("load", "udp port 7", "--app", "udp-echo", "--name", f"n{i}")
    assert len(ctl.ok("list").splitlines()) == 11


def test_many_clients_at_once(ctl):
    run(ctl)
    done = [ctl.start("load", f"udp port {i}", "--app", "udp-echo", "--name", f"n{i}") for i in range(1, 21)]
    for process in done:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(ctl.ok("list").splitlines()) == 21


def test_instances_are_apart_and_a_name_runs_once(ctl):
    assert run(ctl, "--instance", "one").returncode == 0
    assert run(ctl, "--name", "two").returncode == 0
    twice = run(ctl, "--instance", "one")
    assert twice.returncode == 1
    one_line(twice.stderr, "one runs already", "stop")
    ctl.ok("load", "udp port 7", "--app", "udp-echo", "--instance", "two")
    assert len(ctl.ok("list", "--instance", "one").splitlines()) == 1
    assert ctl("stop", "--instance", "one").returncode == 0
    assert len(ctl.ok("list", "--instance", "two").splitlines()) == 2


def test_a_race_for_one_name_has_one_winner(ctl):
    racers = [ctl.start("run", "--detach", *ctl.images) for _ in range(5)]
    outcomes = []
    for racer in racers:
        racer.communicate(timeout=60)
        outcomes.append(racer.returncode)
    assert sorted(outcomes) == [0, 1, 1, 1, 1]


def test_qemu_dies_with_its_broker_and_the_name_is_free_again(ctl):
    run(ctl)
    pid = qemu_pid(ctl)
    broker = int(pathlib.Path(f"/proc/{pid}/stat").read_text().split()[3])
    os.kill(broker, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    gone = ctl("list")
    assert gone.returncode == 1
    one_line(gone.stderr, "does not run")
    assert run(ctl).returncode == 0
    ctl.ok("list")


def test_the_broker_ends_with_qemu_and_tells_how(ctl):
    run(ctl)
    os.kill(qemu_pid(ctl), signal.SIGTERM)
    wait_until(lambda: not (ctl.folder / "aegis-v/default/control").exists())
    done = ctl("list")
    assert done.returncode == 1
    one_line(done.stderr, "does not run", "status 143")


def test_the_foreground_prints_the_log_and_returns_the_status(ctl):
    process = ctl.start("run", *ctl.images)
    wait_until(lambda: (ctl.folder / "aegis-v/default/control").exists())
    assert ctl("stop", "--status", 3).returncode == 3
    out, err = process.communicate(timeout=20)
    assert process.returncode == 3 and "Aegis-V (fake)" in out and "instance default is up" in err


def test_an_interrupt_stops_the_foreground_in_order(ctl):
    process = ctl.start("run", *ctl.images)
    wait_until(lambda: (ctl.folder / "aegis-v/default/control").exists())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0


def test_noise_from_a_client_hurts_nobody_else(ctl):
    run(ctl)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(ctl.folder / "aegis-v/default/control"))
        s.sendall(os.urandom(100000))
        assert len(ctl.ok("list").splitlines()) == 1
    ctl.ok("list")


def test_a_folder_that_others_can_enter_is_refused(ctl):
    base = ctl.folder / "aegis-v"
    base.mkdir(mode=0o755)
    base.chmod(0o755)
    done = run(ctl)
    assert done.returncode == 1
    one_line(done.stderr, "open to others", "755")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(ctl):
    base = ctl.folder / "aegis-v"
    base.mkdir(mode=0o700)
    os.chown(base, 12345, 12345)
    done = run(ctl)
    os.chown(base, 0, 0)
    assert done.returncode == 1
    one_line(done.stderr, "not a directory of ours", "12345")


def test_a_link_in_place_of_the_folder_is_refused(ctl, folder):
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "aegis-v").symlink_to(folder / "elsewhere")
    done = run(ctl)
    assert done.returncode == 1
    one_line(done.stderr, "not a directory of ours")


def test_names_too_long_for_a_socket_are_refused(ctl, folder):
    deep = folder / ("d" * 60)
    deep.mkdir(mode=0o700)
    done = run(ctl, "--instance", "i" * 60, XDG_RUNTIME_DIR=str(deep))
    assert done.returncode == 1
    one_line(done.stderr, "too long", "shorter --instance")


def test_rtt_tells_lost_late_and_wrong_answers(ctl):
    """A service that answers rightly, then not, then wrongly, by the number in the payload."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    port = server.getsockname()[1]
    process = ctl.start("rtt", "--port", port, "--count", 20, "--limit", 200, "--json")
    late = None
    for i in range(20):
        data, peer = server.recvfrom(2000)
        number = int.from_bytes(data[:4], "little")
        assert number == i and len(data) == 60
        if number == 5:
            late = data
            continue
        if number == 6:
            server.sendto(late, peer)
        if number == 9:
            server.sendto(data[:-1] + bytes([data[-1] ^ 1]), peer)
        if number == 11:
            server.sendto(data[:-1], peer)
        server.sendto(data, peer)
    out, err = process.communicate(timeout=20)
    assert '"round_trips": 19, "lost": 1, "wrong": 2' in out
    assert process.returncode == 1 and "2 answers were wrong" in err


@pytest.fixture
def web():
    """A web server of the test's own: .answers are what it says, one a request, the last from then on; .got the requests."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = types.SimpleNamespace(port=listener.getsockname()[1], answers=[], got=[])

    def serve():
        with listener, listener.accept()[0] as peer:
            while request := peer.recv(4096):
                server.got.append(request)
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                for part in (answer[:20], answer[20:]):
                    peer.sendall(part)
                    time.sleep(0.01)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server


def page(body, status="200 OK", more=""):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n{body}".encode()


def test_rtt_gets_a_page_again_and_again(ctl, web):
    web.answers = [page("a page\n" * 300)]
    out = json.loads(ctl.ok("rtt", "--port", web.port, "--count", 20, "--http", "/there?is=one", "--json"))
    assert (out["round_trips"], out["lost"], out["wrong"], out["size"]) == (20, 0, 0, 2100)
    assert len(web.got) == 20 and all(r.startswith(b"GET /there?is=one HTTP/1.1\r\nHost: ") for r in web.got)


@pytest.mark.parametrize("answers, why", [
    ([page("one"), page("one"), page("two")], "after 2 answers: the page is not what it was before"),
    ([page("", "404 Not Found")], "the server says 'HTTP/1.1 404 Not Found'"),
    ([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsomething"], "doesn't say how long"),
    ([page("x")[:-1] + b"xyz"], "more came than the page"),
    ([page("x").replace(b": 1", b": 9")], "bytes of an answer came in time, not all"),
    ([page("x").replace(b": 1", b": 99999999")], "longer than 1048576 bytes"),
    ([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000], "head is longer than 8192 bytes"),
])
def test_rtt_says_what_is_wrong_with_a_page(ctl, web, answers, why):
    web.answers = answers
    done = ctl("rtt", "--port", web.port, "--count", 5, "--limit", 300, "--http", "/")
    assert done.returncode == 1
    one_line(done.stderr, f"127.0.0.1:{web.port}: after", why)


@pytest.mark.parametrize("args", [("--http", "page"), ("--http", "/", "--size", 100)])
def test_rtt_of_a_page_has_a_path_and_no_size(ctl, args):
    done = ctl("rtt", "--port", 1, *args)
    assert done.returncode == 2
    assert "path that begins with /" in done.stderr


def test_a_filter_that_is_no_file_is_named(ctl, folder):
    done = ctl("load", folder, "--app", "udp-echo")
    assert done.returncode == 1
    one_line(done.stderr, f"filter {folder}: Is a directory")


def test_rtt_gives_up_when_nobody_answers(ctl):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        done = ctl("rtt", "--port", port, "--limit", 20, "--count", 3)
        assert done.returncode == 1
        one_line(done.stderr, "none of 3 datagrams was answered within 20 ms")
        done = ctl("rtt", "--port", port, "--limit", 20)
    assert done.returncode == 1
    one_line(done.stderr, "10 datagrams in a row")
    done = ctl("rtt", "--port", port)
    assert done.returncode == 1
    one_line(done.stderr, "nobody answers there")


def echo_server():
    """A UDP echo service on a port of its own; ends with the test run."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            server.sendto(*server.recvfrom(2000))

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def test_a_capture_counts_what_it_was_told_is_lost(ctl):
    run(ctl)
    done = ctl("capture", "-c", 5)
    assert done.returncode == 0 and done.stderr.splitlines()[1:] == ["aegisctl: capture: 5 frames captured, 3 dropped"]
    assert done.stdout.count("00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype 0x0000, length 20\n") == 5


@pytest.mark.parametrize("fake, part", [
    ("long-frame", "malformed"), ("odd-frames", "malformed"), ("odd-capture", "malformed"), ("deaf-frames", "within 10 s"),
    ("deaf-end", "in time")])
def test_a_capture_that_the_agent_spoils_ends_with_the_reason(ctl, fake, part):
    run(ctl, fake=fake)
    done = ctl("capture", "-c", 4)
    assert done.returncode == 1 and part in done.stderr and "Traceback" not in ctl.log()
    if fake not in ("odd-capture", "deaf-end"):
        wait_until(lambda: "fake: capture 5 ended" in ctl.log())
    assert ctl("list").returncode == 0


def test_times_that_cannot_be_are_printed_all_the_same(ctl, folder):
    run(ctl, fake="odd-time")
    done = ctl("capture", "-c", 4)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4
    assert ctl("capture", "-c", 4, "-w", folder / "file").returncode == 0


def test_a_panic_under_a_capture_is_named(ctl):
    run(ctl, fake="die-frames")
    done = ctl("capture")
    assert done.returncode == 1 and "status 3" in done.stderr and "the sky fell" in done.stderr and "0 frames captured" in done.stderr


def test_who_waits_for_a_program_takes_no_earlier_ones_end_and_output_for_its_own(ctl):
    run(ctl)
    done = ctl("start", "--wait", "dd")
    assert (done.returncode, done.stdout, done.stderr) == (6, "its own\n", "")


def test_a_capture_is_ended_for_a_client_that_was_killed(ctl):
    run(ctl)
    capture = ctl.start("capture")
    assert "listening" in capture.stderr.readline()
    capture.kill()
    wait_until(lambda: "fake: capture 5 ended" in ctl.log())
    capture.communicate()


@pytest.mark.parametrize("locale, bar, unit", [("C.UTF-8", "█", "µs"), ("C", "#", "us")])
def test_rtt_draws_the_distribution_above_its_table(ctl, locale, bar, unit):
    port = echo_server()
    lines = ctl.ok("rtt", "--port", port, "--count", 300, LC_ALL=locale).splitlines()
    rows = [re.fullmatch(r" *([\d.]+) \.\. ([\d.]+) +(\d+) (\S*)", line) for line in lines]
    rows = [row for row in rows if row]
    assert sum(int(row[3]) for row in rows) == 300
    assert max(rows, key=lambda row: int(row[3]))[4] == 40 * bar
    bounds = [(float(row[1]), float(row[2])) for row in rows]
    assert bounds == sorted(bounds) and all(low < high for low, high in bounds)
    summary = re.fullmatch(r"min ([\d.]+), p50 ([\d.]+), p90 ([\d.]+), p99 ([\d.]+), max ([\d.]+) (\w+); 0 of 300 lost \(0.00 %\)",
                           lines[-4])
    times = [float(n) for n in summary.groups()[:5]]
    assert times == sorted(times) and summary[6] == unit
    assert bounds[0][0] <= times[0] and times[-1] <= bounds[-1][1] and lines[-3] == ""
    assert lines[-2].startswith("round trips") and lines[-1].split()[:3] == ["300", "0", "0"]


def test_rtt_can_leave_the_distribution_away(ctl):
    lines = ctl.ok("rtt", "--port", echo_server(), "--count", 10, "--no-histogram").splitlines()
    assert len(lines) == 2 and lines[0].startswith("round trips")


def test_rtt_without_user_networking_says_what_would_be_right(ctl, folder):
    run(ctl, "--net", f"dgram:{folder}/a,{folder}/b")
    done = ctl("rtt")
    assert done.returncode == 1
    one_line(done.stderr, f"--net dgram:{folder}/a,{folder}/b", "--net user --port 0:7")


def test_rtt_needs_a_forwarded_port(ctl):
    run(ctl, "--port", "0:9")
    done = ctl("rtt")
    assert done.returncode == 1
    one_line(done.stderr, "no port of the host leads to port 7", "--port 0:7")
