"""The agent killed: init ends what it left and starts another, which begins with nothing; the machine goes on, and so do hosts,
told by name what became of their requests."""
import json
import os
import subprocess
import time

import pytest

import images
import protocol
from conftest import BUILD, ROOT
from gdbstub import connect
from test_handlers import compile_handler, echo, resources  # noqa: F401 (a fixture)


def symbol(program, name):
    """The address of a function of a program."""
    out = subprocess.run(["nm", BUILD / "guest/src/apps" / program], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in out.splitlines() if line.split()[-1] == name)


def kill_agent(gdb, provoke):
    """As a wild jump would: where it is about to answer a request, it executes nothing that there is."""
    gdb.interrupt()
    gdb.go_to(symbol("agent", "request_answer"), provoke)
    gdb.set_pc(0)


@pytest.fixture
def up(machine, folder):
    path = str(folder / "gdb")
    m = machine(extra=("-gdb", f"unix:{path},server=on,wait=off")).up()
    m.gdb = connect(path)
    m.gdb.run()
    m.gdb_path = path
    return m


def crash(m):
    """Kill the agent while it takes a request; the hello of the next."""
    gdb = connect(m.gdb_path)
    kill_agent(gdb, lambda: m.control.send(protocol.LIST, 9999, protocol.encode("list")))
    gdb.run()
    while (message := m.control.receive(20)) is not None and message[0] != protocol.HELLO:
        pass
    assert message, m.text
    return protocol.decode("hello", message[2])


def test_a_killed_agent_is_followed_by_another_that_begins_with_nothing(up, compile_handler):  # noqa: F811
    image = compile_handler(ROOT / "examples/handlers/count-by-port.c")
    before, first = resources(up), up.control.hello()["self"]
    up.control.load("seven", "udp-echo", images.udp_filters(7), handler=image)
    up.control.load("alone", "", images.udp_filters(9), handler=image)
    assert echo(up, b"before")
    hello = crash(up)
    assert hello["self"] != first and hello["peer"] == 0
    assert up.control.hello()["self"] == hello["self"]
    assert [r["name"] for r in up.control.list()] == ["arp0"]
    assert resources(up) == before  # to the page: whatever the first one held was taken back
    up.nics[0].send(images.datagram(up.nics[0].mac, b"nobody"))
    assert up.nics[0].find(images.is_answer(b"nobody"), 0.3) is None
    up.control.load("seven", "udp-echo", images.udp_filters(7), handler=image)
    assert echo(up, b"after")
    up.nics[0].send(images.arp_request())
    assert up.nics[0].receive(20)
    assert up.wait_line(r"\[1 init\] init: the agent has ended: exception 12 at pc 0x0, .*; 3 programs")


def test_requests_for_the_agent_that_was_are_not_carried_out_by_the_next(up):
    gdb = connect(up.gdb_path)

    def provoke():
        up.control.send(protocol.LIST, 1000, protocol.encode("list"))
        up.control.send(protocol.LOAD, 1001, protocol.encode(
            "load", name="stale", app="udp-echo", ingress=images.udp_filters(7)[0], egress=images.udp_filters(7)[1]))

    kill_agent(gdb, provoke)
    gdb.run()
    up.wait_line(r"init: the agent has ended")
    up.control.hello()
    assert [r["name"] for r in up.control.list()] == ["arp0"]


def test_agents_killed_again_and_again_leave_nothing(up):
    left = []
    for i in range(4):
        up.control.load("seven", "udp-echo", images.udp_filters(7))
        time.sleep(1.1)  # an agent that ends within a second counts as broken
        crash(up)
        up.control.hello()
        left.append(resources(up))
    assert left == [left[0]] * len(left) and up.alive()


def test_an_agent_that_can_only_crash_ends_the_machine(machine, folder):
    programs = dict(images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes()))
    archive = folder / "initrd"
    archive.write_bytes(images.cpio([("init", programs["init"]), ("agent", images.elf(bytes(4)))]))
    m = machine(initrd=archive)
    assert m.wait() == 1
    assert sum("the agent has ended: exception 2" in line for line in m.lines) == 5
    assert any("5 agents in a row ended within a second" in line for line in m.lines)


def test_aegisctl_names_the_restart_and_goes_on_with_the_new_agent(aegisctl, folder):
    path = str(folder / "gdb")
    tools = folder / "tools"
    tools.mkdir()
    qemu = subprocess.run(["which", "qemu-system-riscv64"], capture_output=True, text=True, check=True).stdout.strip()
    (tools / "qemu-system-riscv64").write_text(f'#!/bin/sh\ncase $1 in --version) exec {qemu} "$@";; esac\n'
                                               f'exec {qemu} "$@" -gdb unix:{path},server=on,wait=off\n')
    (tools / "qemu-system-riscv64").chmod(0o755)
    aegisctl.env["PATH"] = f"{tools}:{os.environ['PATH']}"
    aegisctl.ok("run", "--detach")
    aegisctl.ok("load", ROOT / "examples/filters/udp-echo", "--app", "udp-echo")
    capture = aegisctl.start("capture")
    assert "listening" in capture.stderr.readline()
    gdb, asking = connect(path), []
    kill_agent(gdb, lambda: asking.append(aegisctl.start("list")))
    gdb.run()
    out, error = asking[0].communicate(timeout=30)
    assert "the agent restarted meanwhile" in capture.communicate(timeout=30)[1] and capture.returncode == 1
    assert asking[0].returncode == 1 and error == "aegisctl: list: broker: the agent restarted meanwhile\n", (out, error)
    assert [line.split()[0] for line in aegisctl.ok("list").splitlines()] == ["name", "arp0"]
    aegisctl.ok("load", ROOT / "examples/filters/udp-echo", "--app", "udp-echo")
    capture = aegisctl.start("capture", "udp", "-c", 40)
    assert "listening" in capture.stderr.readline()
    assert json.loads(aegisctl.ok("rtt", "--count", 20, "--json"))["lost"] == 0
    assert "40 frames captured, 0 dropped" in capture.communicate(timeout=30)[1]
    assert aegisctl("stop", "--status", "5").returncode == 5
