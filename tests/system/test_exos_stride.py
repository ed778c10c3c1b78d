"""The program stride, started by a user: columns of shares by tickets, and messages for what it can't do."""
import re
import shutil
import subprocess

from conftest import BUILD


def archive_with_spin(folder):
    """The initial RAM disk with a program that computes for good, as the guide adds one."""
    archive = folder / "initrd.cpio"
    shutil.copy(BUILD / "guest/initrd.cpio", archive)
    shutil.copy(BUILD / "guest/bench/bench-spin", folder / "spin")
    subprocess.run(["cpio", "--quiet", "-oA", "-H", "newc", "-O", str(archive)], input=b"spin", cwd=folder, check=True, timeout=30)
    return archive


def test_stride_prints_shares_by_tickets(aegisctl, folder):
    aegisctl.ok("run", "--detach", "--initrd", str(archive_with_spin(folder)))
    text = aegisctl.ok("start", "--wait", "--", "stride", "-n", "60", "3:spin", "2:spin", "1:spin")
    table = [list(map(int, line.split())) for line in text.splitlines() if re.fullmatch(r"\d+( \d+){3}", line)]
    assert [row[0] for row in table] == [10, 20, 30, 40, 50, 60]
    for slices, *given in table:
        assert sum(given) == slices
        assert all(abs(n - slices * tickets / 6) <= 3 for n, tickets in zip(given, (3, 2, 1))), table
    shown = aegisctl.ok("start", "--wait", "show")
    assert "spin" not in shown  # they have been ended and reaped


def test_stride_says_what_is_wrong(aegisctl):
    aegisctl.ok("run", "--detach")
    for arguments, said in ((["3:nobody"], "nobody"), (["spin"], "TICKETS:PROGRAM"), (["0:show"], "TICKETS:PROGRAM"), ([], "usage")):
        done = aegisctl("start", "--wait", "stride", *arguments)
        assert done.returncode != 0 and said in done.stdout + done.stderr, (arguments, done)
