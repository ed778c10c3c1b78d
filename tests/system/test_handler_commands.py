"""The workflow of users' handlers as they see it: aegisctl load --handler, list -v, maps, unload, on a real machine."""
import json
import re
import signal
import time

import pytest

from conftest import ROOT

FILTERS, HANDLERS = ROOT / "examples/filters", ROOT / "examples/handlers"


@pytest.fixture
def up(aegisctl):
    aegisctl.ok("run", "--detach", "--port", "0:7", "--port", "0:9")
    return aegisctl


def echoes(ctl, count, port=7):
    done = json.loads(ctl.ok("rtt", "--count", count, "--guest", port, "--json"))
    return done["round_trips"] - done["lost"]


def refused(done, *parts):
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("aegisctl: "), done
    assert all(part in done.stderr for part in parts), done.stderr


def test_a_handler_alone_answers_is_listed_and_unloaded(up):
    out = up.ok("load", FILTERS / "udp-echo", "--handler", HANDLERS / "udp-echo.c").splitlines()
    assert re.fullmatch(r"udp-echo: binding 3 feeds its handler alone; filters of \d+ and \d+ bytes", out[0])
    assert re.fullmatch(r"udp-echo: handler 3: \d+ instructions, \d+ bytes of code, 0 guards, 0 maps", out[1])
    assert echoes(up, 50) == 50
    row = up.ok("list").splitlines()[2].split()
    assert row == ["udp-echo", "3", "-", "2", "0", row[5], "50", "0", "50", "udp_echo"]
    told = up.ok("list", "-v")
    for line in (r"udp-echo: binding 3 on interface 0; its owner is the agent \(environment 2\): it feeds its handler alone",
                 r"  frames     50 received, 0 dropped, 50 sent, 0 refused by the egress filter",
                 r"  handler    3 udp_echo: \d+ instructions, \d+ bytes of code, \d+ accesses \(0 guarded\), 0 maps",
                 r"  runs       50, fuel \d+ spent, 4096 a run at most",
                 r"  verdicts   PASS 0, DROP 0, TX 50 \(0 refused\), ABORTED 0", r"  strikes    0 of 16"):
        assert re.search(f"^{line}$", told, re.M), told
    out = up.ok("unload", "udp-echo").splitlines()
    assert out == ["udp-echo: binding 3 undone; 50 frames received, 0 dropped, 50 sent",
                   "udp-echo: handler udp_echo unloaded after 50 runs, 0 pages of its maps freed"]
    assert "udp-echo" not in up.ok("list")


def test_counts_are_read_and_ports_closed_through_maps(up):
    up.ok("load", "udp", "--handler", HANDLERS / "drop-by-port.c", "--app", "udp-echo", "--name", "shield")
    assert echoes(up, 5) == 5
    assert up.ok("maps", "shield", "closed", "--set", "7=1") == ""
    assert up.ok("maps", "shield", "closed") == "closed: map 0, 65536 entries of 4 bytes\n       7  1\n"
    lost = up("rtt", "--count", 3, "--limit", 100, "--json")
    assert json.loads(lost.stdout)["lost"] == 3
    assert up.ok("maps", "shield").splitlines() == ["closed: map 0, 65536 entries of 4 bytes", "       7  1",
                                                    "dropped: map 1, 65536 entries of 8 bytes", "       7  3"]
    assert echoes(up, 5, 9) == 5
    every = up.ok("maps", "shield", "1", "--all").splitlines()
    assert len(every) == 65537 and every[1:3] == ["       0  0", "       1  0"] and every[8] == "       7  3"
    assert up.ok("unload", "shield").splitlines()[1] == "shield: handler drop_by_port unloaded after 13 runs, 256 pages of its maps freed"


def test_maps_are_watched_while_frames_flow(up):
    up.ok("load", FILTERS / "udp-echo", "--handler", HANDLERS / "count-by-port.c", "--app", "udp-echo", "--name", "ports")
    watching = up.start("maps", "ports", "--watch", "--interval", "20")
    assert "entries" in watching.stdout.readline()  # it has begun
    assert echoes(up, 200) == 200
    time.sleep(0.5)
    watching.send_signal(signal.SIGINT)
    looks = watching.communicate(timeout=30)[0].split("\n\n")
    assert watching.returncode == 0 and len(looks) > 5
    counts = [int(look.split()[-1]) if " 7  " in look else 0 for look in looks]
    assert counts == sorted(counts) and counts[-1] == 200
    assert up.ok("maps", "ports", "--watch", "--interval", "1", "--count", "3").count("       7  200\n") == 3


def test_mistakes_are_named(up, folder):
    up.ok("load", FILTERS / "udp-echo", "--app", "udp-echo")
    broken = folder / "broken.c"
    broken.write_text("int handler( { }\n")
    unset = folder / "unset.hex"
    unset.write_text("bf70000000000000 9500000000000000\n")
    noise = folder / "noise.o"
    noise.write_bytes(b"\x7fELF" + bytes(100))
    large = folder / "large.c"
    large.write_text('#include <linux/bpf.h>\nchar data[300000] = {1};\n'
                     '__attribute__((section("xdp"))) int f(struct xdp_md *m) { return data[m->data & 1]; }\n')
    done = up("load", "udp dst port 9", "--handler", broken, "--name", "x")
    assert done.returncode == 1 and "broken.c:1:" in done.stderr and done.stderr.endswith("clang refused it\n")
    refused(up("load", "udp dst port 9", "--handler", unset, "--name", "x"),
            "load: agent: handler program: insn 0: a register is read that some path leaves without a value: r7\n")
    refused(up("load", "udp dst port 9", "--handler", noise, "--name", "x"), "load: handler", "noise.o")
    refused(up("load", "udp dst port 9", "--handler", folder / "none.c", "--name", "x"), "none.c")
    refused(up("load", "udp dst port 9", "--handler", large, "--name", "x"), "300", "262144")
    refused(up("load", "udp", "--handler", HANDLERS / "udp-echo.c", "--name", "x"), "load: agent: binding x: OVERLAP")
    refused(up("maps", "udp-echo"), "maps: agent: binding udp-echo has no handler")
    refused(up("maps", "nobody"), "no binding has the name nobody")
    up.ok("load", "udp dst port 9", "--handler", HANDLERS / "count-by-port.c")
    refused(up("maps", "count-by-port", "dropped"), 'no map "dropped"; it has frames')
    refused(up("maps", "count-by-port", "frames", "--set", "65536=1"), "65536 entries")
    assert [line.split()[0] for line in up.ok("list").splitlines()] == ["name", "arp0", "udp-echo", "count-by-port"]


def test_an_endless_handler_is_shown_as_unbound_with_the_reason(up, folder):
    source = folder / "spin.c"
    source.write_text('#include <linux/bpf.h>\n__attribute__((section("xdp"))) int spin(struct xdp_md *ctx)\n{\n'
                      '    for (unsigned i = 0; i < 1000000000; i++)\n        asm volatile("" ::: "memory");\n    return XDP_DROP;\n}\n')
    up.ok("load", FILTERS / "udp-echo", "--handler", source, "--app", "udp-echo", "--fuel", 500, "--name", "spin")
    assert echoes(up, 20) == 20
    assert up.ok("list").splitlines()[2].endswith("  spin (unbound)")
    told = up.ok("list", "-v")
    assert "  strikes    16 of 16: unbound; frames go past it" in told and ", 500 a run at most" in told
    assert re.search(r"^  last abort handler 3 \(spin\.c:\d\), insn \d+, fuel$", told, re.M), told
