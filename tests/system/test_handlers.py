"""Users' handlers, from C source on the host to frames in the kernel: what they answer, count, drop and pass; what becomes of
those that misbehave; and that nothing is left of any of them."""
import os
import random
import re
import struct
import subprocess
import time

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

import images
import protocol
from conftest import BUILD, ROOT
from images import GUEST_IP, HOST_IP, HOST_MAC
from machine import Refused

EXAMPLES = ROOT / "examples" / "handlers"
CYCLES = int(os.environ.get("AEGIS_HANDLER_CYCLES", 200))
STRIKES = 16
HEAD = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"

# Counts to a billion, which no fuel lasts for; the empty asm keeps the compiler from working it out.
ENDLESS = HEAD + """SEC("xdp") int endless(struct xdp_md *ctx)
{
    for (unsigned i = 0; i < 1000000000; i++)
        asm volatile("" ::: "memory");
    return XDP_DROP;
}
"""

# Changes the first byte of a UDP payload, then goes astray.
SPOILER = HEAD + """SEC("xdp") int spoiler(struct xdp_md *ctx)
{
    unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 43 > end)
        return XDP_PASS;
    data[42] = 'Z';
    return ((volatile unsigned char *)(long)ctx->data_end)[7];
}
"""

# Two maps whose contents the compiler gives.
VARIABLES = HEAD + """int runs = 40; const volatile int step = 2;
SEC("xdp") int variables(struct xdp_md *ctx)
{
    runs += step;
    return XDP_PASS;
}
"""


@pytest.fixture
def compile_handler(folder):
    """C source, a path or a text, to a handler's image, by ashc."""
    def compile_(source):
        path = folder / f"handler{random.randrange(10**9)}.c"
        if isinstance(source, str):
            path.write_text(source)
        else:
            path = source
        out = folder / "handler.ash"
        done = subprocess.run([BUILD / "bin" / "ashc", "-o", out, path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return out.read_bytes()
    return compile_


@pytest.fixture
def up(machine):
    return machine().up()


def send(m, payload, port=7):
    m.nics[0].send(images.datagram(m.nics[0].mac, payload, port))


def echo(m, payload, port=7):
    send(m, payload, port)
    return m.nics[0].find(images.is_answer(payload, port), 20)


def binding(m, name):
    return next(r for r in m.control.list() if r["name"] == name)


def handler(m):
    """The row of the only handler that is loaded."""
    (row,) = m.control.list("handler_row")
    return row


def runs(m, count, field="runs"):
    """The handler's row once it has run so often."""
    end = time.monotonic() + 20
    while (row := handler(m))[field] < count:
        assert time.monotonic() < end, row
        time.sleep(0.02)
    return row


def resources(m):
    """What leaks would be missing from, once it stays the same: a program gives its ring back a little after the binding
    went."""
    last, same = None, 0
    while same < 5:
        state = m.control.status()
        now = state["pages_free"], state["code_free"], state["arena_free"], state["envs"]
        same = same + 1 if now == last else 0
        last = now
        time.sleep(0.02)
    return last


def test_udp_is_answered_by_the_kernel_with_no_application(up, compile_handler):
    loaded = up.control.load("echo", "", images.udp_filters(7), handler=compile_handler(EXAMPLES / "udp-echo.c"))
    assert loaded["env"] == 2 and loaded["insns"] > 0 and loaded["code"] > 0
    for size in (0, 1, 60, 1400):
        assert echo(up, os.urandom(size))
    row = handler(up)
    assert (row["runs"], row["sent"], row["refused"], row["strikes"], row["abort"]) == (4, 4, 0, 0, "")
    assert row["fuel"] >= 4 * 10 and row["limit"] == 4096
    assert binding(up, "echo")["app"] == "" and binding(up, "echo")["received"] == 4
    undone = up.control.unload("echo")
    assert (undone["handler"], undone["runs"], undone["sent"]) == ("udp_echo", 4, 4)
    send(up, b"nobody")
    assert up.nics[0].find(images.is_answer(b"nobody"), 0.5) is None


def test_pings_are_answered_by_the_kernel(up, compile_handler, compile_filter):
    up.control.load("ping", "", compile_filter((ROOT / "examples/filters/ping").read_text()),
                    handler=compile_handler(EXAMPLES / "icmp-echo.c"))
    for sequence in range(1, 4):
        payload = os.urandom(56)
        up.nics[0].send(bytes(Ether(src=HOST_MAC, dst=up.nics[0].mac) / IP(src=HOST_IP, dst=GUEST_IP) /
                              ICMP(id=77, seq=sequence) / payload))
        answer = Ether(up.nics[0].find(lambda f: Ether(f).haslayer(ICMP), 20))
        icmp = answer[ICMP]
        assert (answer[IP].src, answer[IP].dst, icmp.type, icmp.id, icmp.seq) == (GUEST_IP, HOST_IP, 0, 77, sequence)
        assert bytes(icmp.payload) == payload
        right = answer.copy()
        del right[ICMP].chksum
        assert Ether(bytes(right))[ICMP].chksum == icmp.chksum


def test_arp_is_answered_by_the_kernel(up, compile_handler, compile_filter):
    up.control.unload("arp0")
    up.control.load("arp", "", compile_filter("arp"), handler=compile_handler(EXAMPLES / "arp-reply.c"))
    up.nics[0].send(images.arp_request())
    answer = Ether(up.nics[0].find(lambda f: Ether(f).haslayer(ARP), 20))[ARP]
    assert (answer.op, answer.hwsrc, answer.psrc, answer.hwdst, answer.pdst) == (2, up.nics[0].mac, GUEST_IP, HOST_MAC, HOST_IP)
    assert handler(up)["sent"] == 1


def test_passed_frames_reach_the_application_and_are_counted_in_a_map(up, compile_handler, compile_filter):
    up.control.load("ports", "udp-echo", compile_filter("udp"), handler=compile_handler(EXAMPLES / "count-by-port.c"))
    for port, times in ((7, 3), (9, 5), (65535, 1)):
        for i in range(times):
            assert echo(up, b"frame %d" % i, port)
    assert handler(up)["passed"] == 9 and binding(up, "ports")["received"] == 9
    (row,) = up.control.maps("ports")
    assert (row["name"], row["entries"], row["value_size"]) == ("frames", 65536, 8)
    assert up.control.read_map("ports") == {p: struct.pack("<Q", n) for p, n in ((7, 3), (9, 5), (65535, 1))}
    assert len(up.control.read_map("ports", every=True)) == 65536


def test_passed_frames_without_an_application_are_counted_as_dropped(up, compile_handler, compile_filter):
    up.control.load("ports", "", compile_filter("udp"), handler=compile_handler(EXAMPLES / "count-by-port.c"))
    for _ in range(5):
        send(up, b"into the void", 12)
    assert runs(up, 5)["passed"] == 5
    row = binding(up, "ports")
    assert (row["received"], row["dropped"]) == (0, 5)
    assert up.control.read_map("ports") == {12: struct.pack("<Q", 5)}


def test_ports_closed_in_a_map_are_dropped(up, compile_handler, compile_filter):
    up.control.load("shield", "udp-echo", compile_filter("udp"), handler=compile_handler(EXAMPLES / "drop-by-port.c"))
    assert echo(up, b"open", 7)
    up.control.write_map("shield", 7, struct.pack("<I", 1))
    for _ in range(4):
        send(up, b"closed", 7)
    assert echo(up, b"another", 8)
    assert up.nics[0].find(images.is_answer(b"closed"), 0.3) is None
    assert handler(up)["dropped"] == 4
    assert up.control.read_map("shield", 1) == {7: struct.pack("<Q", 4)}
    up.control.write_map("shield", 7, struct.pack("<I", 0))
    assert echo(up, b"open again", 7)


def test_variables_begin_with_what_the_source_gives_them(up, compile_handler):
    up.control.load("vars", "udp-echo", images.udp_filters(7), handler=compile_handler(VARIABLES))
    rows = {r["name"]: r for r in up.control.maps("vars")}
    data = next(r for name, r in rows.items() if name.endswith("data") and "ro" not in name)
    assert up.control.read_map("vars", data["map"])[0] == struct.pack("<i", 40)
    assert echo(up, b"once") and echo(up, b"twice")
    assert up.control.read_map("vars", data["map"])[0] == struct.pack("<i", 44)


def test_an_endless_loop_burns_fuel_and_is_unbound_at_the_strike_limit(up, compile_handler):
    up.control.load("loop", "udp-echo", images.udp_filters(7), handler=compile_handler(ENDLESS), fuel=1000)
    for strike in range(1, STRIKES + 1):
        assert echo(up, b"still there %d" % strike)
        row = handler(up)
        assert (row["strikes"], row["aborted"], row["runs"]) == (strike, strike, strike)
        assert 1000 >= row["fuel"] / strike >= 900 and "fuel" in row["abort"] and ".c:" in row["abort"]
        assert binding(up, "loop").get("unbound", 0) == (strike == STRIKES)
    for i in range(3):
        assert echo(up, b"past it %d" % i)
    assert handler(up)["runs"] == STRIKES
    up.wait_line(r"handler \d+ \(endless\) of environment 2 is unbound after 16 strikes")


def test_a_frame_that_a_handler_changed_before_it_was_aborted_goes_on_as_it_is(up, compile_handler):
    up.control.load("spoiler", "udp-echo", images.udp_filters(7), handler=compile_handler(SPOILER))
    send(up, b"payload")
    answer = Ether(up.nics[0].find(lambda f: Ether(f).haslayer(IP), 20))
    assert bytes(answer[IP].payload)[8:15] == b"Zayload"
    assert "guard: frame +" in handler(up)["abort"]


# Instructions that no ashc lets through, by what the verifier says of them: opcode, registers, offset, immediate.
HOPELESS = {
    "uninitialised": ((0xBF, 0x70, 0, 0), "a register is read that some path leaves without a value: r7"),
    "opcode": ((0xFF, 0, 0, 0), "unknown opcode 0xff"),
    "helper": ((0x85, 0, 0, 4711), "no such helper here: 4711"),
    "wild jump": ((0x05, 0, 30000, 0), "a jump leaves the program: to insn 30001"),
    "recursion": ((0x85, 0x10, 0, -1), "a function calls itself"),
    "frame pointer": ((0xB7, 10, 0, 0), "r10 is written"),
}


def test_a_program_that_can_never_be_right_is_refused_with_the_verifiers_words(up, compile_handler):
    good, left = compile_handler(EXAMPLES / "udp-echo.c"), []
    for kind, (instruction, words) in HOPELESS.items():
        image = bytearray(good)
        struct.pack_into("<BBhi", image, 48, *instruction)
        with pytest.raises(Refused) as refused:
            up.control.load("bad", "udp-echo", images.udp_filters(7), handler=bytes(image))
        assert re.fullmatch(rf"agent: handler udp_echo: insn 0 \(udp-echo\.c:\d+\): {words}", refused.value.text), (kind, refused.value)
        left.append(resources(up))
    assert left == [left[0]] * len(left)


def test_whatever_step_of_a_load_fails_nothing_is_left_of_it(up, compile_handler, compile_filter):
    image = compile_handler(EXAMPLES / "count-by-port.c")
    up.control.load("seven", "udp-echo", images.udp_filters(7))
    up.control.load("warm", "", images.udp_filters(9), handler=image)
    up.control.unload("warm")
    before, rows = resources(up), up.control.list()
    everything = compile_filter("udp")
    for name, app, filters, more, part in (
            ("new", "", images.udp_filters(9), {}, "application or a handler"),
            ("seven", "", images.udp_filters(9), {"handler": image}, "exists"),
            ("new", "nothing", images.udp_filters(9), {"handler": image}, "no program nothing"),
            ("new", "", everything, {"handler": image}, "OVERLAP"),
            ("new", "arpd", everything, {"handler": image}, "OVERLAP"),
            ("new", "", images.udp_filters(9), {"handler": image, "netif": 3}, "interface"),
            ("new", "", images.udp_filters(9), {"handler": image, "fuel": 65537}, "65536"),
            ("new", "", (b"bad", b"bad"), {"handler": image}, "filter"),
            ("new", "", images.udp_filters(9), {"handler": image[:-1]}, "ends before"),
            ("new", "", images.udp_filters(9), {"handler": image + b"\0"}, "bytes follow"),
            ("new", "", images.udp_filters(9), {"handler": b"\x7fELF" + image[4:]}, "not a handler image")):
        with pytest.raises(Refused, match=part):
            up.control.load(name, app, filters, handler=more.pop("handler", b""), **more)
    assert resources(up) == before and up.control.list() == rows
    assert echo(up, b"still there")


def test_maps_that_memory_has_no_room_for_are_refused(machine, compile_handler):
    m = machine(memory=32).up()
    image = bytearray(compile_handler(EXAMPLES / "count-by-port.c"))
    struct.pack_into("<I", image, 48 + 28, 1 << 21)  # the map's entries: 16 MiB, as many as there may be
    left = []
    for _ in range(3):
        with pytest.raises(Refused, match="4096 consecutive pages"):
            m.control.load("big", "", images.udp_filters(9), handler=bytes(image))
        left.append(resources(m))
    assert left[1] == left[2]  # the first attempt leaves the agent a larger heap and page tables


def test_mutated_images_are_refused_or_harmless(up, compile_handler):
    up.control.load("seven", "udp-echo", images.udp_filters(7))
    image, rng, taken = compile_handler(EXAMPLES / "udp-echo.c"), random.Random(11), 0
    for _ in range(150):
        bad = bytearray(image)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        try:
            up.control.load("bad", "", images.udp_filters(9), handler=bytes(bad[:rng.choice((len(bad), rng.randrange(len(bad) + 1))) or 1]))
        except Refused as refused:
            assert refused.text.startswith("agent: "), refused.text
            continue
        taken += 1
        send(up, b"run it", 9)
        up.control.unload("bad")
    assert taken > 5 and echo(up, b"still there")


def test_requests_about_maps_that_are_wrong_are_refused_by_name(up, compile_handler):
    up.control.load("ports", "", images.udp_filters(7), handler=compile_handler(EXAMPLES / "count-by-port.c"))
    up.control.load("plain", "udp-echo", images.udp_filters(9))
    read, write = (lambda **v: (protocol.MAP_READ, protocol.encode("map_read", **v)),
                   lambda **v: (protocol.MAP_WRITE, protocol.encode("map_write", **v)))
    for (kind, body), part in (
            ((protocol.MAPS, protocol.encode("maps", name="nobody")), "nobody"),
            ((protocol.MAPS, protocol.encode("maps", name="plain")), "no handler"),
            ((protocol.MAPS, b""), "malformed"), ((protocol.MAP_READ, b"\1"), "malformed"), ((protocol.MAP_WRITE, b""), "malformed"),
            (read(name="nobody", map=0), "nobody"), (read(name="ports", map=1), "1 maps"),
            (read(name="ports", map=2**32 - 1), "1 maps"), (write(name="ports", map=1, entry=0, value=bytes(8)), "1 maps"),
            (write(name="ports", map=0, entry=65536, value=bytes(8)), "65536 entries"),
            (write(name="ports", map=0, entry=2**32 - 1, value=bytes(8)), "65536 entries"),
            (write(name="ports", map=0, entry=0, value=bytes(7)), "8 bytes"),
            (write(name="ports", map=0, entry=0, value=bytes(9)), "8 bytes")):
        with pytest.raises(Refused, match=part):
            up.control.ask(kind, body)
    body = up.control.ask(*read(name="ports", map=0, start=2**32 - 1, all=1))
    assert protocol.decode("map_data", body) == {"next": 0, "width": 8, "rows": b""}


@pytest.mark.timeout_s(120 + CYCLES)
def test_loading_and_unloading_handlers_leaks_nothing(up, compile_handler):
    with_maps, without = compile_handler(EXAMPLES / "drop-by-port.c"), compile_handler(EXAMPLES / "udp-echo.c")
    up.control.load("seven", "udp-echo", images.udp_filters(7))

    def cycle(app, image):
        up.control.load("it", app, images.udp_filters(9), handler=image)
        up.control.unload("it")

    for image in (with_maps, without):
        cycle("", image)
        cycle("udp-echo", image)
    before = resources(up)
    for i in range(CYCLES):
        cycle("udp-echo" if i % 4 == 3 else "", with_maps if i % 2 else without)
    assert resources(up) == before
    assert echo(up, b"still there")


def test_a_handler_whose_application_has_ended_is_shown_and_given_back(up, compile_handler):
    """init run as an application ends at once: it is not the first program."""
    image, left = compile_handler(EXAMPLES / "count-by-port.c"), []
    for _ in range(3):
        up.control.load("gone", "init", images.udp_filters(9), handler=image)
        end = time.monotonic() + 20
        while binding(up, "gone")["env"] != 0:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert handler(up)["runs"] == 0 and up.control.read_map("gone") == {}
        up.control.load("gone", "", images.udp_filters(9), handler=image)  # in its place
        assert handler(up)["insns"] > 0
        assert up.control.unload("gone")["pages"] == 128
        left.append(resources(up))
    assert left == [left[0]] * 3
