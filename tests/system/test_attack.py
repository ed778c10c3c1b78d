"""Hostile programs (tests/attack) on the checked kernel: each gets its error, and the victim goes on as before.

INDEX says what is attacked by whom. Here is asked that it misses nothing, and that each of its rows was run and held."""
import re

import pytest

from conftest import BUILD, ROOT
from machine import Nic
from test_check import CHECKED, cards, disks

INDEX = re.sub(r"/\*.*?\*/", "", (ROOT / "tests/attack/INDEX").read_text(), flags=re.S)
CALLS = re.sub(r"/\*.*?\*/", "", (ROOT / "src/abi/calls.def").read_text(), flags=re.S)

PAIRS = re.findall(r"^(PAIR\w*)\((\w+), (\w+)[,)]", INDEX, re.M)
UNITS = re.findall(r'^PAIR_UNIT\(\w+, (\w+), "([^"]+)"\)', INDEX, re.M)
ATTACKS = re.findall(r'^(ATTACK|ATTACK_ENDED|HEAVY)\("([^"]+)", (\w+)', INDEX, re.M)
TESTS = re.findall(r'^ATTACK_TEST\("([^"]+)", "([^"]+)", (\w+)\)', INDEX, re.M)
ALSO = re.findall(r'^ALSO\("([^"]+)", (\w+)\)', INDEX, re.M)

def listed_errors():
    """(call, error) for each error that calls.def lists."""
    return {(call, error) for call, errors in re.findall(r"AEGIS_CALL\d\(0x\w+, (\w+).*?\bE\(([^)]*)\)", CALLS, re.S)
            for error in re.findall(r"\w+", errors)}


def rows_of(*kinds):
    names = [f"{call}_{error}" for kind, call, error in PAIRS if kind in kinds]
    return names + [name for kind, _, name in ATTACKS if kind in kinds]


def run(machine, limit, nic=None, **options):
    """The names of the rows that held. What nic is sent waits until a row asks for it to be read, and must be as the egress
    filter saw it."""
    m = machine(kernel=CHECKED, initrd=BUILD / "guest/attack-initrd.cpio", memory=32, nics=0, **options)
    if m.wait_line(r"\] (DONE|DRAIN)|panic|refuse", limit).endswith("DRAIN"):
        frames = 0
        while m.alive():
            frame = nic.receive(0.2)
            assert frame is None or frame[6:12] == bytes.fromhex(nic.mac.replace(":", "")), frame.hex()
            frames += frame is not None
        assert frames > 10
    status = m.wait()
    broken = re.findall(r"\] BROKE .*", m.text)
    assert not broken and status == 0, m.text
    return set(re.findall(r"\] HELD (\w+)", m.text))


def test_every_error_of_every_call_has_a_row():
    have = {(call, error) for _, call, error in PAIRS}
    assert not sorted(listed_errors() - have), "no row in tests/attack/INDEX"
    assert not sorted(have - listed_errors()), "calls.def does not list these"


# Design section 2 has these rules; section 3's table has these rows whose resource exists; issues 5 and 6 list these attacks.
RULES = [f"rule {n}" for n in range(1, 9)]
ROWS = ["physical page", "CPU time", "environment", "frames in and out", "copies of frames (tap)", "handler (ASH)",
        "memory window for a handler", "call gate", "console, entropy, counters, FPU", "disk"]
LIST = ["capabilities forged", "capabilities stale", "capabilities swapped", "capabilities over-righted",
        "PTEs to pages of others", "PTEs to pages of the kernel and of devices", "PTEs with reserved bits",
        "PTEs to pages in each state", "arguments at every boundary", "arguments changed by another during the call",
        "page freed while a device reads it", "page freed while a device writes it", "end while a device reads",
        "header flipped between net_send and the device's read", "match-all filter grabbed", "ten thousand environments",
        "extent: ranges that wrap or leave it", "extent: pages of others", "extent: a page remapped during DMA",
        "extent: page freed while a disk writes it", "extent: end while a disk writes", "extent: capability forged or stale",
        "extent: secrets guessed", "extent: the disk filled by one application", "extent: data of the last owner",
        "bomb of environments", "revocation ignored", "depth words scribbled over", "upcalls into unmapped pages",
        "handlers that fault for ever", "exceptions on a bad stack",
        "gates to environments that end", "donations that overrun the callee", "gates past what was severed",
        "messages that look like errors", "register residue", "FPU residue", "fuzzer", "exhaustion sweep",
        "slice hogs", "epilogues that never yield", "predicates on others' words", "predicates on freed pages",
        "frames flooded for one owner", "handlers that burn all their fuel on every frame"]


def test_every_rule_row_and_listed_attack_has_a_program():
    have = {subject for _, subject, _ in ATTACKS} | {subject for subject, _ in ALSO} | {subject for subject, _, _ in TESTS}
    wanted = RULES + [f"row {row}" for row in ROWS] + [f"list {attack}" for attack in LIST]
    assert not sorted(set(wanted) - have), "no row in tests/attack/INDEX"
    programs = set(rows_of("PAIR", "PAIR_FIRST", "PAIR_HEAVY", "ATTACK", "ATTACK_ENDED", "HEAVY"))
    assert not sorted({name for _, name in ALSO} - programs), "ALSO names no row"


def test_attacks_with_a_test_of_their_own_have_it():
    assert TESTS
    for _, path, test in TESTS:
        assert f"def {test}(" in (ROOT / path).read_text(), path


def test_pairs_that_no_machine_reaches_have_unit_tests():
    for error, path in UNITS:
        assert f"AEGIS_E_{error}" in (ROOT / path).read_text(), path


def test_the_table_of_calls_is_read():
    assert {("map", "NO_TABLE"), ("net_bind", "STATE"), ("shutdown", "OWNER")} <= listed_errors()
    assert not any(call == "null" for call, _ in listed_errors())


@pytest.fixture
def stuck(folder):
    """Cards of which the third sends to a socket that nobody reads."""
    nic = Nic(folder, 2)
    yield {"nic": nic, "extra": cards(["-netdev", nic.netdev(2)]) + disks(folder)}
    nic.socket.close()


@pytest.mark.timeout_s(420, lasts=45)
@pytest.mark.parametrize("append, cpus, kinds", [
    ("", 2, ("PAIR", "PAIR_FIRST", "ATTACK", "ATTACK_ENDED")), ("heavy=1 check=64", 1, ("PAIR_HEAVY", "HEAVY"))],
    ids=["a walk after each call", "many calls"])
def test_what_the_attacker_tries_gets_its_error_and_harms_nobody(machine, stuck, append, cpus, kinds):
    held = run(machine, 400, append=append, cpus=cpus, **stuck)
    assert not sorted(set(rows_of(*kinds)) - held), "not run"


def test_a_machine_without_devices_names_what_is_missing(machine):
    held = run(machine, 60, console=False)
    assert not sorted(set(rows_of("PAIR_BARE")) - held), "not run"
