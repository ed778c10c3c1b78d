"""dpfc's command line: what it writes, prints and refuses. Needs no machine."""
import pathlib
import re
import struct
import subprocess

import pytest

from conftest import BUILD, ROOT

EXAMPLES = sorted((ROOT / "examples" / "filters").iterdir())


def dpfc(*args, stdin=""):
    return subprocess.run([BUILD / "bin" / "dpfc", *map(str, args)], input=stdin, text=True, capture_output=True, timeout=30)


def ok(*args, **more):
    done = dpfc(*args, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def compiled(folder, *args, **more):
    """The ingress and egress images of a filter."""
    ok("-o", folder / "in", "--egress-out", folder / "out", *args, **more)
    return (folder / "in").read_bytes(), (folder / "out").read_bytes()


def test_help_goes_to_standard_output():
    assert "usage: dpfc" in ok("--help")


@pytest.mark.parametrize("args, words", [
    ((), "no filter given"),
    (("udp",), "nothing to do: give -o FILE"),
    (("-d", "-f", "x", "udp"), "not both"),
    (("-q", "udp"), "invalid option"),
    (("-o",), "requires an argument"),
    (("--count", "-d", "udp"), "--count belongs to --match"),
    (("--match", "x", "-d", "udp"), "--match takes none of"),
    (("--match", "x", "-o", "y", "udp"), "--match takes none of"),
    (("--match", "-", "-f", "-"), "standard input can't be both"),
    (("--match", "x"), "no filter given"),
    (("-d", "--with", "udp", "tcp"), "--with belongs to -dd and -ddd"),
])
def test_wrong_usage_ends_with_2(args, words):
    done = dpfc(*args)
    assert done.returncode == 2 and words in done.stderr and done.stdout == ""


@pytest.mark.parametrize("text, status, words", [
    ("frob", 2, "syntax error"),
    ("udp port seven-of-nine", 2, "seven-of-nine"),
    ("", 2, "the filter is empty"),
    ("inbound", 1, "only Linux's kernel knows it"),
    ("ip6 protochain 6", 1, "protochain"),
    ("ip[2:2] = ip[4:2]", 1, "comparison of two fields"),
])
def test_refused_filters_say_why(folder, text, status, words):
    done = dpfc("-o", folder / "in", text)
    assert done.returncode == status and words in done.stderr and done.stderr.startswith("dpfc: ")
    assert done.stderr.count("\n") == 1 and not (folder / "in").exists()


def test_the_image_is_what_the_format_says(folder):
    image, _ = compiled(folder, "arp")
    magic, version, entry, nodes, ranges, _ = struct.unpack_from("<4sHHHHI", image)
    assert (magic, version, entry, nodes, ranges, len(image)) == (b"ADPF", 1, 0, 1, 1, 16 + 24 + 16)
    kind, width, relative, _, offset, yes, no, start, count, _, mask = struct.unpack_from("<BBBbHHHHHHQ", image, 16)
    assert (kind, width, relative, offset, start, count, mask) == (1, 2, 0, 12, 0, 1, 0xFFFF)
    assert (yes, no) == (0xFFFF, 0xFFFE) and struct.unpack_from("<QQ", image, 40) == (0x0806, 0x0806)


def test_words_are_joined_as_tcpdump_joins_them(folder):
    assert compiled(folder, "udp", "dst", "port", "7") == compiled(folder, "udp dst port 7")


@pytest.mark.parametrize("text, turned", [
    ("udp dst port 7", "udp src port 7"),
    ("tcp and src host 10.0.0.1 and dst port 80", "tcp and dst host 10.0.0.1 and src port 80"),
    ("ether src 02:00:00:00:00:01", "ether dst 02:00:00:00:00:01"),
    ("arp dst host 10.0.2.15", "arp src host 10.0.2.15"),
    ("ip6 dst host fe80::1 and udp dst port 53", "ip6 src host fe80::1 and udp src port 53"),
    ("vlan 3 and udp dst port 7", "vlan 3 and udp src port 7"),
    ("icmp", "icmp"),
])
def test_egress_exchanges_source_and_destination(folder, text, turned):
    _, egress = compiled(folder, text)
    ingress, _ = compiled(folder, turned)
    assert egress == ingress


def test_egress_can_be_given(folder):
    _, egress = compiled(folder, "--egress", "udp src port 9", "udp dst port 7")
    assert egress == compiled(folder, "udp src port 9")[0]
    done = dpfc("-d", "--egress", "frob", "udp")
    assert done.returncode == 2 and done.stderr.startswith("dpfc: --egress: ")


def test_without_a_way_back_only_egress_is_refused(folder):
    done = dpfc("--egress-out", folder / "out", "ether[4:4] = 0")
    assert done.returncode == 1 and "no egress filter can be derived" in done.stderr and not (folder / "out").exists()
    printed = ok("-d", "ether[4:4] = 0")
    assert "[4:4] = 0x0" in printed and "egress: no egress filter can be derived" in printed
    assert ok("-o", folder / "in", "ether[4:4] = 0") == ""


def test_dump_prints_the_atoms():
    assert ok("-d", "ip and udp dst port 7") == """\
ingress: 5 atoms, 200 bytes
    0  [12:2] = 0x800  yes 1  no reject
    1  [23:1] = 0x11  yes 2  no reject
    2  [20:2] & 0x1fff = 0x0  yes 3  no reject
    3  base = ([14:1] & 0xf) << 2  yes 4
    4  base[16:2] = 0x7  yes accept  no reject
egress: 5 atoms, 200 bytes
    0  [12:2] = 0x800  yes 1  no reject
    1  [23:1] = 0x11  yes 2  no reject
    2  [20:2] & 0x1fff = 0x0  yes 3  no reject
    3  base = ([14:1] & 0xf) << 2  yes 4
    4  base[14:2] = 0x7  yes accept  no reject
"""
    assert "accept every frame" in ok("-d", "len >= 0")
    assert "len in {0x0-0x3c}" in ok("-d", "less 60")
    assert "base += (base[26:1] & 0xf0) >> 2" in ok("-d", "tcp[(tcp[12] >> 4) * 4] = 71")


def test_two_d_print_the_trie_between_the_atoms():
    atoms, printed = ok("-d", "ip and udp dst port 7"), ok("-dd", "ip and udp dst port 7")
    trie = """\
trie: 1 filter, 744 bytes, entered at node 1
    1  [12:2] = 0x800  yes 2  no end
    2  [20:2] & 0x1fff = 0x0  yes 3  no end
    3  [23:1] = 0x11  yes 4  no end
    4  base1 = ([14:1] & 0xf) << 2  yes 5  no end
    5  base1[16:2] = 0x7  yes 6  no end
    6  filter 0; then end
"""
    ingress, egress = atoms.split("egress:")
    assert printed == ingress + trie + "egress:" + egress


def test_filters_merge_into_tables():
    printed = ok("-dd", "--with", "udp dst port 9", "--with", "udp dst portrange 20-30", "--with", "len >= 0",
                 "ip and udp dst port 7")
    assert "  filter 0, rank 1: ip and udp dst port 7\n" in printed
    assert "  filter 3, rank 0: len >= 0\n" in printed, "what contains the others ranks below them"
    table = re.search(r"base1\[16:2\] in a hash table of 4 slots.* and 1 sorted range  no (\d+)\n((?:         .*\n)+)", printed)
    assert [line.split()[0] for line in table[2].splitlines()] == ["0x7", "0x9", "0x14-0x1e"]
    assert f"{table[1]}  filter 3; then end" in printed


def test_large_filters_keep_their_atoms_in_the_trie():
    hosts = " or ".join(f"(ip host 10.0.0.{i} and udp port {i + 1})" for i in range(40))
    assert re.search(r"filter 0 if its atoms from \d+ on accept; then end\n +0  \[", ok("-dd", hosts))


def test_filters_that_overlap_do_not_merge():
    done = dpfc("-dd", "--with", "udp dst port 7", "ip host 10.0.0.1")
    assert done.returncode == 1 and "ip host 10.0.0.1 and udp dst port 7 overlap" in done.stderr
    done = dpfc("-dd", "--with", "udp dst port 7", "udp dst port 7")
    assert done.returncode == 1 and "take the same frames" in done.stderr
    done = dpfc("-dd", "--with", "frob", "udp")
    assert done.returncode == 2 and done.stderr.startswith("dpfc: frob: ")


def test_three_d_print_the_machine_code():
    """The instructions are those that tests/shape pins; here, that each filter has its function, and no word is unknown."""
    printed = ok("-ddd", "udp dst port 7")
    ingress, egress = printed.split("egress:")
    for part in (ingress, egress):
        size, code = re.search(r"machine code, (\d+) bytes\n((?: +[0-9a-f]+: .*\n|entry\n|constants and tables\n)+)", part).groups()
        words = re.findall(r"^ +([0-9a-f]+): [0-9a-f]{8}", code, re.M)
        assert [int(word, 16) for word in words] == list(range(0, int(size), 4))
        assert code.count("entry\n") == 1 and code.count("jalr zero,0(ra)") >= 1
    assert "lhu" in ingress and ".word" not in printed
    assert "constants and tables" in ok("-ddd", *(["--with", "len >= 0"]), "udp dst port 7 or 70 or 700 or 7000 or 77")


def test_filters_come_from_files_with_comments(folder):
    file = folder / "filter"
    file.write_text("# the echo port\nudp dst # not src\n  port 7\n")
    assert compiled(folder, "-f", file) == compiled(folder, "udp dst port 7")
    assert compiled(folder, "-f", "-", stdin=file.read_text()) == compiled(folder, "udp dst port 7")


def test_faults_name_the_file(folder):
    file = folder / "filter"
    file.write_text("udp dst prot 7\n")
    done = dpfc("-d", "-f", file)
    assert done.returncode == 2 and done.stderr.startswith(f"dpfc: {file}: ")
    done = dpfc("-d", "-f", folder / "none")
    assert done.returncode == 1 and done.stderr == f"dpfc: {folder / 'none'}: No such file or directory\n"
    file.write_bytes(b"udp\0dst port 7")
    assert "zero byte" in dpfc("-d", "-f", file).stderr
    file.write_text(" " * (1 << 20) + "udp")
    assert "longer than 1048576 bytes" in dpfc("-d", "-f", file).stderr
    done = dpfc("-o", folder, "udp")
    assert done.returncode == 1 and done.stderr.startswith(f"dpfc: {folder}: ")


def test_full_devices_are_noticed():
    done = dpfc("-o", "/dev/full", "udp")
    assert done.returncode == 1 and "No space left" in done.stderr
    with open("/dev/full", "w") as full:
        done = subprocess.run([BUILD / "bin" / "dpfc", "-d", "udp"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=30)
    assert done.returncode == 1 and "No space left" in done.stderr


def test_tcpdump_output_is_taken(folder):
    text = subprocess.run(["tcpdump", "-ddd", "-y", "EN10MB", "udp dst port 7"], text=True, capture_output=True,
                          check=True, timeout=30).stdout
    assert compiled(folder, "-f", "-", stdin=text) == compiled(folder, "udp dst port 7")
    lines = text.splitlines(keepends=True)
    done = dpfc("-d", "-f", "-", stdin="".join(lines[:-1]))
    assert done.returncode == 2 and f"{len(lines) - 1} instructions announced, only {len(lines) - 2}" in done.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_compile(folder, path):
    ingress, egress = compiled(folder, "-f", path)
    assert ingress.startswith(b"ADPF") and egress.startswith(b"ADPF")


def test_the_echo_example_is_one_line():
    lines = pathlib.Path(EXAMPLES[0].parent / "udp-echo").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["udp dst port 7"]
