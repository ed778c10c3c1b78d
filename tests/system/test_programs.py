"""Programs as for any system with sockets (tests/programs), which are compiled for Linux and for ExOS from one source."""
import subprocess

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


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A machine with the programs; its aegisctl."""
    folder = tmp_path_factory.mktemp("av")
    files = images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes()) + images.cpio_files((BUILD / "guest/programs.cpio").read_bytes())
    (folder / "initrd").write_bytes(images.cpio(files))
    ctl = Aegisctl(folder)
    ctl.ok("run", "--detach", "--initrd", folder / "initrd")
    yield ctl
    ctl("stop")


def sh(ctl, text, seconds=60):
    done = subprocess.run([ctl.program, "console"], input=text, env=ctl.env, capture_output=True, text=True, timeout=seconds, check=False)
    return done.stdout + done.stderr


def test_calls_on_sockets_return_what_they_return_on_linux(up):
    """calls.linux was written by Linux 6.18: cc -D_GNU_SOURCE tests/programs/calls*.c && ./a.out >tests/programs/calls.linux"""
    linux = (PROGRAMS / "calls.linux").read_text().splitlines()
    exos = sh(up, "calls\n").splitlines()
    pairs = [(a, b) for a, b in zip(linux, exos) if a != b]
    assert pairs == [(f"{what} = {there}", f"{what} = {here}") for what, there, here in DIFFERENT]
    assert len(linux) == len(exos) and exos[-1] == "calls: done"
