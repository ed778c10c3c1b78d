"""dpfc --match: which frames of a capture a filter takes, against tcpdump on the same captures. Needs no machine."""
import os
import random
import re
import struct
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from conftest import BUILD

UTC = {**os.environ, "TZ": "UTC"}
MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET, LINUX_SLL = 1, 113

EXPRESSIONS = [
    "udp dst port 7", "udp port 7", "tcp", "tcp dst port 80", "arp", "icmp", "ip6", "vlan", "vlan 3 and udp", "not ip",
    "host 10.0.0.1", "src host 10.0.0.2", "src net 10.0.0.0/30", "dst portrange 1-70", "port 7 or port 80", "less 60",
    "greater 200", "len > 100", "len = 60", "tcp[tcpflags] & tcp-syn != 0", "ip[0] & 0xf > 5", "ip proto 17",
    "ether host 02:00:00:00:00:01", "ether broadcast", "ip[6:2] & 0x1fff != 0", "udp[4:2] > 20", "ip[2:2] - 20 > 40",
    "tcp[(tcp[12] >> 4) * 4] = 71", "icmp[icmptype] = icmp-echo", "arp dst host 10.0.0.1", "ip6 host fe80::1",
    "ether[60] = 0", "ether[100:4] != 0", "ip and not udp and not tcp", "len >= 0",
]


def dpfc(*args, stdin=b""):
    done = subprocess.run([BUILD / "bin" / "dpfc", *map(str, args)], input=stdin, capture_output=True, timeout=30, env=UTC)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def capture(frames, magic=MICROSECONDS, link=ETHERNET, order="<", snap=262144):
    """A capture of (seconds, fraction, captured bytes, length on the wire), as pcap-savefile(5) says."""
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)
    for seconds, fraction, data, length in frames:
        out += struct.pack(order + "IIII", seconds, fraction, len(data), length) + data
    return out


def address(pick):
    return f"10.0.0.{pick.randrange(1, 6)}"


def transport(pick):
    ports = {"sport": pick.choice([7, 53, 80, 1000]), "dport": pick.choice([7, 53, 80, 1000])}
    kind = pick.randrange(5)
    if kind < 2:
        return UDP(**ports)
    if kind < 4:
        return TCP(**ports, flags=pick.choice("SAFR"), options=[("NOP", None)] * pick.choice([0, 0, 4]))
    return ICMP(type=pick.choice([0, 8]))


def frame(pick):
    """One frame: mostly IPv4, with options, fragments and VLAN tags now and then, and bytes that mean nothing."""
    ether = Ether(src=f"02:00:00:00:00:0{pick.randrange(1, 4)}", dst=pick.choice(["ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01"]))
    kind = pick.randrange(12)
    if kind == 0:
        return bytes(ether) + pick.randbytes(pick.randrange(0, 60))
    if pick.randrange(6) == 0:
        ether = ether / Dot1Q(vlan=pick.randrange(1, 5))
    load = pick.choice([b"", b"G" * 30, pick.randbytes(pick.randrange(1, 400))])
    if kind == 1:
        return bytes(ether / ARP(psrc=address(pick), pdst=address(pick)))
    if kind == 2:
        return bytes(ether / IPv6(src="fe80::1", dst="fe80::2") / transport(pick) / load)
    ip = IP(src=address(pick), dst=address(pick), frag=pick.choice([0, 0, 0, 100]),
            options=[IPOption_NOP()] * pick.choice([0, 0, 0, 4, 8]))
    return bytes(ether / ip / transport(pick) / load)


def frames(seed, count, snap):
    """Frame n's time is n seconds, and some."""
    pick = random.Random(seed)
    for n in range(1, count + 1):
        data = frame(pick)
        yield n, pick.randrange(10**6), data[:snap], len(data)


def tcpdump(data, expression):
    """Number and time of each frame that tcpdump prints; the number is in the time (its -# counts what it prints)."""
    done = subprocess.run(["tcpdump", "-n", "-r", "-", expression], input=data, capture_output=True, timeout=30, env=UTC)
    assert done.returncode == 0, done.stderr
    times = re.findall(r"^(00:(\d\d):(\d\d)\.\d{6}) ", done.stdout.decode(), re.M)
    return [(int(minutes) * 60 + int(seconds), time) for time, minutes, seconds in times]


@pytest.mark.parametrize("snap", [262144, 64, 40, 20], ids=lambda snap: f"snap {snap}")
def test_it_takes_what_tcpdump_takes(folder, snap):
    data = capture(frames(snap, 300, snap), snap=snap)
    file = folder / "capture"
    file.write_bytes(data)
    taken = 0
    for expression in EXPRESSIONS:
        status, out, why = dpfc("--match", file, expression)
        rows = re.findall(r"^ *(\d+)  (\S+) length \d+(?: \(captured \d+\))?$", out, re.M)
        assert status == 0 and [(int(n), time) for n, time in rows] == tcpdump(data, expression), expression
        assert len(out.splitlines()) == len(rows) and ("cut off" in why) == (snap < 1000)
        if snap == 64:
            assert dpfc("--match", file, "--count", expression)[:2] == (0, f"{len(rows)}\n")
        taken += 0 < len(rows) < 300
    assert taken >= (20 if snap > 40 else 8), "most expressions tell frames apart"


def test_a_line_tells_number_time_and_length():
    data = capture([(1700000000, 5, b"\0" * 60, 60), (1700000001, 999999, b"\0" * 40, 1500), (3, 0, b"\0" * 14, 14)])
    assert dpfc("--match", "-", "len >= 60", stdin=data) == (
        0, "    1  22:13:20.000005 length 60\n    2  22:13:21.999999 length 1500 (captured 40)\n",
        "dpfc: -: 1 of 3 frames are cut off; a test of bytes that are missing rejects, as in tcpdump\n")


def test_of_a_frame_cut_off_the_length_is_known_and_the_bytes_are_not():
    data = capture([(0, 0, b"\0" * 40, 1500)])
    for expression, count in {"len = 1500": 1, "ether[39] = 0": 1, "ether[40] = 0": 0, "not ether[40] = 1": 0}.items():
        assert dpfc("--match", "-", "--count", expression, stdin=data)[:2] == (0, f"{count}\n"), expression


def test_byte_order_and_nanoseconds_are_understood():
    for order in "<>":
        assert dpfc("--match", "-", "len >= 0", stdin=capture([(0, 123456789, b"\0" * 60, 60)], NANOSECONDS, order=order)) == (
            0, "    1  00:00:00.123456 length 60\n", "")


def test_filters_come_from_files_too(folder):
    (folder / "filter").write_text("# short ones\nless 20\n")
    data = capture([(0, 0, b"\0" * 60, 60), (0, 0, b"\0" * 20, 20)])
    assert dpfc("--match", "-", "--count", "-f", folder / "filter", stdin=data)[:2] == (0, "1\n")


@pytest.mark.parametrize("content, words", [
    (b"", "not a capture that libpcap can read: truncated dump file"),
    (b"#!/bin/sh\necho not a capture at all\n", "not a capture that libpcap can read: unknown file format"),
    (capture([])[:20], "not a capture that libpcap can read: truncated dump file"),
    (capture([], link=LINUX_SLL), "its link type is LINUX_SLL (Linux cooked v1), and filters are for Ethernet"),
    (capture([], link=147), "link type"),
], ids=["empty", "text", "half a header", "cooked", "private"])
def test_what_is_no_capture_of_ethernet_is_named(folder, content, words):
    file = folder / "capture"
    file.write_bytes(content)
    status, out, why = dpfc("--match", file, "udp")
    assert (status, out) == (1, "") and why.startswith(f"dpfc: {file}: ") and words in why and why.count("\n") == 1


def test_a_file_that_is_not_there_is_named(folder):
    assert dpfc("--match", folder / "none", "udp") == (1, "", f"dpfc: {folder / 'none'}: No such file or directory\n")
    status, _, why = dpfc("--match", folder, "udp")
    assert status == 1 and "Is a directory" in why


@pytest.mark.parametrize("left", [1, 15, 16, 75])
def test_a_capture_that_ends_in_a_frame_tells_what_it_has_and_fails(folder, left):
    whole = capture([(0, 0, b"\0" * 60, 60)])
    file = folder / "capture"
    file.write_bytes(whole + capture([(0, 0, b"\0" * 60, 60)])[24:24 + left])
    status, out, why = dpfc("--match", file, "len >= 0")
    assert status == 1 and out == "    1  00:00:00.000000 length 60\n"
    assert f"dpfc: {file}: behind frame 1: truncated dump file" in why


def test_a_wrong_filter_is_told_before_the_capture_is_opened():
    status, _, why = dpfc("--match", "/nonexistent", "frob")
    assert status == 2 and "syntax error" in why


def test_a_full_device_is_noticed():
    data = capture([(0, 0, b"\0" * 60, 60)])
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BUILD / "bin" / "dpfc", "--match", "-", "len >= 0"], input=data, stdout=full,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1 and b"No space left" in done.stderr
