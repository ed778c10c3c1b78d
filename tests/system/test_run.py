"""The whole way: aegisctl, QEMU with user networking, kernel, agent, dpfc, udp-echo."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from scapy.layers.l2 import ARP, Ether

import images
from conftest import BUILD, ROOT
from machine import Nic

EXAMPLE = ROOT / "examples/filters/udp-echo"


def port_of(text):
    return int(re.search(r"127\.0\.0\.1:(\d+)", text)[1])


def exchange(port, payload=b"hello", limit=5):
    """The answer to a datagram, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(limit)
        s.connect(("127.0.0.1", port))
        s.send(payload)
        try:
            return s.recv(2000)
        except (TimeoutError, ConnectionRefusedError):
            return None


def edited(folder, port):
    """A copy of the example for another port."""
    text = EXAMPLE.read_text()
    assert "port 7" in text
    path = folder / f"port-{port}"
    path.write_text(text.replace("port 7", f"port {port}"))
    return path


def test_run_load_measure_stop(aegisctl):
    port = port_of(aegisctl.ok("run", "--detach"))
    assert exchange(port, limit=0.5) is None
    assert "udp-echo: binding" in aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    assert exchange(port) == b"hello"
    result = json.loads(aegisctl.ok("rtt", "--count", 500, "--json"))
    assert (result["round_trips"], result["lost"], result["wrong"], result["port"]) == (500, 0, 0, port)
    assert 0 < result["min_us"] <= result["median_us"] <= result["p99_us"]
    table = aegisctl.ok("rtt", "--count", 10, "--size", 1472, "--no-histogram").splitlines()
    assert len(table) == 2 and table[0].split()[:2] == ["round", "trips"] and table[1].split()[:3] == ["10", "0", "0"]
    echo = next(line.split() for line in aegisctl.ok("list").splitlines() if line.startswith("udp-echo"))
    assert int(echo[6]) == int(echo[8]) == 511 and int(echo[7]) == 0
    status = aegisctl.ok("status")
    assert "10.0.2.15" in status and "52:54:00:12:34:56" in status
    aegisctl.ok("unload", "udp-echo")
    assert exchange(port, limit=0.5) is None
    assert aegisctl("stop", "--status", 9).returncode == 9


def test_the_port_in_the_filter_chooses_what_is_answered(aegisctl, folder):
    out = aegisctl.ok("run", "--detach", "--port", "0:7", "--port", "0:9")
    seven, nine = (int(p) for p in re.findall(r"127\.0\.0\.1:(\d+)", out))
    aegisctl.ok("load", edited(folder, 9), "--app", "udp-echo")
    assert exchange(nine) == b"hello" and exchange(seven, limit=0.5) is None
    aegisctl.ok("unload", "port-9")
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    assert exchange(seven) == b"hello" and exchange(nine, limit=0.5) is None


def test_expressions_and_dumps_of_tcpdump_load_too(aegisctl, folder):
    port = port_of(aegisctl.ok("run", "--detach"))
    dump = folder / "dump"
    dump.write_bytes(subprocess.run(["tcpdump", "-ddd", "-y", "EN10MB", "ip and udp dst port 7"], check=True,
                                    capture_output=True).stdout)
    for what in ("ip and udp dst port 7 and len < 1000", dump):
        aegisctl.ok("load", what, "--app", "udp-echo", "--name", "it")
        assert exchange(port) == b"hello"
        aegisctl.ok("unload", "it")


def test_a_filter_of_several_segments_loads(aegisctl):
    """Its image is larger than one piece of a message, and than what the console's queue holds at a time."""
    port = port_of(aegisctl.ok("run", "--detach"))
    ports = " or ".join(f"udp dst port {p}" for p in [7, *range(20000, 21800, 3)])
    loaded = aegisctl.ok("load", f"ip and ({ports})", "--app", "udp-echo", "--name", "large")
    assert int(re.search(r"filters of (\d+)", loaded)[1]) > 8192
    assert exchange(port) == b"hello"


def test_a_refusal_of_the_kernel_comes_through_every_layer(aegisctl):
    aegisctl.ok("run", "--detach")
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    done = aegisctl("load", "greater 1", "--app", "arpd", "--name", "all")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("aegisctl: load: agent: ") and "overlap" in done.stderr.lower()
    done = aegisctl("load", "udp port 9", "--app", "nothing")
    assert done.returncode == 1 and done.stderr.startswith("aegisctl: load: agent: ") and "nothing" in done.stderr


def test_two_machines_at_once(aegisctl):
    ports = [port_of(aegisctl.ok("run", "--detach", "--instance", name)) for name in ("one", "two")]
    for name in ("one", "two"):
        aegisctl.ok("load", EXAMPLE, "--app", "udp-echo", "--instance", name)
    runs = [aegisctl.start("rtt", "--instance", name, "--count", 300, "--json") for name in ("one", "two")]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0 and json.loads(out)["lost"] == 0, err
    aegisctl.ok("stop", "--instance", "one")
    assert exchange(ports[1]) == b"hello"


def test_several_aegisctl_at_one_machine(aegisctl):
    aegisctl.ok("run", "--detach")
    loads = [aegisctl.start("load", f"ip and udp dst port {7000 + i}", "--app", "udp-echo", "--name", f"b{i}") for i in range(3)]
    lists = [aegisctl.start("list") for _ in range(6)]
    for process in loads + lists:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    names = {line.split()[0] for line in aegisctl.ok("list").splitlines()}
    assert {f"b{i}" for i in range(3)} <= names


def test_more_bindings_than_a_program_serves_hold_nobody_up(aegisctl):
    """udp-echo names sixteen rings. The agent waits for one more, but not for those behind: it serves others meanwhile."""
    port = port_of(aegisctl.ok("run", "--detach"))
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    loads = [aegisctl.start("load", f"ip and udp dst port {7000 + i}", "--app", "udp-echo", "--name", f"b{i}") for i in range(40)]
    warned = 0
    for process in loads:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        warned += "has not named a ring" in err
    assert warned >= 25 and exchange(port) == b"hello"


def test_more_clients_than_the_broker_serves_at_once_wait_for_their_turn(aegisctl, folder):
    aegisctl.ok("run", "--detach")
    holders = []
    for _ in range(32):
        holders.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        holders[-1].connect(str(folder / "aegis-v/default/control"))
    lists = [aegisctl.start("list") for _ in range(3)]
    time.sleep(0.5)
    assert all(process.poll() is None for process in lists)
    for holder in holders:
        holder.close()
    for process in lists:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and "arp0" in out, err


def test_a_killed_broker_takes_qemu_along_and_another_starts(aegisctl):
    aegisctl.ok("run", "--detach")
    qemu = int(re.search(r"process (\d+)", aegisctl.ok("status"))[1])
    broker = int(pathlib.Path(f"/proc/{qemu}/stat").read_text().split()[3])
    os.kill(broker, signal.SIGKILL)
    for _ in range(400):
        if not pathlib.Path(f"/proc/{qemu}").exists() or " Z " in pathlib.Path(f"/proc/{qemu}/stat").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("QEMU outlived its broker")
    port = port_of(aegisctl.ok("run", "--detach"))
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    assert exchange(port) == b"hello"


def test_a_panic_at_boot_is_shown(aegisctl):
    done = aegisctl("run", "--detach", "--append", "panic=1")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("aegisctl: run: the machine ended with status") and "panic" in lines[0]
    assert sum(line.startswith("aegis: panic:") for line in lines) > 10
    assert re.search(r"panic: .*\+0x", done.stderr)


def test_a_refusal_to_boot_is_one_line(aegisctl):
    done = aegisctl("run", "--detach", "--memory", "16")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "16 MiB" in done.stderr and "--memory 32" in done.stderr


def test_all_forwarded_ports_are_told(aegisctl):
    ports = [word for i in range(8) for word in ("--port", f"0:{60000 + i}{'/tcp' if i % 2 else ''}")]
    told = re.findall(r"(UDP|TCP) 127\.0\.0\.1:\d+ -> guest (\d+);", aegisctl.ok("run", "--detach", *ports))
    assert told == [("TCP" if i % 2 else "UDP", str(60000 + i)) for i in range(8)]


def test_a_port_that_is_taken_is_named(aegisctl):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        done = aegisctl("run", "--detach", "--port", port)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert str(port) in done.stderr and "is taken" in done.stderr


def test_a_chosen_port_is_used(aegisctl):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    assert port_of(aegisctl.ok("run", "--detach", "--port", port)) == port


def test_the_foreground_shows_the_log_and_stops_on_interrupt(aegisctl):
    process = aegisctl.start("run")
    line = ""
    while "agent: ready" not in line:
        line = process.stdout.readline()
        assert line, process.stderr.read()
    for _ in range(200):
        if "up" in aegisctl("status").stdout:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "shut down with status 0" in out, err


def test_raw_frames_by_way_of_aegisctl(aegisctl, folder):
    nic = Nic(folder, 0)
    aegisctl.ok("run", "--detach", "--net", f"dgram:{nic.guest},{nic.path}")
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    nic.send(images.arp_request())
    assert Ether(nic.find(lambda f: Ether(f).haslayer(ARP)))[ARP].op == 2
    nic.send(images.datagram(nic.mac, b"raw"))
    assert nic.find(images.is_answer(b"raw"))
    nic.socket.close()


def test_files_and_sockets_may_be_named_from_the_folder_that_one_is_in(aegisctl, folder):
    for name in ("guest/src/kernel/kernel.elf", "guest/initrd.cpio"):
        shutil.copy(BUILD / name, folder)
    done = subprocess.run([aegisctl.program, "run", "--detach", "--kernel", "kernel.elf", "--initrd", "initrd.cpio", "--net",
                           "dgram:g0,h0"], env=aegisctl.env, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    nic = Nic(folder, 0)
    aegisctl.ok("load", EXAMPLE, "--app", "udp-echo")
    nic.send(images.datagram(nic.mac, b"near"))
    assert nic.find(images.is_answer(b"near"))
    assert "no panic" in aegisctl.ok("post")
    nic.socket.close()


def test_a_machine_without_a_network(aegisctl):
    aegisctl.ok("run", "--detach", "--net", "none")
    done = aegisctl("load", EXAMPLE, "--app", "udp-echo")
    assert done.returncode == 1 and "interface" in done.stderr


def ci_run(folder, *args):
    env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), AEGIS_BUILD=str(BUILD), AEGIS_NO_BUILD="yes")
    return subprocess.run([ROOT / "ci/run", *map(str, args)], env=env, capture_output=True, text=True, timeout=110,
                          stdin=subprocess.DEVNULL)


PATHS = ["limit", "handler", "application", "sockets", "tcp", "http"]


def test_ci_run_prints_a_line_a_path_in_one_table(folder):
    done = ci_run(folder, "--count", 100)
    assert done.returncode == 0, done.stderr
    header, *lines = (line.split() for line in done.stdout.splitlines()[-len(PATHS) - 1:])
    assert header[:3] == ["path", "round", "trips"]
    assert [line[:4] for line in lines] == [[path, "100", "0", "0"] for path in PATHS]
    assert all(0 < float(line[4]) <= float(line[5]) <= float(line[6]) for line in lines)
    # the kernel's handler answered on its path, the program on its own
    assert re.search(r"handler udp_echo unloaded after 100 runs", done.stdout)
    assert re.search(r"^application: binding \d+ feeds udp-echo", done.stdout, re.M)
    assert list((folder / "aegis-v").glob("*/control")) == []


def test_ci_run_prints_json_alone(folder):
    done = ci_run(folder, "--count", 20, "--size", 1000, "--json")
    assert done.returncode == 0, done.stderr
    paths = json.loads(done.stdout)
    assert list(paths) == PATHS
    assert all((p["round_trips"], p["lost"], p["wrong"]) == (20, 0, 0) for p in paths.values())
    assert all(paths[name]["size"] == 1000 for name in PATHS if name != "http") and paths["http"]["size"] > 500


def test_ci_run_says_how_to_measure_another_port(folder):
    done = ci_run(folder, "--port", 9)
    assert done.returncode == 2 and done.stdout == ""
    command = done.stderr.splitlines()[1].strip().replace("mine", str(folder / "mine"))
    assert command.startswith("sed 's/port 7/port 9/' examples/filters/udp-echo >")
    subprocess.run(command.split(";")[0], shell=True, check=True, cwd=ROOT)
    assert "udp dst port 9" in (folder / "mine").read_text()
    assert command.split(";")[1].split() == ["ci/run", "--filter", str(folder / "mine"), "--port", "9"]


def test_ci_run_with_an_edited_filter(folder):
    nine = edited(folder, 9)
    done = ci_run(folder, "--count", 50, "--filter", nine, "--port", 9)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines()[-len(PATHS):]] == [[path, "50", "0"] for path in PATHS]
    wrong = ci_run(folder, "--count", 50, "--limit", 50, "--filter", nine)
    assert wrong.returncode == 1 and "10 datagrams in a row" in wrong.stderr
    assert list((folder / "aegis-v").glob("*/control")) == []


def test_ci_run_names_a_mistake(folder):
    for args in (["--fly"], ["--filter"], ["--port"], ["--handler"]):
        done = ci_run(folder, *args)
        assert done.returncode == 2 and "--help" in done.stderr
    broken = folder / "broken"
    broken.write_text("udp prot 7\n")
    done = ci_run(folder, "--filter", broken)
    assert done.returncode == 2 and "syntax" in done.stderr
    assert list((folder / "aegis-v").glob("*/control")) == []


@pytest.mark.skipif(os.getuid() == 0 and shutil.which("setpriv") is None, reason="no setpriv to become somebody else")
def test_an_ordinary_user_can_run_it(folder):
    """Without root, without a home: as the user nobody if we are root."""
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    folder.chmod(0o755)
    if become:
        os.chown(runtime, 65534, 65534)
    # the build may lie where nobody can look: take what is needed along
    for name in ("bin/aegisctl", "guest/src/kernel/kernel.elf", "guest/initrd.cpio"):
        target = folder / "build" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / name, target)
    shutil.copy(EXAMPLE, folder / "udp-echo")
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime), "AEGIS_BUILD": str(folder / "build")}
    ctl = [*become, folder / "build/bin/aegisctl"]
    try:
        for args in (["run", "--detach"], ["load", folder / "udp-echo", "--app", "udp-echo"], ["rtt", "--count", "20"]):
            done = subprocess.run([*ctl, *args], env=env, capture_output=True, text=True, timeout=60, cwd="/")
            assert done.returncode == 0, (args, done.stderr)
    finally:
        subprocess.run([*ctl, "stop"], env=env, timeout=60, cwd="/", capture_output=True)
