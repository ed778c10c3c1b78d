"""Sockets of several processes: forked, and handed to programs that are spawned (tests/guest/handing.c); and the ports of a
program's own connections (tests/guest/dialing.c)."""
import re

import pytest
from conftest import BUILD
from machine import Machine

pytestmark = pytest.mark.timeout_s(320, lasts=30, together=True)
INITRD = BUILD / "guest/sockets-initrd.cpio"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """In its own time: who holds a socket, and for how long, doesn't depend on the host's load. Idle, that is the host's: else
    the agent would find that a request takes minutes to come in."""
    m = Machine(BUILD, tmp_path_factory.mktemp("handing"), initrd=INITRD, extra=["-icount", "shift=0"]).up()
    yield m
    m.kill()


def run(m, name):
    m.control.start(name)
    m.wait_line(f"{name}: all is well|{name}: line", 300)
    assert f"{name}: line" not in m.text, m.text[-2000:]


def test_sockets_go_to_the_process_that_uses_them(machine):
    run(machine, "handing")


def test_connections_of_a_program_share_blocks_of_ports(machine):
    """Neither netd nor a binding of its own is needed for each."""
    run(machine, "dialing")
    bound, unbound = (int(re.search(rf"dialing: {kind} (\d+)", machine.text)[1]) for kind in ("bound", "unbound"))
    assert 4 * unbound < bound
