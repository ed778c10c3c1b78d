"""Sockets of several processes: forked, and handed to programs that are spawned (tests/guest/handing.c)."""
from conftest import BUILD
from machine import Machine

INITRD = BUILD / "guest/sockets-initrd.cpio"


def test_sockets_go_to_the_process_that_uses_them(tmp_path):
    """In the machine's own time: who holds a socket, and for how long, doesn't depend on the host's load."""
    m = Machine(BUILD, tmp_path, initrd=INITRD, extra=["-icount", "shift=0,sleep=off"]).up()
    try:
        m.control.start("handing")
        m.wait_line("handing: all is well|handing: line", 300)
        assert "handing: line" not in m.text, m.text[-2000:]
    finally:
        m.kill()
